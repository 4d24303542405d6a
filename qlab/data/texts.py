"""Shakespeare's plays as characters: what the language models of the course read and write.

Five works ship in data/shakespeare, each whole: two to calibrate on, which the models were trained
on, and four that they have never seen. All 42 come in the package `shakespeare`, which only the
retraining needs.
"""

from pathlib import Path

import numpy as np

NAME = "shakespeare"  # what the manifest calls this data
CHARACTERS = "\n !\"&'(),-.:;?[]ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
WORKS = {  # of each part, by the names of their files; the others are for training
    "verse": ("richard_ii",),
    "prose": ("merry_wives_of_windsor",),
    "validation": ("julius_caesar", "twelfth_night"),
    "test": ("macbeth", "tempest"),
}
CONTEXT = 128  # characters that a model sees at once
COUNTED = 96  # the last of them, which count: each has at least 32 before it
BLOCK = 4  # windows in a row, which are drawn together
KNOWN = 0.8  # of a learner's own text must be characters that the models know


def folder():
    """Folder of the shipped works: in the checkout, or inside the installed package."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "shakespeare"
    return installed if installed.is_dir() else package.parent / "data" / "shakespeare"


def load(part):
    """Text of a part of `WORKS`, its works one after the other."""
    if part not in WORKS:
        raise ValueError(f"part is {part!r}; choose one of {', '.join(WORKS)}")
    return "".join((folder() / f"{work}.txt").read_text("utf-8") for work in WORKS[part])


def encode(text):
    """Tokens of a text, uint8: the place of each character in `CHARACTERS`.

    >>> encode("Hi!").tolist()
    [23, 50, 2]
    """
    places = {character: place for place, character in enumerate(CHARACTERS)}
    if unknown := sorted(set(text) - set(places)):
        raise ValueError(
            f"the model does not know {' '.join(map(repr, unknown[:5]))}; it has letters, "
            "spaces, new lines and punctuation, but no digits and no accents"
        )
    return np.fromiter((places[x] for x in text), np.uint8, len(text))


def decode(tokens):
    """Text of tokens, as `encode` made them."""
    return "".join(CHARACTERS[x] for x in tokens)


def windows(tokens):
    """Windows of 129 characters, uint8 of shape (n, 129), at a stride of 96.

    A model sees the first 128 and says what comes after each; the last 96 answers count. What does
    not fill a window at the end is left out.
    """
    if len(tokens) <= CONTEXT:
        raise ValueError(
            f"the text has {len(tokens)} characters; give {CONTEXT + 1} or more, so that there is "
            "one after the first that a model sees"
        )
    return np.lib.stride_tricks.sliding_window_view(tokens, CONTEXT + 1)[::COUNTED].copy()


def sample(part, characters=10_000):
    """Windows of a part for so many counted characters: blocks of 4, evenly spread over it.

    >>> sample("validation").shape
    (104, 129)
    """
    found = windows(encode(load(part)))
    blocks = np.linspace(0, len(found) // BLOCK - 1, characters // (BLOCK * COUNTED)).round()
    return found[(BLOCK * blocks[:, None] + np.arange(BLOCK)).astype(int).reshape(-1)]


def own(text):
    """Windows of a learner's own text, without the characters that the models do not know."""
    kept = "".join(x for x in text if x in CHARACTERS)
    if len(kept) < KNOWN * len(text):
        raise ValueError(
            f"the models know only {len(kept):,} of the {len(text):,} characters of this text, and "
            "they were trained on English alone; give a text in English letters"
        )
    return windows(encode(kept))
