"""Printed digits: as curves, from the fonts that come with matplotlib, and as distances from their edges.

Read font_digits.py next, which draws them.
"""
from functools import lru_cache

import numpy as np

# Those with the ten digits as they stand in line: not the symbol fonts, nor cmmi10, whose old-style 0 and 1 are an o and an I.
FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-BoldOblique", "DejaVuSans-Oblique", "DejaVuSansMono",
         "DejaVuSansMono-Bold", "DejaVuSansMono-BoldOblique", "DejaVuSansMono-Oblique", "DejaVuSerif", "DejaVuSerif-Bold",
         "DejaVuSerif-BoldItalic", "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralBolIta",
         "STIXGeneralItalic", "cmb10", "cmr10", "cmss10", "cmti10", "cmtt10")
EDGE = 1.5                      # glyphs are drawn in the square [-EDGE, EDGE]²; a digit is 2 high
GRID = 64                       # in so many points each way
FAR = 0.5                       # distances from the edge of a digit end here


def outline(digit: int, font: str) -> tuple[np.ndarray, np.ndarray, float]:
    """The curves of a printed digit: vertices (n, 2) that fill the square [-1, 1]², y up; codes (n,) as matplotlib's Path
    has them; and width ÷ height before the digit was stretched to the square."""
    from matplotlib import get_data_path
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath
    path = TextPath((0, 0), str(digit), prop=FontProperties(fname=f"{get_data_path()}/fonts/ttf/{font}.ttf"))
    box = path.get_extents()
    return 2 * (path.vertices - box.min) / box.size - 1, path.codes, box.width / box.height


def ink_at(points, vertices, codes) -> np.ndarray:
    """Whether each of the points (m, 2) is inside the curves, and not in a hole: (m,) bools."""
    from matplotlib.path import Path
    curves = Path(vertices, codes).to_polygons()
    return np.logical_xor.reduce([Path(curve).contains_points(points) for curve in curves])


@lru_cache(maxsize=1)
def distances() -> np.ndarray:
    """Every digit of every font, as distances: (fonts, 10, GRID, GRID) float32, rows from the top; a second's work.

    FAR on the edge of the digit, above it inside, below it outside, 0 where the edge is FAR away or more. Read between
    the points and cut at FAR, they give a sharp digit of any size; cut at less, a bolder one.
    """
    from scipy.ndimage import distance_transform_edt as distance
    fine = 2 * GRID
    at = EDGE * ((2 * np.arange(fine) + 1) / fine - 1)
    y, x = np.meshgrid(at[::-1], at, indexing="ij")
    points = np.stack([x.ravel(), y.ravel()], axis=1)                               # (fine², 2)
    glyphs = np.empty((len(FONTS), 10, GRID, GRID), np.float32)
    for f, font in enumerate(FONTS):
        for digit in range(10):
            vertices, codes, ratio = outline(digit, font)
            ink = ink_at(points, vertices * (ratio, 1), codes).reshape(fine, fine)
            signed = (distance(ink) - distance(~ink)) * 2 * EDGE / fine
            signed = signed.reshape(GRID, 2, GRID, 2).mean(axis=(1, 3))             # (fine, fine) -> (GRID, GRID)
            glyphs[f, digit] = np.clip(signed + FAR, 0, 2 * FAR)
    return glyphs
