"""What cannot work fails at once, and the message says what to do instead."""
import numpy as np
import pytest

import tinynn as tn

x = tn.Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
array = np.ones((2, 3))


def test_integer_leaf():
    with pytest.raises(TypeError, match="requires_grad needs float data, but dtype is int64; write 1.0 for 1"):
        tn.Tensor([1, 2], requires_grad=True)
    labels = tn.Tensor([1, 2])                              # as a constant, ints are welcome
    with pytest.raises(TypeError, match="int64"):
        labels.requires_grad = True


def test_not_numbers():
    with pytest.raises(TypeError, match="expected numbers"):
        tn.Tensor(["a"])


def write_into(x):
    x[0] = 1.0


def iadd(x):
    x += 1.0


def imul(x):
    x *= 2.0


def array_imul(x):
    a = array.copy()
    a *= x


def array_iadd(x):
    a = array.copy()
    a += x


@pytest.mark.parametrize("write, message", [
    (write_into, "cannot be written into.*tn.where or tn.concatenate"),
    (iadd, "cannot be changed in place.*write x = x"),
    (imul, "cannot be changed in place"),
    (array_imul, "np.multiply cannot write a Tensor into an array in place.*array = array"),
    (array_iadd, "np.add cannot write"),
    (lambda x: np.exp(x, out=np.zeros((2, 3))), "np.exp cannot write.*out="),
    (lambda x: np.exp(array, out=x), "np.exp cannot write"),
    (lambda x: np.add.reduce(x), "np.add.reduce does not work on Tensors; use a tn function"),
    (lambda x: np.add.at(array.copy(), 0, x), "np.add.at does not work"),
    (lambda x: np.add.accumulate(x), "np.add.accumulate does not work"),
    (lambda x: np.multiply.outer(x, x), "np.multiply.outer does not work"),
])
def test_writing_in_place(write, message):
    before = x.data.copy()
    with pytest.raises(TypeError, match=message):
        write(x)
    np.testing.assert_array_equal(x.data, before)


@pytest.mark.parametrize("convert", [np.asarray, np.array, lambda t: np.asarray(t, dtype=float),
                                     lambda t: np.zeros((2, 3)).__setitem__(0, t[0])])
def test_no_silent_conversion_to_an_array(convert):
    with pytest.raises((TypeError, ValueError), match=r"use \.numpy\(\)|setting an array element"):
        convert(x)


def test_backward_from_a_vector():
    with pytest.raises(ValueError, match=r"backward: y has shape \(2, 3\); only a scalar has a gradient. Sum it"):
        (x * 2).backward()
    with pytest.raises(ValueError, match=r"the seed has shape \(3,\), y has \(2, 3\)"):
        (x * 2).backward(np.ones(3))
    with pytest.raises(ValueError, match="does not depend on any Tensor"):
        tn.Tensor(1.0).backward()


