"""Kernels: every NumPy reference agrees with its Numba twin, and an edited kernel takes effect."""
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import tinynn as tn
from tinynn.kernels import (activations, attention, hopfield, normalization, recurrent, sampling, transport,  # noqa: F401
                            tsne, updates)
from tinynn.kernels.registry import Choice, kernel, registry


def adam(rng, dtype):
    n = rng.integers(0, 50)
    w, g, m = (rng.standard_normal(n).astype(dtype) for _ in range(3))
    beta = float(rng.choice([0, 0.9]))
    numbers = (1e-3, beta, 0.999, 1e-8, 1 - beta ** 3, 1 - 0.999 ** 3)
    return w, g, m, rng.random(n).astype(dtype), *(np.dtype(dtype).type(number) for number in numbers)


def recall_asynchronously(rng, dtype):
    n, m, sweeps = (int(rng.integers(low, high)) for low, high in ((1, 9), (0, 6), (0, 12)))
    saturating = bool(rng.integers(2))
    W = rng.standard_normal((n, n)).astype(dtype) / n
    states = rng.uniform(-1, 1, (m, n)) if saturating else rng.choice([-1, 1], (m, n))
    orders = rng.permuted(np.tile(np.arange(n), (sweeps, 1)), axis=1)
    return W + W.T, rng.standard_normal(n).astype(dtype), states.astype(dtype), orders, saturating, 1e-3


def tsne_gradient(rng, dtype):
    n, k = int(rng.integers(2, 20)), int(rng.integers(1, 4))
    P = rng.random((n, n)) * (1 - np.eye(n))
    return ((P + P.T) / (2 * P.sum())).astype(dtype), rng.standard_normal((n, k)).astype(dtype), 12.0


def sinkhorn(rng, dtype):
    """In float64, the only dtype of these loops. Some weights are 0; test_transport.py has ε so small that K underflows."""
    n, m = (int(k) for k in rng.integers(1, 12, 2))
    a, b = (rng.integers(0, 3, k) + rng.random(k).round() for k in (n, m))
    a[0], b[0] = 1, 1
    eps = float(10.0 ** rng.integers(-2, 2))
    return a / a.sum(), b / b.sum(), rng.random((n, m)), eps, 1e-6, int(rng.choice([1, 2, 30]))


def sequences(gates, *more):
    """Draws for a recurrent layer of N examples, T steps, H units: z (T, N, gates·H), h0 (N, H), and `more` shapes."""
    def draw(rng, dtype):
        T, N, H = (int(rng.integers(low, high)) for low, high in ((0, 5), (0, 70), (1, 5)))
        shapes = [(T, N, gates * H), (N, H), *(shape(N, H) for shape in more)]
        return tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes)
    return draw


rnn_forward = sequences(1, lambda N, H: (H, H))
gru_forward = sequences(3, lambda N, H: (3 * H, H), lambda N, H: 3 * H)


def lstm_forward(rng, dtype):
    N, T, D, H = (int(rng.integers(low, high)) for low, high in ((0, 70), (0, 5), (1, 4), (1, 5)))
    shapes = (N, T, D), (N, H), (N, H), (4 * H, H + D + 1)
    return tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes)


def rnn_backward(rng, dtype):
    z, h0, W = rnn_forward(rng, dtype)
    h = recurrent.rnn_forward.reference(z, h0, W)
    return h, W, rng.standard_normal(z.shape).astype(dtype)


def gru_backward(rng, dtype):
    u, h0, W, b = gru_forward(rng, dtype)
    h, v_n = recurrent.gru_forward.reference(u, h0, W, b)
    return u, h, v_n, W, rng.standard_normal((len(u), *h0.shape)).astype(dtype)


def lstm_backward(rng, dtype):
    x, h0, c0, W = lstm_forward(rng, dtype)
    y, *memory = recurrent.lstm_forward.reference(x, h0, c0, W)
    return rng.standard_normal(y.shape).astype(dtype), *memory, W


def draws(rng, dtype, *shapes):
    return tuple(rng.standard_normal(shape).astype(dtype) for shape in shapes)


