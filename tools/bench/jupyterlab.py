"""JupyterLab driven by Chromium: what the bench and the browser tests do with it, in words."""

from __future__ import annotations

import contextlib
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

import nbformat

REPOSITORY = Path(__file__).parents[2]
SCREENSHOTS = REPOSITORY / "build" / "screenshots"
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
VIEWPORT = {"width": 1366, "height": 900}  # a laptop's
OPENED = "() => Boolean(window.jupyterapp?.shell?.currentWidget?.sessionContext)"
READY = """async () => {
  const app = window.jupyterapp, panel = app.shell.currentWidget;
  await panel.context.ready;
  await panel.sessionContext.ready;
  await panel.sessionContext.session.kernel.info;
  window.qlabPanel = panel;
  app.shell.collapseLeft();
  app.shell.activateById(panel.id);
}"""
RUN_ALL = """() => {
  window.qlabRan = false;
  window.jupyterapp.commands.execute('notebook:run-all-cells')
    .finally(() => { window.qlabRan = true; });
}"""
IDLE = "() => window.qlabIdle === true && !document.querySelector('.jp-Dialog')"
OPEN_HERE = """async path => {
  const {commands, shell} = window.jupyterapp;
  window.qlabIdle = false;
  const panel = await commands.execute('docmanager:open', { path, factory: 'Notebook' });
  shell.activateById(panel.id);
}"""
CLOSE = """async () => {
  const panel = window.qlabPanel;
  if (!panel || panel.isDisposed) return;
  await panel.sessionContext.shutdown();
  panel.dispose();  // unsaved, and without the question
  window.qlabIdle = true;
}"""
EXECUTE = """code =>
  window.qlabPanel.sessionContext.session.kernel.requestExecute({ code }).done"""
ERRORS = """() => window.qlabPanel.content.model.sharedModel.cells
  .filter(cell => cell.cell_type === 'code')
  .flatMap(cell => cell.getOutputs())
  .filter(output => output.output_type === 'error')
  .map(output => output.ename + ': ' + output.evalue)"""


class Lab:
    """A running JupyterLab (address, token, folder of its notebooks) and a page to see it in."""

    def __init__(self, page, address, token, root):
        self.page, self.address, self.token, self.root = page, address, token, root

    def write(self, name, *cells):
        """Write a notebook of code cells and return its name."""
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(notebook, self.root / name)
        return name

    def open(self, name):
        """Open a notebook and wait for its kernel; a page that `close` left loads no JupyterLab."""
        if self.page.evaluate(IDLE):
            self.page.evaluate(OPEN_HERE, name)
        else:
            workspace = Path(name).stem
            self.page.goto(
                f"{self.address}/lab/workspaces/{workspace}/tree/{name}?token={self.token}&reset"
            )
        self.page.wait_for_function(OPENED)
        self.page.evaluate(READY)
        self.theme("light")  # the server remembers the theme of the test before

    def run_all(self, minutes=2):
        """Run every cell; fail with the errors that cells raised."""
        self.page.evaluate(RUN_ALL)
        self.page.wait_for_function("() => window.qlabRan", timeout=minutes * 60_000)
        errors = self.page.evaluate(ERRORS)
        assert not errors, errors

    def on_received(self, hear):
        """Call `hear` with each message from the server to a page that is opened from now on."""
        self.page.on("websocket", lambda socket: socket.on("framereceived", hear))

    def execute(self, code):
        """Run code in the kernel, apart from the cells, and wait for it."""
        self.page.evaluate(EXECUTE, code)

    def run(self, command, **arguments):
        """Execute a command of JupyterLab."""
        self.page.evaluate(
            "([command, args]) => window.jupyterapp.commands.execute(command, args)",
            [command, arguments],
        )

    def theme(self, name):
        """``light`` or ``dark``."""
        title = f"JupyterLab {name.title()}"
        self.run("apputils:change-theme", theme=title)
        light = json.dumps(name == "light")
        self.page.wait_for_function(f"() => document.body.dataset.jpThemeLight === '{light}'")

    def screenshot(self, name, locator=None):
        """Keep a picture of the page, or of one part of it, as build output."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        (locator or self.page).screenshot(path=SCREENSHOTS / f"{name}.png")

    def close(self):
        """Close the notebook and its kernel, so that the next test has the machine to itself."""
        self.page.evaluate(CLOSE)


@contextlib.contextmanager
def jupyterlab(home, *program):
    """While it lasts, a JupyterLab runs on a copy of the notebooks: (address, token, root).

    A `program`, such as ``qlab.cli lab --to FOLDER``, is started instead, and brings its own copy.
    ``notebook`` and ``voila PAGE`` find what was written into the folder.
    """
    root = home / "notebooks"
    if not program:
        shutil.copytree(REPOSITORY / "notebooks", root)
    root.mkdir(exist_ok=True)
    (home / "settings").mkdir()
    (home / "settings" / "overrides.json").write_text(json.dumps(SETTINGS))
    port, token = _free_port(), secrets.token_hex(16)
    with open(home / "server.log", "wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                *(program or ["jupyterlab"]),
                *_options(port, token, home, program),
            ],
            cwd=root,
            env=environment(home),
            stdout=log,
            stderr=log,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_up(process, f"{address}/api?token={token}", home / "server.log")
            yield address, token, root
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:  # a kernel that is ending can hold it up for ever
                process.kill()
                process.wait()


@contextlib.contextmanager
def browser_at(path):
    """While it lasts, the Chromium of this path runs."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)  # a machine that trains at the same time is slow to answer
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@contextlib.contextmanager
def fresh_page(browser, server):
    """While it lasts, a `Lab` with a page of its own."""
    context = browser.new_context(viewport=VIEWPORT, device_scale_factor=2, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    lab = Lab(page, *server)
    yield lab
    lab.close()
    context.close()


def _options(port, token, home, program):
    """JupyterLab, or one of the other front ends, with nothing of the user's own."""
    if "voila" in program:
        return ["--no-browser", "--Voila.ip=127.0.0.1", f"--port={port}"]
    app = "JupyterNotebookApp" if "notebook" in program else "LabApp"
    return [
        *("--no-browser", "--ip=127.0.0.1", f"--port={port}"),
        *("--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"),
        "--expose-app-in-browser",
        f"--{app}.app_settings_dir={home / 'settings'}",
        f"--{app}.user_settings_dir={home / 'user-settings'}",
        f"--{app}.workspaces_dir={home / 'workspaces'}",
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]


def environment(home):
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


def _wait_until_up(process, url, log, seconds=240):
    """Return when the server answers; raise with its log if it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # it answers, be it only that there is no such page
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-2000:]}")
