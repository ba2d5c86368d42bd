"""What the exercises on images share: many small ones in one picture. White is paper, black ink."""
import numpy as np


def in_rows(images, columns, border=1) -> np.ndarray:
    """One picture of images (n, height, width), `columns` in each row, with paper (0) between: (H, W)."""
    n, height, width = images.shape
    rows = -(-n // columns)
    padded = np.zeros((rows * columns, height + border, width + border))
    padded[:n, :height, :width] = images
    # (rows, columns, h, w) -> (rows, h, columns, w) -> (rows · h, columns · w)
    return padded.reshape(rows, columns, height + border, -1).swapaxes(1, 2).reshape(rows * (height + border), -1)


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
