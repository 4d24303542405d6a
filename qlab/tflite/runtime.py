"""LiteRT runs the file: predictions, accuracy, activations, latency."""

from __future__ import annotations

import math
import time
import warnings
from functools import partial

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from qlab.arithmetic.results import Latency, Measurement
from qlab.data.doors import NOTHING, class_row, colours, feedable
from qlab.system.output import quiet
from qlab.system.threads import threads as usual_threads
from qlab.tflite.answers import class_count, decided, require_classes, require_scorable
from qlab.tflite.graph import signature
from qlab.tflite.litemodel import (
    ModelError,
    in_words,
    require_lite_model,
    require_sizes,
    with_gaps,
)
from qlab.tflite.pixels import (
    FEWEST,
    USUAL,
    as_pixels,
    coded_way,
    fed,
    found,
    mismatch,
    range_of,
    scaled,
)

BATCH = 250
WHOLE = "LiteRT ran the whole file"


def predict(model, images, batch=BATCH, threads=None):
    """Class of each image.

    That is the largest output; with a single sigmoid or tanh, whether it is above .5 or 0; and what
    the model says if it decides itself, as with ArgMax.

    Parameters
    ----------
    model : LiteModel
    images : ndarray of uint8, shape (n, 28, 28, 1)
        Pixels 0 to 255. The runtime scales them as `LiteModel.with_pixels` says, or else to what
        the codes of the model's input stand for, or else to [0, 1], and quantizes them by the
        model's own input parameters; a model of whole numbers without such parameters gets the
        pixels themselves. An array of float32 is taken as it is, unscaled.
    batch : int
        Images a call. 100 to 500 is fastest.
    threads : int or None
        None for what `qlab.system.threads.threads` says: ``$QLAB_THREADS``, or the cores that this
        process may use, at most 4.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    ValueError
        If the images do not fit the model, or its answers name no class.

    Examples
    --------
    >>> import qlab
    >>> images = qlab.data.load().test.images[:3]
    >>> predict(qlab.pretrained("baseline"), images).shape
    (3,)
    """
    images = prepared(model, images)
    classes = np.empty(len(images), np.int64)
    for rows, outputs in batches(model, images, batch, threads):
        classes[rows] = decided(model, outputs[0]()[: len(images[rows])])
    return classes


def evaluate(model, images, labels, batch=BATCH, threads=None):
    """Score a model.

    Parameters
    ----------
    model : LiteModel
    images : ndarray of uint8, shape (n, 28, 28, 1)
    labels : ndarray of int, shape (n,)
    batch, threads
        As for `predict`.

    Returns
    -------
    Measurement
        Of kind ``measured``; ``elapsed_ms`` is the wall time of the scoring.

    Raises
    ------
    ValueError
        If the images do not fit the model, or there is not one label an image, or the labels are
        not classes of the model, counted from 0.

    Examples
    --------
    >>> import qlab
    >>> test = qlab.data.load().test
    >>> evaluate(qlab.pretrained("baseline"), test.images, test.labels).accuracy > 0.85
    True
    """
    labels = require_labelled(model, images, labels)
    start = time.perf_counter()
    predictions = predict(model, images, batch, threads)
    elapsed_ms = 1e3 * (time.perf_counter() - start)
    score = Measurement(predictions, labels, elapsed_ms=elapsed_ms, how=WHOLE)
    if model.pixels is None and score.n >= FEWEST:
        _notice(model, np.asarray(images), labels)
    return score


def find_pixels(model, images, labels, images_are="images"):
    """Find out how a model wants its pixels, by scoring a few hundred images each way.

    Parameters
    ----------
    model : LiteModel
    images : ndarray of uint8
        At least 30, with labels; those that you choose with, and not those that you report on. 400
        of them are scored each way, or up to 2,000 if that does not settle it. Of float32 images
        that go from 0 to 1, from 0 to 255 or from -1 to 1, the pixels are worked out first.
    labels : ndarray of int, shape (n,)
    images_are : str
        What they are called on screen.

    Returns
    -------
    FoundPixels
        Printed, it says which it was and how sure that is. ``pixels`` is for
        `LiteModel.with_pixels`.

    Raises
    ------
    ValueError
        If the images are too few, no pixels, or do not fit the model or their labels.

    Examples
    --------
    >>> import qlab
    >>> few = qlab.data.load().validation
    >>> answer = find_pixels(qlab.pretrained("baseline"), few.images[:500], few.labels[:500])
    >>> answer.pixels, answer.sure
    ('0 to 1', True)
    """
    require_lite_model(model)
    images = checked(images)
    pixels, way = as_pixels(images)
    if pixels is None or len(images) < FEWEST:
        raise ValueError(
            f"{len(images)} images of {images.dtype} from {images.min()} to {images.max()} do not "
            f"tell how a model wants its pixels; give at least {FEWEST} of uint8, from 0 to 255"
        )
    require_labelled(model, images, labels)
    if images.dtype == np.uint8:
        way = coded_way(model) or way
    return found(predict, model, pixels, labels, way, images_are)


