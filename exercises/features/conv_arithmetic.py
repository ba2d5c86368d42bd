"""Convolution by hand: a worked example, and the sizes, parameters and receptive fields of AlexNet, layer by layer.

A window of K × K weights goes over an image of W × W numbers in steps of S; at each place the products add up to one number.
With P zeros on every side there are (⌊(W − K + 2P)/S⌋ + 1)² places. Reports A (3.2.1) and B (3.3) work this out by hand for
a 4 × 4 example and for AlexNet (Krizhevsky, Sutskever & Hinton 2012), 227 × 227 pixels in three colours. Here the layers do
it: nothing in the tables is typed in, all is read off the outputs and parameters of the model itself.

AlexNet was trained on two graphics cards, each of which had half of the channels: its second, fourth and fifth convolution
are two side by side, that do not see each other's inputs (`Grouped`). build(groups=1) joins them.

Change first: `image`, to the 224 that the paper prints. Which layer complains, and why? The test that guards the sizes:
tests/exercises/test_conv_arithmetic.py::test_alexnet_has_the_published_sizes
"""
from dataclasses import dataclass

import numpy as np

import tinynn as tn
from exercises.card import Card, Config
from exercises.features import mnist_optimizers
from tinynn import nn
from tinynn.autograd.settings import default_rng
from tinynn.viz.style import COLOURS

X = np.array([[2, 5, 4, 1], [3, 1, 2, 0], [4, 5, 7, 1], [1, 2, 3, 4]], float)
IDENTITY, ASYMMETRIC, STRIDE = np.eye(2), np.array([[1.0, 2], [3, 4]]), 2
REPORT = np.array([[3, 4], [6, 11]])                                # IDENTITY over X
SLIP = 31750                                                        # report A's parameters of the dense layer


@dataclass(frozen=True)
class ArithmeticConfig(Config):
    """image: the side of AlexNet's input, in pixels."""
    image: int = 227


CONFIG = ArithmeticConfig(takes="6 s")
QUICK = ArithmeticConfig(takes="6 s", quick=True)


class Grouped(nn.Module):
    """Convolutions side by side, each from its part of the channels to its part: (N, c_in, H, W) -> (N, c_out, Ho, Wo)."""

    def __init__(self, c_in, c_out, kernel_size, padding, groups, rng):
        rng = default_rng(rng)
        self.parts = [nn.Conv2d(c_in // groups, c_out // groups, kernel_size, padding=padding, rng=rng)
                      for _ in range(groups)]
        self.kernel_size, self.stride = kernel_size, 1

    def forward(self, x):
        c = x.shape[1] // len(self.parts)                           # channels of each part
        return tn.concatenate([part(x[:, i * c:(i + 1) * c]) for i, part in enumerate(self.parts)], axis=1)


def build(groups=2, rng=None) -> nn.Sequential:
    """AlexNet for images (N, 3, 227, 227) and 1000 classes, in float32: 244 MB."""
    rng = default_rng(rng)
    with tn.default_dtype(np.float32):
        return nn.Sequential(
            *features(groups, rng), nn.Flatten(),                                       # -> (N, 9216)
            nn.Dropout(0.5), nn.Linear(9216, 4096, rng=rng), nn.ReLU(),
            nn.Dropout(0.5), nn.Linear(4096, 4096, rng=rng), nn.ReLU(), nn.Linear(4096, 1000, rng=rng))


def features(groups=2, rng=None) -> nn.Sequential:
    """Its layers up to the last pooling: (N, 3, 227, 227) -> (N, 256, 6, 6)."""
    def normalised():
        return nn.LocalResponseNorm(5, alpha=5e-4, k=2)             # the paper's alpha is not divided by the size

    return nn.Sequential(
        nn.Conv2d(3, 96, 11, stride=4, rng=rng), nn.ReLU(), normalised(), nn.MaxPool2d(3, stride=2),
        Grouped(96, 256, 5, 2, groups, rng), nn.ReLU(), normalised(), nn.MaxPool2d(3, stride=2),
        nn.Conv2d(256, 384, 3, padding=1, rng=rng), nn.ReLU(),
        Grouped(384, 384, 3, 1, groups, rng), nn.ReLU(),
        Grouped(384, 256, 3, 1, groups, rng), nn.ReLU(), nn.MaxPool2d(3, stride=2))


def convolve(x, window, stride=STRIDE) -> np.ndarray:
    """One window over one image, by the layer's own function: (H, W), (kh, kw) -> (Ho, Wo)."""
    return tn.conv2d(x[None, None], window[None, None], stride=stride)[0, 0]


@dataclass(frozen=True)
class Stage:
    """What a layer makes: the shape of its output for one image, its parameters, and the side of the square of pixels that
    one output depends on (its receptive field), if it is of a part of the image."""
    name: str
    shape: tuple
    parameters: int
    field: int | None

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))


