"""Fair timing on a shared, noisy machine: the contestants take turns in one process, and ratios of medians are compared."""
import statistics
import time

from .memory import MIB, peaks


def compare(contestants: dict, rounds: int = 20, seconds: float = 0.05) -> dict:
    """{name: median seconds of one call} for functions that take turns.

    Each turn is so many calls as take about `seconds`, after as many that do not count: the caches fill, and the threads
    of the contestant before, which wait busily for more work, go to sleep.
    """
    calls, times = {}, {name: [] for name in contestants}
    for name, function in contestants.items():
        first = repeat(function, 1)                            # imports, compilation
        one = min(repeat(function, 1) for _ in range(3 if first < 5 else 1))
        calls[name] = max(1, int(seconds / max(one, 1e-7)))
    for _ in range(rounds):
        for name, function in contestants.items():
            repeat(function, calls[name])
            times[name].append(repeat(function, calls[name]) / calls[name])
    return {name: statistics.median(values) for name, values in times.items()}


def repeat(function, calls) -> float:
    """The seconds that so many calls take."""
    start = time.perf_counter()
    for _ in range(calls):
        function()
    return time.perf_counter() - start


def run(workload, targets, how) -> list:
    """Measure one workload, print its rows and return them. how: for `compare`; or None, to measure memory."""
    title = title_of(workload)
    costs, one, unit = (peaks(workload()), MIB, "MiB") if how is None else (compare(workload(), **how), 1e-3, "ms")
    ours, rows = costs.pop("tinynn"), []
    print(f"{title}\n    {'tinynn':28} {ours / one:10.3f} {unit}", flush=True)
    for peer, cost in costs.items():
        ratio, target = ours / cost, targets[peer]
        print(f"    {peer:28} {cost / one:10.3f} {unit}    ratio {ratio:5.2f}, to reach {target:4.2f}: "
              f"{'yes' if ratio <= target else 'NO'}", flush=True)
        rows.append({"workload": title, "peer": peer, "ratio": round(ratio, 3), "target": target})
    return rows


def title_of(workload) -> str:
    """The first line of its docstring."""
    return workload.__doc__.strip().splitlines()[0].rstrip(".")
