"""A data set: pictures with their classes, to train, to choose and to report; of any origin."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from qlab.data import doors, outside
from qlab.data.doors import DatasetError, is_whole, require_whole, some
from qlab.system.text import one_line

SHARES = {"test": 0.2, "validation": 0.2}  # of what is there, where no such pictures are given
LARGEST_CALIBRATION = 1024
CHANNELS = (1, 3)
DARKEST_WHITE = 16  # a set whose brightest pixel is darker counts to another white than 255


@dataclass(frozen=True, eq=False)
class Split:
    """The pictures of one purpose: to train, to choose, or to report."""

    images: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    name: str = ""
    of: str = ""  # the data set; empty for the course's own

    @property
    def images_are(self):
        """str: what the pictures are called on screen, such as "validation images"."""
        return f"{self.name} images".strip() + (f" of {self.of}" if self.of else "")

    def __len__(self):
        return len(self.labels)


class Dataset:
    """Pictures with their classes, split into those to train, to choose and to report.

    `from_arrays`, `from_folder` and `from_npz` make one of what you have. Explorers choose with the
    validation pictures, and calibrate on some of the training pictures.

    Parameters
    ----------
    train, validation, test : Split, or pair of images and labels
        Images have shape (n, height, width) or (n, height, width, channels), one size for all, grey
        (1 channel) or colour (3). They are uint8, 0 to 255, or floats from 0 to 1, which are
        rounded to uint8. Labels are whole numbers or words, one an image.
    class_names : sequence of str, or dict, optional
        The name of each class: of class 0 first, or in the sorted order of other labels; or a dict
        of labels and names, or Keras's ``class_indices``. Without them, classes are called as
        their labels are.
    name : str
        What the data is called on screen.

    Attributes
    ----------
    train, validation, test : Split
        Their images are uint8 of shape (n, height, width, channels), their labels int64 from 0.
    class_names : tuple of str

    Raises
    ------
    DatasetError
        If the pictures or labels cannot be used, in words that say what to do.

    Examples
    --------
    >>> import numpy as np
    >>> import qlab
    >>> images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
    >>> labels = ["cat", "dog"] * 20
    >>> pets = qlab.Dataset.from_arrays(images, labels, name="pets")
    >>> pets
    <qlab.Dataset pets: 24 train, 8 validation and 8 test images of 8 x 8 x 3, 2 classes>
    >>> pets.class_names, pets.test.labels.tolist()
    (('cat', 'dog'), [0, 0, 1, 0, 1, 1, 1, 0])
    """

    def __init__(self, train, validation, test, class_names=None, name="your data"):
        given = {"train": train, "validation": validation, "test": test}
        pairs = {which: doors.pair(split, which) for which, split in given.items()}
        images = {which: _pixels(pair[0], which) for which, pair in pairs.items()}
        _require_one_shape(images)
        labels = {which: _labels(pair[1], images[which], which) for which, pair in pairs.items()}
        labels, self.class_names = _numbered(labels, class_names)
        self.name = one_line(name or "", doors.LONGEST_NAME) or "your data"
        self.train, self.validation, self.test = (
            Split(images[which], labels[which], which, self.name) for which in given
        )

    @classmethod
    def from_arrays(
        cls,
        images,
        labels,
        validation=None,
        test=None,
        class_names=None,
        name="your data",
        seed=0,
    ):
        """Make a data set of arrays; what is missing is drawn from the images, class by class.

        Parameters
        ----------
        images, labels : array_like
            As `Dataset` describes them.
        validation, test : pair of images and labels, optional
            Without `test` a fifth of the images is set aside for it, and without `validation` as
            many; each class gives the same share.
        class_names, name
            As in `Dataset`.
        seed : int
            Of the draw.

        Raises
        ------
        DatasetError, ValueError
            As `Dataset` does; and if a class has too few images to be split.

        Examples
        --------
        >>> import numpy as np
        >>> images = np.zeros((50, 12, 12), np.uint8)
        >>> Dataset.from_arrays(images, np.arange(50) % 5 + 1, name="dice").class_names
        ('1', '2', '3', '4', '5')
        """
        require_whole("seed", seed)
        images = _pixels(images, "train")
        labels = _labels(labels, images, "train")
        doors.require_class_count(len(np.unique(labels)))
        wanted = [x for x, y in (("test", test), ("validation", validation)) if y is None]
        size = {which: round(SHARES[which] * len(labels)) for which in wanted}
        given, left = {"validation": validation, "test": test}, np.arange(len(labels))
        for which in wanted:
            drawn = left[_drawn(labels[left], size[which], seed, which)]
            given[which] = _part(images, drawn), labels[drawn]
            left = np.setdiff1d(left, drawn)
        return cls((_part(images, left), labels[left]), **given, class_names=class_names, name=name)

    @classmethod
    def from_folder(cls, folder, size=None, colour=None, name=None, seed=0, progress=True):
        """Read pictures from a folder that has a folder for each class.

        Where the folder holds ``train`` and ``test`` (and ``validation``, if there is one), and the
        classes are in these, they are the splits. Otherwise the pictures are split, class by class.

        Parameters
        ----------
        folder : path-like
        size : (int, int), optional
            Height and width. Each picture is scaled to fill it, and what is too wide or too high is
            cut off evenly. Without it, all pictures must have one size.
        colour : bool, optional
            None keeps colours if any picture has some.
        name : str, optional
            What the data is called on screen; the folder's name by default.
        seed : int
            Of the draw.
        progress : bool
            Show a progress bar if reading takes longer than two seconds.

        Raises
        ------
        DatasetError, ValueError
            As `from_arrays` does; and if the folder has no pictures in folders of classes. Files
            that cannot be read are left out, and listed with the reason.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as photos:
        ...     for i in range(20):
        ...         path = Path(photos, "light" if i % 2 else "dark", f"{i}.png")
        ...         path.parent.mkdir(exist_ok=True)
        ...         Image.new("L", (40, 30), 10 * i).save(path)
        ...     data = Dataset.from_folder(photos, size=(16, 16), name="shades")
        >>> data
        <qlab.Dataset shades: 12 train, 4 validation and 4 test images of 16 x 16 x 1, 2 classes>
        """
        found = outside.read_folder(folder, size, colour, progress)
        return cls._of(*found, outside.title(folder) if name is None else name, seed)

    @classmethod
    def from_npz(cls, path, class_names=None, name=None, seed=0):
        """Read arrays from a ``.npz`` file, as `numpy.savez` writes it; never a pickle.

        Parameters
        ----------
        path : path-like
            Its arrays are called ``images`` and ``labels``, or ``x_train``, ``y_train``,
            ``x_test``, ``y_test``, or ``train_images``, ``train_labels`` and so on, in capitals or
            not; those of ``validation`` (or ``val``) and ``test`` may both be missing.
        class_names, seed
            As in `from_arrays`; the file may have ``class_names`` itself.
        name : str, optional
            What the data is called on screen; the file's name by default.

        Raises
        ------
        DatasetError, ValueError
            As `from_arrays` does; and if the file is damaged, too large or has no such pair of
            arrays. Arrays that are not used are listed.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(Path(folder, "dice.npz"), images=np.zeros((50, 12, 12), np.uint8),
        ...              labels=np.arange(50) % 5)
        ...     Dataset.from_npz(Path(folder, "dice.npz"))
        <qlab.Dataset dice: 30 train, 10 validation and 10 test images of 12 x 12 x 1, 5 classes>
        """
        arrays, names = outside.read_npz(path)
        names = names if class_names is None else class_names
        return cls._of(arrays, names, outside.title(path) if name is None else name, seed)

    @classmethod
    def _of(cls, arrays, class_names, name, seed):
        """A data set of arrays by split; those to train with are there, others may be missing."""
        others = {which: arrays.get(which) for which in ("validation", "test")}
        return cls.from_arrays(
            *arrays["train"], **others, class_names=class_names, name=name, seed=seed
        )

    @property
    def image_shape(self):
        """(int, int, int): height, width and channels of each picture."""
        return self.validation.images.shape[1:]

    @cached_property
    def digest(self):
        """str: what tells this data from other data of the same name."""
        found = hashlib.sha256(repr((self.class_names, self.image_shape)).encode())
        for held in (self.validation.images, self.validation.labels):
            found.update(np.ascontiguousarray(held))
        return found.hexdigest()

    def calibration_images(self, n=None, seed=0, classes=None):
        """Draw training images, in an order that only the seed decides.

        Parameters
        ----------
        n : int, optional
            How many; 1,024 by default, or all if there are fewer.
        seed : int
            Of the draw.
        classes : int or str, or a sequence of them, optional
            Draw from these classes only, named by index or by name.

        Returns
        -------
        ndarray of uint8, shape (n, height, width, channels)

        Raises
        ------
        ValueError
            If there are not that many pictures, or no such class.

        Examples
        --------
        >>> import qlab
        >>> qlab.data.load().calibration_images(16, classes="Bag").shape
        (16, 28, 28, 1)
        """
        require_whole("seed", seed)
        require_whole("n", 1 if n is None else n, 1)
        wanted = None if classes is None else self._class_indices(classes)
        split = self._calibration_split()
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(split))
        if wanted is not None:
            order = order[np.isin(split.labels[order], wanted)]
        n = min(LARGEST_CALIBRATION, len(order)) if n is None else n
        if n > len(order) or not n:
            raise ValueError(f"n is {n:,}, but there are only {len(order):,} such pictures")
        return split.images[order[:n]]

    def _calibration_split(self):
        return self.train

    def _class_indices(self, classes):
        names, indices = self.class_names, []
        if isinstance(classes, str) or not np.iterable(classes):
            classes = [classes]
        if not len(classes):
            raise ValueError(f"classes is empty; leave it out to draw from all {len(names)}")
        for entry in classes:
            if entry in names:
                entry = names.index(entry)
            if not is_whole(entry) or not 0 <= entry < len(names):
                raise ValueError(
                    f"no class {entry!r}: the classes are 0 to {len(names) - 1}, or {some(names)}"
                )
            indices.append(int(entry))
        return indices

    def __repr__(self):
        counts = [f"{len(x):,} {x.name}" for x in (self.train, self.validation, self.test)]
        return (
            f"<qlab.Dataset {self.name}: {counts[0]}, {counts[1]} and {counts[2]} images of "
            f"{shape_words(self.image_shape)}, {len(self.class_names)} classes>"
        )


def to_train(dataset, images, labels, validation=None):
    """Images, labels and validation pair: those given, or a data set's."""
    if dataset is None:
        if images is None or labels is None:
            raise ValueError(
                "give images and labels, or dataset=, such as dataset=qlab.data.load()"
            )
        return images, labels, validation
    if images is not None or labels is not None:
        raise ValueError("give images and labels, or dataset=, and not both")
    chosen = dataset.validation
    validation = (chosen.images, chosen.labels) if validation is None else validation
    return dataset.train.images, dataset.train.labels, validation


