"""A model card in Markdown: what the model is, how well it does, and where that ends [1]_."""

from __future__ import annotations

import numpy as np

from qlab.arithmetic.metrics import wilson_interval
from qlab.arithmetic.results import Measurement
from qlab.engine.recipes import recipe_words
from qlab.export import micro
from qlab.export.names import plain
from qlab.export.provenance import today
from qlab.system.machine import versions
from qlab.tflite.litemodel import ModelError
from qlab.tflite.operations import energy, operations
from qlab.tflite.timing import CARRIES_OVER, ELSEWHERE
from qlab.trials.pareto import unfit

LIMITS = (
    "Small grey pictures of single garments on a plain background, 28 × 28 pixels, centred, as in "
    "Fashion-MNIST. Photographs from elsewhere were not tried; expect it to do worse on them.",
    "It always answers one of its classes, also for a picture that shows none of them.",
    "The test images were also looked at while models of this course were compared and chosen. "
    "That flatters the best of them a little.",
    "An interval says what another draw of such images could change. It says nothing of other "
    "images, nor of another training run.",
)


def card(facts, files):
    """Write the model card."""
    sections = (
        _head(facts, files),
        _recipe(facts),
        _data(facts),
        _accuracy(facts),
        _sizes(facts),
        _latency(facts),
        _work(facts),
        _use(facts),
        _limits(facts),
    )
    return "\n\n".join(sections) + "\n"


def _head(facts, files):
    known = versions()
    return (
        f"# Model card: {facts.stem}\n\n"
        f"Written by qlab {known['qlab']} on {today()} (UTC). Every number below was **measured** "
        "for this card on the machine that is named, unless it says *counted* or *simulated*. "
        f"Files: {', '.join(f'`{name}`' for name in files)}."
    )


def _recipe(facts):
    lines = ["## Recipe", "", plain(recipe_words(facts.recipe), 2000)]
    if not facts.recipe:
        described = facts.whole.model.parsed.description
        words = plain((described or b"").decode("utf-8", "replace"))
        lines[2] = "Not recorded: the file was not made by this course, or not kept on its shelf."
        if words:
            lines += ["", f"The file describes itself as “{words}”. Nobody checked that."]
    if "artefact" in facts.source:
        lines += ["", f"This is the course's own file `{plain(facts.source['artefact'])}`."]
    return "\n".join(lines)


def _data(facts):
    if facts.whole.measurement is None:
        return "## Data\n\nNot known, and not scored here."
    n = facts.whole.measurement.n
    return (
        "## Data\n\n"
        f"Scored on the {n:,} test images of Fashion-MNIST (Xiao, Rasul and Vollgraf, "
        "arXiv:1708.07747; MIT license, Zalando SE). The course's models are trained on its 60,000 "
        "training images, and calibrated on images drawn from these."
    )


def _accuracy(facts):
    if facts.whole.measurement is None:
        return f"## Accuracy\n\nNot measured: {unfit(facts.whole.model)}."
    scored = [(x.file, x.measurement) for x in facts.files]
    head = "".join(f" `{file}` | 95 % interval |" for file, _ in scored)
    lines = [
        "## Accuracy",
        "",
        f"| class | images |{head}",
        "|---|---:|" + "---:|---:|" * len(scored),
    ]
    everything = np.ones(scored[0][1].n, bool)
    rows = [("**all**", everything)]
    labels = scored[0][1].labels
    rows += [(name, labels == i) for i, name in enumerate(facts.class_names)]
    for name, chosen in rows:
        if chosen.any():
            cells = "".join(f" {_share(m, chosen)} |" for _, m in scored)
            lines.append(f"| {name} | {int(chosen.sum()):,} |{cells}")
    return "\n".join([*lines, "", *_weakest(facts)])


def _share(measurement: Measurement, chosen):
    """Accuracy on the chosen images, with its interval, as two cells."""
    correct, n = int(measurement.hits[chosen].sum()), int(chosen.sum())
    low, high = wilson_interval(correct, n)
    return f"{100 * correct / n:.2f} % | {100 * low:.1f} to {100 * high:.1f} %"


def _weakest(facts):
    """Sentences: which class does worst; how the packed file differs."""
    measured = facts.whole.measurement
    by_class = [
        (measured.hits[measured.labels == i].mean(), name)
        for i, name in enumerate(facts.class_names)
        if (measured.labels == i).any()
    ]
    yield f"It does worst on {min(by_class)[1]}."
    if facts.packed is not None:
        differ = int((measured.predictions != facts.packed.measurement.predictions).sum())
        yield (
            f"The packed file answers {differ:,} of {measured.n:,} images differently: its kernels "
            "round once more."
            if differ
            else f"The packed file answers all {measured.n:,} images the same."
        )


