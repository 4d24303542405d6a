"""Remembered prefixes: the same bits as the whole file, and nothing remembered for nothing."""

import threading

import engine
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qlab
from qlab.engine.recipes import ROUNDINGS
from qlab.system.steps import finished
from qlab.tflite import prefixes, runtime
from qlab.tflite.prefixes import Memory, answers, cuts, score, scoring
from qlab.tflite.sparse_encoding import sparse_file

N, BATCH = 70, 32  # the last batch is partial
FORMS = {"plain": lambda x: x, "packed": qlab.LiteModel.packed, "sparse": sparse_file}


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    """A memory of the test's own."""
    fresh = Memory(64 * 2**20)
    monkeypatch.setattr(prefixes, "MEMORY", fresh)
    return fresh


@pytest.fixture
def ran(monkeypatch):
    """How many operators each file had that LiteRT was given."""
    counts, batches = [], runtime.batches

    def counted(model, *given):
        counts.append(len(model.parsed.subgraphs[0].operators))
        return batches(model, *given)

    monkeypatch.setattr(prefixes, "batches", counted)
    return counts


@pytest.fixture(scope="module")
def images(fashion):
    return fashion.validation.images[:N]


def whole(model, images, batch=BATCH):
    return np.concatenate([x[0] for _, x in runtime._outputs(model, images, batch)])


def moved(name, **layers):
    """The 8-bit file of a network in which some layers have weight bits of their own."""
    overrides = {layer: {"weight_bits": bits} for layer, bits in layers.items()}
    return engine.compressor(name).compress(qlab.Recipe(overrides=overrides))


def overrides(name):
    """Strategy: settings for some layers with weights."""
    layers = [x.name for x in engine.float_model(name).layers if x.weights is not None]
    own = st.fixed_dictionaries(
        {},
        optional={
            "weight_bits": st.sampled_from([2, 3, 4, 8, 16, 32]),
            "activation_bits": st.sampled_from([2, 4, 8, 32]),
            "sparsity": st.sampled_from([0.0, 0.5, 0.95]),
            "rounding": st.sampled_from(ROUNDINGS),
        },
    )
    return st.dictionaries(st.sampled_from(layers), own, max_size=2)


@pytest.mark.parametrize("name", [*engine.NETWORKS, "mixture"])
@settings(max_examples=12)
@given(data=st.data())
def test_every_move_has_the_bits_of_the_whole_file(name, fashion, data):
    images = fashion.validation.images[:N]
    prefixes.MEMORY = Memory(data.draw(st.sampled_from([10**5, 10**6, 10**8])))
    base = qlab.Recipe(
        weight_bits=data.draw(st.sampled_from([2, 4, 8, 32])),
        activation_bits=data.draw(st.sampled_from([3, 8, 32])),
    )
    changing = data.draw(
        st.sets(st.sampled_from([x.name for x in engine.float_model(name).layers]))
    )
    for own in data.draw(st.lists(overrides(name), min_size=3, max_size=6)):
        file = engine.compressor(name).compress(base.replace(overrides=own))
        model = FORMS[data.draw(st.sampled_from(sorted(FORMS)))](file)
        np.testing.assert_array_equal(
            answers(model, images, BATCH, 2, changing), whole(model, images)
        )
        labels = fashion.validation.labels[:N]
        ours, theirs = score(model, images, labels), qlab.evaluate(model, images, labels)
        np.testing.assert_array_equal(ours.predictions, theirs.predictions)


@pytest.mark.parametrize("name", [*engine.NETWORKS, "mixture"])
@pytest.mark.parametrize("bits", [(8, 8), (4, 32), (32, 32)])
def test_every_cut_has_the_bits_of_the_whole_file(name, bits, images):
    model = engine.compressor(name).compress(qlab.Recipe(*bits))
    places = cuts(model.parsed)
    assert len(places) > 1
    for cut in places:
        remembered, held = finished(prefixes._running(model, None, [cut], images, None, BATCH, 1))
        [rest] = finished(prefixes._running(model, cut, [], held, None, BATCH, 2))
        np.testing.assert_array_equal(remembered, whole(model, images))
        np.testing.assert_array_equal(rest, whole(model, images))
        assert held.nbytes == cut.image_bytes * len(images)


