"""The pictures: what they draw is what they were given."""

import base64
import io
import re
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from PIL import Image

from qlab import plots
from qlab.arithmetic.affine import symmetric_params
from qlab.course.rounding.by_hand import gptq_row
from qlab.lessons.claims import Claim
from qlab.lessons.limits import Limit
from qlab.plots import style
from qlab.plots.answer_panels import WORDS, confusion
from qlab.plots.cost_panels import ParetoPanel, TradeoffPanel
from qlab.plots.distillation_panels import GridPanel
from qlab.plots.quantization_panels import (
    ActivationPanel,
    WeightPanel,
    between_codes,
    clipped_share,
    grid_path,
)
from qlab.plots.rounding_panels import feedback_steps
from qlab.plots.sensitivity_panels import RecipesPanel
from qlab.plots.themes import darkened

NAMES = ("Bag", "Coat", "Dress")


@pytest.fixture(autouse=True)
def figures():
    """Draw without a screen, and leave no figure behind."""
    from matplotlib import pyplot

    mpl.use("Agg")
    yield
    pyplot.close("all")


class TestStyle:
    @pytest.mark.parametrize("colour", [style.INK, style.SOFT, style.RIGHT])
    def test_text_is_legible_on_paper(self, colour):
        assert style.contrast(colour, style.PAPER) >= 4.5

    def test_a_given_axes_is_drawn_on_and_the_learners_style_is_left_alone(self):
        from matplotlib import pyplot

        before = dict(mpl.rcParams)
        _, ax = pyplot.subplots()
        assert plots.plot_history(HISTORY, ax=ax) is ax
        assert dict(mpl.rcParams) == before

    def test_words_are_read_on_every_colour(self):
        for colour in (*style.SERIES, style.INK, style.SOFT, style.FAINT, "#787878"):
            assert style.contrast(style.words_on(colour), colour) > 4.5
        assert min(style.contrast(x, style.PAPER) for x in WORDS.values()) > 4.5
        assert style.contrast("black", "white") == pytest.approx(21)
        assert style.contrast(style.VERMILION, style.PAPER) == pytest.approx(3.9, abs=0.1)

    def test_the_numbers_of_a_heat_map_are_read_in_each_cell(self):
        panel = GridPanel(style.new_axes())
        accuracies = np.linspace(0.78, 0.81, 40).reshape(4, 5, 2)
        settings = {"temperatures": (1, 2, 4, 8, 16), "alphas": (0.1, 0.5, 0.9, 1)}
        panel.frame(SimpleNamespace(**settings, accuracies=accuracies, labels=600, chosen=(2, 1)))
        heat, *words = panel.behind
        for text, mean in zip(words, accuracies.mean(axis=-1).flat, strict=True):
            assert style.contrast(text.get_color(), heat.to_rgba(mean)) > 4.5

    def test_nothing_covers_ones_own_model(self):
        panel = ParetoPanel(style.new_axes())
        drawn = [panel.marks.index(x) for x in (panel.best, panel.bar, panel.yours)]
        assert drawn == sorted(drawn)
        assert panel.yours.get_zorder() >= panel.bar.get_zorder()
        panel = RecipesPanel(style.new_axes(), 0.9, 100_000)
        drawn = [panel.marks.index(x) for x in (panel.spans, panel.uniform, panel.here)]
        assert drawn == sorted(drawn)


class TestWeights:
    @given(st.lists(st.floats(0.01, 0.2), min_size=1, max_size=60), st.sampled_from([1, 3, 7]))
    def test_a_tick_stands_where_each_code_stands(self, scales, q_max):
        rows = min(len(scales), 24)
        ticks = grid_path(scales, q_max, height=12.0).vertices.reshape(rows, 2 * q_max + 1, 2, 2)
        assert np.array_equal(ticks[0, :, 0, 0], max(scales) * np.arange(-q_max, q_max + 1))
        assert np.array_equal(ticks[:, q_max, :, 0], np.zeros((rows, 2)))
        assert (np.diff(ticks[:, -1, 0, 0]) <= 0).all()
        assert ticks[0, 0, 0, 1] == 0 and ticks[-1, 0, 1, 1] == pytest.approx(12)

    def test_float_weights_have_no_grid(self):
        panel = WeightPanel(style.new_axes())
        panel.frame([1, 5, 2], [-1, 0, 1, 2], "conv")
        panel.show(0.5, 3)
        assert panel.grid.get_visible()
        panel.show(None, 0, "float32, no grid")
        assert not panel.grid.get_visible() and panel.note.get_text() == "float32, no grid"

    @pytest.mark.parametrize("axis", [0, None])
    def test_weights_are_counted_from_a_code_to_halfway(self, axis):
        params = symmetric_params(np.float32([[3.5, -7.0], [0.1, 0.7]]), 4, axis)
        steps = np.float32([[0.0, 2.06, -3.48], [1.52, 6.26, 9.0]])  # the last is off the grid
        weights = steps * np.reshape(params.scale, (-1, 1))
        which = np.array([[False, True, True], [False, False, True]])
        every, some = between_codes(weights, params, which)
        at = np.floor(40 * np.array([0.0, 0.06, 0.48, 0.48, 0.26])).astype(int)
        np.testing.assert_array_equal(every, np.bincount(at, minlength=20))
        np.testing.assert_array_equal(some, np.bincount(at[1:3], minlength=20))


