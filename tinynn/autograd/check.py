"""check_gradients: is a gradient right? Compare it with derivatives that need no vjp, only values.

The vjp gives uᵀ ∂f/∂x for an upstream gradient u. The same number comes from values of f in one of two ways:

- Complex step: f(x + ih) = f(x) + ih f'(x) − h² f''(x)/2 ..., so f'(x) = Im f(x + ih) / h. Nothing is subtracted, so
  h may be 1e-30 and the result is exact to rounding (Squire & Trapp 1998). Every op in the graph must be analytic.
- Central differences, for abs, maximum and their like: D(h) = (f(x + h) − f(x − h)) / 2h has an error of order h². In
  (4 D(h/2) − D(h)) / 3 the h² cancels (Richardson), which leaves about 11 digits at h ≈ 7e-4. Where a kink lies within
  reach of h, slopes from two step sizes disagree: that element is skipped, and the report says so.

A checker that compares nothing is worse than none, so check_gradients raises when every element was skipped.
Read tinynn/testing.py next for the arrays to check with, and check_cli.py for `python -m tinynn check`.
"""
import inspect
import warnings
from dataclasses import dataclass, field
from typing import Callable

import numpy as np

from .backward import ancestors, grad
from .settings import no_grad
from .tensor import Leaf, Tensor

EPS = float(np.finfo(float).eps)
COMPLEX_STEP = 1e-30
CENTRAL_STEP = EPS ** 0.2               # balances what Richardson leaves, of order h⁴, and rounding, of order eps/h
TOLERANCE = {"complex-step": 1e-12, "central": 1e-8}       # relative to the largest derivative by the same argument
FLOAT32_TOLERANCE = 1e-3
KINK = 1e-6                             # slopes from two step sizes that differ by more, relatively, mean a kink


class GradientError(AssertionError):
    """A gradient that is wrong, or an op that breaks the contract of gradients. The message is a sentence."""


class NothingChecked(GradientError):
    """Every element lay at a kink, so nothing was compared."""


@dataclass
class CheckReport:
    """What check_gradients compared. skipped: (argument, index) of every element that lies at a kink.

    method: "complex-step" or "central". With order=2 both orders are counted, and method is that of the second.
    """
    checked: int = 0
    skipped: list = field(default_factory=list)
    method: str = ""


def check_gradients(f: Callable, *arrays, order: int = 1) -> CheckReport:
    """Check the gradients of f at a point, and raise GradientError with a sentence that says what is wrong.

    f: takes one Tensor for each array, and returns a Tensor of any shape; an op, for example.
    arrays: float arrays, by which f is differentiated, and int or bool arrays, which are constants. float32 arrays
        are checked in float64; in float32, the value and the gradients must keep their dtype, and be near.
    order: 1, or 2 to check the gradient of the gradient as well (the Hessian times a random direction).

    Also checked: f and its vjps write into no argument and not into the upstream gradient; gradients have the shapes
    and dtypes of their arguments, and share no memory. The upstream gradient is random, with a fixed seed.
    Values of about 1 are best: a derivative below some 1e-13, by central differences 1e-10, of the largest value or of 1 is
    lost in rounding, right or wrong.

        tn.check_gradients(lambda x: tn.tanh(x) / x, np.array([0.5, 2.0]))
    """
    if order not in (1, 2):
        raise ValueError(f"check_gradients: order is {order}; expected 1 or 2")
    given = [np.asarray(a) for a in arrays]
    if any(a.dtype.kind not in "biuf" for a in given) or not any(a.dtype.kind == "f" for a in given):
        raise TypeError(f"check_gradients: dtypes are {[str(a.dtype) for a in given]}; expected real numbers, and at "
                        "least one float array to differentiate by")
    subject = Subject(f, given)
    gradients = subject.check_contract(given)
    exact = [a.astype(float) if a.dtype.kind == "f" and a.dtype != float else a for a in given]
    if any(a.dtype != b.dtype for a, b in zip(given, exact)):
        rough, gradients = gradients, subject.gradients(exact)
        subject.check_near(rough, gradients)
    report = CheckReport()
    subject.check_first_order(exact, gradients, report)
    if order == 2:
        subject.check_second_order(exact, gradients, report)
    if report.skipped and not report.checked:
        raise NothingChecked(f"Nothing of {subject.name} could be checked: every element lies at a kink, where "
                             f"there is no derivative ({', '.join(f'{n}{list(i)}' for n, i in report.skipped[:5])}). "
                             "Choose other points.")
    return report


