"""The judge: a process of its own that runs one file on all pictures and answers with classes.

It is given the pictures and never their labels, so it could not say what was right if it wanted to.
All that it reads was written by the grader, but for the model; before it touches that, it seals
itself (`qlab.challenge.seal`). What it answers is for the grader to doubt.
"""

import os
import struct
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from qlab.challenge.seal import seal

HEADER = struct.Struct("<2s6Q")
"""Of a job: dtype of the input; how many pictures, bytes of warm-up and of model; the limits."""
READY, PREDICTED, FAILED = b"R", b"P", b"F"
NO_CLASS = 255  # for outputs that are no numbers
GAPS = ("processor time", "memory", "files", "processes", "system calls")
"""What may have stayed unlimited: bit i of the answer's second byte is ``GAPS[i]``."""
SIDE, CLASSES, MOST_REASON = 28, 10, 500


def main():
    """Read a job from standard input, answer on standard output, and end.

    The answer is `READY` and a byte of gaps; then `PREDICTED` and a byte for each picture, its
    class or `NO_CLASS`; or `FAILED` and a reason.
    """
    job = sys.stdin.buffer
    dtype, images, warm_up, model, *limits = HEADER.unpack(job.read(HEADER.size))
    dtype = np.dtype(dtype.decode())
    codes = np.frombuffer(job.read(256 * dtype.itemsize), dtype)
    warm_up, model = job.read(warm_up), job.read(model)
    images = np.frombuffer(job.read(images * SIDE * SIDE), np.uint8)
    Interpreter(model_content=warm_up, num_threads=1).allocate_tensors()  # XNNPACK looks around
    gaps = seal(*limits)
    os.write(1, READY + bytes([sum(1 << i for i, gap in enumerate(GAPS) if gap in gaps)]))
    try:
        answer = PREDICTED + classes(model, images.reshape(-1, SIDE, SIDE, 1), codes).tobytes()
    except (RuntimeError, ValueError, MemoryError) as error:
        answer = FAILED + str(error).encode("utf-8", "replace")[:MOST_REASON]
    while answer:
        answer = answer[os.write(1, answer) :]
    os._exit(0)


def classes(model, images, codes):
    """Run a model on pictures, one at a time if it lets us.

    Parameters
    ----------
    model : bytes
    images : ndarray of uint8, shape (n, 28, 28, 1)
    codes : ndarray, shape (256,)
        What each brightness is to the model, in the dtype of its input.

    Returns
    -------
    ndarray of uint8, shape (n,)
        Index of the largest of the ten outputs; `NO_CLASS` where one of them is NaN.
    """
    interpreter, batch = _interpreter(model)
    view = interpreter.tensor(interpreter.get_input_details()[0]["index"])
    output = interpreter.get_output_details()[0]
    answers = np.empty((len(images), CLASSES), output["dtype"])
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        view()[: len(part)] = codes[part]
        interpreter.invoke()
        answers[start : start + len(part)] = _outputs(interpreter, output, batch)[: len(part)]
    nothing = np.isnan(answers.astype(np.float32)).any(axis=1)
    return np.where(nothing, NO_CLASS, answers.argmax(axis=1)).astype(np.uint8)


def _interpreter(model):
    """An interpreter that has run once, and how many pictures it takes a call.

    One, unless the graph insists on its own number: then a picture's class cannot depend on the
    pictures beside it.
    """
    try:
        return _started(model, 1), 1
    except (RuntimeError, ValueError):
        batch = int(Interpreter(model_content=model).get_input_details()[0]["shape"][0])
        if batch == 1:
            raise
        return _started(model, batch), batch


def _started(model, batch):
    interpreter = Interpreter(model_content=model, num_threads=1)
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, [batch, SIDE, SIDE, 1])
    interpreter.allocate_tensors()
    interpreter.invoke()
    _outputs(interpreter, interpreter.get_output_details()[0], batch)
    return interpreter


def _outputs(interpreter, output, batch):
    """The outputs, ten a picture."""
    values = interpreter.get_tensor(output["index"])
    if values.size != CLASSES * batch:
        raise ValueError(
            f"its output has the shape {list(values.shape)}; {CLASSES} numbers a picture are due"
        )
    return values.reshape(batch, CLASSES)