class TestFeedback:
    weights, moments = [0.4, 1.4, 0.4], [[2, 2, 1.5], [2, 3, 2], [1.5, 2, 1.8]]

    def test_each_mark_stands_where_its_weight_and_its_codes_are(self):
        ax = plots.plot_feedback(self.weights, self.moments)
        places = [line.get_xdata().tolist() for line in ax.lines]
        assert places == [[1.4, 0.4, 0.4], [1, 0, 0], [1, 1, 0]]  # the strongest input comes first

    def test_what_is_passed_on_is_what_the_exercise_passes_on(self):
        order, aims, codes = feedback_steps(self.weights, self.moments)
        assert codes.tolist() == gptq_row(self.weights, np.array(self.moments)).tolist()
        error, rest = 0.4, [0, 2]  # of the first, which the two others take over
        matrix, seen = np.array(self.moments)[np.ix_(rest, rest)], [2.0, 2.0]
        share = np.linalg.solve(matrix, seen)
        assert (order.tolist(), aims[1]) == ([1, 0, 2], 1.4)
        assert aims[0] == pytest.approx(0.4 + error * share[0], abs=1e-6)

    def test_what_moves_a_weight_is_written_above_its_arrow(self):
        words = [text.get_text() for text in plots.plot_feedback(self.weights, self.moments).texts]
        assert [w for w in words if w] == ["+0.18 passed on", "−0.06 passed on"]


class TestPruning:
    def test_what_is_left_is_the_weight_or_a_zero(self):
        ax = plots.plot_mask([0.5, -0.75, 0.25], np.array([1, 1, 0]))
        words = [text.get_text() for text in ax.texts]
        assert words == ["0.50", "−0.75", "0.25", "1", "1", "0", "0.50", "−0.75", "0"]
        filled = [mpl.colors.to_hex(x.get_facecolor()).upper() for x in ax.patches]
        assert filled == 3 * [style.BLUE, style.BLUE, style.PAPER.upper()]

    def test_a_filter_goes_with_the_column_that_reads_it(self):
        before, after = plots.plot_removed_filters([True, False, False, True], 9, 5)
        crossed = [x.get_xy() for x in before.patches if x.get_hatch()]
        assert len(before.patches) == 4 * (9 + 5) and len(crossed) == 2 * (9 + 5)
        assert len(after.patches) == 2 * (9 + 5) and not any(x.get_hatch() for x in after.patches)
        assert {round(y + 0.42) for x, y in crossed if x < 9} == {1, 2}


class TestWrapper:
    def test_the_weight_that_the_layer_uses_lies_on_the_grid(self):
        words = [text.get_text() for text in plots.plot_wrapped_layer(-0.4, 0.25).texts]
        assert {"−0.40", "−0.50", "code −2 × scale 0.25"} <= set(words)


class TestActivations:
    def test_what_is_clipped_is_shaded_on_both_sides(self):
        panel = ActivationPanel(style.new_axes())
        panel.frame([5, 10, 5, 1], [-2, -1, 0, 1, 2], "conv")
        panel.show([5, 10, 5, 1], [-2, -1, 0, 1, 2], -1.0, 1.5, levels=16)
        left, right = panel.ax.get_xlim()
        assert panel.below.get_x() == left and panel.below.get_width() == -1.0 - left
        assert panel.above.get_x() == 1.5 and panel.above.get_width() == right - 1.5
        assert len(panel.ticks.get_segments()) == 16
        panel.show([5, 10, 5, 1], [-2, -1, 0, 1, 2], None, None)
        assert panel.below.get_width() == panel.above.get_width() == 0
        assert not panel.ends.get_segments()

    @given(st.lists(st.integers(0, 1000), min_size=4, max_size=4), st.floats(0, 4), st.floats(0, 4))
    def test_a_wider_range_never_clips_more(self, counts, a, b):
        edges = [0.0, 1.0, 2.0, 3.0, 4.0]
        narrow, wide = sorted((a, b))
        share = clipped_share(counts, edges, 0.0, wide)
        assert 0 <= share <= clipped_share(counts, edges, 0.0, narrow) + 1e-12
        assert clipped_share(counts, edges, 0.0, 4.0) == pytest.approx(0) or not any(counts)


