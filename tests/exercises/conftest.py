"""What tests of several exercises need."""
import pytest
from few_digits import few_digits

from exercises.generative import _boltzmann
from tinynn import kernels


@pytest.fixture(autouse=True, scope="module")
def no_loop_is_compiled():
    """Exercises are tested on the kernels' references: compiling the loops, which have tests of their own, takes minutes."""
    with kernels.use("numpy"):
        yield


@pytest.fixture
def few_mnist(monkeypatch):
    """A handful of random digits instead of MNIST, for what _boltzmann.digits gives to the exercises."""
    monkeypatch.setattr(_boltzmann.data, "mnist", few_digits)
    _boltzmann.digits.cache_clear()
    yield
    _boltzmann.digits.cache_clear()
