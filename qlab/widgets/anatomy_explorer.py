"""The explorer of a file's bytes: where they are, and why 8 bits is not a quarter of 32."""

from dataclasses import dataclass

from qlab.engine.recipes import ACTIVATION_BITS, GRANULARITIES, WEIGHT_BITS, Recipe
from qlab.plots.file_panels import FilePanel, RestPanel
from qlab.tflite.anatomy import compressed_byte_counts
from qlab.tflite.gzipping import GZIPPED
from qlab.tflite.litemodel import LiteModel
from qlab.widgets.kit import readout
from qlab.widgets.kit.explorer import Shown
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.model_explorer import ModelExplorer
from qlab.widgets.kit.traits import choice, steps

PACKING = {False: "one to a byte", True: "packed, several to a byte"}


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A file taken apart."""

    recipe: Recipe | None
    model: LiteModel
    parts: dict
    compressed: dict

    @property
    def rest(self):
        """int: bytes that are not weights."""
        return self.model.file_bytes - self.parts["weights"]


def take_apart(model, recipe=None):
    """Account for each byte of a file."""
    return Anatomy(recipe, model, model.anatomy(), compressed_byte_counts(model.data))


class AnatomyExplorer(ModelExplorer):
    """Choose bits; see where each byte of the `.tflite` file is, beside the float32 file.

    Parameters
    ----------
    model, images, labels, calibration_images, dataset
        As in `ModelExplorer`; the bytes do not depend on images and labels.
    **settings
        ``weight_bits``, ``activation_bits``, ``granularity``, ``packed``.

    Attributes
    ----------
    result : Anatomy
        Of the file that the settings describe.
    float_anatomy : Anatomy
        Of the float32 file.

    Examples
    --------
    >>> import qlab
    >>> test = qlab.data.load().test
    >>> explorer = AnatomyExplorer(images=test.images[:50], labels=test.labels[:50],
    ...                            calibration_images=test.images[50:60])
    >>> explorer.result.parts["weights"], explorer.float_anatomy.parts["weights"]
    (75426, 301704)
    >>> explorer.set(weight_bits=4, packed=True)
    >>> explorer.result.parts["weights"]
    37713
    """

    notes_as = staticmethod(readout.sentences)
    question = "Where are the file's bytes, and why is 8 bits not a quarter of 32?"
    weight_bits = steps("Weight bits", WEIGHT_BITS, 8)
    activation_bits = steps("Activation bits", ACTIVATION_BITS, 8)
    granularity = choice("Granularity", GRANULARITIES, "per-channel")
    packed = choice("Codes of 4 bits or fewer", PACKING, False)

    def build(self):
        self.float_anatomy = take_apart(self.subject.model)
        self.download = self.offer("Download this .tflite", self.tflite, lambda: self.result.recipe)
        return self._picture(), [self.download]

    def compute(self):
        """Make the file that the settings describe, and take it apart."""
        settings, size = (self.weight_bits, self.activation_bits), self.subject.calibration_size
        recipe = Recipe(*settings, self.granularity, calibration_size=size)
        model = self.subject.compressor.compress(recipe)
        return take_apart(model.packed() if self.packed else model, recipe)

    def show(self, result):
        base = self.float_anatomy
        if not self._rest.holds(result.parts):
            self._rest.widen(result.parts)
            self.picture.reframe()
        gzipped, bits = result.model.gzip_bytes, result.recipe.weight_bits
        self._file.show(result.parts, result.compressed, gzipped, bits)
        self._rest.show(result.parts)
        parts = ", ".join(f"{name} {size:,}" for name, size in result.parts.items())
        size, before = result.model.file_bytes, base.model.file_bytes
        cells = (
            _size_cell("This file", size, before, readout.badge("measured")),
            _size_cell("Its weights", result.parts["weights"], base.parts["weights"]),
            _size_cell("Everything else", result.rest, base.rest),
            _size_cell(f"This file, {GZIPPED}", gzipped, base.model.gzip_bytes),
        )
        alt = f"This file has {size:,} bytes: {parts}. The float32 file has {before:,}."
        return Shown(alt, cells, explain(result, base), lambda: [_table(result, base)])

    def tflite(self):
        """The file that is shown: name, content, and words."""
        model = (self.result or self.update()).model
        name = f"qlab-w{self.weight_bits}-a{self.activation_bits}-{self.granularity}.tflite"
        return name, model.data, f"The {model.file_bytes:,} bytes in the picture."

    def _picture(self):
        """The two panels, wide enough for the files of most recipes."""
        base = self.float_anatomy
        picture = LivePicture(panels=2, width=900, height=270, ratios=(3, 2))
        self._file = picture.put(FilePanel, base.parts, base.compressed, base.model.gzip_bytes)
        widest = self.compute().parts
        largest = max(p[name] for p in (base.parts, widest) for name in p if name != "weights")
        self._rest = picture.put(RestPanel, base.parts, largest)
        return picture


def _size_cell(name, size, before, badge=""):
    """A size, and what it was in float32."""
    share = f", now {share_of_bytes(size / before)}" if size < before else ""
    return readout.cell(
        name, f"{size:,} <small>bytes</small> {badge}", f"{before:,} in float32{share}"
    )


def _table(result, base):
    """Bytes of each part, of both files, and its share of this one."""
    header = ("part", "float32", "this file", "share of this file", "compressed alone")
    size = result.model.file_bytes
    rows = [
        (
            name,
            f"{base.parts.get(name, 0):,}",
            f"{result.parts.get(name, 0):,}",
            f"{100 * result.parts.get(name, 0) / size:.1f} %",
            f"{result.compressed.get(name, 0):,}",
        )
        for name in {**base.parts, **result.parts}
    ]
    total = "the file", f"{base.model.file_bytes:,}", f"{size:,}", "100.0 %"
    rows.append((*total, f"{result.model.gzip_bytes:,} gzipped"))
    return readout.table("Where the bytes are", header, rows)


def explain(result, base):
    """Why the file is not as small as its bits promise, computed from its bytes."""
    bits, kept = result.recipe.weight_bits, result.parts["weights"] / base.parts["weights"]
    share = result.model.file_bytes / base.model.file_bytes
    if bits == 32:
        return (f"The weights stay float32. {_of_the_rest(result, base)}", _of_gzip(result, base))
    promise = f"{bits} of 32 bits promise {share_of_bytes(bits / 32)} of the file, and it has "
    weights = _of_weights(result, bits, kept)
    rest, gzipped = _of_the_rest(result, base), _of_gzip(result, base)
    return f"{promise}{share_of_bytes(share)}.", weights, rest, gzipped


def _of_weights(result, bits, kept):
    """What happened to the weights themselves."""
    size = f"{share_of_bytes(kept)} ({result.parts['weights']:,} bytes)"
    if abs(kept - bits / 32) < 0.0005:
        return f"The weights alone keep the promise: {size}."
    if kept > 0.2:
        hint = "; codes of 4 bits or fewer can share a byte" if bits <= 4 else ""
        return (
            f"int8 stores a {bits}-bit code in a whole byte, so the weights stop at {size}{hint}."
        )
    if bits == 2:
        return (
            "Packed, a 2-bit code takes 2 bits in dense layers (INT2) and 4 in convolutions "
            f"(INT4), because LiteRT has no smaller form of these, so the weights stop at {size}."
        )
    return f"Packed INT4 gives each {bits}-bit code 4 bits, so the weights stop at {size}."


def _of_the_rest(result, base):
    """What else is in the file, and whether it grew."""
    parts, before = result.parts, base.parts
    joints = parts["names"] + parts["graph"]
    grown = joints - before["names"] - before["graph"]
    why = "more than before, for the extra steps" if grown > 500 else "much as before"
    return (
        f"Everything else {_change(base.rest, result.rest)}: {parts['scales']:,} for scales and "
        f"zero points ({before['scales']:,} in float32), {parts['biases']:,} for biases, still 32 "
        f"bits each, and {joints:,} for names and graph, {why}."
    )


def _of_gzip(result, base):
    """What gzip finds in the weights."""
    now = result.compressed["weights"] / result.parts["weights"]
    before = base.compressed["weights"] / base.parts["weights"]
    found = "they look like noise to it" if now > 0.9 else "frequent codes get fewer bits"
    left = f"{share_of_bytes(before)} of the float32 weights, and {share_of_bytes(now)} of these"
    return f"Gzip leaves {left}: {found}."


def _change(before, after):
    """Say that a number of bytes grew, shrank, or stayed."""
    if before == after:
        return f"stays at {after:,} bytes"
    return f"{'grows' if after > before else 'shrinks'} from {before:,} to {after:,} bytes"


def share_of_bytes(fraction):
    """A share of bytes as a percentage: one decimal, and none where it is zero."""
    return f"{100 * fraction:.1f}".removesuffix(".0") + " %"