def _sizes(facts):
    lines = ["## Size", "", "| file | bytes | gzipped |", "|---|---:|---:|"]
    lines += [
        f"| `{x.file}` | {x.model.file_bytes:,} | {x.model.gzip_bytes:,} |" for x in facts.files
    ]
    return "\n".join(lines)


def _latency(facts):
    lines = [
        "## Latency",
        "",
        f"On {plain(facts.whole.latency.machine)}: milliseconds a call of one image, "
        f"{facts.whole.latency.rows[0].runs} warm runs.",
        "",
        "| file | threads | median | 95th percentile |",
        "|---|---:|---:|---:|",
    ]
    lines += [
        f"| `{x.file}` | {row.threads} | {row.median_ms:.4f} | {row.p95_ms:.4f} |"
        for x in facts.files
        for row in x.latency.rows
    ]
    notes = [*facts.whole.latency.notes, "This is not the latency on a phone or a microcontroller:"]
    return "\n".join([*lines, "", *notes, "", *(f"- {x}" for x in ELSEWHERE), "", CARRIES_OVER])


def _work(facts):
    """Counts of each layer, and the estimate of energy; for the file as it came."""
    model = facts.whole.model
    try:
        rows, far, near = operations(model), energy(model, "off-chip"), energy(model, "on-chip")
    except ModelError as error:
        return f"## Arithmetic\n\nNot counted: {plain(error)}."
    lines = [
        "## Arithmetic",
        "",
        "*Counted* from the graph, for one image.",
        "",
        "| layer | operator | arithmetic | multiply-accumulates | bytes moved |",
        "|---|---|---|---:|---:|",
        *map(_row, rows),
        f"| **all** | | | {sum(x.macs for x in rows):,} | {sum(x.moved_bytes for x in rows):,} |",
        "",
        f"Energy for one image, **simulated**: {far.total_nj / 1000:.3g} µJ with the weights in "
        f"DRAM, {near.total_nj / 1000:.3g} µJ with the weights on the chip. Nobody measured that. "
        f"It is arithmetic and data movement alone, priced as in: {far.source}.",
    ]
    return "\n".join(lines)


def _row(work):
    """One layer's counts."""
    arithmetic = work.arithmetic if work.macs else ""
    counts = f"{work.macs:,} | {work.moved_bytes:,}"
    return f"| {plain(work.name)} | {work.op} | {arithmetic} | {counts} |"


def _use(facts):
    """Input, output, classes, operators."""
    model = facts.whole.model
    graph = model.parsed.subgraphs[0]
    lines = ["## Use", ""]
    for word, index in (("Input", graph.inputs[0]), ("Output", graph.outputs[0])):
        lines.append(f"- {word}: {_tensor(graph.tensors[index])}.")
    if facts.whole.measurement is not None:
        lines += [
            "- The real input is pixel / 255, in [0, 1].",
            "- The largest output names the class: "
            + ", ".join(f"{i} {name}" for i, name in enumerate(facts.class_names))
            + ".",
        ]
    lines += ["", "TensorFlow Lite Micro needs these operators:", "", "```cpp"]
    lines += [*micro.resolver_calls(model), "```"]
    obstacles = micro.obstacles(model)
    if obstacles:
        lines += ["", "It could not run this file as it is. " + " ".join(obstacles)]
    else:
        lines += ["", "How much working memory it takes there was not measured."]
    return "\n".join(lines)


def _tensor(tensor):
    """Shape, type and grid of an input or output."""
    from ai_edge_litert import schema_py_generated as schema

    names = {number: name for name, number in vars(schema.TensorType).items()}
    words = f"{tuple(int(n) for n in tensor.shape)}, {names.get(tensor.type, 'unknown')}"
    grid = tensor.quantization
    if grid is not None and grid.scale is not None and len(grid.scale) == 1:
        zero = int(grid.zeroPoint[0]) if grid.zeroPoint is not None and len(grid.zeroPoint) else 0
        words += f", real value = {float(grid.scale[0]):.9g} × (code − {zero})".replace("− -", "+ ")
    return words


def _limits(facts):
    limits = list(LIMITS) if facts.whole.measurement is not None else []
    if facts.packed is not None:
        limits.append(
            "The packed file holds the same weights, two to a byte. A runtime without kernels for "
            "4-bit weights refuses it."
        )
    limits.append("Energy and behaviour on other hardware were not measured.")
    return "\n".join(["## Limits", "", *(f"- {words}" for words in limits)])
