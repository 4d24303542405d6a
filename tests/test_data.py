"""Fashion-MNIST: found, fetched, verified; and what happens when something is wrong with it."""

import errno
import gzip
import hashlib
import http.server
import multiprocessing
import os
import shutil
import socket
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import platformdirs
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from qlab import data
from qlab.data import fetching as fetch
from qlab.data import idx
from qlab.data.fashion_mnist import validation_indices

FILES = list(idx.FILES)
TEST_IMAGES = "t10k-images-idx3-ubyte.gz"
TEST_LABELS = "t10k-labels-idx1-ubyte.gz"
TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
TRAIN_LABELS = "train-labels-idx1-ubyte.gz"
IN_CI = os.environ.get("CI") == "true"
needs_debian = pytest.mark.skipif(
    not (shutil.which("apt-get") and shutil.which("dpkg-deb")), reason="not a Debian-like system"
)


@pytest.fixture(scope="session")
def good():
    """A folder with the four real files."""
    return data.fetch(progress=False)


@pytest.fixture
def copy(good, tmp_path):
    """A folder of links to the four real files, to spoil one of them."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in FILES:
        (folder / name).symlink_to(good / name)
    return folder


@pytest.fixture
def home(monkeypatch, tmp_path):
    """An empty folder of qlab's own, no other place, no mirror and no apt."""
    folder = tmp_path / "home" / "fashion-mnist"
    monkeypatch.delenv("QLAB_DATA", raising=False)
    monkeypatch.setattr(fetch, "own_folders", lambda: [folder])
    monkeypatch.setattr(fetch, "places", lambda: [folder])
    monkeypatch.setattr(fetch, "MIRRORS", ())
    monkeypatch.setattr(fetch.shutil, "which", lambda name: None)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return folder


