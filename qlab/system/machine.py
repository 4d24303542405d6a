"""Which machine and which package versions a number was measured with; no name of a person."""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from qlab.system.threads import cores

CPUINFO = Path("/proc/cpuinfo")
PACKAGES = ("numpy", "ai-edge-litert")


def about_machine():
    """What kind of machine this is: neither its name on the network nor its user's."""
    return {"cpu": _cpu(), "cores": cores(), "system": f"{platform.system()} {platform.machine()}"}


def machine_name():
    """The machine in one line, to stand beside a latency."""
    known = about_machine()
    noun = "core" if known["cores"] == 1 else "cores"
    return f"{known['cpu']}, {known['cores']} {noun}, {known['system']}"


def versions(packages=PACKAGES):
    """Versions of Python, of qlab, and of packages; none is imported."""
    import qlab

    found = {"python": platform.python_version(), "qlab": qlab.__version__}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            pass
    return found


@lru_cache(maxsize=1)
def _cpu():
    """The processor's name, as the system gives it; its architecture where the system is silent."""
    try:
        lines = CPUINFO.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names[0] if names else "") or platform.processor() or platform.machine()
