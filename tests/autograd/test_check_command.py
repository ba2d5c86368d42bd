"""python -m tinynn check FILE.py::FUNCTION."""
import subprocess
import sys

import pytest

from tinynn.autograd.check_cli import main

HEADER = "import numpy as np\nimport tinynn as tn\n"
RIGHT = HEADER + """
@tn.op(analytic=False)
def softsign(x):
    return x / (1 + np.abs(x))

@softsign.vjp
def _(g, x):
    return g / (1 + tn.abs(x)) ** 2
"""


@pytest.fixture
def run(tmp_path, capsys):
    """Check an op of a file with this text; the exit code and what was printed."""
    def run(text, name):
        path = tmp_path / "mine.py"
        path.write_text(text)
        code = main([f"{path}::{name}"])
        printed = capsys.readouterr()
        return code, printed.out + printed.err
    return run


def test_right_op(run):
    code, text = run(RIGHT, "softsign")
    assert code == 0
    for part in ("the gradient is right in 100 cases", "the gradient of the gradient is right", " 0-d", " size 0",
                 " size 1", " not contiguous", " float32"):
        assert part in text


def test_wrong_gradient_shrinks_to_one_number(run):
    code, text = run(RIGHT.replace("** 2", "** 3"), "softsign")
    assert code == 1
    assert "The gradient of softsign with respect to x is wrong at index ()" in text and "shape (), float64" in text


def test_second_order_alone(run):
    code, text = run(HEADER + """
@tn.op
def square(x):
    return tn.saved(x * x, 2 * x)

@square.vjp
def _(g, saved):
    return g * saved
""", "square")
    assert code == 1
    assert "WRONG, at second order only" in text and "Ordinary training would work" in text and "`saved`" in text


def test_vjp_that_cannot_run_on_tensors(run):
    code, text = run(HEADER + """
@tn.op
def tan(x):
    return np.tan(x)

@tan.vjp
def _(g, x):
    return g / np.cos(x) ** 2 + 0 * np.arctan(x)
""", "tan")
    assert code == 1 and "at second order only" in text and "np.arctan has no differentiable counterpart" in text


BROADCAST = HEADER + """
@tn.op
def scale(x, w):
    return x * w

@scale.vjp
def _(g, x, w):
    return g * w, BY_W
"""


@pytest.mark.parametrize("by_w, code, part", [
    ("g * x", 0, " broadcast"),
    ("np.broadcast_to((g * x).sum(), np.shape(w))", 1, "with respect to w is wrong"),
])
def test_broadcasting(run, by_w, code, part):
    got, text = run(BROADCAST.replace("BY_W", by_w), "scale")
    assert got == code and part in text


def test_shapes_and_domain(run):
    text = HEADER + """
@tn.op(shapes="(n,k),(k)->(n)", domain=("real", "positive"))
def weighted(x, w, bias=1.0):
    return np.log(w) @ x.T + bias

@weighted.vjp
def _(g, x, w):
    n, k = np.shape(x)
    return tn.reshape(g, (n, 1)) * tn.log(w), FACTOR * (g @ x) / w
"""
    assert run(text.replace("FACTOR", "1"), "weighted")[0] == 0
    code, printed = run(text.replace("FACTOR", "2"), "weighted")
    assert code == 1 and "shape (1, 1), float64" in printed and "shape (1,), float64" in printed


def test_float32_and_layout_and_empty(run):
    def op(body):
        return HEADER + f"@tn.op\ndef f(x):\n    {body}\n\n@f.vjp\ndef _(g):\n    return 2.0 * g\n"

    assert run(op("return 2.0 * x"), "f")[0] == 0
    code, text = run(op("return x * np.array([2.0])[0]"), "f")
    assert code == 1 and "returns float64 for float32" in text and "float32" in text
    code, text = run(op("return 2.0 * x.ravel('K').reshape(x.shape)"), "f")
    assert code == 1 and "not contiguous" in text and "how the arrays lie in memory" in text
    code, text = run(op("return 2.0 * x if x.max() > -100 else x"), "f")
    assert code == 1 and "shape (0,)" in text and "zero-size array" in text
    code, text = run(op("return 2.0 * x[:]"), "f")
    assert code == 1 and "f raised IndexError" in text and "shape ()" in text


@pytest.mark.parametrize("text, name, part", [
    (RIGHT, "softsing", "has no softsing; its ops are softsign"),
    (RIGHT, "np", "np is a module, not an op"),
    (HEADER + "def f(x):\n    return x", "f", "f is a function, not an op; put @tn.op above its def"),
    (HEADER + "@tn.op\ndef f(x):\n    return x", "f", "f has no vjp"),
    (HEADER + "def f(x:\n", "f", "syntax error in"),
    (HEADER + "1 / 0", "f", "ZeroDivisionError"),
    (RIGHT.replace("analytic=False", "domain='odd'"), "softsign", "domain='odd'"),
    (RIGHT.replace("(x)", "(*xs)").replace("(g, x)", "(g)"), "softsign", "any number of arguments"),
    (RIGHT.replace("softsign(x)", "softsign(x=1.0)"), "softsign", "no argument to differentiate by"),
    (RIGHT.replace("analytic=False", "shapes='(n)->(n)'").replace("softsign(x)", "softsign(x, k)"), "softsign",
     "softsign needs k"),
])
def test_nothing_to_check(run, text, name, part):
    code, printed = run(text, name)
    assert code == 2 and part in printed


def test_missing_file_and_function(capsys):
    assert main(["nowhere.py::f"]) == 2 and main([__file__]) == 2
    printed = capsys.readouterr().err
    assert "there is no file nowhere.py" in printed and "expected FILE.py::FUNCTION" in printed


def test_from_the_shell(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(RIGHT)
    command = [sys.executable, "-m", "tinynn", "check", f"{path}::softsign"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "right in 100 cases" in done.stdout


def test_ops_of_tinynn_itself_and_files_with_dataclasses(run, capsys):
    from tinynn.ops import elementary
    assert main([f"{elementary.__file__}::tanh"]) == 0
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n" + RIGHT
    assert run(text + "\n@dataclass\nclass Kept:\n    x: int\n", "softsign")[0] == 0
