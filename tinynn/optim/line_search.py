"""How far to go along a direction: a step that satisfies the strong Wolfe conditions.

φ(α) = f(w + α·d) is the loss along the direction d. A good α satisfies
    φ(α) ≤ φ(0) + c₁·α·φ′(0)         it gains at least c₁ of what the slope promised, and
    |φ′(α)| ≤ c₂·|φ′(0)|             the slope has flattened: the valley's bottom is near.
Nocedal & Wright, Numerical Optimization, 2nd ed. 2006: algorithms 3.5 (bracket) and 3.6 (zoom), pp. 60-61, with the cubic
interpolation of eq. 3.59. Used by bfgs.py, lbfgs.py and conjugate_gradient.py through descent.py.
"""
import math
from collections import namedtuple

Point = namedtuple("Point", "alpha f slope")


def strong_wolfe(phi, f0, slope0, alpha, c1=1e-4, c2=0.9, evaluations=30):
    """A step length that satisfies the strong Wolfe conditions, or None if `evaluations` of φ did not find one.

    phi: alpha -> (φ(α), φ′(α)); it may return NaN or infinity, and then α was too large. f0, slope0: φ(0) and φ′(0) < 0.
    alpha: the first guess. 0 < c1 < c2 < 1. The last α that φ was asked for is the one returned.
    """
    start = before = Point(0.0, f0, slope0)
    for i in range(evaluations):
        now = Point(alpha, *phi(alpha))
        if too_high(now, start, c1) or i > 0 and now.f >= before.f:
            return zoom(phi, before, now, start, c1, c2, evaluations - i - 1)
        if abs(now.slope) <= -c2 * slope0:
            return alpha
        if now.slope >= 0:
            return zoom(phi, now, before, start, c1, c2, evaluations - i - 1)
        further = cubic_minimum(before, now)                    # still going down: go on, 1.5 to 10 times as far
        before, alpha = now, min(max(further, 1.5 * alpha), 10 * alpha) if math.isfinite(further) else 4 * alpha
    return None


def zoom(phi, low, high, start, c1, c2, evaluations):
    """Narrow the interval between low, the best point so far, and high, until a point inside satisfies both conditions."""
    for _ in range(evaluations):
        width = high.alpha - low.alpha
        if abs(width) <= 1e-12 * max(low.alpha, high.alpha):
            return None
        alpha = cubic_minimum(low, high)
        nearest, furthest = sorted((low.alpha + 0.1 * width, high.alpha - 0.1 * width))
        if not nearest <= alpha <= furthest:                    # also if it is NaN
            alpha = low.alpha + 0.5 * width
        now = Point(alpha, *phi(alpha))
        if too_high(now, start, c1) or now.f >= low.f:
            high = now
            continue
        if abs(now.slope) <= -c2 * start.slope:
            return alpha
        if now.slope * width >= 0:
            high = low
        low = now
    return None


def too_high(point, start, c1) -> bool:
    """Does the point miss the first condition?"""
    return not point.f <= start.f + c1 * point.alpha * start.slope


def cubic_minimum(a, b) -> float:
    """The minimum of the cubic with the values and slopes of points a and b (eq. 3.59); NaN if it has none."""
    if not (math.isfinite(b.f) and math.isfinite(b.slope)) or a.alpha == b.alpha:
        return math.nan
    d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.alpha - b.alpha)
    square = d1 * d1 - a.slope * b.slope
    if square < 0:
        return math.nan
    d2 = math.copysign(math.sqrt(square), b.alpha - a.alpha)
    bottom = b.slope - a.slope + 2 * d2
    return b.alpha - (b.alpha - a.alpha) * (b.slope + d2 - d1) / bottom if bottom else math.nan
