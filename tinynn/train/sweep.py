"""Many runs side by side: over seeds and settings (sweep), over the folds of cross-validation (k_fold).

    def run(setting, rng):                                   # a module-level function: it travels to other processes
        model = build(setting["units"], rng)
        ...
        return test_error

    table = sweep(run, grid(units=[10, 20], lr=[0.1, 0.01]), repetitions=5, jobs=2)
    # [{"units": 10, "lr": 0.1, "results": [...five...]}, ...]

Each job has one BLAS thread, in a process of its own (jobs > 1) one thread for kernels, too, and a Generator that depends
only on the seed, the setting's place and the repetition (the default Generator, too, is one of its own): the same results
whatever the number of jobs.
"""
import contextlib
import itertools
import signal
import threading
from pathlib import Path

import numpy as np

from ..arguments import check_count
from ..autograd.settings import default_rng, switched
from ..autograd.settings import settings as switches
from ..kernels.threads import one_blas_thread


def grid(**choices) -> list:
    """Every combination of the choices, as dicts: grid(a=[1, 2], b=[3]) = [{"a": 1, "b": 3}, {"a": 2, "b": 3}]."""
    for name, values in choices.items():
        if isinstance(values, (str, bytes)) or not np.iterable(values):
            raise TypeError(f"grid: {name} is {values!r}; expected a list of choices, [{values!r}]")
    return [dict(zip(choices, values)) for values in itertools.product(*choices.values())]


def k_fold(n: int, k: int, rng=None) -> list:
    """k pairs of index arrays (train, validation) over n examples; each example validates once."""
    check_count("k_fold: k", k, 2)
    if k > n:
        raise ValueError(f"k is {k}; expected 2 to {n}, the number of examples")
    folds = np.array_split(default_rng(rng).permutation(n), k)
    return [(np.concatenate(folds[:i] + folds[i + 1:]), fold) for i, fold in enumerate(folds)]


def cross_validate(function, n, k=5, seed=0, jobs=1, dask=None, progress=True) -> list:
    """function(train indices, validation indices, rng) for each of k folds; the list of what it returned."""
    folds = [{"train": train, "validation": validation} for train, validation in k_fold(n, k, np.random.default_rng(seed))]
    rows = sweep(OnFold(function), folds, 1, seed, jobs, dask, progress)
    return [row["results"][0] for row in rows]


class OnFold:
    """A function of (train, validation, rng) as a function of (setting, rng)."""

    def __init__(self, function):
        self.function = function

    def __call__(self, setting, rng):
        return self.function(setting["train"], setting["validation"], rng)


def sweep(function, settings, repetitions=1, seed=0, jobs=1, dask=None, progress=True, resume=None) -> list:
    """function(setting, rng) for every setting, `repetitions` times; returns [{**setting, "results": [...]}, ...].

    settings: a list of dicts, as from `grid`. jobs: processes on this machine (−1: one for each core).
    dask: the address of a Dask scheduler ("tcp://host:8786"), when a sweep outgrows one machine; jobs is then ignored. Start
        its workers with --nthreads 1, as jobs in threads would share the default Generator, and with NUMBA_NUM_THREADS=1 in
        their environment, or the kernels of several fight for the cores.
    resume: a folder. Every finished job's result is kept there, and found again by a sweep of the same function,
        settings and seed with the same tinynn sources; delete it when the results are safe elsewhere. A job of many minutes
        can itself go on where it was interrupted: settings have one key more then, "checkpoint", a path in the folder of the
        job's own, for `fit`. For one call of it; for a second, append something.
    """
    from joblib import Parallel, delayed
    settings = list(settings)
    check_count("sweep: repetitions", repetitions, 0)
    for i, setting in enumerate(settings):
        if not isinstance(setting, dict):
            raise TypeError(f"sweep: settings[{i}] is {setting!r}; expected a dict, as from grid(lr=[0.1, 0.01])")
    if repetitions < 1 or not settings:
        raise ValueError(f"a sweep of {len(settings)} settings × {repetitions} repetitions has no job to do")
    jobs_of_all = [(setting, (seed, i, j)) for i, setting in enumerate(settings) for j in range(repetitions)]
    if resume is None:
        tasks = [delayed(one_job)(function, setting, seeds) for setting, seeds in jobs_of_all]
    else:
        from joblib import Memory, hash
        folder = Path(resume) / fingerprint(function)
        run = Memory(folder, verbose=0).cache(one_named_job, ignore=["folder", "function", "setting", "seed"])
        # Named here: a worker may get a large array as a file, which has another hash.
        tasks = [delayed(run)(hash((function, setting, seeds)), folder, function, setting, seeds)
                 for setting, seeds in jobs_of_all]
    with back_end(dask):
        results = Parallel(n_jobs=jobs, return_as="generator")(tasks)
        if progress:
            from tqdm import tqdm
            results = tqdm(results, total=len(tasks), unit="run", leave=False)
        results = list(results)
    return [{**setting, "results": results[i * repetitions:(i + 1) * repetitions]} for i, setting in enumerate(settings)]


