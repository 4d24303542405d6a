"""The explorers' shared parts and the QuantizationExplorer, without a browser."""

import base64
import csv
import io
import os
import subprocess
import sys

import ipywidgets
import numpy as np
import pytest
import traitlets
from ipywidgets.widgets.widget import _remove_buffers
from PIL import Image

import qlab
from qlab.arithmetic.results import Measurement, Sizes, compare
from qlab.plots import style
from qlab.trials.subjects import subject
from qlab.widgets import Explorer, QuantizationExplorer, Shown
from qlab.widgets.kit import controls, readout
from qlab.widgets.kit.download import Download, Link
from qlab.widgets.kit.job import Job
from qlab.widgets.kit.live import LivePicture, encode


class Levels(Explorer):
    """A small explorer that counts how often it worked."""

    question = "How many levels?"
    bits = traitlets.Enum((2, 4, 8), 8).tag(setting=True)
    images = traitlets.Int(16).tag(setting=True)

    def __init__(self, **settings):
        super().__init__()
        self.updates = 0
        picture = LivePicture(panels=1, width=300, height=150)
        picture.axes[0].set(xlim=(0, 9), ylim=(0, 300))
        (self.dot,) = picture.add(*picture.axes[0].plot([], [], "o"))
        self.slider = controls.step_slider(self, "bits", "Bits", (2, 4, 8))
        self.box = controls.number_slider(self, "images", "Images", (1, 16, 1024))
        self.assemble([self.slider, self.box], picture, settings=settings)

    def compute(self):
        if self.images == 13:
            raise ValueError("13 images <b>bring</b> bad luck; take 12")
        return 2**self.bits

    def show(self, result):
        self.updates += 1
        self.dot.set_data([self.bits], [result])
        return Shown(f"{result} levels")


@pytest.fixture(scope="module")
def few():
    """A small set to score on, so that each update takes milliseconds."""
    test = qlab.data.load().test
    return {
        "images": test.images[:300],
        "labels": test.labels[:300],
        "calibration_images": test.images[300:340],
    }


@pytest.fixture
def explorer(few):
    """A QuantizationExplorer on the small set."""
    return QuantizationExplorer(**few)


