"""Fashion-MNIST: 70,000 grey pictures of garments, in ten classes (Xiao et al. 2017).

Published are 60,000 pictures to train with and 10,000 to test with. To choose with, 10,000 are set
aside of the 60,000, drawn once: what is chosen by pictures that trained a model flatters it, and
what is chosen by the test pictures makes the test a part of the training.
"""

from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from qlab.data import fetching
from qlab.data.datasets import Dataset, Split, stratified

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


class FashionMNIST(Dataset):
    """The three splits, each read and verified when it is first touched, then kept."""

    name, class_names, image_shape = "Fashion-MNIST", CLASS_NAMES, (28, 28, 1)

    def __init__(self):
        """Nothing is read yet."""

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

    def _calibration_split(self):
        """The pictures to train with, read anew, so that they are not kept in memory."""
        return calibration_split()


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


def fetch(progress=True):
    """Make sure that the four files are on this machine and intact."""
    folder, _ = fetching.read(fetching.FILES, progress)
    return Path(folder)


def calibration_images(n=1024, seed=0, classes=None):
    """Draw pictures from the training split, in an order that only the seed decides.

    The first 16 of a draw of 1,024 are the draw of 16. The training split is not kept in memory.
    `Dataset.calibration_images` describes the parameters.

    >>> from qlab import data
    >>> bags = data.calibration_images(16, classes="Bag")
    >>> bags.shape, bags.dtype
    ((16, 28, 28, 1), dtype('uint8'))
    """
    return FashionMNIST().calibration_images(n, seed, classes)


def calibration_split():
    """What calibration images are drawn from; read anew, so that it is not kept in memory."""
    return _without_validation(_read_split("train"))


@lru_cache(1)
def _contents():
    """What the published pictures look like, as hashes, to know them again."""
    every = (_read_split(name).images for name in _PREFIX)
    return frozenset(hash(image.tobytes()) for images in every for image in images)


def is_fashion(images):
    """Whether these pictures are of Fashion-MNIST, told by 20 of them.

    >>> from qlab.data.fashion_mnist import is_fashion, load
    >>> some = load().test.images[:3]
    >>> is_fashion(some), is_fashion(255 - some)
    (True, False)
    """
    some = np.asarray(images[:20])
    if some[:1].size != 28 * 28 or some.dtype not in (np.uint8, np.float32):
        return False
    some = some if some.dtype == np.uint8 else np.rint(255 * some).clip(0, 255).astype(np.uint8)
    return all(hash(image.tobytes()) in _contents() for image in some)


def _without_validation(split):
    keep = np.ones(len(split), bool)
    keep[validation_indices()] = False
    return _part(split, keep, split.name)


def _part(split, which, name):
    images, labels = split.images[which], split.labels[which]
    images.flags.writeable = labels.flags.writeable = False
    return Split(images, labels, name)


def _read_split(name):
    files = [file for file in fetching.FILES if file.startswith(_PREFIX[name])]
    _, (images, labels) = fetching.read(files)
    labels = labels.astype(np.int64)
    labels.flags.writeable = False
    return Split(images[..., None], labels, name)
