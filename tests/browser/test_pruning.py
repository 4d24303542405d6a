"""The explorers of pruning, schedules and clustering in JupyterLab, used as a learner would."""

import re

import pytest
from playwright.sync_api import expect

from .course import both_themes, choose, downloaded, opened

pytestmark = pytest.mark.browser


FEW = 2000  # images, where it is not about the accuracy


def picture_says(explorer, words):
    """Wait until the picture's words say so: then the change before has arrived."""
    title = explorer.locator(".qlab-picture")
    expect(title).to_have_attribute("title", re.compile(words), timeout=60_000)


def test_zeros_buy_nothing_until_they_are_left_out_or_removed(lab):
    explorer = opened(lab, "PruningExplorer", FEW)
    notes = explorer.locator(".qlab-notes").first
    expect(notes).to_contain_text("as before: a zero takes as many as any other")
    both_themes(lab, "pruning", explorer)

    explorer.locator(".qlab-sparsity .noUi-handle").press("ArrowRight")
    expect(explorer.get_by_label("Sparsity")).to_have_value("0.85")
    picture_says(explorer, r"^85\.0 % of all weights")
    explorer.get_by_label("Sparsity").fill("0.9")
    explorer.get_by_label("Sparsity").press("Enter")
    picture_says(explorer, r"^90\.0 % of all weights")
    name, accuracy = downloaded(lab, explorer, "Download without the zeros", FEW)
    assert name == "qlab-sparse-single-90-w32.tflite"
    expect(explorer.locator(".qlab-download").last).to_contain_text(
        f"Scored again: {100 * accuracy:.2f} %"
    )

    explorer.get_by_role("button", name="Measure the whole curve").press("Enter")
    expect(explorer.get_by_role("progressbar")).to_be_visible()
    explorer.get_by_role("button", name="Stop").click()
    expect(explorer.locator(".qlab-job")).to_contain_text("what was measured is kept")
    explorer.get_by_role("button", name="Measure the whole curve").click()
    expect(explorer.locator(".qlab-job")).to_contain_text("Done.", timeout=120_000)

    choose(explorer, "Scope", "per-layer")
    explorer.get_by_label("Method").select_option("whole filters")
    picture_says(explorer, r"File \d+,\d+ of 305,676")
    expect(notes).to_contain_text("gone from the file")
    expect(explorer.get_by_label("Scope")).to_be_disabled()
    explorer.get_by_label("Layer shown").select_option("conv2")
    picture_says(explorer, "of conv2")
    both_themes(lab, "pruning-filters", explorer)
    explorer.get_by_label("Method").select_option("2 of each 4 inputs")
    picture_says(explorer, "50.0 % of conv2")
    expect(explorer.get_by_label("Sparsity", exact=True)).to_be_disabled()
    explorer.get_by_label("Weight bits").select_option("8, int8")
    picture_says(explorer, r"of 83,872 bytes")
    lab.screenshot("pruning-2of4-light", explorer)


def test_a_schedule_is_drawn_and_what_it_misses_is_said(lab):
    explorer = opened(lab, "ScheduleExplorer")
    readout = explorer.locator(".qlab-readout")
    expect(readout).to_contain_text("simulated")
    explorer.locator(".qlab-power .noUi-handle").press("Home")
    expect(explorer.get_by_label("Power")).to_have_value("1")
    explorer.get_by_label("Frequency").fill("400")
    explorer.get_by_label("Frequency").press("Tab")
    expect(readout).to_contain_text("90.00 % is not reached")
    both_themes(lab, "schedule", explorer)
    explorer.get_by_label("Begin step").fill("1600")
    explorer.get_by_label("Begin step").press("Enter")
    expect(explorer.get_by_role("alert")).to_contain_text("begin_step 1600 and end_step 1500")
    with lab.page.expect_download() as download:
        explorer.get_by_label("Begin step").fill("0")
        explorer.get_by_label("Begin step").press("Enter")
        expect(explorer.get_by_role("alert")).to_have_count(0)
        explorer.get_by_role("button", name="Save the schedule as CSV").press("Enter")
    assert download.value.path().read_text().startswith("step,sparsity,cut\n0,0.5")


def test_clusters_are_compared_with_rounding(lab):
    explorer = opened(lab, "ClusteringExplorer", FEW)
    picture_says(explorer, "^Weights of dense1 share 16 values")
    explorer.get_by_role("button", name="Measure both curves").press("Enter")
    expect(explorer.locator(".qlab-job")).to_contain_text("Done.", timeout=120_000)
    both_themes(lab, "clustering", explorer)
    explorer.locator(".qlab-clusters .noUi-handle").press("ArrowLeft")
    expect(explorer.get_by_label("Clusters")).to_have_value("8")
    picture_says(explorer, "8 clusters")
    explorer.get_by_label("Granularity of rounding").select_option("per-channel")
    expect(explorer.locator(".qlab-notes").first).to_contain_text("for each output channel")
    name, accuracy = downloaded(lab, explorer, "Download the clustered .tflite", FEW)
    assert name == "qlab-clusters-8.tflite"
    expect(explorer.locator(".qlab-download").first).to_contain_text(
        f"Scored again: {100 * accuracy:.2f} %"
    )
    explorer.locator("summary").press("Enter")
    expect(explorer.locator(".qlab-numbers")).to_contain_text("bytes, gzipped")


def test_sparsities_of_layers_meet_a_budget(lab):
    explorer = opened(lab, "SparsitySensitivityExplorer", FEW)
    readout = explorer.locator(".qlab-readout")
    expect(readout).to_contain_text("over the budget")
    explorer.get_by_role("button", name="Measure more sparsities").press("Enter")
    expect(explorer.locator(".qlab-job")).to_contain_text("Done.", timeout=120_000)
    explorer.get_by_label("dense1").select_option("0.85")
    expect(readout).to_contain_text("within the budget")
    both_themes(lab, "sparsity-sensitivity", explorer)
    explorer.get_by_label("Budget (bytes)").fill("60000")
    explorer.get_by_label("Budget (bytes)").press("Enter")
    expect(readout).to_contain_text("over the budget")
    name, accuracy = downloaded(lab, explorer, "Download your .tflite", FEW)
    assert name == "qlab-sparse-mixed.tflite"
    expect(explorer.locator(".qlab-download")).to_contain_text(
        f"Scored again: {100 * accuracy:.2f} %"
    )
