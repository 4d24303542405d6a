"""The calibration and the sensitivity explorer in JupyterLab, used as a learner would."""

import re

import pytest
from playwright.sync_api import expect

from .course import downloaded, fill, opened


def dark(lab):
    """Change to the dark theme, and wait until the change is no longer announced."""
    lab.theme("dark")
    expect(lab.page.locator("#jupyterlab-splash")).to_have_count(0)


@pytest.mark.browser
def test_calibration_is_swept_stopped_and_ruined(lab):
    explorer = opened(lab, "CalibrationExplorer", 3000)
    picture, readout = explorer.locator(".qlab-picture"), explorer.locator(".qlab-readout")
    expect(readout).to_contain_text("measured")
    lab.screenshot("calibration-light", explorer)

    explorer.locator(".qlab-activation-bits .noUi-handle").press("Home")
    expect(explorer.get_by_label("Activation bits")).to_have_value("2")
    expect(picture).to_have_attribute("title", re.compile(r"over 5 draws; sizes tried: 1\."))

    explorer.get_by_role("button", name="Score all sizes").press("Enter")
    expect(explorer.get_by_role("progressbar")).to_be_visible()
    explorer.get_by_role("button", name="Stop").click()
    expect(explorer.locator(".qlab-job")).to_contain_text("Stopped; what was measured is kept.")
    expect(picture).not_to_have_attribute("title", re.compile("sizes tried: 11"))

    explorer.get_by_role("button", name="Score all sizes").click()
    expect(explorer.locator(".qlab-job")).to_contain_text("Done.", timeout=60_000)
    expect(picture).to_have_attribute("title", re.compile("sizes tried: 11"), timeout=60_000)
    lab.screenshot("calibration-swept-light", explorer)
    explorer.get_by_label("Observer").select_option("percentile")
    expect(picture).not_to_have_attribute("title", re.compile("sizes tried: 11"))

    fill(explorer, "Calibration size", 5)
    explorer.get_by_label("Calibration images").select_option("blank")
    expect(readout).to_contain_text("blank images are all alike")
    expect(readout).to_contain_text("worse")
    dark(lab)
    explorer.get_by_label("Calibration images").select_option("one class only")
    expect(explorer.locator(".qlab-notes")).to_contain_text("1 Trouser")
    lab.screenshot("calibration-dark", explorer)


@pytest.mark.browser
def test_sensitivity_leads_to_a_mixed_recipe(lab):
    explorer = opened(lab, "SensitivityExplorer")
    picture, readout = explorer.locator(".qlab-picture"), explorer.locator(".qlab-readout")
    expect(picture).to_have_attribute("title", re.compile("logits hurts most"))
    explorer.get_by_label("dense1").select_option("4")
    expect(readout).to_contain_text("47,872")
    expect(readout).to_contain_text("worse")
    lab.screenshot("sensitivity-light", explorer)
    explorer.get_by_role("button", name="Lower all layers too close to call").press("Enter")
    expect(explorer.get_by_label("conv1")).to_have_value("3")
    expect(explorer.get_by_label("dense1")).to_have_value("8")
    expect(readout).to_contain_text("too close to call")
    name, accuracy = downloaded(lab, explorer, "Download the mixed .tflite")
    assert name == "qlab-mixed.tflite"
    # Packed, LiteRT runs other kernels than the recipe's file does, so it may answer otherwise.
    expect(explorer.locator(".qlab-download")).to_contain_text(f"{100 * accuracy:.2f} %")
    explorer.locator(".qlab-bits .noUi-handle").press("ArrowLeft")
    expect(explorer.get_by_label("Bits of the one layer")).to_have_value("2")
    expect(picture).to_have_attribute("title", re.compile("at 2 bits"))
    dark(lab)
    lab.screenshot("sensitivity-dark", explorer)
