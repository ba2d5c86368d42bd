"""Layers: shapes, derivatives by central differences, dtype, modes, bad inputs. Values: test_nn_torch.py."""
import numpy as np
import pytest
from differences import differences
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynn as tn
from tinynn import nn

RNG = np.random.default_rng(0)
size = st.integers(1, 5)
few = settings(max_examples=25, deadline=None)

# name -> (layer, shape of one input)
CASES = {
    "linear": (lambda: nn.Linear(3, 2), (4, 3)), "linear 3-d": (lambda: nn.Linear(3, 2), (2, 2, 3)),
    "one input": (lambda: nn.Linear(1, 3), (4, 1)),
    "flatten": (nn.Flatten, (2, 3, 2)), "dropout off": (lambda: nn.Dropout().eval(), (4, 3)),
    "batch norm": (lambda: nn.BatchNorm1d(3), (4, 3)), "batch norm 3-d": (lambda: nn.BatchNorm1d(2), (3, 2, 2)),
    "batch norm off": (lambda: nn.BatchNorm1d(3).eval(), (4, 3)),
    "batch norm of images": (lambda: nn.BatchNorm2d(2), (3, 2, 2, 1)),
    "layer norm": (lambda: nn.LayerNorm(4), (3, 4)), "layer norm 2-d": (lambda: nn.LayerNorm((2, 3)), (2, 2, 3)),
    "local response norm": (lambda: nn.LocalResponseNorm(3, alpha=0.5), (2, 4, 2)),
    "block": (lambda: nn.TransformerBlock(2, 2, 1), (1, 2, 2)),
    "patches": (lambda: nn.PatchEmbedding(4, 2, 1, 3), (2, 1, 4, 4)),
    "tanh": (nn.Tanh, (3, 2)), "relu": (nn.ReLU, (3, 2)), "leaky relu": (nn.LeakyReLU, (3, 2)),
    "sigmoid": (nn.Sigmoid, (3, 2)), "gelu": (nn.GELU, (3, 2)), "softmax": (nn.Softmax, (3, 4)),
    "mlp": (lambda: nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.LayerNorm(3), nn.Linear(3, 1)),
            (5, 2)),
}


def case(name):
    """A layer with shaken parameters, an input that requires gradients, and a loss with curvature."""
    rng = np.random.default_rng(1)
    layer, x = CASES[name][0](), tn.Tensor(rng.normal(size=CASES[name][1]), requires_grad=True)
    for p in layer.parameters():
        p.data = p.data + rng.normal(size=p.shape)
    weights = rng.normal(size=layer(x).shape)
    return [x, *layer.parameters()], lambda: tn.sum(weights * layer(x) * layer(x))


def flat(arrays):
    return np.concatenate([np.ravel(a) for a in arrays])


@pytest.mark.parametrize("name", CASES)
def test_gradient(name):
    leaves, loss = case(name)
    numeric = differences(lambda: loss().data, leaves)[0]
    np.testing.assert_allclose(flat(tn.grad(loss(), leaves)), numeric, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ["linear", "batch norm", "batch norm 3-d", "batch norm off", "batch norm of images",
                                  "layer norm", "layer norm 2-d", "local response norm", "block", "gelu", "softmax",
                                  "mlp"])
