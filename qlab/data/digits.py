"""Handwritten digits: 1,797 pictures of 8 x 8, which come with scikit-learn."""

from qlab.data.datasets import Dataset


def load():
    """Split them in three, class by class, as `Dataset.from_arrays` does.

    They were written by 13 people (Alpaydin and Kaynak 1998), whose digits are in every part.

    >>> from qlab.data import digits
    >>> digits.load()
    <qlab.Dataset digits: 1,079 train, 359 validation and 359 test images of 8 x 8 x 1, 10 classes>
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    return Dataset.from_arrays(found.images / 16, found.target, name="digits")
