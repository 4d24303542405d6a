"""Score only what changed: what comes before the first change is remembered, and the rest is run.

A cut is a place in a file where one tensor carries all that the later operators read. What it holds
for given images is remembered under a digest of everything that comes before: operators, options,
types and grids of tensors, constants. A file is scored from its longest remembered prefix, by a
real `.tflite` file of the operators that are left. The answers are those of the whole file, bit for
bit.

Remembering costs a few per cent of a run, so it must be worth it. A prefix is remembered when a
second file has it, because a third is then to be expected: a learner moves one layer's control, or
a search tries one layer after the other. If two files share several prefixes, the longest is
remembered. A setting that changes every layer changes the first one too, so that no prefix is
shared and nothing is remembered. A caller that knows which layers are going to change, as a scan of
all layers does, says so, and the prefixes are remembered with the first file.
"""

from __future__ import annotations

import copy
import hashlib
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from qlab.arithmetic.results import Measurement
from qlab.system.settings import number
from qlab.system.steps import finished, mapped, timed
from qlab.tflite.answers import decided
from qlab.tflite.graph import DTYPES, op_name, shape_of
from qlab.tflite.operations import count_macs
from qlab.tflite.operators import OPERATORS, WEIGHTED
from qlab.tflite.pixels import fed
from qlab.tflite.runtime import BATCH, WHOLE, batches, predict, prepared, require_labelled

MEGABYTES = 64  # remembered at most, unless $QLAB_REMEMBERED_MB says otherwise
MET = 2_000  # digests of prefixes that were met, 32 bytes each
REST = (
    "LiteRT ran only what comes after the first {} with weights, because the activations "
    "up to there were remembered from an earlier file"
)
IMAGE_SETS = 32  # whose digests are kept while nobody can write into them


def score(model, images, labels, batch=BATCH, threads=None, changing=()):
    """Score a file as `evaluate` does, and sooner if its first layers were scored before.

    >>> import qlab
    >>> test, model = qlab.data.load().test, qlab.pretrained("baseline")
    >>> score(model, test.images[:50], test.labels[:50]).n
    50
    """
    return finished(scoring(model, images, labels, None, batch, threads, changing))


def scoring(model, images, labels, each=None, batch=BATCH, threads=None, changing=()):
    """Score a file in steps of so many images; yield a Measurement of those that are done.

    >>> import qlab
    >>> test, model = qlab.data.load().test, qlab.pretrained("baseline")
    >>> [done.n for done in scoring(model, test.images[:50], test.labels[:50], each=20)]
    [20, 40]
    """
    labels = require_labelled(model, images, labels)

    def made(found):
        (classes, layers), elapsed_ms = found
        first = "layer" if layers == 1 else f"{layers} layers"
        how = REST.format(first) if layers else WHOLE
        return Measurement(classes, labels[: len(classes)], elapsed_ms=elapsed_ms, how=how)

    return (
        yield from mapped(made, timed(_classifying(model, images, each, batch, threads, changing)))
    )


def answers(model, images, batch=BATCH, threads=None, changing=()):
    """What a file answers for each image, as its output holds it.

    None if one of its tensors does not count images along its first axis: it must be run whole.

    Parameters
    ----------
    changing : sequence of str
        Layers that files to come are going to change: what comes before each is remembered now.
    """
    found, _ = finished(_answering(model, images, None, batch, threads, changing))
    return found[0] if found else None


def _answering(model, images, each, batch, threads, changing):
    """Steps of `answers`: a list of what is answered so far, and how many layers were not run.

    Steps that are left before the end remember nothing.
    """
    images, batch = prepared(model, images), min(batch, each or batch)
    places, key = cuts(model.parsed), (_digest_of(images), fed(model), batch)
    start, values = MEMORY.longest(key, places)
    later = [cut for cut in places if start is None or cut.first > start.first]
    if changing:
        kept = _fitting(sorted(_expected(model, later, changing), key=_saved), len(images))
    else:
        kept = _fitting(MEMORY.met(key, later), len(images))[:1]
    MEMORY.meet(key, places)
    values = images if start is None else values
    steps = _running(model, start, kept, values, each, batch, threads)
    layers = 0 if start is None else _layers_before(model, start)
    found, _ = yield from mapped(lambda x: (x, layers), steps)
    for cut, held in zip(kept, found[1:], strict=False):
        MEMORY.put(key, cut, held)
    return found[:1], layers


def _layers_before(model, cut):
    """How many layers with weights come before a cut."""
    names = (op_name(model.parsed, x) for x in model.parsed.subgraphs[0].operators[: cut.first])
    return sum(name in WEIGHTED for name in names)


