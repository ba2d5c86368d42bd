"""Where data are found, that a damaged file is refused by name, and that samples are disjoint."""
import hashlib
import logging
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinynn import data
from tinynn.__main__ import main
from tinynn.data.sources import FILES


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """$TINYNN_DATA and a cache, both empty, and one data set of one file whose contents must be b"right"."""
    (tmp_path / "data" / "set").mkdir(parents=True)
    (tmp_path / "cache" / "set").mkdir(parents=True)
    monkeypatch.setenv("TINYNN_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setitem(FILES, "numbers", {"set/numbers.txt": hashlib.sha256(b"right").hexdigest()})
    return tmp_path


def test_the_named_folder_comes_before_the_cache(folder):
    for place in ("cache", "data"):
        (folder / place / "set" / "numbers.txt").write_bytes(b"right")
        assert data.find("numbers") == [folder / place / "set" / "numbers.txt"]


def test_all_files_or_none(folder, monkeypatch, caplog):
    digest = hashlib.sha256(b"right").hexdigest()
    monkeypatch.setitem(FILES, "numbers", {"set/numbers.txt": digest, "set/more.txt": digest})
    (folder / "data" / "set" / "numbers.txt").write_bytes(b"right")
    assert data.find("numbers") is None and "for want of set/more.txt" in caplog.text
    (folder / "cache" / "set" / "more.txt").write_bytes(b"right")
    assert data.find("numbers") == [folder / "data" / "set" / "numbers.txt", folder / "cache" / "set" / "more.txt"]


def test_a_file_may_have_several_published_forms(folder, monkeypatch):
    digests = tuple(hashlib.sha256(text).hexdigest() for text in (b"right", b"also right"))
    monkeypatch.setitem(FILES, "numbers", {"set/numbers.txt": digests})
    path = folder / "data" / "set" / "numbers.txt"
    for contents in (b"right", b"also right"):
        path.write_bytes(contents)
        assert data.find("numbers") == [path]
    path.write_bytes(b"wrong")
    with pytest.raises(ValueError, match="numbers.txt is damaged"):
        data.find("numbers")


def test_an_absent_file_is_none_with_a_warning_that_names_the_folders(folder, caplog):
    with caplog.at_level(logging.WARNING, "tinynn.data"):
        assert data.find("numbers") is None
    assert "fetch numbers" in caplog.text and "STAND-IN" in caplog.text
    assert str(folder / "data") in caplog.text and str(folder / "cache") in caplog.text


@pytest.mark.parametrize("contents", [b"", b"righ", b"Right", b"right\n"])
def test_a_damaged_file_is_refused_by_name(folder, contents):
    path = folder / "data" / "set" / "numbers.txt"
    path.write_bytes(contents)
    with pytest.raises(ValueError, match="numbers.txt is damaged"):
        data.find("numbers")


def test_the_command_lists_stand_in_real_and_damaged(folder, capsys):
    assert main(["data"]) == 0
    assert "stand-in" in capsys.readouterr().out
    path = folder / "data" / "set" / "numbers.txt"
    path.write_bytes(b"right")
    assert main(["data"]) == 0
    assert f"real data   {path.parent}" in capsys.readouterr().out
    path.write_bytes(b"wrong")
    assert main(["data"]) == 1
    assert "DAMAGED" in capsys.readouterr().out


def test_an_unknown_command_says_which_there_are(capsys):
    assert main(["dta"]) == 2
    assert "'dta'" in capsys.readouterr().err
    assert main([]) == 0
    assert "check FILE.py" in capsys.readouterr().out


@given(st.data(), st.integers(0, 50))
def test_samples_share_no_row(draw, n_rows):
    cuts = sorted(draw.draw(st.lists(st.integers(0, n_rows), max_size=4)))
    sizes = np.diff([0, *cuts])
    samples = data.disjoint_samples(n_rows, sizes, 1)
    assert [len(sample) for sample in samples] == list(sizes)
    rows = np.concatenate([np.zeros(0, int), *samples])
    assert len(np.unique(rows)) == len(rows) and np.all((rows >= 0) & (rows < n_rows))


def test_samples_depend_on_the_seed_only():
    first, again, other = (data.disjoint_samples(100, (20, 20), seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("sizes, error, message", [
    ((60, 50), ValueError, "at most 100"), ((-1, 5), ValueError, r"sizes\[0\] is -1"),
    ((0.7, 0.3), ValueError, r"sizes\[0\] is 0.7; expected an int"), (50, TypeError, "sizes is 50; expected numbers of rows")])
def test_impossible_sizes_are_refused(sizes, error, message):
    with pytest.raises(error, match=message):
        data.disjoint_samples(100, sizes)


@pytest.mark.skipif("TINYNN_DATA" not in os.environ, reason="needs the real files")
@pytest.mark.parametrize("name", FILES)
def test_the_real_files_are_the_published_ones(name):
    assert data.find(name) is not None


def test_a_name_that_is_none_is_told_the_names():
    with pytest.raises(ValueError, match="there is no data set 'mnits'; there are .*mnist"):
        data.find("mnits")
