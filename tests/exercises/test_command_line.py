"""`python -m exercises`: list, run, unknown names, failures, Ctrl-C, seeds and threads."""
import json
import os
import sys
import types
from dataclasses import dataclass, replace

import numpy as np
import pytest

import tinynn as tn
from exercises import card as card_module
from exercises import registry
from exercises.__main__ import main
from exercises.card import Card, Config


@dataclass(frozen=True)
class TinyConfig(Config):
    """As an exercise would have it."""
    repetitions: int = 5


def tiny_run(config):
    """A run that draws from its own seed and from the default Generator, and notes what it was told."""
    import joblib
    import matplotlib.pyplot as plt
    from threadpoolctl import threadpool_info
    card = Card.begin("exercises.supervised.tiny", config)
    card.add_row("own", np.random.default_rng(config.seed).random(config.repetitions), report=0.5)
    card.add_row("default", tn.autograd.settings.default_rng().random())
    card.add_row("threads", max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"))
    card.add_row("jobs", joblib.Parallel().n_jobs)
    card.add_figure(plt.figure(figsize=(1, 1)), "empty", f"out {config.out.name}, dask {config.dask}")
    return card


def module(name, run):
    """A module that follows the convention, as if it were exercises/supervised/NAME.py."""
    made = types.ModuleType(f"exercises.supervised.{name}", f"The title of {name}\n\nMore.")
    made.build, made.run = (lambda: None), run
    made.CONFIG, made.QUICK = TinyConfig(takes="9 min"), TinyConfig(takes="1 s", quick=True, repetitions=2)
    return made


def failing(config):
    raise RuntimeError("on purpose")


def interrupted(config):
    raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def exercises(monkeypatch):
    """Three exercises: tiny works, broken raises, stopped is as if Ctrl-C was pressed."""
    for name, run in [("tiny", tiny_run), ("broken", failing), ("stopped", interrupted)]:
        monkeypatch.setitem(sys.modules, f"exercises.supervised.{name}", module(name, run))
    monkeypatch.setitem(sys.modules, "exercises.supervised", types.ModuleType("exercises.supervised"))
    found = dict.fromkeys(["tiny", "broken", "stopped"], "supervised")
    monkeypatch.setattr(registry, "discover", lambda: found)
    monkeypatch.setattr("exercises.__main__.discover", lambda: found)
    monkeypatch.setattr("exercises.page.discover", lambda: found)


def run(tmp_path, *arguments) -> int:
    return main(["run", *arguments, "--out", str(tmp_path / "out"), "--jobs", "3"])


def rows(tmp_path) -> dict:
    card = json.loads((tmp_path / "out" / "tiny" / "card.json").read_text())
    return {row["quantity"]: row for row in card["rows"]}


def test_list_shows_name_session_times_and_title(capsys):
    assert main(["list"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("tiny"))
    assert line.split(maxsplit=6) == ["tiny", "supervised", "9", "min", "1", "s", "The title of tiny"]


def test_list_names_what_cannot_be_imported(capsys):
    del sys.modules["exercises.supervised.tiny"].build
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert "cannot be imported: TypeError" in out and "supervised.tiny lacks build" in out
    assert "The title of broken" in out


def test_a_run_leaves_card_figure_and_page(tmp_path):
    assert run(tmp_path, "tiny", "--dask", "tcp://nowhere:1") == 0
    folder = tmp_path / "out" / "tiny"
    card = Card.load(folder / "card.json")
    assert not card.quick and card.seconds > 0 and card.rows[0].n == 5
    assert card.figures[0].caption == "out out, dask tcp://nowhere:1"
    assert "The title of tiny" in (tmp_path / "out" / "index.html").read_text()


def test_quick_takes_the_quick_configuration(tmp_path):
    assert run(tmp_path, "tiny", "--quick") == 0
    card = Card.load(tmp_path / "out" / "tiny" / "card.json")
    assert card.quick and card.rows[0].n == 2
    assert {row.verdict for row in card.rows} == {"not comparable"}


def test_the_seed_decides_everything_random(tmp_path):
    found = []
    for seed in ("3", "3", "4"):
        assert run(tmp_path, "tiny", "--seed", seed) == 0
        found.append([rows(tmp_path)[key]["median"] for key in ("own", "default")])
    assert found[0] == found[1]
    assert all(one != other for one, other in zip(found[0], found[2]))


def test_one_blas_thread_a_process_and_jobs_reach_joblib(tmp_path):
    assert run(tmp_path, "tiny") == 0
    assert rows(tmp_path)["threads"]["max"] == 1 and rows(tmp_path)["jobs"]["max"] == 3


@pytest.mark.parametrize("wrong, message", [
    (["tinny"], "no exercise 'tinny'; did you mean tiny"), (["qqq"], "one of: tiny, broken, stopped"),
    (["all", "tiny"], "'all' is every exercise"),
    (["tiny", "--jobs", "0"], "--jobs is 0"), (["tiny", "--seed", "-1"], "--seed -1"), ([], "NAME")])
def test_bad_arguments_are_refused_before_anything_runs(wrong, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["run", *wrong])
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_the_output_must_be_a_folder(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit):
        main(["run", "tiny", "--out", str(tmp_path / "file")])
    assert "expected a folder" in capsys.readouterr().err


def test_one_failure_does_not_stop_the_others(tmp_path, capsys):
    assert run(tmp_path, "broken", "tiny") == 1
    assert "RuntimeError: on purpose" in capsys.readouterr().err
    assert (tmp_path / "out" / "tiny" / "card.json").exists()


def test_a_card_of_an_earlier_run_is_called_so(tmp_path, caplog, monkeypatch):
    assert run(tmp_path, "broken") == 1 and "FAILED: broken" in caplog.text and "earlier" not in caplog.text
    assert run(tmp_path, "tiny") == 0
    monkeypatch.setattr(sys.modules["exercises.supervised.tiny"], "run", failing)
    assert run(tmp_path, "tiny") == 1 and "FAILED: tiny (the card on the page is of an earlier run)" in caplog.text


def test_ctrl_c_keeps_what_is_finished(tmp_path):
    assert run(tmp_path, "all") == 130
    assert "The title of tiny" in (tmp_path / "out" / "index.html").read_text()


def test_all_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    ran = []
    for name in ("tiny", "broken", "stopped"):
        made = sys.modules[f"exercises.supervised.{name}"]
        monkeypatch.setattr(made, "run", lambda config, name=name, run=made.run: ran.append(name) or run(config))
    assert run(tmp_path, "all") == 130 and ran == ["tiny", "broken", "stopped"]
    assert run(tmp_path, "all") == 130 and ran[3:] == ["broken", "stopped"]             # tiny's card is there
    assert run(tmp_path, "all", "--seed", "1") == 130 and ran[5:] == ["tiny", "broken", "stopped"]
    assert run(tmp_path, "tiny", "--seed", "1") == 0 and ran[8:] == ["tiny"]            # who names it means it
    (tmp_path / "out" / "tiny" / "card.json").write_text("{")
    assert run(tmp_path, "all", "--seed", "1") == 130 and ran[9:] == ["tiny", "broken", "stopped"]


@pytest.mark.parametrize("change", ["data", "sources", "configuration"])
def test_what_has_changed_is_run_again(tmp_path, monkeypatch, change):
    made = sys.modules["exercises.supervised.tiny"]
    first = card_module.origin_of(made, made.CONFIG)
    assert first == card_module.origin_of(made, replace(made.CONFIG, jobs=7, out=tmp_path, dask="tcp://nowhere:1"))
    if change == "data":
        monkeypatch.setattr("tinynn.data.dataset.locate", lambda file: file.startswith("mnist") or None)
    elif change == "sources":
        monkeypatch.setattr(card_module, "fingerprint", lambda function: "other")
    else:
        made.CONFIG = replace(made.CONFIG, repetitions=6)
    assert card_module.origin_of(made, made.CONFIG) != first


def test_a_quick_run_does_not_replace_a_full_one(tmp_path, caplog):
    assert run(tmp_path, "tiny") == 0
    assert run(tmp_path, "tiny", "--quick") == 0 and not Card.load(tmp_path / "out" / "tiny" / "card.json").quick
    assert "a full run is there" in caplog.text
    assert run(tmp_path / "other", "tiny", "--quick") == run(tmp_path / "other", "tiny") == 0       # the other way round
    assert not Card.load(tmp_path / "other" / "out" / "tiny" / "card.json").quick


def test_a_saved_card_needs_no_unfinished_jobs_of_its_kind(tmp_path):
    for kind in ("jobs", "jobs-quick"):
        (tmp_path / "tiny" / kind).mkdir(parents=True)
    Card("tiny", "Title", quick=True, seed=0).save(tmp_path)
    assert not (tmp_path / "tiny" / "jobs-quick").exists() and (tmp_path / "tiny" / "jobs").exists()
    Card("tiny", "Title", quick=False, seed=0).save(tmp_path)
    assert not (tmp_path / "tiny" / "jobs").exists()


def test_ctrl_c_at_the_start(tmp_path):
    assert run(tmp_path, "stopped", "tiny") == 130
    assert not (tmp_path / "out" / "tiny").exists() and (tmp_path / "out" / "index.html").exists()


def test_the_time_of_an_interrupted_run_counts(tmp_path, monkeypatch):
    now, ends = [0.0], []

    def slow(config):
        (config.out / "tiny" / "jobs").mkdir(parents=True, exist_ok=True)
        now[0] += 100
        if ends.pop(0) == "Ctrl-C":
            raise KeyboardInterrupt
        return tiny_run(config)

    monkeypatch.setattr("exercises.__main__.time", types.SimpleNamespace(perf_counter=lambda: now[0]))
    monkeypatch.setattr(sys.modules["exercises.supervised.tiny"], "run", slow)
    kept = tmp_path / "out" / "tiny" / "jobs" / "seconds.json"

    def seconds(*endings, seed="0"):
        """Of the run that these ended, one after the other; the first with seed 0."""
        ends[:] = endings
        for i in range(len(endings) - 1):
            assert run(tmp_path, "tiny") == 130 and json.loads(kept.read_text())["seconds"] == 100 * (i + 1)
        assert run(tmp_path, "tiny", "--seed", seed) == 0 and not kept.exists()
        return Card.load(tmp_path / "out" / "tiny" / "card.json").seconds

    assert seconds("done") == 100 and seconds("Ctrl-C", "Ctrl-C", "done") == 300
    assert seconds("Ctrl-C", "done", seed="1") == 100                       # none of the first one's jobs is of any use
    for text in ("", "{}", "[1]", '{"origin": "", "seconds": 7}'):
        kept.parent.mkdir()
        kept.write_text(text)
        assert seconds("done") == 100


@pytest.mark.parametrize("name, value, message", [
    ("QUICK", TinyConfig(), "only QUICK"), ("CONFIG", TinyConfig(quick=True), "only QUICK"),
    ("QUICK", Config(quick=True), "one class"), ("__doc__", None, "docstring")])
def test_the_convention_is_checked(name, value, message):
    setattr(sys.modules["exercises.supervised.tiny"], name, value)
    with pytest.raises(TypeError, match=message):
        registry.load("tiny")


def test_the_environment_is_left_as_it_was(tmp_path):
    before = dict(os.environ), tn.default_dtype()
    run(tmp_path, "tiny")
    assert (dict(os.environ), tn.default_dtype()) == before
