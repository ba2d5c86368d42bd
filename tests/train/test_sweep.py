"""Sweeps: the same results whatever the number of jobs, kept when interrupted, on one machine or on Dask workers."""
import os
import signal

import numpy as np
import pytest

from tinynn.train import History, cross_validate, grid, k_fold, sweep, uninterrupted


def draw(setting, rng):
    return setting["a"] + rng.random()


def count_runs(setting, rng):
    with open(setting["log"], "a") as file:
        file.write("x")
    return rng.random()


def swallows_an_interrupt(setting, rng):
    """As `fit` does; the first time only."""
    if count_runs(setting, rng) and os.path.getsize(setting["log"]) == 1:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            return "half a job"
    return "a whole one"


def looks_at_half_a_history(setting, rng):
    """An interrupt in the first epoch is swallowed, and so there are no losses to look at."""
    swallows_an_interrupt(setting, rng)
    return [][-1]


def process_and_threads(setting, rng):
    numba = pytest.importorskip("numba")
    from threadpoolctl import threadpool_info
    np.ones((2, 2)) @ np.ones((2, 2))
    blas = max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
    return os.getpid(), blas, numba.get_num_threads()


def size(train, validation, rng):
    return len(train), len(validation)


def test_grid():
    assert grid(a=[1, 2], b=["x"]) == [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}]


@pytest.mark.parametrize("n, k", [(10, 5), (11, 3), (2, 2)])
def test_k_fold_validates_each_example_once(n, k):
    folds = k_fold(n, k, 0)
    assert sorted(np.concatenate([validation for _, validation in folds])) == list(range(n))
    for train, validation in folds:
        assert sorted([*train, *validation]) == list(range(n))


def test_k_fold_refuses():
    with pytest.raises(ValueError, match="k is 5"):
        k_fold(4, 5)


def test_cross_validate():
    assert cross_validate(size, 10, 5, progress=False) == [(8, 2)] * 5


def test_results_do_not_depend_on_the_number_of_jobs():
    settings = grid(a=[10, 20])
    one, two = (sweep(draw, settings, 3, seed=4, jobs=jobs, progress=False) for jobs in (1, 2))
    assert one == two and len({r for row in one for r in row["results"]}) == 6
    assert sweep(draw, settings, 3, seed=5, progress=False) != one


def test_jobs_are_processes_with_one_thread_for_blas_and_for_kernels():
    rows = sweep(process_and_threads, grid(a=[1, 2, 3, 4]), jobs=2, progress=False)
    pids, blas, kernels = zip(*(row["results"][0] for row in rows))
    assert os.getpid() not in pids and set(blas) == set(kernels) == {1}


def test_an_interrupted_sweep_goes_on(tmp_path):
    log = tmp_path / "log"
    settings = [{"log": str(log), "a": a} for a in range(4)]
    first = sweep(count_runs, settings[:2], resume=tmp_path / "kept", progress=False)
    second = sweep(count_runs, settings, resume=tmp_path / "kept", progress=False)
    assert second[:2] == first and log.read_text() == "xxxx"    # two, and the two that were missing


@pytest.fixture
def ctrl_c():
    """Ctrl-C as usual: where several processes share the tests, they ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def counts_and_sums(setting, rng):
    count_runs({"log": setting["log"]}, rng)
    return float(setting["x"].sum())


def test_jobs_are_found_again_by_another_number_of_processes(tmp_path):
    """Also with arrays so large that processes get them as files, which have another hash."""
    settings = [{"log": str(tmp_path / "log"), "x": np.full((600, 600), i)} for i in range(2)]
    results = [sweep(counts_and_sums, settings, jobs=jobs, resume=tmp_path / "kept", progress=False) for jobs in (2, 1, 2)]
    assert [row["results"] for row in results[0]] == [[0.0], [360_000.0]] and (tmp_path / "log").read_text() == "xx"
    assert [[row["results"] for row in rows] for rows in results[1:]] == [[row["results"] for row in results[0]]] * 2


def keys(setting, rng):
    return sorted(setting), str(setting.get("checkpoint"))


def test_a_job_that_can_be_resumed_has_a_checkpoint_of_its_own(tmp_path):
    assert sweep(keys, [{"a": 1}], progress=False)[0]["results"] == [(["a"], "None")]
    (row,) = sweep(keys, [{"a": 1}], 2, resume=tmp_path, progress=False)
    (names, one), (_, other) = row["results"]
    assert names == ["a", "checkpoint"] and one != other and str(tmp_path) in one


def test_half_a_job_is_no_result(tmp_path, ctrl_c):
    """Ctrl-C stops the sweep though the job returns something, and nothing of it is kept."""
    settings = [{"log": str(tmp_path / "log")}]
    with pytest.raises(KeyboardInterrupt):
        sweep(swallows_an_interrupt, settings, resume=tmp_path / "jobs", progress=False)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert sweep(swallows_an_interrupt, settings, resume=tmp_path / "jobs", progress=False)[0]["results"] == ["a whole one"]


def test_what_half_a_job_runs_into_is_not_its_fault(tmp_path, ctrl_c):
    with pytest.raises(KeyboardInterrupt):
        sweep(looks_at_half_a_history, [{"log": str(tmp_path / "log")}], progress=False)
    with pytest.raises(IndexError):
        sweep(looks_at_half_a_history, [{"log": str(tmp_path / "log")}], progress=False)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_job_may_say_where_it_ends():
    history = History(stop_reason="all epochs done")
    assert uninterrupted(history) is history
    with pytest.raises(KeyboardInterrupt):
        uninterrupted(History(stop_reason="interrupted"))


def test_nothing_to_do():
    with pytest.raises(ValueError, match="no job"):
        sweep(draw, [])


def test_dask():
    distributed = pytest.importorskip("dask.distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        rows = sweep(draw, grid(a=[10, 20]), 2, dask=cluster.scheduler_address, progress=False)
    assert rows == sweep(draw, grid(a=[10, 20]), 2, progress=False)


def test_settings_may_come_one_by_one():
    rows = sweep(draw, ({"a": a} for a in (1, 2)), progress=False)
    assert [row["a"] for row in rows] == [1, 2] and all(len(row["results"]) == 1 for row in rows)