def pixels(png):
    """The picture as an array, shape (height, width, 3)."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


class TestExplorer:
    def test_a_setting_set_in_a_cell_causes_one_update(self):
        levels = Levels()
        assert (levels.updates, levels.result) == (1, 256)
        levels.bits = 4
        assert (levels.updates, levels.result) == (2, 16)
        levels.bits = 4
        assert levels.updates == 2

    def test_several_settings_at_once_cause_one_update(self):
        levels = Levels()
        levels.set(bits=2, images=100)
        assert (levels.updates, levels.result, levels.box.children[0].value) == (2, 4, 100)

    @pytest.mark.parametrize("bad", [{"bits": 5}, {"bit": 4}, {"images": "many"}])
    def test_a_refused_setting_changes_none_of_them(self, bad):
        levels = Levels()
        with pytest.raises(traitlets.TraitError):
            levels.set(**{"bits": 4} | bad if "bits" not in bad else {"images": 99} | bad)
        assert (levels.bits, levels.images, levels.updates, levels.result) == (8, 16, 1, 256)

    def test_first_settings_are_applied_before_the_first_update(self):
        levels = Levels(bits=2)
        assert (levels.updates, levels.result) == (1, 4)

    def test_an_error_is_said_in_words_and_the_picture_is_kept(self):
        levels = Levels()
        picture = levels.picture.png
        levels.images = 13
        assert levels.result is None
        assert "bad luck" in levels.error
        assert 'role="alert"' in levels.alert.value and "&lt;b&gt;bring" in levels.alert.value
        assert levels.picture.png == picture
        levels.images = 12
        assert (levels.result, levels.error, levels.alert.value) == (256, "", "")

    def test_update_itself_raises(self):
        levels = Levels()
        levels.images = 13
        with pytest.raises(ValueError, match="bad luck"):
            levels.update()

    def test_it_looks_the_same_in_every_run_and_has_a_still_picture(self):
        levels = Levels()
        bundle, metadata = levels._repr_mimebundle_()
        assert bundle["text/plain"] == repr(levels) == "Levels()"
        assert "application/vnd.jupyter.widget-view+json" in bundle
        assert base64.b64decode(bundle["image/png"]) == levels.picture.png
        assert metadata["image/png"]["width"] == 300
        assert metadata["image/png"]["alt"] == levels.picture.alt != ""

    def test_the_base_alone_says_what_is_missing(self):
        with pytest.raises(NotImplementedError, match="Explorer does not say"):
            Explorer().compute()


class TestControls:
    def test_slider_box_and_setting_move_together(self):
        levels = Levels()
        box, slider = levels.slider.children
        slider.value = 4
        assert (levels.bits, box.value) == (4, 4)
        box.value = 2
        assert (levels.bits, slider.value) == (2, 2)
        levels.bits = 8
        assert (box.value, slider.value) == (8, 8)

    def test_a_number_between_the_stops_is_kept(self):
        levels = Levels()
        box, slider = levels.box.children
        box.value = 77
        assert (levels.images, box.value, slider.value) == (77, 77, 16)
        slider.value = 1024
        assert (levels.images, box.value) == (1024, 1024)

    def test_every_control_has_a_labelled_box(self, explorer):
        cards = explorer.children[2].children
        assert 1 <= len(cards) <= 5
        labelled = ipywidgets.Dropdown, ipywidgets.BoundedIntText
        assert all(
            isinstance(card.children[0], labelled) and card.children[0].description
            for card in cards
        )


class TestLivePicture:
    def test_it_is_twice_as_fine_as_shown_and_white(self):
        picture = LivePicture(panels=2, width=400, height=120)
        picture.redraw()
        image = pixels(picture.png)
        assert image.shape == (240, 800, 3)
        assert tuple(image[0, 0]) == (255, 255, 255)
        assert (sum(picture.widget.widths), picture.widget.height) == (400, 120)

    def test_only_marks_move(self):
        picture = LivePicture(panels=1, width=300, height=200)
        picture.axes[0].set(xlim=(0, 1), ylim=(0, 1))
        (line,) = picture.add(*picture.axes[0].plot([0.4, 0.6], [0.5, 0.5], lw=4))
        picture.redraw()
        before = pixels(picture.png)
        line.set_ydata([0.7, 0.7])
        picture.redraw()
        after = pixels(picture.png)
        moved = np.argwhere((before != after).any(axis=2))
        assert len(moved) and moved[:, 1].min() > 200 and moved[:, 1].max() < 440
        line.set_ydata([0.5, 0.5])
        picture.redraw()
        assert np.array_equal(pixels(picture.png), before)

    @pytest.mark.parametrize(
        "colour", ["BLUE", "ORANGE", "GREEN", "VERMILION", "SKY", "PURPLE", "INK", "PAPER"]
    )
    def test_the_palette_keeps_the_colours_of_the_style(self, colour):
        value = getattr(style, colour)
        rgb = [int(value[i : i + 2], 16) for i in (1, 3, 5)]
        image = pixels(encode(np.full((8, 8, 4), [*rgb, 255], np.uint8)))
        assert np.abs(image[4, 4].astype(int) - rgb).max() <= 8


class TestReadout:
    LABELS = np.zeros(10_000, int)

    def measurement(self, wrong, kind="measured"):
        return Measurement(np.r_[np.ones(wrong, int), self.LABELS[wrong:]], self.LABELS, kind)

    @pytest.mark.parametrize("kind", ["measured", "cached", "simulated"])
    def test_accuracy_comes_with_interval_and_kind(self, kind):
        html = readout.accuracy(self.measurement(1083, kind))
        assert "89.17 %" in html and f">{kind}<" in html
        assert "88.5 to 89.8\N{NO-BREAK SPACE}%" in html

    @pytest.mark.parametrize(
        ("wrong", "difference", "interval", "words"),
        [
            (1081, "+0.02", "95 % interval −0.02 to 0.07", "too close to call"),
            (1283, "−2.00", "95 % interval −2.29 to −1.71", "worse"),
            (883, "+2.00", "95 % interval 1.71 to 2.29", "better"),
        ],
    )
    def test_a_difference_comes_with_its_interval(self, wrong, difference, interval, words):
        found = compare(self.measurement(1083), self.measurement(wrong))
        html = readout.difference(found)
        assert f"<b>{words}</b>" in html and interval in html and f"{difference} <small>" in html
        assert str(found) == f"{difference} points ({interval}): {words}"

    def test_seeds_that_agree_are_told_as_the_fact_that_they_are(self):
        base = [self.measurement(1083)] * 3
        agree = compare(base, [self.measurement(n) for n in (1081, 1079, 1000)])
        assert agree.verdict == "too close to call"
        html = readout.difference(agree)
        assert "by seed +0.02, +0.04, +0.83; all three agree" in html
        differ = compare(base, [self.measurement(n) for n in (1081, 1079, 1183)])
        assert "by seed +0.02, +0.04, −1.00<" in readout.difference(differ)

    def test_a_family_says_why_its_intervals_are_wider(self):
        pair = self.measurement(1083), self.measurement(1063)
        html = readout.difference(compare(*pair, family=4))
        [note] = readout.at_once(4, "widths")
        assert "98.75 % interval" in html and "a 98.75 % interval: so all four hold" in note
        assert readout.at_once(1, "widths") == []

    def test_the_four_sizes_are_named(self):
        html = readout.sizes(Sizes(305_996, 84_608, 70_001, 75_609))
        assert all(
            text in html
            for text in ("305,996", "84,608", "70,001", "75,609", "this file, packed", "gzipped")
        )


class TestDownload:
    def test_the_link_holds_the_file_and_each_press_saves_it(self, monkeypatch):
        saved = []
        monkeypatch.setattr(Link, "send", lambda link, words: saved.append((words, link.data)))
        button = Download("Save", lambda: ("a&b.bin", bytes(range(256)), "<note>"))
        assert button.press() == ("a&b.bin", bytes(range(256)))
        assert button.link.data == bytes(range(256))
        assert button.link.text == "a&b.bin 256 bytes. <note>"
        button.button.click()
        assert saved == 2 * [("save", bytes(range(256)))]
        button.clear()
        assert (button.link.text, button.link.data, len(saved)) == ("", b"", 2)

    def test_a_press_has_a_link_of_its_own_and_the_earlier_one_is_closed(self):
        button = Download("Save", lambda: ("a.bin", b"\x00\xff", ""))
        links = [button.link, *(button.press() and button.link for _ in range(2))]
        assert len({link.model_id for link in links if link.comm}) == 1
        assert button.children[-1] is links[-1]
        _, _, buffers = _remove_buffers(button.link.get_state())
        assert b"\x00\xff" in buffers  # as bytes, not as text
        button.clear()
        empty = button.link
        button.clear()
        assert button.link is empty  # a slider's move makes no new one

    def test_nothing_watches_the_front_end_for_changes(self):
        """Whatever anywidget's environment says: no thread, and no address to fetch from."""
        code = (
            "import threading\n"
            "from qlab.widgets.kit.download import Download\n"
            "from qlab.widgets.kit import front_end\n"
            "from qlab.widgets.kit.front_end import Pulse\n"
            "link = Download('Save', None).link\n"
            "assert threading.active_count() == 1, threading.enumerate()\n"
            "assert '://' not in link._esm + link._css + Pulse._esm\n"
            "scripts = front_end.HERE.parent.glob('*.js')\n"
            "assert all(len(x.read_text('utf-8').splitlines()) <= 140 for x in scripts)"
        )
        run = [sys.executable, "-W", "error", "-c", code]
        subprocess.run(run, check=True, env={**os.environ, "ANYWIDGET_HMR": "1"})


