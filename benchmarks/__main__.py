"""`python -m benchmarks [NAME ...]`: a row for each workload and peer. `growth`, `convolution`: how cost grows, as figures.

Each workload and its peers have a process to themselves: what other workloads leave behind (BLAS that keeps to one thread
since a kernel with threads ran, warm threads of other libraries) would count for one and against the other. Install the
peers with `pip install -e ".[peers]"`; those that are missing are skipped. Run it on a quiet machine.
"""
import argparse
import json
import platform
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path

from exercises.card import write_whole

from . import (adversarial, convolution, features, features_attention, generative, growth, recurrent, transport,
               workloads)
from .timing import run, title_of

TABLE = [row for module in (workloads, recurrent, features, features_attention, generative, adversarial, transport)
         for row in module.TABLE]
FIGURES = {"convolution": convolution.draw, "growth": growth.draw}
PACKAGES = ("numpy", "scipy", "numba", "torch", "torch-levenberg-marquardt", "jax", "scikit-learn", "POT")


def main():
    """Run the named workloads (default: all), print the table, and keep each workload's rows in benchmarks/results.json."""
    names = [workload.__name__ for workload, _, _ in TABLE]
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join([*names, *FIGURES])} (default: all)")
    chosen = parser.parse_args().names
    unknown = set(chosen) - {*names, *FIGURES}
    if unknown:
        parser.error(f"there is no workload {', '.join(unknown)}; there are {', '.join([*names, *FIGURES])}")
    for workload, targets, how in TABLE:
        if not chosen or workload.__name__ in chosen:
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                keep(process.submit(run, workload, targets, how).result())
    for name, draw in FIGURES.items():
        if not chosen or name in chosen:
            print("wrote", draw())


def keep(rows):
    """Put rows into results.json, in place of those of the same workloads. Rows of other versions of the packages go."""
    def installed(package):
        try:
            return version(package)
        except PackageNotFoundError:
            return None
    path, titles = Path(__file__).with_name("results.json"), [title_of(workload) for workload, _, _ in TABLE]
    card = {"python": platform.python_version(), "versions": {p: installed(p) for p in PACKAGES}}
    before = json.loads(path.read_text()) if path.exists() else {}
    measured = {row["workload"] for row in rows}
    if card.items() <= before.items():
        rows = rows + [row for row in before["rows"] if row["workload"] in set(titles) - measured]
    card["rows"] = sorted(rows, key=lambda row: titles.index(row["workload"]))
    write_whole(path, (json.dumps(card, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
