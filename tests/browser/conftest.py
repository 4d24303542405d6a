"""One JupyterLab server and one Chromium for all browser tests."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from qlab.doctor import find_chromium

from .lab import Lab

REPOSITORY = Path(__file__).parents[2]
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
VIEWPORT = {"width": 1366, "height": 900}  # a laptop's


@pytest.fixture(scope="package")
def chromium():
    """Where Chromium is; without it, skip on a learner's machine and fail in CI."""
    path = find_chromium()
    if path is None:
        words = "Chromium is not installed, so browser tests were not run; see `qlab doctor`."
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(words)
    return str(path)


@pytest.fixture(scope="package")
def server(chromium, tmp_path_factory):
    """Yield (address, token, root) of a JupyterLab on a copy of the notebooks."""
    home = tmp_path_factory.mktemp("jupyter")
    root = home / "notebooks"
    shutil.copytree(REPOSITORY / "notebooks", root)
    (home / "settings").mkdir()
    (home / "settings" / "overrides.json").write_text(json.dumps(SETTINGS))
    port, token = _free_port(), secrets.token_hex(16)
    with open(home / "server.log", "wb") as log:
        process = subprocess.Popen(
            _command(port, token, home), cwd=root, env=_environment(home), stdout=log, stderr=log
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_up(process, f"{address}/api?token={token}", home / "server.log")
            yield address, token, root
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="package")
def browser(chromium):
    """Yield a Chromium."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)  # a machine that trains beside it is slow to answer
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def lab(browser, server):
    """Yield a `Lab` with a fresh page."""
    context = browser.new_context(viewport=VIEWPORT, device_scale_factor=2, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    lab = Lab(page, *server)
    yield lab
    lab.close()
    context.close()


def _command(port, token, home):
    """JupyterLab with nothing of the user's own."""
    return [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"),
        *("--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"),
        "--expose-app-in-browser",
        f"--LabApp.app_settings_dir={home / 'settings'}",
        f"--LabApp.user_settings_dir={home / 'user-settings'}",
        f"--LabApp.workspaces_dir={home / 'workspaces'}",
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]


def _environment(home):
    """The kernel finds this checkout; Jupyter finds no configuration but ours."""
    places = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "IPYTHONDIR": home / "ipython",
        "QLAB_PROGRESS": home / "progress.json",
        "PYTHONPATH": REPOSITORY,
    }
    return {**os.environ, **{name: str(value) for name, value in places.items()}}


def _free_port():
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_up(process, url, log, seconds=60):
    """Return when the server answers; fail with its log if it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-2000:]}")