class TestJob:
    def test_other_work_is_shown_until_it_is_done_and_never_over_the_job(self):
        job = Job("Count", lambda: iter([(1, 2)]), guard=lambda step: step())
        job.show_other(1, 3, "scoring <others>")
        assert 'max="3" value="1"' in job.status.value and "&lt;others&gt;" in job.status.value
        job.show_other(3, 3, "scoring")
        assert job.status.value == ""
        job._steps = iter(())  # as while it runs
        job.show(1, 2)
        job.show_other(1, 3, "scoring")
        assert "Count: 1 of 2" in job.status.value


class TestQuantizationExplorer:
    def test_each_setting_makes_and_scores_a_real_file(self, explorer, few):
        for bits in (8, 4, 2):
            explorer.weight_bits = bits
            model = qlab.LiteModel.from_bytes(explorer.result.model.data)
            again = qlab.evaluate(model, few["images"], few["labels"])
            assert np.array_equal(again.predictions, explorer.result.measurement.predictions)
            assert readout.percent(again.accuracy) in explorer.readout.value

    @pytest.mark.parametrize("bits", [2, 5, 8, 16, 32])
    @pytest.mark.parametrize("activation_bits", [2, 8, 32])
    def test_every_corner_is_drawn_and_said(self, explorer, bits, activation_bits):
        before = explorer.picture.png
        explorer.set(
            weight_bits=bits, activation_bits=activation_bits, layer="conv1", calibration_size=3
        )
        assert explorer.error == "" and explorer.result.recipe.weight_bits == bits
        assert explorer.picture.png != before
        words = f"{2**bits - 1} levels" if bits <= 8 else f"float{bits}, no grid"
        assert words in explorer.picture.alt
        assert explorer.picture.alt.endswith("2 recipes tried.")

    def test_looking_at_another_layer_is_no_new_point(self, explorer):
        picture, alt = explorer.picture.png, explorer.picture.alt
        explorer.layer = "conv2"
        assert len(explorer.trail) == 1
        assert explorer.picture.png != picture and explorer.picture.alt != alt
        explorer.layer = "dense1"
        assert explorer.picture.png == picture

    def test_a_layer_that_is_not_there_is_refused_in_words(self, explorer):
        with pytest.raises(traitlets.TraitError):
            explorer.layer = "conv9"
        assert explorer.layer == "dense1" and explorer.result is not None

    @pytest.mark.parametrize("size", [0, 41, 5000])
    def test_a_calibration_size_that_there_is_not(self, explorer, size):
        with pytest.raises(traitlets.TraitError):
            explorer.calibration_size = size
        assert explorer.calibration_size == 40 and explorer.result is not None

    @pytest.mark.parametrize(
        ("rounding", "wanted"),
        [
            ("nearest", {}),
            ("least squares", {"weight_observer": "mse"}),
            ("gptq", {"rounding": "gptq"}),
        ],
    )
    def test_rounding_reaches_the_file_and_the_trail(self, explorer, rounding, wanted):
        explorer.set(weight_bits=3, rounding=rounding, bias_correction=True)
        recipe = explorer.recipe
        assert recipe == qlab.Recipe(
            weight_bits=3, bias_correction=True, calibration_size=recipe.calibration_size, **wanted
        )
        made = explorer.subject.compressor.compress(recipe)
        assert explorer.result.model.data == made.data
        assert (explorer.trail[-1].rounding, explorer.trail[-1].bias_correction) == (rounding, True)
        explorer.set(rounding="nearest", bias_correction=False)

    @pytest.mark.parametrize("granularity", ["per-tensor", "per-channel"])
    def test_the_weight_panel_shows_which_weights_went_to_the_farther_code(
        self, explorer, granularity
    ):
        explorer.set(weight_bits=3, rounding="gptq", granularity=granularity, layer="conv2")
        weights, params = explorer.layers["conv2"], explorer.result.compressor.weight_params(
            "conv2", explorer.recipe
        )  # fmt: skip
        stored = explorer.result.compressor.weights("conv2", explorer.recipe)
        grid = np.reshape(params.scale, (-1, 1, 1, 1)) * np.arange(-3, 4).reshape(-1, 1, 1, 1, 1)
        moved = np.abs(stored - weights) > np.abs(grid - weights).min(0) + 1e-6
        counts = np.histogram(weights[moved], 60, (weights.min(), weights.max()))[0]
        panel = explorer._weights
        assert panel.farther.get_visible() and 0.05 < moved.mean() < 0.5
        np.testing.assert_array_equal(panel.farther.get_data().values, counts)
        assert (counts <= panel.bars.get_data().values).all()
        share = f"({100 * moved.mean():.3g} %)"
        said = f"{moved.sum():,} of {weights.size:,} weights of conv2 {share} went to the farther"
        assert said in explorer.notes.value and said in explorer.picture.alt
        assert panel.share.get_text() == f"{share[1:-1]} to the\nfarther code"
        table = explorer.tables().split("Weights of conv2")[1].split("</table>")[0]
        assert "to the farther code" in table
        for count in counts.reshape(-1, 4).sum(1):
            assert f"<td>{count:,}</td></tr>" in table

    @pytest.mark.parametrize("rounding", ["nearest", "least squares"])
    def test_nearest_rounding_leaves_no_weight_at_a_farther_code(self, explorer, rounding):
        explorer.set(weight_bits=3, rounding="gptq")
        explorer.rounding = rounding
        panel = explorer._weights
        assert not any(x.get_visible() for x in (panel.farther, *panel.between))
        assert "each at its nearest code" in explorer.picture.alt
        assert "farther" not in explorer.notes.value + explorer.tables()

    def test_rare_settings_stand_in_a_row_that_can_be_opened(self, explorer):
        parts = [set(part._dom_classes) for part in explorer.children]
        place = next(i for i, names in enumerate(parts) if "qlab-more" in names)
        assert "qlab-reveal-row" in parts[place - 1] and "qlab-controls" in parts[place - 2]
        assert "More settings" in explorer.children[place - 1].words
        rare = {x for x in explorer.settings if explorer.trait_metadata(x, "rare")}
        assert rare == {"bias_correction", "observer", "calibration_size"}
        assert list(explorer.children[place].children) == [
            explorer.cards[x] for x in explorer.cards if x in rare
        ]
        assert len(explorer.children[place - 2].children) == 5

    def test_overrides_and_observer_reach_the_recipe(self, explorer):
        explorer.set(observer="percentile", overrides={"conv1": {"weight_bits": 3}})
        assert explorer.result.recipe.bits("weight_bits", "conv1") == 3
        assert "percentile" in explorer.notes.value and "conv1" in explorer.notes.value
        explorer.overrides = {"conv9": {"weight_bits": 3}}
        assert "conv9" in explorer.error and "conv1" in explorer.error

    def test_the_file_to_take_away_is_packed_and_scored_again(self, explorer, few, tmp_path):
        explorer.weight_bits = 4
        name, data = explorer.download.press()
        (tmp_path / name).write_bytes(data)
        model = qlab.LiteModel.from_file(tmp_path / name)
        accuracy = qlab.evaluate(model, few["images"], few["labels"]).accuracy
        assert model.file_bytes < explorer.result.model.file_bytes
        assert f"Scored again: {readout.percent(accuracy)}" in explorer.download.link.text
        explorer.weight_bits = 8
        assert explorer.download.link.text == ""

    def test_the_trail_as_csv(self, explorer):
        explorer.weight_bits = 4
        explorer.weight_bits = 8
        name, data = explorer.save_trail.press()
        rows = list(csv.DictReader(io.StringIO(data.decode())))
        assert name.endswith(".csv") and [row["weight_bits"] for row in rows] == ["8", "4", "8"]
        assert float(rows[1]["accuracy"]) == explorer.trail[1].accuracy

    def test_the_numbers_in_the_picture_are_there_as_text(self, explorer):
        explorer.weight_bits = 4
        assert all(f"{point.gzip_bytes:,}" in explorer.tables() for point in explorer.trail)
        assert "Weights of dense1" in explorer.tables()

    def test_images_without_labels(self, few):
        with pytest.raises(ValueError, match="both, or neither"):
            subject(images=few["images"])
