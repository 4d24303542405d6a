"""Sphinx's settings for the book; tools/book.py lays its pages next to a copy of this file."""

import re

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

project, author, html_title = "qlab", "qlab contributors", "qlab"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme, html_static_path, html_css_files = "furo", ["_static"], ["qlab.css"]
html_math_renderer = "mathml"  # browsers know it; MathJax would come over the network
html_copy_source, html_show_sourcelink = False, False
nb_execution_mode, nb_merge_streams = "off", True
myst_enable_extensions, myst_heading_anchors = ["dollarmath"], 4
napoleon_google_docstring, napoleon_use_rtype = False, False
suppress_warnings = ["myst.header"]  # the glossary has no headings of the second level
autodoc_typehints, autodoc_member_order = "none", "bysource"


def as_list(app, what, name, found, options, lines):
    """Make footnotes of docstrings a list: on one page, all of them would be called 1."""
    inside = None
    for i, line in enumerate(lines):
        if note := re.match(r"( *)\.\. (\[\d+\].*)", line):
            inside, line = note[1], f"{note[1]}- {note[2]}"
        elif not line.strip():
            inside = None
        elif inside is not None:
            line = f"{inside}  {line.strip()}"
        lines[i] = re.sub(r"(\[\d+\])_", r"\1", line)


def formula(translator, node, as_block=False):
    """Write a formula as MathML, in a line or as a block of its own."""
    words = re.compile(r"\\text\{[^}]*\}")  # docutils leaves the backslash of an underscore there
    tex = words.sub(lambda x: x[0].replace("\\_", "_"), node.astext())
    translator.body.append(tex2mathml(tex, as_block=as_block))
    raise nodes.SkipNode


def block(translator, node):
    """Write a formula that stands alone."""
    formula(translator, node, as_block=True)


def setup(app):
    """Sphinx calls this; napoleon must come after us."""
    app.add_html_math_renderer("mathml", (formula, None), (block, None))
    app.connect("autodoc-process-docstring", as_list, priority=1)
