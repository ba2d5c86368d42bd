"""The reverse sweep: order, accumulation, memory, and what it refuses."""
import gc
import subprocess
import sys
import textwrap
import weakref

import numpy as np
import pytest

import tinynn as tn


def leaf(*values):
    return tn.Tensor(np.array(values), requires_grad=True)


def test_a_chain_of_100_000_nodes():
    x = tn.Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1e-5
    y.backward()
    assert x.grad == 1.0
    assert y.item() == pytest.approx(2.0)
    del y                                                   # must not recurse either


def test_deleting_a_deep_graph_that_was_never_swept():
    y = tn.Tensor(1.0, requires_grad=True)
    for _ in range(100_000):
        y = tn.sin(y)
    del y


def test_a_node_used_twice_waits_for_both():
    a = leaf(3.0)
    b = a + a
    c = b + b
    c.backward()
    assert a.grad.item() == 4.0


def test_reuse_at_every_level_takes_one_visit_each():
    x = tn.Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(60):                                     # 2⁶⁰ paths, 60 nodes
        y = y + y
    y.backward()
    assert x.grad == 2.0 ** 60


def test_uses_at_different_depths():
    x = leaf(0.5)
    y = x * tn.sin(x) + tn.exp(x * x)
    y.backward()
    assert x.grad.item() == pytest.approx(np.sin(0.5) + 0.5 * np.cos(0.5) + np.exp(0.25), rel=1e-15)


def test_backward_twice_adds_twice():
    x = leaf(1.0, 2.0)
    loss = tn.sum(x * x)
    loss.backward(retain_graph=True)
    once = x.grad.copy()
    loss.backward()
    np.testing.assert_array_equal(x.grad, 2 * once)
    tn.sum(x * x).backward()                                # a new graph adds, too
    np.testing.assert_array_equal(x.grad, 3 * once)


def test_freed_graph():
    x = leaf(1.0)
    y = tn.exp(x)
    y.backward()
    with pytest.raises(RuntimeError, match="below exp was freed.*retain_graph=True"):
        y.backward()


def test_gradients_are_own_arrays():
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    seed = np.ones(2)
    (a + b).backward(seed)
    assert not np.shares_memory(a.grad, b.grad) and not np.shares_memory(a.grad, seed)
    a.grad[0] = 7
    assert b.grad[0] == 1 and seed[0] == 1


def test_a_leaf_owns_its_values():
    values = np.array([1.0, 2.0])
    x = tn.Tensor(values, requires_grad=True)
    values[0] = 9
    assert x.data[0] == 1
    constant = np.array([1.0])
    assert tn.Tensor(constant).data is constant


def test_no_reference_cycles():
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        y = tn.tanh(x * x)
        loss = tn.sum(tn.softmax(y) * y)
        loss.backward()
        first, = tn.grad(tn.sum(tn.exp(x)), [x], create_graph=True)
        watched = [weakref.ref(t) for t in (x, y, loss, first)]
        del x, y, loss, first
        assert [w() for w in watched] == [None] * 4         # all gone, without the collector
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_only_what_a_vjp_names_is_kept():
    x = leaf(1.0, 2.0)
    assert len(tn.exp(x)._node.kept) == 1                   # y
    assert (x + x)._node.kept == ()


def test_no_grad():
    x = leaf(1.0)
    with tn.no_grad():
        assert not tn.exp(x).requires_grad
    assert tn.exp(x).requires_grad

    @tn.no_grad()
    def f(x):
        return x * 2
    assert not f(x).requires_grad
    with pytest.raises(ZeroDivisionError), tn.no_grad():
        1 / 0
    assert tn.exp(x).requires_grad                          # also restored after an exception


