"""What must stay the same when the code is rearranged: record it on two trees, then compare.

    PYTHONPATH=TREE python tools/golden.py record --out FILE.json
    python tools/golden.py compare OLD.json NEW.json

It is scaffolding of the rebuilding and goes when that is done. TREE is a checkout; the one before
the rebuilding is commit ae3e20b.

A record holds checksums of compressed, packed, exported and trained files, scores on the 10,000
test images, and every number that the explorers say, for many of their settings. Words may change,
so only the numbers are kept of what explorers say; of exported texts all is kept. Times, dates,
versions and the machine's name are left out. Both records must come from one machine.
"""

import argparse
import base64
import csv
import hashlib
import html
import io
import json
import os
import re
import sys
import tempfile
import time
import traceback
from datetime import UTC, datetime
from difflib import SequenceMatcher
from functools import cache, partial
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np

MODELS = ("baseline", "distilled-5k-6000-taught-seed0", "distilled-20k-600-plain-seed1",
          "pruned-90-seed0", "pruned-filters-seed0", "pruned-2of4-seed1", "pruned-block-seed0",
          "clustered-16-seed0", "qat-control-seed0", "chain-pruned-seed0",
          "chain-clustered-seed0")  # fmt: skip
BITS, INTEGER = (2, 3, 4, 5, 6, 7, 8, 16, 32), (2, 3, 4, 5, 6, 7, 8)
SHARE = 4  # one of so many recipes is tried on models other than the baseline, and is scored on it
MARKUP = re.compile(r"<(style|script|svg)\b.*?</\1>|<[^>]*>", re.DOTALL)
NUMBER = r"[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?"
TIME = re.compile(
    rf"{NUMBER}\s*(?:(?:[mµμun]?s|seconds?|minutes?|images a second)\b|(?:×|times) the speed)"
)
LINK = re.compile(r'download="([^"]*)"\s+href="data:[^,"]*;base64,([^"]*)"')
TRAITS = ("description", "options", "min", "max", "step", "disabled", "value", "tooltip")


def main(argv=None):
    """Run `record` or `compare`; 0, or 1 after a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    made = commands.add_parser("record", help="record the qlab that Python imports")
    made.add_argument("--out", type=Path, required=True)
    both = commands.add_parser("compare", help="say where two records differ")
    both.add_argument("records", type=Path, nargs=2, metavar="FILE.json")
    arguments = parser.parse_args(argv)
    if arguments.command == "compare":
        return compare(*(json.loads(x.read_text("utf-8")) for x in arguments.records))
    with tempfile.TemporaryDirectory(prefix="qlab-golden-") as folder:
        os.environ["QLAB_PROGRESS"] = str(Path(folder, "progress.json"))
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        found = record(Path(folder))
    arguments.out.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


def record(folder):
    """Everything, by part and key; what fails is recorded as the error's type."""
    import qlab

    print(f"recording {Path(qlab.__file__).parent}", file=sys.stderr)
    found = {}
    for part in (files, trainings, exports, explorers):
        start, into, failed = time.monotonic(), found.setdefault(part.__name__, {}), 0
        for key, work in part(folder):
            try:
                done = work()
                into[key] = sha(done) if isinstance(done, bytes) else done
            except Exception as error:  # the other keys are still worth having
                traceback.print_exc()
                into[key], failed = f"raised {type(error).__name__}", failed + 1
        took = time.monotonic() - start
        print(f"{part.__name__}: {len(into)} in {took:.0f} s, {failed} failed", file=sys.stderr)
    shown = (x for x in found["explorers"].items() if "picture" in x[1])
    found["pictures"] = {key: each.pop("picture") for key, each in shown}
    return found


# files


