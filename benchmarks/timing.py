"""Fair timing on a shared, noisy machine: the contestants take turns in one process, and ratios of medians are compared."""
import statistics
import time


def compare(contestants: dict, rounds: int = 40, seconds: float = 0.02) -> dict:
    """{name: median seconds of one call} for functions that take turns.

    Each turn is so many calls as take about `seconds`; the first turns, in which caches fill and code compiles, do not count.
    """
    calls, times = {}, {name: [] for name in contestants}
    for name, function in contestants.items():
        for _ in range(3):
            function()
        start = time.perf_counter()
        function()
        calls[name] = max(1, int(seconds / max(time.perf_counter() - start, 1e-7)))
    for _ in range(rounds):
        for name, function in contestants.items():
            start = time.perf_counter()
            for _ in range(calls[name]):
                function()
            times[name].append((time.perf_counter() - start) / calls[name])
    return {name: statistics.median(values) for name, values in times.items()}
