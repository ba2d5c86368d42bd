"""What the exercises on convolutional networks share: digits to train, to choose and to test by; scores; augmentation."""
import numpy as np

import tinynn as tn
from exercises.features._images import in_rows, show
from tinynn import nn
from tinynn.autograd.settings import default_rng
from tinynn.data import augment, disjoint_samples
from tinynn.nn.module import evaluating
from tinynn.train import uninterrupted
from tinynn.viz.style import COLOURS


class Moved(nn.Module):
    """Augmentation as a layer: in training, images (N, C, H, W) are shifted, turned and scaled a little, anew each time."""

    def __init__(self, rng):
        self.rng = None if rng is None else default_rng(rng)

    def forward(self, x):
        return augment.affine(x, self.rng) if self.training else x


def split(data, n_train, n_validation, n_test) -> list:
    """[(x, y) to train, to choose by, to test]: the first two are rows of the training set, drawn once for all; no more than
    there are (0.9 and 0.1 of a small stand-in)."""
    n = len(data.x_train)
    n_validation = min(n_validation, n // 10)
    rows = disjoint_samples(n, (min(n_train, n - n_validation), n_validation), rng=0)
    return [(data.x_train[some], data.y_train[some]) for some in rows] + [(data.x_test[:n_test], data.y_test[:n_test])]


def logits(model, x, size=500) -> np.ndarray:
    """The model's outputs (N, 10) in evaluation mode, for so many images at a time."""
    with evaluating(model), tn.no_grad():
        return np.concatenate([model(x[i:i + size]).numpy() for i in range(0, len(x), size)])


def score(outputs, y) -> tuple:
    """(cross-entropy, accuracy) of logits (N, 10) and labels (N,)."""
    return nn.cross_entropy(outputs, y).item(), np.mean(outputs.argmax(axis=1) == y)


def by_chance(accuracy, n=10_000) -> float:
    """Two standard errors of the difference between the accuracies of two tests on n images each, as a share of `accuracy`:
    what is nearer than that is called a match."""
    return float(2 * np.sqrt(2 * accuracy * (1 - accuracy) / n) / accuracy)


def train(model, optimizer, training, validation, epochs, batch, rng, checkpoint=None) -> tuple:
    """Returns the seconds of training until the end of each epoch, without validation, and the (loss, accuracy) on the
    validation images then: (epochs,), (epochs, 2). checkpoint: see `fit`."""
    def look(history):
        loss, accuracy = score(logits(model, validation[0]), validation[1])
        history.info.setdefault("validation", []).append((loss, float(accuracy)))
    history = uninterrupted(tn.fit(model, *training, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=epochs,
                                   batch_size=batch, rng=rng, progress=False, checkpoint=checkpoint, callbacks=[look]))
    return np.array(history.seconds), np.array(history.info["validation"])


def draw_filters(card, model):
    """Add the figure "filters": the windows of the first two convolutions."""
    import matplotlib.pyplot as plt
    first, second = [layer.weight.data for layer in model if isinstance(layer, nn.Conv2d)][:2]
    fig, axes = plt.subplots(1, 2, figsize=(11, 4.2), width_ratios=(1, 1.6))
    for ax, windows, columns, title in ((axes[0], first[:, 0], 8, "first layer"),
                                        (axes[1], second[:16, :24].reshape(-1, *second.shape[2:]), 24, "second layer")):
        limit = np.abs(windows).max()
        image = show(ax, in_rows(windows, columns), -limit, limit, "RdBu_r")
        ax.set_title(title)
        ax.set_anchor("N")
        fig.colorbar(image, ax=ax, orientation="horizontal", label="weight", shrink=0.6)
    card.add_figure(fig, "filters", f"Left: the {len(first)} windows of the first layer. Right: windows of the second, a row "
                    "for each of its first 16 filters, a column for each of the first 24 channels that it sees.")


def draw_maps(card, model, x):
    """Add the figure "maps": what is left of one image x (1, 1, H, W) behind each pooling and activation."""
    import matplotlib.pyplot as plt
    stages, outputs = [("image", x)], x
    with tn.no_grad():
        for layer in model:
            outputs = layer(outputs)
            if isinstance(layer, (nn.ReLU, nn.LeakyReLU)):
                stages.append((f"{outputs.shape[1]} maps, {outputs.shape[2]} × {outputs.shape[3]}", outputs.numpy()))
    probabilities = tn.softmax(outputs).numpy()[0]
    fig, axes = plt.subplots(1, len(stages) + 1, figsize=(12, 3.6), width_ratios=[0.5] + [1] * len(stages))
    for ax, (title, maps) in zip(axes, stages):
        show(ax, in_rows(maps[0], 8 if len(maps[0]) > 1 else 1), 0, maps.max())
        ax.set_title(title, loc="center", fontsize=9)
    axes[-1].bar(range(10), probabilities, color=COLOURS[0])
    axes[-1].set(xticks=range(10), ylim=(0, 1), title="probabilities")
    card.add_figure(fig, "maps", "A test image, its feature maps behind each convolution, pooling and ReLU (white: 0; black: "
                    "the largest number of the layer), and the probabilities of the ten digits.")