def recipes(model, images):
    """Settings that reach each kind of grid, observer, sparsity, clusters and override."""
    first, *_, last = (x.name for x in model.layers if x.weights is not None)
    made = [{"weight_bits": w, "activation_bits": a} for w in BITS for a in (8, 32)]
    made += [{"activation_bits": a} for a in INTEGER[:-1]]
    made += [{"weight_bits": w, "activation_bits": 4} for w in (3, 16, 32)]
    made += [{"weight_bits": w, "granularity": "per-tensor"} for w in INTEGER]
    observers = product(("min-max", "percentile", "mse"), (2, 4, 8), (3, images))
    made += [{"observer": o, "activation_bits": a, "calibration_size": n} for o, a, n in observers]
    for sparsity, scope, bits in product((0.5, 0.93), ("global", "per-layer"), (32, 8, 4)):
        both = {"weight_bits": bits, "activation_bits": max(bits, 8)}
        made.append({"sparsity": sparsity, "sparsity_scope": scope, **both})
    made += [{"clusters": k, "weight_bits": 32, "activation_bits": 32} for k in (2, 16, 250)]
    made += [{"clusters": 16, "weight_bits": w, "activation_bits": 32} for w in (4, 16)]
    made += [{"clusters": 8, "granularity": g} for g in ("per-tensor", "per-channel")]
    made += [{"clusters": 16, "sparsity": 0.8, "weight_bits": w} for w in (32, 8, 5)]
    made += [
        {"overrides": {first: {"weight_bits": 4}, last: {"weight_bits": 6}}},
        {"overrides": {first: {"activation_bits": 3}}, "observer": "mse"},
        {"overrides": {last: {"weight_bits": 32, "activation_bits": 32}}},
        {"overrides": {first: {"sparsity": 0.75}}, "sparsity": 0.6},
        {"overrides": {last: {"sparsity": 0.9, "clusters": 4}}, "weight_bits": 32},
        {"overrides": {first: {"clusters": 8, "weight_bits": 3}}, "clusters": 32},
        {"overrides": {last: {"weight_bits": 2, "sparsity": 0.5}}, "granularity": "per-tensor"},
        {"sparsity": 0.99, "sparsity_scope": "per-layer", "weight_bits": 2, "activation_bits": 5},
    ]
    return [{"calibration_size": min(128, images), **settings} for settings in made]


def files(folder):
    """Compressed files of all models, packed ones, their anatomies and sizes; and some scores."""
    import qlab

    test, images = qlab.data.load().test, qlab.data.calibration_images(512)
    models = {name: qlab.pretrained(name) for name in MODELS} | networks()
    for place, (name, model) in enumerate(models.items()):
        own = images if name == "baseline" else images[:64]
        compressor = qlab.Compressor(model, own)
        yield f"{name}/itself", partial(itself, model)
        chosen = recipes(model, len(own))
        if name != "baseline":
            chosen = chosen[place % SHARE :: SHARE]
        for i, settings in enumerate(chosen):
            scored = test if name == "baseline" and i % SHARE == 0 else None
            yield f"{name}/{words(settings)}", partial(compressed, compressor, settings, scored)


def itself(model):
    """A float file, and where its bytes are."""
    return {"file": sha(model.data), "anatomy": model.anatomy()}


def compressed(compressor, settings, test):
    """One file and its packed form, as checksums and counts; scored where test images are given."""
    import qlab

    recipe = qlab.Recipe(**settings)
    model, notes = compressor.compress(recipe), compressor.notes(recipe)
    packed, sizes = model.packed(), compressor.sizes(model, recipe)
    kinds = ("float32", "file", "gzip", "packed_floor")
    found = {
        "file": sha(model.data),
        "packed": sha(packed.data) if packed is not model else "the same",
        "anatomy": [list(x.anatomy().values()) for x in (model, packed)],
        "sizes": [getattr(sizes, f"{kind}_bytes") for kind in kinds],
        "notes": [len(notes), *numbers(" ".join(notes))],
    }
    if test is not None:
        for kind, each in (("score", model), ("packed score", packed)):
            measured = qlab.evaluate(each, test.images, test.labels)
            found[kind] = [measured.correct, sha(measured.predictions.astype(np.uint8).tobytes())]
    return found


