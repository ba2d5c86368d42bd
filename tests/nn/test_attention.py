"""Attention: PyTorch's values and gradients, the formula in loops, masks, symmetries, float32, bad input."""
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynn as tn
from tinynn import nn
from tinynn.kernels.attention import attention_forward, exp
from tinynn.ops import attention as ops

RECORD = dict(np.load(Path(__file__).parents[1] / "recorded" / "torch_nn.npz"))
CASES = ["Attention-self", "Attention-causal", "Attention-cross"]
few = settings(max_examples=25, deadline=None)


def equal(ours, theirs, what=""):
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10, err_msg=what)


def arrays(*shapes, seed=0, dtype=float):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


# --- PyTorch ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_equals_pytorch(name, need_weights, backend):
    of = {key.removeprefix(name + "/"): value for key, value in RECORD.items() if key.startswith(name + "/")}
    layer = nn.MultiheadAttention(6, 3)
    layer.load_state_dict({key[6:]: value for key, value in of.items() if key.startswith("state/")})
    xs = [tn.Tensor(of[f"x{i}"], requires_grad=True) for i in range(3) if f"x{i}" in of]
    query, key, value = xs if len(xs) == 3 else xs * 3
    with tn.kernels.use(backend):
        y, weights = layer(query, key, value, of.get("mask"), need_weights=need_weights)
        y.backward(of["g"], retain_graph=True)
    equal(y.data, of["y"])
    for i, x in enumerate(xs):
        equal(x.grad, of[f"dx{i}"], f"dx{i}")
    for key, p in layer.named_parameters():
        equal(p.grad, of[f"grad/{key}"], key)
    if not need_weights:
        assert weights is None
        return
    equal(weights.data, of["weights"])
    for i, d in enumerate(tn.grad(weights, xs[:2], of["h"])):                           # no weight depends on a value
        equal(d, of[f"dweights{i}"], f"dweights{i}")


