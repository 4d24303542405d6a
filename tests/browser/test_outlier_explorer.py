"""The outlier explorer in JupyterLab, moved by keyboard and by mouse as a learner would."""

import re

import pytest
from playwright.sync_api import expect

from .course import both_themes, choose, downloaded, opened, slide

IMAGES = 3000


@pytest.mark.browser
def test_channels_are_made_loud_equalized_and_swept(lab):
    explorer = opened(lab, "OutlierExplorer", IMAGES)
    picture, readout = explorer.locator(".qlab-picture"), explorer.locator(".qlab-readout")
    notes = explorer.locator(".qlab-notes").first
    expect(readout).to_contain_text("of 3,000 predictions are the same")
    expect(notes).to_contain_text("move the outlier factor")

    slide(explorer, "factor", "End")
    expect(explorer.get_by_label("Outlier factor")).to_have_value("128")
    slide(explorer, "factor", "ArrowLeft")
    expect(explorer.get_by_label("Outlier factor")).to_have_value("64")
    expect(notes).to_contain_text("are multiplied by 64, and conv2 divides")
    expect(readout).to_contain_text("worse")
    expect(readout).to_contain_text("3,000 measured")

    choose(explorer, "Granularity", "per-channel")
    expect(notes).to_contain_text("The activations still share one step")
    explorer.get_by_role("button", name="Score all factors").press("Enter")
    expect(explorer.locator(".qlab-job").first).to_contain_text("Done.", timeout=60_000)
    both_themes(lab, "outlier", explorer)

    choose(explorer, "Equalize", "yes")
    expect(notes).to_contain_text("Equalization then divides")
    explorer.get_by_text("More settings").click()
    track = explorer.locator(".qlab-loud-channels .noUi-base").bounding_box()
    lab.page.mouse.click(track["x"] + 1, track["y"] + track["height"] / 2)
    expect(explorer.get_by_label("Loud channels")).to_have_value("1")
    expect(notes).to_contain_text("The first channel of the 32 that conv1 makes")

    name, accuracy = downloaded(lab, explorer, "Download this .tflite", IMAGES)
    assert name == "qlab-conv1-1x64-equalized-w8-per-channel.tflite"
    expect(readout).to_contain_text(f"{100 * accuracy:.2f} %")
    choose(explorer, "First layer", "dense1")
    expect(picture).to_have_attribute("title", re.compile("Weights into logits"))
    explorer.get_by_text("The numbers in this picture, as text").click()
    expect(explorer.locator(".qlab-numbers")).to_contain_text("Weights out of dense1")
