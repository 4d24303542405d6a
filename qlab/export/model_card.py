"""A model card in Markdown: what the model is, how well it does, and where that ends [1]_.

.. [1] Mitchell et al., Model Cards for Model Reporting, FAT* 2019, arXiv:1810.03993.
"""

from __future__ import annotations

from pathlib import Path

from ai_edge_litert import schema_py_generated as schema
from markupsafe import Markup

from qlab.arithmetic.metrics import wilson_interval
from qlab.data import FashionMNIST
from qlab.data.datasets import shape_words
from qlab.engine.recipes import recipe_words
from qlab.export.measuring import today
from qlab.export.microcontroller import CANNOT, RAM_ELSEWHERE, obstacles, resolver_calls
from qlab.system.machine import versions
from qlab.system.text import fill, markdown
from qlab.tflite.answers import decision, shape_with_gaps
from qlab.tflite.boards import BOARDS, CAVEAT
from qlab.tflite.gzipping import GZIPPED
from qlab.tflite.litemodel import ModelError
from qlab.tflite.operations import count_operations, energy
from qlab.tflite.pixels import FoundPixels, coded_way, fed
from qlab.tflite.timing import CARRIES_OVER, ELSEWHERE
from qlab.trials.subjects import sized

TEMPLATE = Path(__file__).with_name("templates") / "card.md"
REAL_INPUTS = {
    "0 to 1": "pixel / 255, in [0, 1]",
    "0 to 255": "the pixel itself, 0 to 255",
    "-1 to 1": "pixel / 127.5 - 1, in [-1, 1]",
}
TYPE_NAMES = {number: name for name, number in vars(schema.TensorType).items()}


def card(examined, names):
    """The model card; `names` are those of all files of the export."""
    whole = examined.whole
    graph, data = whole.model.parsed.subgraphs[0], examined.dataset or FashionMNIST()
    return fill(
        TEMPLATE,
        stem=examined.stem,
        qlab=versions()["qlab"],
        date=today(),
        names=", ".join(f"`{name}`" for name in names),
        recipe=markdown(recipe_words(examined.recipe), 2000) if examined.recipe else "",
        described=whole.model.parsed.description or b"",
        artefact=examined.source.get("artefact"),
        files=examined.files,
        packed=examined.packed,
        gzipped=GZIPPED,
        measured=whole.measurement,
        latency=whole.latency,
        elsewhere=ELSEWHERE,
        carries_over=CARRIES_OVER,
        inputs=[_tensor(graph.tensors[i]) for i in graph.inputs],
        outputs=[_tensor(graph.tensors[i]) for i in graph.outputs],
        real_input=_real_input(whole.model),
        pixels_said=_pixels_said(examined),
        class_names=data.class_names,
        data_name=data.name,
        image_shape=shape_words(data.image_shape),
        own_data=examined.dataset is not None,
        calls=resolver_calls(examined.for_micro),
        cannot=CANNOT,
        obstacles=obstacles(examined.for_micro) if examined.micro.runs is None else (),
        micro=examined.micro,
        array_differs=examined.for_micro is not whole.model,
        on_micro=markdown(on_micro(examined.micro), 2000),
        elsewhere_on_micro=RAM_ELSEWHERE,
        boards=BOARDS,
        caveat=CAVEAT,
        number="{:,}".format,
        share=_share,
        open_size=-1 in whole.model.picture_shape,
        **(_scores(examined, data) if whole.measurement else {"unfit": examined.unfit}),
        **_counts(sized(whole.model, examined.dataset)),
    )


def on_micro(report):
    """What TensorFlow Lite Micro made of a file, in a sentence or two."""
    if report.runs is None:
        return f"It was not run by TensorFlow Lite Micro. {report.why}"
    if not report.runs:
        return f"{CANNOT} {report.why}"
    words = f"TensorFlow Lite Micro runs it in {report.arena_bytes:,} bytes of RAM"
    if report.compared:
        words += f" and answers {report.equal} of {report.compared} images as LiteRT does"
    return f"{words}. {report.why}".strip()


def _scores(examined, data):
    """Which images are of which class, the class that is worst, and what packing changed."""
    measured, packed = examined.whole.measurement, examined.packed
    classes = [(name, measured.labels == i) for i, name in enumerate(data.class_names)]
    classes = [(name, int(of.sum()), of) for name, of in classes if of.any()]
    worst = min((measured.hits[of].mean(), name) for name, _, of in classes)[1]
    differ = packed and int((measured.predictions != packed.measurement.predictions).sum())
    named = decision(examined.whole.model)
    return {"classes": classes, "worst": worst, "differ": differ, "decision": named}


def _share(file, chosen=slice(None)):
    """Accuracy on the chosen images, with its interval, as two cells."""
    hits = file.measurement.hits[chosen]
    correct, n = int(hits.sum()), len(hits)
    low, high = wilson_interval(correct, n)
    return Markup(f"{100 * correct / n:.2f} % | {100 * low:.1f} to {100 * high:.1f} %")


def _counts(model):
    """Counts of each layer, and the estimate of energy; for the file as it came."""
    try:
        return {
            "layers": count_operations(model),
            "far": energy(model, "off-chip"),
            "near": energy(model, "on-chip"),
            "uncounted": None,
        }
    except ModelError as error:
        return {"uncounted": markdown(error, 2000)}


def _real_input(model):
    """What a pixel of 0 to 255 is to the model, as `predict` feeds it."""
    return REAL_INPUTS[fed(model)]


def _pixels_said(examined):
    """How the way of feeding pixels came to be known; empty for the course's own files."""
    if isinstance(examined.pixels, FoundPixels):
        return f"On the validation images: {examined.pixels}"
    if examined.pixels is not None:
        return "" if "artefact" in examined.source else "The person who made the file says so."
    if coded_way(examined.whole.model):
        return "That is what the codes of its input stand for."
    return (
        "Nobody has said so, and it was not found out, because there are too few images for that."
    )


def _tensor(tensor):
    """Shape, type and grid of an input or output."""
    words = f"{shape_with_gaps(tensor)}, {TYPE_NAMES.get(tensor.type, 'unknown')}"
    grid = tensor.quantization
    if grid is not None and grid.scale is not None and len(grid.scale) == 1:
        zero = int(grid.zeroPoint[0]) if grid.zeroPoint is not None and len(grid.zeroPoint) else 0
        words += f", real value = {float(grid.scale[0]):.9g} × (code − {zero})".replace("− -", "+ ")
    return words