def _classifying(model, images, each, batch, threads, changing):
    """Steps: the class of each image so far, and how many layers were not run."""
    steps = _answering(model, images, each, batch, threads, changing)
    try:
        found = yield from mapped(lambda x: x[0] and (decided(model, x[0][0]), x[1]), steps)
    except (RuntimeError, ValueError):
        found = None  # LiteRT may refuse a part; if it refuses the whole, `predict` says why
    return found or (predict(model, images, batch, threads), 0)


def _expected(model, places, changing):
    """The last cut before each of these layers."""
    outputs = {x.output for x in model.layers if x.name in changing}
    operators = model.parsed.subgraphs[0].operators
    firsts = [i for i, x in enumerate(operators) if int(x.outputs[0]) in outputs]
    before = ([cut for cut in places if cut.first <= first] for first in firsts)
    return list({cuts[-1].first: cuts[-1] for cuts in before if cuts}.values())


def _fitting(places, n):
    """Those of some cuts that can be remembered together, the last of them first."""
    kept, room = [], MEMORY.room
    for cut in reversed(places):
        if cut.image_bytes * n <= room:
            kept.append(cut)
            room -= cut.image_bytes * n
    return kept


def _saved(cut):
    """Multiply-accumulates that a remembered byte saves."""
    return cut.macs / cut.image_bytes


def _running(model, start, kept, values, each, batch, threads):
    """Run a file from a cut on, in steps; the answers, then what the cuts to be kept hold.

    Nothing if a tensor does not count images along its first axis: then the file is not cut.
    """
    part = model if start is None and not kept else part_of(model, start, [x.tensor for x in kept])
    found = []
    for rows, tensors in batches(part, values, batch, threads, None if start is None else _copy):
        n = len(values[rows])
        if not found:
            shapes = [(tensor().shape, tensor().dtype) for tensor in tensors]
            if any(shape[:1] != (n,) for shape, _ in shapes):
                return []
            found = [np.empty((len(values), *shape[1:]), dtype) for shape, dtype in shapes]
        for whole, tensor in zip(found, tensors, strict=True):
            whole[rows] = tensor()[:n]
        done = rows.start + n
        if each and done < len(values) and done // each > rows.start // each:
            yield [found[0][:done]]
    return found


def _copy(view, values, detail):
    view[...] = values


class Cut(NamedTuple):
    """A place between two operators where one tensor carries all that comes later."""

    tensor: int
    first: int  # the operator after it
    digest: bytes  # of all that comes before it
    image_bytes: int  # that the tensor holds for an image
    macs: int  # multiply-accumulates before it, for an image


def cuts(graph):
    """Where a file can be cut, after its first layer with weights; the first place first.

    >>> import qlab
    >>> [cut.image_bytes for cut in cuts(qlab.pretrained("baseline-int8").parsed)]
    [23328, 5408, 2304, 576, 576, 125]
    """
    part, found = graph.subgraphs[0], []
    names = [op_name(graph, x) for x in part.operators]
    if not all(name in OPERATORS and OPERATORS[name].challenge for name in names):
        return []  # it may remember from batch to batch, or draw at random
    digests = {int(part.inputs[0]): _digest(_described(part.tensors[part.inputs[0]]))}
    last = {int(i): at for at, x in enumerate(part.operators) for i in x.inputs}
    last[int(part.outputs[0])] = len(names)
    live, macs = {int(part.inputs[0])}, 0
    for at, (operator, name) in enumerate(zip(part.operators, names, strict=True)):
        reads, writes = [[int(i) for i in x] for x in (operator.inputs, operator.outputs)]
        for index in reads:
            if index not in digests and not _is_known_constant(graph, index, digests):
                return []  # a state, which nothing here writes
        version = graph.operatorCodes[operator.opcodeIndex].version
        digest = _digest(name, version, _described(operator), *(digests.get(i, b"") for i in reads))
        for position, index in enumerate(writes):
            digests[index] = _digest(position, digest, _described(part.tensors[index]))
        if live.intersection(reads):  # else it makes a constant, which goes into every part
            live.update(writes)
        live = {index for index in live if last.get(index, -1) > at}
        if name in WEIGHTED:
            macs += count_macs(graph, name, reads[1], writes[0])
        if macs and len(live) == 1 and int(part.outputs[0]) not in live:
            [tensor] = live
            size = _image_bytes(part.tensors[tensor])
            found += [Cut(tensor, at + 1, digests[tensor], size, macs)] if size else []
    return found


def _digest(*parts):
    return hashlib.sha256(b"".join(_framed(part) for part in parts)).digest()


def _framed(part):
    """A part with its length before it, so that no two lists of parts run together to the same."""
    part = part if isinstance(part, bytes | memoryview) else repr(part).encode()
    return b"%d:" % len(part) + part


