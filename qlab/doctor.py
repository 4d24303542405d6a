"""``qlab doctor``: is this machine ready for the course, and if not, what to do."""

import codecs
import importlib.metadata
import itertools
import json
import locale
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

PACKAGES = {  # what each is imported as
    "numpy": "numpy",
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "matplotlib": "matplotlib.pyplot",
    "ipykernel": "ipykernel",
    "jupyterlab": "jupyterlab",
    "ipywidgets": "ipywidgets",
    "anywidget": "anywidget",
    "tensorflow": "tensorflow",
    "tf_keras": "tf_keras",
    "tensorflow-model-optimization": "tensorflow_model_optimization",
}
REINSTALL = (
    "run `make clean` and then `make setup` in the checkout, or `pip install -e .` there in an "
    "environment of your own"
)
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

IMPORTS = """
import importlib, os, sys
os.environ["TF_USE_LEGACY_KERAS"] = "1"
for name in sys.stdin.read().split():
    print("@begun", name, flush=True)
    try:
        importlib.import_module(name)
    except BaseException as error:
        print("\\n@failed", name, " ".join(f"{type(error).__name__}: {error}".split()), flush=True)
    else:
        print("\\n@imported", name, flush=True)
keras = sys.modules.get("tf_keras")
if keras:
    print("@keras", keras.__version__, keras.backend.image_data_format(), keras.backend.floatx())
"""
EXPLORER = "import qlab.widgets\nqlab.widgets.QuantizationExplorer()"


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report."""

    name: str
    text: str
    ok: bool = True
    needed: bool = True

    @property
    def mark(self):
        return "ok" if self.ok else "!!" if self.needed else "--"

    def __str__(self):
        return f"{self.mark}  {self.name:<30} {self.text}"


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
    if notes:
        print("    importing every package in a process of its own, some seconds", file=notes)
    yield from check_packages()
    yield check_machine()
    yield check_numbers()
    yield check_locale()
    yield from check_jupyter()
    yield check_chromium()
    yield check_micro()
    yield check_data()
    yield from check_artefacts()


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


def check_packages(packages=PACKAGES):
    """Import packages in a process of its own; yield a `Check` for each and for Keras' settings."""
    ended = isolated.run(IMPORTS, 300, given="\n".join(packages.values()).encode())
    lines = [line.split(maxsplit=2) for line in ended.output.splitlines() if line.startswith("@")]
    told = {module: (answer, *why) for answer, module, *why in lines}
    for name, module in packages.items():
        check = check_package(name)
        answer, *why = told.get(module, ["@failed", "not tried, because one before it ended all"])
        if answer == "@begun":
            why = ["5 minutes were too short" if ended.timed_out else f"exit code {ended.code}"]
        if check.ok and why:
            check = Check(name, f"does not import ({why[0]}): {REINSTALL}", ok=False)
        yield check
    for answer, version, *settings in lines:
        if answer == "@keras":
            yield _check_keras(version, *settings)


def check_package(name):
    """Check that a distribution is installed, without importing it."""
    try:
        return Check(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Check(name, f"not installed: {REINSTALL}", ok=False)


def check_locale():
    """Check that text is written as UTF-8, as `Check`."""
    written = [locale.getpreferredencoding(False), getattr(sys.stdout, "encoding", None) or "utf-8"]
    odd = [name for name in written if codecs.lookup(name).name != "utf-8"]
    if not odd:
        return Check("locale", "UTF-8")
    text = (
        f"text is written as {odd[0]}, which lacks signs that qlab shows, and some become question "
        "marks: set LC_ALL=C.UTF-8 (Windows: PYTHONUTF8=1)"
    )
    return Check("locale", text, ok=False, needed=False)


def check_jupyter():
    """Check the kernel and the extensions of JupyterLab; yield a `Check` each."""
    try:
        yield check_kernel()
        for name in EXTENSIONS:
            yield check_extension(name)
    except RuntimeError as error:  # no home directory
        text = f"{error} Set HOME to a folder that you can write to"
        yield Check("settings of JupyterLab", text, ok=False)


def check_kernel():
    """Check that Jupyter will start this Python for a notebook, as `Check`."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    program, code = manager.format_kernel_cmd()[0], "import sys; print(sys.prefix)"
    try:
        told = subprocess.run([program, "-c", code], capture_output=True, text=True).stdout.strip()
    except OSError as error:
        told = error.strerror
    if told == sys.prefix:
        return Check("kernel of notebooks", program)
    text = (
        f"Jupyter starts {program} ({told}), and qlab is in {sys.prefix}: remove the folder "
        f"{manager.kernel_spec.resource_dir}"
    )
    return Check("kernel of notebooks", text, ok=False)


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


def _check_keras(version, settings=""):
    """Check Keras 2, and whether keras.json asks for other layers than the course's."""
    if not version.startswith("2."):
        return Check("Keras 2", f"tf_keras is {version}: {REINSTALL}", ok=False)
    if settings == "channels_last float32":
        return Check("Keras 2", f"tf_keras {version}")
    text = (
        f"tf_keras {version}; your keras.json asks for {settings.replace(' ', ' and ')}, and the "
        'course needs "image_data_format": "channels_last" and "floatx": "float32": change them '
        "there"
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