def _notice(model, images, labels):
    """Warn if another way of feeding pixels is better than the one that nobody chose."""
    way = fed(model) if images.dtype == np.uint8 else as_pixels(images)[1]
    if way is None or coded_way(model) == way:
        return
    answer = find_pixels(model, images, labels)
    if answer.instead:
        warnings.warn(str(answer), stacklevel=3)
    elif answer.measurements and answer.pixels != way:
        was = "qlab gave it" if images.dtype == np.uint8 else "these float32 images are"
        warnings.warn(
            f"{answer} But {was} {way}, and that is what was scored. Give uint8 images, and "
            f"model = model.with_pixels({answer.pixels!r}).",
            stacklevel=3,
        )


def require_labelled(model, images, labels):
    """Labels as int64, if each image has one, and they are classes of the model."""
    require_classes(model)
    return class_row(labels, len(images), class_count(model))


def logits(model, images):
    """What a model with float32 output answers before it is decided: float32 of shape (n, classes).

    >>> import qlab
    >>> images = qlab.data.load().test.images[:3]
    >>> model = qlab.pretrained("baseline")
    >>> logits(model, images).argmax(1).tolist() == predict(model, images).tolist()
    True
    """
    outputs = _outputs(model, prepared(model, images))
    answers = np.concatenate([answers[0] for _, answers in outputs])
    if answers.dtype != np.float32:
        raise ValueError(
            f"this model answers in {answers.dtype}, and logits need a float32 output; compress it "
            "with activation_bits=32, so that its activations stay in float"
        )
    return answers


def activations(model, images, tensors, batch=64):
    """Yield what the given tensors hold, batch by batch."""
    graph = model.graph()
    graph.signatureDefs = None
    graph.subgraphs[0].outputs = np.array(list(tensors), np.int32)
    yield from _outputs(model.edited(graph), images, batch)


