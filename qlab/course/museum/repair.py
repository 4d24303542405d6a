"""An exercise whose starter is a whole pipeline that runs, and is wrong."""

import ast
import inspect
import textwrap

from qlab.lessons.exercises import Finding
from qlab.lessons.judges import Stopped, no_function, run
from qlab.system.output import quiet

AS_FOUND = "This is the exhibit as it was found. Measure it, then mend it."


def for_repair(broken, judge):
    """Judge a mended function by what it does; the exhibit as found is not an attempt."""

    def judged(answer):
        if not callable(answer):
            return no_function(answer)
        if same_code(answer, broken):
            return Finding(attempted=False, note=AS_FOUND)
        return judge(answer)

    return judged


def same_code(one, other):
    """Tell whether two functions are written alike; layout and comments aside."""
    written = [_tree(function) for function in (one, other)]
    return None not in written and written[0] == written[1]


def _tree(function):
    """Arguments and body of a function as text; None if its source is not to be had."""
    try:
        node = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError):
        return None
    if not isinstance(node, ast.FunctionDef):
        return None
    return ast.dump(node.args), [ast.dump(line) for line in node.body]


def attempt(answer, *args):
    """Call the learner's function quietly."""
    with quiet():
        got = run(answer, args, copies=False)
    if isinstance(got, Stopped):
        return got, Finding(f"Your function stopped with {got.words}")
    if got is None or got is Ellipsis:
        return got, Finding("Your function returned nothing.", "Does every path end in a return?")
    return got, None
