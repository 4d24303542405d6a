"""Text from anywhere, made safe for where it goes: a screen, a spreadsheet, a page, a card."""

from __future__ import annotations

import csv
import functools
import io
import re
from html import escape
from pathlib import Path

from markupsafe import Markup

# Also in full width, and after a semicolon, which ends a cell where numbers have a decimal comma.
_FORMULA = re.compile(r"(^|;)(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#|!~$])")


def printable(text, most=None):
    r"""Text without control characters, lone surrogates and reversed writing; cut if too long.

    >>> printable("a\tb\x1b[31m"), printable("abcdef", 4)
    ('a b�[31m', 'abc…')
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    text = str(text)[: most and most + 1]
    text = "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)
    return text if most is None or len(text) <= most else f"{text[: most - 1]}…"


def one_line(text, most=None):
    """Printable text with single spaces."""
    return printable(" ".join(printable(text).split()), most)


def markdown(text, most=200):
    """One line of text that Markdown shows as it is, and no page runs."""
    return _MARKDOWN.sub(r"\\\1", escape(one_line(text, most), quote=False))


def to_csv(head, rows, spreadsheet=False):
    """A table as the bytes of a CSV file; a text in it never becomes a formula.

    With `spreadsheet`, lines end and the file begins as spreadsheets expect it of UTF-8.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\r\n" if spreadsheet else "\n")
    table.writerow(head)
    table.writerows(map(_cell, row) for row in rows)
    return text.getvalue().encode("utf-8-sig" if spreadsheet else "utf-8")


def _cell(value):
    if not isinstance(value, str):
        return value
    return _FORMULA.sub(r"\1'", printable(value))


def fill(template, **values):
    """Fill in a jinja2 template; what is not `Markup` is escaped for HTML or for Markdown."""
    template = Path(template)
    return (
        _environment(template.parent, template.suffix == ".html")
        .get_template(template.name)
        .render(values)
    )


@functools.cache
def _environment(folder, html):
    import jinja2  # only a report or a model card needs it

    safe = printable if html else markdown
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=html,
        finalize=lambda value: value if isinstance(value, Markup) else safe(value),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
