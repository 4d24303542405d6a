"""Fixtures that every test may use."""

import os

import hypothesis
import pytest

# No deadline: how long an example takes is not a test (a busy machine would fail it). In CI the
# examples are the same from run to run.
hypothesis.settings.register_profile(
    "qlab", deadline=None, derandomize=os.environ.get("CI") == "true"
)
hypothesis.settings.load_profile("qlab")


@pytest.fixture(scope="session")
def fashion():
    """Fashion-MNIST, found or fetched once for the whole run."""
    import qlab

    return qlab.data.load()


@pytest.fixture(scope="module")
def given(fashion, request):
    """What an explorer is tried on: the module's N validation images, and images to calibrate."""
    import qlab

    n, calibrated = request.module.N, getattr(request.module, "CALIBRATED", 128)
    return {
        "images": fashion.validation.images[:n],
        "labels": fashion.validation.labels[:n],
        "calibration_images": qlab.data.calibration_images(calibrated),
    }
