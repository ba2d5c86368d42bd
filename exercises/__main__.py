"""The command line of the exercises: `python -m exercises list` and `python -m exercises run NAME... | all`."""
import argparse
import difflib
import json
import logging
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

from . import page
from .card import Card, Config, origin_of, title, write_whole
from .registry import change_first, discover, load

log = logging.getLogger("exercises")


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 if an exercise failed, 2 for bad arguments, 130 after Ctrl-C."""
    arguments = parse(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if arguments.command == "list":
        return show_list()
    try:
        return run_all(arguments)
    except KeyboardInterrupt:
        log.info("Stopped. What was finished is in %s", page.write(arguments.out))
        return 130


def parse(argv):
    """The arguments; exits with code 2 and a message where they make no sense."""
    import joblib
    parser = argparse.ArgumentParser(prog="python -m exercises", description="Run the course's experiments.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="name, session, times and title of every exercise")
    run = commands.add_parser("run", help="run exercises and write the results page")
    run.add_argument("names", nargs="+", metavar="NAME", help="an exercise, or 'all': all that --out does not have already, "
                     "made from the same sources, settings and data")
    run.add_argument("--quick", action="store_true", help="a smaller configuration, in seconds")
    run.add_argument("--jobs", metavar="N", type=int, default=joblib.cpu_count(),
                     help="processes (default: all cores, %(default)s)")
    run.add_argument("--seed", metavar="S", type=int, default=0, help="of everything random (default: %(default)s)")
    run.add_argument("--out", metavar="DIR", type=Path, default=Path("results"),
                     help="folder of the results (default: %(default)s)")
    run.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler to send the sweeps to, as tcp://host:8786")
    arguments = parser.parse_args(argv)
    if arguments.command == "run":
        known = list(discover())
        arguments.all = arguments.names == ["all"]
        if "all" in arguments.names and not arguments.all:
            run.error("'all' is every exercise; leave out the other names")
        names = known if arguments.all else list(dict.fromkeys(arguments.names))
        for name in names:
            if name not in known:
                close = " or ".join(difflib.get_close_matches(name, known)) or "one of: " + ", ".join(known)
                run.error(f"there is no exercise {name!r}; did you mean {close}?")
        if arguments.jobs < 1 or arguments.seed < 0:
            run.error(f"--jobs is {arguments.jobs} and --seed {arguments.seed}; expected at least 1 and at least 0")
        if arguments.out.exists() and not arguments.out.is_dir():
            run.error(f"--out is {arguments.out}, a file; expected a folder, which is made if it is missing")
        arguments.names = names
    return arguments


def show_list() -> int:
    """One line per exercise; one that cannot be imported says why."""
    print(f"{'name':22} {'session':11} {'full':>8} {'quick':>8}  title")
    for name, session in discover().items():
        try:
            module = load(name)
            print(f"{name:22} {session:11} {module.CONFIG.takes:>8} {module.QUICK.takes:>8}  {title(module)}")
        except Exception as error:
            print(f"{name:22} {session:11} {'':8} {'':8}  cannot be imported: {type(error).__name__}: {error}")
    return 0


def run_all(arguments) -> int:
    """Run the named exercises one after the other. One that fails does not stop the others."""
    failed = []
    for i, name in enumerate(arguments.names, start=1):
        log.info("[%d/%d] %s", i, len(arguments.names), name)
        try:
            module = load(name)
            config = replace(module.QUICK if arguments.quick else module.CONFIG, seed=arguments.seed,
                             jobs=arguments.jobs, out=arguments.out, dask=arguments.dask)
            before = present(name, arguments.out)
            if before and before.origin == origin_of(module, config) and arguments.all:
                log.info("%s: is there already", name)
                continue
            if before and config.quick and not before.quick:
                log.warning("%s: a full run is there, which a quick one does not replace; --out names another folder", name)
                continue
            card = run_one(module, config)
            card.save(arguments.out)
        except Exception:
            traceback.print_exc()
            failed.append(f"{name} (the card on the page is of an earlier run)" if present(name, arguments.out) else name)
            continue
        page.write(arguments.out)             # after each one, so that it can be looked at while the others run
        verdicts = [row.verdict for row in card.of_the_report()]
        counts = ", ".join(f"{verdicts.count(word)} {word}" for word in dict.fromkeys(verdicts))
        log.info("%s: %s, took %s", name, counts or "no numbers of the report", page.duration(card.seconds))
        log.info("    Change first: %s", change_first(name))
    log.info("Results: %s", page.write(arguments.out))
    if failed:
        log.error("FAILED: %s", ", ".join(failed))
    return int(bool(failed))


def present(name, out) -> Card | None:
    """The exercise's card in the folder of results, if there is one that can be read."""
    try:
        return Card.load(out / name / "card.json")
    except ValueError:
        return None


def run_one(module, config: Config) -> Card:
    """Run one exercise on one BLAS thread per process (more would change the last bits), seeded, in our look; timed.

    Kernels have threads of their own, which change nothing: all cores with one job, one thread a process with more. What an
    interrupted run took before is kept beside its jobs, and counts.
    """
    import joblib
    import matplotlib

    import tinynn as tn
    from tinynn.kernels.threads import one_blas_thread
    from tinynn.viz import look
    matplotlib.use("Agg")                     # pictures go to files; no display is needed
    tn.seed(config.seed)
    processes = joblib.parallel_config("loky", n_jobs=config.jobs, inner_max_num_threads=1)
    origin, folder = origin_of(module, config), Card.begin(module.__name__, config).unfinished(config.out)
    with one_blas_thread(sure=True), processes, look():
        start = time.perf_counter() - seconds_before(folder, origin)
        try:
            card = module.run(config)
        finally:
            seconds = time.perf_counter() - start
            if folder.is_dir():
                write_whole(folder / "seconds.json", json.dumps({"origin": origin, "seconds": seconds}).encode())
    card.seconds, card.origin = seconds, origin
    return card


def seconds_before(folder: Path, origin: str) -> float:
    """What an interrupted run took whose jobs are in the folder, if it had the same sources, settings and data; else 0."""
    try:
        spent = json.loads((folder / "seconds.json").read_bytes())
        return float(spent["seconds"]) if spent["origin"] == origin else 0.0
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


if __name__ == "__main__":
    sys.exit(main())
