"""Starting weights: the properties their papers ask for."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynn as tn
from tinynn import nn

few = settings(max_examples=25, deadline=None)


@few
@given(st.integers(1, 4), st.integers(2, 30), st.integers(2, 20), st.integers(0, 99))
def test_nguyen_widrow(n_in, first, second, seed):
    model = nn.Sequential(nn.Linear(n_in, first), nn.Tanh(), nn.Linear(first, second), nn.Tanh(), nn.Linear(second, 1))
    nn.init.nguyen_widrow(model, rng=seed)
    for layer in (model[0], model[2]):
        w, b = layer.weight.data, layer.bias.data
        length = 0.7 * len(w) ** (1 / w.shape[1])
        np.testing.assert_allclose(np.linalg.norm(w, axis=1), length)
        np.testing.assert_allclose(b * np.sign(w[:, 0]), length * np.linspace(-1, 1, len(b)))
    np.testing.assert_allclose(np.linalg.norm(model[4].weight.data), 0.7)
    assert model[4].bias.data == 0


@few
@given(st.integers(1, 3), st.integers(1, 9), st.floats(-50, 50), st.floats(0.1, 100), st.integers(0, 99))
def test_nguyen_widrow_maps_the_range_of_the_inputs(n_in, units, low, width, seed):
    """The same units as on [−1, 1], for inputs in [low, high]; the other layers do not see the range."""
    low, high = low * np.arange(1, n_in + 1), low * np.arange(1, n_in + 1) + width
    scaled, plain = (nn.Sequential(nn.Linear(n_in, units), nn.Tanh(), nn.Linear(units, 2)) for _ in range(2))
    nn.init.nguyen_widrow(scaled, low, high, rng=seed)
    nn.init.nguyen_widrow(plain, rng=seed)
    u = np.random.default_rng(0).uniform(-1, 1, (10, n_in))
    np.testing.assert_allclose(scaled(low + (u + 1) / 2 * (high - low)).data, plain(u).data, atol=1e-8)
    assert np.array_equal(scaled[2].weight.data, plain[2].weight.data)


def test_nguyen_widrow_spreads_the_units_over_the_range():
    layer = nn.Linear(1, 50)
    nn.init.nguyen_widrow(layer, 0, 3 * np.pi, rng=0)
    centres = np.sort(-layer.bias.data / layer.weight.data[:, 0])           # where w x + b = 0
    np.testing.assert_allclose(centres, np.linspace(0, 3 * np.pi, 50), atol=1e-12)
    assert {-1, 1} == set(np.sign(layer.weight.data[:, 0]))


def test_nguyen_widrow_refuses():
    with pytest.raises(ValueError, match="no Linear"):
        nn.init.nguyen_widrow(nn.Tanh())
    for low, high in ((1, 1), (2, 1), (np.zeros(2), np.array([1, 0]))):
        with pytest.raises(ValueError, match="low must be below high"):
            nn.init.nguyen_widrow(nn.Linear(2, 3), low, high)
    nn.init.nguyen_widrow(nn.Linear(2, 3, bias=False))


def test_spreads():
    w = nn.Parameter(np.empty((300, 200), np.float32))
    nn.init.xavier_uniform(w, gain=2)
    bound = 2 * np.sqrt(6 / 500)
    assert w.dtype == np.float32 and 0.99 * bound < np.abs(w.data).max() <= bound * (1 + 1e-6)
    nn.init.he_normal(w)
    assert w.dtype == np.float32 and abs(w.data.std() / np.sqrt(2 / 200) - 1) < 0.02
    filters = nn.Parameter(np.empty((64, 16, 5, 5)))
    nn.init.he_normal(filters)
    assert abs(filters.data.std() / np.sqrt(2 / (16 * 25)) - 1) < 0.02
    nn.init.xavier_uniform(filters)
    assert abs(np.abs(filters.data).max() / np.sqrt(6 / (80 * 25)) - 1) < 0.01


@few
@given(st.integers(1, 6), st.lists(st.integers(1, 4), min_size=1, max_size=3), st.sampled_from([1, 2.5]))
def test_orthogonal(rows, rest, gain):
    w = nn.Parameter(np.empty((rows, *rest)))
    nn.init.orthogonal(w, gain, rng=0)
    m = w.data.reshape(rows, -1)
    gram = m @ m.T if rows <= m.shape[1] else m.T @ m
    np.testing.assert_allclose(gram, gain ** 2 * np.eye(len(gram)), atol=1e-10)


@pytest.mark.parametrize("name", ["xavier_uniform", "he_normal", "orthogonal"])
def test_initialisers_share_their_rules(name):
    function = getattr(nn.init, name)
    with pytest.raises(ValueError, match=rf"{name}: the tensor has shape \(3,\)"):
        function(nn.Parameter(np.ones(3)))
    a, b = nn.Parameter(np.ones((3, 2))), nn.Parameter(np.ones((3, 2)))
    array = a.data
    function(a, rng=1)
    function(b, rng=1)
    assert a.data is array and np.array_equal(a.data, b.data)               # in place, and from the seed
    tn.seed(1)
    function(a)
    tn.seed(1)
    function(b)
    assert np.array_equal(a.data, b.data)