def one_job(function, setting, seed):
    """Run one setting with Generators of its own and one BLAS thread."""
    own = np.random.default_rng((*seed, 1))
    with one_blas_thread(sure=True), switched(switches, "generator", own), interrupts_passed_on():
        try:
            return function(setting, np.random.default_rng(seed))
        except Exception as error:
            error.add_note(f"in a sweep, for the setting {setting} and repetition {seed[-1]}")
            raise


def one_named_job(name, folder, function, setting, seed):
    """The same for a job whose result is kept under this name, and its checkpoint in this folder."""
    return one_job(function, {**setting, "checkpoint": folder / f"{name}.checkpoint"}, seed)


def uninterrupted(history):
    """The history; KeyboardInterrupt if Ctrl-C ended training. For what goes on with a network only if it has learned all:

        history = uninterrupted(tn.fit(...))
    """
    if history.stop_reason == "interrupted":
        raise KeyboardInterrupt
    return history


@contextlib.contextmanager
def interrupts_passed_on():
    """A block that Ctrl-C ends with KeyboardInterrupt also where `fit` kept it to itself: half a job is no result. It ends
    when the job does, or where it says `uninterrupted`."""
    before, seen = signal.getsignal(signal.SIGINT), []
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def note(*what):
        seen.append(what)
        before(*what)                                                   # raises KeyboardInterrupt
    signal.signal(signal.SIGINT, note)
    try:
        yield
    except Exception:                                                    # as of half a history
        if not seen:
            raise
    finally:
        signal.signal(signal.SIGINT, before)
    if seen:
        raise KeyboardInterrupt


@contextlib.contextmanager
def back_end(dask):
    """joblib's own processes, of one thread each, or the workers of a Dask scheduler."""
    from joblib import parallel_config
    if dask is None:
        with parallel_config("loky", inner_max_num_threads=1):
            yield
        return
    from dask.distributed import Client
    with Client(dask), parallel_config(backend="dask"):
        yield


def fingerprint(function) -> str:
    """A name for the present sources of tinynn, the exercises, and the file in which `function` stands, so that results of
    older code are not taken for new. In a notebook: of the function itself; a change in what it calls there is not seen."""
    import hashlib
    import inspect
    import marshal
    root, digest, inner = Path(__file__).parents[2], hashlib.sha256(), ("function", "func", "__func__", "__wrapped__")
    while name := next((name for name in inner if hasattr(function, name)), None):          # OnFold, partial, method, wraps
        function = getattr(function, name)
    function = function if inspect.isroutine(function) or inspect.isclass(function) else type(function)
    try:
        own = Path(inspect.getsourcefile(function))
        if not own.is_file():                                           # a notebook's cell
            digest.update(inspect.getsource(function).encode())
    except (TypeError, OSError):                                        # python -c
        own = root
        code = getattr(function, "__code__", None) or getattr(getattr(function, "__call__", None), "__code__", None)
        digest.update(marshal.dumps(code))
    for path in sorted({*root.glob("tinynn/**/*.py"), *root.glob("exercises/**/*.py"), *([own] if own.is_file() else [])}):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
