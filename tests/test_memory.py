"""memory.py: temporaries reuse pages that the process has, and do not fault in new ones."""
import subprocess
import sys

import pytest

from tinynn.memory import keep_freed_memory

COUNT = """
{first}
import resource
import numpy as np
g, y = np.ones((2, 943, 50))
def work():
    square = y * y
    slope = 1 - square
    return g * slope
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(first: str) -> int:
    """Page faults of 100 expressions with large temporaries, in a Python that began with the line `first`."""
    return int(subprocess.run([sys.executable, "-c", COUNT.format(first=first)], check=True, capture_output=True).stdout)


@pytest.mark.skipif(not keep_freed_memory(), reason="malloc is not glibc's")
def test_temporaries_do_not_fault():
    assert page_faults("import tinynn") < 1000          # 0; without the import it was 24,420
