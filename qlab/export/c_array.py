"""A model as a C array with its header, for TensorFlow Lite Micro; valid C99 and C++11."""

from __future__ import annotations

from qlab.export import micro
from qlab.export.errors import ExportError
from qlab.export.names import identifier
from qlab.tflite.litemodel import require_lite_model

ALIGNMENT = 16  # bytes; TensorFlow Lite Micro reads numbers in place
LARGEST = 16 * 2**20
A_LINE = 16  # bytes

_HEADER = """\
/* {title}
 *
{about}
 *
 * Operators that this model needs, in C++:
 *
{calls}
 */
#ifndef {guard}
#define {guard}

#ifdef __cplusplus
extern "C" {{
#endif

extern const unsigned char {name}[{length}];
extern const unsigned int {name}_len;

#ifdef __cplusplus
}}
#endif

#endif /* {guard} */
"""

_SOURCE = """\
/* {title} */
#include "{header}"

/* The model must begin at an address that {alignment} divides. */
#if defined(__cplusplus)
#define {guard}_ALIGNED alignas({alignment})
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define {guard}_ALIGNED _Alignas({alignment})
#elif defined(_MSC_VER)
#define {guard}_ALIGNED __declspec(align({alignment}))
#else
#define {guard}_ALIGNED __attribute__((aligned({alignment})))
#endif

{guard}_ALIGNED const unsigned char {name}[{length}] = {{
{rows}
}};
const unsigned int {name}_len = {length}u;
"""


def c_array(model, stem):
    """Write a model as C: a header and a source."""
    require_lite_model(model)
    if model.file_bytes > LARGEST:
        raise ExportError(
            f"the model has {model.file_bytes:,} bytes; a C array is written up to {LARGEST:,}"
        )
    name = identifier(stem)
    facts = {
        "title": f"{stem}: a TensorFlow Lite model of {model.file_bytes:,} bytes, written by qlab.",
        "about": _commented(_about(model)),
        "calls": _commented(f"  {call}" for call in micro.resolver_calls(model)),
        "name": name,
        "guard": f"QLAB_{name.upper()}_H",
        "length": model.file_bytes,
        "alignment": ALIGNMENT,
        "header": f"{stem}.h",
        "rows": _rows(model.data),
    }
    texts = {f"{stem}.h": _HEADER, f"{stem}.c": _SOURCE}
    return {file: text.format(**facts).encode("ascii") for file, text in texts.items()}


def _about(model):
    """Lines on what the array is, and on what may keep it from running."""
    yield "const, so that it stays in flash. Give it to tflite::GetModel()."
    for sentence in micro.obstacles(model):
        yield f"TensorFlow Lite Micro cannot run it as it is: {sentence}"
    if micro.needs_int4(model):
        yield "Weights of 4 bits, two to a byte: the kernels of the target must take them."


def _commented(lines):
    return "\n".join(f" * {line}".rstrip() for line in lines)


def _rows(data):
    """The bytes as C, 16 a line."""
    lines = (data[i : i + A_LINE] for i in range(0, len(data), A_LINE))
    return "\n".join("  " + " ".join(f"0x{byte:02x}," for byte in line) for line in lines)
