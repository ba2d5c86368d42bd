"""graph: the computation graph of a Tensor as a picture, to see what backward will walk.

    tn.viz.graph(loss, model)                                       # in a notebook: the picture
    Path("graph.svg").write_text(tn.viz.graph(loss, model))         # elsewhere: SVG is text

The layout is Sugiyama's (Sugiyama, Tagawa & Toda 1981, Methods for visual understanding of hierarchical system structures):
rows by the longest way to the result, an order within each row that crosses few lines, then places.
Read autograd/tensor.py for what a Node is, and autograd/backward.py for the order in which they are visited.
"""
from html import escape

from ..autograd.backward import ancestors
from ..autograd.tensor import Leaf, Tensor
from .style import COLOURS

LETTER, HEIGHT, GAP, BETWEEN, MARGIN = 7.3, 36, 14, 30, 12      # pixels: of 12-pixel monospaced text, and around boxes
LARGEST = 500
KINDS = {"op": ("#ffffff", "#777777"), "parameter": ("#dcebf7", COLOURS[0]), "leaf": ("#fdf1d6", COLOURS[4]),
         "result": ("#fbe5d8", COLOURS[1])}                     # kind -> (fill, line)


class SVG(str):
    """A picture as text, which notebooks draw."""

    def _repr_svg_(self):
        return str(self)


class Box:
    """One node of the picture, or (kind None) a bend of a line that passes through a row.

    lines: what is written in it. inputs: the boxes above that it was computed from. uses: the boxes below.
    x: its middle; row: 0 for the result.
    """

    def __init__(self, row, kind=None, lines=()):
        self.row, self.kind, self.lines, self.inputs, self.uses, self.x = row, kind, lines, [], [], 0.0
        self.width = max(map(len, lines)) * LETTER + 2 * GAP if lines else 2.0


def graph(y: Tensor, model=None) -> SVG:
    """How y was computed: its ops with the shapes of their values, down from the leaves to y; an SVG.

    model: a Module, whose parameters are then called by their names.
    Only what gradients flow through is remembered, and so drawn: no data, no constants. An argument that an op takes
    twice has one arrow. Raises TypeError for a y without a graph, ValueError for one of more than 500 boxes.
    """
    if not isinstance(y, Tensor) or not y.requires_grad:
        raise TypeError(f"graph: y is a {type(y).__name__} without a graph; expected a Tensor computed from Tensors with "
                        "requires_grad=True, outside no_grad")
    names = {p._node: name for name, p in model.named_parameters()} if model is not None else {}
    rows = in_rows(y, names)
    uncross(rows)
    place(rows)
    return draw(rows)


def in_rows(y, names) -> list:
    """The boxes in rows, that of y first. A node is a row above the highest of its uses; longer lines get bends."""
    order = ancestors(y._node)                                  # newest first: all uses of a node come before it
    depth = {y._node: 0}
    for node in order:
        for parent in dict.fromkeys(node.parents):
            if parent is not None:
                depth[parent] = max(depth.get(parent, 0), depth[node] + 1)
    if len(depth) > LARGEST:
        raise ValueError(f"graph: the graph has {len(depth)} ops and leaves; expected at most {LARGEST}, as more cannot be "
                         "read: draw fewer time steps, or a part")
    boxes = {node: Box(row, *described(node, names)) for node, row in depth.items()}
    lines = described(y._node, names)[1]
    boxes[y._node] = Box(0, "result", [lines[0], f"{lines[1]} = {y.item():.4g}" if y.size == 1 else lines[1]])
    rows = [[] for _ in range(max(depth.values()) + 1)]
    for box in boxes.values():
        rows[box.row].append(box)
    for node in order:
        for parent in dict.fromkeys(node.parents):
            if parent is not None:
                box = boxes[node]
                for row in range(box.row + 1, depth[parent]):
                    box = join(box, Box(row))
                    rows[row].append(box)
                join(box, boxes[parent])
    return rows


def described(node, names) -> tuple:
    """(kind, lines) for the box of a Node or Leaf."""
    if type(node) is not Leaf:
        return "op", [node.op.name, str(node.shape)]
    return ("parameter" if node in names else "leaf"), [names.get(node, "leaf"), str(node.shape)]


