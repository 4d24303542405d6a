"""What the browser tests share: explorers are opened, cells are run, controls are worked."""

from playwright.sync_api import expect

import qlab

SOURCES = "picture => [...picture.querySelectorAll('img')].map(panel => panel.src).join()"
PATIENCE = 90_000  # ms: a change may score shipped models for the first time
RUN_CELL = """async ([text, replacement]) => {
  const notebook = window.qlabPanel.content;
  const index = notebook.widgets.findIndex(cell =>
    cell.model.type === 'code' && cell.model.sharedModel.getSource().includes(text));
  const source = notebook.widgets[index].model.sharedModel;
  if (replacement !== null) source.setSource(source.getSource().replace(text, replacement));
  notebook.activeCellIndex = index;
  await window.jupyterapp.commands.execute('notebook:run-cell');
  return notebook.widgets[index].outputArea.node.innerText;
}"""


def opened(lab, name, images=None):
    """An explorer in a notebook of its own, on the first so many validation images: its place."""
    few = "" if images is None else f"images=some.images[:{images}], labels=some.labels[:{images}]"
    data = "import qlab\nsome = qlab.data.load().validation"
    cell = f"from qlab.widgets import {name}\nexplorer = {name}({few})\nexplorer"
    lab.open(lab.write(f"{name}.ipynb", cell if images is None else f"{data}\n{cell}"))
    lab.run_all()
    place = lab.page.locator(".qlab-explorer")
    place.locator(".qlab-picture").wait_for()
    return place


def run_cell(lab, text, replacement=None):
    """Run the code cell that holds `text`, after replacing it if so wished; return its output."""
    return lab.page.evaluate(RUN_CELL, [text, replacement])


def explorer_of(lab, question):
    """Scroll to the explorer that asks this question, and wait for its picture."""
    place = lab.page.locator(".qlab-explorer", has_text=question)
    place.scroll_into_view_if_needed()
    expect(place.locator(".qlab-picture")).to_be_visible()
    return place


def panels(place):
    """Where the panels of the picture come from: other sources are another picture."""
    return place.locator(".qlab-picture").evaluate(SOURCES)


def redrawn(place, before):
    """Wait until a panel of the picture is another one than before, and all are measured."""
    picture = place.locator(".qlab-picture").element_handle()
    other = f"([picture, before]) => ({SOURCES})(picture) !== before"
    place.page.wait_for_function(other, arg=[picture, before], timeout=PATIENCE)
    expect(place.locator(".qlab-waiting")).to_have_count(0, timeout=PATIENCE)
    expect(place.locator(".qlab-readout")).not_to_contain_text("2,000 of 10,000 validation")


def changes(place, action):
    """Do one thing, and wait until the picture is another one: a second change may come then."""
    before = panels(place)
    action()
    redrawn(place, before)


def choose(place, label, option):
    changes(place, lambda: place.get_by_label(label).select_option(option))


def fill(place, label, value):
    box = place.get_by_label(label)
    box.fill(str(value))
    changes(place, lambda: box.press("Enter"))


def slide(place, name, key):
    changes(place, lambda: place.locator(f".qlab-{name} .noUi-handle").press(key))


def downloaded(lab, place, button, images=10_000):
    """Press a download button with the keyboard: the file's suggested name, and its accuracy."""
    with lab.page.expect_download() as download:
        place.get_by_role("button", name=button).press("Enter")
    model, split = qlab.LiteModel.from_file(download.value.path()), qlab.data.load().validation
    accuracy = qlab.evaluate(model, split.images[:images], split.labels[:images]).accuracy
    return download.value.suggested_filename, accuracy


def both_themes(lab, name, place):
    """Keep pictures of a place in both themes."""
    for theme in ("dark", "light"):
        lab.theme(theme)
        lab.page.locator("#jupyterlab-splash").wait_for(state="detached")
        place.scroll_into_view_if_needed()
        lab.screenshot(f"{name}-{theme}", place)
