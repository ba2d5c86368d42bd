"""The public strategies draw what they promise."""
import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

import tinynn as tn
from tinynn import testing
from tinynn.ops.products import matmul


@given(testing.arrays(testing.shapes(), "real"), testing.arrays(testing.shapes(), "unit"),
       testing.arrays(testing.shapes(), "positive"), testing.arrays(testing.shapes(), "nonzero", np.float32))
def test_domains(real, unit, positive, nonzero):
    assert (np.abs(real) >= 0.1).all() and (np.abs(unit) < 1).all() and (positive > 0).all()
    assert (np.abs(nonzero) >= 0.5).all() and nonzero.dtype == np.float32


@given(testing.arrays((3, 3)), testing.arrays((3, 3)))
def test_values_do_not_tie(a, b):
    distinct = np.unique(np.abs(np.concatenate([a.ravel(), b.ravel()])))
    assert len(distinct) == 18 and np.diff(np.sort(np.abs(a.ravel()))).min() > 0.05


@pytest.mark.parametrize("layout", testing.LAYOUTS)
def test_layouts(layout):
    @given(testing.arrays(testing.shapes(), layout=layout))
    def check(x):
        assert np.isfinite(x).all() and isinstance(x, np.ndarray)
        if x.size > 3 and min(x.shape) > 1 and x.ndim > 1:
            assert x.flags.c_contiguous == (layout == "contiguous")
    check()


@pytest.mark.parametrize("wanted", [lambda s: s == (), lambda s: 0 in s, lambda s: s == (1,), lambda s: len(s) == 3])
def test_shapes_have_every_kind(wanted):
    assert wanted(find(testing.shapes(), wanted))


@given(testing.broadcastable_shapes(3))
def test_broadcastable_shapes(shapes):
    np.broadcast_shapes(*shapes)


@given(testing.signature_shapes("(n,k),(k,m),(),(2,n)->(n,m)"))
def test_signature_shapes(shapes):
    a, b, c, d = shapes
    assert a[1] == b[0] and c == () and d == (2, a[0])


@given(testing.arguments(matmul), testing.arguments(tn.divide), testing.arguments(tn.leaky_relu))
def test_arguments(product, quotient, single):
    assert product[0].shape[1] == product[1].shape[0] and len(single) == 1
    assert (np.abs(quotient[1]) >= 0.5).all() and quotient[0].dtype == quotient[1].dtype


@given(st.data())
def test_upstream(data):
    y = tn.tanh(tn.Tensor(data.draw(testing.arrays((2, 3))), requires_grad=True))
    g = data.draw(testing.upstream(y.shape))
    y.backward(g)
    assert g.shape == y.shape and (g != 0).all()


def test_importing_tinynn_does_not_import_hypothesis():
    import subprocess
    import sys
    code = "import sys, tinynn; sys.exit('hypothesis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
