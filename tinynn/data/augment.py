"""Augmentation: images shifted, turned, scaled or bent a little, at random and anew in every epoch, which keep their labels.

    for rows in order:                                      # in a training loop
        x = augment.affine(x_train[rows], rng, shift=2, degrees=10, scale=0.1)

`shift`, `rotate` and `scale` do one thing by a given amount; `affine` draws the amounts, one set for each image, and does
all at once; `elastic` bends, each part of an image in its own direction. All take and return (N, C, H, W) in the images'
own float dtype. What is moved in from outside is 0.

All of them ask, for each pixel of the new image, where in the old one it comes from, and read the old image there, between
its pixels (`sample`): so no pixel of the new image is forgotten, nor hit twice.
"""
import numpy as np

from tinynn.autograd.settings import default_rng


def shift(images, down, right) -> np.ndarray:
    """Move the images by so many pixels, fractions too: one number for all, or one for each, (N,)."""
    check("shift", images, down=down, right=right)
    return transform(images, np.eye(2), np.stack(np.broadcast_arrays(down, right), axis=-1))


def rotate(images, degrees) -> np.ndarray:
    """Turn the images about their centre, counter-clockwise: one angle for all, or one for each, (N,)."""
    check("rotate", images, degrees=degrees)
    return transform(images, turn(degrees), 0)


def scale(images, factor) -> np.ndarray:
    """Enlarge (factor > 1) or shrink the images about their centre: one factor for all, or one for each, (N,)."""
    check("scale", images, factor=factor)
    if not np.all(np.asarray(factor) > 0):
        raise ValueError(f"scale: factor is {factor}; expected numbers > 0")
    return transform(images, np.asarray(factor)[..., None, None] * np.eye(2), 0)


def affine(images, rng=None, shift=2.0, degrees=10.0, scale=0.1) -> np.ndarray:
    """Shift, turn and scale each image at random; every amount is uniform in its range.

    shift: up to so many pixels up or down and left or right. degrees: up to so far either way. scale: factors from
    1 − scale to 1 + scale, so 0 ≤ scale < 1. The defaults suit digits of 28 × 28: a 6 must not become a 9.
    rng: Generator, seed, or None for the default Generator.
    """
    check("affine", images)
    if not (0 <= shift < np.inf and 0 <= degrees < np.inf and 0 <= scale < 1):
        raise ValueError(f"affine: shift is {shift}, degrees {degrees}, scale {scale}; expected shift and degrees >= 0 "
                         "and 0 <= scale < 1")
    N, rng = len(images), default_rng(rng)
    factors = rng.uniform(1 - scale, 1 + scale, (N, 1, 1))
    return transform(images, factors * turn(rng.uniform(-degrees, degrees, N)), rng.uniform(-shift, shift, (N, 2)))


def elastic(images, rng=None, alpha=34.0, sigma=4.0) -> np.ndarray:
    """Bend each image at random: every pixel moves by its own amount, neighbours by nearly the same.

    The amounts are uniform in (−1, 1), smoothed by a Gaussian of standard deviation sigma, and multiplied by alpha (Simard,
    Steinkraus and Platt, ICDAR 2003, who took sigma 4, alpha 34 for digits of 29 × 29: there pixels move by about
    alpha / (2 sigma √(3π)) = 1.4, root mean square).
    alpha: pixels, >= 0. sigma: pixels, > 0; below 2 images look crumpled, far above 10 just shifted.
    rng: Generator, seed, or None for the default Generator.
    """
    check("elastic", images)
    if not (0 <= alpha < np.inf and 0 < sigma < np.inf):
        raise ValueError(f"elastic: alpha is {alpha}, sigma {sigma}; expected alpha >= 0 and sigma > 0")
    N, _, H, W = images.shape
    noise = 2 * default_rng(rng).random((2, N, H, W), dtype=np.float32) - 1
    dy, dx = float(alpha) * (gaussian(H, sigma) @ noise @ gaussian(W, sigma))                   # 2 × (N, H, W)
    y, x = pixels(H, W, images.dtype)
    return sample(images, y + dy, x + dx)


