"""``qlab doctor``: is this machine ready for the course, and if not, what to do."""

import importlib.metadata
import itertools
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from qlab.system import isolated
from qlab.system.settings import NUMBERS, SettingError, number
from qlab.system.threads import cores, threads

PACKAGES = (
    "numpy",
    "tensorflow",
    "tf_keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
    "matplotlib",
    "jupyterlab",
    "ipywidgets",
    "anywidget",
)
REINSTALL = "run `make setup` in the checkout, or `pip install -e .` there"
EXTENSIONS = {
    "@jupyter-widgets/jupyterlab-manager": "widgets extension",
    "anywidget": "anywidget extension",
}
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_PLACES = (
    "/usr/bin/chromium",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
)
CHROMIUM_ADVICE = (
    "install Chromium (Debian, Ubuntu: `sudo apt-get install chromium`) "
    "or set QLAB_CHROMIUM to a Chromium or Chrome program"
)

KERAS = """
import tf_keras
print("keras", tf_keras.__version__)
print("settings", tf_keras.backend.image_data_format(), tf_keras.backend.floatx())
"""
EXPLORER = "import qlab.widgets\nqlab.widgets.QuantizationExplorer()"


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report."""

    name: str
    text: str
    ok: bool = True
    needed: bool = True

    def __str__(self):
        mark = "ok" if self.ok else "!!" if self.needed else "--"
        return f"{mark}  {self.name:<30} {self.text}"


def main(out=None, memory=False):
    """Run every check and print each line as soon as it is known."""
    failed = 0
    found = checks(notes=sys.stderr)
    for check in itertools.chain(found, memory_checks(sys.stderr)) if memory else found:
        print(check, file=out, flush=True)
        failed += not check.ok and check.needed
    print(_verdict(failed), file=out)
    return 1 if failed else 0


def checks(notes=None):
    """Yield a `Check` for each thing the course needs; what takes long is announced in `notes`."""
    yield check_python()
    for name in PACKAGES:
        yield check_package(name)
    yield check_machine()
    yield check_numbers()
    for name in EXTENSIONS:
        yield check_extension(name)
    yield check_chromium()
    yield check_micro()
    yield check_data()
    yield from check_artefacts()
    if notes:
        print("    importing TensorFlow in a process of its own, some seconds", file=notes)
    yield check_keras()


def find_chromium():
    """Find a Chromium or Chrome for the browser tests."""
    chosen = os.environ.get("QLAB_CHROMIUM")
    if chosen:
        return shutil.which(chosen)
    found = (shutil.which(name) for name in (*CHROMIUM_NAMES, *CHROMIUM_PLACES))
    return next((path for path in found if path), None)


def check_python():
    """Check that this is CPython 3.11 to 3.13, as `Check`."""
    version = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 13) and sys.implementation.name == "cpython":
        return Check("Python", f"{version} ({sys.executable})")
    return Check("Python", f"this is {version}; install CPython 3.11, 3.12 or 3.13", ok=False)


def check_package(name):
    """Check that a distribution is installed, without importing it."""
    try:
        return Check(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, f"not installed: {REINSTALL}", ok=False)


def check_machine():
    """Report cores and memory, as `Check`; too little free memory is a note."""
    import psutil

    memory = psutil.virtual_memory()
    text = f"{cores()} cores, {memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free"
    if memory.available < 1e9:
        text += ": close other programs, a training notebook takes about 0.6 GB"
        return Check("cores and memory", text, ok=False, needed=False)
    return Check("cores and memory", text)


def check_numbers():
    """Check the numbers that the environment sets, as `Check`."""
    try:
        found = {name: number(name) for name in NUMBERS}
    except SettingError as error:
        return Check("settings", str(error), ok=False)
    told = [f"{name}={value:g}" for name, value in found.items() if value is not None]
    return Check("settings", ", ".join([f"at most {threads()} threads", *told]))


def check_extension(name):
    """Check that JupyterLab will load an extension that explorers need, as `Check`."""
    from jupyter_core.paths import jupyter_path
    from jupyterlab_server.config import get_page_config

    folders = jupyter_path("labextensions")
    found = [Path(f, name, "package.json") for f in folders]
    manifest = next((path for path in found if path.is_file()), None)
    if manifest is None:
        return Check(EXTENSIONS[name], f"{name} is not installed: {REINSTALL}", ok=False)
    disabled = get_page_config(folders).get("disabledExtensions", [])
    if any(plugin.split(":")[0] == name for plugin in disabled):
        advice = f"disabled: run `jupyter labextension enable {name}`"
        return Check(EXTENSIONS[name], advice, ok=False)
    version = json.loads(manifest.read_text(encoding="utf-8"))["version"]
    return Check(EXTENSIONS[name], f"{name} {version} enabled")


def check_chromium():
    """Look for a browser for the tests, as `Check`; the course itself needs none."""
    path = find_chromium()
    if path:
        return Check("Chromium for tests", path, needed=False)
    text = f"only browser tests need it: {CHROMIUM_ADVICE}"
    return Check("Chromium for tests", text, ok=False, needed=False)


def check_micro():
    """Look for the microcontrollers' runtime, as `Check`; without it, cached numbers are shown."""
    from qlab.tflite.micro_runtime import UNAVAILABLE, available

    name = "TensorFlow Lite Micro"
    if not available():
        return Check(name, UNAVAILABLE, ok=False, needed=False)
    return Check(name, importlib.metadata.version("tflite-micro"), needed=False)