def join(lower, upper) -> Box:
    """Draw a line between two boxes; returns the upper one."""
    lower.inputs.append(upper)
    upper.uses.append(lower)
    return upper


def uncross(rows):
    """Order each row by the mean place of its neighbours, below and above in turn: lines then cross less."""
    for sweep in range(8):
        upwards = sweep % 2 == 0
        for row in rows if upwards else rows[::-1]:
            row.sort(key=lambda box: average([other.x for other in (box.uses if upwards else box.inputs)], box.x))
            for i, box in enumerate(row):
                box.x = i - (len(row) - 1) / 2


def place(rows):
    """Set every x: each box goes to the middle of its neighbours, as near as its own row lets it; a few times over."""
    for row in rows:
        spread(row, [0.0] * len(row))
    for sweep in range(30):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            spread(row, [average([other.x for other in box.inputs + box.uses], box.x) for box in row])
    left = min(box.x - box.width / 2 for row in rows for box in row)
    for row in rows:
        for box in row:
            box.x += MARGIN - left


def spread(row, wanted):
    """The places nearest to those wanted (least squares) that keep the row's order and GAP pixels between boxes.

    With x_i = u_i + (the least distance of box i from box 0), that is: find the rising u nearest to the wanted ones, which
    is isotonic regression: neighbours in the wrong order are merged to their mean.
    """
    least = [0.0]
    for a, b in zip(row, row[1:]):
        least.append(least[-1] + (a.width + b.width) / 2 + GAP)
    merged = []                                                 # [sum of u, how many]
    for w, d in zip(wanted, least):
        merged.append([w - d, 1])
        while len(merged) > 1 and merged[-2][0] / merged[-2][1] > merged[-1][0] / merged[-1][1]:
            total, n = merged.pop()
            merged[-1][0] += total
            merged[-1][1] += n
    places = [total / n for total, n in merged for _ in range(n)]
    for box, u, d in zip(row, places, least):
        box.x = u + d


def average(values, default) -> float:
    return sum(values) / len(values) if values else default


def draw(rows) -> SVG:
    """The SVG of boxes in their places, the result at the bottom."""
    boxes = [box for row in rows for box in row]
    width = max(box.x + box.width / 2 for box in boxes) + MARGIN
    height = len(rows) * (HEIGHT + BETWEEN) - BETWEEN + 2 * MARGIN

    def top(box):
        return MARGIN + (len(rows) - 1 - box.row) * (HEIGHT + BETWEEN)

    def line(box, upper):
        """The path from a labelled box above, past bends, down to `box`."""
        points = [box, upper]
        while points[-1].kind is None:
            points += points[-1].inputs
        points.reverse()
        path = f"M{points[0].x:.1f} {top(points[0]) + HEIGHT}"
        for a, b in zip(points, points[1:]):
            middle, end = top(b) - BETWEEN / 2, top(b) if b.kind is None else top(b) - 5        # 5: the arrow's head
            path += f"C{a.x:.1f} {middle} {b.x:.1f} {middle} {b.x:.1f} {end}" + f"V{top(b) + HEIGHT}" * (b.kind is None)
        return f'<path d="{path}" fill="none" stroke="#888888" marker-end="url(#tinynn-arrow)"/>'

    def rectangle(box):
        fill, stroke = KINDS[box.kind]
        texts = "".join(f'<text x="{box.x:.1f}" y="{top(box) + y}" fill="{colour}">{escape(text)}</text>'
                        for text, y, colour in zip(box.lines, (15, 30), ("#000000", "#555555")))
        return (f'<rect x="{box.x - box.width / 2:.1f}" y="{top(box)}" width="{box.width:.1f}" height="{HEIGHT}" rx="5" '
                f'fill="{fill}" stroke="{stroke}"/>{texts}')

    labelled = [box for box in boxes if box.kind]
    return SVG("\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}" '
        'font-family="monospace" font-size="12" text-anchor="middle">',
        '<defs><marker id="tinynn-arrow" markerWidth="6" markerHeight="6" refX="0" refY="3" orient="auto">'
        '<path d="M0 0L6 3L0 6z" fill="#888888"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height}" fill="#ffffff"/>',
        *(line(box, upper) for box in labelled for upper in box.inputs), *map(rectangle, labelled), "</svg>"]))