def products(by_columns):
    """a b or aᵀ b in parts, b stored either way."""
    def draw(rng, dtype):
        n, k, m = (int(size) for size in rng.integers(1, 9, 3))
        a, b, bT = draws(rng, dtype, (k, n) if by_columns else (n, k), (k, m), (m, k))
        return a, b if rng.integers(2) else bT.T, int(rng.integers(1, n + 1))
    return draw


def convolution(order):
    """Draws for the kernel that takes these arrays (x, W, b, d) and then sizes and settings."""
    def draw(rng, dtype):
        N, C, O, kh, kw, sh, sw, Ho, Wo = (int(rng.integers(low, high)) for low, high in ((0, 20), *[(1, 4)] * 8))
        ph, pw = int(rng.integers(3)), int(rng.integers(3))
        H, W = max((Ho - 1) * sh + kh - 2 * ph, 1), max((Wo - 1) * sw + kw - 2 * pw, 1)
        Ho, Wo = (H + 2 * ph - kh) // sh + 1, (W + 2 * pw - kw) // sw + 1
        shapes = {"x": (N, C, H, W), "W": (O, C, kh, kw), "b": (O,), "d": (N, O, Ho, Wo)}
        sizes = {"dW": (H, W), "xd": (kh, kw)}.get(order, ())
        return *draws(rng, dtype, *(shapes[name] for name in order)), *sizes, sh, sw, ph, pw
    return draw


def winograd(order, k, s):
    """k × k windows, stride s, in float32, the only dtype of these loops; small numbers, as its rounding errors are larger."""
    def draw(rng, dtype):
        N, C, O, H, W = (int(rng.integers(low, high)) for low, high in ((0, 20), (1, 4), (1, 4), (k, k + 6), (k, k + 6)))
        ph, pw = int(rng.integers(3)), int(rng.integers(3))
        Ho, Wo = (H + 2 * ph - k) // s + 1, (W + 2 * pw - k) // s + 1
        shapes = {"x": (N, C, H, W), "W": (O, C, k, k), "b": (O,), "d": (N, O, Ho, Wo)}
        sizes = (H, W) if order == "dW" else ()
        return *(0.2 * a for a in draws(rng, np.float32, *(shapes[name] for name in order))), *sizes, ph, pw
    return draw


