"""Train everything in data/pretrained anew: ``python -m tools.artefacts.run``, `make artefacts`.

Each run is a process of its own, with one thread, so that the files are the same whatever the
number of workers. What is finished is kept: a training that was interrupted goes on when the
command is given again. Files ship when all runs are finished.
"""

import argparse
import datetime
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import filelock

from qlab.data.fashion_mnist import VALIDATION_SEED, VALIDATION_SIZE
from qlab.system.files import write_files
from qlab.system.machine import about_machine, versions
from qlab.system.threads import POOLS, cores
from qlab.system.workers import WorkersError, workers
from qlab.tflite import artefacts
from qlab.tflite.gzipping import gzip_size
from tools.artefacts.runs import SEEDS, Workshop, digest

PACKAGES = ("numpy", "tensorflow", "tf_keras", "tensorflow-model-optimization", "ai-edge-litert")
FOLDER = artefacts.folder().parent / "training"
ENTRIES = "run.json"
CHILDREN = set()  # processes of ours that are at work
MOST_TOLD = 10_000  # characters of what a worker's run said
OF_RUN = ("digest", "recipe", "made")  # what the manifest says of a file's run
ADDED = ("run", *OF_RUN, "gzip_bytes", "validation", "test")  # to a file's own entry, in shipping


def all_runs():
    """Every run by its name, those that others need first; imports TensorFlow."""
    from tools.artefacts import (
        baselines,
        case_study,
        chain_files,
        digit_files,
        distilled_files,
        language_files,
        pruned_files,
        qat_files,
        search_runs,
    )

    rooms = (distilled_files, baselines, qat_files, pruned_files, chain_files, search_runs)
    rooms += (digit_files, language_files, case_study)
    runs = {run.name: run for room in rooms for run in room.RUNS}
    ordered = {}

    def visit(name):
        if name not in ordered:
            for need in runs[name].needs:
                visit(need)
            ordered[name] = runs[name]

    for name in ("teacher", *(f"baseline-seed{x}" for x in SEEDS), *runs):
        visit(name)
    return ordered


def digests(runs):
    """What each run's recipe comes to, that of the runs it needs and of the splits included."""
    found = {}
    for name, run in runs.items():
        splits = f"{VALIDATION_SIZE} validation images, seed {VALIDATION_SEED}"
        found[name] = run.digest([splits, *(found[x] for x in run.needs)])
    return found


def state(folder, name):
    """What a finished run noted; None if it is not finished."""
    try:
        return json.loads((Path(folder) / name / ENTRIES).read_text("utf-8"))
    except FileNotFoundError:
        return None


def make(run, recipe_digest, folder):
    """Do one run, and leave its files in the folder: all of them, or none."""
    if keras := sys.modules.get("tf_keras"):
        keras.backend.clear_session()  # the names that Keras numbers begin anew
    begun, contents, entries = time.monotonic(), {}, {}
    for name, content, entry in run.make(Workshop(folder), **run.recipe):
        facts = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        contents[name], entries[name] = content, facts | entry
    _finish(run, recipe_digest, _made(time.monotonic() - begun), contents, entries, folder)


def _finish(run, recipe_digest, made, contents, entries, folder):
    """Write a run's files, and what is known of them: with that it is finished."""
    known = {
        "digest": recipe_digest,
        "recipe": run.recipe,
        "needs": list(run.needs),
        "made": made,
        "files": entries,
    }
    noted = (json.dumps(known, indent=1) + "\n").encode()
    write_files(Path(folder) / run.name, {**contents, ENTRIES: noted})


def _made(seconds):
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seconds": round(seconds),
        **about_machine(),
        "versions": versions(PACKAGES),
    }


def restore(runs, wanted, folder):
    """Lay out anew, as finished runs, what ships and is still of the same recipe."""
    shipped = {}
    for file, entry in artefacts.manifest()["files"].items():
        shipped.setdefault(entry["run"], {})[file] = entry
    for name, run in runs.items():
        entries = shipped.get(name, {})
        same = {x.get("digest") for x in entries.values()} == {wanted[name]}
        if same and state(folder, name) is None:
            made = next(iter(entries.values()))["made"]
            contents = {file: artefacts.path(file).read_bytes() for file in entries}
            own = {
                file: {key: entry[key] for key in entry if key not in ADDED}
                for file, entry in entries.items()
            }
            _finish(run, wanted[name], made, contents, own, folder)


