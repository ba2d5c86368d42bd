"""Every op of tinynn, drawn arguments, first and second order: an op without a case fails.

A case says what to call and with what: most ops describe that themselves (`shapes`, `domain`), an op with settings
(axes, an index, ...) has a function here that draws them. To add one: add its name to DESCRIBED, or write a @case.
"""
import importlib
import pkgutil

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import tinynn as tn
from tinynn import testing
from tinynn.autograd.check import NothingChecked, check_gradients
from tinynn.autograd.op import registry
from tinynn.kernels.registry import Kernel

for module in pkgutil.walk_packages(tn.__path__, "tinynn."):        # an op cannot hide in a module nobody has imported
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)


@pytest.fixture(autouse=True, scope="module")
def no_loop_is_compiled():
    """Derivatives are those of the kernels' references; that the loops agree with them, tests/kernels and tests/nn say. What
    a loop would get is looked at here: arrays in rows, as it is compiled anew for every other layout (attention's has two)."""
    call = Kernel.__call__

    def checked(kernel, *args):
        if not kernel.__module__.endswith("attention"):
            layouts = [a.flags.c_contiguous for a in args if isinstance(a, np.ndarray)]
            assert all(layouts), f"{kernel.__module__}.{kernel.__name__}: are its arrays stored in rows? {layouts}"
        return call(kernel, *args)
    with tn.kernels.use("numpy"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Kernel, "__call__", checked)
        yield


OPS = sorted(name for name in registry if name.startswith("tinynn."))
DESCRIBED = ["autograd.primitives.add", "ops.products.matmul", "ops.products.linear"]
DESCRIBED += [f"ops.arithmetic.{name}" for name in
              ("subtract", "multiply", "divide", "negative", "power", "log", "sign", "abs", "maximum", "minimum")]
DESCRIBED += [f"ops.elementary.{name}" for name in ("exp", "log1p", "sqrt", "sin", "cos", "tanh", "erf")]
DESCRIBED += [f"ops.activations.{name}" for name in ("sigmoid", "softplus", "relu", "leaky_relu", "gelu")]

CASES = {}             # name in the registry -> a strategy of (function, arrays)


def described(op, min_side=0):
    return testing.arguments(op, min_side).map(lambda arrays: (op, arrays))


CASES.update({f"tinynn.{name}": described(registry[f"tinynn.{name}"]) for name in DESCRIBED})
CASES["tinynn.nn.losses.squared_error"] = described(registry["tinynn.nn.losses.squared_error"], min_side=1)


def case(name):
    """Decorator: `draw_case(draw, dtype)` returns a function and the arrays to call it with."""
    def add(draw_case):
        @st.composite
        def build(draw):
            return draw_case(draw, draw(testing.dtypes()))
        CASES[name] = build()
        return draw_case
    return add


def axes(ndim, several=True):
    """None, an axis (negative, too), or a tuple of axes."""
    choices = [st.none()]
    if ndim:
        choices.append(st.integers(-ndim, ndim - 1))
        if several:
            choices.append(st.lists(st.integers(0, ndim - 1), unique=True).map(tuple))
            choices.append(st.permutations(range(-ndim, 0)).map(tuple))
    return st.one_of(choices)


# --- ops with settings -------------------------------------------------------------------------------


@case("tinynn.ops.arithmetic.clip")
def _(draw, dtype):
    low, high = draw(st.sampled_from([(-1.0, 1.0), (None, 0.5), (0, None), (-2, 2)]))
    return lambda x: tn.clip(x, low, high), [draw(testing.arrays(testing.shapes(), dtype=dtype))]


@case("tinynn.ops.arithmetic.where")
def _(draw, dtype):
    condition, a, b = draw(testing.broadcastable_shapes(3))
    return tn.where, [draw(npst.arrays(bool, condition)), draw(testing.arrays(a, dtype=dtype)),
                      draw(testing.arrays(b, dtype=dtype))]


def reduction(f, min_side=0, **settings):
    def draw_case(draw, dtype):
        x = draw(testing.arrays(testing.shapes(min_side=min_side), dtype=dtype))
        axis, keepdims = draw(axes(x.ndim)), draw(st.booleans())
        return lambda x: f(x, axis, keepdims, **settings), [x]
    return draw_case