@cache
def networks():
    """Small networks of other kinds, with fixed weights, untrained; by name."""
    import qlab
    from qlab.train import keras

    layers, made = keras.layers, {}
    for name in ("depthwise", "residual", "concatenate", "tanh"):
        keras.backend.clear_session()
        x = inputs = keras.Input((28, 28, 1), name="image")
        if name == "tanh":
            x = layers.Dense(48, "tanh", name="hidden1")(layers.Flatten(name="flat")(x))
        else:
            x = layers.Conv2D(16, 3, 2, "same", activation="relu", name="stem")(x)
        if name == "depthwise":
            x = layers.DepthwiseConv2D(3, 2, "same", use_bias=False, name="depthwise")(x)
            x = layers.ReLU(6.0, name="clip")(layers.BatchNormalization(name="normal")(x))
            x = layers.Conv2D(24, 1, name="pointwise")(x)
            x = layers.AveragePooling2D(2, name="pool")(x)
        if name == "residual":
            y = layers.Conv2D(16, 3, padding="same", name="second")(x)
            x = layers.ReLU(name="clip")(layers.Add(name="add")([x, y]))
            x = layers.MaxPooling2D(2, name="pool")(x)
        if name == "concatenate":
            near = layers.Conv2D(16, 1, activation="relu", name="near")(x)
            x = layers.Concatenate(name="join")([near, layers.Conv2D(8, 1, name="other")(x)])
            x = layers.GlobalAveragePooling2D(name="pool")(x)
        outputs = layers.Dense(10, name="logits")(layers.Flatten(name="flatten")(x))
        model, random = keras.Model(inputs, outputs, name=name), np.random.default_rng(7)
        for weights in model.weights:
            one = len(weights.shape) == 1  # biases, and what normalization has
            half = 1 if one else (6 / np.prod(weights.shape[:-1])) ** 0.5
            weights.assign(random.uniform(0.1 if one else -half, half, weights.shape))
        made[name] = qlab.LiteModel.from_keras(model)
    return made


# trainings and exports


def trainings(folder):
    """Files of the converter, and of short trainings."""
    import qlab
    from qlab import train

    split, few = qlab.data.load().train, qlab.data.calibration_images(64)
    pair, base = (split.images[:640], split.labels[:640]), train.load("baseline")

    def fit(model):
        train.fit(model, *pair, epochs=1, progress=False)
        return model

    def aware(bits, how):
        wrapped = train.quantization_aware(base, bits, calibration=few, weight_range=how)
        return train.convert_quantized(fit(wrapped))

    def pruned(**how):
        return train.convert(train.strip_pruning(fit(train.prune(base, **how))))

    def clustered():
        return train.convert(train.strip_clustering(fit(train.cluster_weights(base, 8))))

    def taught():
        pupil, logits = train.student("5k"), np.eye(10, dtype=np.float32)[pair[1]] * 9
        train.distil(pupil, logits, *pair, epochs=1, progress=False)
        return train.convert(pupil)

    for mode in train.MODES:
        yield f"convert {mode}", partial(train.convert, base, mode, few)
    for bits, how in ((8, "max"), (4, "max"), (4, "least-squares"), (2, "least-squares")):
        yield f"quantization-aware {bits} {how}", partial(aware, bits, how)
    for how in ({"schedule": {"dense1": 0.5}}, {"schedule": 0.7, "scope": "global"},
                {"n_of_m": (2, 4), "layers": ["dense1"]},
                {"schedule": 0.5, "block": (4, 1)}):  # fmt: skip
        yield f"prune {words(how)}", partial(pruned, **how)
    yield "fit", lambda: train.convert(fit(train.baseline()))
    yield "cluster", clustered
    yield "distil", taught


def exports(folder):
    """What `qlab export` writes: checksums of models and C arrays; the text of all else."""
    import qlab
    from qlab.export import export

    engine = qlab.Compressor(qlab.pretrained("baseline"), qlab.data.calibration_images(64))
    recipe = qlab.Recipe(4, 6, sparsity=0.5, calibration_size=64)
    models = {name: (qlab.pretrained(name), None) for name in ("baseline-int8", "qat-w4-seed0")}
    models["own 4 bits"] = engine.compress(recipe), recipe
    for name, (model, how) in models.items():
        write = partial(export, model, folder / "to", name, how)
        yield name, lambda write=write: {x: exported(path) for x, path in write().items()}


