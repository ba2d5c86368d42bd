"""python -m tinynn check FILE.py::FUNCTION: property-test an @tn.op of your own, with no test written.

Draws arguments as the op's `shapes` and `domain` say: every mix of 0-d, size 0, size 1, broadcasting, memory layout and
float32. Checks values and gradients, first of order 1, then of order 2, with check_gradients. When one is wrong,
Hypothesis shrinks it to the smallest shape that shows it.

Exit code: 0 if all is right, 1 if something is wrong with the op, 2 if there is no such op to check.
"""
import argparse
import importlib.util
import inspect
import sys
import textwrap
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

from .. import testing
from .check import GradientError, NothingChecked, check_gradients
from .op import Op

CASES = 100
QUIET = settings(max_examples=CASES, deadline=None, derandomize=True, database=None, print_blob=False,
                 report_multiple_bugs=False, suppress_health_check=list(HealthCheck),
                 phases=(Phase.generate, Phase.shrink))
SECOND_ORDER_HINT = """\
Ordinary training would work, but Hessians, and all that uses create_graph=True, would be wrong. Usual causes: the vjp
uses `saved`, a constant, for what depends smoothly on the arguments (compute it again from the arguments or y), or it
calls NumPy where an operator or a tn function would keep track."""


class NotAnOp(Exception):
    """There is nothing to check; the message says why."""


class Wrong(Exception):
    """An op that fails for `arrays`: `problem` is the sentence."""

    def __init__(self, problem, arrays):
        super().__init__(problem)
        self.problem, self.arrays = problem, arrays