def latency(model, batch=1, runs=100, threads=1):
    """Time of one call after warm-up, here on this machine.

    Parameters
    ----------
    model : LiteModel
    batch : int
        Images a call; a model of a fixed batch keeps its own.
    runs : int
        Timed calls, at least 2; a tenth as many come before them untimed.
    threads : int

    Returns
    -------
    Latency
        Median and 95th percentile, milliseconds a call.

    Raises
    ------
    ValueError
        If `batch`, `runs` or `threads` is too small, or the model leaves open how large its
        pictures are; `of_size` writes a size into it.

    Examples
    --------
    >>> import qlab
    >>> latency(qlab.pretrained("baseline"), runs=10).runs
    10
    """
    if batch < 1 or runs < 2 or threads < 1:
        raise ValueError(
            f"batch {batch}, runs {runs}, threads {threads}: needs at least 1, 2 and 1"
        )
    require_lite_model(model)
    require_sizes(model)
    interpreter, batch = _interpreter(model, batch, threads)
    times = np.empty(runs)
    for _ in range(1 + runs // 10):
        interpreter.invoke()
    for i in range(runs):
        start = time.perf_counter()
        interpreter.invoke()
        times[i] = time.perf_counter() - start
    median, p95 = 1e3 * np.percentile(times, [50, 95])
    return Latency(float(median), float(p95), batch, threads, runs)


def interpreter(model):
    """LiteRT's own interpreter of one image a call, ready to run.

    >>> import qlab
    >>> interpreter(qlab.pretrained("baseline")).get_input_details()[0]["shape"].tolist()
    [1, 28, 28, 1]
    """
    return _interpreter(model, 1, 1)[0]


def input_codes(model, images):
    """What the input tensor holds for each image: an array of its shape for each, and its dtype."""
    detail = _interpreter(model, 1, 1, images.shape[1:])[0].get_input_details()[0]
    shape = tuple(int(n) for n in detail["shape"])
    if shape[:1] != (1,):
        raise ModelError(f"this model takes {shape}, not one image a call")
    require_fit(shape[1:], images.shape)
    codes = np.empty((len(images), math.prod(shape[1:])), detail["dtype"])
    _fill(fed(model), codes, images.reshape(len(images), -1), detail)
    return codes.reshape(len(images), *shape)


def _outputs(model, images, batch=BATCH, threads=None):
    """Yield (first image, outputs) for each batch; the last, partial batch is cut to size."""
    images = checked(images)
    for rows, outputs in batches(model, images, batch, threads):
        yield rows.start, [output()[: len(images[rows])].copy() for output in outputs]


def batches(model, images, batch=BATCH, threads=None, fill=None):
    """Run all images; yield which are done, and functions that show the outputs until the next.

    `fill` writes a part of the images into the input; else pixels are scaled and quantized.
    """
    threads = threads or usual_threads()
    interpreter, batch = _interpreter(model, min(batch, len(images)), threads, images.shape[1:])
    fill = fill or partial(_fill, fed(model))
    detail = interpreter.get_input_details()[0]
    require_fit(tuple(map(int, detail["shape_signature"]))[1:], images.shape)
    view = interpreter.tensor(detail["index"])
    indices = [d["index"] for d in interpreter.get_output_details()]
    outputs = [partial(_by_image, interpreter.tensor(i), batch) for i in indices]
    for start in range(0, len(images), batch):
        rows = slice(start, start + batch)
        part = images[rows].reshape(len(images[rows]), -1)
        fill(view().reshape(batch, -1)[: len(part)], part, detail)
        try:
            interpreter.reset_all_variables()  # a state is no business of the next image
            interpreter.invoke()
        except RuntimeError as error:
            if start or batch == 1:
                words = in_words(model, error)
                raise ModelError(f"LiteRT cannot run this model: {words}") from error
            yield from batches(model, images, 1, threads, fill)  # shapes that allow for one alone
            return
        yield rows, outputs


def prepared(model, images):
    """The images, checked; a warning says so if they were surely prepared for another model."""
    require_scorable(model)
    images = checked(images)
    if words := mismatch(images, model.pixels or coded_way(model)):
        warnings.warn(words, stacklevel=3)
    return images


def doubt(model, images):
    """A sentence about calibration images that show other ranges than the model will see."""
    if not (images := np.asarray(images)).any():
        warnings.warn(
            f"The calibration images {NOTHING}. Give some of the training images, or else the "
            "activations of what comes out mean nothing.",
            stacklevel=3,
        )
    unscaled = images.dtype == np.float32 and range_of(images) == "0 to 255"
    if unscaled and model.pixels is None:
        raise ValueError(
            f"the calibration images are float32 from {images.min():g} to {images.max():g}, and "
            "nobody has said how this model wants its pixels. If it was trained on such numbers, "
            "give model.with_pixels('0 to 255') and the pixels as uint8; if on 0 to 1, divide the "
            "images by 255, or give them as uint8"
        )
    return mismatch(images, model.pixels)


def _sized(wanted, given):
    """The sizes that a model takes; one that it leaves open, -1, is that of the pictures given."""
    if len(wanted) != len(given):
        return wanted
    return tuple(own if own >= 0 else size for own, size in zip(wanted, given, strict=True))


def _fits(wanted, given):
    """Whether pictures have the model's axes in its order, or one side is flat."""
    wanted = _sized(wanted, given)
    axes = [tuple(n for n in shape if n != 1) for shape in (wanted, given)]
    flat = math.prod(wanted) == math.prod(given) and min(map(len, axes)) <= 1
    return axes[0] == axes[1] or (flat and min(wanted, default=1) >= 0)


def require_fit(wanted, shape):
    """Raise ValueError, with a remedy, unless images of this shape fit a model that takes such."""
    given = shape[1:]
    if _fits(wanted, given):
        return
    n, remedy = len(given), colours(wanted, given)
    if _fits(wanted, shape):
        remedy = "; this is one picture, so give images[None], with an axis that counts pictures"
    for order in ((n - 1, *range(n - 1)), (*range(1, n), 0)):
        if wanted == tuple(given[i] for i in order):
            order = ", ".join(str(i + 1) for i in order)
            remedy = f"; its axes come in another order, so give images.transpose(0, {order})"
    words = f"images of shape {given} do not fit a model that takes {with_gaps(wanted)}{remedy}"
    raise ValueError(words)


def of_size(model, shape):
    """The model for pictures of one shape: sizes that it leaves open are written into the file.

    >>> import qlab
    >>> model = qlab.pretrained("baseline")
    >>> of_size(model, (28, 28, 1)) is model  # its size is fixed
    True
    """
    require_lite_model(model)
    shape = tuple(int(n) for n in shape)
    require_fit(model.picture_shape, (1, *shape))
    if -1 not in model.picture_shape:
        return model
    graph = model.graph()
    found = {x["index"]: x["shape"] for x in _run_once(model, shape)}
    for index, tensor in enumerate(graph.subgraphs[0].tensors):
        if -1 in (left := signature(tensor)) and index in found:
            tensor.shape = np.array(found[index], np.int32)
            first = left[:1] if len(left) == len(tensor.shape) else tensor.shape[:1]
            tensor.shapeSignature = np.array([*first, *tensor.shape[1:]], np.int32)
    return model.edited(graph)


def _run_once(model, shape):
    """What LiteRT says of each tensor, once a blank picture of this shape has been run."""
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # others hide tensors
    kind = partial(Interpreter, experimental_op_resolver_type=plain)
    interpreter, _ = _interpreter(model, 1, 1, shape, kind)
    detail = interpreter.get_input_details()[0]
    interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    interpreter.invoke()
    return interpreter.get_tensor_details()


def _interpreter(model, batch, threads, sizes=(), kind=Interpreter):
    """A LiteRT interpreter of `batch` images a call, or of the model's own, fixed batch.

    The images' sizes count where the model leaves them open.
    """
    require_lite_model(model)
    if batch < 1:
        raise ValueError(f"batch is {batch}; it must be at least 1")
    try:
        with quiet():
            interpreter = kind(model_content=model.data, num_threads=threads)
            return interpreter, _allocate(interpreter, batch, sizes)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"LiteRT cannot run this model: {in_words(model, error)}") from error