def to_do(runs, folder):
    """Runs that are not finished; but not what only finished runs need."""
    found = []
    for name in reversed(runs):
        users = [x for x in runs if name in runs[x].needs]
        if state(folder, name) is None and (not users or set(users) & set(found)):
            found.append(name)
    return found[::-1]


def train_all(runs, wanted, folder, count, executor=None):
    """Do what is not done yet, some runs side by side; returns the names of those that failed.

    By default they are processes here; with an executor of `concurrent.futures`, its workers start
    them, wherever they are.
    """
    waiting = to_do(runs, folder)
    finished, failed, working = set(runs) - set(waiting), [], {}
    done = len(finished)
    print(f"{done} of {len(runs)} runs are done; {count} at a time", flush=True)
    pool = ThreadPoolExecutor(count)
    try:
        while waiting or working:
            ready = [x for x in waiting if finished.issuperset(runs[x].needs)]
            if not working and not ready:
                break  # what is left needs what failed
            for name in ready[: count - len(working)]:
                waiting.remove(name)
                if executor:
                    given = {x: _files(Path(folder) / x) for x in runs[name].needs}
                    future = executor.submit(done_elsewhere, __spec__.name, name, given)
                else:
                    future = pool.submit(_done_here, name, folder)
                working[future] = name, time.monotonic()
            for future in wait(working, return_when=FIRST_COMPLETED).done:
                name, begun = working.pop(future)
                done += 1
                if _kept(future, name, wanted[name], folder):
                    finished.add(name)
                else:
                    failed.append(name)
                seconds = round(time.monotonic() - begun)
                words = "FAILED" if name in failed else "done"
                print(f"{done} of {len(runs)}: {name} {words} in {seconds} s", flush=True)
    finally:
        for future in working:
            future.cancel()
        for child in list(CHILDREN):
            child.terminate()
        pool.shutdown()
    return [*failed, *waiting]


def _done_here(name, folder):
    child = subprocess.Popen(_command(__spec__.name, name, folder), env=_one_thread())
    CHILDREN.add(child)
    child.wait()
    CHILDREN.discard(child)
    return {}, ""


def done_elsewhere(command, name, given):
    """On a worker, which has the same checkout: do one run; its files, and what it said.

    What the run needs is laid out for it, because the worker may be on another machine.
    """
    with tempfile.TemporaryDirectory(prefix="qlab-") as folder:
        for run, files in given.items():
            write_files(Path(folder) / run, files)
        child = subprocess.run(
            _command(command, name, folder), env=_one_thread(), stderr=subprocess.PIPE, check=False
        )
        made = _files(Path(folder) / name) if child.returncode == 0 else {}
        return made, child.stderr.decode("utf-8", "replace")[-MOST_TOLD:]


def _command(module, name, folder):
    return [sys.executable, "-m", module, "--folder", str(folder), "--one", name]


def _one_thread():
    return os.environ | dict.fromkeys(POOLS, "1")


def _files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _kept(future, name, digest, folder):
    """Whether a run made what its recipe says; its files are then in the folder."""
    try:
        made, said = future.result()
    except Exception as error:  # the executor has given it up, such as after three dead workers
        made, said = {}, f"{type(error).__name__}: {error}\n"
    print(said, end="", file=sys.stderr, flush=True)
    if made:
        write_files(Path(folder) / name, made)
    return (state(folder, name) or {}).get("digest") == digest


def shipped(content, file, entry, run, known):
    """The manifest's entry of a file that a run made: what it knows, its size and its scores."""
    from tools.artefacts.common import measured

    if file.endswith(".tflite"):
        entry["gzip_bytes"] = gzip_size(content)
        of = entry.get("dataset"), entry.get("pixels")
        entry |= {x: measured(content, x, *of) for x in ("validation", "test")}
    return {**entry, "run": run, **{x: known[x] for x in OF_RUN}}


def ship(runs, folder, target):
    """Copy what the runs made to `target`, score the models, and write the manifest."""
    from qlab.data.fashion_mnist import validation_indices

    contents, files = {}, {}
    for name in runs:
        known = state(folder, name) or {"files": {}}  # what only finished runs needed
        for file, entry in known["files"].items():
            if entry.pop("part", False):
                continue
            contents[file] = (Path(folder) / name / file).read_bytes()
            if hashlib.sha256(contents[file]).hexdigest() != entry["sha256"]:
                raise ValueError(f"{name}/{file} was changed after it was made; train it anew")
            files[file] = shipped(contents[file], file, entry, name, known)
    indices = validation_indices()
    whole = {
        "data": {
            "validation": {
                "size": len(indices),
                "seed": VALIDATION_SEED,
                "indices_sha256": digest(indices.astype("<i8")),
            }
        },
        "files": dict(sorted(files.items())),
    }
    contents[artefacts.MANIFEST] = (json.dumps(whole, indent=1) + "\n").encode()
    target.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(target / ".lock"):
        write_files(target, contents)
        for old in target.iterdir():
            if old.name not in contents and not old.name.startswith("."):
                old.unlink()


