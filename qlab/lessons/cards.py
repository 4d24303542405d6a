"""Small pieces of HTML, all text escaped, that read well in light and dark themes."""

from typing import NamedTuple

from markupsafe import Markup, escape

from qlab.system.text import printable

# JupyterLab's own blue and orange follow the theme; Okabe and Ito's stand in on other pages.
COLOURS = {
    "right": "var(--jp-info-color1, #0072B2)",
    "wrong": "var(--jp-warn-color1, #D55E00)",
    "open": "var(--jp-ui-font-color2, #808080)",
}
MARKS = {"right": "✓", "wrong": "✗", "open": "○"}
CARD_STYLE = (
    "border-left:5px solid {};padding:.4em .8em;margin:.3em 0;"
    "background:var(--jp-layout-color2, transparent);color:var(--jp-content-font-color1, inherit)"
)
TABLE_CARD = {
    "table": "margin:0;min-width:min(36em, 100%)",
    "caption": "text-align:left;white-space:pre-line",
    "cell": "text-align:left;vertical-align:top;padding:.2em .8em .2em 0",
}


class Cell(NamedTuple):
    """A cell of a table with attributes of its own; one with a ``scope`` is a header."""

    content: object
    attributes: dict


def element(name, *children, **attributes):
    """An element; ``class_`` stands for class, and an attribute without a value is left out."""
    content = "".join(map(_html, children))
    return Markup(f"<{name}{_written(attributes)}>{content}</{name}>")


def _written(attributes):
    return "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_html(value)}"'
        for key, value in attributes.items()
        if value
    )


def _html(value):
    """Markup as it is; any other text escaped, with its line breaks."""
    if isinstance(value, Markup):
        return value
    text = str(value)
    if not text.isprintable():
        text = "\n".join(map(printable, text.split("\n")))
    return escape(text)


def table(caption, head, rows, styles=None, row_headers=True, row_class=None, class_=""):
    """A table; `styles` holds those of its ``table``, its ``caption`` and each ``cell``.

    A caption, or a head, that is empty is left out. A cell is a `Cell`, markup, or anything that
    has words.
    """
    styles = styles or {}
    usual = {"style": styles.get("cell")}
    plain = f"<td{_written(usual)}>"

    def cell(content, **more):
        content, own = content if isinstance(content, Cell) else (content, usual)
        attributes = more | own
        return element("th" if attributes.get("scope") else "td", content, **attributes)

    def row(cells):
        each = [cell(x) if isinstance(x, Cell) else f"{plain}{_html(x)}</td>" for x in cells]
        if row_headers:
            each[0] = cell(cells[0], scope="row")
        return element("tr", Markup("".join(each)), class_=row_class(cells) if row_class else "")

    return element(
        "table",
        element("caption", caption, style=styles.get("caption")) if caption else "",
        element("thead", element("tr", *(cell(x, scope="col") for x in head))) if head else "",
        element("tbody", *map(row, rows)),
        class_=class_,
        style=styles.get("table"),
    )


def listing(items):
    return element("ul", *(element("li", item) for item in items))


def marked(state, words):
    """Words with the mark of their state, which a screen reader leaves out."""
    return Markup("{} {}").format(element("span", MARKS[state], aria_hidden="true"), _html(words))


def card(state, title, *paragraphs):
    """A card: mark and title in words, a coloured edge, then paragraphs."""
    style = "margin:.3em 0 0 0;white-space:pre-wrap"
    body = (element("p", text, style=style) for text in paragraphs if text)
    return _edged(state, element("strong", marked(state, title)), *body)


def table_card(state, caption, heads, rows, last=""):
    """A table with a coloured edge, and a last line under it."""
    body = table(caption, heads, [tuple(row) for row in rows], TABLE_CARD, row_headers=False)
    return _edged(state, body, element("strong", last))


def _edged(state, *children):
    return str(element("div", *children, style=CARD_STYLE.format(COLOURS[state])))
