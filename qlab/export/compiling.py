"""Proof that the C files are right: a compiler builds them, and the program gives the bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from qlab.export.errors import ExportError
from qlab.export.names import identifier

COMPILERS = ("cc", "gcc", "clang")
SECONDS = 120
_MAIN = """\
#include <stdio.h>
#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif
#include "{header}"
int main(void) {{
#ifdef _WIN32
  _setmode(_fileno(stdout), _O_BINARY);
#endif
  if ((unsigned long)(size_t){name} % 16u != 0u) return 2;
  return fwrite({name}, 1u, {name}_len, stdout) == sizeof({name}) ? 0 : 3;
}}
"""


def find_compiler():
    """Path of a C compiler: what ``$CC`` names, or ``cc``, ``gcc`` or ``clang``."""
    names = [os.environ["CC"]] if os.environ.get("CC") else COMPILERS
    return next((found for name in names if (found := shutil.which(name))), None)


def compiled_bytes(files, stem, compiler=None, flags=("-std=c99",)):
    """Compile a C array with a small program, run it, and return what the array holds."""
    compiler = compiler or find_compiler()
    if compiler is None:
        raise ExportError(
            f"there is no C compiler here ({', '.join(COMPILERS)}; or name one in $CC). Install "
            "one, or leave out --verify: the C files are written without it"
        )
    main = _MAIN.format(header=f"{stem}.h", name=identifier(stem)).encode()
    with tempfile.TemporaryDirectory(prefix="qlab-c-") as folder:
        for name, content in {**files, "main.c": main}.items():
            Path(folder, name).write_bytes(content)
        program = Path(folder, "program.exe" if os.name == "nt" else "program")
        sources = [f"{stem}.c", "main.c"]
        _run([compiler, *flags, "-o", str(program), *sources], folder)
        return _run([str(program)], folder)


def _run(command, folder):
    """Run a command in `folder` and return its output; ExportError with its words if it fails."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExportError(f"the C files could not be compiled and run: {error}") from None
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        said = words[0] if words else f"exit code {done.returncode}"
        raise ExportError(f"the C compiler or its program failed: {said}")
    return done.stdout
