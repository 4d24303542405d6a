"""What the explorer of mixed-precision search says: cells, notes, tables. Pure functions."""

from __future__ import annotations

from html import escape

from qlab.trials.search import UNIFORM
from qlab.widgets.kit import readout

SHOWN = 8  # layers in the read-out; all are in the table of numbers


def settings(recipe, layers):
    """Bits and sparsity of each layer."""
    return [
        (
            name,
            recipe.setting("weight_bits", name),
            f"{100 * recipe.setting('sparsity', name):.0f} %",
        )
        for name in layers
    ]


def uniform_words(trial):
    """A uniform recipe in a few words."""
    recipe = trial.recipe
    zeros = f", {100 * recipe.sparsity:.0f} % zeros {recipe.sparsity_scope}"
    return f"{recipe.weight_bits} bits{zeros if recipe.sparsity else ''}"


def alt(result, trials):
    """The picture in words."""
    count = sum(map(len, trials.values()))
    start = f"{count:,} files scored. Budget {result.budget_bytes:,} bytes. "
    if result.best is None:
        return start + "No file is within it yet."
    return (
        f"{start}Best within it: {readout.percent(result.best.accuracy)} at "
        f"{result.best.gzip_bytes:,} bytes."
    )


def cells(result):
    """Cells of the read-out."""
    if result.best is None:
        return [readout.cell("Best within the budget", "none yet", "press 'Search'")]
    found = [_best(result), _recipe(result), _rival(result)]
    final = result.final
    if final:
        found.append(readout.accuracy(final.measurement, "Test images"))
        if final.comparison:
            found.append(readout.difference(final.comparison, "uniform, same budget"))
    return found


def notes(result, trials, asked):
    """Sentences below the picture."""
    words = [
        f"Chosen by {result.reference.n:,} search images. The model may have learned them, which "
        "flatters all files alike; the test images are asked at the end."
    ]
    if asked > 1:
        words.append(
            f"The test images were asked for {asked} recipes. Whoever goes on searching until "
            "their answer pleases fits the recipe to them."
        )
    count = sum(map(len, trials.values()))
    words.append(f"{count:,} files made, weighed and scored so far.")
    return words


def tables(result, trials):
    """The numbers in the picture, as text."""
    rows = []
    for name, mine in trials.items():
        small = [x for x in mine if x.gzip_bytes <= result.budget_bytes]
        top = max(small, key=lambda x: (x.correct, -x.gzip_bytes), default=None)
        rows.append(
            (
                name,
                f"{len(mine):,}",
                readout.percent(top.accuracy) if top else "none",
                f"{top.gzip_bytes:,}" if top else "",
                f"{top.number:,}" if top else "",
            )
        )
    head = ("method", "files", "best within the budget", "bytes", "at file")
    found = readout.table("Searches", head, rows)
    if result.best:
        names = layers_of(result)
        caption, head = "Best recipe", ("layer", "weight bits", "zeros")
        found += readout.table(caption, head, settings(result.recipe, names))
    return found


def layers_of(result):
    """Layers that the best recipe names; "all" for a uniform one."""
    return [name for name, _ in result.recipe.overrides] or ["all layers"]


def _best(result):
    top = result.best
    return readout.cell(
        "Best within the budget",
        f"{readout.percent(top.accuracy)} {readout.badge('measured')}",
        f"of {top.n:,} search images",
        f"{top.gzip_bytes:,} bytes gzipped, of {result.budget_bytes:,}",
        f"float: {readout.percent(result.reference.accuracy)}",
    )


def _recipe(result):
    names = layers_of(result)
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="qlab-number">{bits}</td>'
        f'<td class="qlab-number">{zeros}</td></tr>'
        for name, bits, zeros in settings(result.recipe, names[:SHOWN])
    )
    more = f"and {len(names) - SHOWN} layers more" if len(names) > SHOWN else ""
    head = "<tr><td></td><td>bits</td><td>zeros</td></tr>"
    return readout.cell("Its recipe", "", f'<table class="qlab-sizes">{head}{rows}</table>', more)


def _rival(result):
    name = "Smallest uniform one as good, within noise"
    among = f"among {result.tried} of {UNIFORM} uniform files"
    rival = result.rival
    if rival is None:
        return readout.cell(name, "none", "none reaches the best one's interval", among)
    score = f"{readout.percent(rival.accuracy)}, {rival.gzip_bytes:,} bytes"
    lines = (uniform_words(rival), score, among)
    if rival.recipe == result.recipe:
        return readout.cell(name, "is the best", *lines)
    saved = f"{100 * result.saved:.0f} %" if result.saved > 0 else "nothing"
    return readout.cell(name, f"{saved} <small>saved by mixing</small>", *lines)