for f, min_side in [(tn.sum, 0), (tn.mean, 1), (tn.var, 1), (tn.max, 1), (tn.min, 1), (tn.logsumexp, 1)]:
    case(f"tinynn.ops.reductions.{f.name}")(reduction(f, min_side))


def softmaxes(f):
    def draw_case(draw, dtype):
        x = draw(testing.arrays(testing.shapes(min_dims=1, min_side=1), dtype=dtype))
        axis = draw(st.integers(-x.ndim, x.ndim - 1))
        return lambda x: f(x, axis), [x]
    return draw_case


case("tinynn.ops.reductions.softmax")(softmaxes(tn.softmax))
case("tinynn.ops.reductions.log_softmax")(softmaxes(tn.log_softmax))


@case("tinynn.autograd.primitives.broadcast_to")
def _(draw, dtype):
    small, large = draw(testing.broadcastable_shapes(2))
    shape = np.broadcast_shapes(small, large)
    return lambda x: tn.broadcast_to(x, shape), [draw(testing.arrays(small, dtype=dtype))]


@case("tinynn.autograd.primitives.sum_to_shape")
def _(draw, dtype):
    small, large = draw(testing.broadcastable_shapes(2))
    x = draw(testing.arrays(np.broadcast_shapes(small, large), dtype=dtype))
    return lambda x: registry["tinynn.autograd.primitives.sum_to_shape"](x, small), [x]


@case("tinynn.ops.shaping.reshape")
def _(draw, dtype):
    x = draw(testing.arrays(testing.shapes(), dtype=dtype))
    shape = draw(st.sampled_from([x.shape[::-1], (x.size,), (1, x.size, 1)] + [-1, (-1, 1)] * (x.size > 0)))
    return lambda x: tn.reshape(x, shape), [x]


@case("tinynn.ops.shaping.transpose")
def _(draw, dtype):
    x = draw(testing.arrays(testing.shapes(), dtype=dtype))
    order = draw(st.one_of(st.none(), st.permutations(range(x.ndim)), st.permutations(range(-x.ndim, 0))))
    return lambda x: tn.transpose(x, order), [x]


@st.composite
def indices(draw, shape):
    """Basic, integer-array (with repeats), bool, and mixed indices."""
    basic = npst.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True)
    if not shape or 0 in shape:
        return draw(basic)
    along = npst.arrays(np.int64, testing.shapes(max_dims=2), elements=st.integers(-shape[0], shape[0] - 1))
    fancy = npst.integer_array_indices(shape, result_shape=testing.shapes(max_dims=2), dtype=np.dtype(np.int64))
    mask = st.sampled_from([shape, shape[:1]]).flatmap(lambda s: npst.arrays(bool, s))
    mixed = along.map(lambda i: (slice(None), ..., i % shape[-1]) if len(shape) > 1 else (None, i))
    return draw(st.one_of(basic, along, fancy, mask, mixed, st.lists(st.integers(0, shape[0] - 1), min_size=1)))


@case("tinynn.ops.shaping.getitem")
def _(draw, dtype):
    x = draw(testing.arrays(testing.shapes(), dtype=dtype))
    index = draw(indices(x.shape))
    return lambda x: x[index], [x]


@case("tinynn.ops.shaping.put")
def _(draw, dtype):
    shape = draw(testing.shapes())
    index = draw(indices(shape))
    index = np.asarray(index) if isinstance(index, list) else index
    taken = np.shape(np.zeros(shape)[index])
    return lambda g: registry["tinynn.ops.shaping.put"](g, index, shape), [draw(testing.arrays(taken, dtype=dtype))]


@case("tinynn.ops.shaping.joined")
def _(draw, dtype):
    shape = draw(testing.shapes(min_dims=1))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    k = axis % len(shape)
    parts = [draw(testing.arrays(shape[:k] + (n,) + shape[k + 1:], dtype=dtype)) for n in lengths]
    return lambda *xs: tn.concatenate(xs, axis), parts


@case("tinynn.ops.shaping.pad")
def _(draw, dtype):
    x = draw(testing.arrays(testing.shapes(min_dims=1), dtype=dtype))
    pair = st.tuples(st.integers(0, 2), st.integers(0, 2))
    width = draw(st.one_of(st.integers(0, 2), pair, st.tuples(*[pair] * x.ndim)))
    return lambda x: tn.pad(x, width, 1.5), [x]