def exported(path):
    """One exported file: a checksum, or its lines without times, dates, versions and machine."""
    content = path.read_bytes()
    if path.suffix == ".json":
        hidden = ("date", "machine", "versions", "made", "latency_ms")
        document = {k: v for k, v in json.loads(content).items() if k not in hidden}
        document["files"] = {k: v for k, v in document["files"].items() if not k.endswith(".md")}
        for measured in document["measured"].values():
            measured.pop("latency_ms")
        return json.dumps(document, indent=1).splitlines()
    if path.suffix not in (".md", ".h"):
        return sha(content)
    text = re.sub(r"\d{4}-\d\d-\d\d|qlab \d+\.\d+\.\d+", "#", content.decode())
    text = re.sub(r"(## Latency\n\n)On .*?:", r"\1", text)
    return re.sub(r"\d+\.\d{4}\b(?= \|)", "#", text).splitlines()


# explorers


def explorers(folder):
    """Each explorer with some settings: its numbers, its files, its picture."""
    import qlab
    from qlab import widgets

    data, images = qlab.data.load(), qlab.data.calibration_images(256)
    test = {"images": data.test.images[:1000], "labels": data.test.labels[:1000]}
    given = {**test, "calibration_images": images}
    student = {"model": qlab.pretrained("distilled-5k-6000-taught-seed0"), **given}
    joined = {"model": networks()["residual"], **given}
    searched = {"images": data.train.images[:200], "labels": data.train.labels[:200],
                "test_images": test["images"], "test_labels": test["labels"],
                "calibration_images": images[:64]}  # fmt: skip
    own = {"conv1": {"weight_bits": 3}, "logits": {"activation_bits": 5}}
    mixed = {"dense1": 4, "conv2": 6}
    press, call = "press", "call"  # after a setting: buttons by icon; a method
    play, keep = "play", "thumb-tack"
    train, search = ("train", 0.5, 1280), ("search", 25, 40)
    everything = (
        (widgets.QuantizationExplorer, given, (
            {}, {"weight_bits": 4, "layer": "conv1"}, {"granularity": "per-tensor", press: keep},
            {"weight_bits": 16}, {"weight_bits": 32, "activation_bits": 32},
            {"observer": "percentile", "activation_bits": 4, "calibration_size": 16},
            {"observer": "mse", "weight_bits": 8, "overrides": own, "layer": "logits"})),
        (widgets.QuantizationExplorer, student, ({"weight_bits": 3}, {"activation_bits": 2})),
        (widgets.AnatomyExplorer, given, (
            {}, {"weight_bits": 4, "packed": True}, {"weight_bits": 2, "granularity": "per-tensor"},
            {"weight_bits": 16, "activation_bits": 32}, {"weight_bits": 32})),
        (widgets.SensitivityExplorer, given, (
            {}, {"layer_bits": mixed}, {"bits": 2, "lowered": "activation_bits"},
            {"lowered": "both", "bits": 4}, {"lowered": "weight_bits", "bits": 6, press: play})),
        (widgets.CalibrationExplorer, given, (
            {}, {"calibration_images_are": "one class", "activation_bits": 4},
            {"calibration_images_are": "unscaled"}, {"calibration_images_are": "blank"},
            {"calibration_images_are": "random", "observer": "percentile", "layer": "dense1"},
            {"observer": "mse", "activation_bits": 3, "calibration_size": 8, press: play})),
        (widgets.CalibrationExplorer, {**test, "draws": 2}, (
            {"activation_bits": 4}, {"calibration_images_are": "one class"})),
        (widgets.FlipGallery, given, (
            {}, {"weight_bits": 2}, {"kind": "newly wrong", "garment": "Shirt"},
            {"weight_bits": 8, "activation_bits": 3, "kind": "all"}, {"kind": "wrong either way"},
            {"weight_bits": 32, "activation_bits": 32, "garment": "all"})),
        (widgets.PruningExplorer, given, (
            {}, {"sparsity": 0.9, "scope": "per-layer", "weight_bits": 8, press: keep},
            {"method": "2of4", "layer": "conv2"}, {"method": "block", "weight_bits": 32},
            {"method": "filters", "sparsity": 0.5}, {"sparsity": 0.25, "weight_bits": 8},
            {"method": "single", "sparsity": 0.5, "weight_bits": 32, press: play})),
        (widgets.PruningExplorer, joined, ({}, {"method": "block", "sparsity": 0.6})),
        (widgets.SparsitySensitivityExplorer, given, (
            {}, {"layer_sparsity": {"dense1": 0.9, "conv2": 0.5}}, {"budget_bytes": 30_000},
            {"weight_bits": 8, "budget_bytes": 50_000, press: keep}, {press: play})),
        (widgets.ClusteringExplorer, test, (
            {}, {"clusters": 4, "weight_bits": 2}, {"clusters": 100, "layer": "logits"},
            {"granularity": "per-channel", "clusters": 8, press: play})),
        (widgets.QatExplorer, given, (
            {}, {"weight_bits": 8, "layer": "conv1"}, {"weight_bits": 3},
            {"weight_bits": 2}, {call: train})),
        (widgets.DistillationExplorer, test, (
            {}, {"temperature": 1, "alpha": 0.3, "garment": "Bag", "example": 5},
            {"temperature": 20, "alpha": 0}, {"students": 1}, {"students": 3, "alpha": 1})),
        (widgets.ScheduleExplorer, {}, (
            {}, {"final_sparsity": 0.8}, {"begin_step": 300, "end_step": 3000, "power": 1},
            {"frequency": 700}, {"initial_sparsity": 0.8, "frequency": 1},
            {"end_step": 3752, "power": 6, "frequency": 1000})),
        (widgets.ScheduleExplorer, {"epochs": 2, "steps_per_epoch": 50}, ({}, {"frequency": 7})),
        (widgets.SearchExplorer, {**searched, "files": 25}, (
            {}, {call: search}, {"budget_kb": 40}, {"budget_kb": 7},
            {"method": "random", "budget_kb": 20, press: play})),
        (widgets.ParetoExplorer, {}, (
            {}, {"model": "baseline", "cost": "file_bytes"}, {"shown": "yours"},
            {"shown": "shipped", "model": "qat-w2-seed0", "cost": "gzip_bytes"})),
    )  # fmt: skip
    for i, (kind, arguments, steps) in enumerate(everything):
        make = cache(partial(kind, **arguments))
        for step in steps:
            yield f"{kind.__name__} {i}/{words(step)}", partial(shown, make, **step)
    yield "ChallengeBoard", partial(board, folder / "class", SimpleNamespace(**test))


