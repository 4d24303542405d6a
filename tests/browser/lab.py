"""JupyterLab driven by Chromium: what the browser tests do with it, in words."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
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
  const run = window.jupyterapp.commands.execute('notebook:run-all-cells');
  run.finally(() => { window.qlabRan = true; });
}"""
ERRORS = """() => window.qlabPanel.content.model.sharedModel.cells
  .filter(cell => cell.cell_type === 'code')
  .flatMap(cell => cell.getOutputs())
  .filter(output => output.output_type === 'error')
  .map(output => output.ename + ': ' + output.evalue)"""


class Lab:
    """A running JupyterLab and a page to see it in.

    Parameters
    ----------
    page : playwright.sync_api.Page
    address : str
        ``http://127.0.0.1:PORT``.
    token : str
    root : pathlib.Path
        Where the server's notebooks lie.
    """

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
        """Open a notebook and wait for its kernel."""
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
        """Shut the kernel down, so that the next test has the machine to itself."""
        self.page.evaluate("() => window.qlabPanel && window.qlabPanel.sessionContext.shutdown()")
