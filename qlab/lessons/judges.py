"""How answers are judged: run them, compare with the reference, recognise classic mistakes."""

import copy
import inspect
import io
import linecache
import traceback
from contextlib import redirect_stdout
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from qlab.lessons.exercises import Finding, untouched

NONE = MappingProxyType({})


@dataclass(frozen=True)
class Stopped:
    """An exception in the learner's code, in words."""

    words: str


def numbers(value):
    """What was given as an array of float64, or None: text is no number, whatever it spells."""
    try:
        array = np.asarray(value)
        return None if _has_text(array) or array.dtype.kind == "c" else array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return None


def _has_text(array):
    return array.dtype.kind in "SU" or any(
        isinstance(v, (str, bytes)) for v in (array.flat if array.dtype == object else ())
    )


def close(expected, got):
    """Tell whether two answers are the same numbers; an array may have axes of length 1 more."""
    rtol = 0 if np.asarray(expected).dtype.kind in "iu" else 1e-4
    expected, got = numbers(expected), numbers(got)
    if expected is None or got is None or (got.ndim and not expected.ndim):
        return False
    expected, got = np.squeeze(expected), np.squeeze(got)
    return expected.shape == got.shape and bool(np.allclose(got, expected, rtol=rtol, atol=1e-7))


def like(*wrong):
    """Return a test for a mistake: the answer equals what one of the functions `wrong` returns."""
    return lambda args, got: any(close(function(*args), got) for function in wrong)


def show(value):
    """Write a value briefly, the same on every machine."""
    if isinstance(value, Stopped):
        return value.words
    if value is None:
        return "None (does every path return something?)"
    if isinstance(value, (str, bytes)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        written = ", ".join(show(v) for v in value)
        return f"[{written}]" if isinstance(value, list) else f"({written})"
    if isinstance(value, np.ndarray) and value.ndim:
        if value.ndim > 2 or value.size > 16:
            return f"{value.dtype} array of shape {value.shape}"
        return np.array2string(value, precision=6, suppress_small=True, separator=", ")
    if isinstance(value, (float, np.floating, np.ndarray)) and np.isrealobj(value):
        return f"{float(value):.6g}"
    return str(value)


def for_function(reference, cases, *, same=None, mistakes=NONE, read=lambda got: got):
    """Judge a function by running it beside the reference.

    ``mistakes`` has a test for each mistake by its name; content.toml has the words for the name.
    """
    same = same or (lambda args, expected, got: close(expected, got))

    def judge(answer):
        if not callable(answer):
            return no_function(answer)
        runs = [(args, run(answer, args, read)) for args in cases]
        if untouched(runs[0][1]):
            return _unreturned(reference, answer, cases[0])
        truths = [read(reference(*copy.deepcopy(args))) for args in cases]
        failing = [
            (args, truth, got)
            for (args, got), truth in zip(runs, truths, strict=True)
            if isinstance(got, Stopped) or not same(args, truth, got)
        ]
        if not failing:
            return Finding()
        return Finding(describe(reference, *failing[0]), recognise(mistakes, failing))

    judge.mistakes = mistakes
    return judge


def no_function(answer):
    """What to say of an answer that is no function, where one is asked for."""
    return Finding(
        f"This check needs the function itself, and got {show(answer)}.",
        "Give the name of your function, without brackets after it.",
    )


def for_number(reference, *, mistakes=NONE):
    """Judge a number against the reference, called when the answer is checked."""

    def judge(answer):
        if callable(answer):
            return Finding(
                "This check needs a number, and got a function.",
                "Call your function, and give what it returns.",
            )
        truth = reference()
        if close(truth, answer):
            return Finding()
        return Finding(f"Got {show(answer)}.", recognise(mistakes, [((), truth, answer)]))

    judge.mistakes = mistakes
    return judge


def run(answer, args, read=lambda got: got, copies=True):
    """Call the learner's function on copies; an exception comes back as `Stopped`."""
    try:
        got = answer(*(copy.deepcopy(args) if copies else args))
        return got if untouched(got) else read(got)
    except NotImplementedError:
        return None
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        mine = getattr(getattr(answer, "__code__", None), "co_filename", None) == frame.filename
        line = linecache.getline(frame.filename, frame.lineno).strip() if mine else ""
        where = f"\nin the line: {line}" if line else ""
        return Stopped(f"{type(error).__name__}: {error}{where}")


def _unreturned(reference, answer, args):
    """What to say of a function that returns nothing: not begun, or it prints its answer."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        run(answer, args)
    said = printed.getvalue().strip()
    if not said or said not in (str(truth := reference(*copy.deepcopy(args))), show(truth)):
        return Finding(attempted=False, note="Your function returns nothing so far.")
    return Finding(
        "Your function prints its answer, and returns nothing.",
        "print shows a value to you; return hands it to the code that called. Write return.",
    )


def describe(reference, args, expected, got):
    """Say which input failed, what was expected, what came."""
    names = inspect.signature(reference).parameters
    given = ", ".join(f"{name} = {show(a)}" for name, a in zip(names, args, strict=False))
    if isinstance(got, Stopped):
        return f"For {given}\nyour function stopped with {got.words}"
    return f"For {given}\n{_compared(expected, got)}"


def _compared(expected, got):
    """What was expected and what came; of arrays too large to show, how they differ."""
    shown = f"expected {show(expected)}\ngot {show(got)}"
    arrays = numbers(expected), numbers(got)
    if "array of shape" not in shown or any(array is None for array in arrays):
        return shown
    expected, got = map(np.squeeze, arrays)
    if expected.shape != got.shape:
        shapes = (show(x) if not x.ndim else f"an array of shape {x.shape}" for x in arrays)
        return "expected {}\ngot {}".format(*shapes)
    places = np.argwhere(~np.isclose(got, expected, rtol=1e-4, atol=1e-7))
    if not len(places):  # it is the type that differs
        return shown
    first = tuple(places[0])
    place = ", ".join(map(str, first))
    values = (f"{x[first]:.6g}" for x in (expected, got))
    return "the first difference is at [{}]\nexpected {}\ngot {}".format(place, *values)


def recognise(mistakes, failing):
    """Name the first mistake that explains every failing case, or say it of a form; or ''."""
    for name, looks_like in mistakes.items():
        if all(_fits(looks_like, args, got) for args, _, got in failing):
            return name
    for words, looks_like in FORMS.items():
        if all(looks_like(truth, got) for _, truth, got in failing):
            return words
    return ""


def _is_text(expected, got):
    """Text where numbers were expected."""
    try:
        return numbers(expected) is not None and _has_text(np.asarray(got))
    except ValueError:  # lists of unequal length
        return False


def _is_float64(expected, got):
    """Images that arithmetic has made float64, given to a model."""
    return isinstance(got, Stopped) and "images are float64" in got.words


def _is_boxed(expected, got):
    """One number in a list or an array, where a number was expected."""
    wanted, got = numbers(expected), numbers(got)
    return not (wanted is None or got is None) and not wanted.ndim and got.ndim and got.size == 1


FORMS = {
    "This is text, and a number is asked for. Give the number itself, without quotes around it and "
    "without str() or an f-string.": _is_text,
    "Dividing makes float64, which no model here takes. Give the images as they came, because qlab "
    "scales them, or add .astype(np.float32).": _is_float64,
    "The number is in a list or an array. Give the number itself, without the brackets.": _is_boxed,
}


def _fits(looks_like, args, got):
    return not isinstance(got, Stopped) and bool(looks_like(args, got))
