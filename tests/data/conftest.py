"""What the tests of the data sets share. See damage.py, too."""
import pytest


@pytest.fixture
def no_files(tmp_path, monkeypatch):
    """An empty $TINYNN_DATA and an empty cache."""
    monkeypatch.setenv("TINYNN_DATA", str(tmp_path))
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache")
    return tmp_path
