"""A model leaves the course: as files, as a C array, with a card and its provenance.

Examples
--------
>>> from qlab.export import identifier
>>> identifier("qat-w4-seed0")
'qat_w4_seed0_model'
"""

from qlab.export.c_array import c_array
from qlab.export.card import card
from qlab.export.command import export, main
from qlab.export.errors import ExportError
from qlab.export.facts import examine
from qlab.export.names import file_stem, identifier
from qlab.export.provenance import provenance

__all__ = [
    "ExportError",
    "c_array",
    "card",
    "examine",
    "export",
    "file_stem",
    "identifier",
    "main",
    "provenance",
]