def test_steps_show_the_first_images_and_remember_only_at_the_end(images, fashion, memory):
    labels, layers = fashion.validation.labels[:N], ("dense1",)
    model = moved("baseline", dense1=4)
    expected = qlab.evaluate(model, images, labels).predictions
    for left in (1, 2):
        steps = scoring(model, images, labels, each=20, batch=10, changing=layers)
        for _ in range(left):
            next(steps)
        steps.close()
    assert not memory.used
    for remembered in (False, True):
        assert bool(memory.used) == remembered
        found, steps = [], scoring(model, images, labels, each=20, batch=10, changing=layers)
        whole = yield_to(found, steps)
        assert [x.n for x in found] == [20, 40, 60] and whole.n == N
        for measured in (*found, whole):
            np.testing.assert_array_equal(measured.predictions, expected[: measured.n])
            np.testing.assert_array_equal(measured.labels, labels[: measured.n])
        assert 0 < found[0].elapsed_ms < found[1].elapsed_ms < whole.elapsed_ms


def yield_to(found, steps):
    """What steps return; what they yield is added to `found`."""
    while True:
        try:
            found.append(next(steps))
        except StopIteration as end:
            return end.value


def test_cuts_are_where_everything_passes():
    model = engine.float_model("residual")
    after = [model.layers[cut.first - 1].name for cut in cuts(model.parsed)]
    assert [x for x in after if x.startswith(("first", "second"))] == []  # the skip passes by
    assert after[0] == "stem"
    merges = [model.layers[cut.first - 1].op for cut in cuts(model.parsed)]
    assert merges.count("ADD") == 2


def test_a_moving_layer_is_remembered_when_it_moves_for_the_first_time(images, ran, memory):
    for bits in (8, 7, 6, 5):
        answers(moved("baseline", dense1=bits), images)
    assert ran == [7, 7, 2, 2]
    assert memory.used == 576 * N
    for _ in range(2):  # the same file again: now only its last layer is seen to change
        answers(moved("baseline", dense1=5), images)
    assert ran[4:] == [2, 1]


def test_where_every_layer_changes_nothing_is_remembered(images, ran, memory):
    for bits in (8, 7, 6, 5, 4):
        answers(engine.compressor("baseline").compress(qlab.Recipe(bits)), images)
    assert ran == [7] * 5
    assert memory.used == 0


def test_layers_that_are_going_to_change_are_prepared_for(images, ran):
    answers(moved("baseline"), images, changing=("conv1", "conv2", "dense1", "logits"))
    for layer, operators in (("logits", 1), ("dense1", 2), ("conv2", 5), ("conv1", 7)):
        answers(moved("baseline", **{layer: 4}), images)
        assert ran[-1] == operators


def test_other_images_or_another_batch_have_a_memory_of_their_own(images, fashion, ran):
    answers(moved("baseline"), images, changing=("logits",))
    answers(moved("baseline"), fashion.validation.images[1 : N + 1])
    answers(moved("baseline"), images, BATCH)
    assert ran == [7, 7, 7]
    answers(moved("baseline"), fashion.validation.images[:N])  # the same in another array
    assert ran[-1] == 1


def test_the_digest_of_images_that_cannot_change_is_worked_out_once(fashion, images):
    for split in (fashion.train, fashion.validation, fashion.test):
        assert prefixes._frozen(split.images[:5])
    below = images.copy()
    view = below[:5]
    view.flags.writeable = False
    assert not prefixes._frozen(view)  # it changes with what is below it
    assert not prefixes._frozen(np.frombuffer(bytearray(5), np.uint8))
    assert not prefixes._frozen(np.frombuffer(memoryview(bytearray(5)).toreadonly(), np.uint8))


def test_images_that_were_written_into_are_other_images(images):
    mine = images.copy()
    model = moved("baseline")
    answers(model, mine, changing=("logits",))
    mine[:] = mine[::-1].copy()
    np.testing.assert_array_equal(answers(model, mine), whole(model, mine))


def test_only_what_comes_before_a_cut_is_in_its_digest():
    source = engine.float_model("baseline")

    def digests(change):
        return [cut.digest for cut in cuts(engine.edited(source, change).parsed)]

    def second(graph):
        return graph.subgraphs[0].operators[2]

    def rename(graph):
        graph.subgraphs[0].tensors[second(graph).outputs[0]].name = b"other"

    def bias(graph):
        tensor = graph.subgraphs[0].tensors[second(graph).inputs[2]]
        data = graph.buffers[tensor.buffer].data.copy()
        data[0] ^= 1
        graph.buffers[tensor.buffer].data = data

    def option(graph):
        second(graph).builtinOptions.fusedActivationFunction = 0

    def version(graph):
        graph.operatorCodes[second(graph).opcodeIndex].version += 1

    def grid(graph):
        new = graph.subgraphs[0].tensors[second(graph).outputs[0]]
        new.quantization.scale = np.array([0.5], np.float32)

    usual = digests(lambda graph: None)
    assert len(set(usual)) == len(usual) == 6
    assert digests(rename) == usual
    for change in (bias, option, grid):
        now = digests(change)
        assert now[:2] == usual[:2]
        assert not set(now[2:]) & set(usual)
    assert not set(digests(version)) & set(usual)  # conv1 has the same operator code


