"""The confusion matrix of a classifier, with images of what it confuses: what a single accuracy hides."""
import numpy as np

from ._images import in_rows, show

PAIRS, EACH = 8, 10             # confusions shown, the most frequent first, and images of each


def confusion_matrix(truth, predicted, classes: int = 10) -> np.ndarray:
    """How many examples of class i (row) were called j (column): (classes, classes) ints, from labels (n,) each."""
    return np.bincount(np.asarray(truth) * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def most_confused(matrix, n: int = PAIRS) -> list:
    """The pairs (truth, predicted) of the up to n most frequent mistakes, the most frequent first."""
    wrong = matrix * (1 - np.eye(len(matrix), dtype=int))
    order = np.argsort(-wrong, axis=None, kind="stable")[:n]
    return [divmod(int(k), len(matrix)) for k in order if wrong.flat[k]]


def draw_confusion(card, name, truth, predicted, images, caption):
    """Add the figure `name`: the confusion matrix, and beside it images of the most frequent mistakes.

    truth, predicted: digits (n,). images: (n, height, width), ink 1, paper 0. caption: whose predictions these are.
    """
    import matplotlib.pyplot as plt
    matrix = confusion_matrix(truth, predicted)
    pairs, most = most_confused(matrix), max((matrix - np.diag(np.diag(matrix))).max(), 1)
    fig = plt.figure(figsize=(11, 4.9))
    grid = fig.add_gridspec(PAIRS, 2, width_ratios=(1, 1))
    ax = fig.add_subplot(grid[:, 0])
    draw_matrix(ax, matrix, most)
    for k, (i, j) in enumerate(pairs):
        ax = fig.add_subplot(grid[k, 1])
        some = images[(truth == i) & (predicted == j)][:EACH]
        blank = np.zeros((EACH - len(some), *some.shape[1:]))
        show(ax, in_rows(np.concatenate([some, blank]), EACH))
        ax.set_title(f"{i} called {j}: {matrix[i, j]} ", loc="right", x=0, y=0.3, fontsize=9, fontweight="normal")
    wrong = len(truth) - np.trace(matrix)
    card.add_figure(fig, name, f"{caption} Left: how often a digit (row) was called which (column), the right answers on the "
                    f"diagonal in grey; {wrong} of {len(truth)} are wrong. Right: images of the most frequent mistakes.")


def draw_matrix(ax, matrix, most):
    """The counts, mistakes the darker the more there are (`most`: the darkest)."""
    off = np.ma.masked_where(np.eye(len(matrix), dtype=bool), matrix)
    ax.imshow(off, cmap="OrRd", vmin=0, vmax=1.2 * most)
    for (i, j), count in np.ndenumerate(matrix):
        if count:
            ax.text(j, i, count, ha="center", va="center", fontsize=8,
                    color="#888888" if i == j else "white" if count > 0.7 * most else "black")
    ax.set_xticks(range(len(matrix)))
    ax.set_yticks(range(len(matrix)))
    ax.grid(False)
    ax.set(xlabel="called", ylabel="is")