def test_the_state_dict_has_pytorch_s_names_in_its_order():
    assert list(nn.MultiheadAttention(6, 3).state_dict()) == [
        "in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]


# --- the op -----------------------------------------------------------------------------------------------------------

def by_hand(q, k, v, mask=None):
    """One head, (T, d), (S, d), (S, e) -> (T, e), query by query."""
    result = []
    for t in range(len(q)):
        scores = [q[t] @ k[s] / len(q[t]) ** 0.5 + (0 if mask is None else mask[t, s]) for s in range(len(k))]
        weights = np.exp(scores) / np.exp(scores).sum()
        result.append(sum(weight * value for weight, value in zip(weights, v)))
    return np.array(result)


def test_the_op_is_the_formula():
    q, k, v, mask = arrays((2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 2), (4, 6))
    mask[2, 1:3] = -np.inf
    y = ops.attention(q, k, v, mask)
    assert y.shape == (2, 3, 4, 2)
    for n in range(2):
        for h in range(3):
            equal(y[n, h], by_hand(q[n, h], k[n, h], v[n, h], mask))
    equal(ops.attention(q[0, 0], k[0, 0], v[0, 0]), by_hand(q[0, 0], k[0, 0], v[0, 0]))


@pytest.mark.parametrize("T, S, d, e", [(1, 1, 1, 1), (17, 17, 8, 8), (3, 70, 4, 5), (33, 2, 16, 1)])
@pytest.mark.parametrize("lead", [(), (3,), (2, 3), (2, 1, 3)])
def test_kernels_equal_the_reference(lead, T, S, d, e):
    results, mask = [], np.zeros((T, S), bool)
    mask[:, 1:] = np.random.default_rng(3).random((T, S - 1)) < 0.4
    for f in (ops.attention, ops.attention_reference):
        xs = [tn.Tensor(a, requires_grad=True) for a in arrays((*lead, T, d), (*lead, S, d), (*lead, S, e))]
        y = f(*xs, mask)
        y.backward(arrays(y.shape, seed=1)[0])
        results.append([y.data, *(x.grad for x in xs)])
    for fused, plain in zip(*results):
        np.testing.assert_allclose(fused, plain, rtol=1e-12, atol=1e-13)


def test_second_derivatives_where_queries_keys_and_values_are_one():
    x, W = arrays((3, 4), (4, 4))
    tn.check_gradients(lambda x, W: ops.attention(tn.matmul(x, W), x, tn.matmul(x, W)), x, W, order=2)


@pytest.mark.parametrize("fused", [True, False])
def test_a_mask_that_is_learned_gets_its_gradient(fused):
    """Numbers that depend on the distance of query and key, for all heads and examples (relative positions)."""
    x, = arrays((2, 4, 6))
    layer, bias = nn.MultiheadAttention(6, 2, rng=0), np.linspace(-1, 1, 7)
    distance = 3 + np.arange(4) - np.arange(4)[:, None]
    tn.check_gradients(lambda bias: layer(x, x, x, bias[distance], need_weights=not fused)[0], bias, order=2)
    tn.check_gradients(lambda bias: ops.attention(x, x, x, bias[distance]), bias)


# --- masks and symmetries ---------------------------------------------------------------------------------------------

def test_a_causal_mask_hides_the_future():
    layer, (x,) = nn.MultiheadAttention(6, 2, rng=0), arrays((1, 5, 6))
    causal, later = np.triu(np.ones((5, 5), bool), 1), x.copy()
    later[:, 3:] += 1
    for need_weights in (True, False):
        before, after = (layer(a, a, a, causal, need_weights)[0].data for a in (x, later))
        assert np.array_equal(before[:, :3], after[:, :3]) and not np.isclose(before[:, 3:], after[:, 3:]).any()


def test_padding_is_ignored():
    """Keys behind the end of a short sequence, and whatever stands there, change nothing."""
    layer, (x,) = nn.MultiheadAttention(6, 2, rng=0), arrays((2, 5, 6))
    padding = np.zeros((2, 1, 1, 5), bool)
    padding[1, ..., 3:] = True
    y = layer(x, x, x, padding, need_weights=False)[0].data
    short = x[1:, :3]
    equal(y[1, :3], layer(short, short, short)[0].data[0])
    equal(y[0], layer(x[:1], x[:1], x[:1])[0].data[0])
    equal(y, layer(x, x, x, np.where(padding, -np.inf, 0.0))[0].data)                   # bool and additive masks mean the same


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("need_weights", [True, False])
def test_a_mask_takes_the_dtype_of_the_layer(need_weights, backend):
    layer, (x,) = nn.MultiheadAttention(6, 2, rng=0).astype(np.float32), arrays((2, 4, 6), dtype=np.float32)
    causal = np.triu(np.ones((4, 4), bool), 1)
    additive = np.where(causal, -np.inf, 0.0)                                           # float64
    lowest = np.where(causal, np.finfo(float).min, 0.0)                                 # −∞ in float32
    with tn.kernels.use(backend):
        expected = layer(x, x, x, causal, need_weights)[0].data
        for mask in (causal.tolist(), additive, additive.tolist(), tn.Tensor(additive), tn.Tensor(causal), lowest,
                     additive.astype(np.float16)):
            y, weights = layer(x, x, x, mask, need_weights)
            assert y.dtype == np.float32 and (weights is None or weights.dtype == np.float32)
            np.testing.assert_array_equal(y.data, expected)
        expected = layer(x, x, x, None, need_weights)[0].data
        for mask in (False, np.False_, 0.0, np.zeros(4)):
            np.testing.assert_array_equal(layer(x, x, x, mask, need_weights)[0].data, expected)
        for mask in (True, np.array(True), -np.inf, [True] * 4, lowest - np.inf, np.full((2, 1, 1, 4), np.finfo(float).min)):
            with pytest.raises(ValueError, match=r"leaves query \((0,|0, 0, 0)\) no key"):
                layer(x, x, x, mask, need_weights)
        learned = tn.Tensor(np.zeros((1, 4)), requires_grad=True)
        layer(x, x, x, learned, need_weights)[0].sum().backward()
        assert learned.grad.dtype == np.float64


@few
@given(st.integers(1, 6), st.integers(1, 3), st.integers(0, 9))
def test_tokens_have_no_order(T, heads, seed):
    """Permuted tokens give permuted outputs: without positions, attention sees a set."""
    layer, (x,) = nn.MultiheadAttention(2 * heads, heads, rng=seed), arrays((2, T, 2 * heads), seed=seed)
    order = np.random.default_rng(seed).permutation(T)
    y, weights = layer(x, x, x)
    moved, moved_weights = layer(x[:, order], x[:, order], x[:, order])
    np.testing.assert_allclose(moved.data, y.data[:, order], atol=1e-12)
    np.testing.assert_allclose(moved_weights.data, weights.data[:, order][:, :, order], atol=1e-12)
    np.testing.assert_allclose(weights.data.sum(2), 1, atol=1e-12)
    assert (weights.data > 0).all()


# --- float32 ----------------------------------------------------------------------------------------------------------

def test_the_error_of_the_kernels_exp():
    x = np.concatenate([np.linspace(-86.9, 0, 100_001), [-87.5, -1e4, -np.inf, np.nan]]).astype(np.float32)
    y = x.copy()
    compiled = pytest.importorskip("numba").njit(fastmath=attention_forward.options["fastmath"])(getattr(exp, "py_func", exp))
    compiled(y, np.empty(len(x), np.int32))
    assert np.abs(y[:-4] / np.exp(x[:-4].astype(float)) - 1).max() <= 3e-7
    assert y[-4:-1].tolist() == [0, 0, 0] and np.isnan(y[-1])
    assert y[-5] == 1                                                                   # e⁰ exactly: the largest weight


def test_float32_stays_and_is_near():
    shapes = (2, 4, 9, 8), (2, 4, 20, 8), (2, 4, 20, 8)
    results = []
    for dtype in (np.float32, float):
        xs = [tn.Tensor((3 * a).astype(dtype), requires_grad=True) for a in arrays(*shapes)]
        y = ops.attention(*xs)
        y.sum().backward()
        assert {a.dtype for a in (y, *(x.grad for x in xs))} == {np.dtype(dtype)}
        results.append([y.data, *(x.grad for x in xs)])
    for rough, exact in zip(*results):
        np.testing.assert_allclose(rough, exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, float])