def main(arguments=None):
    """Train what is missing and ship what is complete; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.artefacts.run", description=__doc__)
    parser.add_argument(
        "--only", metavar="NAME", help="the runs whose names begin so, and their needs"
    )
    parser.add_argument(
        "--workers", type=int, default=cores(), help="runs side by side (%(default)s)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask cluster whose workers have this checkout"
    )
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help="where runs leave what they made"
    )
    parser.add_argument(
        "--keep", action="store_true", help="train only what does not ship yet by today's recipe"
    )
    parser.add_argument("--again", action="store_true", help="train anew what another recipe made")
    parser.add_argument(
        "--list", action="store_true", help="say which runs there are, and which are done"
    )
    parser.add_argument(
        "--no-ship", action="store_true", help="leave the shipped files as they are"
    )
    parser.add_argument("--table", action="store_true", help="accuracy of each family made so far")
    parser.add_argument("--one", metavar="RUN", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    runs, folder = all_runs(), asked.folder
    wanted = digests(runs)
    if asked.one:
        make(runs[asked.one], wanted[asked.one], folder)
        return 0
    if asked.workers < 1:
        parser.error(f"--workers must be 1 or more; got {asked.workers}")
    chosen = _with_needs(runs, asked.only) if asked.only else runs
    if not chosen:
        parser.error(f"no run's name begins with {asked.only!r}; --list says which there are")
    if asked.table:
        from tools.artefacts import common, table

        for line in table.lines(_models(chosen, folder), common.pair):
            print(line, flush=True)
        return 0
    if asked.list:
        print("\n".join(f"{'done' if state(folder, x) else '    '}  {x}" for x in chosen))
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(folder / ".lock", timeout=0):
            return _train_and_ship(asked, chosen, wanted, len(chosen) == len(runs))
    except filelock.Timeout:
        print(f"another training is at work in {folder}; wait for it, or stop it", file=sys.stderr)
        return 1


def _train_and_ship(asked, runs, wanted, whole):
    folder = asked.folder
    changed = [x for x in runs if (known := state(folder, x)) and known["digest"] != wanted[x]]
    if changed and not asked.again:
        print(
            f"{len(changed)} runs in {folder} were made by another recipe, or of files that were: "
            f"{', '.join(changed[:5])}{', ...' if changed[5:] else ''}. Nothing was trained, so "
            "that nothing is mixed; --again trains these runs anew.",
            file=sys.stderr,
        )
        return 1
    for name in changed:
        shutil.rmtree(folder / name)
    if asked.keep:
        restore(runs, wanted, folder)
    signal.signal(signal.SIGTERM, _stop)
    try:
        with workers(scheduler=asked.scheduler) as (executor, there):
            failed = train_all(runs, wanted, folder, there or asked.workers, executor)
    except WorkersError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped. What is finished is kept; the same command goes on.", file=sys.stderr)
        return 130
    if failed:
        print(f"not made: {', '.join(failed)}", file=sys.stderr)
        return 1
    if whole and not asked.no_ship:
        ship(runs, folder, artefacts.folder())
        print(f"all files are in {artefacts.folder()}")
    return 0


def _stop(*_):
    raise KeyboardInterrupt


def _models(runs, folder):
    """Paths of all models of garments that finished runs made, by file name."""
    states = {name: state(folder, name) for name in runs}
    return {
        file: Path(folder) / name / file
        for name, known in states.items()
        for file, entry in (known or {"files": {}})["files"].items()
        if "dataset" not in entry
    }


def _with_needs(runs, beginning):
    wanted = {name for name in runs if name.startswith(beginning)}
    for name in reversed(runs):
        if name in wanted:
            wanted |= set(runs[name].needs)
    return {name: run for name, run in runs.items() if name in wanted}


if __name__ == "__main__":
    from tools.artefacts.run import main  # under this name workers know what they are sent

    sys.exit(main())
