"""Beyond one machine: a real Dask cluster, one of whose two workers is killed, makes the same."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import qlab
from qlab import cli
from qlab.system import workers as module
from qlab.system.workers import WorkersError, workers
from qlab.trials import search
from qlab.trials.search import Scorer, run_search, search_images

REPOSITORY = Path(__file__).parents[1]
BUDGET = 26_000
needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None and os.environ.get("CI") != "true",
    reason="needs Dask: make extras",
)


class Cluster:
    """A scheduler and two workers, each a process, on 127.0.0.1."""

    def __init__(self, folder):
        self.file, self.folder, self.started = folder / "scheduler.json", folder, []
        self.settings = {
            **os.environ, "QLAB_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(folder), str(REPOSITORY)]),
        }  # fmt: skip
        self._start("scheduler", "--port", "0", "--no-show", "--protocol", "tcp")
        for _ in range(600):
            if self.file.exists() and self.file.stat().st_size:
                break
            time.sleep(0.1)
        self.address = json.loads(self.file.read_text())["address"]
        self.workers = [
            self._start("worker", "--nthreads", "1", "--no-nanny", "--death-timeout", "60")
            for _ in range(2)
        ]

    def _start(self, kind, *options):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--host", "127.0.0.1"]
        command += ["--scheduler-file", str(self.file), "--no-dashboard", *options]
        with open(self.folder / f"log-{len(self.started)}", "wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, env=self.settings
            )
        self.started.append(process)
        return process

    def wait_for_workers(self):
        from distributed import Client

        with Client(self.address) as client:
            client.wait_for_workers(2, timeout=60)

    def kill_one(self):
        self.workers[0].send_signal(signal.SIGKILL)
        self.workers[0].wait()

    def close(self):
        for process in reversed(self.started):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    there = Cluster(tmp_path)
    try:
        there.wait_for_workers()
        yield there
    finally:
        there.close()


@pytest.fixture(scope="module")
def engine():
    return qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(64))


def searched(engine, method, executor=None, ahead=0, files=60, after=None):
    score = Scorer(engine, *search_images(200), executor=executor, ahead=ahead)
    for trial in run_search(score, BUDGET, method, files, seed=1):
        if after and trial.number == files // 3:
            after()
    return score.trials


@pytest.mark.parametrize("method", list(search.METHODS))
def test_workers_ahead_change_nothing(engine, method):
    with ThreadPoolExecutor(3) as pool:
        assert searched(engine, method, pool, ahead=6) == searched(engine, method)


def test_workers_begin_with_what_is_asked_for_next(engine):
    """Of all that workers are given, little is not used: else they would only heat the room."""
    for method, least in (("uniform", 0.9), ("random", 0.9), ("greedy", 0.5)):
        given = []

        class Counting(ThreadPoolExecutor):
            def submit(self, work, digest, whole, recipe):
                given.append(recipe)  # noqa: B023
                return super().submit(work, digest, whole, recipe)

        with Counting(2) as pool:
            used = searched(engine, method, pool, ahead=4)
        assert len(given) == len(set(given)) and len(used) / len(given) >= least


def test_a_worker_that_was_sent_nothing_asks_for_it(engine, monkeypatch):
    monkeypatch.setattr(search, "_SUBJECTS", {})
    recipe = qlab.Recipe(calibration_size=64)
    assert search.work("digest", None, recipe) is None
    with ThreadPoolExecutor(1) as pool:
        ours = Scorer(engine, *search_images(200), executor=pool)
        first = ours(recipe)
        search._SUBJECTS.clear()  # as if another worker had taken over
        assert ours(recipe.replace(weight_bits=4)).gzip_bytes < first.gzip_bytes
    for other in range(5):
        size = 10 + other
        with ThreadPoolExecutor(1) as pool:
            Scorer(engine, *search_images(size), executor=pool)(recipe)
    assert len(search._SUBJECTS) == search.SUBJECTS


def test_processes_here_make_the_same_files(tmp_path, capsys):
    where = [tmp_path / "alone", tmp_path / "two"]
    for folder, options in zip(where, ([], ["--workers", "2"]), strict=True):
        assert command(folder, *options, files=12) == 0
    assert contents(where[0]) == contents(where[1]) and len(contents(where[0])) == 2
    assert "2 workers" in capsys.readouterr().out


def command(folder, *options, files=60):
    baseline = qlab.artefacts.path("baseline.tflite")
    return cli.main(
        ["search", str(baseline), "--budget", str(BUDGET), "--to", str(folder), "--images", "200",
         "--method", "random", "--files", str(files), "--seeds", "0", "1", *options]
    )  # fmt: skip


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@needs_dask
def test_a_search_whose_worker_is_killed_finds_the_same(cluster, engine):
    alone = searched(engine, "greedy")
    with workers(scheduler=cluster.address) as (executor, count):
        assert count == 2
        found = searched(engine, "greedy", executor, 2 * count, after=cluster.kill_one)
    assert cluster.workers[0].poll() == -signal.SIGKILL and cluster.workers[1].poll() is None
    assert found == alone


@needs_dask
def test_the_command_writes_the_same_files_on_a_cluster(cluster, tmp_path):
    cluster.kill_one()
    assert command(tmp_path / "there", "--scheduler", cluster.address, files=10) == 0
    assert command(tmp_path / "here", files=10) == 0
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


RUNS = """
import os, sys, time
from tools.artefacts import run as making
from tools.artefacts.runs import Run

