"""The computation graph as a picture: right boxes and arrows, none on top of another."""
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinynn as tn
from tinynn import nn
from tinynn.viz import graph

SPACE = "{http://www.w3.org/2000/svg}"


def parse(svg):
    """(boxes, arrows, size): a box is (text, shape, left, top, right, bottom); an arrow the points of its path's corners."""
    root = ElementTree.fromstring(svg)
    rectangles = [[float(r.get(key)) for key in ("x", "y", "width", "height")] for r in root.findall(f"{SPACE}rect")[1:]]
    texts = [(float(t.get("x")), float(t.get("y")), t.text) for t in root.findall(f"{SPACE}text")]
    boxes = []
    for x, y, width, height in rectangles:
        inside = [text for tx, ty, text in texts if x < tx < x + width and y < ty < y + height]
        assert len(inside) == 2 and 7 * max(map(len, inside)) < width          # a letter is at most 7.3 pixels wide
        boxes.append((*inside, x, y, x + width, y + height))
    arrows = []
    for path in root.findall(f"{SPACE}path"):
        points = []
        for command, numbers in re.findall("([MCV])([^MCV]*)", path.get("d")):
            numbers = [float(n) for n in numbers.split()]
            points.append((points[-1][0], *numbers) if command == "V" else tuple(numbers[-2:]))
        arrows.append(points)
    return boxes, arrows, [float(root.get(key)) for key in ("width", "height")]


def check(svg):
    """Boxes lie inside the picture and apart; arrows go down, from the bottom of a box to the top of another, past others."""
    boxes, arrows, (width, height) = parse(svg)
    for i, (_, _, left, top, right, bottom) in enumerate(boxes):
        assert 0 < left < right < width and 0 < top < bottom < height
        for _, _, left2, top2, right2, bottom2 in boxes[:i]:
            assert right + 5 < left2 or right2 + 5 < left or bottom + 5 < top2 or bottom2 + 5 < top
    for points in arrows:
        assert all(a[1] < b[1] for a, b in zip(points, points[1:])) and all(0 < x < width for x, _ in points)
        assert any(points[0][1] == bottom and left < points[0][0] < right for *_, left, _, right, bottom in boxes)
        assert any(0 < top - points[-1][1] < 9 and left < points[-1][0] < right for *_, left, top, right, _ in boxes)
        for a, b in zip(points, points[1:]):
            for *_, left, top, right, bottom in boxes:
                between_rows = b[1] <= top or bottom <= a[1]
                assert between_rows or max(a[0], b[0]) < left or right < min(a[0], b[0])
    return boxes, arrows


def arrow_texts(boxes, arrows) -> set:
    """{(text of the upper box, text of the lower one)}."""
    def at(x, y):
        return next(text for text, _, left, top, right, bottom in boxes if left < x < right and top - 9 < y <= bottom)
    return {(at(*points[0]), at(*points[-1])) for points in arrows}


def test_a_small_model():
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    svg = graph(nn.MSELoss()(model(np.ones((5, 3))), np.zeros((5, 1))), model)
    boxes, arrows = check(svg)
    assert sorted((text, shape.split(" =")[0]) for text, shape, *_ in boxes) == [
        ("0.bias", "(8,)"), ("0.weight", "(8, 3)"), ("2.bias", "(1,)"), ("2.weight", "(1, 8)"), ("linear", "(5, 1)"),
        ("linear", "(5, 8)"), ("squared_error", "()"), ("tanh", "(5, 8)")]
    assert arrow_texts(boxes, arrows) == {
        ("0.weight", "linear"), ("0.bias", "linear"), ("linear", "tanh"), ("2.weight", "linear"), ("2.bias", "linear"),
        ("tanh", "linear"), ("linear", "squared_error")}
    assert len(arrows) == 7 and svg._repr_svg_() == svg


def test_equal_graphs_have_equal_pictures():
    """Wherever in memory their nodes are."""
    def loss():
        a, b = (tn.Tensor(np.ones(n), requires_grad=True) for n in (3, 1))
        return tn.mean(a * b + a / b - tn.exp(b) * tn.sin(a + b))
    losses = [loss() for _ in range(20)]
    assert len({str(graph(y)) for y in losses}) == 1


