"""Names and texts from outside, made safe: for files, for C and C++, for Markdown."""

from __future__ import annotations

import re
import unicodedata
from html import escape
from pathlib import Path

LONGEST = 60
_MARKS = re.compile(r"([\\`*_{}\[\]()#|!~$])")


def file_stem(path):
    """Stem for exported files: ASCII letters, digits, ``.``, ``_`` and ``-``.

    Parameters
    ----------
    path : path-like
        A file's name or path; its folder and ``.tflite`` are dropped.

    Returns
    -------
    str
        At most 60 characters; ``model`` if nothing is left.

    Examples
    --------
    >>> file_stem("here/my größtes model.tflite"), file_stem("🙂.tflite")
    ('my-grosstes-model', 'model')
    """
    name = Path(str(path)).name
    if name.lower().endswith(".tflite"):
        name = name[: -len(".tflite")]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", _ascii(name)).strip("-._")
    return plain[:LONGEST].rstrip("-._") or "model"


def identifier(stem):
    """Identifier for C and C++ out of a name.

    It ends in ``_model``, so that it is no keyword; it begins with a letter and has no two
    underscores in a row, so that no compiler or library claims it.

    Parameters
    ----------
    stem : str

    Returns
    -------
    str

    Examples
    --------
    >>> identifier("qat-w4-seed0"), identifier("int"), identifier("3 bits")
    ('qat_w4_seed0_model', 'int_model', 'm_3_bits_model')
    """
    words = re.sub(r"[^A-Za-z0-9]+", "_", _ascii(stem)).strip("_")[:LONGEST].rstrip("_")
    if words[:1].isdigit():
        words = f"m_{words}"
    return words if words.endswith("_model") else f"{words}_model".lstrip("_")


def plain(text, longest=200):
    r"""One line of text that Markdown shows as it is, and no page runs.

    Parameters
    ----------
    text : object
        Shown as ``str``.
    longest : int
        Characters kept.

    Returns
    -------
    str

    Examples
    --------
    >>> print(plain("<b>4 bits</b> | new\nline"))
    &lt;b&gt;4 bits&lt;/b&gt; \| new line
    """
    printable = "".join(c if c.isprintable() else " " for c in str(text))
    words = " ".join(printable.split())
    cut = words if len(words) <= longest else words[: longest - 1] + "…"
    return _MARKS.sub(r"\\\1", escape(cut, quote=False))


def _ascii(text):
    """The nearest ASCII text; what has none is dropped."""
    text = text.replace("ß", "ss")
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
