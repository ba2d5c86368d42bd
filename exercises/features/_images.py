"""What the exercises on images share: many small ones in one picture. White is paper, black ink."""
import numpy as np


def in_rows(images, columns, border=1, paper=0.0) -> np.ndarray:
    """One picture of images (n, height, width), or in colour (n, height, width, 3), `columns` in each row: (H, W, ...).

    border: pixels between images, of the value `paper`: 0 for ink on white, 1 for white in colours.
    """
    n, height, width, *colour = images.shape
    rows, h, w = -(-n // columns), height + border, width + border
    padded = np.full((rows * columns, h, w, *colour), float(paper))
    padded[:n, :height, :width] = images
    # (rows, columns, h, w, ...) -> (rows, h, columns, w, ...) -> (rows · h, columns · w, ...)
    return padded.reshape(rows, columns, h, w, *colour).swapaxes(1, 2).reshape(rows * h, columns * w, *colour)


def show(ax, picture, low=0.0, high=1.0, cmap="Greys"):
    """Draw a picture without axes; returns matplotlib's image."""
    ax.set_axis_off()
    return ax.imshow(picture, cmap=cmap, vmin=low, vmax=high, interpolation="nearest")


def place(ax, points, images, size=0.032):
    """Draw images (n, h, w) where their points (n, 2) are, each if there is room. size: half a side, of the whole width."""
    low, high = points.min(axis=0), points.max(axis=0)
    r, placed = size * (high - low).max(), []
    for point, image in zip(points, images):
        if all(np.abs(point - other).max() > 1.8 * r for other in placed):
            placed.append(point)
            x, y = point
            ax.imshow(np.ma.masked_less(image, 0.15), cmap="Greys", vmin=0, vmax=1, extent=(x - r, x + r, y - r, y + r),
                      zorder=2)
    ax.set(xlim=(low[0] - r, high[0] + r), ylim=(low[1] - r, high[1] + r), aspect="equal")
