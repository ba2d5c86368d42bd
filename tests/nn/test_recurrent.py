"""RNN, GRU, LSTM: PyTorch's values and gradients, the textbook's loop, second derivatives, states, bad input."""
from pathlib import Path

import numpy as np
import pytest

import tinynn as tn
from tinynn import nn, optim
from tinynn.kernels.recurrent import tanh
from tinynn.ops import recurrent as ops

RECORD = dict(np.load(Path(__file__).parents[1] / "recorded" / "torch_recurrent.npz"))
CASES = sorted({key.split("/")[0] for key in RECORD})
KINDS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
OPS = {"rnn": (1, 1), "gru": (3, 1), "lstm": (4, 2)}                    # gates, states


def arrays(name, N=3, T=4, D=2, H=3, seed=0, dtype=float):
    """Arguments of the op `name`."""
    gates, states = OPS[name]
    shapes = [(N, T, D), *[(N, H)] * states, (gates * H, D), (gates * H, H), (gates * H,), (gates * H,)]
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("case", CASES)
def test_equals_pytorch(case, backend):
    name, layers, ways = case.split("-")
    of = {key.removeprefix(case + "/"): value for key, value in RECORD.items() if key.startswith(case + "/")}
    model = KINDS[name](3, 5, int(layers), ways == "2")
    model.load_state_dict({key[6:]: value for key, value in of.items() if key.startswith("state/")})
    count = model.n_states
    x, *start = (tn.Tensor(of[key], requires_grad=True) for key in ("x", *(f"s{i}" for i in range(count))))
    with tn.kernels.use(backend):
        y, end = model(x, tuple(start) if count > 1 else start[0])
        end = end if count > 1 else (end,)
        ((y * of["g"]).sum() + sum((e * of[f"g{i}"]).sum() for i, e in enumerate(end))).backward()
    found = {"y": y.data, "dx": x.grad}
    for i in range(count):
        found |= {f"end{i}": end[i].data, f"ds{i}": start[i].grad}
    found |= {f"grad/{key}": p.grad for key, p in model.named_parameters()}
    for key, value in found.items():
        np.testing.assert_allclose(value, of[key], rtol=1e-10, atol=1e-10, err_msg=key)


@pytest.mark.parametrize("name", OPS)
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (3, 1, 2, 4), (1, 7, 3, 1), (40, 5, 2, 3)])
def test_kernels_equal_the_textbook_s_loop(name, sizes):
    given = arrays(name, *sizes)
    op, steps = getattr(ops, name), getattr(ops, name + "_steps")
    results = []
    for function in (op, steps):
        xs = [tn.Tensor(a, requires_grad=True) for a in given]
        y = function(*xs)
        y.backward(np.random.default_rng(1).standard_normal(y.shape))
        results.append([y.data, *(x.grad for x in xs)])
    for fused, loop in zip(*results):
        np.testing.assert_allclose(fused, loop, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OPS)
def test_first_and_second_derivatives_pass_the_checker(name):
    tn.check_gradients(getattr(ops, name), *arrays(name, N=2, T=3, D=1, H=2), order=2)


@pytest.mark.parametrize("name", OPS)
def test_second_derivatives_where_an_argument_comes_from_another(name):
    """Shared weights: W enters the sequence, too, and each way must count once."""
    x, *states_and_weights, b_ih, b_hh = arrays(name, D=3, seed=2)
    tn.check_gradients(lambda x, W, *rest: getattr(ops, name)(tn.matmul(x, W[:3]), *rest[:-3], rest[-3], W, *rest[-2:]),
                       x, states_and_weights[-1], *states_and_weights[:-2], states_and_weights[-2], b_ih, b_hh, order=2)


@pytest.mark.parametrize("name", OPS)
def test_float32_stays_float32(name):
    xs = [tn.Tensor(a, requires_grad=True) for a in arrays(name, dtype=np.float32)]
    y = getattr(ops, name)(*xs)
    y.sum().backward()
    assert {a.dtype for a in (y, *(x.grad for x in xs))} == {np.dtype(np.float32)}


@pytest.mark.parametrize("dtype, bound", [(np.float32, 4e-7), (np.float64, 1e-15)])
def test_the_error_of_the_kernels_tanh(dtype, bound):
    x = np.concatenate([np.linspace(-12, 12, 20001), [0, 1e-30, -1e30, 1e30, np.inf, -np.inf]]).astype(dtype)
    y = x.copy()
    getattr(tanh, "py_func", tanh)(y)
    exact = np.tanh(x.astype(float))
    assert np.abs(y - exact).max() <= bound and np.abs(y / np.where(exact, exact, 1) - 1)[exact != 0].max() <= 2 * bound
    assert (y[20000:] == np.tanh(x[20000:])).all()