class Subject:
    """The function under test: its name, the names of its arguments, and the upstream gradient."""

    def __init__(self, f, arrays):
        name = getattr(f, "__name__", type(f).__name__)
        self.f, self.name = f, "the function" if name == "<lambda>" else name
        self.names = argument_names(f, len(arrays))
        self.smooth = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]      # the arguments to differentiate by

    def describe(self, arrays, y) -> str:
        shapes = ", ".join(f"{n} has shape {a.shape}" for n, a in zip(self.names, arrays))
        return f"{shapes}, the value has shape {y.shape}."

    def gradient_by(self, name) -> str:
        return f"The gradient of {self.name} with respect to {name}"

    # --- values and gradients --------------------------------------------------------------------

    def run(self, arrays):
        """Leaves that hold the arrays themselves, not copies (so that f meets their strides), and f of them."""
        xs = [Tensor._result(a, Leaf(a) if i in self.smooth else None) for i, a in enumerate(arrays)]
        y = self.f(*xs)
        if not isinstance(y, Tensor):
            raise TypeError(f"check_gradients: {self.name} returned a {type(y).__name__}; expected a Tensor")
        return [xs[i] for i in self.smooth], y

    def value(self, arrays) -> np.ndarray:
        with no_grad():
            return self.f(*(Tensor._result(a, None) for a in arrays)).data

    def gradients(self, arrays, create_graph=False) -> list:
        xs, y = self.run(arrays)
        return list(grad(y, xs, upstream(y.shape, y.dtype), create_graph=create_graph))

    # --- what every gradient must keep to ----------------------------------------------------------

    def check_contract(self, arrays) -> list:
        """Gradients at the arrays as they are, after a look at writes, shapes, dtypes and memory."""
        before = [a.copy() for a in arrays]
        xs, y = self.run(arrays)
        self.check_unwritten(f"{self.name} writes into its argument", arrays, before)
        u = upstream(y.shape, y.dtype)
        u_before = u.copy()
        gradients = grad(y, xs, u)
        self.check_unwritten(f"The vjp of {self.name} writes into the argument", arrays, before)
        if not np.array_equal(u, u_before):
            raise GradientError(f"The vjp of {self.name} writes into the upstream gradient g, which others may need; "
                                "it must build a new array.")
        dtype = np.result_type(*(arrays[i].dtype for i in self.smooth))
        if y.dtype != dtype:
            raise GradientError(f"{self.name} returns {y.dtype} for {dtype} arguments; a constant inside may "
                                "be promoting it (Python numbers do not, NumPy scalars and arrays do).")
        for k, (i, g) in enumerate(zip(self.smooth, gradients)):
            name, x = self.names[i], arrays[i]
            if g.shape != x.shape or g.dtype != x.dtype:
                raise GradientError(f"{self.gradient_by(name)} has shape {g.shape} and dtype {g.dtype}; {name} has "
                                    f"shape {x.shape} and dtype {x.dtype}, and they must be equal.")
            others = [(self.names[j], a) for j, a in enumerate(arrays)] + [("the upstream gradient", u)]
            others += [(f"the gradient by {self.names[j]}", other) for j, other in zip(self.smooth[:k], gradients)]
            for other, array in others:
                if np.shares_memory(g, array):
                    raise GradientError(f"{self.gradient_by(name)} shares memory with {other}: writing into one would "
                                        "change the other.")
        again = self.value([np.array(a, order="C") for a in arrays])        # the same, but contiguous in memory
        if again.shape != y.shape or not np.allclose(again, y.data, rtol=1e-5, atol=1e-6, equal_nan=True):
            raise GradientError(f"{self.name} returns different values for the same arguments: it draws random numbers,"
                                " or its value depends on how the arrays lie in memory.")
        return gradients

    def check_unwritten(self, sentence, arrays, before):
        for name, a, b in zip(self.names, arrays, before):
            if not np.array_equal(a, b, equal_nan=a.dtype.kind == "f"):
                raise GradientError(f"{sentence} {name}; it must build a new array.")

    def check_near(self, rough, exact):
        """float32 gradients must be the float64 ones, but for rounding."""
        for i, r, e in zip(self.smooth, rough, exact):
            if not np.allclose(r, e, rtol=FLOAT32_TOLERANCE, atol=FLOAT32_TOLERANCE * np.max(np.abs(e), initial=0.0)):
                raise GradientError(f"{self.gradient_by(self.names[i])} is {r} in float32, but {e} in float64: more "
                                    "than rounding.")

    # --- the comparison ------------------------------------------------------------------------------

    def check_first_order(self, arrays, gradients, report):
        y = self.run(arrays)[1]
        self.compare(self.value, [upstream(y.shape)], gradients, arrays, report, is_analytic([y]),
                     f"The gradient of {self.name}", self.describe(arrays, y))

    def check_second_order(self, arrays, gradients, report):
        """Compare d(Σ vᵢᵀ gᵢ)/dx, for a random v, with numeric derivatives of the first-order gradients g."""
        xs, y = self.run(arrays)
        gs = grad(y, xs, upstream(y.shape), create_graph=True)
        for i, g, expected in zip(self.smooth, gs, gradients):
            if not np.allclose(g.data, expected, rtol=1e-9, atol=1e-9 * np.max(np.abs(expected), initial=0.0)):
                raise GradientError(f"{self.gradient_by(self.names[i])} is {expected}, but {g.data} with create_graph: "
                                    "a vjp gives one thing for arrays and another for Tensors.")
        vs = [upstream(g.shape, seed=1 + k) for k, g in enumerate(gs)]
        second = [np.zeros(x.shape) for x in xs]
        for g, v in zip(gs, vs):
            if g.requires_grad:
                second = [s + part for s, part in zip(second, grad(g, xs, v, retain_graph=True))]
        self.compare(lambda at: np.concatenate([g.ravel() for g in self.gradients(at)]), vs, second, arrays, report,
                     is_analytic([y, *gs]), f"The gradient of the gradient of {self.name}", self.describe(arrays, y)
                     + " The gradient itself is right.")

    def compare(self, values, weights, gradients, arrays, report, analytic, subject, shapes):
        """Compare gradients of Σ weights · values(arrays) with numeric ones; add to the report, or raise."""
        weights = np.concatenate([w.ravel() for w in weights])
        base = values(arrays).ravel()
        exact = analytic and complex_step_holds(values, arrays, self.smooth, base)
        report.method = "complex-step" if exact else "central"
        for i, gradient in zip(self.smooth, gradients):
            name, x = self.names[i], arrays[i]
            numeric, compared, scale = np.zeros(x.shape), np.ones(x.shape, bool), 0.0
            for index in np.ndindex(x.shape):
                direction = [np.zeros(a.shape) if j in self.smooth else None for j, a in enumerate(arrays)]
                direction[i][index] = 1.0
                if exact:
                    slopes, kink = complex_step(values, arrays, direction), False
                else:
                    slopes, kink = central(values, arrays, direction, base, CENTRAL_STEP * max(1.0, abs(x[index])))
                if kink:
                    compared[index] = False
                    report.skipped.append((name, index))
                    continue
                numeric[index] = weights @ slopes
                scale = max(scale, np.abs(weights) @ np.abs(slopes))
                if not np.isfinite(numeric[index]):
                    raise GradientError(f"{subject} with respect to {name} cannot be checked at index {index}: the "
                                        f"numeric derivative is {numeric[index]}, so the function is not finite at or "
                                        f"beside {name}{list(index)} = {x[index]:.6g}. {shapes}")
            # Rounding leaves an error of a few eps of the largest number met; differences divide it by their step.
            largest = max(1.0, *(np.max(np.abs(a), initial=0.0) for a in (base, x)))
            rounding = 64 * EPS * largest / (1.0 if exact else CENTRAL_STEP)
            error = np.where(compared, np.abs(gradient - numeric), 0.0)
            report.checked += int(compared.sum())
            if not (error <= TOLERANCE[report.method] * scale + rounding).all():
                error[np.isnan(error)] = np.inf
                index = tuple(int(k) for k in np.unravel_index(np.argmax(error), error.shape))      # the worst one
                a, n = gradient[index], numeric[index]
                relative = abs(a - n) / max(abs(a), abs(n))
                raise GradientError(f"{subject} with respect to {name} is wrong at index {index}: the vjp gives "
                                    f"{a:.12g}, {METHODS[report.method]} {n:.12g} (relative error {relative:.2g}). "
                                    + shapes)


