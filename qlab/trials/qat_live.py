"""A training that the learner watches: its frames, the best of them, and how long it takes."""

from __future__ import annotations

import time

import qlab

TRAINING_IMAGES = 60_000


class Live:
    """One live training, from its first frame on."""

    def __init__(self, weight_bits, epochs, images):
        """No frame is taken yet; refuse, in words, what cannot be trained."""
        if not 0 < epochs <= 100:
            raise ValueError(f"epochs must be above 0 and at most 100; got {epochs!r}")
        if int(images) != images or not 1 <= images <= TRAINING_IMAGES:
            raise ValueError(
                f"images must be a whole number, 1 to {TRAINING_IMAGES:,}; got {images!r}"
            )
        self.weight_bits, self.epochs, self.images = weight_bits, epochs, int(images)
        self.frames = []

    @property
    def best(self):
        """Frame or None: the one of highest accuracy in LiteRT, the earliest of equals."""
        return max(self.frames, key=lambda x: x.measurement.accuracy, default=None)

    @property
    def model(self):
        """LiteModel or None: the best so far, weights of 4 bits or fewer packed."""
        best = self.best
        return None if best is None else best.model

    @property
    def measurement(self):
        """Measurement or None: that of the best so far."""
        best = self.best
        return None if best is None else best.measurement

    def steps(self, scored):
        """Train for real, a few batches a step."""
        yield 0, 1, f"{self.weight_bits} bits, TensorFlow starts, about 15 s", False
        from qlab.train.live_training import live_quantization_aware

        train = qlab.data.load().train
        images, labels = train.images[: self.images], train.labels[: self.images]
        started = None
        for done, total, frame in live_quantization_aware(
            self.weight_bits, images, labels, scored, self.epochs
        ):
            if frame is not None:
                self.frames.append(frame)
            started = started or time.monotonic()
            left = (time.monotonic() - started) * (total - done) / done if done else None
            yield done, total, self._words(left), frame is not None

    def _words(self, left):
        """How long it takes, once some batches are done."""
        time_left = "" if left is None else f", about {max(1, round(left))} s left"
        return f"{self.weight_bits} bits{time_left}; batches"