def shown(make, /, press=None, call=None, **settings):
    """What an explorer shows after settings, after pressing buttons and calling a method."""
    explorer = make()
    if isinstance(settings.get("students"), int):  # by place, for its name is words
        box = next(x for x in tree(explorer) if held(x, "value") == explorer.students)
        settings["students"] = box.options[settings["students"]]
    explorer.set(**settings)
    if call:
        getattr(explorer, call[0])(*call[1:])
    push(explorer, press)
    found = {"numbers": look(explorer)}
    push(explorer, "download")
    found["files"] = dict(taken(*link) for x in tree(explorer) for link in offered(x))
    name = type(explorer).__name__
    if name != "PruningExplorer" and (name, press) != (
        "SearchExplorer",
        "play",
    ):  # times show there
        found["picture"] = sha(explorer.picture.png)
    return found


def board(folder, test):
    """The challenge's board of a folder, empty, graded, and read again."""
    import qlab
    from qlab.widgets import ChallengeBoard

    folder.mkdir()
    shown, then = ChallengeBoard(folder, test), datetime(2026, 1, 2, 3, 4, tzinfo=UTC).timestamp()
    found = [look(shown)]
    for name in ("qat-w2-seed0", "baseline-int8", "distilled-5k-600-plain-seed0"):
        path = folder / f"{name}.tflite"
        qlab.pretrained(name).save(path)
        os.utime(path, (then, then))
    for _ in range(2):
        push(shown, "refresh")
        found.append(look(shown))
    return found