METHODS = {"complex-step": "the complex-step derivative is", "central": "the central difference is"}


def moved(arrays, direction, t) -> list:
    """arrays + t · direction; a direction of None is a constant argument."""
    return [a if d is None else np.asarray(a + t * d) for a, d in zip(arrays, direction)]


def complex_step(values, arrays, direction) -> np.ndarray:
    """The derivatives of values along a direction, exact to rounding if values is analytic."""
    return values(moved(arrays, direction, 1j * COMPLEX_STEP)).imag.ravel() / COMPLEX_STEP


def central(values, arrays, direction, base, h):
    """The same by differences of step h, and whether a kink was met. base: values(arrays)."""
    def measure(h):
        with np.errstate(all="ignore"):                     # what is not finite is reported by compare
            up, down, half_up, half_down = (values(moved(arrays, direction, t)).ravel() for t in (h, -h, h / 2, -h / 2))
        slopes = (4 * (half_up - half_down) / h - (up - down) / (2 * h)) / 3
        bend = (up - 2 * base + down) / h                   # slope on the right − slope on the left; h f'' if smooth
        return slopes, bend, np.maximum(np.abs(up - base), np.abs(base - down)) / h

    slopes, bend, size = measure(h)
    close_slopes, close_bend, close_size = measure(h / 8)
    allowed = KINK * np.maximum(size, close_size) + 1e6 * EPS * np.max(np.abs(base), initial=0.0)
    # Beside a kink the slopes change with h. On top of it they may not, but the bend does not shrink with h.
    kink = (np.abs(slopes - close_slopes) > allowed) | (np.abs(bend - 8 * close_bend) > allowed)
    return slopes, bool(kink.any())