def maxima(rng, dtype):
    k, s, p = int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(3))
    x = rng.integers(-3, 3, (int(rng.integers(3)), 2, 5, 7)).astype(dtype)                  # with ties
    x[rng.random(x.shape) < 0.05] = np.nan
    return x, k, k, s, s, min(p, k // 2), 0


def scatter(rng, dtype):
    shape = int(rng.integers(3)), 2, 3, 2
    return *draws(rng, dtype, shape), rng.integers(0, 20, shape).astype(np.int32), 4, 5


def vectors(rng, dtype, count):
    return tuple(3 * rng.standard_normal((count, rng.integers(0, 50))).astype(dtype))


def images(rng, dtype):
    """x (N, C, L), with channels far from 0; now and then no example, no channel, or one place."""
    N, C, L = (int(rng.integers(low, high)) for low, high in ((1, 5), (0, 5), (1, 20)))
    return (rng.standard_normal((N, C, L)) + 3 * rng.standard_normal(C)[:, None]).astype(dtype)


def channels_forward(rng, dtype):
    x = images(rng, dtype)
    mean, var = normalization.moments.reference(x)
    weight, bias = rng.standard_normal((2, x.shape[1])).astype(dtype)
    return x, mean, 1 / np.sqrt(var + 0.1), weight, bias


def channels_backward(rng, dtype):
    x, mean, r, weight, _ = channels_forward(rng, dtype)
    return rng.standard_normal(x.shape).astype(dtype), x, mean, r, weight


def rows_forward(rng, dtype):
    M, D = int(rng.integers(0, 80)), int(rng.integers(1, 20))
    return (3 * rng.standard_normal((M, D)) + 5).astype(dtype), *rng.standard_normal((2, D)).astype(dtype), 0.1


def rows_backward(rng, dtype):
    x, weight, bias, eps = rows_forward(rng, dtype)
    _, mean, r = normalization.rows_forward.reference(x, weight, bias, eps)
    return rng.standard_normal(x.shape).astype(dtype), x, mean, r, weight


def fire_rows(rng, dtype):
    """In float32, the only dtype of this loop, whose draws are exactly those of the reference."""
    m, n = int(rng.integers(0, 20)), int(rng.integers(1, 40))
    x, bias = draws(rng, np.float32, (m, n), n)
    return 3 * x, np.float32(rng.choice([0, 0.3, 1, 2])), bias, rng.random((m, n), dtype=np.float32)


def attention_forward(rng, dtype):
    """Now and then no example or query; many and few keys; with and without a mask; views of one array, as of one product."""
    N, T, h, d, e = (int(rng.integers(low, high)) for low, high in ((0, 5), (0, 6), (1, 4), (1, 5), (1, 5)))
    S = T if rng.integers(2) and T else int(rng.integers(1, 40))
    q, k, v = (rng.standard_normal((N, n, h, width)).astype(dtype) for n, width in ((T, d), (S, d), (S, e)))
    if S == T:
        q, k, v = rng.standard_normal((N, T, 3, h, d)).astype(dtype).transpose(2, 0, 1, 3, 4)
    mask = np.where(rng.random((N, h, T, S)) < 0.3, -np.inf, rng.standard_normal((N, h, T, S))).astype(dtype)
    mask[..., 0] = 0
    return q, k, v, mask if rng.integers(2) else np.zeros((0, 0, 0, 0), dtype)


def attention_backward(rng, dtype):
    q, k, v, mask = attention_forward(rng, dtype)
    y, w = attention.attention_forward.reference(q, k, v, mask)
    return rng.standard_normal(y.shape).astype(dtype), q, k, v, np.ascontiguousarray(w), *(np.zeros_like(a) for a in (q, k, v))


CASES = {"tinynn.kernels.convolution.forward": convolution("xWb"), "tinynn.kernels.convolution.to_input": convolution("dW"),
         "tinynn.kernels.convolution.to_weight": convolution("xd"), "tinynn.kernels.winograd.forward": winograd("xWb", 3, 1),
         "tinynn.kernels.winograd.to_weight": winograd("xd", 3, 1),
         "tinynn.kernels.winograd_strided.forward": winograd("xWb", 4, 2),
         "tinynn.kernels.winograd_strided.to_input": winograd("dW", 4, 2),
         "tinynn.kernels.winograd_strided.to_weight": winograd("xd", 4, 2), "tinynn.kernels.pooling.maxima": maxima,
         "tinynn.kernels.pooling.scatter": scatter,
         "tinynn.kernels.products.by_rows": products(False), "tinynn.kernels.products.by_columns": products(True),
         **{f"tinynn.kernels.attention.{f.__name__}": f for f in (attention_forward, attention_backward)},
         **{f"tinynn.kernels.normalization.{f.__name__}": f for f in (channels_forward, channels_backward, rows_forward,
                                                                      rows_backward)},
         "tinynn.kernels.activations.relu_backward": lambda rng, dtype: vectors(rng, dtype, 2),
         "tinynn.kernels.activations.leaky_relu_forward": lambda rng, dtype: (*vectors(rng, dtype, 1), dtype(0.2)),
         "tinynn.kernels.activations.leaky_relu_backward": lambda rng, dtype: (*vectors(rng, dtype, 2), dtype(0.2)),
         "tinynn.kernels.activations.gelu_forward": lambda rng, dtype: vectors(rng, dtype, 1),
         "tinynn.kernels.activations.gelu_backward": lambda rng, dtype: vectors(rng, dtype, 2),
         "tinynn.kernels.normalization.moments": lambda rng, dtype: (images(rng, dtype),),
         **{f"tinynn.kernels.recurrent.{f.__name__}": f for f in (rnn_backward, gru_backward, lstm_backward)},
         "tinynn.kernels.recurrent.rnn_forward": rnn_forward, "tinynn.kernels.recurrent.gru_forward": gru_forward,
         "tinynn.kernels.recurrent.lstm_forward": lstm_forward,
         "tinynn.kernels.hopfield.recall_asynchronously": recall_asynchronously,
         "tinynn.kernels.sampling.fire_rows": fire_rows,
         "tinynn.kernels.transport.sinkhorn": sinkhorn,
         "tinynn.kernels.tsne.tsne_gradient": tsne_gradient, "tinynn.kernels.updates.adam": adam}
KERNELS = sorted(name for name in registry if name.startswith("tinynn."))


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-13), (np.float32, 5e-6)])
@pytest.mark.parametrize("name", KERNELS)
def test_twins_agree(name, dtype, tolerance):
    assert name in CASES, f"{name} has no case: add one to {__file__}"
    rng = np.random.default_rng(0)
    for _ in range(20):
        arguments = CASES[name](rng, dtype)
        if arguments[0].dtype == np.float32:
            tolerance = 5e-6
        one, other = ([np.copy(a) if isinstance(a, np.ndarray) else a for a in arguments] for _ in range(2))
        results = []
        for backend, values in (("numpy", one), ("numba", other)):
            with tn.kernels.use(backend):
                results.append(registry[name](*values))
        for a, b in zip([*returned(results[0]), *one], [*returned(results[1]), *other]):    # what is returned, what is written
            if a is not None:
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
                assert np.asarray(a).dtype == np.asarray(b).dtype


