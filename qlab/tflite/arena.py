"""The RAM of a microcontroller, step by step: TensorFlow Lite Micro's memory plan, computed anew.

The runtime prints how large its plan is, and not the plan. So the plan is computed here as its
`GreedyMemoryPlanner` does it: the largest tensor first, each at the lowest place that is free while
it is needed. `tests/test_micro.py` compares the size with the one that the runtime prints.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

from ai_edge_litert import schema_py_generated as schema

from qlab.tflite.graph import DTYPES, is_activation, op_name, shape_of
from qlab.tflite.litemodel import ModelError, require_lite_model, require_sizes

ALIGNMENT = 16  # bytes; where a tensor may begin
SCRATCH_FOR_INT4 = ("CONV_2D", "DEPTHWISE_CONV_2D")  # they unpack such weights into RAM
KINDS = ("activations", "unpacked weights", "scratch")
CALLING = ("WHILE", "IF", "CALL_ONCE")  # operators that run another graph of the file


@dataclass(frozen=True)
class Buffer:
    """What lies in the arena from one step to another: `bytes` at `offset`, both counted from 0."""

    name: str
    kind: str
    bytes: int
    first: int
    last: int
    offset: int = 0

    @property
    def end(self):
        return self.offset + self.bytes

    def meets(self, other):
        """Whether both are needed in the same step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class ArenaPlan:
    """Which tensors lie where in the arena, and when: `steps` names the operators in their order.

    Step 0 is before the first operator, when the input is written.
    """

    steps: tuple[str, ...]
    buffers: tuple[Buffer, ...]

    def live(self, step):
        """Return the buffers that are needed in a step, from the bottom of the arena up."""
        return tuple(x for x in self.buffers if x.first <= step <= x.last)

    def owner(self, buffer):
        """Name of the step that makes a buffer; of weights, of the step that reads them."""
        return self.steps[buffer.first if buffer.kind == "activations" else buffer.last]

    @cached_property
    def bytes(self):
        """int: how far up the arena is used, in any step."""
        return max((x.end for x in self.buffers), default=0)

    @cached_property
    def peak(self):
        """int: the step that needs most bytes at once; of equals the first."""
        needed = [sum(x.bytes for x in self.live(step)) for step in range(len(self.steps))]
        return needed.index(max(needed))

    def at_peak(self):
        """Bytes of each of `KINDS` in that step; ``gaps`` is what the plan leaves between them."""
        live = self.live(self.peak)
        found = {kind: sum(x.bytes for x in live if x.kind == kind) for kind in KINDS}
        return found | {"gaps": self.bytes - sum(found.values())}


def plan_arena(model):
    """Plan the arena of a model as TensorFlow Lite Micro does.

    >>> import qlab
    >>> from qlab.tflite.arena import plan_arena
    >>> plan = plan_arena(qlab.pretrained("baseline-int8"))
    >>> plan.steps[plan.peak], plan.bytes
    ('pool1', 28736)
    """
    require_lite_model(model)
    require_sizes(model)
    graph = model.parsed.subgraphs[0]
    if any(op_name(model.parsed, x) in CALLING for x in graph.operators):
        raise ModelError("it calls other graphs; qlab plans the memory of one graph alone")
    names = {x.output: x.name for x in model.layers}
    steps = [names.get(int(x.outputs[0]), op_name(model.parsed, x)) for x in graph.operators]
    return ArenaPlan(("input", *steps), _placed(_needed(model.parsed, steps)))


def _needed(model, steps):
    """Buffers, not yet placed, in the order in which the runtime hands them to its planner."""
    graph = model.subgraphs[0]
    lives = {int(i): [0, 0] for i in graph.inputs}
    for step, operator in enumerate(graph.operators, 1):
        for index in (*map(int, operator.outputs), *map(int, operator.inputs)):
            lives.setdefault(index, [step, step])[1] = step
    for index in map(int, graph.outputs):
        lives[index][1] = len(steps)
    makers = {int(i): x for x in graph.operators for i in x.outputs}
    for index in sorted(lives):
        if index < 0 or not is_activation(model, index) or graph.tensors[index].isVariable:
            continue
        unpacked = unpacks(model, makers.get(index))
        name = (graph.tensors[index].name or b"").decode("utf-8", "replace")
        size = _tensor_bytes(graph.tensors[index])
        yield Buffer(name, KINDS[unpacked], _aligned(size), *lives[index])
    for step, operator in enumerate(graph.operators, 1):
        for size in _scratch(model, operator):
            yield Buffer(steps[step - 1], "scratch", _aligned(size), step, step)


def _placed(buffers):
    """Place the largest first, each in the lowest gap between those that it meets."""
    placed = []
    ordered = sorted(enumerate(buffers), key=lambda x: (-x[1].bytes, -x[0]))  # of equals the last
    for _, buffer in ordered:
        offset = 0
        for other in sorted((x for x in placed if x.meets(buffer)), key=lambda x: x.offset):
            if other.offset - offset >= buffer.bytes:
                break
            offset = max(offset, other.end)
        placed.append(replace(buffer, offset=offset))
    return tuple(sorted(placed, key=lambda x: (x.offset, x.first)))


def unpacks(model, operator):
    """Whether an operator only writes a constant in another form."""
    named = operator is not None and op_name(model, operator) == "DEQUANTIZE"
    return named and not is_activation(model, int(operator.inputs[0]))


def _scratch(model, operator):
    """Bytes that a kernel asks for while it runs; of the kernels in our files, no others do."""
    op, tensors = op_name(model, operator), model.subgraphs[0].tensors
    if op in SCRATCH_FOR_INT4:
        weights = tensors[operator.inputs[1]]
        if weights.type == schema.TensorType.INT4:
            yield math.prod(shape_of(weights))


def _tensor_bytes(tensor):
    kind = DTYPES.get(tensor.type)
    return math.prod(shape_of(tensor)) * (kind.itemsize if kind else 1)


def _aligned(size):
    return -(-size // ALIGNMENT) * ALIGNMENT