def look(widget):
    """All numbers in a widget, in the order of its tree; those about files to take away are not."""
    values = [value for x in tree(widget) for value in (*(held(x, t) for t in TRAITS), drawn(x))]
    texts = [str(x) for x in values if not isinstance(x, bytes | memoryview | None)]
    return [number for text in texts if not LINK.search(text) for number in numbers(text)]


def offered(widget):
    """The file that a link offers, if any, as (name, content, what is said)."""
    if held(widget, "part") == "file" and widget.name:
        yield widget.name, widget.data, widget.text
    text = held(widget, "value")
    if link := isinstance(text, str) and LINK.search(text):  # before anywidget
        yield link[1], base64.b64decode(link[2]), text


def drawn(widget):
    """What the front end writes: words on a kept model, and the text of each place."""
    if held(widget, "part") == "file" and not widget.name:
        return widget.text
    places = held(widget, "places") if held(widget, "part") else ()
    return " ".join(line for place in places or () for line in place["lines"])


def push(widget, icon):
    """Press the buttons with this icon, first to last."""
    for button in [x for x in tree(widget) if icon and held(x, "icon") == icon]:
        button.click()


def tree(widget):
    """A widget and all within it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from tree(child)


def held(widget, trait):
    """A trait of a widget; None if it has no such trait."""
    return getattr(widget, trait, None)


def numbers(text):
    """Numbers in a text or in HTML, without times and without digits that are part of a name."""
    plain = TIME.sub(" ", html.unescape(MARKUP.sub(" ", text)))
    plain = re.sub(r"\bTrue\b", "1", re.sub(r"\bFalse\b", "0", plain))
    found = re.findall(rf"(?<![\w.]){NUMBER}", plain)
    return [x.replace(",", "").replace("−", "-").removeprefix("+") for x in found]


def taken(name, content, text):
    """Name of a file that a link holds; its checksum, and what is said of it.

    Of a table the checksum is without its times, and nothing is said.
    """
    if not name.endswith(".csv"):
        return name, [sha(content), *numbers(text)]
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    keep = [i for i, column in enumerate(rows[0]) if "_ms" not in column]
    return name, sha(json.dumps([[row[i] for i in keep] for row in rows]).encode())


def words(settings):
    """Settings as a key."""
    return " ".join(f"{name}={x}" for name, x in settings.items()) or "as it opens"


def sha(content):
    """SHA-256, enough of it to tell files apart."""
    return hashlib.sha256(content).hexdigest()[:24]


# comparison


def compare(old, new):
    """Print each difference of two records; 1 if there is any, else 0."""
    old, new = dict(flat(old)), dict(flat(new))
    differ = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    for key in differ:
        print(f"{key}: {difference(old.get(key, 'absent'), new.get(key, 'absent'))}")
    print(f"{len(differ)} of {len({**old, **new})} keys differ" if differ else "identical")
    return int(bool(differ))


def flat(found, path=""):
    """Pairs of a path and what is not a mapping."""
    if not isinstance(found, dict):
        yield path, found
    else:
        for key, value in found.items():
            yield from flat(value, f"{path}/{key}" if path else key)


def difference(a, b):
    """The first few places where two values differ, in one line."""
    if not (isinstance(a, list) and isinstance(b, list)):
        return f"{a} -> {b}"
    a, b = ([json.dumps(x) for x in each] for each in (a, b))
    changes = [x for x in SequenceMatcher(None, a, b, False).get_opcodes() if x[0] != "equal"]
    shown = [f"at {i}: {' '.join(a[i:j]) or '-'} -> {' '.join(b[k:m]) or '-'}"
             for _, i, j, k, m in changes[:3]]  # fmt: skip
    return "; ".join(shown) + (f"; and {len(changes) - 3} more" if len(changes) > 3 else "")


if __name__ == "__main__":
    sys.exit(main())