def returned(result):
    return result if isinstance(result, tuple) else (result,)


def test_use_is_a_function_and_a_context_manager():
    before = Choice.backend
    with tn.kernels.use("numpy"):
        assert Choice.backend == "numpy"
    assert Choice.backend == before
    tn.kernels.use("numpy")
    assert Choice.backend == "numpy"
    tn.kernels.use(before)
    with pytest.raises(ValueError, match='"numpy" or "numba"'):
        tn.kernels.use("cuda")


def test_complex_numbers_run_the_reference():
    @kernel
    def double(x):
        return 2 * x

    @double.numba
    def _(x):
        raise AssertionError("the loop must not see complex numbers")
    assert double(np.ones(2, complex))[0] == 2


def run(code, **environment):
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True,
                          env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_tinynn_imports_neither_numba_nor_other_slow_packages():
    slow = "numba", "scipy", "matplotlib", "hypothesis", "joblib", "pooch", "tqdm", "safetensors", "jinja2"
    assert run(f"import sys, tinynn; print([m for m in {slow} if m in sys.modules])") == "[]"


def test_everything_works_without_numba():
    code = """
        import sys
        sys.modules["numba"] = None                            # an import now raises ImportError
        import tinynn as tn
        w = tn.Tensor([1.0, -2.0], requires_grad=True)
        optimizer = tn.optim.Adam([w], lr=0.1)
        for _ in range(3):
            optimizer.step(lambda: (w * w).sum())
        print(w.data.tolist())
    """
    assert run(code) == run(code, TINYNN_KERNELS="numpy")


def test_beside_a_kernel_with_threads_blas_keeps_to_one():
    """Their threads would wait busily for each other's cores."""
    code = """
        import numpy as np, scipy.linalg, tinynn as tn
        from threadpoolctl import threadpool_info
        tn.max_pool2d(np.ones((1, 1, 2, 2)), 2)
        print({pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})
    """
    assert run(code, OPENBLAS_NUM_THREADS="2") == "{1}"


def test_blas_keeps_to_one_thread_also_if_the_kernel_comes_where_it_has_one_for_a_while():
    code = """
        import numpy as np, scipy.linalg, tinynn as tn
        from threadpoolctl import threadpool_info
        from tinynn.kernels.threads import one_blas_thread
        with one_blas_thread():
            tn.max_pool2d(np.ones((1, 1, 2, 2)), 2)
        with one_blas_thread():
            inside = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
        print(inside | {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})
    """
    assert run(code, OPENBLAS_NUM_THREADS="2") == "{1}"


def test_the_environment_chooses():
    assert run("import tinynn.kernels.registry as r; print(r.Choice.backend)", TINYNN_KERNELS="numpy") == "numpy"


def test_an_edited_kernel_takes_effect_and_an_unedited_one_comes_from_the_cache(tmp_path):
    source = tmp_path / "my_kernels.py"
    text = textwrap.dedent("""
        from tinynn.kernels.registry import kernel

        @kernel
        def scaled(x):
            return FACTOR * x

        @scaled.numba
        def _(x):
            return FACTOR * x
    """)
    code = f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        import my_kernels
        print(my_kernels.scaled(10.0), sum(my_kernels.scaled.compiled.stats.cache_hits.values()))
    """
    source.write_text(text.replace("FACTOR", "2"))
    assert run(code) == "20.0 0"
    assert run(code) == "20.0 1"
    source.write_text(text.replace("FACTOR", "3"))
    assert run(code) == "30.0 0"
