"""The Pareto board's explorer: what it shows is what `qlab.pareto` says."""

import csv
import io

import pytest
import traitlets

import qlab
from qlab.arithmetic.results import Latency, Measurement
from qlab.tflite.graph import pack
from qlab.tflite.litemodel import LiteModel
from qlab.trials import fronts, pareto, shelf
from qlab.widgets.kit.hotspots import Spot, SpottedPicture
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.pareto_explorer import BEST, ParetoExplorer


def kept(name, words="", recipe="by hand", latency=None):
    """A model of mine on the shelf, unscored."""
    graph = qlab.pretrained("baseline-int8").graph()
    graph.description = f"{name}{words}".encode()
    shelf.put(LiteModel(pack(graph)), name, recipe, (9034, 10_000, "validation images"), latency)


def spots(explorer):
    """What all places on the picture say, and which the Tab key reaches, by name."""
    places = explorer.picture.spots.places
    return {place["lines"][0]: (place["focus"], ". ".join(place["lines"])) for place in places}


def test_it_shows_what_the_board_says():
    explorer = ParetoExplorer()
    board = explorer.result
    assert [x.name for x in board.entries] == [x.name for x in pareto.entries()]
    assert list(board.standings) == pareto.standings(board.entries)
    best = max(board.entries, key=lambda entry: entry.accuracy)
    assert board.entries[board.chosen].accuracy == best.accuracy
    assert f"{100 * best.accuracy:.2f} %" in explorer.readout.value
    assert "qlab-badge-cached" in explorer.readout.value
    alt = explorer.picture.picture.alt
    assert all(f"{x.name} {100 * x.accuracy:.2f} %" in alt for x in board.front)
    assert repr(explorer) == "ParetoExplorer()"


def test_every_model_has_a_place_and_the_front_is_reached_by_keyboard():
    kept("mine")
    explorer = ParetoExplorer()
    found = spots(explorer)
    assert set(found) == {entry.name for entry in explorer.result.entries}
    ahead = {entry.name for entry in explorer.result.front}
    reached = {name for name, (stop, _) in found.items() if stop}
    chosen = explorer.result.entries[explorer.result.chosen].name
    assert reached == ahead | {"mine", chosen}
    assert "by hand" in found["mine"][1] and "bytes" in found["mine"][1]
    assert list(found)[-1] == chosen  # on top


@pytest.mark.parametrize("cost", ["gzip_bytes", "file_bytes", "latency_ms"])
def test_places_lie_where_the_points_are(cost):
    explorer = ParetoExplorer(cost=cost, shown="shipped", model="baseline")
    panel = explorer._panel
    x, y = (float(values[0]) for values in panel.chosen.get_data())
    entry = explorer.result.entries[explorer.result.chosen]
    scale = 1000 if cost == "latency_ms" else 1 / 1000
    assert x == pytest.approx(getattr(entry, cost) * scale)
    assert y == entry.accuracy
    pixels = panel.ax.transData.transform((x, y))
    figure = panel.ax.figure.bbox
    place = explorer.picture.spots.places[-1]
    assert place["x"] == pytest.approx(pixels[0] / figure.width, abs=1e-4)
    assert place["y"] == pytest.approx(1 - pixels[1] / figure.height, abs=1e-4)
    low, high = panel.ax.get_xlim()
    assert low < x < high


def test_a_model_kept_meanwhile_appears_at_the_next_update():
    explorer = ParetoExplorer(shown="yours")
    assert explorer.result.entries == () and explorer.result.chosen is None
    assert "qlab.pareto.keep" in explorer.notes.value
    with pytest.raises(ValueError, match="no model in the table"):
        explorer.csv()
    kept("mine")
    explorer.update()
    assert [entry.name for entry in explorer.result.entries] == ["mine"]
    explorer.model = "mine"
    assert explorer.error == "" and "Recipe of mine:</b> by hand" in explorer.notes.value


def test_the_drop_down_follows_and_leads():
    kept("mine")
    explorer = ParetoExplorer()
    box = explorer._box
    assert box.options[:2] == (BEST, "mine")
    box.value = "qat-w2-seed0"
    assert explorer.model == "qat-w2-seed0"
    assert "Recipe of qat-w2-seed0" in explorer.notes.value
    explorer.model = "baseline"
    assert box.value == "baseline"
    kept("another")
    explorer.update()
    assert (box.value, explorer.model) == ("baseline", "baseline")
    assert "another" in box.options


def test_the_one_that_is_looked_at_is_shown_whatever_is_left_out():
    explorer = ParetoExplorer(model="baseline")
    explorer.shown = "yours"
    assert [entry.name for entry in explorer.result.entries] == ["baseline"]


def test_an_unknown_model_is_said_in_words_and_a_known_one_heals():
    explorer = ParetoExplorer()
    explorer.model = "nobody"
    assert "no model here is called 'nobody'; there are: baseline" in explorer.error
    assert explorer.result is None
    explorer.model = "baseline"
    assert explorer.error == "" and explorer.result is not None
    with pytest.raises(traitlets.TraitError):
        explorer.cost = "price"


