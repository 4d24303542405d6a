"""Byte anatomy and flip gallery in JupyterLab, by keyboard and by mouse, in both themes."""

from .course import opened, panels, redrawn


def test_byte_anatomy(lab):
    """Every control moves picture and read-out; the table opens; the file comes down."""
    from playwright.sync_api import expect

    import qlab

    place = opened(lab, "AnatomyExplorer")
    readout = place.locator(".qlab-readout")
    expect(place.locator(".qlab-notes")).to_contain_text("8 of 32 bits promise 25 %")
    lab.screenshot("byte-anatomy-light", place)

    before = panels(place)
    place.locator(".qlab-weight-bits .noUi-handle").press("ArrowLeft")
    expect(place.get_by_label("Weight bits")).to_have_value("7")
    expect(place.locator(".qlab-notes")).to_contain_text("7-bit code in a whole byte")
    redrawn(place, before)
    place.get_by_label("Weight bits").select_option("4")
    place.get_by_label("Codes of 4 bits or fewer").select_option("packed, several to a byte")
    expect(readout).to_contain_text("37,713")
    place.get_by_label("Granularity").select_option("per-tensor")
    expect(place.locator(".qlab-notes")).to_contain_text("192 for scales and zero points")
    place.get_by_label("Activation bits").select_option("32")

    place.locator("summary").press("Enter")
    expect(place.locator(".qlab-numbers table")).to_contain_text("padding")
    with lab.page.expect_download() as download:
        place.get_by_role("button", name="Download this .tflite").press("Enter")
    parts = qlab.LiteModel.from_file(download.value.path()).anatomy()
    expect(readout).to_contain_text(f"{sum(parts.values()):,}")
    lab.theme("dark")
    expect(lab.page.locator("#jupyterlab-splash")).to_have_count(0)
    lab.screenshot("byte-anatomy-dark", place)
    lab.theme("light")


def test_flip_gallery(lab):
    """Bits and both filters change the garments; an empty gallery says so."""
    from playwright.sync_api import expect

    place = opened(lab, "FlipGallery")
    readout = place.locator(".qlab-readout")
    expect(readout).to_contain_text("24 of")
    lab.screenshot("flip-gallery-light", place)

    before = panels(place)
    place.locator(".qlab-weight-bits .noUi-handle").press("ArrowLeft")
    expect(place.get_by_label("Weight bits")).to_have_value("3")
    expect(readout).to_contain_text("worse")
    redrawn(place, before)
    place.get_by_label("Class", exact=True).select_option("Shirt")
    place.get_by_label("Kind of change").select_option("newly right")
    place.locator("summary").press("Enter")
    expect(place.locator(".qlab-numbers")).to_contain_text("newly right")
    lab.theme("dark")
    expect(lab.page.locator("#jupyterlab-splash")).to_have_count(0)
    lab.screenshot("flip-gallery-dark", place)
    lab.theme("light")

    place.get_by_label("Weight bits").select_option("32")
    place.get_by_label("Activation bits").select_option("32")
    expect(readout).to_contain_text("0 of 0 shown")
