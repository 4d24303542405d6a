"""Execute notebooks from top to bottom and normalise them, ready to commit.

``make notebooks`` runs this. Without arguments it takes every notebook of the course, in order.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbclient
import nbformat

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
CELL_TIMEOUT = 300  # seconds
VIEW = "application/vnd.jupyter.widget-view+json"
# Outputs and counts stay, so that the web page shows the pictures; what differs from run to run
# or from machine to machine goes.
NBSTRIPOUT = (
    *(sys.executable, "-m", "nbstripout", "--keep-output", "--keep-count", "--keep-id"),
    "--extra-keys",
    "metadata.widgets cell.metadata.execution metadata.language_info.version",
)


def course():
    """The notebooks of the course, in order."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def drop_views(notebook):
    """Take out what only a running JupyterLab shows well, where there is a picture instead.

    A widget view is an error without its kernel, and a page without themes would show both forms
    of a figure.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if len(data) > 1:
                data.pop(VIEW, None)
            if "image/png" in data:
                data.pop("text/html", None)


def execute(path):
    """Execute the notebook at `path` in a fresh kernel and write it back, normalised."""
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        store_widget_state=False,
        coalesce_streams=True,
    )
    with tempfile.TemporaryDirectory() as folder:  # as a new learner, not as the one who commits
        progress = str(Path(folder, "progress.json"))
        client.execute(env={**os.environ, "QLAB_PROGRESS": progress})
    drop_views(notebook)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)
    subprocess.run([*NBSTRIPOUT, str(path)], check=True)


def main(argv=None):
    """Execute the notebooks named, or all; stop at the first cell that fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="*", type=Path, help="notebooks; all by default")
    paths = parser.parse_args(argv).paths or course()
    for path in paths:
        start = time.perf_counter()
        print(f"{path.name} ...", end=" ", flush=True)
        try:
            execute(path.resolve())
        except nbclient.exceptions.CellExecutionError as error:
            print(f"failed; the file is as it was\n{error}")
            return 1
        print(f"{time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
