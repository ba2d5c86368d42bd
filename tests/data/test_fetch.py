"""The downloader, against a server of our own: mirrors that fail in every way, and what is left behind."""
import hashlib
import io
import logging
import os
import signal
import subprocess
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from tinynn.__main__ import main
from tinynn.data import cifar10_dogs, fetch
from tinynn.data.dataset import verified
from tinynn.data.sources import FILES, MIRRORS

RIGHT = bytes(range(256)) * 1000


class Server(ThreadingHTTPServer):
    """Serves `contents` {path: bytes}; short {path}: breaks off half-way; stuck {path}: sends half, and no more."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents, self.short, self.stuck, self.asked = {}, set(), set(), []
        self.reached, self.over = threading.Event(), threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append(self.path)
        body = server.contents.get(self.path)
        if body is None:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        broken = self.path in server.short | server.stuck
        self.wfile.write(body[:len(body) // 2] if broken else body)
        if self.path in server.stuck:
            self.wfile.flush()
            server.reached.set()
            server.over.wait(30)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(no_files, monkeypatch):
    """A server; two mirrors on it, a and b, for the set "numbers", of one file; an empty cache."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setitem(FILES, "numbers", {"set/numbers.bin": hashlib.sha256(RIGHT).hexdigest()})
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setitem(MIRRORS, "numbers", (f"{server.url}/a/", f"{server.url}/b/"))
        yield server
        server.over.set()
        server.shutdown()


@pytest.fixture
def cache(no_files):
    return no_files / "cache"


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_file_is_fetched_once(server, cache, capsys):
    server.contents["/a/numbers.bin"] = RIGHT
    for _ in range(2):
        assert main(["data", "fetch", "numbers"]) == 0
        assert files_in(cache) == [cache / "set" / "numbers.bin"]
        assert (cache / "set" / "numbers.bin").read_bytes() == RIGHT
    assert server.asked == ["/a/numbers.bin"]
    assert "is there already" in capsys.readouterr().out


@pytest.mark.parametrize("first", ["absent", "damaged", "empty", "cut", "short"])
def test_after_a_bad_mirror_comes_the_next(server, cache, caplog, first):
    server.contents["/b/numbers.bin"] = RIGHT
    if first != "absent":
        server.contents["/a/numbers.bin"] = {"damaged": b"x" + RIGHT[1:], "empty": b"", "cut": RIGHT[:-1]}.get(first, RIGHT)
    if first == "short":
        server.short.add("/a/numbers.bin")
    with caplog.at_level(logging.WARNING, "tinynn.data"):
        assert main(["data", "fetch", "numbers"]) == 0
    assert server.asked == ["/a/numbers.bin", "/b/numbers.bin"]
    assert f"{server.url}/a/numbers.bin: " in caplog.text and "/b/" not in caplog.text
    assert files_in(cache) == [cache / "set" / "numbers.bin"]
    assert (cache / "set" / "numbers.bin").read_bytes() == RIGHT


def test_when_all_mirrors_are_bad_each_is_named_and_nothing_is_left(server, cache, capsys):
    server.contents["/b/numbers.bin"] = b"something else"
    assert main(["data", "fetch", "numbers"]) == 1
    said = capsys.readouterr().out
    assert f"{server.url}/a/numbers.bin: 404" in said
    assert f"{server.url}/b/numbers.bin: not the published file" in said
    assert files_in(cache) == []


def test_one_set_that_fails_does_not_stop_the_others(server, cache, monkeypatch):
    monkeypatch.setitem(FILES, "more", {"set/more.bin": hashlib.sha256(b"more").hexdigest()})
    monkeypatch.setitem(MIRRORS, "more", (f"{server.url}/a/",))
    server.contents["/a/more.bin"] = b"more"
    assert main(["data", "fetch", "numbers", "more"]) == 1
    assert files_in(cache) == [cache / "set" / "more.bin"]


def test_all_is_every_set(server, monkeypatch):
    fetched = []
    monkeypatch.setattr(fetch, "fetch", fetched.append)
    assert main(["data", "fetch", "all"]) == 0
    assert fetched == list(FILES) and {"mnist", "cifar10_dogs", "threes"} <= set(fetched)


def test_a_damaged_file_in_the_cache_is_replaced(server, cache):
    server.contents["/a/numbers.bin"] = RIGHT
    (cache / "set").mkdir(parents=True)
    (cache / "set" / "numbers.bin").write_bytes(b"damaged")
    assert main(["data", "fetch", "numbers"]) == 0
    assert files_in(cache) == [cache / "set" / "numbers.bin"]
    assert (cache / "set" / "numbers.bin").read_bytes() == RIGHT