def test_hessian_times_a_vector(name):
    """Of any direction v: what is wrong anywhere in the Hessian shows in a random one."""
    leaves, loss = case(name)
    start, sizes = [p.data.copy() for p in leaves], np.cumsum([p.size for p in leaves])

    def gradient_at(shift):
        for p, data, part in zip(leaves, start, np.split(shift, sizes[:-1])):
            p.data = data + part.reshape(data.shape)
        return flat(tn.grad(loss(), leaves))
    for v in np.random.default_rng(2).normal(size=(3, sizes[-1])):
        numeric = (gradient_at(1e-5 * v) - gradient_at(-1e-5 * v)) / 2e-5
        gradient_at(0 * v)
        np.testing.assert_allclose(tn.hvp(loss, leaves, v), numeric, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_float32_stays_float32(name):
    layer, shape = CASES[name][0]().astype(np.float32), CASES[name][1]
    x = tn.Tensor(RNG.normal(size=shape).astype(np.float32), requires_grad=True)
    y = layer(x)
    assert y.dtype == np.float32
    loss = tn.sum(y * y)
    assert loss.dtype == np.float32
    gradients = tn.grad(loss, [x, *layer.parameters()], create_graph=True)
    assert all(g.dtype == np.float32 for g in gradients)
    state = layer.state_dict()
    assert all(value.dtype == np.float32 for name, value in state.items() if "num" not in name)


@pytest.mark.parametrize("name", CASES)
def test_arrays_and_tensors_alike(name):
    layer, x = CASES[name][0](), RNG.normal(size=CASES[name][1])
    before = x.copy()
    a, b = layer(x), layer(tn.Tensor(x))
    assert isinstance(a, tn.Tensor) and np.array_equal(a.data, b.data)
    assert np.array_equal(x, before)


@few
@given(st.lists(size, max_size=2), size, size, st.booleans())
def test_linear_shapes(lead, n_in, n_out, bias):
    layer = nn.Linear(n_in, n_out, bias=bias, rng=0)
    x = np.ones((*lead, n_in))
    y = layer(x)
    assert y.shape == (*lead, n_out) and layer.weight.shape == (n_out, n_in)
    assert (layer.bias is None) != bias
    expected = x @ layer.weight.data.T + (layer.bias.data if bias else 0)
    np.testing.assert_allclose(y.data, expected, atol=1e-12)


@few
@given(st.integers(0, 4), st.lists(size, max_size=3))
def test_flatten_shapes(n, rest):
    assert nn.Flatten()(np.ones((n, *rest))).shape == (n, int(np.prod(rest)))


def test_flatten_refuses_a_number():
    with pytest.raises(ValueError, match=r"Flatten: x has shape \(\); expected \(N, ...\)"):
        nn.Flatten()(np.array(1.0))


@few
@given(st.sampled_from([0.0, 0.1, 0.5, 0.9]), st.sampled_from([np.float32, np.float64]))
def test_dropout(p, dtype):
    layer, x = nn.Dropout(p, rng=0), np.ones((100, 50), dtype)
    y = layer(x)
    assert y.dtype == dtype
    assert set(np.unique(y.data)) <= {dtype(0), dtype(1 / (1 - p))}
    assert abs((y.data == 0).mean() - p) < 0.05
    assert (layer(x).data != y.data).any() == (p > 0)               # another mask at each call
    assert (layer.eval()(x).data == 1).all()


def test_dropout_gradient_uses_the_mask_of_the_value():
    x = tn.Tensor(np.ones((20, 5)), requires_grad=True)
    y = nn.Dropout(0.3)(x)
    y.sum().backward()
    assert np.array_equal(x.grad, y.data)


def test_randomness_comes_from_the_seed():
    def run(**settings):
        return flat([nn.Linear(3, 2, **settings).weight.data, nn.Dropout(0.5, **settings)(np.ones(50)).data])

    def seeded(n):
        tn.seed(n)
        return run()

    assert np.array_equal(seeded(1), seeded(1)) and not np.array_equal(seeded(1), seeded(2))
    assert np.array_equal(run(rng=3), run(rng=3))
    assert np.array_equal(run(rng=3), run(rng=3))
    state = np.random.default_rng(5)
    assert np.array_equal(run(rng=state), run(rng=np.random.default_rng(5)))


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, float("nan")])
def test_dropout_refuses(p):
    with pytest.raises(ValueError, match="Dropout: p is"):
        nn.Dropout(p)


def test_linear_start_and_dtype():
    layer = nn.Linear(16, 1000)
    assert np.abs(layer.weight.data).max() <= 0.25 and np.abs(layer.bias.data).max() <= 0.25
    assert abs(layer.weight.data.std() - 0.25 / np.sqrt(3)) < 0.01
    with tn.default_dtype(np.float32):
        layers = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.LayerNorm(3))
    assert {value.dtype.name for value in layers.state_dict().values()} == {"float32", "int64"}


def test_linear_refuses():
    with pytest.raises(ValueError, match="Linear: n_in is 0; expected an int >= 1"):
        nn.Linear(0, 3)
    with pytest.raises(ValueError, match="Linear: n_in is 392.0; expected an int"):
        nn.Linear(784 / 2, 3)
    with pytest.raises(ValueError, match="number of inputs"):
        nn.Linear(3, 5)(np.ones((4, 7)))


def test_sequential():
    a, b, c = nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)
    model = nn.Sequential(a, b, c)
    assert len(model) == 3 and list(model) == [a, b, c] and model[-1] is c
    assert isinstance(model[:2], nn.Sequential) and list(model[:2]) == [a, b]
    x = RNG.normal(size=(4, 2))
    assert np.array_equal(model(x).data, c(b(a(x))).data)
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]

    class Scaled(nn.Sequential):
        """A Sequential with a parameter of its own."""
        def __init__(self, *layers):
            super().__init__(*layers)
            self.scale = nn.Parameter(np.ones(1))

    assert sorted(Scaled(a).state_dict()) == ["0.bias", "0.weight", "scale"]
    with pytest.raises(TypeError, match="layer 1 is a function"):
        nn.Sequential(a, lambda x: x)
    with pytest.raises(TypeError, match="layer 0 is a list"):
        nn.Sequential([a, b])
