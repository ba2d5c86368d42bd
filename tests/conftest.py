"""One Hypothesis profile for all tests: the same examples in every run, no deadline, as a first call may compile."""
import os

import numba
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("tinynn", max_examples=20, deadline=None, derandomize=True,
                          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.load_profile("tinynn")


@pytest.fixture(autouse=True)
def threads(request):
    """Where several processes of tests share the cores (pytest -n), kernels run in one thread each; their own tests in all."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        numba.set_num_threads(numba.config.NUMBA_NUM_THREADS if "kernels" in request.path.parts else 1)