class TestTradeoff:
    def test_the_scale_tells_88_from_89_and_still_holds_chance(self):
        ax = style.new_axes()
        TradeoffPanel(ax, (280_000, 0.90), smallest=8_000, chance=0.07)
        ax.figure.canvas.draw()
        heights = ax.transData.transform([(50, y) for y in (0.10, 0.88, 0.89)])[:, 1]
        inside = (heights - ax.bbox.y0) / ax.bbox.height
        assert 0 <= inside[0] < inside[1] < inside[2] <= 1
        assert inside[2] - inside[1] > 0.03

    def test_there_is_room_for_a_wide_interval(self):
        for highest, room in ((0, 0.9938), (0.9923, 0.9940)):
            ax = style.new_axes()
            TradeoffPanel(ax, (280_000, 0.983), smallest=8_000, highest=highest)
            assert (ax.get_ylim()[1] > room) == bool(highest)

    def test_the_last_point_is_marked_unless_another_is_named(self):
        ax = style.new_axes()
        panel = TradeoffPanel(ax, (280_000, 0.90), smallest=8_000)
        panel.show([40_000, 20_000], [0.89, 0.80], (0.79, 0.81))
        assert panel.here.get_xydata().tolist() == [[20, 0.80]]
        panel.show([40_000, 20_000], [0.89, 0.80], (0.88, 0.90), here=(40_000, 0.89))
        assert panel.here.get_xydata().tolist() == [[40, 0.89]]
        assert panel.bar.get_ydata() == (0.88, 0.90)

    @pytest.mark.parametrize("accuracy", [0.10, 0.5, 0.905, 0.997, 1.0])
    def test_any_models_accuracy_is_inside(self, accuracy):
        ax = style.new_axes()
        TradeoffPanel(ax, (1_000, accuracy), smallest=100)
        low, high = ax.get_ylim()
        assert low < accuracy <= high or accuracy == 1.0


class TestPredictions:
    def test_right_and_wrong_differ_by_mark_and_by_colour(self):
        images = np.zeros((3, 28, 28, 1), np.uint8)
        axes = plots.plot_predictions(images, [0, 1, 2], [0, 2, 2], NAMES, columns=2)
        labels = [ax.xaxis.label for ax in axes[:3]]
        assert [label.get_text() for label in labels] == ["✓ Bag", "✗ Dress\nis Coat", "✓ Dress"]
        assert labels[0].get_color() == WORDS[True] != labels[1].get_color() == WORDS[False]
        assert not axes[3].get_visible()

    def test_confusion_counts_every_image_once(self):
        rng = np.random.default_rng(0)
        labels, answers = rng.integers(0, 3, (2, 500))
        counts = confusion(labels, answers, 3)
        assert counts.sum() == 500 and np.trace(counts) == (labels == answers).sum()

    @pytest.mark.parametrize(
        ("labels", "answers", "counts"),
        [
            ([0, 0, 1, 2], [1, 1, 1, 0], [[0, 2, 0], [0, 1, 0], [1, 0, 0]]),
            ([2, 2, 2], [0, 1, 1], [[0, 0, 0], [0, 0, 0], [1, 2, 0]]),
            ([], [], [[0] * 3] * 3),
        ],
    )
    def test_confusion_has_a_row_for_each_true_class(self, labels, answers, counts):
        labels, answers = np.array(labels, int), np.array(answers, int)
        assert confusion(labels, answers, 3).tolist() == counts

    @pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
    def test_a_label_that_is_no_class(self, labels):
        with pytest.raises(ValueError, match="must be 0 to 2"):
            confusion(labels, [0, 0], 3)

    def test_class_accuracy_draws_accuracy_and_interval(self):
        ax = plots.plot_class_accuracy([0, 0, 0, 0, 1], [0, 0, 0, 1, 1], NAMES)
        assert [bar.get_width() for bar in ax.patches] == [75, 100, 0]
        segment = ax.collections[0].get_segments()[0]
        assert segment[0, 0] < 75 < segment[1, 0]