class Mirror(http.server.ThreadingHTTPServer):
    """Serves a folder on 127.0.0.1; `fault` makes it a bad mirror."""

    daemon_threads = True

    def __init__(self, folder, fault=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.fault, self.asked = folder, fault, []
        self.release = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name, fault = self.path.lstrip("/"), self.server.fault
        self.server.asked.append(name)
        if fault == "missing":
            return self.send_error(404)
        other = {TEST_IMAGES: TRAIN_IMAGES, TRAIN_IMAGES: TEST_IMAGES}.get(name, name)
        content = (self.server.folder / (other if fault == "swapped" else name)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault == "slow":
            self.server.release.wait(60)
        return self.wfile.write(content[:1000] if fault == "broken off" else content)

    def log_message(self, *ignored):
        pass


@pytest.fixture
def mirror(good):
    """Start mirrors; all are stopped in the end."""
    running = []

    def start(fault=None):
        server = Mirror(good, fault)
        running.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    yield start
    for server in running:
        server.release.set()
        server.shutdown()
        server.server_close()


def assert_intact(folder):
    """Only the four files are there (and the lock), each the real one."""
    assert sorted(p.name for p in folder.iterdir() if p.name != ".lock") == sorted(FILES)
    for name in FILES:
        assert idx.read_array(folder / name).shape == idx.FILES[name][0]


def leftovers(folder):
    return [p.name for p in folder.rglob("*") if p.name != ".lock"]


# What it is


def test_the_splits_are_the_published_ones(fashion):
    splits = (fashion.train, 50_000), (fashion.validation, 10_000), (fashion.test, 10_000)
    for split, n in splits:
        assert split.images.shape == (n, 28, 28, 1)
        assert split.images.dtype == np.uint8
        assert split.labels.dtype == np.int64
        assert len(split) == n
        assert np.bincount(split.labels).tolist() == [n // 10] * 10
    assert fashion.class_names[9] == "Ankle boot"
    assert len(fashion.class_names) == 10
    assert [fashion.class_names[k] for k in fashion.test.labels[:3]] == [
        "Ankle boot",
        "Pullover",
        "Trouser",
    ]


def test_checksums_are_those_of_the_decompressed_arrays(good):
    beginnings = ["2e487a6c89124f78", "657fbd221bfc9f41", "c867c93ff9536059", "3d0e6c6ea990b53b"]
    for name, beginning in zip(FILES, beginnings, strict=True):
        content = gzip.decompress((good / name).read_bytes())
        header = 16 if "idx3" in name else 8
        digest = hashlib.sha256(content[header:]).hexdigest()
        assert digest == idx.FILES[name][1]
        assert digest.startswith(beginning)


def test_nobody_can_alter_the_shared_arrays(fashion):
    arrays = [x for part in (fashion.train, fashion.validation, fashion.test)
              for x in (part.images, part.labels)]  # fmt: skip
    for array in (*arrays, validation_indices()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_training_split_is_read_only_when_touched(copy, monkeypatch):
    monkeypatch.setenv("QLAB_DATA", str(copy))
    (copy / TRAIN_IMAGES).unlink()
    dataset = data.load()
    assert len(dataset.test) == 10_000
    with pytest.raises(data.DataError, match=f"{TRAIN_IMAGES} is missing"):
        dataset.train  # noqa: B018


# Validation images


def test_train_and_validation_are_the_published_training_images_each_once(fashion, good):
    published = idx.read_array(good / TRAIN_LABELS)
    indices, labels = validation_indices(), np.empty(60_000, np.int64)
    rest = np.setdiff1d(np.arange(60_000), indices)
    labels[indices], labels[rest] = fashion.validation.labels, fashion.train.labels
    np.testing.assert_array_equal(labels, published)
    assert len(indices) == len(set(indices)) == 10_000


def test_the_draw_of_validation_images_is_for_ever_the_same():
    digest = hashlib.sha256(validation_indices().astype("<i8").tobytes()).hexdigest()
    assert digest.startswith("7278d9dbaeb052df")


@given(
    st.lists(st.integers(0, 3), min_size=30, max_size=300), st.floats(0.2, 0.8), st.integers(0, 9)
)
def test_a_stratified_draw_has_each_class_by_its_share(labels, share, seed):
    labels, n = np.array(labels), int(share * len(labels))
    classes, counts = np.unique(labels, return_counts=True)
    wanted = n * counts / len(labels)
    try:
        drawn = data.stratified(labels, n, seed)
    except ValueError:
        assert wanted.min() < 1 or (counts - wanted).min() < 1
        return
    assert len(set(drawn)) == n and (np.diff(drawn) > 0).all()
    found = np.array([(labels[drawn] == x).sum() for x in classes])
    assert (np.abs(found - wanted) < 1).all()


@pytest.mark.parametrize(
    ("labels", "n", "words"),
    [
        ([0, 1] * 5, 10, "some must stay to train with"),
        ([0, 1] * 5, 11, "11 pictures cannot be set aside of 10"),
        ([], 1, "cannot be set aside of 0"),
        ([0] * 9 + [1], 2, "0 of the 1 of class 1: each class needs at least one"),
        ([0, 0, 0, 1, 1, 1], 1, "of class 1"),
        ([0, 1], 0, "1 or more; got 0"),
        ([0, 1], 1.5, "whole number"),
    ],
)
def test_a_split_asked_of_too_few_is_refused_in_words(labels, n, words):
    with pytest.raises(ValueError, match=words):
        data.stratified(np.array(labels, int), n)


# Calibration draws


def test_a_smaller_draw_is_the_beginning_of_a_larger_one():
    large = data.calibration_images(1024, seed=3)
    assert large.shape == (1024, 28, 28, 1)
    assert large.dtype == np.uint8
    for n in (1, 16, 300):
        np.testing.assert_array_equal(data.calibration_images(n, seed=3), large[:n])
    assert not np.array_equal(large, data.calibration_images(1024, seed=4))


def test_draws_come_from_the_images_to_train_with_without_repeats(fashion):
    drawn = data.calibration_images(200).reshape(200, -1)
    train = {row.tobytes() for row in fashion.train.images.reshape(50_000, -1)}
    assert len({row.tobytes() for row in drawn}) == 200
    assert all(row.tobytes() in train for row in drawn)


@pytest.mark.parametrize(
    "classes", ["Bag", 8, ["Bag"], (8, "Bag"), np.int64(8)], ids=lambda c: repr(c)
)
def test_draws_from_one_class(fashion, classes):
    bags = {row.tobytes() for row in fashion.train.images[fashion.train.labels == 8]}
    drawn = data.calibration_images(50, classes=classes)
    assert all(row.tobytes() in bags for row in drawn)
    np.testing.assert_array_equal(drawn, data.calibration_images(64, classes="Bag")[:50])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": 0}, "1 or more"),
        ({"n": -5}, "1 or more"),
        ({"n": 2.5}, "whole number"),
        ({"n": True}, "whole number"),
        ({"n": "8"}, "whole number"),
        ({"n": 50_001}, "only 50,000"),
        ({"n": 5_001, "classes": "Coat"}, "only 5,000"),
        ({"classes": "Hat"}, "no class 'Hat'.*Trouser"),
        ({"classes": 10}, "no class 10"),
        ({"classes": -1}, "no class -1"),
        ({"classes": True}, "no class True"),
        ({"classes": []}, "empty"),
        ({"seed": -1}, "seed"),
    ],
    ids=str,
)
def test_impossible_draws_are_refused_in_words(arguments, words):
    with pytest.raises(ValueError, match=words):
        data.calibration_images(**arguments)


def test_a_draw_does_not_keep_the_training_split():
    tracemalloc.start()
    drawn = data.calibration_images(1024)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 3 * drawn.nbytes


# Bad files


def _truncate(folder):
    content = (folder / TEST_IMAGES).read_bytes()
    return TEST_IMAGES, content[: len(content) // 2]


def _shorten(folder):
    content = gzip.decompress((folder / TEST_IMAGES).read_bytes())
    return TEST_IMAGES, gzip.compress(content[:-1], 1)


def _lengthen(folder):
    content = gzip.decompress((folder / TEST_LABELS).read_bytes())
    return TEST_LABELS, gzip.compress(content + b"\0")


def _swap(folder):
    return TEST_IMAGES, (folder / TRAIN_IMAGES).read_bytes()


def _labels_for_images(folder):
    return TEST_IMAGES, (folder / TEST_LABELS).read_bytes()


def _alter(folder):
    content = bytearray(gzip.decompress((folder / TEST_LABELS).read_bytes()))
    content[5000] ^= 1
    return TEST_LABELS, gzip.compress(content)


BAD = {
    "cut in half": (_truncate, "truncated"),
    "one pixel short": (_shorten, "truncated"),
    "one label too many": (_lengthen, "checksum"),
    "training images under the test name": (_swap, "holds an array of 60000 x 28 x 28"),
    "labels under the images' name": (_labels_for_images, "holds an array of 10000"),
    "one bit altered": (_alter, "checksum"),
    "a web page": (lambda folder: (TEST_IMAGES, b"<html>sign in</html>"), "not a gzip file"),
    "empty": (lambda folder: (TEST_LABELS, b""), "no idx file of bytes"),
    "another gzip file": (
        lambda f: (TEST_LABELS, gzip.compress(b"hello " * 9)),
        "no idx file of bytes",
    ),
    "a bomb": (lambda f: (TEST_LABELS, gzip.compress(bytes(1 << 26))), "no idx file of bytes"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_named_and_the_next_place_is_tried(case, copy, good, monkeypatch):
    make, words = BAD[case]
    name, content = make(copy)
    (copy / name).unlink()
    (copy / name).write_bytes(content)
    with pytest.raises(idx.BadFile, match=rf"{name}.*{words}"):
        idx.read_array(copy / name)
    monkeypatch.delenv("QLAB_DATA", raising=False)
    monkeypatch.setattr(fetch, "places", lambda: [copy, good])
    monkeypatch.setattr(fetch, "_bring", lambda *_: pytest.fail("the second place is good"))
    assert len(data.load().test) == 10_000
    assert data.fetch() == good
    assert (copy / name).read_bytes() == content  # what the learner had is left alone


def test_a_bomb_is_not_unpacked(tmp_path):
    (tmp_path / TEST_LABELS).write_bytes(gzip.compress(bytes(1 << 27)))
    tracemalloc.start()
    with pytest.raises(idx.BadFile):
        idx.read_array(tmp_path / TEST_LABELS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 24


def test_a_folder_in_place_of_a_file(tmp_path):
    (tmp_path / TEST_LABELS).mkdir()
    with pytest.raises(idx.BadFile, match="missing"):
        idx.read_array(tmp_path / TEST_LABELS)


def test_an_unreadable_file(copy, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(idx.BadFile, match="cannot be read: Permission denied"):
        idx.read_array(copy / TEST_LABELS)


@pytest.mark.parametrize("what", ["no such folder", "empty folder", "wrong file"])
def test_a_named_folder_that_is_wrong_is_an_error_not_a_download(what, copy, tmp_path, monkeypatch):
    folder = {"no such folder": tmp_path / "nowhere", "empty folder": tmp_path / "empty"}.get(
        what, copy
    )
    (tmp_path / "empty").mkdir()
    (copy / TEST_LABELS).unlink()
    (copy / TEST_LABELS).write_bytes(gzip.compress(b"no"))
    monkeypatch.setenv("QLAB_DATA", str(folder))
    monkeypatch.setattr(fetch, "_bring", lambda *_: pytest.fail("must not download"))
    with pytest.raises(data.DataError) as caught:
        data.load()
    for words in ("QLAB_DATA", str(folder), "Unset QLAB_DATA", "qlab data", "apt install"):
        assert words in str(caught.value)


def test_search_order(monkeypatch, tmp_path):
    monkeypatch.delenv("QLAB_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(fetch, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    checkout, bundle = tmp_path / "data" / "fashion-mnist", tmp_path / "offline" / "data"
    cache = platformdirs.user_cache_path("qlab", appauthor=False) / "fashion-mnist"
    debian = Path("/usr/share/datasets/fashion-mnist")
    assert fetch.places() == [checkout, cache, debian]
    bundle.mkdir(parents=True)
    assert fetch.places() == [checkout, cache, bundle, debian]
    assert fetch.own_folders() == [checkout, cache], "the bundle is never written to"
    (tmp_path / "pyproject.toml").unlink()
    assert fetch.own_folders() == [cache]
    monkeypatch.setenv("QLAB_DATA", "~/mine")
    assert fetch.places() == [Path.home() / "mine"]


# Mirrors


def test_a_good_mirror(home, mirror, monkeypatch, capsys):
    server = mirror()
    monkeypatch.setattr(fetch, "MIRRORS", (server.url,))
    assert data.fetch() == home
    assert_intact(home)
    assert server.url in capsys.readouterr().err  # says what it is doing
    assert data.fetch() == home
    assert len(server.asked) == 4  # once each, and not again


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("broken off", "connection broke off"),
        ("swapped", "another file than its name says"),
        ("missing", "answered 404"),
        ("slow", "no answer within"),
    ],
)
def test_a_bad_mirror_is_passed_over(fault, words, home, mirror, monkeypatch):
    bad = mirror(fault)
    monkeypatch.setattr(fetch, "TIMEOUT", (1, 0.3))
    monkeypatch.setattr(fetch, "MIRRORS", (bad.url,))
    with pytest.raises(data.DataError, match=words) as caught:
        data.fetch(progress=False)
    assert bad.url in str(caught.value)
    assert leftovers(home) == []
    monkeypatch.setattr(fetch, "MIRRORS", (bad.url, mirror().url))
    data.fetch(progress=False)
    assert_intact(home)


def test_no_network_is_one_error_that_lists_places_and_remedies(home, monkeypatch):
    with socket.socket() as unused:  # a port that nothing listens on
        unused.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        monkeypatch.setattr(fetch, "MIRRORS", (dead, "http://qlab.invalid/"))
        with pytest.raises(data.DataError) as caught:
            data.load()
    message = str(caught.value)
    for words in (str(home), "no such folder", dead, "http://qlab.invalid/", "cannot be reached"):
        assert words in message
    for remedy in ("1. connect", "2. on Debian", "3. copy these four files", *FILES):
        assert remedy in message
    assert leftovers(home) == []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("https_proxy", "http://127.0.0.1:9", "the proxy that HTTPS_PROXY or HTTP_PROXY names"),
        ("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem", "/no/such/bundle.pem"),
        ("https_proxy", "", "no encrypted connection can be made"),
    ],
)
def test_not_everything_is_a_missing_network(name, value, words, home, mirror, monkeypatch):
    for variable in ("HTTPS_PROXY", "https_proxy", "no_proxy", "NO_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, value)
    plain = mirror().url.replace("http:", "https:")  # it answers, and not as encrypted as asked
    monkeypatch.setattr(fetch, "MIRRORS", (plain,))
    with pytest.raises(fetch.DataError) as refused:
        fetch.read(FILES, progress=False)
    assert words in str(refused.value)
    assert "no network" not in str(refused.value) and "cannot be written" not in str(refused.value)


def test_a_certificate_that_is_not_trusted_is_called_so():
    certificate = requests.exceptions.SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")
    assert "its certificate is not trusted here" in fetch._in_words(certificate)


def test_a_damaged_file_of_our_own_is_fetched_again(home, mirror, monkeypatch):
    home.mkdir(parents=True)
    (home / TEST_LABELS).write_bytes(b"half a downl")
    (home / ".partial-killed").mkdir()  # left by a process that was killed
    (home / ".partial-killed" / TEST_IMAGES).write_bytes(b"x")
    monkeypatch.setattr(fetch, "MIRRORS", (mirror().url,))
    assert len(data.load().test) == 10_000
    assert_intact(home)


def test_a_full_disk_during_download(home, mirror, monkeypatch):
    import pooch

    def fill(self, url, output_file, pooch, check_only=False):
        Path(output_file).write_bytes(b"the first part")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", fill)
    monkeypatch.setattr(fetch, "MIRRORS", (mirror().url,))
    with pytest.raises(data.DataError, match=r"disk that holds .* is full.*Nothing was kept"):
        data.fetch(progress=False)
    assert leftovers(home) == []


@pytest.mark.parametrize("obstacle", ["file in place of folder", "no permission"])
def test_a_read_only_checkout_uses_the_cache_folder(obstacle, home, mirror, monkeypatch, tmp_path):
    blocked = tmp_path / "checkout" / "data" / "fashion-mnist"
    if obstacle == "file in place of folder":
        (tmp_path / "checkout").write_text("")
    else:
        mkdir = Path.mkdir

        def refuse(self, *args, **kwargs):
            if tmp_path / "checkout" in self.parents:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            mkdir(self, *args, **kwargs)

        monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(fetch, "own_folders", lambda: [blocked, home])
    monkeypatch.setattr(fetch, "places", lambda: [blocked, home])
    monkeypatch.setattr(fetch, "MIRRORS", (mirror().url,))
    assert data.fetch(progress=False) == home
    assert_intact(home)


def test_nowhere_to_write(home, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    blocked = tmp_path / "file" / "data"
    monkeypatch.setattr(fetch, "own_folders", lambda: [blocked])
    monkeypatch.setattr(fetch, "places", lambda: [blocked])
    with pytest.raises(data.DataError, match="cannot be written"):
        data.fetch(progress=False)


def _fetch_in_a_process(home, url, start, answers):
    fetch.own_folders = fetch.places = lambda: [home]
    fetch.MIRRORS = (url,)
    start.wait(60)
    try:
        answers.put(str(data.fetch(progress=False)))
    except Exception as error:
        answers.put(repr(error))


def test_two_processes_starting_at_once_share_one_download(home, mirror):
    server, spawn = mirror(), multiprocessing.get_context("spawn")
    start, answers = spawn.Event(), spawn.Queue()
    processes = [
        spawn.Process(target=_fetch_in_a_process, args=(home, server.url, start, answers))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    time.sleep(1)
    start.set()
    assert [answers.get(timeout=60) for _ in processes] == [str(home)] * 2
    for process in processes:
        process.join(60)
    assert sorted(server.asked) == sorted(FILES)
    assert_intact(home)


def test_another_process_that_does_not_finish(home, monkeypatch, capsys):
    import filelock

    home.mkdir(parents=True)
    monkeypatch.setattr(fetch, "LOCK_TIMEOUT", 0.2)
    with (
        filelock.FileLock(home / ".lock", is_singleton=False),
        pytest.raises(data.DataError, match="another process is fetching"),
    ):
        data.fetch()
    assert "waiting" in capsys.readouterr().err


# Debian's package


@needs_debian
@pytest.mark.parametrize("lists", ["the system's package lists", "no package lists"])
def test_debian_package(lists, home, monkeypatch, tmp_path):
    monkeypatch.setattr(fetch.shutil, "which", lambda name: name)
    if lists == "no package lists":
        (tmp_path / "lists" / "partial").mkdir(parents=True)
        (tmp_path / "apt.conf").write_text(f'Dir::State::Lists "{tmp_path}/lists";\n')
        monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    try:
        assert data.fetch(progress=False) == home
    except data.DataError as error:
        if IN_CI:
            raise
        pytest.skip(f"no Debian mirror can be reached from here: {error}")
    assert_intact(home)


def _pretend_apt(folder, monkeypatch, script):
    """An apt-get of our own on PATH."""
    folder.mkdir()
    for name in ("apt-get", "dpkg-deb"):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setattr(fetch.shutil, "which", lambda name: name)


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for apt-get")
def test_apt_that_fails_says_why(home, monkeypatch, tmp_path):
    _pretend_apt(tmp_path / "bin", monkeypatch, "echo E: Unable to locate package; exit 100")
    with pytest.raises(data.DataError, match="dataset-fashion-mnist: E: Unable to locate package"):
        data.fetch(progress=False)
    assert leftovers(home) == []


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for apt-get")
def test_a_full_disk_during_apt(home, monkeypatch, tmp_path):
    script = "echo 'E: write (28: No space left on device)'; exit 100"
    _pretend_apt(tmp_path / "bin", monkeypatch, script)
    with pytest.raises(data.DataError, match="is full"):
        data.fetch(progress=False)
    assert leftovers(home) == []


def test_the_dataset_card_gives_the_same_checksums():
    card = Path(__file__).parents[1] / "data" / "README.md"
    text = card.read_text("utf-8")
    for name, (_, digest) in idx.FILES.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}`"))
        assert f"`{digest}`" in row
    for number, name in enumerate(data.CLASS_NAMES):
        assert f"| {number} | {name} |" in text
