"""`python -m benchmarks [NAME ...]`: a row for each workload and peer. `growth`, `convolution`: how cost grows, as figures.

Install the peers with `pip install -e ".[peers]"`; those that are missing are skipped. Run it on a quiet machine.
"""
import argparse
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import (adversarial, convolution, features, features_attention, generative, growth, recurrent, transport,
               workloads)
from .timing import compare

TABLE = [row for module in (workloads, recurrent, features, features_attention, generative, adversarial, transport)
         for row in module.TABLE]
FIGURES = {"convolution": convolution.draw, "growth": growth.draw}
PACKAGES = ("numpy", "scipy", "numba", "torch", "torch-levenberg-marquardt", "jax", "scikit-learn", "POT")


def main():
    """Run the named workloads (default: all), print the table, and write benchmarks/results.json if all were run."""
    names = [workload.__name__ for workload, _, _ in TABLE]
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join([*names, *FIGURES])} (default: all)")
    chosen = parser.parse_args().names
    unknown = set(chosen) - {*names, *FIGURES}
    if unknown:
        parser.error(f"there is no workload {', '.join(unknown)}; there are {', '.join([*names, *FIGURES])}")
    rows = []
    for workload, targets, how in TABLE:
        if not chosen or workload.__name__ in chosen:
            rows += run(workload, targets, how)
    if not chosen:
        write(rows)
    for name, draw in FIGURES.items():
        if not chosen or name in chosen:
            print("wrote", draw())


def run(workload, targets, how) -> list:
    """Time one workload, print its rows and return them."""
    title = workload.__doc__.strip().splitlines()[0].rstrip(".")
    times = compare(workload(), **how)
    ours, rows = times.pop("tinynn"), []
    print(f"{title}\n    {'tinynn':28} {ours * 1e3:10.3f} ms", flush=True)
    for peer, seconds in times.items():
        ratio, target = ours / seconds, targets[peer]
        print(f"    {peer:28} {seconds * 1e3:10.3f} ms    ratio {ratio:5.2f}, to reach {target:4.2f}: "
              f"{'yes' if ratio <= target else 'NO'}", flush=True)
        rows.append({"workload": title, "peer": peer, "ratio": round(ratio, 3), "target": target})
    return rows


def write(rows):
    """Keep the ratios, with the versions that they belong to."""
    def installed(package):
        try:
            return version(package)
        except PackageNotFoundError:
            return None
    card = {"python": platform.python_version(), "versions": {p: installed(p) for p in PACKAGES}, "rows": rows}
    Path(__file__).with_name("results.json").write_text(json.dumps(card, indent=1) + "\n")


if __name__ == "__main__":
    main()
