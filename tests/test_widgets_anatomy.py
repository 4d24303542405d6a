"""The byte-anatomy explorer, driven by its traits and checked against the files themselves."""

import gzip
import io
import re
import threading

import numpy as np
import pytest
import traitlets
from PIL import Image

import qlab
from qlab.tflite.anatomy import PARTS
from qlab.widgets.anatomy_explorer import Anatomy, AnatomyExplorer, explain


@pytest.fixture(scope="module")
def images(fashion):
    return fashion.test.images[:64], fashion.test.labels[:64], fashion.test.images[64:96]


@pytest.fixture
def explorer(images):
    return AnatomyExplorer(None, *images)


def text(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def test_opens_without_arguments_on_the_baseline():
    explorer = AnatomyExplorer()
    assert explorer.result.recipe == qlab.Recipe()
    assert explorer.float_anatomy.model.data == qlab.pretrained("baseline").data
    assert repr(explorer) == "AnatomyExplorer()"


@pytest.mark.parametrize(
    ("settings", "weights"),
    [
        ({}, 75_426),
        ({"weight_bits": 4}, 75_426),
        ({"weight_bits": 4, "packed": True}, 37_713),
        ({"weight_bits": 2, "packed": True, "activation_bits": 2}, 19_401),
        ({"packed": True}, 75_426),
        ({"weight_bits": 16, "activation_bits": 32}, 150_852),
        ({"weight_bits": 32, "activation_bits": 32}, 301_704),
    ],
)
def test_the_result_is_of_the_file_that_the_settings_describe(images, settings, weights):
    explorer = AnatomyExplorer(None, *images, **settings)
    recipe = {k: v for k, v in settings.items() if k != "packed"}
    model = qlab.Compressor(qlab.pretrained("baseline"), images[2]).compress(
        qlab.Recipe(calibration_size=32, **recipe)
    )
    model = model.packed() if settings.get("packed") else model
    result = explorer.result
    assert result.model.data == model.data
    assert result.parts["weights"] == weights
    assert result.rest == model.file_bytes - weights
    assert f"{model.file_bytes:,}" in explorer.readout.value
    assert f"{len(gzip.compress(model.data, 6, mtime=0)):,}" in explorer.readout.value


def test_a_control_moves_setting_and_result(explorer):
    explorer.weight_bits = 4
    before = explorer.result.model.file_bytes
    explorer.cards["packed"].children[0].value = True
    assert explorer.packed
    assert explorer.result.model.file_bytes == before - 37_713 + 1  # one byte of padding more


def test_the_table_holds_every_part_and_they_add_up(explorer):
    rows = re.findall(r"<tr>(.*?)</tr>", explorer.tables())[1:]
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in rows]
    assert [row[0] for row in cells] == [*PARTS, "the file"]
    for column in (1, 2):
        *parts, total = (int(row[column].replace(",", "")) for row in cells)
        assert sum(parts) == total
    assert int(cells[-1][2].replace(",", "")) == explorer.result.model.file_bytes


def test_the_picture_moves_with_the_bytes(explorer):
    def blue(png):
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
        return (np.abs(pixels - (0, 114, 178)).sum(-1) < 30).sum()

    def weights():
        shown = explorer.float_anatomy, explorer.result
        return sum(a.parts["weights"] + a.compressed["weights"] for a in shown)

    before = blue(explorer.picture.png), weights()
    explorer.weight_bits = 16
    after = blue(explorer.picture.png), weights()
    assert after[0] / before[0] == pytest.approx(after[1] / before[1], rel=0.03)
    assert f"{explorer.result.model.file_bytes:,}" in explorer.picture.alt


def test_bars_are_as_long_as_the_bytes(explorer):
    explorer.set(weight_bits=4, packed=True)
    result, panel = explorer.result, explorer._file
    for stack, sizes in ((panel.raw, result.parts), (panel.gzipped, result.compressed)):
        lengths = [1000 * bar.get_width() for bar in stack.bars]
        assert lengths == pytest.approx([*sizes.values(), 0])  # nothing is appended to this file
        assert 1000 * stack.bars[-1].get_x() == pytest.approx(sum(sizes.values()) - lengths[-1])
    rest = [bar.get_width() for bar in explorer._rest.bars]
    assert rest == [result.parts[name] for name in PARTS[1:]]
    (at, _), _ = panel.line.get_data()
    assert 1000 * at == explorer.float_anatomy.model.file_bytes * 4 / 32


