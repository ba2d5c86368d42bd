"""The benchmarks' table: what `keep` keeps of rows measured before."""
import json
import sys

import numpy as np
import pytest

import benchmarks.__main__ as benchmarks
from benchmarks import memory, timing, workloads


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A function that reads results.json, which now lies in a folder of the test's own."""
    monkeypatch.setattr(benchmarks, "__file__", str(tmp_path / "__main__.py"))
    return lambda: json.loads((tmp_path / "results.json").read_text())


def rows(workload, ratio, peer="PyTorch") -> list:
    return [{"workload": timing.title_of(workload), "peer": peer, "ratio": ratio, "target": 1.0}]


def test_a_workload_measured_again_takes_the_place_of_its_rows_alone(results):
    first, second = workloads.small_ops, next(w for w, _, _ in benchmarks.TABLE if w is not workloads.small_ops)
    benchmarks.keep(rows(first, 0.7) + rows(first, 0.8, "JAX"))
    benchmarks.keep(rows(second, 0.5))
    assert [row["ratio"] for row in results()["rows"]] == [0.7, 0.8, 0.5]               # in the table's order
    benchmarks.keep(rows(first, 0.6))
    assert [row["ratio"] for row in results()["rows"]] == [0.6, 0.5]                    # JAX is not there today


def test_rows_of_other_versions_or_of_no_workload_go(results, monkeypatch):
    first, second = [workload for workload, _, _ in benchmarks.TABLE][:2]
    benchmarks.keep(rows(first, 0.5))
    monkeypatch.setattr(benchmarks, "TABLE", benchmarks.TABLE[1:])
    benchmarks.keep(rows(second, 0.7))
    assert [row["ratio"] for row in results()["rows"]] == [0.7]
    monkeypatch.setattr(benchmarks, "version", lambda package: "0.0")
    benchmarks.keep([])
    assert results()["rows"] == [] and set(results()["versions"].values()) == {"0.0"}


def test_a_row_has_the_ratio_of_medians_and_its_target(capsys):
    def workload():
        """Counts. Not a second line."""
        return {"tinynn": lambda: sum(range(20_000)), "peer": lambda: sum(range(200_000))}
    [row] = timing.run(workload, {"peer": 0.5}, {"rounds": 3, "seconds": 0.01})
    assert row["workload"] == "Counts. Not a second line" and row["peer"] == "peer" and row["target"] == 0.5
    assert 0.02 < row["ratio"] < 0.5 and "yes" in capsys.readouterr().out


def one_array(n):
    """A function that needs n MiB, and gives them back."""
    return lambda: np.ones(n * memory.MIB // 8).sum()


def two_arrays(n):
    return lambda: len((np.ones(n * memory.MIB // 8), np.ones(n * memory.MIB // 8)))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_that_of_a_call_at_its_peak():
    found = memory.peaks({"one": one_array, "two": two_arrays})             # of 64 MiB
    assert 63 < found["one"] / memory.MIB < 70 and 127 < found["two"] / memory.MIB < 134
