"""Which activations must share one grid, because the operators between them only move numbers."""

from __future__ import annotations

from qlab.arithmetic.affine import QuantParams
from qlab.engine.lowering import DICTATED, MOVING


class Group:
    """Activation tensors of one grid."""

    def __init__(self):
        self.tensors, self.sources, self.layers = [], [], []
        self.kept = False
        self.dictated: QuantParams | None = None

    def bits(self, recipe):
        """Bits under a recipe: the fewest that an override names, else the recipe's."""
        overrides = dict(recipe.overrides)
        settings = [dict(overrides.get(name, ())) for name in self.layers]
        named = [x["activation_bits"] for x in settings if "activation_bits" in x]
        if named:
            return min(named)
        return max(recipe.activation_bits, 8) if self.kept else recipe.activation_bits


def groups(model):
    """The group of each activation tensor of a float model."""
    graph = model.parsed.subgraphs[0]
    found = {int(graph.inputs[0]): Group()}
    for tensor, group in found.items():
        group.tensors.append(tensor)
        group.sources.append(tensor)
    for layer in model.layers:
        joined = found[layer.inputs[0]] if layer.op in MOVING else Group()
        if layer.op in MOVING:
            for other in {id(found[i]): found[i] for i in layer.inputs[1:]}.values():
                _absorb(found, joined, other)
        else:
            joined.sources.append(layer.output)
        found[layer.output] = joined
        joined.tensors.append(layer.output)
        joined.layers.append(layer.name)
    _mark(model, found)
    return found


def _absorb(found, group, other):
    """Join `other` to `group`."""
    if other is group:
        return
    for part in ("tensors", "sources", "layers"):
        getattr(group, part).extend(getattr(other, part))
    for tensor in other.tensors:
        found[tensor] = group


def _mark(model, found):
    """Mark groups that keep 8 bits (input, logits, output) or whose kernels dictate the grid."""
    graph, ops = model.parsed.subgraphs[0], {x.output: x for x in model.layers}
    final = int(graph.outputs[0])
    found[int(graph.inputs[0])].kept = found[final].kept = True
    if ops[final].op == "SOFTMAX":
        found[ops[final].inputs[0]].kept = True
    for group in set(found.values()):
        dictated = {ops[i].op for i in group.sources if i in ops}
        if len(dictated) == 1:
            group.dictated = DICTATED.get(dictated.pop())