def _described(thing, without=("name", "buffer", "inputs", "outputs", "opcodeIndex")):
    """What an object of the schema says, except where it is and what it is called."""
    if isinstance(thing, np.ndarray):
        return thing.tobytes()
    if isinstance(thing, list):
        return [_described(x) for x in thing]
    if hasattr(thing, "__dict__"):
        return [(k, _described(v)) for k, v in vars(thing).items() if k not in without]
    return thing


def _is_known_constant(graph, index, digests):
    """Whether a tensor is a constant, or left out; its digest is noted."""
    if index >= 0:
        tensor = graph.subgraphs[0].tensors[index]
        data = graph.buffers[tensor.buffer].data
        if data is None or not len(data):
            return False
        digests[index] = _digest(_described(tensor), np.asarray(data, np.uint8).data)
    return True


def _image_bytes(tensor):
    """Bytes of an activation for one image; 0 if qlab does not know its type."""
    return math.prod(shape_of(tensor)[1:]) * DTYPES.get(tensor.type, np.dtype("V0")).itemsize


def _digest_of(images):
    """Digest of images; worked out once if nobody can write into them."""
    place = images.ctypes.data, images.shape, images.strides, images.dtype.str
    frozen = _frozen(images)
    if frozen and (known := _digests.get(place)):
        return known[1]
    digest = _digest(images.dtype.str, images.shape, np.ascontiguousarray(images).data)
    if frozen:
        if len(_digests) >= IMAGE_SETS:
            _digests.clear()
        _digests[place] = images, digest  # the images are held, or others could take their place
    return digest


_digests = {}


def _frozen(array):
    """Whether nobody can write into an array, through whatever it is a view of."""
    while isinstance(array, np.ndarray) and not array.flags.writeable:
        array = array.base
    held = array.obj if isinstance(array, memoryview) else array
    return held is None or isinstance(held, bytes)


def part_of(model, start, more=()):
    """The operators after a cut (None: all) as a file of its own, with more tensors put out."""
    graph, part = copy.copy(model.parsed), copy.copy(model.parsed.subgraphs[0])
    graph.subgraphs, graph.signatureDefs, graph.metadata = [part], None, None
    part.outputs = np.array([*part.outputs, *more], np.int32)
    if start is not None:
        part.inputs = np.array([start.tensor], np.int32)
        part.operators, used = _leading_to(part)
        needed = {part.tensors[i].buffer for i in used}
        graph.buffers = [x if i in needed else _EMPTY for i, x in enumerate(graph.buffers)]
    return model.edited(graph)


_EMPTY = schema.BufferT()


def _leading_to(part):
    """The operators between a graph's inputs and its outputs, and the tensors they read."""
    operators, needed = [], {int(i) for i in part.outputs}
    for operator in reversed(part.operators):
        if needed.difference(part.inputs).intersection(operator.outputs):
            operators.insert(0, operator)
            needed.update(int(i) for i in operator.inputs if i >= 0)
    return operators, needed


class Memory:
    """What cuts hold, up to so many bytes (None: the setting); safe to share between threads."""

    def __init__(self, room=None):
        self._room, self.used, self._time = room, 0, 0
        self._held, self._met = {}, OrderedDict()
        self._lock = threading.RLock()

    @property
    def room(self):
        """int: how many bytes are remembered at most."""
        if self._room is None:
            return int(number("QLAB_REMEMBERED_MB", MEGABYTES) * 2**20)
        return self._room

    def longest(self, key, places):
        """The last of some cuts that is remembered, and what it holds; (None, None) if none is."""
        with self._lock:
            self._time += 1
            for cut in reversed(places):
                if held := self._held.get((key, cut.digest)):
                    held.used = self._time
                    return cut, held.values
        return None, None

    def met(self, key, places):
        """Those of some cuts that a file before had too."""
        with self._lock:
            return [cut for cut in places if (key, cut.digest) in self._met]

    def meet(self, key, places):
        """Note the cuts of a file."""
        with self._lock:
            for cut in places:
                self._met[key, cut.digest] = None
                self._met.move_to_end((key, cut.digest))
            while len(self._met) > MET:
                self._met.popitem(last=False)

    def put(self, key, cut, values):
        """Remember what a cut holds; forget what has waited long, and saves little for a byte."""
        values.setflags(write=False)
        with self._lock:
            self._forget((key, cut.digest))
            self._held[key, cut.digest] = _Held(values, _saved(cut), self._time)
            self.used += values.nbytes
            while self.used > self.room:
                self._forget(max(self._held, key=self._uselessness))

    def clear(self):
        with self._lock:
            self._held.clear()
            self._met.clear()
            self.used = 0

    def _uselessness(self, name):
        held = self._held[name]
        return (self._time - held.used) / held.worth

    def _forget(self, name):
        if name in self._held:
            self.used -= self._held.pop(name).values.nbytes


@dataclass
class _Held:
    values: np.ndarray
    worth: float  # multiply-accumulates saved for a byte
    used: int  # when it was last asked for


MEMORY = Memory()