def check_data():
    """Check that Fashion-MNIST is here and intact, as `Check`; fetch nothing."""
    from qlab.data import fetching as fetch
    from qlab.data import idx

    problem = "not on this machine yet"
    for folder in fetch.places():
        try:
            for name in idx.FILES:
                idx.read_array(folder / name)
            return Check("Fashion-MNIST", f"intact, in {folder}")
        except idx.BadFile as error:
            if folder.is_dir():
                problem = str(error)
    return Check("Fashion-MNIST", f"{problem}: run `qlab data`", ok=False)


def check_artefacts():
    """Check every shipped model against its manifest."""
    from qlab.tflite import artefacts

    try:
        answers = artefacts.verify()
    except artefacts.ArtefactError as error:
        return [Check("pretrained models", str(error), ok=False)]
    bad = [Check(name, problem, ok=False) for name, problem in answers if problem]
    return bad or [Check("pretrained models", f"{len(answers)} files intact")]


def check_keras():
    """Import tf_keras in a process of its own, look at its settings too, as `Check`."""
    ended = isolated.run(KERAS, 300)
    if ended.timed_out:
        return Check("Keras 2", "tf_keras did not import in 5 minutes: try again", ok=False)
    lines = [line.split() for line in ended.output.splitlines()]
    told = {line[0]: line[1:] for line in lines if line and line[0] in ("keras", "settings")}
    version = told.get("keras", [""])[0]
    if ended.code == 0 and version.startswith("2."):
        return _settings_of_keras(version, told["settings"])
    reason = ended.error or f"exit code {ended.code}"
    found = f"tf_keras is {version}" if version else f"tf_keras does not import ({reason})"
    return Check("Keras 2", f"{found}: {REINSTALL}", ok=False)


def _settings_of_keras(version, settings):
    """Say whether the user's keras.json asks for other layers than the course's, as `Check`."""
    if settings == ["channels_last", "float32"]:
        return Check("Keras 2", f"tf_keras {version}")
    text = (
        f"tf_keras {version}; your keras.json asks for {' and '.join(settings)}, and the course "
        'needs "image_data_format": "channels_last" and "floatx": "float32": change them there'
    )
    return Check("Keras 2", text, ok=False, needed=False)  # qlab.train sets them for itself


def memory_checks(notes):
    """Yield a `Check` that says what a kernel with one explorer takes."""
    print("    starting a kernel with an explorer, some seconds", file=notes, flush=True)
    name = "kernel with one explorer"
    try:
        seconds, megabytes = kernel_with_explorer()
    except (RuntimeError, TimeoutError) as error:
        yield Check(name, f"it does not start: {error}", ok=False)
    else:
        yield Check(name, f"{megabytes:.0f} MB, on screen after {seconds:.1f} s")


def kernel_with_explorer():
    """Seconds until a fresh kernel shows the explorer, and its resident memory in MB."""
    import psutil
    from jupyter_client.manager import start_new_kernel

    start = time.perf_counter()
    manager, client = start_new_kernel(stderr=subprocess.DEVNULL)
    try:
        shown = []

        def look(message):
            if message["msg_type"] == "error":
                raise RuntimeError(message["content"]["evalue"])
            if message["msg_type"] in ("execute_result", "display_data"):
                shown.append(time.perf_counter() - start)

        client.execute_interactive(EXPLORER, timeout=60, output_hook=look)
        process = psutil.Process(manager.provisioner.pid)
        return shown[-1], process.memory_info().rss / 1e6
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _verdict(failed):
    if not failed:
        return "all that the course needs is here"
    return f"{failed} line{'s' if failed > 1 else ''} marked !! to mend; each says how"
