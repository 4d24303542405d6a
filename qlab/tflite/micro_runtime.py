"""TensorFlow Lite Micro runs the file, as a microcontroller would: whether, in how much RAM.

Its package `tflite-micro` has the interpreter, the kernels and the memory planner that are compiled
for a chip, here compiled for this machine. It comes with the extra ``qlab[micro]`` and exists for
Linux on x86-64 alone. A file that it cannot take may end the process, so it runs in one of its own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import pickle
import re
import tempfile
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from qlab.system import isolated
from qlab.system.text import printable
from qlab.tflite import artefacts, runtime
from qlab.tflite.answers import decided
from qlab.tflite.arena import plan_arena, unpacks
from qlab.tflite.graph import DTYPES, op_name, shape_of
from qlab.tflite.litemodel import ModelError, require_lite_model, require_sizes

PACKAGE = "tflite_micro"
IMAGES = 300  # that are predicted unless others are given
LEAST_AGREEMENT = 0.98  # of both runtimes, on a few hundred images
LARGEST_ARENA = 64 * 2**20  # bytes; no microcontroller has as much RAM
MEMORY_BYTES = 4 * 2**30
SECONDS = 300
CACHED = "micro.json"
NOT_HERE = (
    "TensorFlow Lite Micro is not installed here. Its package exists for Linux on x86-64, where "
    "pip install 'qlab[micro]' brings it"
)
UNAVAILABLE = f"{NOT_HERE}; elsewhere qlab shows what was measured of the files that ship"
HYBRID = (
    "It does not run dynamic range quantization: integer weights need integer activations. "
    "Quantize the activations as well"
)
FLOAT16 = (
    "Its DEQUANTIZE takes int8 and int16, not the float16 weights of this model. Use float32, or "
    "quantize weights and activations to integers"
)
PACKED = (
    "Its FULLY_CONNECTED takes one weight a byte, and in this file several share one. Use the file "
    "as it was before it was packed"
)
ONE_SCALE = (
    "It runs, and answers otherwise than LiteRT: its DEQUANTIZE takes one scale for all weights of "
    "a layer, and here each channel has its own. Quantize the weights per tensor, or the "
    "activations as well"
)
OTHERWISE = (
    "It runs, and answers {} of {} images otherwise than LiteRT. Do not use this file there; "
    "qlab.tflite.micro_form.micro_form or other layers may help."
)
NO_OPERATOR = "It has no operator {}. Build the network without it"
_SENTENCES = (  # what the runtime says, and what that means
    (r"Hybrid models are not supported|hybrid", HYBRID),
    (r"dequantize_common.*kTfLiteInt8", FLOAT16),
    (r"fully_connected.*(kTfLiteInt4|filter != nullptr)", PACKED),
    (r"Didn't find op for builtin opcode '(\w+)'", NO_OPERATOR),
    (r"op code (CUSTOM)", "It has no operators of others' making. Build the network without them"),
    (
        r"Failed to resize buffer|Failed to allocate|exceeded|[Aa]rena .*too small",
        f"It needs more than {LARGEST_ARENA:,} bytes of RAM, which no microcontroller has. Take "
        "smaller pictures or fewer filters in the first layers",
    ),
)
_CHILD = """
import json, os, pickle, sys, tempfile
import numpy as np
from tflite_micro import runtime

data, codes, arena, stateful, to = pickle.load(sys.stdin.buffer)

def heard(work):
    "What a call returns, or None if it is refused, and what it prints on file descriptor 2."
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            result = work()
        except RuntimeError as error:
            result = None
            os.write(2, str(error).encode())
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        return result, file.read(4000).decode("utf-8", "replace")

def answers():
    rows = []
    for row in codes:
        if stateful:
            interpreter.reset()
        interpreter.set_input(row, 0)
        interpreter.invoke()
        rows.append(np.array(interpreter.get_output(0)).reshape(-1))
    return np.stack(rows)

interpreter, said = heard(lambda: runtime.Interpreter.from_bytes(data, arena_size=arena))
rows = None
if interpreter is not None:
    rows, said = heard(answers)
if rows is None:
    print(json.dumps({"refused": said}))
else:
    np.save(to, rows)
    print(json.dumps({"printed": heard(interpreter.print_allocations)[1]}))
