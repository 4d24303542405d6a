"""A model leaves the course: as files, as a C array, with a card and its provenance.

Examples
--------
>>> from qlab.export import identifier
>>> identifier("qat-w4-seed0")
'qat_w4_seed0_model'
"""

from qlab.export.inspecting import inspect_file
from qlab.export.measuring import examine, provenance
from qlab.export.microcontroller import ExportError, c_array, file_stem, identifier
from qlab.export.model_card import card
from qlab.export.writing import export, main

__all__ = [
    "ExportError",
    "c_array",
    "card",
    "examine",
    "export",
    "file_stem",
    "identifier",
    "inspect_file",
    "main",
    "provenance",
]
