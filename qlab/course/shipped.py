"""The shipped baseline, its compressor and the test images, loaded once and only when asked for."""

from functools import cache, lru_cache


@cache
def model():
    """Load the float32 baseline."""
    import qlab

    return qlab.pretrained("baseline")


@cache
def compressor():
    """Make the baseline's compressor, with the calibration images of the course."""
    import qlab

    return qlab.Compressor(model(), qlab.data.calibration_images())


@lru_cache(maxsize=32)
def score(recipe):
    """Build the file that `recipe` describes and score it on all test images."""
    import qlab

    small, test = compressor().compress(recipe), qlab.data.load().test
    return small, qlab.evaluate(small, test.images, test.labels)