def write(workshop, text, of=()):
    time.sleep(0.3)
    before = b"".join(workshop.path(x, f"{x}.json").read_bytes() for x in of)
    yield f"{text}.json", before + text.encode(), {}

RUNS = [Run(x, write, {"text": x}) for x in "abcd"]
RUNS += [Run(x + y, write, {"text": x + y, "of": x + y}, (x, y)) for x in "ab" for y in "cd"]
making.all_runs = lambda: {run.name: run for run in RUNS}
making.__spec__ = type("Spec", (), {"name": "made_up_runs"})
if __name__ == "__main__":
    sys.exit(making.main())
"""


@needs_dask
def test_a_retraining_whose_worker_is_killed_leaves_the_same(cluster, tmp_path):
    (tmp_path / "made_up_runs.py").write_text(textwrap.dedent(RUNS))

    def retrain(folder, *options):
        return subprocess.Popen(
            [sys.executable, "-m", "made_up_runs", "--no-ship", "--folder", folder, *options],
            cwd=tmp_path, env=cluster.settings, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    with retrain("there", "--scheduler", cluster.address) as process:
        said = process.stdout.readline() + process.stdout.readline()
        cluster.kill_one()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert said.splitlines()[0] == "0 of 8 runs are done; 2 at a time"
    assert out.count(" done in ") == 7
    with retrain("here", "--workers", "2") as process:
        assert process.communicate(timeout=120)[1] == "" and process.returncode == 0
    ours, theirs = ({x.relative_to(folder): x.read_bytes() for x in folder.rglob("*.json")
                     if x.name != "run.json"}
                    for folder in (tmp_path / "here", tmp_path / "there"))  # fmt: skip
    assert ours == theirs and len(ours) == 8
    assert ours[Path("ad/ad.json")] == b"adad"


@needs_dask
@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({}, "has no workers"),
        ({"w": ImportError("qlab")}, "w cannot use qlab"),
        ({"w": {**module.versions(), "numpy": "1.0"}}, "w has numpy 1.0, and here it is 2"),
    ],
)
def test_workers_that_would_make_other_files_are_refused(found, words):
    with pytest.raises(WorkersError, match=words):
        module._require_same(found)
    module._require_same({"w": module.versions()})


@needs_dask
def test_a_scheduler_that_is_not_there_is_said_in_words(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(module, "WAIT", 0.5)
    assert command(tmp_path, "--scheduler", "tcp://127.0.0.1:9") == 1
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert command(tmp_path, "--scheduler", "tcp://127.0.0.1:9") == 1
    assert "pip install 'qlab[cluster]'" in capsys.readouterr().err
