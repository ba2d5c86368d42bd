"""The spectra: three components explain them, two do not; standardised or not."""
import numpy as np
import pytest

from tinynn.data import spectra


@pytest.mark.parametrize("standardised", [False, True])
def test_three_components_explain_them(standardised):
    data = spectra()
    x = data.x_train
    assert x.shape == (264, 21) and x.dtype == np.float64 and x.min() > 0 and not data.real
    variances = np.linalg.eigvalsh(np.corrcoef(x.T) if standardised else np.cov(x.T))[::-1]
    explained = np.cumsum(variances) / variances.sum()
    assert explained[1] < 0.99 < 0.999 < explained[2] < 0.99995         # and there is some noise


def test_always_the_same():
    np.testing.assert_array_equal(spectra().x_train, spectra().x_train)
