"""One Hypothesis profile for all tests: the same examples in every run, no deadline, as a first call may compile."""
from hypothesis import HealthCheck, settings

settings.register_profile("tinynn", max_examples=20, deadline=None, derandomize=True,
                          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.load_profile("tinynn")