def test_a_gradient_by_a_result_leaves_what_made_it_for_others():
    x = leaf(0.5, 2.0)
    h = tn.exp(x)
    by_h, = tn.grad((h * h).sum(), [h])
    again, = tn.grad((3 * h).sum(), [h])
    h.backward(by_h)                                        # the chain rule in two stages
    np.testing.assert_allclose(by_h, 2 * h.data)
    np.testing.assert_array_equal(again, [3, 3])
    np.testing.assert_allclose(x.grad, 2 * np.exp(2 * x.data))


def test_detach():
    x = leaf(3.0)
    (x * x.detach()).backward()
    assert x.grad.item() == 3.0
    assert x.detach().data is x.data


def test_constants_get_no_gradient():
    x, c = leaf(1.0), tn.Tensor([2.0])
    (x * c).backward()
    assert c.grad is None and x.grad.item() == 2.0


def test_changed_leaf():
    w = leaf(1.0, 2.0)
    loss = tn.sum(w * w)
    w.data = [5.0, 6.0]
    with pytest.raises(RuntimeError, match="leaf that multiply used has changed"):
        loss.backward()
    w.data -= 1                                             # writes in place, and is noticed as well
    loss = tn.sum(w * w)
    w.data -= 1
    with pytest.raises(RuntimeError, match="has changed"):
        loss.backward()
    tn.sum(w * w).backward()
    np.testing.assert_array_equal(w.grad, 2 * w.data)


def test_assigning_data_copies_in():
    w = leaf(1.0, 2.0)
    buffer = w.data
    w.data = np.array([3.0, 4.0])
    assert w.data is buffer and buffer[0] == 3.0
    with pytest.raises(ValueError, match=r"shape \(3,\), the Tensor has \(2,\)"):
        w.data = np.zeros(3)
    with pytest.raises(TypeError, match="result of an op"):
        (w + 1).data = np.zeros(2)


def test_default_dtype():
    assert tn.Tensor(1.5).dtype == np.float64
    with tn.default_dtype(np.float32):
        assert tn.Tensor(1.5).dtype == np.float32 and tn.Tensor([1.0, 2.0]).dtype == np.float32
        assert tn.Tensor(np.array([1.5])).dtype == np.float64          # an array keeps its own
    assert tn.Tensor(1.5).dtype == np.float64
    tn.default_dtype(np.float32)
    assert tn.default_dtype() == np.float32
    tn.default_dtype(np.float64)
    with pytest.raises(TypeError, match="expected float32 or float64"):
        tn.default_dtype(np.int64)


def test_float32_stays_float32():
    x = tn.Tensor(np.array([0.5, 2.0], np.float32), requires_grad=True)
    y = tn.mean(2 * x ** 2 + x / 3 - 1.5)
    y.backward()
    assert y.dtype == x.grad.dtype == np.float32


def test_mixed_dtypes_get_their_own_gradients():
    a = tn.Tensor(np.ones(2, np.float32), requires_grad=True)
    b = tn.Tensor(np.ones(2), requires_grad=True)
    tn.sum(a * b).backward()
    assert a.grad.dtype == np.float32 and b.grad.dtype == np.float64


def test_detect_anomaly_names_the_op():
    x = leaf(0.0, 1.0)
    with np.errstate(all="ignore"), tn.detect_anomaly():
        with pytest.raises(FloatingPointError, match=r"log made a value.*x of shape \(2,\)"):
            tn.log(x)
        y = tn.sum(tn.sqrt(x))                              # finite, but its gradient at 0 is not
        with pytest.raises(FloatingPointError, match="vjp of sqrt made a gradient"):
            y.backward()
    with np.errstate(all="ignore"):
        tn.log(x)                                           # outside, infinity is a number like any other


def test_astype():
    x = leaf(1.0, 2.0)
    y = x.astype(np.float32)
    tn.sum(y * y).backward()
    assert y.dtype == np.float32 and x.grad.dtype == np.float64
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])


def test_seed_restarts_the_default_generator():
    from tinynn.autograd.settings import default_rng
    tn.seed(3)
    first = default_rng().random()
    tn.seed(3)
    assert default_rng().random() == first
    assert default_rng(3).random() == np.random.default_rng(3).random()