def to_calibrate(dataset, calibration, n=128):
    """Calibration images: those given, or some of a data set's; None without both."""
    if calibration is None and dataset is not None:
        return dataset.calibration_images(min(n, len(dataset.train)))
    return calibration


def stratified(labels, n, seed=0):
    """Draw `n` indices, of each class as large a share as it has in `labels`; sorted.

    Where shares are not whole numbers, the classes that lose most by rounding down get one more,
    and of equals those that come first. Each class is drawn at least once, and keeps at least one.

    >>> from qlab.data import stratified
    >>> stratified([0, 0, 0, 0, 1, 1], 3).shape
    (3,)
    """
    labels = np.asarray(labels)
    require_whole("n", n, 1)
    require_whole("seed", seed)
    if n >= len(labels):
        raise ValueError(
            f"{n:,} pictures cannot be set aside of {len(labels):,}: some must stay to train with"
        )
    classes, counts = np.unique(labels, return_counts=True)
    shares = n * counts / len(labels)
    wanted = np.floor(shares).astype(int)
    most = np.argsort(wanted - shares, kind="stable")  # those that lose most by rounding come first
    wanted[most[: n - wanted.sum()]] += 1
    generator, drawn = np.random.Generator(np.random.PCG64(seed)), []
    for name, count, want in zip(classes, counts, wanted, strict=True):
        if not 0 < want < count:
            raise ValueError(
                f"{n:,} of {len(labels):,} pictures would be {want} of the {count} of class "
                f"{name}: each class needs at least one to choose with and one to train with"
            )
        drawn.append(generator.permutation(np.flatnonzero(labels == name))[:want])
    return np.sort(np.concatenate(drawn))


