"""The drop-down of models, in an explorer in JupyterLab: by mouse, and by keys alone."""

import re

import pytest
from playwright.sync_api import expect

from .course import PATIENCE, both_themes, downloaded, opened


@pytest.mark.browser
def test_another_model_is_chosen_by_mouse_and_by_keys(lab):
    explorer = opened(lab, "QuantizationExplorer")
    picture, model = explorer.locator(".qlab-picture"), explorer.get_by_label("Model", exact=True)
    layers = explorer.get_by_label("Layer shown").locator("option")
    expect(model).to_have_value("baseline")
    first, before = layers.all_inner_texts(), picture.bounding_box()
    explorer.get_by_label("Weight bits").select_option("4")
    expect(picture).to_have_attribute("title", re.compile("^Weights of dense1: 15 levels"))

    model.select_option("depthwise-separable")
    expect(explorer.get_by_role("progressbar")).to_be_visible()
    words = re.compile("^Weights of pointwise5: 15 levels.*; 1 recipes tried")
    expect(picture).to_have_attribute("title", words, timeout=PATIENCE)
    expect(explorer.get_by_role("progressbar")).to_have_count(0)
    assert "depthwise2" in layers.all_inner_texts() and "dense1" not in layers.all_inner_texts()
    expect(explorer.get_by_label("Weight bits")).to_have_value("4")
    assert picture.bounding_box() == before
    name, accuracy = downloaded(lab, explorer, "Download this .tflite")
    assert name == "qlab-depthwise-separable-w4-a8-per-channel.tflite"
    expect(explorer.locator(".qlab-download").first).to_contain_text(f"{100 * accuracy:.2f} %")
    both_themes(lab, "models-quantization", explorer)

    model.focus()
    for key in ("Enter", "ArrowUp", "Enter"):
        lab.page.keyboard.press(key)
    expect(model).to_have_value("baseline")
    expect(picture).to_have_attribute("title", re.compile("^Weights of dense1"), timeout=PATIENCE)
    expect(model).to_be_focused()
    assert layers.all_inner_texts() == first
    expect(explorer.locator(".qlab-download a")).to_have_count(0)