def test_rounding_has_no_gradient():
    x = leaf(1.4, 2.6)
    for dtype in (int, bool, np.uint8):
        y = x.astype(dtype)
        assert y.dtype == dtype and not y.requires_grad
    assert x.astype(np.float32).requires_grad


def test_a_number_is_formatted_as_one():
    assert int(tn.Tensor(7.9)) == 7 and f"{tn.Tensor(1.23456):.2f}" == "1.23" and f"{leaf(7.0):>6.1f}" == "   7.0"
    assert f"{leaf(1.0, 2.0)}" == str(leaf(1.0, 2.0))
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        f"{leaf(1.0, 2.0):.2f}"


@pytest.mark.parametrize("view", [lambda w: w.T, lambda w: w.reshape(2, 2), lambda w: w[:2],
                                  lambda w: w.T.reshape(2, 2)[:, :2]])
def test_a_leaf_that_changed_is_noticed_through_views(view):
    x, w = (tn.Tensor(np.eye(2) + 1, requires_grad=True) for _ in range(2))
    y = (x * view(w)).sum()
    w.data = w.data * 10
    with pytest.raises(RuntimeError, match="a leaf that multiply used has changed since"):
        tn.grad(y, [x])


def test_rows_that_were_copied_may_change_behind_them():
    x, w = (tn.Tensor(np.eye(2) + 1, requires_grad=True) for _ in range(2))
    y = (x * w[np.array([1, 0])]).sum()
    w.data = w.data * 10
    np.testing.assert_array_equal(tn.grad(y, [x])[0], [[1, 2], [2, 1]])


def test_a_seed_that_is_a_tensor_has_the_dtype_of_y():
    x = tn.Tensor(np.ones(2, np.float32), requires_grad=True)
    (x * 2).backward(tn.Tensor(np.ones(2)))
    assert x.grad.dtype == np.float32 and tn.grad(x, [x], tn.Tensor(np.ones(2)))[0].dtype == np.float32


def test_a_gradient_that_is_assigned_becomes_an_array_like_the_leaf():
    x = tn.Tensor(np.ones(2, np.float32), requires_grad=True)
    for gradient in (tn.Tensor([1.0, 2.0]), [1.0, 2.0], tn.grad((x * x).sum(), [x], create_graph=True)[0]):
        x.grad = gradient
        assert type(x.grad) is np.ndarray and x.grad.dtype == np.float32
        (3 * x).sum().backward()
    x.grad = None
    assert x.grad is None


def test_an_index_that_changes_afterwards_does_not_move_the_gradient():
    x, index = tn.Tensor(np.arange(4.0), requires_grad=True), np.array([0, 1])
    y = x[index], x[index, ].sum()
    index[:] = 3
    (y[0].sum() + y[1]).backward()
    np.testing.assert_array_equal(x.grad, [2, 2, 0, 0])


def test_a_pickled_leaf_has_no_date_from_another_process():
    code = """
        import pickle, sys, numpy as np, tinynn as tn
        model = tn.nn.Linear(2, 1, rng=0)
        adam = tn.optim.Adam(model.parameters())
        for _ in range(20):
            adam.step(lambda: (model(np.ones((3, 2))) ** 2).sum())
        sys.stdout.buffer.write(pickle.dumps(model))
    """
    made = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=True).stdout
    code = """
        import pickle, sys, numpy as np
        model = pickle.load(sys.stdin.buffer)
        model.zero_grad()
        model(np.ones((3, 2))).sum().backward()
        print(model.weight.grad.tolist())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], input=made, capture_output=True)
    assert done.stdout.decode().strip() == "[[3.0, 3.0]]", done.stderr.decode()


def test_tab_completion_shows_the_parts_that_are_imported_late():
    assert {"data", "energy", "projection", "transport", "viz", "Tensor", "max", "min"} <= set(dir(tn))