@pytest.mark.parametrize("name", OPS)
def test_nan_is_not_lost(name):
    for dtype in (np.float32, np.float64):
        given = arrays(name, dtype=dtype)
        given[0][0, 1, 0] = np.nan
        y = getattr(ops, name)(*given)
        assert np.isnan(y[0, 1:]).all() and np.isfinite(y[1:]).all() and np.isfinite(y[0, 0]).all()


@pytest.mark.parametrize("make", KINDS.values())
def test_a_sequence_in_two_pieces_is_the_sequence(make):
    model, x = make(2, 3, 2, rng=0), np.random.default_rng(0).standard_normal((4, 7, 2))
    whole, end = model(x)
    first, state = model(x[:, :3])
    second, end_again = model(x[:, 3:], state)
    np.testing.assert_allclose(np.concatenate([first.data, second.data], axis=1), whole.data, rtol=1e-12)
    for a, b in zip(end if model.n_states > 1 else [end], end_again if model.n_states > 1 else [end_again]):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12)


def test_detached_states_cut_gradients_off():
    model, x = nn.LSTM(2, 3, rng=0), np.random.default_rng(0).standard_normal((1, 6, 2))
    early = tn.Tensor(x[:, :3], requires_grad=True)
    _, state = model(early)
    output, _ = model(x[:, 3:], tuple(s.detach() for s in state))
    output.sum().backward()
    assert early.grad is None
    _, state = model(early)
    model(x[:, 3:], state)[0].sum().backward()
    assert np.abs(early.grad).max() > 0


@pytest.mark.parametrize("make", KINDS.values())
def test_remembers_what_came_first(make):
    """The sign of the first of 8 numbers, the rest noise: nothing but memory can tell."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 8, 1))
    y = np.sign(x[:, 0])
    layer, head, loss = make(1, 8, rng=1), nn.Linear(8, 1, rng=2), nn.MSELoss()
    optimizer = optim.Adam(layer.parameters() + head.parameters(), lr=0.02)
    for _ in range(300):
        final = optimizer.step(lambda: loss(head(layer(x)[0][:, -1]), y))
    assert final < 0.25


def test_initial_values_are_pytorch_s():
    model = nn.GRU(3, 16, rng=0)
    values = np.concatenate([p.data.ravel() for p in model.parameters()])
    assert np.abs(values).max() <= 0.25 and values.std() == pytest.approx(0.25 / 3 ** 0.5, rel=0.05)
    assert [p.shape for p in model.parameters()] == [(48, 3), (48, 16), (48,), (48,)]
    assert repr(nn.LSTM(1, 2, 2, True)) == "LSTM(1, 2, num_layers=2, bidirectional=True)"


@pytest.mark.parametrize("call, error, message", [
    (lambda: nn.LSTM(0, 3), ValueError, "LSTM: n_in is 0"),
    (lambda: nn.RNN(2, 3)(np.zeros((5, 2))), ValueError, r"RNN: x has shape \(5, 2\); expected \(N, T, 2\)"),
    (lambda: nn.RNN(2, 3)(np.zeros((1, 5, 3))), ValueError, r"x has shape \(1, 5, 3\)"),
    (lambda: nn.RNN(2, 3)(np.zeros((1, 0, 2))), ValueError, "at least one step"),
    (lambda: nn.GRU(2, 3)(np.zeros((1, 5, 2)), np.zeros((1, 3))), ValueError, r"a state has shape \(1, 3\); expected \(1, 1"),
    (lambda: nn.LSTM(2, 3)(np.zeros((1, 5, 2)), np.zeros((1, 1, 3))), TypeError, r"expected the pair \(h, c\)"),
    (lambda: nn.LSTM(2, 3)(np.zeros((1, 5, 2), int)), TypeError, "the input has dtype int64"),
])
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("make", [nn.RNN, nn.GRU])
def test_a_state_in_pieces_is_refused(make):
    model, x = make(2, 3, rng=0), np.ones((4, 5, 2))
    _, h = model(x)
    model(x, h.detach())
    with pytest.raises(TypeError, match=r"state is a tuple of Tensors; expected one, \(1, 4, 3\)"):
        model(x, tuple(s.detach() for s in h))
