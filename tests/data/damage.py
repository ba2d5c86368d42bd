"""Damaged files, for property tests of readers."""
import hashlib

import pytest
from hypothesis import strategies as st

from tinynn.data.sources import FILES


def damaged(whole: bytes):
    """Strategy: `whole` cut off, with some bytes changed, with bytes put in, or with more at its end; never `whole` itself."""
    at = st.integers(0, len(whole) - 1)
    changes = st.lists(st.tuples(at | st.integers(0, min(64, len(whole) - 1)), st.integers(0, 255)), min_size=1, max_size=5)
    return st.one_of(
        at.map(lambda i: whole[:i]),
        changes.map(lambda those: change(whole, those)),
        st.tuples(at, st.binary(min_size=1, max_size=9)).map(lambda pair: whole[:pair[0]] + pair[1] + whole[pair[0]:]),
        st.binary(min_size=1, max_size=9).map(lambda more: whole + more),
        st.binary(max_size=200),
    ).filter(lambda data: data != whole)


def change(whole, those):
    """`whole` with other bytes at some places."""
    data = bytearray(whole)
    for i, byte in those:
        data[i] = byte
    return bytes(data)


def outcome(read, path, data):
    """What read(path) returns when `data` are in the file; None if that is a ValueError naming the file.

    Any other error fails the test, and so does a message without the file's name.
    """
    path.write_bytes(data)
    try:
        return read(path)
    except ValueError as error:
        assert path.name in str(error)
        return None


def publish(monkeypatch, name, file, contents: bytes, folder):
    """Write a file of ours, and declare it to be the published one of the data set `name`; returns its path."""
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(contents)
    monkeypatch.setitem(FILES, name, FILES[name] | {file: hashlib.sha256(contents).hexdigest()})
    return path


def refused(load, path, data):
    """Assert that load() raises a ValueError that names the file, when `data` are in it; then put the file right again."""
    whole = path.read_bytes()
    path.write_bytes(data)
    try:
        with pytest.raises(ValueError, match=path.name):
            load()
    finally:
        path.write_bytes(whole)
