"""Sweeps: the same results whatever the number of jobs, kept when interrupted, on one machine or on Dask workers."""
import functools
import importlib
import linecache
import os
import signal

import numpy as np
import pytest

import tinynn as tn
from tinynn import nn
from tinynn.autograd.settings import default_rng
from tinynn.optim import schedules
from tinynn.train import History, cross_validate, grid, k_fold, sweep, uninterrupted
from tinynn.train.sweep import fingerprint


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


def default_numbers(setting, rng):
    return nn.Linear(2, 1).weight.data[0, 0], default_rng().random()


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_default_generator_is_each_jobs_own(jobs):
    tn.seed(3)
    before = default_rng().bit_generator.state
    rows = sweep(default_numbers, grid(a=[1, 2]), 3, jobs=jobs, progress=False)
    drawn = [result for row in rows for result in row["results"]]
    assert len(set(drawn)) == 6 and default_rng().bit_generator.state == before
    assert rows == sweep(default_numbers, grid(a=[1, 2]), 3, jobs=3 - jobs, progress=False)


def test_a_notebooks_cell_and_python_c_can_resume(tmp_path):
    code = "def f(setting, rng):\n    return {} * setting['a']\n"
    found = []
    for i, factor in enumerate((1, 1000, 1000)):
        name, scope = f"/no/such/folder/{i}.py", {"__name__": "__main__"}
        linecache.cache[name] = (len(code), None, code.format(factor).splitlines(True), name)
        exec(compile(code.format(factor), name, "exec"), scope)
        found.append(fingerprint(scope["f"]))
    assert found[0] != found[1] == found[2]
    bare = []
    for factor in (2, 3, 3):                                                    # no source at all
        exec(code.format(factor), scope := {"__name__": "__main__"})
        bare.append(fingerprint(scope["f"]))
    assert bare[0] != bare[1] == bare[2]


class Scaled:
    def method(self, setting, rng):
        return 2 * setting["a"]

    def __call__(self, setting, rng):
        return 3 * setting["a"]


def test_what_a_function_is_wrapped_in_hides_no_change(tmp_path, monkeypatch):
    file = tmp_path / "jobs_of_a_student.py"
    file.write_text("def run(setting, rng, k=1):\n    return k\n")
    monkeypatch.syspath_prepend(tmp_path)
    run = importlib.import_module("jobs_of_a_student").run
    plain = fingerprint(run)
    assert fingerprint(functools.partial(run, k=2)) == fingerprint(functools.partial(functools.partial(run), k=1)) == plain
    mine = {fingerprint(f) for f in (Scaled(), Scaled().method, draw)}
    assert len(mine) == 1 and plain not in mine
    file.write_text("def run(setting, rng, k=1):\n    return 1000 * k\n")
    assert fingerprint(functools.partial(run, k=2)) == fingerprint(run) != plain


def test_mistakes_are_told_before_the_work():
    def never(setting, rng):
        raise AssertionError("a job ran")
    with pytest.raises(TypeError, match=r"settings\[1\] is 0.01; expected a dict, as from grid"):
        sweep(never, [{"lr": 0.1}, 0.01])
    for wrong in ("adam", 0.1):
        with pytest.raises(TypeError, match=rf"grid: lr is {wrong!r}; expected a list of choices"):
            grid(lr=wrong)


def fails(setting, rng):
    raise ZeroDivisionError("in the job")


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_says_in_which_job(jobs):
    with pytest.raises(ZeroDivisionError) as caught:
        sweep(fails, grid(a=[7, 8]), 1, jobs=jobs, progress=False)
    assert any("for the setting {'a': 7}" in note or jobs == 2 and "for the setting {'a': 8}" in note
               for note in caught.value.__notes__)                              # with two jobs either may be first


def rate_at_three(setting, rng):
    return setting["lr"](3)


def test_schedules_travel_and_are_remembered(tmp_path):
    lrs = [schedules.step(0.1, 2), schedules.exponential(0.1), schedules.warmup(schedules.cosine(0.1, 10), 5)]
    rows = sweep(rate_at_three, grid(lr=lrs), 1, jobs=2, progress=False, resume=tmp_path)
    assert [row["results"] for row in rows] == [[lr(3)] for lr in lrs]
