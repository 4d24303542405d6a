"""Names and texts from outside, made safe: for files, for C and C++, for Markdown."""

from __future__ import annotations

import re
import unicodedata
from html import escape
from pathlib import Path

LONGEST = 60
_MARKS = re.compile(r"([\\`*_{}\[\]()#|!~$])")


def file_stem(path):
    """Stem for exported files: ASCII letters, digits, ``.``, ``_`` and ``-``."""
    name = Path(str(path)).name
    if name.lower().endswith(".tflite"):
        name = name[: -len(".tflite")]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", _ascii(name)).strip("-._")
    return plain[:LONGEST].rstrip("-._") or "model"


def identifier(stem):
    """Identifier for C and C++ out of a name."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", _ascii(stem)).strip("_")[:LONGEST].rstrip("_")
    if words[:1].isdigit():
        words = f"m_{words}"
    return words if words.endswith("_model") else f"{words}_model".lstrip("_")


def plain(text, longest=200):
    r"""One line of text that Markdown shows as it is, and no page runs."""
    printable = "".join(c if c.isprintable() else " " for c in str(text))
    words = " ".join(printable.split())
    cut = words if len(words) <= longest else words[: longest - 1] + "…"
    return _MARKS.sub(r"\\\1", escape(cut, quote=False))


def _ascii(text):
    """The nearest ASCII text; what has none is dropped."""
    text = text.replace("ß", "ss")
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