def test_an_operator_that_may_remember_is_not_cut_away():
    def strange(graph):
        graph.operatorCodes[graph.subgraphs[0].operators[1].opcodeIndex].builtinCode = 27  # SVDF

    assert cuts(engine.edited(engine.float_model("baseline"), strange).parsed) == []


def test_a_file_of_a_fixed_batch_is_cut_as_well(images, ran):
    def fix(graph):
        shape = graph.subgraphs[0].tensors[graph.subgraphs[0].operators[4].inputs[1]]  # RESHAPE
        graph.buffers[shape.buffer].data = np.array([1, 576], "<i4").view(np.uint8)

    for bits in (8, 4, 3):
        model = engine.edited(moved("baseline", logits=bits), fix)
        np.testing.assert_array_equal(answers(model, images), whole(model, images))
    assert ran == [7, 7, 1]


@pytest.mark.parametrize("error", [RuntimeError, qlab.ModelError])
def test_a_part_that_the_runtime_refuses_is_run_whole(error, images, monkeypatch):
    def refuse(*_):
        raise error("no")

    monkeypatch.setattr(prefixes, "part_of", refuse)
    labels = np.zeros(N, int)
    for bits in (8, 4):
        model = moved("baseline", logits=bits)
        due = qlab.predict(model, images)
        np.testing.assert_array_equal(score(model, images, labels).predictions, due)


def test_a_file_whose_cut_does_not_count_images_is_run_whole(images, monkeypatch):
    model = moved("baseline")
    monkeypatch.setattr(prefixes, "batches", lambda *_: iter([(slice(0, 9), [lambda: np.ones(1)])]))
    assert answers(model, images) is None
    labels = np.zeros(N, int)
    due = qlab.predict(model, images)
    np.testing.assert_array_equal(score(model, images, labels).predictions, due)


def test_the_memory_is_bounded_and_forgets_what_waits_long_and_saves_little():
    memory, values = Memory(100), np.zeros((10, 4), np.uint8)
    places = [prefixes.Cut(0, i, b"%d" % i, 4, macs) for i, macs in enumerate((1000, 10, 1000))]
    for cut in places[:2]:
        memory.put("key", cut, values.copy())
    assert memory.used == 80
    memory.longest("key", [])
    memory.put("key", places[2], values.copy())
    assert memory.longest("key", places[:2])[0] == places[0]  # the other saved less
    for _ in range(3):
        memory.longest("key", places[2:])
    memory.put("key", places[1], values.copy())
    assert memory.longest("key", places[:1]) == (None, None)  # nobody had asked for it lately
    assert memory.used == 80
    memory.put("key", places[0], np.zeros((10, 40), np.uint8))  # more than there is room for
    assert memory.used <= 100


def test_no_room_is_no_memory(images, ran, monkeypatch):
    monkeypatch.setattr(prefixes, "MEMORY", Memory(0))
    for bits in (8, 7, 6):
        answers(moved("baseline", dense1=bits), images, changing=("dense1",))
    assert ran == [7, 7, 7]


def test_threads_share_it(images, monkeypatch):
    monkeypatch.setattr(prefixes, "MEMORY", Memory(60_000))  # so that they forget as well
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(12):
            layers = rng.choice(["conv2", "dense1", "logits"], 2, replace=False)
            model = moved("baseline", **{layer: int(rng.integers(2, 9)) for layer in layers})
            found = answers(model, images, BATCH, 1)
            if not np.array_equal(found, whole(model, images)):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert 0 < prefixes.MEMORY.used <= 60_000


def test_what_is_kept_or_taken_away_is_run_whole(fashion, monkeypatch):
    from qlab.trials import pareto, subjects
    from qlab.widgets.kit.download import scored_again

    split = fashion.validation
    mine = subjects.subject(None, split.images[:N], split.labels[:N])
    monkeypatch.setattr(prefixes, "_answering", lambda *_: pytest.fail("not whole"))
    assert scored_again(mine, mine.model).startswith("Scored again: ")
    monkeypatch.setattr(pareto, "_measured", {})
    monkeypatch.setattr(subjects, "course_images", lambda: split)
    pareto._measure("sha256", mine.model, None)
    [measured] = pareto._measured.values()
    assert measured.images_are == "validation images"
    with pytest.raises(pytest.fail.Exception):
        mine.score(mine.model)
