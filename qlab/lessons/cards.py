"""Small HTML cards that read well in light and dark themes, with and without colour."""

from html import escape

# JupyterLab's own blue and orange follow the theme; Okabe and Ito's stand in on other pages.
COLOURS = {
    "right": "var(--jp-info-color1, #0072B2)",
    "wrong": "var(--jp-warn-color1, #D55E00)",
    "open": "var(--jp-ui-font-color2, #808080)",
}
MARKS = {"right": "✓", "wrong": "✗", "open": "○"}


def card(state, title, *paragraphs):
    """Return a card: mark and title in words, a coloured edge, then escaped paragraphs."""
    body = "".join(
        f'<p style="margin:.3em 0 0 0;white-space:pre-wrap">{escape(text)}</p>'
        for text in paragraphs
        if text
    )
    mark = f'<span aria-hidden="true">{MARKS[state]}</span>'
    return _edged(state, f"<strong>{mark} {escape(title)}</strong>{body}")


def table_card(state, caption, heads, rows, last=""):
    """Return a table with a coloured edge, and a last line under it."""
    left = 'style="text-align:left;vertical-align:top;padding:.2em .8em .2em 0"'
    head = "".join(f'<th scope="col" {left}>{escape(text)}</th>' for text in heads)
    body = "".join(
        "<tr>" + "".join(f"<td {left}>{escape(text)}</td>" for text in row) + "</tr>"
        for row in rows
    )
    return _edged(
        state,
        '<table style="margin:0;min-width:min(36em, 100%)">'
        f'<caption style="text-align:left;white-space:pre-line">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<strong>{escape(last)}</strong>",
    )


def _edged(state, html):
    """Put HTML on a card with a coloured edge."""
    return (
        f'<div style="border-left:5px solid {COLOURS[state]};padding:.4em .8em;margin:.3em 0;'
        "background:var(--jp-layout-color2, transparent);"
        f'color:var(--jp-content-font-color1, inherit)">{html}</div>'
    )
