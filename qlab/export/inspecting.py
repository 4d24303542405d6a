"""A look at any `.tflite` file: its bytes, its layers, what stays in float, and its pixels."""

from __future__ import annotations

from pathlib import Path

from qlab import data
from qlab.arithmetic.metrics import confusion
from qlab.arithmetic.results import Measurement, compare
from qlab.engine.compressor import Compressor
from qlab.engine.explaining import staying_in_float
from qlab.engine.floating import floating
from qlab.export.measuring import lookup
from qlab.export.microcontroller import ExportError
from qlab.export.model_card import TYPE_NAMES
from qlab.export.writing import ROOM, data_from, in_a_process
from qlab.system.text import printable
from qlab.tflite.anatomy import compressed_byte_counts
from qlab.tflite.answers import described, require_classes, shape_with_gaps
from qlab.tflite.cleaning import cleaned
from qlab.tflite.graph import op_name, stored_index
from qlab.tflite.gzipping import GZIPPED
from qlab.tflite.litemodel import LiteModel, ModelError
from qlab.tflite.operators import PLUMBING
from qlab.tflite.pixels import code_range, coded_way, fed
from qlab.trials import subjects

MOST_LAYERS = 200  # lines
LONGEST = 40  # of a name
MOST_CLASSES = 20  # named


def inspect_file(file, source=None, fashion_mnist=False, pixels=None, out=print):
    """Print the look; with data, score it too."""
    try:
        model = LiteModel.from_file(file, pixels)
    except (ValueError, OSError) as error:
        raise ExportError(str(error)) from None
    source = "Fashion-MNIST" if fashion_mnist else source and str(Path(source).absolute())
    asked = model.data, pixels, Path(file).name, source, fashion_mnist
    in_a_process(_inspect, *asked, out=out, room=ROOM if source and not fashion_mnist else 0)
    return 0


def _inspect(content, pixels, name, source, fashion_mnist, say):
    """In a process of its own: say all that there is to say of a file that was checked."""
    model = LiteModel(content, pixels)
    for line in look(model, name, scored=source is not None):
        say(line)
    for line in _scoring(model, source, fashion_mnist):
        say(line)


def look(model, name="model.tflite", scored=False):
    """Lines about a file, for the screen; if it is `scored` afterwards, that tells of its pixels.

    >>> import qlab
    >>> lines = list(look(qlab.pretrained("baseline"), "baseline.tflite"))
    >>> lines[0], lines[-1]
    ('baseline.tflite: 305,676 bytes, 282,053 gzipped at level 6', 'pixels: 0 to 1, as was set')
    """
    yield f"{printable(name, 80)}: {model.file_bytes:,} bytes, {model.gzip_bytes:,} {GZIPPED}"
    if words := model.parsed.description:
        yield f"it describes itself as: {printable(words, 200)}"
    part, *others = model.parsed.subgraphs
    for kind, indices in (("input", part.inputs), ("output", part.outputs)):
        for index in indices:
            yield f"{kind}: {_tensor(part.tensors[int(index)])}"
    if others:
        yield f"graphs: {1 + len(others)}; the layers below are those of the first"
    yield from ("", *_parts(model), "", *_layers(model), "")
    yield from _forms(model)
    if (pixels := _pixels(model, scored)) is not None:
        yield pixels


def _tensor(tensor):
    """Name, shape, type and range of codes of an input or output."""
    words = f"{described(tensor)}, {TYPE_NAMES.get(tensor.type, 'unknown')}"
    grid = code_range(tensor)
    return words if grid is None else words + ", which stands for {:.4g} to {:.4g}".format(*grid)


def _parts(model):
    """A table of the file's parts."""
    compressed = compressed_byte_counts(model.data)
    yield f"{'part':<10} {'bytes':>12} {'share':>8} {'compressed alone':>18}"
    for name, size in model.anatomy().items():
        share = f"{100 * size / model.file_bytes:.1f} %"
        yield f"{name:<10} {size:>12,} {share:>8} {compressed[name]:>18,}"