def shape_words(shape):
    """A picture's shape as one says it, such as 32 x 32 x 3."""
    return " x ".join(str(int(n)) for n in shape)


def _drawn(labels, n, seed, which):
    """Indices to set aside, or what to do if a class is too small for that."""
    try:
        return stratified(labels, n, seed)
    except ValueError as error:
        raise DatasetError(
            f"{error}. These pictures were to be set aside as {which} images: bring at least ten "
            f"of each class, leave small classes out, or give {which}=(images, labels) yourself"
        ) from None


def _pixels(images, which):
    """Pictures as uint8 of four axes, or why they cannot be."""
    images = doors.array(images, f"the {which} images")
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.size == 0:
        raise DatasetError(
            f"the {which} images have shape {images.shape}; give (n, height, width) or "
            "(n, height, width, channels), with images.reshape(...) if they are flat"
        )
    if images.shape[-1] not in CHANNELS:
        order = ", if the channels come first give images.transpose(0, 2, 3, 1)"
        raise DatasetError(
            f"the {which} images have {images.shape[-1]} channels; give 1 (grey) or 3 (colour)"
            f"{order if images.shape[1] in CHANNELS else ''}"
        )
    pixels = _bytes(images, which)
    if pixels.base is not None or pixels.flags.writeable:  # or else it is one of ours
        pixels = pixels.copy()
    pixels.flags.writeable = False
    return pixels


