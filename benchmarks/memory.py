"""Peak memory of a call, as the system counts it: in a process of its own for each contestant. Linux only.

Not counted is what was there before: the libraries and the code that they compiled at a first call with little data, the
model and its optimizer, the data.
"""
import ctypes
import gc
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

MIB = 2 ** 20


def peaks(contestants: dict) -> dict:
    """{name: bytes at the peak of a call}. contestants: {name: make}; make travels to another process; see `peak`."""
    found = {}
    for name, make in contestants.items():
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            found[name] = process.submit(peak, make).result()
    return found


def peak(make) -> int:
    """How many bytes more than before three calls of make(64) need at their peak; one of make(2) warms up."""
    make(2)()
    step = make(64)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)                            # what was freed until here is no reserve for the calls
    Path("/proc/self/clear_refs").write_text("5")               # the peak counts from here on; see proc(5)
    before = resident("VmRSS")
    for _ in range(3):
        step()
    return resident("VmHWM") - before


def resident(what) -> int:
    """Bytes of memory in use: now (VmRSS), or at the peak (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no line {what}")