@pytest.mark.parametrize("call, message", [
    (lambda: tn.matmul(x, array), r"^matmul: the last axis of a.*a of shape \(2, 3\), b of shape \(2, 3\)"),
    (lambda: x @ np.ones(4), r"^matmul: .*b of shape \(4,\)"),
    (lambda: tn.linear(x, np.ones((4, 2))), r"^linear: x.shape\[-1\] must equal W.shape\[1\].*W of shape \(4, 2\)"),
    (lambda: x + np.ones(2), r"^add: .*\(2,3\) \(2,\).*a of shape \(2, 3\), b of shape \(2,\)"),
    (lambda: x.reshape(4, 2), r"^reshape: the new shape must hold as many elements .*\(2, 3\), shape = \(4, 2\)"),
    (lambda: tn.transpose(x, (0, 0)), r"^transpose: axes must name each axis of x once"),
    (lambda: tn.broadcast_to(x, (3, 3)), r"^broadcast_to: x.shape must broadcast to shape"),
    (lambda: tn.concatenate([x, np.ones((3, 4))]), r"^concatenate: the xs must have equal.*xs\[1\] of shape \(3, 4\)"),
    (lambda: tn.concatenate([]), "^concatenate: xs is empty"),
    (lambda: tn.einsum("nk,km->nm", x, array), "^einsum: "),
    (lambda: tn.einsum("nn->n", x), '^einsum: subscripts are "nn->n"'),
    (lambda: tn.einsum("nkm->n", x), r'^einsum: "nkm" names 3 axes, but its operand has shape \(2, 3\)'),
    (lambda: tn.squeeze(x, 0), r"^squeeze: shape \(2, 3\) has no axis 0 of length 1"),
    (lambda: tn.squeeze(tn.Tensor(np.ones((3, 1))), 3), r"^squeeze: shape \(3, 1\) has no axis 3"),
    (lambda: tn.squeeze(tn.Tensor(1.0), 0), r"^squeeze: shape \(\) has no axis 0"),
    (lambda: tn.einsum("ij,jk->ik", np.ones((2, 1)), x), '^einsum: "j" is an axis of length 2, and of length 1'),
    (lambda: tn.linear(x, np.ones((4, 3)), np.ones((1, 4))), r"^linear: .*b, if given, must have shape \(n_out,\).*\(1, 4\)"),
    (lambda: tn.linear(x, np.ones((4, 3)), np.ones(1)), "^linear: .*b, if given"),
    (lambda: tn.swapaxes(x, 0, 5), "^swapaxes: the axes are 0 and 5; x has 2"),
    (lambda: tn.expand_dims(x, 4), "^expand_dims: axis is 4"),
    (lambda: tn.clip(x), "^clip: low and high are both None"),
    (lambda: tn.sum(x, axis=2), "^sum: axis 2 is out of bounds"),
    (lambda: tn.max(x, axis=-3), "^max: axis -3 is out of bounds"),
    (lambda: tn.softmax(x, 5), "^softmax: axis 5 is out of bounds"),
    (lambda: tn.mean(x, 7), "^mean: axis 7 is out of bounds"),
])
def test_shapes_and_axes(call, message):
    with pytest.raises((ValueError, IndexError), match=message):       # NumPy's AxisError is both
        call()


def test_index_error():
    with pytest.raises(IndexError, match=r"^getitem: index 5 is out of bounds.*x of shape \(2, 3\), index = 5"):
        x[5]