def _layers(model):
    """A table of the layers: what each reads of weights, and what it gives."""
    tensors, layers = model.parsed.subgraphs[0].tensors, model.layers
    names = [printable(x.name, LONGEST) for x in layers[:MOST_LAYERS]]
    wide = max([len("layer"), *map(len, names)])
    ops = [printable(x.op, LONGEST) for x in layers[:MOST_LAYERS]]
    wide_ops = max([len("operator"), *map(len, ops)])
    yield f"{'layer':<{wide}}  {'operator':<{wide_ops}}  {'gives':<28}  weights"
    for layer, kind, name, op in zip(layers, _stored_types(model), names, ops, strict=False):
        tensor = tensors[layer.output]
        shape = f"{shape_with_gaps(tensor)} {TYPE_NAMES.get(tensor.type, 'unknown').lower()}"
        held = layer.weights
        weights = "" if held is None else f"{held.shape} {kind}, {held.size:,}"
        yield f"{name:<{wide}}  {op:<{wide_ops}}  {shape:<28}  {weights}".rstrip()
    if len(layers) > MOST_LAYERS:
        yield f"... and {len(layers) - MOST_LAYERS} more"


def _stored_types(model):
    """How the file stores the weights of each layer, such as int2; None where it has none."""
    part = model.parsed.subgraphs[0]
    steps = [x for x in part.operators if op_name(model.parsed, x) not in PLUMBING]
    for layer, operator in zip(model.layers, steps, strict=True):
        if layer.weights is None:
            yield None
        else:
            index = stored_index(model.parsed, int(operator.inputs[1]))
            yield TYPE_NAMES[part.tensors[index].type].lower()


def _forms(model):
    """Whether it is float, quantized, hybrid or sparse, and what would stay in float."""
    operators = model.parsed.subgraphs[0].operators
    steps = sum(op_name(model.parsed, x) in PLUMBING for x in operators)
    if steps:
        yield f"steps between the layers, such as QUANTIZE: {steps}"
    try:
        Compressor(model)
    except ModelError as error:
        yield f"to be compressed: no. {str(error)[0].upper()}{str(error)[1:]}"
        return
    plain = cleaned(model)
    stays = " ".join(staying_in_float(plain.layers, floating(plain)))
    yield "to be compressed: yes, it is a float32 file. " + (stays or "Nothing stays in float.")


def _pixels(model, scored):
    """How the model wants its pixels, as far as its file or the caller says it; None if neither."""
    try:
        require_classes(model)
    except ModelError as error:
        return f"pixels: nothing is scored, because {error}"
    if model.takes_pixels:
        return "pixels: 0 to 255, because its input is of whole numbers without a scale"
    if model.pixels:
        return f"pixels: {model.pixels}, as was set"
    if known := lookup(model)[2]:
        return f"pixels: {known}, as the course or your shelf has it on record"
    if way := coded_way(model):
        return f"pixels: {way}, because that is what the codes of its input stand for"
    return (
        None
        if scored
        else (
            "pixels: the file does not say whether it wants 0 to 1, 0 to 255 or -1 to 1; "
            "--data or --fashion-mnist finds it out"
        )
    )


def _scoring(model, source, fashion_mnist):
    """Score the file on validation images, and say how it wants its pixels."""
    if source is None:
        return
    dataset = data.load() if fashion_mnist else data_from(source, model)
    subjects.require_fits(model, dataset)
    names, split = dataset.class_names, dataset.validation
    yield f"classes, in the order that the model must have: {_numbered(names)}"
    model, found = subjects.ready(model, split)
    if found is not None:
        yield str(found)
    score = subjects.scored(model, split)
    low, high = (100 * end for end in score.interval)
    yield (
        f"accuracy (measured): {100 * score.accuracy:.2f} % of {score.n:,} {score.images_are} "
        f"(95 % interval {low:.1f} to {high:.1f} %), pixels as {fed(model)}"
    )
    yield from _other_order(score, names)


def _numbered(names):
    """Names of classes with the number that each has."""
    shown = [f"{i} {printable(x, LONGEST)}" for i, x in enumerate(names[:MOST_CLASSES])]
    more = len(names) - len(shown)
    return ", ".join([*shown, f"and {more:,} more"] if more else shown)


def _other_order(score, names):
    """A sentence if the model does better, beyond noise, once its classes change their places."""
    classes = max(len(names), score.predictions.max() + 1)
    shown_as = confusion(score.labels, score.predictions, classes).argmax(0)
    if sorted(shown_as) != list(range(len(names))):
        return
    ordered = Measurement(shown_as[score.predictions], score.labels)
    if compare(score, ordered).verdict == "better":
        yield (
            f"The classes of this model seem to have another order: {100 * ordered.accuracy:.2f} % "
            f"would be right with {_numbered([names[i] for i in shown_as])}. Folders are read in "
            "the order of their names, so put the number first, such as 00-dog and 01-cat."
        )
