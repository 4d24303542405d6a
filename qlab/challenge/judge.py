"""The judge: a process of its own that runs one file on all pictures and answers with classes."""

import os
import re
import struct
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from qlab.challenge.seal import seal_process

HEADER = struct.Struct("<2s7Q")
"""Of a job: dtype of the input; most bytes of RAM in TensorFlow Lite Micro, or 0 for LiteRT; how
many pictures, bytes of warm-up and of model; the limits."""
ARENA = struct.Struct("<Q")
"""Of an answer of TensorFlow Lite Micro, before the classes: how much of that RAM it takes."""
READY, PREDICTED, FAILED = b"R", b"P", b"F"
NO_CLASS = 255  # for outputs that are no numbers
GAPS = ("processor time", "memory", "files", "processes", "system calls")
"""What may have stayed unlimited: bit i of the answer's second byte is ``GAPS[i]``."""
SIDE, CLASSES, MOST_REASON = 28, 10, 2_000


def main():
    """Read a job from standard input, answer on standard output, and end."""
    job = sys.stdin.buffer
    dtype, arena, images, warm_up, model, *limits = HEADER.unpack(job.read(HEADER.size))
    dtype = np.dtype(dtype.decode())
    codes = np.frombuffer(job.read(256 * dtype.itemsize), dtype)
    warm_up, model = job.read(warm_up), job.read(model)
    images = np.frombuffer(job.read(images * SIDE * SIDE), np.uint8)
    images = images.reshape(-1, SIDE, SIDE, 1)
    Interpreter(model_content=warm_up, num_threads=1).allocate_tensors()  # XNNPACK looks around
    if arena:
        runtime, heard = _micro_runtime()
    gaps = seal_process(*limits)
    os.write(1, READY + bytes([sum(1 << i for i, gap in enumerate(GAPS) if gap in gaps)]))
    try:
        if arena:
            answer = PREDICTED + micro_classes(runtime, heard, arena, model, images, codes)
        else:
            answer = PREDICTED + classes(model, images, codes).tobytes()
    except (RuntimeError, ValueError, MemoryError) as error:
        said = heard() if arena else b""
        answer = FAILED + (said + str(error).encode("utf-8", "replace"))[:MOST_REASON]
    while answer:
        answer = answer[os.write(1, answer) :]
    os._exit(0)


def classes(model, images, codes):
    """Run a model on pictures, one at a time if it lets us."""
    interpreter, batch = _interpreter(model)
    view = interpreter.tensor(interpreter.get_input_details()[0]["index"])
    output = interpreter.get_output_details()[0]
    answers = np.empty((len(images), CLASSES), output["dtype"])
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        view()[: len(part)] = codes[part]
        interpreter.invoke()
        answers[start : start + len(part)] = _outputs(interpreter, output, batch)[: len(part)]
    return _chosen(answers)


def _chosen(answers):
    nothing = np.isnan(answers.astype(np.float32)).any(axis=1)
    return np.where(nothing, NO_CLASS, answers.argmax(axis=1)).astype(np.uint8)


def _micro_runtime():
    """TensorFlow Lite Micro, and what tells what it has printed since it was last asked."""
    from tflite_micro import runtime

    told, said = os.pipe2(os.O_NONBLOCK)  # a file that says too much does not wait to be read
    os.dup2(said, 2)

    def heard():
        try:
            return os.read(told, 2**16)
        except BlockingIOError:
            return b""

    return runtime, heard


def micro_classes(runtime, heard, arena, model, images, codes):
    """How much RAM a model takes in TensorFlow Lite Micro, and its classes there, as bytes."""
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena)
    heard()  # only what follows is about the arena
    interpreter.print_allocations()
    parts = re.findall(rb"Arena allocation (?:head|tail) (\d+) bytes", heard())
    answers = []
    for image in images:
        interpreter.set_input(codes[image][None], 0)
        interpreter.invoke()
        answers.append(interpreter.get_output(0).reshape(CLASSES))
    return ARENA.pack(sum(map(int, parts))) + _chosen(np.stack(answers)).tobytes()


def _interpreter(model):
    """An interpreter that has run once, and how many pictures it takes a call."""
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
    values = interpreter.get_tensor(output["index"])
    if values.size != CLASSES * batch:
        raise ValueError(
            f"its output has the shape {list(values.shape)}; {CLASSES} numbers a picture are due"
        )
    return values.reshape(batch, CLASSES)
