"""Damaged copies of a model, tried one by one in a process of its own (run as a script).

Prints the number of each mutant before it is tried, and what came of it after, so that a crash
names its mutant.
"""

import sys
from pathlib import Path

import numpy as np


def graph_bytes(data):
    """Positions of all bytes outside the stored numbers: where a flip changes the structure."""
    from qlab import LiteModel

    inside = np.ones(len(data), bool)
    for buffer in LiteModel(data).parsed.buffers:
        if buffer.data is not None and len(buffer.data) > 64:
            start = data.find(bytes(buffer.data))
            inside[start : start + len(buffer.data)] = False
    return np.flatnonzero(inside)


def mutant(data, positions, seed):
    """A copy with 1 to 4 bytes replaced: anywhere for one seed in four, else at `positions`."""
    random = np.random.default_rng(seed)
    changed = bytearray(data)
    for _ in range(random.integers(1, 5)):
        where = random.integers(len(data)) if seed % 4 == 0 else random.choice(positions)
        changed[where] = random.integers(256)
    return bytes(changed)


def outcome(data, images):
    """`refused` with a ModelError in words, or `runs`: read, listed, scored and compressed."""
    import qlab

    try:
        model = qlab.LiteModel.from_bytes(data)
    except qlab.ModelError as error:
        return f"refused: {error}"
    try:
        names = [layer.name for layer in model.layers]
        sum(model.anatomy().values())
        qlab.predict(model, images)
        qlab.Compressor(model, images[:4]).compress(qlab.Recipe(calibration_size=4))
    except ValueError as error:  # ModelError is one; so is an activation that became NaN
        return f"refused later: {error}"
    return f"runs: {len(names)} layers"


def main(path, first, last):
    data = Path(path).read_bytes()
    positions = graph_bytes(data)
    images = np.random.default_rng(0).integers(0, 256, (260, 28, 28, 1), np.uint8)
    for seed in range(int(first), int(last)):
        print(seed, end=" ", flush=True)
        print(outcome(mutant(data, positions, seed), images), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
