"""Products of matrices: which are shared among threads, and that it makes no difference."""
import numpy as np
import pytest

import tinynn as tn
from tinynn.kernels import products
from tinynn.kernels.threads import Always


@pytest.fixture
def shared(monkeypatch):
    """A list of the kernels that products ran: here any product is large, and two threads are there to share it."""
    ran = []
    monkeypatch.setattr(products, "LARGE", 1)
    monkeypatch.setattr(Always, "one_thread", True)
    monkeypatch.setattr("numba.get_num_threads", lambda: 2)
    for name in ("by_rows", "by_columns"):
        monkeypatch.setattr(products, name, lambda a, b, parts, name=name, run=getattr(products, name):
                            ran.append((name, parts)) or run(a, b, parts))
    return ran


@pytest.mark.parametrize("of_a", "CF")
@pytest.mark.parametrize("of_b", "CF")
@pytest.mark.parametrize("n", [2, 7])
def test_large_products_are_shared(shared, of_a, of_b, n):
    rng = np.random.default_rng(0)
    a, b = np.asarray(rng.standard_normal((n, 3)), order=of_a), np.asarray(rng.standard_normal((3, 5)), order=of_b)
    np.testing.assert_allclose(products.dot(a, b), a @ b, atol=1e-14)
    assert shared == [("by_rows" if of_a == "C" else "by_columns", 2)]


@pytest.mark.parametrize("a, b", [(np.ones((4, 3)), np.ones((3, 2), np.float32)),               # another type
                                  (np.ones((4, 3), int), np.ones((3, 2), int)),
                                  (np.ones((4, 3), complex), np.ones((3, 2), complex)),
                                  (np.ones((4, 6))[:, ::2], np.ones((3, 2))),                   # stored with gaps
                                  (np.ones((4, 3)), np.ones((3, 4))[:, ::2]),
                                  (np.ones((1, 3)), np.ones((3, 2))),                           # a single row
                                  (np.ones((0, 3)), np.ones((3, 2)))])
def test_what_numpy_does_alone(shared, a, b):
    y = products.dot(a, b)
    np.testing.assert_array_equal(y, a @ b)
    assert y.dtype == (a @ b).dtype and not shared


def test_lengths_that_differ_are_refused_where_threads_would_not_notice(shared):
    with pytest.raises(ValueError, match="shapes"):
        products.dot(np.ones((4, 3)), np.ones((5, 2)))
    with pytest.raises(ValueError, match=r"^linear: x.shape\[-1\] must equal W.shape\[1\]"):
        tn.nn.Linear(5, 2, rng=0)(tn.Tensor(np.ones((4, 3))))
    assert not shared


def test_small_ones_and_those_beside_a_blas_with_threads_are_not_shared(shared, monkeypatch):
    a = np.ones((3, 3))
    monkeypatch.setattr(products, "LARGE", 28)
    products.dot(a, a)
    monkeypatch.setattr(products, "LARGE", 27)
    monkeypatch.setattr(Always, "one_thread", False)
    products.dot(a, a)
    assert not shared


def test_layers_share_theirs_forward_and_backward(shared):
    layer, x = tn.nn.Linear(3, 4, rng=0), tn.Tensor(np.ones((5, 3)), requires_grad=True)
    (layer(x) * np.ones((5, 4))).sum().backward()
    assert [name for name, _ in shared] == ["by_rows", "by_rows", "by_columns"]          # y, then dx and dW; db has one row