def test_large_scores_and_nan(dtype):
    q, k, v = arrays((3, 1, 4, 8), (3, 1, 5, 8), (3, 1, 5, 2), dtype=dtype)
    y = ops.attention(1000 * q, 1000 * k, v)                                            # all weight on one key
    assert np.isfinite(y).all()
    np.testing.assert_allclose(y[0, 0, 0], v[0, 0, np.argmax(k[0, 0] @ q[0, 0, 0])], rtol=1e-5)
    k[1, 0, 2, 3] = np.nan
    y = ops.attention(q, k, v)
    assert np.isnan(y[1]).all() and np.isfinite(y[[0, 2]]).all()                        # it stays in its example


# --- the other layers -------------------------------------------------------------------------------------------------

def test_patches_are_cut_row_by_row():
    layer, (x,) = nn.PatchEmbedding((4, 6), 2, 3, 5, rng=0), arrays((2, 3, 4, 6))
    layer.class_token.data = layer.class_token.data + 7
    y = layer(x).data
    assert y.shape == (2, 7, 5)
    tokens = [np.full((2, 5), 7.0)]
    for i in range(2):
        for j in range(3):
            patch = x[:, :, 2 * i:2 * i + 2, 2 * j:2 * j + 2].reshape(2, 12)            # channel by channel
            tokens.append(patch @ layer.proj.weight.data.T + layer.proj.bias.data)
    equal(y, np.stack(tokens, axis=1) + layer.positions.data)
    x = tn.Tensor(x, requires_grad=True)
    layer(x).sum().backward()
    equal(x.grad[0, 0, :2, :2], layer.proj.weight.data.sum(0)[:4].reshape(2, 2))


def test_the_parts_of_a_block_begin_with_different_numbers():
    block = nn.TransformerBlock(8, 2, 8, rng=0)
    parts = [p.ravel()[:64] / p.std() for p in (block.self_attn.in_proj_weight.data, block.linear1.weight.data,
                                                block.linear2.weight.data)]
    assert np.abs(np.corrcoef(parts) - np.eye(3)).max() < 0.5
    same = nn.TransformerBlock(8, 2, 8, rng=0).state_dict()
    assert all((same[name] == value).all() for name, value in block.state_dict().items())


def test_a_mask_is_no_anomaly():
    with tn.detect_anomaly():
        y, _ = nn.MultiheadAttention(4, 2, rng=0)(*[tn.Tensor(np.ones((2, 3, 4)))] * 3, mask=np.triu(np.ones((3, 3), bool), 1))
        y.sum().backward()
        with np.errstate(divide="ignore"), pytest.raises(FloatingPointError, match="log"):
            tn.log(tn.Tensor(0.0))


def test_a_block_adds_to_what_is_there():
    """With the last layers of both parts at 0, a block hands its input on; dropout leaves that path alone."""
    block, (x,) = nn.TransformerBlock(6, 2, 8, dropout=0.5, rng=0), arrays((2, 3, 6))
    for layer in (block.self_attn.out_proj, block.linear2):
        layer.weight.data, layer.bias.data = 0 * layer.weight.data, 0 * layer.bias.data
    assert np.array_equal(block(x).data, x)
    block = nn.TransformerBlock(6, 2, 8, dropout=0.5, rng=0)
    assert (block(x).data != block(x).data).any()
    block.eval()
    assert np.array_equal(block(x).data, block(x).data)
    causal = np.triu(np.ones((3, 3), bool), 1)
    assert np.array_equal(block(x, causal).data[:, 0], block(x[:, :1]).data[:, 0])


