"""The explorer of a file's bytes: where they are, and why 8 bits is not a quarter of 32."""

from __future__ import annotations

import traitlets

from qlab.engine.recipes import ACTIVATION_BITS, GRANULARITIES, WEIGHT_BITS, Recipe
from qlab.plots.anatomy import FilePanel, RestPanel
from qlab.tflite.anatomy import PARTS
from qlab.trials.byte_reasons import explain, percent, take_apart
from qlab.trials.subjects import subject
from qlab.widgets.kit import controls, readout
from qlab.widgets.kit.download import Download
from qlab.widgets.kit.explorer import Explorer
from qlab.widgets.kit.live import LivePicture
from qlab.widgets.kit.readout import sentences

PACKING = (("one to a byte", False), ("two to a byte (INT4)", True))


class AnatomyExplorer(Explorer):
    """Choose bits; see where each byte of the `.tflite` file is, beside the float32 file.

    Parameters
    ----------
    model : qlab.LiteModel or None
        A float32 model; None for the shipped baseline.
    images, labels : ndarray or None
        As for the other explorers; the bytes do not depend on them.
    calibration_images : ndarray of uint8, shape (n, 28, 28, 1), or None
        At most 1,024; None for the course's.
    **settings
        ``weight_bits``, ``activation_bits``, ``granularity``, ``packed``.

    Attributes
    ----------
    result : qlab.trials.byte_reasons.Anatomy
        Of the file that the settings describe.
    float_anatomy : qlab.trials.byte_reasons.Anatomy
        Of the float32 file.

    Raises
    ------
    ValueError
        If the model cannot be quantized, or images do not fit it.

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

    question = "Where are the file's bytes, and why is 8 bits not a quarter of 32?"
    weight_bits = traitlets.Enum(WEIGHT_BITS, 8).tag(setting=True)
    activation_bits = traitlets.Enum(ACTIVATION_BITS, 8).tag(setting=True)
    granularity = traitlets.Enum(GRANULARITIES, "per-channel").tag(setting=True)
    packed = traitlets.Bool(False).tag(setting=True)

    def __init__(self, model=None, images=None, labels=None, calibration_images=None, **settings):
        """Take the float32 file apart, lay out, and show the first file."""
        super().__init__()
        self.subject = subject(model, images, labels, calibration_images)
        self.float_anatomy = take_apart(self.subject.model)
        self.download = Download(
            "Download this .tflite", self.tflite, self.guard, lambda: self.result.recipe
        )
        self.assemble(self._controls(), self._picture(), [self.download], settings)

    def compute(self):
        """Make the file that the settings describe, and take it apart."""
        compressor = self.subject.compressor
        recipe = Recipe(
            self.weight_bits,
            self.activation_bits,
            self.granularity,
            calibration_size=min(128, compressor.calibration_images),
        )
        model = compressor.compress(recipe)
        return take_apart(model.packed() if self.packed else model, recipe)

    def show(self, result):
        """Move the marks, and fill the read-out."""
        if not self._rest.holds(result.parts):
            self._rest.widen(result.parts)
            self.picture.reframe()
        self._file.show(
            result.parts, result.compressed, result.model.gzip_bytes, result.recipe.weight_bits
        )
        self._rest.show(result.parts)
        self.picture.redraw(alt=self._alt(result))
        self._fill(result)

    def tflite(self):
        """The file that is shown.

        Returns
        -------
        (str, bytes, str)
            Name, content, and what to say about it.
        """
        model = (self.result or self.update()).model
        name = f"qlab-w{self.weight_bits}-a{self.activation_bits}-{self.granularity}.tflite"
        return name, model.data, f"The {model.file_bytes:,} bytes in the picture."

    def _controls(self):
        """The four controls."""
        return (
            controls.steps(self, "weight_bits", "Weight bits", WEIGHT_BITS),
            controls.steps(self, "activation_bits", "Activation bits", ACTIVATION_BITS),
            controls.choice(self, "granularity", "Granularity", GRANULARITIES),
            controls.choice(self, "packed", "Codes of 4 bits or fewer", PACKING),
        )

    def _picture(self):
        """The two panels, wide enough for the files of most recipes."""
        picture, base = (
            LivePicture(panels=2, width=900, height=270, ratios=(3, 2)),
            self.float_anatomy,
        )
        self._file = FilePanel(picture.axes[0], base.parts, base.compressed, base.model.gzip_bytes)
        widest = self.compute().parts
        largest = max(p[name] for p in (base.parts, widest) for name in PARTS[1:])
        self._rest = RestPanel(picture.axes[1], base.parts, largest)
        picture.add(*self._file.marks, *self._rest.marks)
        return picture

    def _alt(self, result):
        """The picture in words."""
        parts = ", ".join(f"{name} {size:,}" for name, size in result.parts.items())
        sizes = result.model.file_bytes, self.float_anatomy.model.file_bytes
        return f"This file has {sizes[0]:,} bytes: {parts}. The float32 file has {sizes[1]:,}."

    def _fill(self, result):
        """Read-out, the explanation, and the table of numbers."""
        base = self.float_anatomy
        self.readout.value = readout.readout(
            _size_cell(
                "This file",
                result.model.file_bytes,
                base.model.file_bytes,
                readout.badge("measured"),
            ),
            _size_cell("Its weights", result.parts["weights"], base.parts["weights"]),
            _size_cell("Everything else", result.rest, base.rest),
            _size_cell("This file, gzipped", result.model.gzip_bytes, base.model.gzip_bytes),
        )
        self.notes.value = sentences(explain(result, base))
        self.numbers.value = _table(result, base)
        self.download.clear()


def _size_cell(name, size, before, badge=""):
    """A size, and what it was in float32."""
    share = f", now {percent(size / before)}" if size < before else ""
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
            f"{base.parts[name]:,}",
            f"{result.parts[name]:,}",
            f"{100 * result.parts[name] / size:.1f} %",
            f"{result.compressed[name]:,}",
        )
        for name in PARTS
    ]
    total = "the file", f"{base.model.file_bytes:,}", f"{size:,}", "100.0 %"
    rows.append((*total, f"{result.model.gzip_bytes:,} gzipped"))
    return readout.table("Where the bytes are", header, rows)