HISTORY = {"loss": [0.6, 0.4], "accuracy": [0.7, 0.8], "validation_accuracy": [0.6, 0.75]}


class TestHistory:
    def test_training_and_validation_are_told_apart_by_more_than_colour(self):
        ax = plots.plot_history(HISTORY)
        train, held_out = ax.lines
        assert held_out.get_ydata().tolist() == [60, 75] and train.get_xdata().tolist() == [1, 2]
        assert train.get_linestyle() != held_out.get_linestyle()
        assert train.get_marker() != held_out.get_marker()

    def test_what_is_not_there(self):
        with pytest.raises(ValueError, match="it holds accuracy, loss"):
            plots.plot_history(HISTORY, "f1")


class TestIntervals:
    rows = {"one": ([0.9], (0.89, 0.92)), "three": ([0.88, 0.9, 0.91], None)}  # noqa: RUF012

    def test_a_row_for_each_name_with_its_values_and_its_interval(self):
        ax = plots.plot_intervals(self.rows, "accuracy (%)")
        places = [(line.get_xdata().tolist(), set(line.get_ydata())) for line in ax.lines]
        assert places == [([90], {0}), ([88, 90, 91], {1})]
        (only,) = ax.collections  # the second row has no interval
        assert only.get_segments()[0].tolist() == [[89, 0], [92, 0]]
        assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "three"]
        assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row is on top

    def test_the_reference_is_dashed(self):
        *_, line = plots.plot_intervals(self.rows, "difference (points)", reference=0.01).lines
        assert line.get_xdata() == [1, 1] and line.get_linestyle() == "--"


class TestStages:
    @staticmethod
    def steps(**sizes):
        return [
            SimpleNamespace(name=name.replace("_", " "), model=SimpleNamespace(gzip_bytes=size))
            for name, size in sizes.items()
        ]

    def test_a_line_for_each_chain_and_its_sizes_in_words(self):
        kept = self.steps(float=280_000, pruned=75_000, int8=18_000)
        naive = self.steps(float=280_000, pruned=75_000, int8=36_000)
        ax = plots.plot_stages({"kept": kept, "naive": naive})
        assert [line.get_ydata().tolist() for line in ax.lines] == [[280, 75, 18], [280, 75, 36]]
        assert ax.lines[0].get_marker() != ax.lines[1].get_marker()
        assert [text.get_text() for text in ax.texts][2::3] == ["18.0", "36.0"]

    def test_a_branch_begins_where_it_leaves_the_chain(self):
        kept = self.steps(float=280_000, pruned=75_000, int8=18_000, packed_int4=17_000)
        line, branch = plots.plot_stages({"kept": kept}).lines
        assert line.get_xdata().tolist() == [0, 1, 2]
        assert branch.get_xdata().tolist() == [1, 3]
        assert branch.get_label() == "4 bits, without clusters"
        assert branch.get_ydata().tolist() == [75, 17]