def test_initial_values_are_pytorch_s():
    layer = nn.MultiheadAttention(64, 8, rng=0)
    assert np.abs(layer.in_proj_weight.data).max() <= np.sqrt(6 / 256) and not layer.in_proj_bias.data.any()
    assert layer.in_proj_weight.data.std() == pytest.approx(np.sqrt(2 / 256), rel=0.02)
    assert np.abs(layer.out_proj.weight.data).max() <= 1 / 8 and not layer.out_proj.bias.data.any()
    embedding = nn.PatchEmbedding(np.int64(28), 7, 1, 64, rng=0)
    assert embedding.positions.shape == (1, 17, 64) and embedding.positions.data.std() == pytest.approx(0.02, rel=0.1)
    assert not embedding.class_token.data.any()
    assert repr(layer) == "MultiheadAttention(64, 8)" and repr(embedding) == "PatchEmbedding((28, 28), 7, 1, 64)"


X = np.ones((2, 4, 6))
LAYER = nn.MultiheadAttention(6, 2)


@pytest.mark.parametrize("call, error, message", [
    (lambda: nn.MultiheadAttention(6, 4), ValueError, "d is 6, heads is 4; heads must divide d"),
    (lambda: nn.TransformerBlock(6, 4, 8), ValueError, "heads must divide d"),
    (lambda: nn.MultiheadAttention(6, 0), ValueError, "heads is 0"),
    (lambda: LAYER(X[0], X[0], X[0]), ValueError, r"x\[None\] makes a batch of one"),
    (lambda: LAYER(X, X[:1], X[:1]), ValueError, r"shapes \(2, 4, 6\), \(1, 4, 6\)"),
    (lambda: LAYER(X, X, X[:, :3]), ValueError, "query, key, value have shapes"),
    (lambda: LAYER(X, X[..., :5], X), ValueError, r"expected \(N, T, 6\)"),
    (lambda: LAYER(X.astype(int), X, X), TypeError, "dtype int64"),
    (lambda: LAYER(X, X, X, np.zeros((4, 5))), ValueError, r"mask has shape \(4, 5\); it must broadcast to \(2, 2, 4, 4\)"),
    (lambda: LAYER(X, X, X, np.zeros((2, 4, 4, 4)), False), ValueError, r"mask has shape \(2, 4, 4, 4\)"),
    (lambda: LAYER(X, X, X, np.zeros((3, 1, 1, 4, 4))), ValueError, "it must broadcast"),
    (lambda: LAYER(X, X, X, np.zeros((2, 4, 4))), ValueError, r"mask has shape \(2, 4, 4\).*mask\[:, None\].*mask\[None\]"),
    (lambda: LAYER(X, X, X, np.zeros((1, 4, 4)).tolist(), False), ValueError, r"mask\.reshape\(N, 2, T, S\)$"),
    (lambda: nn.TransformerBlock(6, 2, 8)(X, np.zeros((4, 4, 4), bool)), ValueError, r"mask has shape \(4, 4, 4\)"),
    (lambda: LAYER(X, X, X, np.zeros((4, 4), int)), TypeError, "mask has dtype int64; expected bool"),
    (lambda: LAYER(X, X, X, np.ones((4, 4), bool)), ValueError, r"leaves query \(0,\) no key"),
    (lambda: LAYER(X, X, X, np.eye(4) * [0, 0, -np.inf, 0] - [[0], [0], [np.inf], [0]], False), ValueError, r"query \(2,\)"),
    (lambda: ops.attention(X, X[..., :5], X), ValueError, r"attention: the shapes must be q \(..., T, d\)"),
    (lambda: ops.attention(X, X[:, :0], X[:, :0]), ValueError, "at least 1"),
    (lambda: ops.attention(X.astype(int), X.astype(int), X.astype(int)), TypeError, "attention: q has dtype int64, k has"),
    (lambda: ops.attention(*[X.astype(np.float16)] * 3), TypeError, "dtype float16; expected float32"),
    (lambda: ops.attention(X, X.astype(np.float32), X), TypeError, r"k has dtype float32, v .* with .astype\(np.float32\)"),
    (lambda: ops.attention(X, X, X > 0), TypeError, "v has dtype bool"),
    (lambda: ops.self_attention(X.astype(int), 1), TypeError, "self_attention: q has dtype int64"),
    (lambda: nn.PatchEmbedding(28, 5, 1, 64), ValueError, "image_size is 28, patch is 5; patches must fill the image"),
    (lambda: nn.PatchEmbedding(4, 2, 3, 8)(np.ones((5, 4, 4, 3))), ValueError, r"x.transpose\(0, 3, 1, 2\)"),
    (lambda: nn.PatchEmbedding(4, 2, 1, 8)(np.ones((5, 4, 4))), ValueError, r"expected \(N, 1, 4, 4\)$"),
])
def test_bad_input(call, error, message):
    with np.errstate(invalid="ignore"), pytest.raises(error, match=message):
        call()
