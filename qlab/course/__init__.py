"""The content of the course, one folder a notebook: wording in content.toml, the rest in Python.

The machinery is in `qlab.lessons`. Importing this room registers every folder in it, in the order
of their numbers; the bug museum, which has none, comes last.
"""

from importlib import import_module
from pkgutil import iter_modules

from qlab.lessons.content import read, register

_FOLDERS = [import_module(f"{__name__}.{x.name}") for x in iter_modules(__path__) if x.ispkg]
for _topic in sorted(_FOLDERS, key=lambda topic: read(topic).get("number", "none")):
    register(_topic)
