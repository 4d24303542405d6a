"""What the sensitivity explorer of sparsity says: read-out, notes, tables. Pure functions."""

from __future__ import annotations

from qlab.arithmetic.sparsity import SCOPES
from qlab.widgets.kit import readout
from qlab.widgets.kit.readout import p_words, points

NAMES = {"global": "one threshold", "per-layer": "same share"}


def alt(result, curves, sparsity):
    """The picture in words."""
    mixed = result.mixed
    accuracy, name = min((c[sparsity].measurement.accuracy, name) for name, c in curves.items())
    return (
        f"{name} hurts most when it alone is {100 * sparsity:.0f} % sparse: "
        f"{readout.percent(accuracy)}. Your recipe has "
        f"{readout.percent(mixed.measurement.accuracy)} at {mixed.sparse_bytes:,} bytes, "
        f"{'within' if result.fits else 'over'} the budget of {result.budget_bytes:,}."
    )


def cells(result):
    """The cells of the read-out."""
    mixed, over = result.mixed, result.mixed.sparse_bytes - result.budget_bytes
    made = [
        readout.accuracy(mixed.measurement, "Accuracy of your recipe"),
        readout.difference(mixed.compared_with(result.dense), "unpruned"),
        readout.cell(
            "Size of your recipe",
            f"{mixed.sparse_bytes:,} <small>bytes</small>",
            f"<b>over the budget</b> by {over:,}" if over > 0 else "<b>within the budget</b>",
            f"{result.dense.sparse_bytes:,} with nothing pruned",
        ),
    ]
    for scope, way in result.uniform.items():
        comparison = mixed.compared_with(way)
        made.append(readout.difference(comparison, f"{NAMES[scope]}, in budget"))
    return made


def notes(result):
    """What the picture cannot say."""
    said = ["Sizes are of files that leave the zeros out; the usual file stays as large."]
    for scope in SCOPES:
        way = result.uniform.get(scope)
        what = f"{NAMES[scope].capitalize()} for all layers"
        if way is None:
            said.append(f"{what}: no sparsity meets this budget.")
        else:
            said.append(
                f"{what} meets it from {100 * way.recipe.sparsity:.0f} % on, with "
                f"{readout.percent(way.measurement.accuracy)}."
            )
    return said


def tables(result, curves):
    """The numbers in the picture, as text."""
    rows = [
        (
            name,
            f"{level:g}",
            readout.percent(entry.measurement.accuracy),
            f"{points(entry.comparison)}, p {p_words(entry.comparison)}",
        )
        for name, curve in curves.items()
        for level, entry in sorted(curve.items())
    ]
    made = {"yours": result.mixed, "unpruned": result.dense}
    made |= {NAMES[scope]: way for scope, way in result.uniform.items()}
    recipes = [
        (name, readout.percent(way.measurement.accuracy), f"{way.sparse_bytes:,}")
        for name, way in made.items()
    ]
    header = ("layer", "sparsity", "accuracy", "to the unpruned")
    columns = ("recipe", "accuracy", "bytes without zeros")
    return readout.table("One layer pruned", header, rows) + readout.table(
        "Recipes", columns, recipes
    )