def main(argv: list) -> int:
    """Run the command with these arguments; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tinynn check", description="Property-test an @tn.op of your own.")
    parser.add_argument("target", metavar="FILE.py::FUNCTION")
    target = parser.parse_args(argv).target
    try:
        op = load(target)
    except NotAnOp as error:
        print(f"{target}: {error}", file=sys.stderr)
        return 2
    for order in (1, 2):
        try:
            seen = search(op, order)
        except Wrong as wrong:
            print(explain(op, order, wrong))
            return 1
        kinds = ", ".join(f"{seen[kind]} {kind}" for kind in KINDS if seen[kind])
        print(f"{op.name}: {SUBJECTS[order]} right in {seen['cases']} cases ({kinds})")
    return 0


KINDS = ("0-d", "size 0", "size 0 refused", "size 1", "broadcast", "not contiguous", "float32", "at a kink")
SUBJECTS = {1: "the gradient is", 2: "the gradient of the gradient is"}


def explain(op: Op, order: int, wrong: Wrong) -> str:
    """What is wrong, in words, and the smallest counterexample."""
    lines = [f"{op.name}: WRONG" + (", at second order only" if order == 2 else ""), "",
             textwrap.fill(wrong.problem, 100, break_long_words=False), "", "The smallest counterexample found:"]
    for name, a in zip(op.names, wrong.arrays):
        values = np.array2string(a, separator=", ", prefix=" " * (len(name) + 7))
        lines.append(f"    {name} = {values}    shape {a.shape}, {a.dtype}"
                     + ("" if a.flags.c_contiguous else ", not contiguous"))
    return "\n".join(lines + (["", SECOND_ORDER_HINT] if order == 2 else []))


def load(target: str) -> Op:
    """The op that FILE.py::FUNCTION names; NotAnOp if there is none that can be checked."""
    path, _, name = target.partition("::")
    if not name:
        raise NotAnOp("expected FILE.py::FUNCTION, such as my_ops.py::softsign")
    if not Path(path).is_file():
        raise NotAnOp(f"there is no file {path}")
    if Path(path).suffix != ".py":
        raise NotAnOp(f"{path} is not a Python file; its name must end in .py")
    file, package = Path(path).resolve(), Path(__file__).resolve().parents[1]
    sys.path.insert(0, str(file.parent))                         # what the file imports may lie beside it
    try:
        if package in file.parents:                              # one of tinynn's own, with relative imports
            module = importlib.import_module(".".join(file.relative_to(package.parent).with_suffix("").parts))
        else:
            spec = importlib.util.spec_from_file_location(f"checked_{file.stem}", file)
            module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
    except SyntaxError as error:
        raise NotAnOp(f"syntax error in {error.filename}, line {error.lineno}: {error.msg}") from error
    except Exception as error:
        raise NotAnOp(f"importing {path} failed: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    return checkable(getattr(module, name, None), name, path, module)


def checkable(op, name, path, module) -> Op:
    """op, if it is an Op that can be checked; raises NotAnOp, which says what there is instead."""
    if op is None:
        ops = [n for n, value in vars(module).items() if isinstance(value, Op)]
        raise NotAnOp(f"{path} has no {name}" + (f"; its ops are {', '.join(ops)}" if ops else ", and no op at all"))
    if not isinstance(op, Op):
        raise NotAnOp(f"{name} is a {type(op).__name__}, not an op; put @tn.op above its def")
    if op.vjp_function is None:
        raise NotAnOp(f"{name} has no vjp, so there is no gradient to check; add one below it with @{name}.vjp")
    domains = op.domain if isinstance(op.domain, tuple) else (op.domain,)
    if not set(domains) <= set(testing.DOMAINS):
        raise NotAnOp(f"{name} has domain={op.domain!r}; expected {', '.join(testing.DOMAINS)}, or a tuple of these")
    if op.variadic:
        raise NotAnOp(f"{name} takes any number of arguments (*{op.names[-1]}), which `shapes` cannot describe; "
                      "write a test with tn.check_gradients")
    drawn = len(testing.differentiated(op))
    missing = [n for n, default in zip(op.names[drawn:], op.defaults[drawn:]) if default is inspect.Parameter.empty]
    if missing:
        raise NotAnOp(f"{name} needs {', '.join(missing)}, for which nothing can be drawn; give it a default, or "
                      "write a test with tn.check_gradients")
    if drawn == 0:
        raise NotAnOp(f"{name} has no argument to differentiate by: all have defaults")
    return op


def search(op: Op, order: int) -> Counter:
    """Check `op` on many drawn arguments; what was seen, or Wrong with the smallest counterexample."""
    seen, last = Counter(), [None]

    @QUIET
    @given(testing.arguments(op))
    def check(arrays):
        last[0] = [np.copy(array) for array in arrays]          # the op may write into them
        seen.update(check_case(op, arrays, order))

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)         # what is not finite is found by the comparison
            check()
    except GradientError as error:
        raise Wrong(str(error), last[0]) from error
    except Exception as error:
        raise Wrong(f"{op.name} raised {type(error).__name__}: {error}", last[0]) from error
    if seen["cases"] == seen["at a kink"] + seen["size 0"] + seen["size 0 refused"]:
        raise Wrong("No gradient was compared: every point drawn lies at a kink.", last[0])
    return seen


def check_case(op: Op, arrays: list, order: int) -> list:
    """Check one case; return the kinds it belongs to."""
    empty = any(a.size == 0 for a in arrays)
    try:
        op(*arrays)
    except ValueError:
        if empty and not op.elementwise:                    # max of nothing, say, is rightly an error
            return ["cases", "size 0 refused"]
        raise
    try:
        check_gradients(op, *arrays, order=order)
    except NothingChecked:
        return ["cases", "at a kink"]
    kinds = {"0-d": any(a.ndim == 0 for a in arrays), "size 0": empty,
             "size 1": any(a.size == 1 and a.ndim for a in arrays),
             "broadcast": op.elementwise and len({a.shape for a in arrays}) > 1,
             "not contiguous": any(not a.flags.c_contiguous for a in arrays),
             "float32": any(a.dtype == np.float32 for a in arrays)}
    return ["cases", *(kind for kind, applies in kinds.items() if applies)]