def test_leaves_have_no_names_without_a_model():
    x = tn.Tensor([1.0, 2.0], requires_grad=True)
    y = tn.exp(x * 3 + x)
    assert [text for text, *_ in parse(graph(y))[0]] == ["exp", "add", "multiply", "leaf"]
    assert [box[:2] for box in parse(graph(x))[0]] == [("leaf", "(2,)")]
    assert "() = 0.5" in graph(tn.Tensor(0.5, requires_grad=True) * 1.0)


def test_a_freed_graph_can_still_be_drawn():
    x = tn.Tensor([1.0], requires_grad=True)
    y = (x * x).sum()
    before = graph(y)
    y.backward()
    assert graph(y) == before


@given(st.lists(st.lists(st.integers(0, 10**6), min_size=1, max_size=3), min_size=1, max_size=25))
def test_any_graph(choices):
    """Value i is made of earlier ones; the last row joins those that nobody has used."""
    made, used = [tn.Tensor(np.ones(3), requires_grad=True), tn.Tensor(np.ones(2), requires_grad=True).sum()], set()
    for picks in choices:
        picks = [pick % len(made) for pick in picks]
        used.update(picks)
        made.append(tn.stack([made[i].sum() for i in picks]))
    y = sum(made[i].sum() for i in range(len(made)) if i not in used)
    boxes, arrows = check(graph(y))
    from tinynn.autograd.backward import ancestors
    nodes = ancestors(y._node)
    assert len(arrows) == sum(len(set(node.parents) - {None}) for node in nodes)
    assert len(boxes) == len({*nodes, *(p for node in nodes for p in node.parents if p is not None)})


def test_a_chain_is_straight():
    x = tn.Tensor(np.ones(2), requires_grad=True)
    assert len({left + right for *_, left, _, right, _ in parse(graph(tn.exp(tn.sin(tn.tanh(x)))))[0]}) == 1


def test_chains_do_not_cross():
    """Four chains, whose links are made in another order each time, end in one op: every row has the same order."""
    ops, rng = (tn.sigmoid, tn.sin, tn.tanh, tn.cos), np.random.default_rng(0)
    values = {op: tn.Tensor(np.ones(2), requires_grad=True) for op in ops}
    for _ in range(4):
        for i in rng.permutation(4):
            values[ops[i]] = ops[i](values[ops[i]])
    boxes, _ = check(graph(tn.stack([values[ops[i]] for i in rng.permutation(4)]).sum()))
    rows = {}
    for text, _, left, top, *_ in sorted(boxes, key=lambda box: box[2]):
        rows.setdefault(top, []).append(text)
    assert len({tuple(row) for row in rows.values() if "sin" in row}) == 1


def test_a_line_that_passes_rows_gets_a_lane():
    """x is used at the top and at the bottom: the long line runs beside the boxes between."""
    x = tn.Tensor(np.ones(2), requires_grad=True)
    y = x
    for _ in range(6):
        y = tn.tanh(y)
    boxes, arrows = check(graph(y * x))
    assert len(boxes) == 8 and len(arrows) == 8 and max(map(len, arrows)) > 10


def test_names_are_escaped():
    class Odd(nn.Module):
        def __init__(self):
            setattr(self, "a<b>&", nn.Linear(1, 1))

    model = Odd()
    boxes, _ = check(graph(model.children()[0](np.ones((2, 1))), model))
    assert "a<b>&.weight" in {text for text, *_ in boxes}


def test_bad_input():
    x = tn.Tensor([1.0], requires_grad=True)
    with tn.no_grad():
        constant = x * 2
    for y in (constant, np.ones(3)):
        with pytest.raises(TypeError, match="graph: y is a (Tensor|ndarray) without a graph"):
            graph(y)
    y = x
    for _ in range(600):
        y = y + 1
    with pytest.raises(ValueError, match="graph: the graph has 601 ops and leaves; expected at most 500"):
        graph(y)