def gaussian(n: int, sigma: float) -> np.ndarray:
    """The matrix (n, n) that smooths a column of n values by a Gaussian; what is outside counts as 0."""
    far = max(n, int(8 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-far, far + 1) / sigma) ** 2)
    i = np.arange(n)
    return (kernel[far + i - i[:, None]] / kernel.sum()).astype(np.float32)


def turn(degrees) -> np.ndarray:
    """The matrices (..., 2, 2) that turn (y, x), y pointing down, counter-clockwise to the eye."""
    angle = np.radians(np.asarray(degrees, float))
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([c, -s], axis=-1), np.stack([s, c], axis=-1)], axis=-2)


def transform(images, matrix, move) -> np.ndarray:
    """Move what is at p, (y, x) from the centre, to matrix @ p + move: (N, C, H, W) -> (N, C, H, W).

    matrix: (2, 2), or (N, 2, 2) for one each; invertible. move: (2,) or (N, 2), pixels down and right.
    So the new image shows at p what was at matrix⁻¹ @ (p − move).
    """
    N, _, H, W = images.shape
    inverse = np.broadcast_to(np.linalg.inv(matrix), (N, 2, 2)).astype(images.dtype)
    move = np.broadcast_to(move, (N, 2)).astype(images.dtype)
    y, x = pixels(H, W, images.dtype)
    middle = (H - 1) / 2, (W - 1) / 2
    dy = y - middle[0] - move[:, 0, None, None]                     # (H, 1) - (N, 1, 1) -> (N, H, 1)
    dx = x - middle[1] - move[:, 1, None, None]                     # (1, W) - (N, 1, 1) -> (N, 1, W)
    a, b, c, d = inverse.reshape(N, 4, 1, 1).swapaxes(0, 1)         # 4 × (N, 1, 1): [[a, b], [c, d]]
    return sample(images, a * dy + b * dx + middle[0], c * dy + d * dx + middle[1])


def pixels(H: int, W: int, dtype) -> tuple[np.ndarray, np.ndarray]:
    """The rows (H, 1) and columns (1, W) of all pixels."""
    return np.arange(H, dtype=dtype)[:, None], np.arange(W, dtype=dtype)[None]


def sample(images, y, x) -> np.ndarray:
    """The images' values at rows y and columns x, bilinear between pixels, falling to 0 over one pixel past the border.

    images: (N, C, H, W); y, x: (N, h, w), in pixels, of the images' dtype -> (N, C, h, w).
    """
    N, C, H, W = images.shape
    wide = W + 2
    padded = np.zeros((N, C, H + 2, wide), images.dtype)            # a frame of zeros: all that is outside
    padded[:, :, 1:-1, 1:-1] = images
    y, x = np.clip(y, -1, H) + 1, np.clip(x, -1, W) + 1             # in the frame
    i, j = np.minimum(y.astype(np.intp), H), np.minimum(x.astype(np.intp), W)       # the pixel above and to the left
    y, x = (y - i.astype(y.dtype))[:, None], (x - j.astype(x.dtype))[:, None]       # (N, 1, h, w): how far past it, 0 to 1
    first = np.arange(N * C).reshape(N, C, 1, 1) * (H + 2) * wide   # of each plane, in memory
    at = first + (i * wide + j)[:, None]                            # (N, C, 1, 1) + (N, 1, h, w) -> (N, C, h, w)
    values = padded.ravel()
    upper, lower = (values[k:].take(at) * (1 - x) + values[k + 1:].take(at) * x for k in (0, wide))
    return upper * (1 - y) + lower * y


def check(name, images, **amounts):
    """Raise unless images is an array (N, C, H, W) of float32 or float64, and each amount finite, one number or N of them."""
    if not isinstance(images, np.ndarray) or images.ndim != 4 or images.dtype not in (np.float32, np.float64):
        came = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
        raise TypeError(f"{name}: images is {came}; expected an array of shape (N, C, H, W), float32 or float64; for one "
                        "image, image[None, None]; for bytes, divide by 255")
    for argument, amount in amounts.items():
        amount = np.asarray(amount, float)
        if amount.shape not in ((), images.shape[:1]) or not np.isfinite(amount).all():
            raise ValueError(f"{name}: {argument} is {amount}; expected a finite number, or {len(images)}, one for each image")