def test_parts_that_outgrow_the_frame_widen_it(images):
    """Opened where scales are few, it must still show them where they are many."""
    explorer = AnatomyExplorer(None, *images)
    explorer.granularity = "per-tensor"
    explorer._rest.widen(explorer.result.parts)
    narrow = explorer._rest.ax.get_xlim()[1]
    explorer.granularity = "per-channel"
    assert narrow < explorer.result.parts["scales"] < explorer._rest.ax.get_xlim()[1]


@pytest.mark.parametrize(
    ("settings", "sentences"),
    [
        ({}, ["8 of 32 bits promise 25 %", "keep the promise: 25 %", "grows from"]),
        ({"weight_bits": 5}, ["stores a 5-bit code in a whole byte, so the weights stop at 25 %"]),
        ({"weight_bits": 4}, ["can share a byte"]),
        ({"weight_bits": 4, "packed": True}, ["keep the promise: 12.5 %"]),
        ({"weight_bits": 3, "packed": True}, ["gives each 3-bit code 4 bits"]),
        ({"weight_bits": 2, "packed": True}, ["2 bits in dense layers (INT2) and 4", "at 6.4 %"]),
        ({"weight_bits": 16}, ["promise 50 %", "for the extra steps"]),
        ({"weight_bits": 32, "activation_bits": 32}, ["stay float32", "stays at"]),
    ],
)
def test_the_explanation_fits_the_file(images, settings, sentences):
    explorer = AnatomyExplorer(None, *images, **settings)
    said = text(explorer.notes.value)
    for sentence in sentences:
        assert sentence in said
    share = 100 * explorer.result.model.file_bytes / explorer.float_anatomy.model.file_bytes
    assert settings.get("weight_bits") == 32 or f"it has {share:.1f}".removesuffix(".0") in said


def test_the_explanation_is_computed_not_canned():
    """Of made-up files with the same bits, it tells different numbers."""

    class File:
        def __init__(self, parts):
            self.file_bytes = sum(parts.values())

    def made(weights, scales, recipe=None):
        parts = dict.fromkeys(PARTS, 100) | {"weights": weights, "scales": scales}
        return Anatomy(recipe, File(parts), parts, {p: n // 2 for p, n in parts.items()})

    said = " ".join(explain(made(1000, 7000, qlab.Recipe()), made(4000, 0)))
    assert "and it has 190.9 %" in said  # 8,400 of 4,400 bytes
    assert "grows from 400 to 7,400 bytes: 7,000 for scales and zero points" in said


def test_the_downloaded_file_is_the_one_in_the_picture(explorer):
    explorer.set(weight_bits=4, packed=True)
    name, data = explorer.download.press()
    assert name == "qlab-w4-a8-per-channel.tflite"
    assert qlab.LiteModel.from_bytes(data).anatomy() == explorer.result.parts
    explorer.weight_bits = 3
    assert explorer.download.link.text == ""


def test_a_learners_own_model(fashion):
    from tests.zoo import BUILDERS

    model = qlab.LiteModel.from_keras(BUILDERS["depthwise"][0]())
    explorer = AnatomyExplorer(model, calibration_images=fashion.test.images[:8])
    weights = sum(x.weights.size for x in model.layers if x.weights is not None)
    assert explorer.result.parts["weights"] == weights
    assert explorer.float_anatomy.parts["weights"] == 4 * weights
    with pytest.raises(traitlets.TraitError):
        explorer.weight_bits = 9


def test_changes_in_two_threads_end_in_the_settings_as_they_are(explorer):
    """As JupyterLab's subshells make them: the slower, older one must not have the last word."""
    computed, second_done = threading.Event(), threading.Event()
    compute = explorer.compute

    def slow_at_first():
        result = compute()
        if not computed.is_set():
            computed.set()
            second_done.wait(0.5)
        return result

    explorer.compute = slow_at_first
    first = threading.Thread(target=lambda: setattr(explorer, "weight_bits", 4))
    first.start()
    computed.wait()
    explorer.packed = True
    second_done.set()
    first.join()
    assert explorer.result.parts["weights"] == 37_713
    assert "37,713" in explorer.readout.value


def test_what_lies_behind_the_model_has_a_row(images):
    behind = b"PK\3\4 names of the classes"
    model = qlab.LiteModel(qlab.pretrained("baseline").data + behind)
    explorer = AnatomyExplorer(model, *images)
    rows = re.findall(r"<tr>(.*?)</tr>", explorer.tables())[1:]
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in rows]
    assert [row[0] for row in cells] == [*PARTS, "appended", "the file"]
    assert cells[-2][1:3] == [str(len(behind)), "0"]
    *parts, total = (int(row[1].replace(",", "")) for row in cells)
    assert sum(parts) == total == model.file_bytes