def complex_step_holds(values, arrays, smooth, base) -> bool:
    """Does values take complex numbers, and agree with differences along one random direction?

    An op such as x / (1 + np.abs(x)), declared analytic by mistake, takes complex numbers, too, and has some other
    derivative there: a wrong vjp could agree with that.
    """
    direction = [upstream(a.shape, seed=7) if i in smooth else None for i, a in enumerate(arrays)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)        # the imaginary part was dropped
        try:
            exact = complex_step(values, arrays, direction)
        except (TypeError, np.exceptions.ComplexWarning):
            return False
    slopes, _ = central(values, arrays, direction, base, CENTRAL_STEP / 10)
    allowed = 1e-5 * np.max(np.abs(slopes), initial=0.0) + 1e7 * EPS * np.max(np.abs(base), initial=0.0)
    return not np.isfinite(slopes).all() or bool((np.abs(exact - slopes) <= allowed).all())


def is_analytic(tensors) -> bool:
    """Is every op in the graphs of these Tensors declared analytic?"""
    roots = (t._node for t in tensors if t._node is not None and type(t._node) is not Leaf)
    return all(node.op.analytic for root in roots for node in ancestors(root))


def upstream(shape, dtype=float, seed=0) -> np.ndarray:
    """Random numbers from ±[0.5, 1.5], so that no output is neglected; in Fortran order, which a vjp must cope with."""
    u = np.random.default_rng(seed).uniform(-1.0, 1.0, shape[::-1])
    return np.asarray(u + np.copysign(0.5, u), dtype).T


def argument_names(f, n) -> list:
    """The names of the first n arguments of f; xs[0], xs[1], ... for f(*xs)."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):                         # some callables have no signature
        return [f"argument {i}" for i in range(n)]
    names = [p.name for p in parameters if p.kind is not inspect.Parameter.VAR_POSITIONAL]
    names += [f"{p.name}[{i}]" for p in parameters if p.kind is inspect.Parameter.VAR_POSITIONAL for i in range(n)]
    return names[:n]
