"""Exercises are found by their place, in the order of the course, and every one keeps to the convention."""
import re
from pathlib import Path

import pytest

from exercises import registry


def test_files_are_found_in_order_and_helpers_are_not(tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for file in ("one/zebra.py", "one/ant.py", "one/first.py", "one/_helper.py", "one/notes.txt", "two/bee.py"):
        (tmp_path / file).write_text("raise RuntimeError('discover must not import')")
    monkeypatch.setattr(registry, "SESSIONS", {"one": ("absent", "first"), "two": (), "missing": ()})
    monkeypatch.setattr(registry, "__file__", str(tmp_path / "registry.py"))
    assert list(registry.discover().items()) == [("first", "one"), ("ant", "one"), ("zebra", "one"), ("bee", "two")]


@pytest.mark.parametrize("name", list(registry.discover()))
def test_every_exercise_keeps_to_the_convention(name):
    module = registry.load(name)
    assert module.CONFIG.takes and module.QUICK.takes


@pytest.mark.parametrize("name", list(registry.discover()))
def test_every_exercise_says_what_to_change_first_and_names_a_test_that_is_there(name):
    path, function = re.search(r"(tests/\S+\.py)::(\w+)", registry.change_first(name)).groups()
    assert f"def {function}(" in (Path(__file__).parents[2] / path).read_text()


def test_there_is_nothing_to_change_in_what_is_no_exercise(tmp_path, monkeypatch):
    assert registry.change_first("nothing") == ""
    monkeypatch.setattr(registry, "__file__", str(tmp_path / "registry.py"))
    (tmp_path / "generative").mkdir()
    for name, source in (("rbm", b'"""Change first: this."""\n'), ("gan", b"def broken(:\n"), ("vae", b'"""\xff"""\n')):
        (tmp_path / "generative" / f"{name}.py").write_bytes(source)
    assert [registry.change_first(name) for name in ("rbm", "gan", "vae")] == ["this.", "", ""]
