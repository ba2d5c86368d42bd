"""Conv2d, ConvTranspose2d and pooling: PyTorch's values and gradients, worked examples, transposes, Winograd, bad input."""
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynn as tn
from tinynn import nn
from tinynn.kernels import convolution, winograd, winograd_strided
from tinynn.ops.convolution import convolve, to_input, to_weight

FILE = Path(__file__).parents[1] / "recorded" / "torch_images.npz"
LAYERS = {                                                      # name: (class, arguments, settings); x is (3, 2, 9, 8)
    "conv": ("Conv2d", (2, 5, 3), {"padding": 1}),
    "conv-stride": ("Conv2d", (2, 5, (3, 2)), {"stride": (2, 1), "padding": (0, 1)}),
    "conv-same": ("Conv2d", (2, 3, 5), {"padding": "same", "bias": False}),
    "conv-same-even": ("Conv2d", (2, 5, (4, 3)), {"padding": "same"}),
    "conv-sparse": ("Conv2d", (2, 4, 2), {"stride": 3, "padding": 2}),
    "conv-whole": ("Conv2d", (2, 4, (9, 8)), {}),
    "transpose": ("ConvTranspose2d", (2, 5, 2), {}),
    "transpose-stride": ("ConvTranspose2d", (2, 5, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    "transpose-uneven": ("ConvTranspose2d", (2, 3, (4, 3)), {"stride": (3, 2), "padding": 1, "output_padding": (2, 0),
                                                             "bias": False}),
    "max": ("MaxPool2d", (2,), {}), "max-overlap": ("MaxPool2d", (3,), {"stride": 2, "padding": 1}),
    "max-uneven": ("MaxPool2d", ((3, 2),), {"stride": (1, 2), "padding": (1, 0)}),
    "avg": ("AvgPool2d", (2,), {}), "avg-overlap": ("AvgPool2d", (3,), {"stride": 2, "padding": 1}),
    "avg-uneven": ("AvgPool2d", ((3, 2),), {"stride": (1, 2), "padding": (1, 0)}),
}


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", LAYERS)
def test_equals_pytorch(name, backend):
    record = {key.removeprefix(name + "/"): value for key, value in np.load(FILE).items() if key.startswith(name + "/")}
    kind, args, how = LAYERS[name]
    layer = getattr(nn, kind)(*args, **how)
    layer.load_state_dict({key[6:]: value for key, value in record.items() if key.startswith("state/")})
    x = tn.Tensor(record["x"], requires_grad=True)
    with tn.kernels.use(backend):
        y = layer(x)
        y.backward(record["g"])
    found = {"y": y.data, "dx": x.grad, **{f"grad/{key}": p.grad for key, p in layer.named_parameters()}}
    assert {key for key in record if key not in ("x", "g") and not key.startswith("state/")} == set(found)
    for key, value in found.items():
        np.testing.assert_allclose(value, record[key], rtol=1e-10, atol=1e-10, err_msg=key)


def test_the_worked_example_and_a_window_that_is_not_its_own_mirror_image():
    x = np.array([[2, 5, 4, 1], [3, 1, 2, 0], [4, 5, 7, 1], [1, 2, 3, 4]], float)[None, None]
    np.testing.assert_array_equal(tn.conv2d(x, np.eye(2)[None, None], stride=2)[0, 0], [[3, 4], [6, 11]])
    corner = np.array([[1, 0], [0, 0]], float)[None, None]              # takes the top left; turned, the bottom right
    np.testing.assert_array_equal(tn.conv2d(x, corner)[0, 0], x[0, 0, :3, :3])


def test_sizes_and_parameters_of_alexnet_s_first_layers():
    """227 -> 55 -> 27 -> 27 -> 13 (Krizhevsky 2012)."""
    x = np.zeros((1, 3, 227, 227), np.float32)
    first, second = nn.Conv2d(3, 96, 11, stride=4).astype(np.float32), nn.Conv2d(96, 4, 5, padding=2).astype(np.float32)
    pool = nn.MaxPool2d(3, stride=2)
    assert first(x).shape == (1, 96, 55, 55) and pool(first(x)).shape == (1, 96, 27, 27)
    assert pool(second(pool(first(x)))).shape == (1, 4, 13, 13)
    assert sum(p.size for p in nn.Conv2d(1, 32, 3).parameters()) == 320
    assert sum(p.size for p in nn.Conv2d(32, 64, 3).parameters()) == 18_496


@st.composite
def shapes(draw):
    """(N, C, H, W, O, kh, kw, sh, sw, ph, pw) that fit."""
    N, C, O, kh, kw, sh, sw = (draw(st.integers(low, high)) for low, high in ((0, 9), *[(1, 3)] * 6))
    ph, pw = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    H, W = draw(st.integers(max(kh - 2 * ph, 1), 7)), draw(st.integers(max(kw - 2 * pw, 1), 7))
    return N, C, H, W, O, kh, kw, sh, sw, ph, pw


@settings(deadline=None)
@given(shapes(), st.sampled_from(["numpy", "numba"]))
def test_the_three_are_one_sum_solved_for_each_factor(sizes, backend):
    """⟨d, convolve(x, W)⟩ = ⟨to_input(d, W), x⟩ = ⟨to_weight(x, d), W⟩."""
    N, C, H, W, O, kh, kw, *how = sizes
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((N, C, H, W)), rng.standard_normal((O, C, kh, kw))
    with tn.kernels.use(backend):
        y = convolve(x, w, None, *how)
        d = rng.standard_normal(y.shape)
        sums = [np.sum(d * y), np.sum(to_input(d, w, H, W, *how) * x), np.sum(to_weight(x, d, kh, kw, *how) * w)]
    np.testing.assert_allclose(sums, sums[0], rtol=1e-10, atol=1e-10)


def test_the_reference_is_the_seven_loops():
    rng = np.random.default_rng(0)
    x, W, b = rng.standard_normal((2, 3, 5, 6)), rng.standard_normal((4, 3, 3, 2)), rng.standard_normal(4)
    (sh, sw), (ph, pw) = (2, 1), (1, 2)
    y = np.zeros((2, 4, 3, 9)) + b[:, None, None]
    for n, o, i, j, c, u, v in np.ndindex(2, 4, 3, 9, 3, 3, 2):
        h, w = i * sh + u - ph, j * sw + v - pw
        if 0 <= h < 5 and 0 <= w < 6:
            y[n, o, i, j] += x[n, c, h, w] * W[o, c, u, v]
    np.testing.assert_allclose(convolution.forward.reference(x, W, b, sh, sw, ph, pw), y, rtol=1e-12)


@pytest.mark.parametrize("H, W, p", [(14, 14, 1), (7, 9, 0), (5, 4, 2)])
@pytest.mark.parametrize("kernels, k, s", [(winograd, 3, 1), (winograd_strided, 4, 2)])
def test_winograd_is_accurate_and_taken_in_float32(kernels, k, s, H, W, p, monkeypatch):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((5, 16, H, W)), rng.standard_normal((16, 16, k, k)) / 4 / k
    calls = []
    for name in ("forward", "to_input", "to_weight"):
        kernel = getattr(kernels, name)
        monkeypatch.setattr(kernels, name, lambda *args, name=name, kernel=kernel: calls.append(name) or kernel(*args))
    results = []
    for dtype in (np.float32, np.float64):
        tx, tw = (tn.Tensor(a.astype(dtype), requires_grad=True) for a in (x, w))
        y = tn.conv2d(tx, tw, None, s, p)
        assert calls == (["forward"] if dtype == np.float32 else [])
        y.backward(np.random.default_rng(1).standard_normal(y.shape).astype(dtype))
        assert {*calls} == ({"forward", "to_input", "to_weight"} if dtype == np.float32 else set())
        results.append([y.data, tx.grad, tw.grad])
        calls.clear()
    assert results[0][0].dtype == np.float32
    for fast, exact in zip(*results):
        assert np.max(np.abs(fast - exact)) < 3e-6 * np.max(np.abs(exact))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_window_that_sees_the_whole_image_is_a_dense_layer(backend):
    rng = np.random.default_rng(0)
    x, w, d = rng.standard_normal((3, 2, 4, 5)), rng.standard_normal((6, 2, 4, 5)), rng.standard_normal((3, 6, 1, 1))
    with tn.kernels.use(backend):
        np.testing.assert_allclose(convolve(x, w, None, 2, 1, 0, 0), convolution.forward(x, w, np.zeros(6), 2, 1, 0, 0), 1e-10)
        np.testing.assert_allclose(to_input(d, w, 4, 5, 2, 1, 0, 0), convolution.to_input(d, w, 4, 5, 2, 1, 0, 0), 1e-10)
        np.testing.assert_allclose(to_weight(x, d, 4, 5, 2, 1, 0, 0), convolution.to_weight(x, d, 4, 5, 2, 1, 0, 0), 1e-10)


def test_derivatives_of_derivatives_through_a_small_network():
    rng = np.random.default_rng(0)
    x, W, V = rng.standard_normal((2, 1, 6, 6)), rng.standard_normal((2, 1, 3, 3)), rng.standard_normal((2, 2, 2, 2))

    def network(x, W, V):
        return tn.avg_pool2d(tn.tanh(tn.conv_transpose2d(tn.max_pool2d(tn.tanh(tn.conv2d(x, W, padding=1)), 2), V)), 2)
    tn.check_gradients(network, x, W, V, order=2)


def test_float32_stays_float32():
    for kind, args, how in LAYERS.values():
        layer = getattr(nn, kind)(*args, **how).astype(np.float32)
        x = tn.Tensor(np.ones((1, 2, 9, 8), np.float32), requires_grad=True)
        y = layer(x)
        y.sum().backward()
        assert {y.dtype, x.grad.dtype, *(p.grad.dtype for p in layer.parameters())} == {np.dtype(np.float32)}


def test_of_equal_numbers_the_first_gets_the_gradient_and_nan_is_not_hidden():
    x = tn.Tensor(np.zeros((1, 1, 2, 2)), requires_grad=True)
    tn.max_pool2d(x, 2).sum().backward()
    np.testing.assert_array_equal(x.grad[0, 0], [[1, 0], [0, 0]])
    for place in np.ndindex(2, 2):
        x = np.zeros((1, 1, 2, 2))
        x[0, 0][place] = np.nan
        for backend in ("numpy", "numba"):
            with tn.kernels.use(backend):
                assert np.isnan(tn.max_pool2d(x, 2)).all()


IMAGE = np.zeros((2, 3, 8, 9))
BAD = [
    (lambda: nn.Conv2d(3, 4, 12)(IMAGE), r"the window is 12 high, the image 8"),
    (lambda: nn.Conv2d(3, 4, (3, 12), padding=1)(IMAGE), r"the window is 12 wide, the image 9, or 11 with its padding of 1"),
    (lambda: nn.Conv2d(1, 4, 3)(IMAGE), r"\(2, 3, 8, 9\).*same number of channels"),
    (lambda: tn.conv2d(IMAGE, np.zeros((4, 3, 0, 3))), r"conv2d: .*\(4, 3, 0, 3\).* a window of at least 1 × 1"),
    (lambda: tn.conv_transpose2d(IMAGE, np.zeros((3, 4, 3, 0))), "conv_transpose2d: .* a window of at least 1 × 1"),
    (lambda: nn.Conv2d(3, 4, 3)(IMAGE.transpose(0, 2, 3, 1)), r"channels seem to come last: x.transpose\(0, 3, 1, 2\)"),
    (lambda: nn.ConvTranspose2d(3, 4, 3)(IMAGE.transpose(0, 2, 3, 1)), r"channels seem to come last"),
    (lambda: nn.Conv2d(3, 4, 3)(IMAGE[0]), r"x\[None\] makes a batch of one"),
    (lambda: nn.Conv2d(3, 4, 3)(np.zeros((5, 784))), r"x has shape \(5, 784\); expected \(N, C, H, W\)"),
    (lambda: nn.Conv2d(3, 0, 3), "c_out is 0"),
    (lambda: nn.Conv2d(3, 4, 0), "kernel_size is 0"),
    (lambda: nn.Conv2d(3, 4, (3, 3, 3)), r"kernel_size is \(3, 3, 3\)"),
    (lambda: nn.Conv2d(3, 4, 3, stride=0), "stride is 0"),
    (lambda: tn.conv2d(IMAGE, np.zeros((4, 3, 3, 3)), stride=True), "conv2d: stride is True; expected an int >= 1"),
    (lambda: nn.Conv2d(3, 4, 3, padding=-1), "padding is -1"),
    (lambda: nn.Conv2d(3, 4, 3, padding="valid"), "padding is 'valid'"),
    (lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"), '"same" needs stride 1'),
    (lambda: tn.conv2d(IMAGE, np.zeros((4, 3, 3, 3)), np.zeros(3)), r"b has shape \(3,\); expected \(4,\)"),
    (lambda: nn.ConvTranspose2d(3, 4, 3, output_padding=1)(IMAGE), "output_padding is .*it must be less"),
    (lambda: nn.ConvTranspose2d(3, 4, 1, padding=5)(IMAGE), "use less padding"),
    (lambda: nn.MaxPool2d(10)(IMAGE), "larger than the image"),
    (lambda: nn.AvgPool2d(2, padding=2)(IMAGE), "at most half"),
    (lambda: nn.MaxPool2d(2)(IMAGE[0, 0]), r"expected \(N, C, H, W\)"),
]


@pytest.mark.parametrize("call, message", BAD)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


OPS = {                                                         # name: a call with images x and weights W (3, 3, 3, 3)
    "conv2d": lambda x, W, b=None: tn.conv2d(x, W, b, padding=1),
    "conv_transpose2d": lambda x, W, b=None: tn.conv_transpose2d(x, W, b),
    "max_pool2d": lambda x, *_: tn.max_pool2d(x, 2, padding=1),
    "avg_pool2d": lambda x, *_: tn.avg_pool2d(x, 2, padding=1),
}
WEIGHTS = np.ones((3, 3, 3, 3))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", OPS)
def test_an_image_without_pixels_is_refused_and_a_batch_without_images_is_not(name, backend):
    with tn.kernels.use(backend):
        for shape in ((1, 3, 0, 4), (1, 3, 4, 0), (0, 3, 0, 0)):
            with pytest.raises(ValueError, match=rf"{name}: x has shape \(., 3, ., .\); .* with sides of at least 1"):
                OPS[name](np.ones(shape), WEIGHTS)
        x = tn.Tensor(np.ones((0, 3, 4, 4)), requires_grad=True)
        y = OPS[name](x, WEIGHTS)
        y.sum().backward()
    assert y.shape == (0, *OPS[name](np.ones((1, 3, 4, 4)), WEIGHTS).shape[1:]) and x.grad.shape == x.shape


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", OPS)
def test_dtypes(name, backend):
    """float32, float64 and complex numbers are taken, lists too; all else is refused, with a fix."""
    x, b = np.random.default_rng(0).standard_normal((1, 3, 4, 4)), np.ones(3)
    f = OPS[name]
    with tn.kernels.use(backend):
        y = f(x, WEIGHTS, b)
        np.testing.assert_allclose(f(x + 1e-30j, WEIGHTS, b).real, y, rtol=1e-12)
        assert f(x.astype(np.float32), WEIGHTS.astype(np.float32), b.astype(np.float32)).dtype == np.float32
        np.testing.assert_array_equal(f(x.tolist(), WEIGHTS.tolist(), b.tolist()), y)
        for dtype in (int, bool, np.uint8, np.float16, ">f8"):
            wrong = x.astype(dtype)
            with pytest.raises(TypeError, match=rf"{name}: x has dtype {wrong.dtype}.*expected .*float64.*\.astype"):
                f(wrong, WEIGHTS.astype(dtype), b.astype(dtype))
        if "conv" in name:
            for mixed in ((x, WEIGHTS.astype(np.float32)), (x, WEIGHTS.astype(int)), (x, WEIGHTS, b.astype(np.float32))):
                with pytest.raises(TypeError, match=rf"{name}: x has dtype float64, W has dtype .*\.astype"):
                    f(*map(tn.Tensor, mixed))


def test_the_mean_of_integers_is_not_0():
    with pytest.raises(TypeError, match=r"avg_pool2d: x has dtype int64; .*\.astype\(np.float64\)"):
        tn.avg_pool2d(np.arange(16).reshape(1, 1, 4, 4), 2)


def test_sizes_may_be_small_numpy_ints():
    x, W = np.ones((1, 1, 300, 4)), np.ones((1, 1, 3, 3))
    np.testing.assert_array_equal(tn.conv2d(x, W, padding=np.uint8(1)), tn.conv2d(x, W, padding=1))
    assert tn.conv_transpose2d(x[:, :, :200], W, stride=np.uint8(2)).shape == (1, 1, 401, 9)