def walk(model, x) -> list:
    """A Stage for the images x (1, C, H, W), and for each layer that changes the shape or has parameters.

    The next window reaches over `size` neighbours that lie `step` pixels apart, so the field grows by (size − 1) · step.
    """
    stages, field, step, counts = [Stage("image", x.shape[1:], 0, 1)], 1, 1, {}
    model.eval()
    with tn.no_grad():
        for layer in model:
            before, x, kind = x.shape, layer(x), name_of(layer)
            if hasattr(layer, "stride"):
                size = layer.weight.shape[-1] if isinstance(layer, nn.Conv2d) else layer.kernel_size
                field, step = field + (size - 1) * step, step * np.max(layer.stride or size)
            parameters = sum(p.size for p in layer.parameters())
            if isinstance(layer, nn.Flatten) or x.shape == before and not parameters:
                continue
            counts[kind] = counts.get(kind, 0) + 1
            stages.append(Stage(f"{kind} {counts[kind]}", x.shape[1:], parameters, field if x.ndim == 4 else None))
    return stages


def name_of(layer) -> str:
    return {nn.MaxPool2d: "pool", nn.Linear: "dense"}.get(type(layer), "conv")


def run(config: ArithmeticConfig) -> Card:
    card, rng = Card.begin(__name__, config), np.random.default_rng(config.seed)
    image = np.zeros((1, 3, config.image, config.image), np.float32)
    alexnet = build(rng=rng)
    table, stages = tn.summary(alexnet, image.shape[1:]), walk(alexnet, image)
    small = walk(mnist_optimizers.build(rng=rng), np.zeros((1, 1, 28, 28), np.float32))
    add_rows(card, stages, small)
    add_pitfalls(card, stages)
    draw_example(card)
    draw_sizes(card, stages)
    draw_fields(card, stages, config.image)
    draw_table(card, table)
    return card


def add_rows(card, stages, small):
    for place, value in np.ndenumerate(convolve(X, IDENTITY)):
        card.add_row(f"worked example, output {place}", value, report=REPORT[place], better="equal", tolerance=0)
    of = {stage.name: stage for stage in stages}
    for name, side in (("image", 227), ("conv 1", 55), ("pool 1", 27)):
        card.add_row(f"AlexNet, side after {name}", of[name].shape[1], unit="pixels", report=side, better="equal", tolerance=0)
    for stage in stages:
        card.add_row(f"AlexNet, numbers after {stage.name}", stage.size, better="equal", tolerance=0,
                     report={"image": 154587, "pool 3": 9216}.get(stage.name))
    card.add_row("AlexNet, features as a share of the inputs", 100 * of["pool 3"].size / of["image"].size, unit="%",
                 report=5.96, better="equal", tolerance=0.001)
    for stage in stages:
        if stage.parameters:
            card.add_row(f"AlexNet, parameters of {stage.name}", stage.parameters)
    card.add_row("AlexNet, parameters", sum(stage.parameters for stage in stages))
    for name, report in (("conv 1", 320), ("conv 2", 18496), ("dense 1", SLIP)):
        stage, = (stage for stage in small if stage.name == name)
        card.add_row(f"MNIST network, parameters of {name}", stage.parameters, report=report, better="equal", tolerance=0,
                     incomparable="a misprint in the report" if report == SLIP else "")


def add_pitfalls(card, stages):
    of = {stage.name: stage for stage in stages}
    total = sum(stage.parameters for stage in stages)
    dense = sum(stage.parameters for stage in stages if stage.name.startswith("dense"))
    joined = sum(p.size for p in features(groups=1).parameters()) + dense
    turned = ASYMMETRIC[::-1, ::-1]
    card.pitfalls += [
        "The worked example cannot tell a convolution from a cross-correlation: I₂, turned by 180°, is I₂. The window "
        f"[[1, 2], [3, 4]] can: the layer makes {convolve(X, ASYMMETRIC).astype(int).tolist()} of X; a convolution as in "
        f"mathematics, which turns the window first, is {convolve(X, turned).astype(int).tolist()}. Deep learning's "
        "“convolution” is a cross-correlation. As the weights are learned, nothing is lost by it.",
        f"Report A prints 31,750 parameters for the dense layer of the MNIST network: a slip. It has 7·7·64·10 weights and 10 "
        f"biases, {7 * 7 * 64 * 10 + 10:,}.",
        "AlexNet's paper says 224 × 224 pixels. (224 − 11)/4 is not a whole number: the last row and column would be left "
        f"out, and the first layer would have {(224 - 11) // 4 + 1}² places, not 55². With 227 it is (227 − 11)/4 + 1 = "
        f"{(227 - 11) // 4 + 1}.",
        f"Few features, many parameters: the convolutions leave {of['pool 3'].size:,} numbers of {of['image'].size:,}, "
        f"{100 * of['pool 3'].size / of['image'].size:.2f} %, with {total - dense:,} parameters. The three dense layers have "
        f"{dense:,}, {100 * dense / total:.0f} % of all {total:,}. (Without the two groups: {joined:,}.)",
    ]