"""


@dataclass(frozen=True, eq=False)
class MicroReport:
    """What TensorFlow Lite Micro made of a file.

    Parameters
    ----------
    runs : bool or None
        None if nobody could ask.
    why : str
        If it does not run, runs wrongly, or nobody could ask: the reason and what to do, in one or
        two sentences; else empty.
    kind : str
        ``measured`` here and now, or ``cached`` with the shipped files; ``simulated`` if only the
        plan of the activations was computed.
    flash_bytes : int
        Size of the file.
    arena_bytes : int or None
        RAM: the smallest arena in which the file runs.
    activations_bytes, unpacked_bytes, persistent_bytes : int or None
        What the arena is made of: activations, with the gaps between them, in the step that needs
        most; weights that a step unpacks into RAM; and what stays there all the time, such as the
        grids of the channels. On a chip of 32 bits the last part is smaller, because it is full of
        addresses.
    compared, equal : int
        Images that both runtimes answered, and how many of them they answered the same.
    predictions : ndarray of int or None
        The answers of TensorFlow Lite Micro.
    """

    runs: bool | None
    why: str
    kind: str
    flash_bytes: int
    arena_bytes: int | None = None
    activations_bytes: int | None = None
    unpacked_bytes: int | None = None
    persistent_bytes: int | None = None
    compared: int = 0
    equal: int = 0
    predictions: np.ndarray | None = field(default=None, repr=False)

    @property
    def agreement(self):
        """float: share of the images that both runtimes answer the same; nan if none was asked."""
        return self.equal / self.compared if self.compared else math.nan


def available():
    """Whether the package is here; it is not imported."""
    return importlib.util.find_spec(PACKAGE) is not None


def micro(model, images=None):
    """Ask TensorFlow Lite Micro whether it runs a model, and in how much RAM.

    It runs in a process of its own, and is asked once for each file and set of images.

    Parameters
    ----------
    model : LiteModel
    images : ndarray of uint8 or float32, optional
        As for `predict`. By default 300 validation images, or none if they do not fit the model.

    Returns
    -------
    MicroReport

    Raises
    ------
    TypeError
        If `model` is no LiteModel.
    ValueError
        If the images that were given do not fit it.

    Examples
    --------
    >>> import qlab
    >>> report = qlab.micro(qlab.pretrained("baseline-int8"))
    >>> report.runs, report.flash_bytes, report.arena_bytes
    (True, 84248, 32432)
    >>> qlab.micro(qlab.pretrained("baseline-dynamic-range")).why.partition(":")[0]
    'It does not run dynamic range quantization'
    """
    require_lite_model(model)
    digest = hashlib.sha256(model.data).hexdigest()
    asked_with = None if images is None else hashlib.sha256(np.ascontiguousarray(images)).digest()
    key = digest, model.pixels, asked_with
    if key not in _ASKED:
        report = _asked(model, images) if available() else _remembered(model, digest)
        _ASKED[key] = report
    return _ASKED[key]


_ASKED = {}


def _remembered(model, digest):
    """What was measured of a shipped file, or what can be computed without the runtime."""
    if (entry := cached().get(digest)) is not None:
        return MicroReport(kind="cached", flash_bytes=model.file_bytes, **entry)
    nothing = MicroReport(None, f"{UNAVAILABLE}.", "simulated", model.file_bytes)
    return replace(nothing, **_parts(model, None))


@lru_cache(maxsize=1)
def cached():
    """What was measured of the files that ship, and of those the notebooks make, by SHA-256."""
    try:
        found = json.loads((artefacts.folder() / CACHED).read_text("utf-8"))
        known = found["files"] | found["made"]
    except (OSError, ValueError, KeyError):
        return {}
    fields = MicroReport.__dataclass_fields__
    return {
        digest: {key: value for key, value in entry.items() if key in fields}
        for digest, entry in known.items()
    }


def _asked(model, images):
    graph = model.parsed.subgraphs[0]
    report = MicroReport(None, "", "measured", model.file_bytes)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        counts = f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs"
        why = f"It has {counts}, and qlab asks about files with one of each."
        return replace(report, why=why)
    try:
        require_sizes(model)
    except ModelError as error:
        return replace(report, why=f"It takes shapes as they stand in the file: {error}.")
    codes, expected = _codes(model, images)
    found, rows = _told(model, codes)
    if rows is None:
        return replace(report, **found)
    head, tail = found
    why = f"{ONE_SCALE}." if _has_scales_to_lose(model.parsed) else ""
    report = replace(report, runs=True, why=why, arena_bytes=head + tail, persistent_bytes=tail)
    report = replace(report, **_parts(model, head))
    if expected is None:
        return report
    answers = decided(model, rows)
    equal = int((answers == expected).sum())
    if equal < LEAST_AGREEMENT * len(expected) and not why:
        why = OTHERWISE.format(len(expected) - equal, len(expected))
    return replace(report, why=why, compared=len(expected), equal=equal, predictions=answers)


def _codes(model, images):
    """What both runtimes get, and what LiteRT answers; one blank image if none fits."""
    tensor = model.parsed.subgraphs[0].tensors[int(model.parsed.subgraphs[0].inputs[0])]
    try:
        chosen = _default_images(tensor) if images is None else runtime.checked(images)
        return runtime.input_codes(model, chosen), runtime.predict(model, chosen)
    except ValueError:  # a ModelError is one
        if images is not None:
            raise
    return np.zeros((1, *shape_of(tensor)), DTYPES.get(tensor.type, np.dtype("i1"))), None


def _default_images(tensor):
    """Images of garments, which are not read where they cannot fit."""
    from qlab import data

    runtime.require_fit(tuple(shape_of(tensor)[1:]), (1, *data.FashionMNIST.image_shape))
    return data.load().validation.images[:IMAGES]


def _told(model, codes):
    """Bytes of head and tail of the arena and a row of answers an image, or why not and None."""
    stateful = any(x.isVariable for x in model.parsed.subgraphs[0].tensors)
    with tempfile.TemporaryDirectory(prefix="qlab-micro-", ignore_cleanup_errors=True) as folder:
        to = os.path.join(folder, "rows.npy")
        job = pickle.dumps((model.data, codes, LARGEST_ARENA, stateful, to))
        ended = isolated.run(_CHILD, SECONDS, MEMORY_BYTES, job)
        try:
            told = json.loads(ended.output)
            if "refused" in told:
                return {"runs": False, "why": sentence(model, str(told["refused"]))}, None
            sizes = dict(re.findall(r"Arena allocation (head|tail) (\d+) bytes", told["printed"]))
            return (int(sizes["head"]), int(sizes["tail"])), np.load(to, allow_pickle=False)
        except (ValueError, KeyError, TypeError, OSError):
            return _unheard(ended), None


def _unheard(ended):
    """What became of a process that said nothing that makes sense."""
    if ended.timed_out:
        why = f"It took TensorFlow Lite Micro over {SECONDS} s. Give fewer images, or a smaller net"
        return {"runs": None, "why": f"{why}."}
    if ended.code < 0:
        why = "It ended the interpreter's process: on a chip it would crash. The file is damaged, "
        return {"runs": False, "why": f"{why}or has a layer that this runtime does not check."}
    said = printable(ended.error, 200) or f"exit code {ended.code}"
    return {"runs": None, "why": f"TensorFlow Lite Micro could not be asked ({said})."}


def _has_scales_to_lose(graph):
    """Whether weights with a scale for each channel become float in a step of their own."""
    tensors = graph.subgraphs[0].tensors
    for operator in graph.subgraphs[0].operators:
        if unpacks(graph, operator):
            grid = tensors[int(operator.inputs[0])].quantization
            if grid is not None and grid.scale is not None and len(set(grid.scale)) > 1:
                return True
    return False


def sentence(model, said):
    """The runtime's own message as a sentence: which operator, and what to do."""
    for pattern, words in _SENTENCES:
        if found := re.search(pattern, said):
            return f"{words.format(*found.groups())}.{_where(model, said)}"
    first = next((line for line in said.splitlines() if line.strip()), "no reason given")
    return f"It refuses the file and says: {printable(first, 200)}{_where(model, said)}"


def _where(model, said):
    """The layer that the runtime stopped at, in words, if it names one."""
    found = re.search(r"Node (\w+) \(number (\d+)\)", said)
    operators = model.parsed.subgraphs[0].operators
    if not found or int(found[2]) >= len(operators):
        return ""
    operator = operators[int(found[2])]
    names = {x.output: x.name for x in model.layers}
    name = names.get(int(operator.outputs[0]))
    op = op_name(model.parsed, operator)
    return f" It stops at {f'the layer {printable(name, 60)}, ' if name else ''}{op}."


def _parts(model, head):
    """What the head of the arena holds, by the plan; `head` is its size if the runtime told it."""
    try:
        plan = plan_arena(model)
    except ModelError:
        return {"activations_bytes": head, "unpacked_bytes": 0} if head else {}
    at_peak = plan.at_peak()
    unpacked = at_peak["unpacked weights"] + at_peak["scratch"]
    head = plan.bytes if head is None else head
    return {"activations_bytes": head - unpacked, "unpacked_bytes": unpacked}
