"""A model for TensorFlow Lite Micro: a C array, the operators to register, proof by a compiler."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import textwrap
import unicodedata
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.graph import PACKED_BITS, op_name
from qlab.tflite.litemodel import require_lite_model
from qlab.tflite.micro_runtime import FLOAT16, HYBRID, NO_OPERATOR, PACKED, micro
from qlab.tflite.operators import WEIGHTED, named

LONGEST = 60  # characters of a name
ALIGNMENT = 16  # bytes; TensorFlow Lite Micro reads numbers in place
LARGEST = 16 * 2**20
A_LINE = 16  # bytes
COMPILERS = ("cc", "gcc", "clang")
SECONDS = 120
CANNOT = "TensorFlow Lite Micro cannot run it as it is:"
RAM_ELSEWHERE = (
    "This was measured on a computer with the kernels that every chip can run. Kernels made for "
    "one chip may need more, and a chip of 32 bits needs less for its addresses."
)
KNOWN = frozenset(named(micro=True))
_SPELT = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}
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
_MAIN = """\
#include <stdio.h>
#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif
#include "{header}"
int main(void) {{
#ifdef _WIN32
  _setmode(_fileno(stdout), _O_BINARY);
#endif
  if ((unsigned long)(size_t){name} % 16u != 0u) return 2;
  return fwrite({name}, 1u, {name}_len, stdout) == sizeof({name}) ? 0 : 3;
}}
"""


class ExportError(ValueError):
    """An export that cannot be done; the message says why and what to do."""


def file_stem(path):
    """Stem for exported files: ASCII letters, digits, ``.``, ``_`` and ``-``."""
    name = Path(str(path)).name
    if name.lower().endswith(".tflite"):
        name = name[: -len(".tflite")]
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", _ascii(name)).strip("-._")
    return words[:LONGEST].rstrip("-._") or "model"


def identifier(stem):
    """Identifier for C and C++ out of a name."""
    words = re.sub(r"[^A-Za-z0-9]+", "_", _ascii(stem)).strip("_")[:LONGEST].rstrip("_")
    if words[:1].isdigit():
        words = f"m_{words}"
    return words if words.endswith("_model") else f"{words}_model".lstrip("_")


def _ascii(text):
    """The nearest ASCII text; what has none is dropped."""
    text = text.replace("ß", "ss")
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def c_array(model, stem):
    """Write a model as C: a header, which says whether TensorFlow Lite Micro ran it, and a source.

    The array holds the file as it is. `micro_form` makes the file that a microcontroller takes.
    """
    require_lite_model(model)
    if model.file_bytes > LARGEST:
        raise ExportError(
            f"the model has {model.file_bytes:,} bytes; a C array is written up to {LARGEST:,}"
        )
    name = identifier(stem)
    values = {
        "title": f"{stem}: a TensorFlow Lite model of {model.file_bytes:,} bytes, written by qlab.",
        "about": _commented(_about(model)),
        "calls": _commented(f"  {call}" for call in resolver_calls(model)),
        "name": name,
        "guard": f"QLAB_{name.upper()}_H",
        "length": model.file_bytes,
        "alignment": ALIGNMENT,
        "header": f"{stem}.h",
        "rows": _rows(model.data),
    }
    texts = {f"{stem}.h": _HEADER, f"{stem}.c": _SOURCE}
    return {file: text.format(**values).encode("ascii") for file, text in texts.items()}


def _about(model):
    """Lines on what the array is, and on what may keep it from running, which comes first."""
    report = micro(model)
    for sentence in obstacles(model) if report.runs is None else ():
        yield from wrapped(f"{CANNOT} {sentence}")
    if report.why:
        yield from wrapped(f"{CANNOT} {report.why}" if report.runs is False else report.why)
    yield "const, so that it stays in flash. Give it to tflite::GetModel()."
    if report.runs:
        yield from wrapped(f"RAM: a tensor arena of {report.arena_bytes:,} bytes. {RAM_ELSEWHERE}")
    if is_packed(model):
        yield "Several weights share a byte: the kernels of the target must take them so."


def wrapped(text):
    """A text as lines of a comment."""
    ascii_text = text.encode("ascii", "replace").decode().replace("*/", "* /")
    return textwrap.wrap(ascii_text, 95)


def _commented(lines):
    return "\n".join(f" * {line}".rstrip() for line in lines)


def _rows(data):
    """The bytes as C, 16 a line."""
    lines = (data[i : i + A_LINE] for i in range(0, len(data), A_LINE))
    return "\n".join("  " + " ".join(f"0x{byte:02x}," for byte in line) for line in lines)


def operators(model):
    require_lite_model(model)
    graph = model.parsed
    return tuple(sorted({op_name(graph, x) for x in graph.subgraphs[0].operators}))


def resolver_calls(model):
    """Lines of C++ that register the operators of a model, and no others."""
    known = [op for op in operators(model) if op in KNOWN]
    calls = [f"resolver.Add{_SPELT.get(op) or _camel(op)}();" for op in known]
    return (f"tflite::MicroMutableOpResolver<{len(known)}> resolver;", *calls)


def obstacles(model):
    """Why TensorFlow Lite Micro could not run this model, as far as the file tells that."""
    found = [NO_OPERATOR.format(op) for op in operators(model) if op not in KNOWN]
    layers, kinds = set(_types(model.parsed)), schema.TensorType
    integers = (kinds.INT8, *PACKED_BITS)
    if any(data == kinds.FLOAT32 and weights in integers for _, data, weights in layers):
        found.append(HYBRID)
    if any(op == "FULLY_CONNECTED" and weights in PACKED_BITS for op, _, weights in layers):
        found.append(PACKED)
    if _unpacks_float16(model.parsed):
        found.append(FLOAT16)
    return tuple(f"{words}." for words in found)


def is_packed(model):
    """Whether weights of the model share a byte."""
    return any(weights in PACKED_BITS for _, _, weights in _types(model.parsed))


def _camel(op):
    """``MAX_POOL_2D`` as ``MaxPool2D``."""
    return op.title().replace("_", "")


def _types(graph):
    """Operator of each layer that has weights, and the types of its input and of its weights."""
    tensors = graph.subgraphs[0].tensors
    for operator in graph.subgraphs[0].operators:
        op = op_name(graph, operator)
        if op in WEIGHTED:
            yield op, *(tensors[i].type for i in operator.inputs[:2])


def _unpacks_float16(graph):
    tensors = graph.subgraphs[0].tensors
    return any(
        tensors[x.inputs[0]].type == schema.TensorType.FLOAT16
        for x in graph.subgraphs[0].operators
        if op_name(graph, x) == "DEQUANTIZE"
    )


def find_compiler():
    """Path of a C compiler: what ``$CC`` names, or ``cc``, ``gcc`` or ``clang``."""
    names = [os.environ["CC"]] if os.environ.get("CC") else COMPILERS
    return next((found for name in names if (found := shutil.which(name))), None)


def compiled_bytes(files, stem, compiler=None, flags=("-std=c99",)):
    """Compile a C array with a small program, run it, and return what the array holds."""
    compiler = compiler or find_compiler()
    if compiler is None:
        raise ExportError(
            f"there is no C compiler here ({', '.join(COMPILERS)}; or name one in $CC). Install "
            "one, or leave out --verify: the C files are written without it"
        )
    main = _MAIN.format(header=f"{stem}.h", name=identifier(stem)).encode()
    with tempfile.TemporaryDirectory(prefix="qlab-c-") as folder:
        for name, content in {**files, "main.c": main}.items():
            Path(folder, name).write_bytes(content)
        program = Path(folder, "program.exe" if os.name == "nt" else "program")
        sources = [f"{stem}.c", "main.c"]
        _run([compiler, *flags, "-o", str(program), *sources], folder)
        return _run([str(program)], folder)


def _run(command, folder):
    """Run a command in `folder` and return its output; ExportError with its words if it fails."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExportError(f"the C files could not be compiled and run: {error}") from None
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        said = words[0] if words else f"exit code {done.returncode}"
        raise ExportError(f"the C compiler or its program failed: {said}")
    return done.stdout
