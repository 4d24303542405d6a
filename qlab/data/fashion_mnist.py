"""Fashion-MNIST: 70,000 grey pictures of garments, in ten classes (Xiao et al. 2017).

Published are 60,000 pictures to train with and 10,000 to test with. To choose with, 10,000 are set
aside of the 60,000, drawn once: what is chosen by pictures that trained a model flatters it, and
what is chosen by the test pictures makes the test a part of the training.
"""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from qlab.data import fetching

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
VALIDATION_SIZE, VALIDATION_SEED = 10_000, 0
_PREFIX = {"train": "train", "test": "t10k"}


@dataclass(frozen=True, eq=False)
class Split:
    """The pictures of one purpose: to train, to choose, or to report."""

    images: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    name: str = ""

    @property
    def images_are(self):
        """str: what the pictures are called on screen, such as "validation images"."""
        return f"{self.name} images".strip()

    def __len__(self):
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class FashionMNIST:
    """The three splits, each read and verified when it is first touched, then kept."""

    class_names: tuple = field(default=CLASS_NAMES, repr=False)

    @cached_property
    def train(self):
        """Split: 50,000 pictures to learn from."""
        return _without_validation(_read_split("train"))

    @cached_property
    def validation(self):
        """Split: 10,000 pictures to choose with, 1,000 of each class."""
        return _part(_read_split("train"), validation_indices(), "validation")

    @cached_property
    def test(self):
        """Split: 10,000 pictures to report on."""
        return _read_split("test")


def load():
    """Fashion-MNIST, from this machine or else fetched (31 MB).

    Looks into the folder that ``$QLAB_DATA`` names, and nowhere else if it is set; else into
    ``data/fashion-mnist`` of the checkout, the user's cache folder, and the folder of Debian's
    package; then downloads.

    Returns
    -------
    FashionMNIST
        With ``train`` (50,000 pictures to learn from), ``validation`` (10,000 to choose with) and
        ``test`` (10,000 to report on). The test split has been read, the others are when touched.

    Raises
    ------
    DataError
        If the data is nowhere to be had: every place tried, why it failed, and what helps.

    References
    ----------
    .. [1] Xiao, Rasul, Vollgraf, Fashion-MNIST, arXiv:1708.07747.

    Examples
    --------
    >>> from qlab import data
    >>> dataset = data.load()
    >>> dataset.test.images.shape, dataset.class_names[dataset.test.labels[0]]
    ((10000, 28, 28, 1), 'Ankle boot')
    >>> len(dataset.train), len(dataset.validation)
    (50000, 10000)
    """
    dataset = FashionMNIST()
    len(dataset.test)  # find or fetch the data now, not at some later touch
    return dataset


@lru_cache(1)
def validation_indices():
    """Which of the 60,000 published training pictures are kept for choosing; sorted.

    >>> from qlab.data.fashion_mnist import validation_indices
    >>> validation_indices()[:3]
    array([ 3, 21, 24])
    """
    _, (labels,) = fetching.read(["train-labels-idx1-ubyte.gz"])  # the pictures are not needed
    indices = stratified(labels, VALIDATION_SIZE, VALIDATION_SEED)
    indices.flags.writeable = False
    return indices


def stratified(labels, n, seed=0):
    """Draw `n` indices, of each class as large a share as it has in `labels`; sorted.

    Where shares are not whole numbers, the classes that lose most by rounding down get one more,
    and of equals those that come first.

    Parameters
    ----------
    labels : array_like of integers, shape (m,)
    n : int
        How many, so that each class is drawn at least once, and keeps at least one that is not.
    seed : int
        Of the draw.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    ValueError
        If there are too few pictures, altogether or of one class; the message says which.

    Examples
    --------
    >>> from qlab.data import stratified
    >>> stratified([0, 0, 0, 0, 1, 1], 3).shape
    (3,)
    """
    labels = np.asarray(labels)
    if not _is_whole(n) or n < 1:
        raise ValueError(f"n must be a whole number, 1 or more; got {n!r}")
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


def fetch(progress=True):
    """Make sure that the four files are on this machine and intact."""
    folder, _ = fetching.read(fetching.FILES, progress)
    return Path(folder)


def calibration_images(n=1024, seed=0, classes=None):
    """Draw pictures from the training split, in an order that only the seed decides.

    The first 16 of a draw of 1,024 are the draw of 16. The training split is not kept in memory.

    Parameters
    ----------
    n : int
        How many, 1 or more.
    seed : int
        Of the draw.
    classes : int or str, or a sequence of them, optional
        Draw from these classes only, named by index or by name.

    Returns
    -------
    ndarray of uint8, shape (n, 28, 28, 1)

    Raises
    ------
    ValueError
        If there are not that many pictures, or no such class.
    DataError
        As `load` does.

    Examples
    --------
    >>> from qlab import data
    >>> bags = data.calibration_images(16, classes="Bag")
    >>> bags.shape, bags.dtype
    ((16, 28, 28, 1), dtype('uint8'))
    """
    for name, value, least in (("n", n, 1), ("seed", seed, 0)):
        if not _is_whole(value) or value < least:
            raise ValueError(f"{name} must be a whole number, {least} or more; got {value!r}")
    wanted = None if classes is None else _class_indices(classes)
    split = calibration_split()
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(split))
    if wanted is not None:
        order = order[np.isin(split.labels[order], wanted)]
    if n > len(order):
        raise ValueError(f"n is {n:,}, but there are only {len(order):,} such pictures")
    return split.images[order[:n]]


def calibration_split():
    """What calibration images are drawn from; read anew, so that it is not kept in memory."""
    return _without_validation(_read_split("train"))


def _class_indices(classes):
    if isinstance(classes, str | int | np.integer):
        classes = [classes]
    if not len(classes):
        raise ValueError("classes is empty; leave it out to draw from all ten")
    indices = []
    for entry in classes:
        if entry in CLASS_NAMES:
            entry = CLASS_NAMES.index(entry)
        if not _is_whole(entry) or not 0 <= entry < len(CLASS_NAMES):
            raise ValueError(
                f"no class {entry!r}: the classes are 0 to 9, or {', '.join(CLASS_NAMES)}"
            )
        indices.append(int(entry))
    return indices


def _without_validation(split):
    keep = np.ones(len(split), bool)
    keep[validation_indices()] = False
    return _part(split, keep, split.name)


def _part(split, which, name):
    images, labels = split.images[which], split.labels[which]
    images.flags.writeable = labels.flags.writeable = False
    return Split(images, labels, name)


def _is_whole(value):
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _read_split(name):
    files = [file for file in fetching.FILES if file.startswith(_PREFIX[name])]
    _, (images, labels) = fetching.read(files)
    labels = labels.astype(np.int64)
    labels.flags.writeable = False
    return Split(images[..., None], labels, name)
