"""What a run is, and where it leaves what it made; this much needs no TensorFlow.

A `Run` is one training, or a few that belong together. It makes files, as (name, content, entry
of the manifest), and may ask the `Workshop` for what the runs that it needs have made.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SEEDS = (0, 1, 2)  # of the baselines; what is made of a baseline has its baseline's seed


@dataclass(frozen=True)
class Run:
    """One thing to make: `make(workshop, **recipe)` yields its files."""

    name: str
    make: Callable
    recipe: dict
    needs: tuple = ()

    def digest(self, needed):
        """SHA-256 of the recipe and of the digests of what it needs: another recipe, another."""
        whole = [self.make.__module__, self.make.__qualname__, self.recipe, list(needed)]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def by_seed(name, make, recipe):
    """A run for each baseline, which it needs and whose seed it has."""
    return [
        Run(f"{name}-seed{seed}", make, {"seed": seed, **recipe}, (f"baseline-seed{seed}",))
        for seed in SEEDS
    ]


class Workshop:
    """The folder where runs leave what they made; one subfolder a run."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def path(self, run, name):
        """Path of a file of a finished run."""
        return self.folder / run / name

    def json(self, run, name):
        """Content of a file of numbers."""
        return json.loads(self.path(run, name).read_text("utf-8"))

    def baseline(self, seed):
        """The baseline of a seed, for Keras to train on."""
        from qlab import train

        return train.load(self.path(f"baseline-seed{seed}", f"{stem('baseline', seed)}.keras"))


def stem(name, seed):
    """File name of a seed's model: *the* baseline is that of seed 0, declared beforehand."""
    return name if name == "baseline" and seed == SEEDS[0] else f"{name}-seed{seed}"


def digest(*arrays):
    """SHA-256 of arrays' bytes."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
