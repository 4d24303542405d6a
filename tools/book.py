"""``python -m tools.book``, `make book`: the course as a site for reading, in build/book/site.

Sphinx with MyST-NB reads copies of the notebooks as they were committed, executed; nothing is run
and nothing is fetched. The reference is made of the docstrings of the public names.
"""

import argparse
import inspect
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

CHECKOUT = Path(__file__).resolve().parents[1]
FOLDER = CHECKOUT / "build" / "book"
PAGES = ("INSTRUCTOR.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md", "LICENSE")
PICTURES = ("docs/explorer.png",)
ROOMS = ("qlab", "qlab.affine", "qlab.widgets", "qlab.plots", "qlab.lessons", "qlab.train")


def sources(folder):
    """Lay out what Sphinx reads."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "_static").mkdir(parents=True)
    shutil.copy(CHECKOUT / "docs" / "book" / "qlab.css", folder / "_static")
    shutil.copy(CHECKOUT / "docs" / "book" / "conf.py", folder)
    for name in (*PAGES, *PICTURES):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(CHECKOUT / name, folder / name)
    licence = (folder / "LICENSE").read_text("utf-8").partition("\n")
    (folder / "LICENSE.md").write_text(f"# {licence[0]}\n{licence[2]}", "utf-8")
    (folder / "LICENSE").unlink()
    notebooks = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))
    (folder / "notebooks").mkdir()
    for path in notebooks:
        whole = adapted(json.loads(path.read_text("utf-8")))
        (folder / "notebooks" / path.name).write_text(json.dumps(whole), "utf-8")
    (folder / "reference.md").write_text(reference(), "utf-8")
    words = (CHECKOUT / "README.md").read_text("utf-8").replace("(LICENSE)", "(LICENSE.md)")
    trees = {
        "The course": [f"notebooks/{x.stem}" for x in notebooks],
        "Look up": ["reference", "data/README", "CHANGELOG", "LICENSE"],
        "Teach and contribute": ["INSTRUCTOR", "CONTRIBUTING"],
    }
    lists = [
        "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```"])
        for caption, pages in trees.items()
    ]
    (folder / "index.md").write_text("\n\n".join([words, *lists]) + "\n", "utf-8")


def adapted(notebook):
    """Tell MyST-NB what each picture shows: what it says itself, or what drew it."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":  # JupyterLab keeps capitals in the names of places
            text = "".join(cell["source"])
            cell["source"] = re.sub(r"\][(][^)]*#[^)]*[)]", lambda x: lowered(x[0]), text)
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                own = output["metadata"].get("image/png", {}).get("alt")
                alt = own or _drawn_by(cell, output)
                cell["metadata"]["mystnb"] = {"image": {"alt": alt}}
    return notebook


def lowered(link):
    """A link into a page of the book, with its place in small letters; any other as it is."""
    page, place = link.split("#", 1)
    return link if "://" in page else f"{page}#{place.lower()}"


def _drawn_by(cell, output):
    """The first line of the docstring of the explorer or function that made a picture."""
    from qlab import plots, widgets

    source, shown = "".join(cell["source"]), "".join(output["data"]["text/plain"])
    explorer = re.match(r"(\w+)\(", shown)
    if explorer:
        words = getattr(widgets, explorer[1]).__doc__.strip().splitlines()[0]
        return f"{shown}. {words}"
    drawn = [getattr(plots, name) for name in re.findall(r"\b(plot_\w+)\(", source)]
    if not drawn:
        raise ValueError(f"nobody knows what this picture shows, so it needs an alt text: {source}")
    words = (inspect.getdoc(x).splitlines()[0].removeprefix("Draw ") for x in drawn)
    return " ".join(x[0].upper() + x[1:] for x in words)


def reference():
    """A page of all public names, room by room; Sphinx reads their docstrings."""
    import importlib

    lines = ["# Reference", "", "What each public name takes and gives.", ""]
    for room in ROOMS:
        module = importlib.import_module(f"qlab.arithmetic{room[4:]}" if "affine" in room else room)
        names = getattr(module, "__all__", None) or [
            name for name, x in vars(module).items()
            if not name.startswith("_") and getattr(x, "__module__", "") == module.__name__
        ]  # fmt: skip
        lines += [f"## {room}", ""]
        for name in names:
            found = getattr(module, name)
            kind = "autoclass" if inspect.isclass(found) else "autofunction"
            if not inspect.isclass(found) and not inspect.isfunction(found):
                continue
            if not (found.__doc__ or "").strip() or not found.__module__.startswith("qlab"):
                continue
            lines += ["```{eval-rst}", f".. {kind}:: {found.__module__}.{found.__qualname__}"]
            lines += ["   :members:"] if kind == "autoclass" and room == "qlab" else []
            lines += ["```", ""]
    return "\n".join(lines)


class Page(HTMLParser):
    """The places of a page, where its links lead, and pictures without words."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.silent = set(), [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        self.ids |= {known["id"]} if known.get("id") else set()
        if tag == "a" and known.get("href"):
            self.links.append(known["href"])
        if tag == "img":
            self.links.append(known["src"])
            self.silent += not known.get("alt")


def faults(site):
    """Sentences about links that lead nowhere, and pictures that nobody can hear."""
    pages = {path: Page(path.read_text("utf-8")) for path in site.rglob("*.html")}
    for path, page in pages.items():
        if page.silent:
            yield f"{path.name}: {page.silent} pictures have no alt text"
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not there.exists():
                yield f"{path.name}: {link} leads nowhere"
            elif there in pages and unquote(parts.fragment) not in {"", *pages[there].ids}:
                yield f"{path.name}: {link} leads to a page that has no such place"


def main(arguments=None):
    """Build the site; returns 1 if there was a warning, or a link or an alt text is missing."""
    parser = argparse.ArgumentParser(prog="python -m tools.book", description=__doc__)
    parser.add_argument("--to", type=Path, default=FOLDER, help="where to build (%(default)s)")
    folder = parser.parse_args(arguments).to.absolute()
    sources(folder / "sources")
    shutil.rmtree(folder / "site", ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going"]
    command += ["-d", str(folder / "doctrees"), str(folder / "sources"), str(folder / "site")]
    built = subprocess.run(command, cwd=CHECKOUT, check=False)
    found = list(faults(folder / "site"))
    print("\n".join(found) or f"the book is in {folder / 'site' / 'index.html'}")
    return int(built.returncode != 0 or bool(found))


if __name__ == "__main__":
    sys.exit(main())
