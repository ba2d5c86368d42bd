"""The sea by day and at sunset, two colour photographs: for moving the colours of one to the other.

The example pictures of POT (Python Optimal Transport; R. Flamary et al., JMLR 22, 2021): 1000 × 669 and 1000 × 750 pixels.
"""
import numpy as np

from .dataset import Dataset, find
from .reading import damage_named

LARGEST = 1 << 24           # pixels: a few bytes can declare billions


def ocean_photographs() -> Dataset:
    """x_train (2, 3, 669, 1000) float32 in [0, 1], red, green, blue: by day, at sunset; nothing to test with, and no labels.

    The taller picture loses as much above as below, so that both have one shape. The stand-in is 120 × 180.
    ValueError: a damaged file, which is named.
    """
    files = find("ocean_photographs")
    x = same_height([read(file) for file in files]) if files else stand_in()
    return Dataset(x, None, None, None, name="ocean photographs", real=files is not None)


def read(path) -> np.ndarray:
    """A JPEG photograph: (3, H, W) float32 in [0, 1]. ValueError, naming the file: it is damaged, or something else."""
    from PIL import Image
    with damage_named(path), Image.open(path, formats=["JPEG"]) as image:
        width, height = image.size
        if image.mode != "RGB" or width * height > LARGEST:
            raise ValueError(f"it has {width} × {height} pixels of mode {image.mode}; expected RGB, and at most {LARGEST}")
        return np.divide(np.asarray(image).transpose(2, 0, 1), np.float32(255), order="C")     # (H, W, 3) -> (3, H, W)


def same_height(images) -> np.ndarray:
    """The images (3, H, W) of one width, cut to the least height, in the middle: (N, 3, H, W)."""
    height = min(image.shape[1] for image in images)
    tops = [(image.shape[1] - height) // 2 for image in images]
    return np.stack([image[:, top:top + height] for image, top in zip(images, tops)])


def stand_in() -> np.ndarray:
    """A painted sea: (2, 3, 120, 180); the same one every time. Sky above, water with waves below, the sun in one of them."""
    rng = np.random.default_rng(1)
    height, width, horizon = 120, 180, 54
    down, right = np.mgrid[:height, :width]
    scenes = [                                  # sky at the top and at the horizon, water there and at the bottom; sun
        ([0.25, 0.5, 0.85], [0.75, 0.87, 0.95], [0.3, 0.6, 0.75], [0.02, 0.2, 0.42], None),
        ([0.25, 0.2, 0.45], [0.98, 0.6, 0.25], [0.75, 0.4, 0.25], [0.12, 0.07, 0.15], (46, 110))]
    images = []
    for top, far, near, bottom, sun in scenes:
        sky, sea = np.clip(down / horizon, 0, 1), np.clip((down - horizon) / (height - horizon), 0, 1)
        part = np.where(down < horizon, sky, sea)[..., None]                                        # (H, W, 1)
        ends = [np.where((down < horizon)[..., None], one, other) for one, other in ((top, near), (far, bottom))]
        image = (1 - part) * ends[0] + part * ends[1]                                               # (H, W, 3)
        waves = np.sin(4 * np.sqrt(np.maximum(down - horizon, 0)) + 3 * np.sin(right / 9) + rng.normal(0, 0.5, down.shape))
        image += (0.05 * waves * (down >= horizon) + rng.normal(0, 0.015, down.shape))[..., None]
        if sun:
            glow = np.exp(-np.hypot(down - sun[0], right - sun[1]) / 14) + 0.5 * np.exp(
                -((right - sun[1]) / 12) ** 2) * (down >= horizon) * (0.5 + 0.5 * waves)            # and its path on the water
            image += glow[..., None] * np.array([0.5, 0.4, 0.2])
        images.append(image.transpose(2, 0, 1))
    return np.clip(images, 0, 1).astype(np.float32)
