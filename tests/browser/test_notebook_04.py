"""Notebook 04 in JupyterLab: a guess, and the controls of its first explorer."""

import pytest
from playwright.sync_api import expect

from .course import (
    both_themes,
    choose,
    explorer_of,
    fill,
    run_cell,
    run_needed,
    slide,
)

pytestmark = pytest.mark.browser

PRUNING = "What does sparsity buy, and what does it not?"


def test_04_pruning(lab):
    lab.open("04_pruning.ipynb")
    lessons = ('predict("pruning.layer"', 'reveal("pruning.layer"')
    run_needed(lab, *lessons, "explorer.set(sparsity=0.9")

    asked = lab.page.locator(".qlab-prediction", has_text="One layer loses 80 % of its weights")
    asked.get_by_role("radio", name="the dense layer, 72,000 weights").check()
    expect(asked).to_contain_text("Kept: the dense layer, 72,000 weights")
    assert "Your guess: the dense layer, 72,000 weights" in run_cell(lab, 'reveal("pruning.layer"')

    place = explorer_of(lab, PRUNING)
    expect(place.get_by_label("Sparsity")).to_have_value("0.9")
    slide(place, "sparsity", "ArrowLeft")
    expect(place.get_by_label("Sparsity")).to_have_value("0.85")
    fill(place, "Sparsity", 0.8)
    choose(place, "Scope", "per-layer")
    expect(place.locator(".qlab-readout")).to_contain_text("Pruned at once")
    both_themes(lab, "04-pruning", place)