def draw_example(card):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(2, 5, figsize=(11, 5))
    Y = convolve(X, IDENTITY)
    for ax, (i, j) in zip(axes[0], np.ndindex(Y.shape)):
        top, left = STRIDE * i, STRIDE * j
        grid(ax, X, X[top:top + 2, left:left + 2] * IDENTITY, (top, left))
        terms = " + ".join(f"{x:g}·{k:g}" for x, k in zip(X[top:top + 2, left:left + 2].ravel(), IDENTITY.ravel()))
        ax.set_title(f"{terms} = {Y[i, j]:g}", loc="center", fontsize=9)
    grid(axes[0, 4], Y)
    axes[0, 4].set_title("output", loc="center", fontsize=9)
    turned = ASYMMETRIC[::-1, ::-1]
    for ax, values, title in zip(axes[1], (X, ASYMMETRIC, convolve(X, ASYMMETRIC), turned, convolve(X, turned)),
                                 ("X", "window K", "the layer: X ⋆ K", "K, turned", "convolution: X ∗ K")):
        grid(ax, values)
        ax.set_title(title, loc="center", fontsize=9)
    card.add_figure(fig, "example", "Above: the window I₂ goes over X in steps of 2; shaded, what it sees, dark what counts. "
                    "Below: a window that differs from itself turned by 180° shows that the layer does not turn it.")


def grid(ax, values, counted=None, at=None):
    """Numbers in boxes; the window at `at` is shaded, darker where `counted` (its products) is not 0."""
    shade = np.zeros(values.shape)
    if at is not None:
        window = tuple(slice(start, start + n) for start, n in zip(at, counted.shape))
        shade[window] = np.where(counted != 0, 0.45, 0.2)
    ax.pcolormesh(shade[::-1], cmap="Blues", vmin=0, vmax=1, edgecolors="#888888", linewidth=0.8)
    for (i, j), value in np.ndenumerate(values):
        ax.text(j + 0.5, len(values) - i - 0.5, f"{value:g}", ha="center", va="center")
    ax.set(xlim=(-0.05, 4.05), ylim=(len(values) - 4.05, len(values) + 0.05), aspect="equal")
    ax.set_axis_off()


def draw_sizes(card, stages):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True)
    rows, names = np.arange(len(stages))[::-1], [stage.name for stage in stages]
    sizes = [(stage.size / 1e3, f"{' × '.join(map(str, stage.shape))} = {stage.size:,}" if len(stage.shape) > 1 else
              f"{stage.size:,}") for stage in stages]
    parameters = [(stage.parameters / 1e6, f"{stage.parameters:,}") for stage in stages]
    for ax, bars, label, colour in ((axes[0], sizes, "numbers after the layer (thousands)", COLOURS[0]),
                                    (axes[1], parameters, "parameters of the layer (millions)", COLOURS[1])):
        lengths = [length for length, _ in bars]
        ax.barh(rows, lengths, color=colour)
        for row, (length, text) in zip(rows, bars):
            ax.text(length, row, f" {text}", va="center", fontsize=8.5)
        ax.set(xlim=(0, 1.5 * max(lengths)), xlabel=label)
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(rows, names)
    card.add_figure(fig, "sizes", "AlexNet for one image. Left: channels × height × width after each layer. Right: its "
                    "parameters. Nearly all numbers are in the first layers, nearly all parameters in the last.")


def draw_fields(card, stages, side):
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle
    fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
    seen = [stage for stage in stages[1:] if stage.field is not None]
    left.add_patch(Rectangle((-side / 2, -side / 2), side, side, color="#f2f2f2"))
    for stage, colour in zip(reversed(seen), plt.get_cmap("viridis")(np.linspace(0, 0.95, len(seen)))):
        left.add_patch(Rectangle((-stage.field / 2, -stage.field / 2), stage.field, stage.field, fill=False, lw=2,
                                 color=colour))
        right.barh(stage.name, stage.field, color=colour)
        right.text(stage.field, stage.name, f" {stage.field}", va="center", fontsize=8.5)
    left.set(xlim=(-side / 2, side / 2), ylim=(-side / 2, side / 2), aspect="equal", title="in the image",
             xlabel="pixels from the centre", ylabel="pixels from the centre")
    right.set(xlim=(0, 1.1 * side), xlabel="side of the receptive field (pixels)", title="its side")
    right.grid(axis="y", visible=False)
    card.add_figure(fig, "fields", "The receptive field of a unit in the middle of each of AlexNet's layers: the pixels on "
                    "which it depends.")


def draw_table(card, table):
    import matplotlib.pyplot as plt
    lines = table.count("\n") + 1
    fig, ax = plt.subplots(figsize=(6, 0.155 * lines))
    ax.text(0, 1, table, family="monospace", fontsize=8.5, va="top", transform=ax.transAxes)
    ax.set_axis_off()
    card.add_figure(fig, "table", "AlexNet as tn.summary prints it. Of a convolution in two groups, each group has a row.")
