"""Models as people write them: what was once answered wrongly without a word."""

import engine
import numpy as np
import zoo

import qlab
from qlab import Recipe, train


def centred(images):
    """Pixels as many papers want them: float32 with mean 0 and variance 1."""
    return (images / np.float32(255) - np.float32(0.2860)) / np.float32(0.3530)


# ---- grids --------------------------------------------------------------------------------------
def test_a_kernel_dictates_no_grid_to_the_input_that_is_joined_with_its_output(fashion):
    images, calibration = centred(fashion.validation.images[:500]), centred(engine.pictures()[:128])
    model = engine.float_model("joined")
    due = engine.float_outputs(model, images)
    ours = qlab.Compressor(model, calibration).compress(Recipe())
    theirs = qlab.LiteModel(train.convert(zoo.untrained("joined"), "int8", calibration))
    errors = [engine.sqnr_db(due, engine.real_outputs(x, images)) for x in (ours, theirs)]
    assert errors[0] > errors[1] - 1
    grid = qlab.Compressor(model, calibration).activation_params("first", Recipe())
    assert grid.span[1] > images.max() - grid.scale


def test_what_has_the_same_dictated_grid_keeps_it_when_joined():
    grid = engine.compressor("joined").activation_params("shares_and_gate", Recipe())
    assert (grid.scale, grid.zero_point) == (1 / 256, -128)
