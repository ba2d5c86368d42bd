"""Hypothesis strategies for testing ops: shapes, arrays, and whole argument lists.

    from hypothesis import given
    from tinynn import testing

    @given(testing.arrays((3, 2), domain="positive"))
    def test_log_undoes_exp(x):
        np.testing.assert_allclose(np.exp(np.log(x)), x)

Hypothesis draws shapes, dtypes and memory layouts, and shrinks them to the smallest that fail when a test fails.
The values come from a seed that it draws: spread over their domain, no two equal, none beside zero. So a derivative
exists at every point of abs, maximum and max, and differences are accurate.
"""
import inspect
from itertools import count

import numpy as np
from hypothesis import strategies as st

from .autograd.op import Op

# Magnitudes, and whether both signs occur.
DOMAINS = {"real": (0.1, 3.0, True), "nonzero": (0.5, 3.0, True), "positive": (0.25, 3.0, False),
           "unit": (0.05, 0.9, True)}
LAYOUTS = ("contiguous", "strided", "transposed", "reversed")


def sides(min_side: int = 0) -> st.SearchStrategy:
    """Lengths of an axis: 2 and 3 most often, 1 the simplest, 0 unless min_side forbids it."""
    return st.sampled_from([n for n in (1, 2, 3, 2, 3, 2, 3, 0) if n >= min_side])


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0) -> st.SearchStrategy:
    """Shapes, among them () and, unless min_side forbids it, such as (0, 2)."""
    return st.integers(min_dims, max_dims).flatmap(lambda n: st.tuples(*[sides(min_side)] * n))


def broadcastable_shapes(n: int, min_side: int = 0) -> st.SearchStrategy:
    """Tuples of n shapes of up to 2 axes that broadcast together: (3, 1) and (2,), say."""
    @st.composite
    def build(draw):
        full = draw(shapes(0, 2, min_side))
        if n == 1:
            return (full,)
        kept = [full[draw(st.integers(0, len(full))):] for _ in range(n)]
        return tuple(tuple(1 if draw(st.booleans()) else side for side in shape) for shape in kept)
    return build()


def signature_shapes(signature: str, min_side: int = 0) -> st.SearchStrategy:
    """Tuples of shapes that fit a signature in NumPy's gufunc notation.

    "(n,k),(k,m)->(n,m)" gives ((2, 3), (3, 1)), say. Exactly these axes, no leading ones; (3) is an axis of length 3.
    """
    names = {name for group in groups(signature) for name in group}
    lengths = {name: st.just(int(name)) if name.isdigit() else sides(min_side) for name in sorted(names)}
    return st.fixed_dictionaries(lengths).map(
        lambda length: tuple(tuple(length[name] for name in group) for group in groups(signature)))


def groups(signature: str) -> list:
    """"(n,k),()->(n)" -> [["n", "k"], []]: the axes of each argument."""
    inputs = signature.replace(" ", "").partition("->")[0]
    return [[name for name in group.split(",") if name] for group in inputs[1:-1].split("),(")]


def arrays(shape, domain: str = "real", dtype=np.float64, layout: str = None) -> st.SearchStrategy:
    """Arrays of a shape (a tuple, or a strategy for one).

    domain: "real", "nonzero", "positive" or "unit" (inside (−1, 1)), as for `tn.op`.
    layout: "contiguous", "strided", "transposed" or "reversed" in memory; default: drawn, too.
    """
    low, high, signed = DOMAINS[domain]

    @st.composite
    def build(draw):
        drawn = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
        # The number of the array within the example keeps two arrays apart when both seeds shrink to 0.
        number = next(draw(st.shared(st.builds(count), key="tinynn.testing.arrays")))
        rng = np.random.default_rng([draw(st.integers(0, 9999)), number])
        n = int(np.prod(drawn))
        x = low + (high - low) * (rng.permutation(n) + rng.uniform(0.25, 0.75, n)) / max(n, 1)      # no two alike
        if signed:
            x *= rng.choice([-1, 1], n)
        return laid_out(x.reshape(drawn).astype(dtype), draw(st.sampled_from(LAYOUTS)) if layout is None else layout)
    return build()


def laid_out(x, layout: str) -> np.ndarray:
    """The same array, otherwise placed in memory."""
    if x.ndim == 0 or layout == "contiguous":
        return x
    if layout == "transposed":
        return np.asfortranarray(x)
    if layout == "reversed":
        backwards = (slice(None, None, -1),) * x.ndim
        return x[backwards].copy()[backwards]
    roomy = np.full((*x.shape[:-1], 2 * x.shape[-1]), np.nan, x.dtype)
    roomy[..., ::2] = x
    return roomy[..., ::2]


def dtypes() -> st.SearchStrategy:
    """float64, the simplest, or float32."""
    return st.sampled_from([np.dtype(np.float64), np.dtype(np.float32)])


def upstream(shape, dtype=np.float64) -> st.SearchStrategy:
    """Upstream gradients dL/dy for a value y of this shape: both signs, never zero, in any memory layout."""
    return arrays(shape, "nonzero", dtype)


def differentiated(op: Op) -> list:
    """The arguments that an op is differentiated by: one for each group of `shapes`, or those without default."""
    if op.shapes is not None:
        return op.names[:len(groups(op.shapes))]
    return [name for name, default in zip(op.names, op.defaults) if default is inspect.Parameter.empty]


def arguments(op: Op, min_side: int = 0) -> st.SearchStrategy:
    """Lists of arrays for the differentiated arguments of an op, as its `shapes` and `domain` say.

    The other arguments are settings, and keep their defaults.
    """
    n = len(differentiated(op))
    drawn_shapes = broadcastable_shapes(n, min_side) if op.shapes is None else signature_shapes(op.shapes, min_side)
    domains = op.domain if isinstance(op.domain, tuple) else (op.domain,) * n

    @st.composite
    def build(draw):
        sizes, dtype = draw(drawn_shapes), draw(dtypes())
        return [draw(arrays(size, domain, dtype)) for size, domain in zip(sizes, domains)]
    return build()