def _allocate(interpreter, batch, sizes):
    """Make room for `batch` images a call, or as many as the graph insists on; return how many."""
    detail, *others = interpreter.get_input_details()
    shape = [int(n) for n in detail["shape"]]
    if others or not shape:
        interpreter.allocate_tensors()
        return 1
    left = tuple(map(int, detail["shape_signature"][1:]))
    shape[1:] = _sized(_sized(left, sizes), shape[1:])
    details = interpreter.get_output_details
    first_axes = lambda: [[*x["shape"], None][0] for x in details()]  # noqa: E731
    alone = first_axes()
    try:
        interpreter.resize_tensor_input(detail["index"], [batch, *shape[1:]])
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError):
        batch = shape[0]
        interpreter.resize_tensor_input(detail["index"], shape)
        interpreter.allocate_tensors()
    together = zip(alone, first_axes(), strict=True)
    if batch == shape[0] or all(x == (shape[0], batch) for x in together):
        return batch
    interpreter.resize_tensor_input(detail["index"], [1, *shape[1:]])  # the outputs have no batch
    interpreter.allocate_tensors()
    return 1


def _by_image(tensor, batch):
    """What an output holds, its first axis counting the images of the call."""
    answers = tensor()
    if batch == 1 and answers.shape[:1] != (1,):
        return answers[None]
    if answers.shape[:1] != (batch,):
        raise ModelError(
            f"this model answers {batch} images with an array of shape {answers.shape}, so nobody "
            "knows which number belongs to which image; write the file again for one image a call"
        )
    return answers


def checked(images):
    """Images as an array of uint8 or float32 of at least two axes, or an error in words."""
    images = feedable(images, "images")
    if images.ndim < 2 or len(images) == 0:
        raise ValueError(f"images have shape {images.shape}; give (n, 28, 28, 1) with n at least 1")
    return images


def _fill(pixels, view, images, detail):
    """Write images into the input tensor, quantized by the model's own input parameters."""
    if view.dtype.kind == "f" and images.dtype == np.float32:
        view[...] = images
    elif view.dtype.kind == "f":
        scaled(images, pixels, view)
    elif not detail["quantization"][0]:
        view[...] = _whole(images, view.dtype)
    elif images.dtype == np.uint8 and view.dtype == np.int8 and _is_plain_shift(pixels, detail):
        np.bitwise_xor(images, 0x80, out=view.view(np.uint8))
    else:
        real = images
        if images.dtype == np.uint8:
            real = scaled(images, pixels, np.empty(images.shape, np.float32))
        scale, zero_point = detail["quantization"]
        limits = np.iinfo(view.dtype)
        codes = np.rint(real / np.float32(scale)) + zero_point
        view[...] = np.clip(codes, limits.min, limits.max).astype(view.dtype)


def _whole(images, dtype):
    """Pixels for an input of whole numbers that has no scale: they are the numbers themselves."""
    if dtype.kind not in "iu" or np.iinfo(dtype).max < 255:
        raise ModelError(
            f"this model takes {dtype} without a scale, so nobody can tell what a pixel is in it; "
            "write the file again with an input of float32 or uint8"
        )
    if images.dtype != np.uint8:
        raise ValueError(
            f"this model takes the pixels 0 to 255 themselves ({dtype}), and these images are "
            f"{images.dtype}; give uint8"
        )
    return images


def _is_plain_shift(pixels, detail):
    """Whether code = pixel - 128, as for a model calibrated on pixels 0 to 255."""
    scale, zero_point = detail["quantization"]
    return pixels == USUAL and zero_point == -128 and abs(scale * 255 - 1) < 1e-6