EINSUMS = ["nk,km->nm", "nk,mk->nm", "bnk,bkm->bnm", "n,n->", "n,m->nm", "nk->kn", "nk->", "nk->k", "nk,k->n",
           "n,nk,k->", "nk,n->kn", "n,m->n", "->", ",n->n"]


@case("tinynn.ops.products.einsum")
def _(draw, dtype):
    subscripts = draw(st.sampled_from(EINSUMS))
    operands = subscripts.partition("->")[0].split(",")
    sizes = draw(testing.signature_shapes(",".join(f"({','.join(o)})" for o in operands) + "->()"))
    return lambda *xs: tn.einsum(subscripts, *xs), [draw(testing.arrays(size, dtype=dtype)) for size in sizes]


def recurrent(name, gates, states):
    def draw_case(draw, dtype):
        N, T, D, H = draw(st.integers(0, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
        shapes = [(N, T, D), *[(N, H)] * states, (gates * H, D), (gates * H, H), (gates * H,), (gates * H,)]
        return registry[f"tinynn.ops.recurrent.{name}"], [draw(testing.arrays(shape, dtype=dtype)) for shape in shapes]
    return draw_case


for name, gates, states in (("rnn", 1, 1), ("gru", 3, 1), ("lstm", 4, 2)):
    case(f"tinynn.ops.recurrent.{name}")(recurrent(name, gates, states))


def images(name, *groups):
    """Convolutions: `groups` are the shapes of the arrays, of N, C, H, W, O, kh, kw, Ho, Wo; then come the settings."""
    def draw_case(draw, dtype):
        N, C, O, kh, kw, sh, sw = (draw(st.integers(low, 2)) for low in (0, 1, 1, 1, 1, 1, 1))
        ph, pw, Ho, Wo = draw(st.integers(0, 1)), draw(st.integers(0, 1)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
        H, W = ((n - 1) * s + k - 2 * p + more for n, s, k, p, more in (
            (Ho, sh, kh, ph, draw(st.integers(0, sh - 1))), (Wo, sw, kw, pw, draw(st.integers(0, sw - 1)))))
        assume(H > 0 and W > 0)
        of = {"N": N, "C": C, "H": H, "W": W, "O": O, "u": kh, "v": kw, "i": Ho, "j": Wo}
        before = {"to_input": (H, W), "to_weight": (kh, kw)}.get(name, ())
        op = registry[f"tinynn.ops.convolution.{name}"]
        return (lambda *xs: op(*xs, *before, sh, sw, ph, pw),
                [draw(testing.arrays(tuple(of[letter] for letter in group), dtype=dtype)) for group in groups])
    return draw_case


for name, groups in (("convolve", ("NCHW", "OCuv", "O")), ("to_input", ("NOij", "OCuv")), ("to_weight", ("NCHW", "NOij"))):
    case(f"tinynn.ops.convolution.{name}")(images(name, *groups))


def pooled(name):
    """Pooling of planes of 3 × 4 and its transposes, which take what pooling makes."""
    def draw_case(draw, dtype):
        k, s = draw(st.integers(1, 3)), draw(st.integers(1, 2))
        how = k, k, s, s, p, p = k, k, s, s, *[draw(st.integers(0, k // 2))] * 2
        large = draw(st.integers(0, 2)), draw(st.integers(1, 2)), 3, 4
        small = *large[:2], (3 + 2 * p - k) // s + 1, (4 + 2 * p - k) // s + 1
        op = registry[f"tinynn.ops.pooling.{name}"]
        index = draw(npst.arrays(np.int32, small, elements=st.integers(0, 11)))
        call, shape = {"largest": (lambda x: op(x, *how), large), "averages": (lambda x: op(x, *how), large),
                       "spread": (lambda d: op(d, 3, 4, *how), small), "scatter": (lambda d: op(d, index, 3, 4), small),
                       "gather": (lambda x: op(x, index), large)}[name]
        return call, [draw(testing.arrays(shape, dtype=dtype))]
    return draw_case


for name in ("largest", "averages", "spread", "scatter", "gather"):
    case(f"tinynn.ops.pooling.{name}")(pooled(name))


def masks(draw, shape, dtype):
    """None, or a mask that broadcasts to `shape` (..., T, S) and leaves every query at least one key."""
    if draw(st.booleans()):
        return None
    small = (*(n if draw(st.booleans()) else 1 for n in shape[draw(st.integers(0, len(shape) - 1)):-1]), shape[-1])
    if draw(st.booleans()):
        mask = draw(npst.arrays(bool, small))
        mask[..., draw(st.integers(0, small[-1] - 1))] = False
        return mask
    return draw(testing.arrays(small, dtype=dtype))


@case("tinynn.ops.attention.attention")
def _(draw, dtype):
    lead = draw(st.sampled_from([(), (2,), (2, 1), (1, 2), (2, 0), (1, 2, 1)]))
    T, S, d, e = draw(st.integers(0, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(0, 2))
    mask, op = masks(draw, (*lead, T, S), dtype), registry["tinynn.ops.attention.attention"]
    xs = [draw(testing.arrays((*lead, *size), dtype=dtype)) for size in ((T, d), (S, d), (S, e))]
    return op, xs if mask is None else [*xs, mask]


@case("tinynn.ops.attention.self_attention")
def _(draw, dtype):
    N, T, heads, d = (draw(st.integers(low, 2)) for low in (0, 1, 1, 1))
    mask, op = masks(draw, (N, heads, T, T), dtype), registry["tinynn.ops.attention.self_attention"]
    z = draw(testing.arrays((N, T, 3 * heads * d), dtype=dtype))
    return (lambda z, *mask: op(z, heads, *mask)), [z] if mask is None else [z, mask]


@case("tinynn.ops.normalization.batch_norm")
def _(draw, dtype):
    N, C, places = draw(st.integers(1, 3)), draw(st.integers(0, 2)), draw(testing.shapes(max_dims=2, min_side=1))
    moments = importlib.import_module("tinynn.ops.normalization").moments
    op, eps = registry["tinynn.ops.normalization.batch_norm"], draw(st.sampled_from([1e-5, 0.3]))
    return (lambda x, weight, bias: op(x, weight, bias, *moments(x.numpy()), eps),
            [draw(testing.arrays(shape, dtype=dtype)) for shape in ((N, C, *places), C, C)])


@case("tinynn.ops.normalization.layer_norm")
def _(draw, dtype):
    lead, shape = draw(testing.shapes(max_dims=2)), draw(testing.shapes(min_dims=1, max_dims=2, min_side=1))
    op, eps = registry["tinynn.ops.normalization.layer_norm"], draw(st.sampled_from([1e-5, 0.3]))
    return (lambda *xs: op(*xs, eps),
            [draw(testing.arrays(size, dtype=dtype)) for size in ((*lead, *shape), shape, shape)])


@case("tinynn.ops.operators.astype")
def _(draw, dtype):
    return lambda x: x.astype(x.dtype), [draw(testing.arrays(testing.shapes(), dtype=dtype))]


@case("tinynn.nn.losses.cross_entropy")
def _(draw, dtype):
    n, k = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    labels = draw(npst.arrays(np.int64, n, elements=st.integers(0, k - 1)))
    op = registry["tinynn.nn.losses.cross_entropy"]
    return lambda logits: op(logits, labels), [draw(testing.arrays((n, k), dtype=dtype))]


@case("tinynn.transport.entropic.entropic")
def _(draw, dtype):
    """Weights from a softmax, as they must add up to 1; ε so large that few iterations converge to rounding."""
    n, m, op = draw(st.integers(1, 3)), draw(st.integers(1, 3)), registry["tinynn.transport.entropic.entropic"]
    return (lambda a, b, C: op(tn.softmax(a), tn.softmax(b), C, 3.0, 1e-11 if C.dtype == float else 1e-6, 99),
            [draw(testing.arrays(shape, dtype=dtype)) for shape in (n, m, (n, m))])


@case("tinynn.transport.entropic.to_self")
def _(draw, dtype):
    """Costs are distances, as they must be symmetric; of one point alone the gradient is 0, but for rounding."""
    n, op, distances = 2, registry["tinynn.transport.entropic.to_self"], tn.transport.squared_distances
    return (lambda a, x: op(tn.softmax(a), distances(x, x), 3.0, 1e-11 if x.dtype == float else 1e-6, 99),
            [draw(testing.arrays(shape, dtype=dtype)) for shape in (n, (n, 1))])


# --- functions made of ops, and more shapes for some ops ---------------------------------------------

MORE = {}


def more(name):
    def add(draw_case):
        MORE[name] = st.composite(lambda draw: draw_case(draw, draw(testing.dtypes())))()
        return draw_case
    return add


@more("matmul, batched and 1-D")
def _(draw, dtype):
    a, b = draw(st.sampled_from([((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((4, 2, 3), (3,)), ((3,), (4, 3, 2)),
                                 ((4, 2, 3), (4, 3, 2)), ((4, 2, 3), (3, 2)), ((2, 3), (4, 3, 1)), ((2, 1), (1, 3)),
                                 ((4, 1, 2, 3), (2, 3, 1)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((1,), (1, 2))]))
    return tn.matmul, [draw(testing.arrays(a, dtype=dtype)), draw(testing.arrays(b, dtype=dtype))]


@more("linear, leading axes and no bias")
def _(draw, dtype):
    lead, n_in, n_out = draw(testing.shapes(max_dims=2)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    sizes = [(*lead, n_in), (n_out, n_in), (n_out,)][:draw(st.sampled_from([3, 2]))]
    return lambda *xs: tn.linear(*xs), [draw(testing.arrays(size, dtype=dtype)) for size in sizes]


@more("power with a number")
def _(draw, dtype):
    p = draw(st.sampled_from([2, 3, -1, 0.5, -1.5, 1, 0, 2.0]))
    domain = "nonzero" if isinstance(p, int) else "positive"
    return lambda x: x ** p, [draw(testing.arrays(testing.shapes(), domain, dtype))]


@more("numbers on either side")
def _(draw, dtype):
    return (lambda x: (2.0 ** x + 1 - x) / 3 + (1 - 2 * x) * (1.5 / x) - x / 2 + tn.maximum(x, 0) + tn.minimum(0.5, x),
            [draw(testing.arrays(testing.shapes(max_dims=2), "nonzero", dtype))])


@more("minimum")
def _(draw, dtype):
    return tn.minimum, [draw(testing.arrays(size, dtype=dtype)) for size in draw(testing.broadcastable_shapes(2))]


@more("var with ddof")
def _(draw, dtype):
    return lambda x: tn.var(x, 0, ddof=1), [draw(testing.arrays((3, draw(st.integers(0, 2))), dtype=dtype))]


@more("stack")
def _(draw, dtype):
    shape = draw(testing.shapes(max_dims=2))
    axis, n = draw(st.integers(-len(shape) - 1, len(shape))), draw(st.integers(1, 3))
    return lambda *xs: tn.stack(xs, axis), [draw(testing.arrays(shape, dtype=dtype)) for _ in range(n)]


@more("swapaxes, expand_dims and squeeze")
def _(draw, dtype):
    x = draw(testing.arrays(testing.shapes(min_dims=2), dtype=dtype))
    i, j = draw(st.tuples(*[st.integers(-x.ndim, x.ndim - 1)] * 2))
    k = draw(st.integers(-x.ndim - 1, x.ndim))
    return lambda x: tn.squeeze(tn.expand_dims(tn.swapaxes(x, i, j), k), k), [x]


@more("leaky_relu with a slope")
def _(draw, dtype):
    return lambda x: tn.leaky_relu(x, 0.2), [draw(testing.arrays(testing.shapes(), dtype=dtype))]


# --- the tests ---------------------------------------------------------------------------------------


def check(case):
    f, arrays = case
    try:
        check_gradients(f, *arrays, order=2)
    except NothingChecked:                                  # a tie or a kink at every element
        assume(False)


@pytest.mark.parametrize("name", OPS)
def test_every_op(name):
    assert name in CASES, f"{name} has no case: add one to {__file__}, so that its gradient is tested"
    given(CASES[name])(check)()


@pytest.mark.parametrize("name", MORE)
def test_more(name):
    given(MORE[name])(check)()


def test_no_case_is_left_over():
    assert set(CASES) <= set(OPS)
