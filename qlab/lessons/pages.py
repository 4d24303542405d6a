"""Pieces of a self-contained HTML page: no script, nothing loaded, all text escaped."""

from html import escape

STYLE = """
:root { color-scheme: light dark; --right: #0072b2; --other: #888; --line: #bbb; }
@media (prefers-color-scheme: dark) { :root { --right: #56b4e9; --other: #999; --line: #555; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  overflow-wrap: break-word; }
table { border-collapse: collapse; margin: 1rem 0; }
caption { text-align: left; font-weight: 600; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem;
  border-bottom: 1px solid var(--line); }
tr.true { font-weight: 600; }
tr.true .bar { fill: var(--right); }
.bar { fill: var(--other); }
h3 { margin-bottom: 0; }
@media print { table, h3 { break-inside: avoid; } }
"""


class Html(str):
    """Text that is HTML already; every other text is escaped."""

    __slots__ = ()


def printable(text):
    r"""Text without control characters, lone surrogates and reversed writing, for any screen."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in str(text))


def html(value):
    """Return `value` as HTML: as it is if it is `Html`, else escaped."""
    return value if isinstance(value, Html) else Html(escape(printable(value)))


def element(name, *children, **attributes):
    """Return one element; children and attributes are escaped, ``class_`` stands for class."""
    written = "".join(f' {key.rstrip("_")}="{html(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{written}>{''.join(map(html, children))}</{name}>")


def table(caption, head, rows, row_class=lambda row: ""):
    """Return a table whose first column heads its rows."""
    body = [
        element(
            "tr",
            element("th", row[0], scope="row"),
            *(element("td", cell) for cell in row[1:]),
            class_=row_class(row),
        )
        for row in rows
    ]
    names = (element("th", name, scope="col") for name in head)
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *names)),
        element("tbody", *body),
    )


def bar(part, whole):
    """Return a bar, `part` of `whole` long; the number stands beside it in words."""
    width = round(200 * part / whole, 1) if whole else 0
    return Html(
        '<svg width="200" height="14" aria-hidden="true">'
        f'<rect class="bar" width="{width}" height="14"/></svg>'
    )


def listing(items):
    """Return a bulleted list."""
    return element("ul", *(element("li", item) for item in items))


def page(title, *sections):
    """Return a whole page, self-contained."""
    head = (
        '<meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        f"<title>{html(title)}</title><style>{STYLE}</style>"
    )
    body = element("main", element("h1", title), *sections)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'
