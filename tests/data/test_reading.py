"""Readers of damaged files: errors that name the file, and no belief in sizes."""
import io

import numpy as np
import pytest
from damage import damaged, outcome
from hypothesis import given, settings
from hypothesis import strategies as st

from tinynn.data.reading import damage_named, read_at_most, read_table


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("reading") / "table.txt"


@pytest.mark.parametrize("error", [KeyError("x"), EOFError("end"), MemoryError(), RecursionError("deep"), ValueError("bad")])
def test_any_error_becomes_a_value_error_that_names_the_file(error):
    with pytest.raises(ValueError, match="some.file is damaged.*" + str(error)), damage_named("some.file"):
        raise error


@pytest.mark.parametrize("error", [FileNotFoundError("no such file"), KeyboardInterrupt()])
def test_what_is_no_damage_stays_as_it_is(error):
    with pytest.raises(type(error)), damage_named("some.file"):
        raise error


@given(st.binary(max_size=50), st.integers(0, 60))
def test_read_at_most(data, size):
    assert read_at_most(io.BytesIO(data), size) == data[:size]


def test_a_huge_size_costs_nothing():
    assert read_at_most(io.BytesIO(b"few"), 10**15) == b"few"


@pytest.mark.parametrize("text", ["1 2\n3 4\n", "  1.0e0\t2 \r\n\r\n3 4", "1 2\n\n  \n3 4\n"])
def test_a_table_is_read(path, text):
    path.write_bytes(text.encode())
    np.testing.assert_array_equal(read_table(path, columns=2, low=1, high=4), [[1, 2], [3, 4]])


@pytest.mark.parametrize("text, named", [("", "empty"), (" \n\n", "empty"), ("1 2\n3", "table.txt"), ("1 2 3\n", "3 numbers"),
                                         ("1 two\n", "two"), ("1 5\n", "1 to 5"), ("0 2\n", "0 to 2"),
                                         ("1 nan\n", "nan"), ("1 inf\n", "inf"),
                                         ("1 2 # 3\n", "table.txt"), ("1,2\n", "table.txt")])
def test_other_tables_are_refused(path, text, named):
    path.write_text(text)
    with pytest.raises(ValueError, match=named):
        read_table(path, columns=2, low=1, high=4)


@settings(max_examples=100)
@given(st.data())
def test_damage_is_a_value_error_that_names_the_file(path, data):
    table = outcome(lambda path: read_table(path, columns=3, low=0, high=9, delimiter=","), path,
                    data.draw(damaged(b"1,2,3\r\n4,5,6\r\n7.5e0,8,9\r\n")))
    if table is not None:
        assert table.shape[1] == 3 and np.all((table >= 0) & (table <= 9))