@pytest.mark.parametrize("call, message", [
    (lambda: tn.where(x, 1.0, 0.0), "^where: condition has dtype float64; expected bool"),
    (lambda: tn.exp(), r"^exp takes \(x\); x missing"),
    (lambda: tn.exp(x, x), r"^exp takes \(x\); 2 given"),
    (lambda: tn.sum(x, axes=0), "^sum: unexpected or repeated argument axes; takes x, axis, keepdims"),
    (lambda: np.fft.fft(x), "np.fft has no differentiable counterpart"),
    (lambda: np.cosh(x), "np.cosh has no differentiable counterpart here; use a tn function, write an @tn.op"),
    (lambda: tn.grad(tn.sum(x), x), "xs is a Tensor; expected a list"),
    (lambda: tn.grad(tn.sum(x), [tn.Tensor(1.0)]), r"xs\[0\] is not a Tensor with requires_grad=True"),
    (lambda: iter(tn.Tensor(1.0)), "0-d Tensor"),
])
def test_wrong_calls(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_op_without_a_vjp():
    @tn.op
    def twice(x):
        return 2 * x

    assert twice(array)[0, 0] == 2                          # values are fine
    with pytest.raises(TypeError, match="twice has no vjp, so it cannot be differentiated; add one with @twice.vjp"):
        twice(x)
    with pytest.raises(TypeError, match="must take g first"):
        twice.vjp(lambda x, g: g)
    with pytest.raises(TypeError, match="any of y, saved, x"):
        twice.vjp(lambda g, z: g)


def test_vjp_of_the_wrong_shape():
    @tn.op
    def total(x):
        return np.asarray(x.sum())

    total.vjp(lambda g: np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"vjp of total returned a gradient of shape \(2, 4\) for its argument x"):
        total(x).backward()


def test_item_needs_one_element():
    assert tn.Tensor([[2.5]]).item() == 2.5
    with pytest.raises(ValueError, match=r"item: the Tensor has shape \(2, 3\)"):
        x.item()


def test_grad_is_only_for_leaves():
    y = x * 2
    assert y.grad is None
    with pytest.raises(TypeError, match="only a leaf"):
        y.grad = array
    with pytest.raises(ValueError, match=r"the gradient has shape \(3,\)"):
        x.grad = np.ones(3)
    with pytest.raises(TypeError, match="use .detach"):
        y.requires_grad = False


def test_a_setting_that_requires_a_gradient():
    slope = tn.Tensor(0.1, requires_grad=True)
    with pytest.raises(TypeError, match="leaky_relu has no gradient for its argument negative_slope, which requires one"):
        tn.leaky_relu(np.array([-1.0, 2.0]), slope).sum().backward()


@pytest.mark.parametrize("returned, message", [
    (lambda g, a, b: (g, g, g), "returned 3 gradients for 2 arguments"),
    (lambda g, a, b: [g * b, g * a], "returned a list; expected an array"),
    (lambda g, a, b: 3.0, "returned a float; expected an array"),
    (lambda g, a, b: g * b, "times has no gradient for its argument b")])
def test_vjps_that_return_something_else(returned, message):
    @tn.op
    def times(a, b):
        return a * b
    times.vjp(returned)
    a, b = (tn.Tensor(np.ones(2), requires_grad=True) for _ in range(2))
    with pytest.raises(TypeError, match=message):
        times(a, b).sum().backward()


def test_a_result_cannot_be_written_into_through_data():
    x = tn.Tensor([1.0, 2.0], requires_grad=True)
    y = tn.exp(x)
    with pytest.raises(ValueError, match="read-only"):
        y.data[0] = 100
    with pytest.raises((ValueError, TypeError)):
        y.data -= 1
    assert np.array_equal(y.data, np.exp([1.0, 2.0]))


def test_a_leaf_that_changed_is_noticed_whatever_gradient_is_asked_for():
    x, w = (tn.Tensor([2.0], requires_grad=True) for _ in range(2))
    y = (x * w * w).sum()
    w.data = [0.0]
    with pytest.raises(RuntimeError, match="a leaf that multiply used has changed"):
        tn.grad(y, [x])


def test_reductions_of_numbers_and_variance_without_freedom():
    x = tn.Tensor(3.0, requires_grad=True)
    (x.sum(0) + x.max(-1)).backward()
    assert x.grad == 2
    one = tn.Tensor([1.0], requires_grad=True)
    with np.errstate(all="ignore"):
        tn.var(one, ddof=1).backward()
    assert np.isnan(one.grad).all()


def test_lists_are_arrays():
    x = tn.Tensor(np.eye(2), requires_grad=True)
    tn.matmul([[1.0, 2.0], [3.0, 4.0]], x).sum().backward()
    assert np.array_equal(x.grad, [[4, 4], [6, 6]])
    assert tn.softmax([0.0, 0.0]).tolist() == [0.5, 0.5]
    assert tn.add((1, 2), (3, 4)).tolist() == [4, 6]
    assert tn.concatenate([x[0], (1.0, 2.0)]).data.tolist() == [1, 0, 1, 2]
    with pytest.raises(TypeError, match=r"expand_dims: axis is \(0, 1\); expected an int"):
        tn.expand_dims(x, (0, 1))


def test_gradients_of_numbers_stay_arrays():
    x = tn.Tensor(2.0, requires_grad=True)
    for _ in range(2):
        (x * x).backward()
    assert isinstance(x.grad, np.ndarray) and x.grad == 8


def test_a_per_example_rule_has_the_parameters_of_the_vjp():
    @tn.op(shapes="(n),(n)->(n)")
    def product(a, b):
        return a * b

    @product.vjp
    def _(g, a, b):
        return g * b, g * a
    with pytest.raises(TypeError, match=r"per_example rule of product takes \(g, b, a\); expected .* \(g, a, b\)"):
        @product.per_example
        def _(g, b, a):
            return g * b, g * a
