"""Random programs: whatever is built from ops, with every value free to be used again, has the right gradient."""
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import tinynn as tn
from tinynn import testing
from tinynn.autograd.check import check_gradients

UNARY = [tn.tanh, tn.sin, tn.sigmoid, tn.erf, tn.softmax, tn.gelu, lambda v: 0.3 * v * v, lambda v: tn.sum(v, 0),
         lambda v: tn.logsumexp(v, -1, True), lambda v: tn.mean(v, 0, True), lambda v: v[..., ::-1],
         lambda v: v[..., [0, 2, 0]], lambda v: tn.log1p(tn.exp(tn.sin(v))), lambda v: tn.var(v, -1, True) + v]
BINARY = [tn.add, tn.subtract, lambda a, b: tn.tanh(a * b), lambda a, b: a / (2 + tn.sin(b)),
          lambda a, b: tn.softplus(a) ** tn.sigmoid(b), lambda a, b: tn.sum(a * b, -1, True) * tn.cos(a)]
KINKED = [tn.maximum, tn.minimum, lambda a, b: tn.where(a.data > b.data, tn.sin(a), b),
          lambda a, b: tn.abs(a) - tn.relu(b)]


@st.composite
def programs(draw, binary):
    """Steps (op, i, j): apply op to the values i and j, counted from the newest, and keep the result."""
    place = st.integers(0, 5)
    step = st.one_of(st.tuples(st.sampled_from(UNARY), place), st.tuples(st.sampled_from(binary), place, place))
    return draw(st.lists(step, min_size=1, max_size=8))


def run(program, *inputs):
    values = list(inputs)
    for f, *places in program:
        y = f(*(values[-1 - i % len(values)] for i in places))
        values.append(y if y.ndim else tn.broadcast_to(y, (3,)))
    return values[-1]


X, Y = testing.arrays((3,)), testing.arrays((2, 3))


@settings(max_examples=60)
@given(programs(BINARY), X, Y)
def test_smooth_programs(program, x, y):
    report = check_gradients(lambda x, y: run(program, x, y), x, y, order=2)
    assert report.method == "complex-step" and not report.skipped


@settings(max_examples=30)
@given(programs(BINARY + KINKED), X, Y)
def test_programs_with_kinks(program, x, y):
    check_gradients(lambda x, y: run(program, x, y), x, y)


@settings(max_examples=30)
@given(programs(BINARY), X, Y)
def test_backward_leaves_what_grad_returns(program, x, y):
    leaves = [tn.Tensor(x, requires_grad=True), tn.Tensor(y, requires_grad=True)]
    loss = tn.sum(run(program, *leaves))
    if not loss.requires_grad:
        return
    expected = tn.grad(loss, leaves, retain_graph=True)
    loss.backward()
    for t, g in zip(leaves, expected):
        np.testing.assert_array_equal(np.zeros(t.shape) if t.grad is None else t.grad, g)