class TestClaims:
    limits = Limit("times smaller", low=16), Limit("points lost", high=1)

    def lunch(self):
        claim = Claim("x", "Free lunch.", self.limits)
        return claim.check({"2 bits": (21.5, 71.5), "chain": (16.8, 0.5)})

    def test_a_panel_for_each_limit_and_a_dot_for_each_case(self):
        axes = plots.plot_claim(self.lunch(), log=[1])
        assert [ax.get_xlabel() for ax in axes] == ["times smaller", "points lost"]
        assert [ax.get_xscale() for ax in axes] == ["linear", "log"]
        dots = [[float(line.get_xdata()[0]) for line in ax.lines] for ax in axes]
        assert dots == [[21.5, 16.8], [71.5, 0.5]]

    def test_a_number_within_its_limit_lies_in_the_shade_and_says_so_without_colour(self):
        axes = plots.plot_claim(self.lunch())
        said = [[text.get_text() for text in ax.texts] for ax in axes]
        assert said == [["✓ 21.5", "✓ 16.8"], ["✗ 71.5", "✓ 0.5"]]
        shade = axes[1].patches[0].get_extents().transformed(axes[1].transData.inverted())
        assert shade.x0 < 0.5 < shade.x1 == pytest.approx(1)

    def test_one_case_alone_has_an_axis(self):
        (ax,) = plots.plot_claim(Claim("x", "Half.", self.limits[:1]).check({"only": 16}))
        low, high = ax.get_xlim()
        assert low < 16 < high

    def test_what_is_written_beside_a_dot_stays_clear_of_the_edge_of_the_shade(self):
        claim = Claim("x", "Half.", self.limits[0])
        (ax,) = plots.plot_claim(claim.check({"below": 15.1, "above": 21.5, "far": 1.0}))
        assert [text.get_ha() for text in ax.texts] == ["right", "left", "left"]

    def test_there_is_room_for_it_on_the_left(self):
        claim = Claim("x", "Free.", self.limits[1])
        for log in ((), (0,)):
            (ax,) = plots.plot_claim(claim.check({"a": 71.5, "b": 0.7, "c": 0.5}), log=log)
            aligned = [text.get_ha() for text in ax.texts]
            assert aligned == ["left", "right", "right"]

    def test_one_limit_alone_can_be_named_for_its_axis(self):
        axes = plots.plot_claim(self.lunch(), log=1)
        assert [ax.get_xscale() for ax in axes] == ["linear", "log"]

    def test_what_cannot_be_drawn_is_an_error_in_words(self):
        claim = Claim("x", "Half.", Limit("seeds", high=3))
        with pytest.raises(ValueError, match=r"above 0, and there is 0: leave 0 out of log"):
            plots.plot_claim(claim.check({"a": 0, "b": 2}), log=[0])
        with pytest.raises(ValueError, match=r"there is no limit 2; they are 0 to 1"):
            plots.plot_claim(self.lunch(), log=[2])
        with pytest.raises(TypeError, match=r"is no checked claim"):
            plots.plot_claim(claim)

    def test_all_claims_are_one_picture_with_their_ends_limits_and_marks(self):
        half = Claim("y", "Half.", self.limits[0], condition="on Mondays")
        found = [self.lunch(), half.check({"a": 4, "b": 16, "c": 40})]
        said = [text.get_text() for text in plots.plot_claims(found).texts]
        assert "Free lunch." in said and "○ true on Mondays" in said
        for one in found:
            for limit, column in zip(
                one.claim.limits, zip(*one.numbers.values(), strict=True), strict=True
            ):
                assert str(limit) in said
                assert {limit.write(min(column)), limit.write(max(column))} <= set(said)

    def test_a_case_lies_in_the_shade_of_all_claims_if_its_limit_is_kept(self):
        numbers = {"low": 2.0, "end": 3.0, "inside": 3.5, "high": 5.0}
        claim = Claim("x", "A third.", Limit("times smaller", low=3, high=4))
        ax = plots.plot_claims([claim.check(numbers)])
        shade = ax.collections[0].get_paths()[0].get_extents()
        for line, kept in zip(ax.lines, (False, True, True, False), strict=True):
            place = float(line.get_xdata()[0])
            assert bool(shade.x0 - 1e-9 <= place <= shade.x1 + 1e-9) == kept
            assert line.get_marker() == ("o" if kept else "X")


@pytest.mark.parametrize("name", plots.__all__)
def test_every_public_name_is_there(name):
    assert getattr(plots, name) is not None


def test_a_figure_of_a_cell_is_shown_as_its_page_needs_it():
    """Jupyter gets it for both themes; on the dark page an image within it stays as it is."""
    half = np.repeat(np.uint8([[0, 255]]), 28, 0).repeat(14, 1)
    [ax] = plots.plot_images(half[None], [0], ["shirt"], columns=1)
    data, more = DisplayFormatter().format(ax.figure)
    assert data["text/plain"].startswith("<Figure size")  # as matplotlib's own
    assert more["image/png"]["alt"].startswith("Figure: ")
    sources = re.findall(
        r'class="qlab-(\w+)" alt="Figure: [^"]+".*?base64,([^"]+)"', data["text/html"]
    )
    light, dark = (
        np.array(Image.open(io.BytesIO(base64.b64decode(source))).convert("RGB"), int)
        for _, source in sources
    )
    assert [name for name, _ in sources] == ["light", "dark"]
    assert base64.b64decode(data["image/png"]) == base64.b64decode(sources[0][1])
    assert light[0, 0].min() > 250 and dark[0, 0].max() < 5  # the page
    middle = len(light) // 3
    for at in (light.shape[1] // 3, 2 * light.shape[1] // 3):  # the two halves of the image
        assert abs(light[middle, at] - dark[middle, at]).max() < 5
    assert (
        abs(light[middle, light.shape[1] // 3] - light[middle, 2 * light.shape[1] // 3]).min() > 200
    )


def test_a_dark_figure_keeps_its_hues():
    blue = np.uint8([[[0, 114, 178]]])
    red, green, blue_then = darkened(blue, np.zeros((1, 1), bool))[0, 0].astype(int)
    assert red < green < blue_then and blue_then == 255