@pytest.mark.parametrize("contents, code", [(RIGHT, 0), (b"damaged", 1)])
def test_a_file_in_the_named_folder_is_left_alone(server, cache, no_files, capsys, contents, code):
    server.contents["/a/numbers.bin"] = RIGHT
    (no_files / "set").mkdir()
    (no_files / "set" / "numbers.bin").write_bytes(contents)
    assert main(["data", "fetch", "numbers"]) == code
    assert server.asked == [] and files_in(no_files) == [no_files / "set" / "numbers.bin"]
    assert ("is there already" if code == 0 else "damaged") in capsys.readouterr().out


def test_ctrl_c_leaves_nothing_half(server, cache):
    """In a process of its own, stopped when half of the file has come."""
    server.contents["/a/numbers.bin"] = RIGHT
    server.stuck.add("/a/numbers.bin")
    program = ("import signal, sys, pathlib, pooch; from tinynn.__main__ import main\n"
               "from tinynn.data.sources import FILES, MIRRORS\n"
               "signal.signal(signal.SIGINT, signal.default_int_handler)\n"         # a test run in the background ignores it
               f"pooch.os_cache = lambda name: pathlib.Path({str(cache)!r})\n"
               f"FILES['numbers'] = {FILES['numbers']!r}; MIRRORS['numbers'] = {MIRRORS['numbers']!r}\n"
               "sys.exit(main(['data', 'fetch', 'numbers']))")
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert server.reached.wait(30)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "numbers: stopped" in out and "Traceback" not in errors
    assert files_in(cache) == []


@pytest.mark.parametrize("argv", [["fetch"], ["fetch", "mnits"], ["fetch", "numbers", "mnits"], ["fech"]])
def test_wrong_names_are_refused_before_anything_is_fetched(server, capsys, argv):
    assert main(["data", *argv]) == 2
    assert server.asked == []
    assert "mnist" in capsys.readouterr().out or argv == ["fech"]


def test_every_set_can_be_fetched_from_somewhere():
    assert set(FILES) == set(MIRRORS)
    assert all(url.startswith("http") and url.endswith("/") for urls in MIRRORS.values() for url in urls)
    for files in FILES.values():
        for digests in files.values():
            assert all(len(bytes.fromhex(digest)) == 32 for digest in ([digests] if isinstance(digests, str) else digests))


def cifar10(rng) -> tuple[bytes, np.ndarray]:
    """An archive like CIFAR-10's, of 35 images, and its dogs (n, 32, 32, 3)."""
    file, dogs = io.BytesIO(), []
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name in ("batches.meta.txt", *(f"data_batch_{i}.bin" for i in (2, 1, 3, 4, 5)), "test_batch.bin"):
            labels, images = rng.choice([5, 3, 5, 7], 7), rng.integers(256, size=(7, 32, 32, 3), dtype=np.uint8)
            batch = b"".join(bytes([label]) + image[..., colour].tobytes() if colour == 0 else image[..., colour].tobytes()
                             for label, image in zip(labels, images) for colour in range(3))
            if name.startswith("data_batch"):
                dogs.append((name, images[labels == 5]))
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(batch)
            tar.addfile(info, io.BytesIO(batch))
    return file.getvalue(), np.concatenate([images for _, images in sorted(dogs, key=lambda pair: pair[0])])


def test_the_dogs_are_taken_from_cifar10(server, cache, tmp_path, monkeypatch):
    archive, dogs = cifar10(np.random.default_rng(0))
    fetch.write_npz(tmp_path / "expected.npz", dogs)
    np.testing.assert_array_equal(np.load(tmp_path / "expected.npz")["images"], dogs)
    place = "cifar10-dogs/cifar10_dogs_train.npz"
    right = hashlib.sha256((tmp_path / "expected.npz").read_bytes()).hexdigest()
    monkeypatch.setattr(fetch, "CIFAR10", ("cifar.tar.gz", hashlib.sha256(archive).hexdigest()))
    monkeypatch.setitem(MIRRORS, "cifar10_dogs", (f"{server.url}/a/",))
    server.contents["/a/cifar.tar.gz"] = archive

    monkeypatch.setitem(FILES, "cifar10_dogs", {place: ("0" * 64,)})            # made, but not what it should be
    assert main(["data", "fetch", "cifar10_dogs"]) == 1 and files_in(cache) == []
    monkeypatch.setitem(FILES, "cifar10_dogs", {place: ("0" * 64, right)})
    assert main(["data", "fetch", "cifar10_dogs"]) == 0 and files_in(cache) == [cache / place]
    data = cifar10_dogs()
    assert data.real
    np.testing.assert_allclose(data.x_train * 255, dogs.transpose(0, 3, 1, 2), atol=1e-4)


@pytest.mark.skipif("TINYNN_DATA" not in os.environ, reason="needs the real file")
def test_what_is_made_of_the_real_dogs_is_accepted(tmp_path):
    file, digests = next(iter(FILES["cifar10_dogs"].items()))
    images = np.load(os.path.join(os.environ["TINYNN_DATA"], file))["images"]
    fetch.write_npz(tmp_path / "dogs.npz", images)
    assert verified(tmp_path / "dogs.npz", digests[1:])