def test_a_model_without_latency_is_in_the_table_and_not_in_the_picture():
    kept("mine")
    kept("timed", latency=Latency(0.5, 0.6, 1, 1, 20))
    explorer = ParetoExplorer(cost="latency_ms", model="mine")
    assert "mine" not in spots(explorer) and "timed" in spots(explorer)
    assert "not timed yet" in explorer.readout.value
    assert "not timed" in explorer.tables()
    assert "500.0 µs" in explorer.tables()
    assert "phone" in explorer.notes.value


def test_measuring_turns_cached_into_measured(monkeypatch):
    monkeypatch.setattr(pareto, "_measured", {})
    kept("mine")
    explorer = ParetoExplorer(shown="yours")
    assert "cached" in explorer.tables()
    board = explorer.measure()
    assert [entry.kind for entry in board.entries] == ["measured"]
    assert board is explorer.result
    assert "cached" not in explorer.tables()


def test_a_measured_model_is_shown_beside_its_rival(monkeypatch):
    monkeypatch.setattr(pareto, "_measured", {})
    explorer = ParetoExplorer(model="qat-control-seed0")
    assert fronts.APART in explorer.readout.value
    chosen = next(x for x in explorer.result.entries if x.name == "qat-control-seed0")
    rival = explorer.result.rivals[explorer.result.chosen]
    assert rival.gzip_bytes <= chosen.gzip_bytes and rival.accuracy > chosen.accuracy
    list(pareto.remeasure([chosen, rival]))
    explorer.update()
    pair = explorer.result.comparisons[explorer.result.chosen]
    assert (pair.difference > 0, pair.family) == (True, len(explorer.result.entries))
    words = f"its rival {rival.name}:", pair.points, pair.interval_words, pair.verdict
    assert all(x in explorer.readout.value for x in words)


def test_the_button_measures_in_a_thread_and_keeps_what_it_had_when_stopped(monkeypatch):
    monkeypatch.setattr(pareto, "_measured", {})
    done = []

    def measure(sha, model, dataset):
        done.append(sha)
        pareto._measured[sha, pareto._of(dataset)] = Measurement([1, 1], [1, 2])
        if len(done) == 2:
            explorer.job.cancel()

    monkeypatch.setattr(pareto, "_measure", measure)
    explorer = ParetoExplorer()
    explorer.job.start()
    explorer.job.wait(60)
    assert len(done) == 2
    assert "what was measured is kept" in explorer.job.status.value
    explorer.update()
    assert [entry.kind for entry in explorer.result.entries].count("measured") == 2


def test_the_table_as_csv_is_whole_and_safe():
    kept("=HYPERLINK(1)", recipe={"note": "+1"})
    explorer = ParetoExplorer()
    name, content, note = explorer.csv()
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert name == "qlab-pareto.csv"
    assert len(rows) == len(explorer.result.entries) and f"{len(rows)} models" in note
    mine = next(row for row in rows if row["origin"] == "yours")
    assert mine["model"] == "'=HYPERLINK(1)"
    assert (mine["accuracy"], mine["images"]) == ("0.9034", "10000")
    standings = [row["standing"] for row in rows]
    assert standings == sorted(standings, key=fronts.ORDER.index)


def test_hostile_names_and_recipes_stay_text():
    kept("<script>alert(1)</script>", recipe={"<img src=x onerror=alert(1)>": "<b>"})
    explorer = ParetoExplorer(model="<script>alert(1)</script>")
    everything = explorer.readout.value + explorer.notes.value + explorer.tables()
    assert "<script>" not in everything and "<img" not in everything
    assert "&lt;script&gt;" in everything
    assert "<script>alert(1)</script>" in spots(explorer)  # as text: front_end.js writes no HTML


def test_what_cannot_be_used_on_the_shelf_is_said():
    place = shelf.folder() / ("0" * 64)
    place.mkdir(parents=True)
    (place / shelf.MODEL).write_bytes(b"x")
    (place / shelf.ABOUT).write_bytes(b"{")
    assert "00000000 on the shelf cannot be used" in ParetoExplorer().notes.value


def test_places_count_from_the_top_left():
    spotted = SpottedPicture(LivePicture(panels=1, width=300, height=200))
    spotted.picture.axes[0].set(xlim=(0, 1), ylim=(0, 1))
    spotted.redraw("", [Spot(0.9, 0.1, ("corner",)), Spot(0.1, 0.9, ("other", "more"), True)])
    first, second = spotted.spots.places
    assert first["x"] > 0.6 and first["y"] > 0.6 and second["x"] < 0.4 and second["y"] < 0.4
    assert (first["lines"], first["focus"]) == (["corner"], False)
    assert (second["lines"], second["focus"]) == (["other", "more"], True)
    assert spotted.png[1:4] == b"PNG"