def _part(images, which):
    part = images[which]
    part.flags.writeable = False
    return part


def _bytes(images, which):
    """Pixels as uint8; nothing is guessed of what other numbers mean."""
    if images.dtype == bool:
        return images.astype(np.uint8) * np.uint8(255)
    if images.dtype.kind not in "iuf":
        raise DatasetError(f"the {which} images are {images.dtype}; give uint8, 0 to 255")
    low, high = doors.ends(images, f"the {which} images")
    if images.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.rint(255 * images).astype(np.uint8)
    if images.dtype.kind in "iu" and low >= 0 and high <= 255 and not 0 < high <= DARKEST_WHITE:
        return images.astype(np.uint8, copy=False)
    shifted, white = "images", high
    if low < 0:  # of small whole numbers, the sum might not fit
        floats = "images.astype(float)" if images.dtype.kind == "i" else "images"
        shifted, white = f"({floats} + {-float(low):g})", float(high) - float(low)
    other = "" if white == 255 else f", or {shifted} / 255 if 255 is"
    if images.dtype == np.int8:
        other = ". If they were uint8 once, images.view(np.uint8) is what they were"
    raise DatasetError(
        f"the {which} images are {images.dtype} from {low:g} to {high:g}, and qlab does not guess "
        "which of these numbers is white. Give uint8, 0 to 255, or floats from 0 to 1, such as "
        f"{shifted} / {white:g} if {high:g} is white{other}"
    )


def _require_one_shape(images):
    shapes = {which: x.shape[1:] for which, x in images.items()}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"{which} {shape_words(shape)}" for which, shape in shapes.items())
        raise DatasetError(
            f"images differ in size: {told}. Scale them to one size first; from_folder does that "
            "with size=(height, width)"
        )


def _labels(labels, images, which):
    return doors.label_row(labels, len(images), f"the {which} labels")


def _numbered(labels, class_names):
    """Labels counted from 0, by split, and the names of the classes."""
    if len({x.dtype.kind for x in labels.values()}) > 1:
        raise DatasetError("some labels are numbers and some are words; make them of one kind")
    known = np.unique(np.concatenate(list(labels.values()))).tolist()
    names, named = (None, None) if class_names is None else doors.names_of(class_names)
    order = _order(known, names, named)
    if names is None:
        names, _ = doors.names_of(list(map(str, order)))
    index, numbered = {label: i for i, label in enumerate(order)}, {}
    for which, row in labels.items():
        numbered[which] = np.array([index[x] for x in row.tolist()], np.int64)
        numbered[which].flags.writeable = False
    _require_trained(numbered, names)
    return numbered, names


def _order(known, names, named):
    """Labels in the order of their classes, some of which may have no picture."""
    words = isinstance(known[0], str)
    if names is None:
        counted = known[0] == 0 and known[-1] < doors.MOST_CLASSES
        return list(range(known[-1] + 1)) if counted else known
    if not words and named is None and len(names) == len(known):
        return known
    order = list(names) if words else named or list(range(len(names)))
    if unnamed := sorted({*known} - {*order}):
        raise DatasetError(
            f"there are {len(names)} class_names, {some(names)}, and none of them belongs to the "
            f"labels {some(unnamed)}; give each its name, with a dict such as "
            "{0: 'cat', 1: 'dog'} for numbers, or leave class_names out"
        )
    if known[0] == 1 and named is None:
        print(
            f"No image has the label 0, which is {names[0]} by the class_names. If your labels "
            "count from 1, give class_names as a dict, {1: ...}.",
            file=sys.stderr,
        )
    return order


def _require_trained(labels, names):
    """Raise if a class of the other pictures is never trained."""
    for which in ("validation", "test"):
        unknown = np.setdiff1d(labels[which], labels["train"])
        if len(unknown):
            raise DatasetError(
                f"the {which} images have classes that the train images lack: "
                f"{some([names[i] for i in unknown])}; bring some of these to train with"
            )
