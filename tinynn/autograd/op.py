"""@op: a function, its vjp (vector-Jacobian product), and the registry of all ops.

    @op
    def tanh(x):
        return np.tanh(x)

    @tanh.vjp
    def _(g, y, x):                     # g = dL/dy, an array like y; the result is dL/dx
        return g * (1 - y * y)

The function sees plain arrays only. The vjp is written in operators and ops, which take arrays and Tensors alike:
the ordinary sweep runs it on arrays; with `create_graph=True` it runs on Tensors, so that the gradient remembers how
it was computed, and can be differentiated again.

The contract of a vjp:
- It names what it needs: `g`, then any of `y` (the value), the op's arguments, and `saved`, which the function hands
  over with `return saved(value, anything)`. Only what is named is kept alive until the backward sweep.
- It returns one gradient, or a tuple in the order of the arguments (for an op with *xs: one for each x); None where
  there is none. A function of no arguments, `lambda: g * b`, is called only if somebody needs that gradient.
- A broadcast argument needs no care: the sweep sums each gradient to its argument's shape, and casts it to its dtype.
- For Jacobians g may have one more axis in front, for examples, where an elementwise op was applied to parameters alone.
  Operators and ops broadcast; to a loop over elements give np.broadcast_to(y, g.shape).
- Where it calls such a loop, which takes no Tensors, it asks `isinstance(g, Tensor)` first, and does the same in ops then
  (`reference_vjp` in backward.py does that for a whole function).
- `saved` is a constant (a mask, an index): what depends smoothly on the arguments is computed again in the vjp,
  or second derivatives would miss it. The checker's `order=2` tells.

Read backward.py next.
"""
import inspect
from operator import itemgetter

import numpy as np

from .settings import settings
from .tensor import Tensor, clock

registry = {}          # "module.name" -> Op: every op, so that one test can check them all


class Node:
    """How one Tensor was computed.

    parents: for each argument a Node, a Leaf, or None for a constant. kept: what the vjp named, in its order; None once
    freed. shape, dtype: of the value. serial: Nodes are numbered as they are made; backward.py says what for.
    """
    __slots__ = ("op", "parents", "kept", "shape", "dtype", "serial")

    def __init__(self, op, parents, kept, y):
        self.op = op
        self.parents = parents
        self.kept = kept
        self.shape = y.shape
        self.dtype = y.dtype
        self.serial = next(clock)


class Saved(tuple):
    """What `saved` returns; see the contract."""


def saved(value, aux):
    """Return this from an op's function to hand `aux` (a mask, indices) to its vjp, under the name `saved`."""
    return Saved((value, aux))


class Op:
    """A function that can be differentiated; made by @op, which documents the arguments."""

    def __init__(self, function, shapes=None, domain="real", analytic=True, rule=None):
        self.function, self.shapes, self.domain, self.analytic, self.rule = function, shapes, domain, analytic, rule
        self.name, self.__name__, self.__doc__ = function.__name__, function.__name__, function.__doc__
        self.__module__, self.__wrapped__ = function.__module__, function
        parameters = list(inspect.signature(function).parameters.values())
        self.names = [p.name for p in parameters]
        self.defaults = [p.default for p in parameters]
        self.variadic = bool(parameters) and parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL
        self.arity = -1 if self.variadic else len(parameters)
        self.offset = len(parameters) - 1 if self.variadic else 0       # of the first x in f(setting, *xs)
        self.vjp_function = self.rows_function = None
        self.plan, self.keep = (), None

    @property
    def elementwise(self):
        return self.shapes is None

    def vjp(self, function):
        """Decorator: `function(g, ...)` computes the gradients; see the contract at the top of this file."""
        wanted = [p.name for p in inspect.signature(function).parameters.values()]
        known = {"y": -2, "saved": -1, **{name: i for i, name in enumerate(self.names)}}
        if self.variadic:
            known[self.names[-1]] = slice(self.offset, -2)
        unknown = [name for name in wanted[1:] if name not in known]
        if not wanted or wanted[0] != "g" or unknown:
            raise TypeError(f"the vjp of {self.name} takes ({', '.join(wanted)}); it must take g first, then any of "
                            f"{', '.join(known)}")
        self.plan = tuple(known[name] for name in wanted[1:])
        if len(self.plan) > 1:
            self.keep = itemgetter(*self.plan)
        elif self.plan:
            self.keep = lambda values, i=self.plan[0]: (values[i],)
        else:
            self.keep = lambda values: ()
        self.vjp_function = function
        return function

    def per_example(self, function):
        """Decorator: the vjp for per-example Jacobians, where the op is not elementwise. See jacobian.py.

        It has the vjp's parameters, in its order; g and what the op was given have the examples in front, (B, ...). For an
        argument without an axis for the examples it returns (B, *the argument's shape); the others are not looked at.
        """
        if self.vjp_function is None:
            raise TypeError(f"the per_example rule of {self.name} comes before its vjp; write that first")
        wanted, given = (list(inspect.signature(f).parameters) for f in (self.vjp_function, function))
        if given != wanted:
            raise TypeError(f"the per_example rule of {self.name} takes ({', '.join(given)}); expected those of its vjp, "
                            f"({', '.join(wanted)})")
        self.rows_function = function
        return function

    def bind(self, args, kwargs):
        """Arguments in the order of the function's signature, defaults filled in."""
        if self.variadic:
            if kwargs:
                raise TypeError(f"{self.name}: unexpected keyword {', '.join(kwargs)}")
            return args
        values = list(args) + self.defaults[len(args):]
        for name, value in kwargs.items():
            if name not in self.names[len(args):]:
                raise TypeError(f"{self.name}: unexpected or repeated argument {name}; takes {', '.join(self.names)}")
            values[self.names.index(name)] = value
        missing = [n for n, v in zip(self.names, values) if v is inspect.Parameter.empty]
        if missing or len(values) > len(self.names):
            raise TypeError(f"{self.name} takes ({', '.join(self.names)}); "
                            + (f"{', '.join(missing)} missing" if missing else f"{len(values)} given"))
        return values

    def __call__(self, *args, **kwargs):
        if kwargs or len(args) != self.arity:
            args = self.bind(args, kwargs)
        values, parents, record, tensors = [], [], False, False
        for arg in args:
            if isinstance(arg, Tensor):
                tensors = True
                values.append(arg._data)
                parents.append(arg._node)
                if arg._node is not None:
                    record = True
            else:
                values.append(np.asarray(arg) if type(arg) is list or type(arg) is tuple and self.shapes is None else arg)
                parents.append(None)
        try:
            y = self.function(*values)
        except (ValueError, TypeError, IndexError) as error:
            raise self.explained(error, values) from error
        aux = None
        if type(y) is Saved:
            y, aux = y
        if settings.anomaly and not np.isfinite(y).all():
            raise FloatingPointError(f"{self.name} made a value that is not finite"
                                     + self.described(values, ": its arguments were "))
        if not tensors:
            return y
        if type(y) is not np.ndarray:
            y = np.asarray(y)
        if not record or not settings.record:
            return Tensor._result(y, None)
        if self.keep is None:
            raise TypeError(f"{self.name} has no vjp, so it cannot be differentiated; add one with @{self.name}.vjp")
        values += (y, aux)
        return Tensor._result(y, Node(self, parents, self.keep(values), y))

    def described(self, values, lead=""):
        """' lead x of shape (3, 4), ...' for error messages."""
        names = self.names[:-1] + [f"{self.names[-1]}[{i}]" for i in range(len(values))] if self.variadic else self.names
        return lead + ", ".join(
            f"{name} of shape {v.shape}" + (" (not finite)" if settings.anomaly and not np.isfinite(v).all() else "")
            if isinstance(v, np.ndarray) else f"{name} = {v!r}" for name, v in zip(names, values))

    def explained(self, error, values):
        """The error of a failed op, with its name, its arguments, and its rule if it has one."""
        kind = next(k for k in (IndexError, TypeError, ValueError) if isinstance(error, k))
        rule = None if kind is TypeError else self.rule                     # which is about shapes
        return kind(f"{self.name}: {rule or error}; got " + self.described(values))

    def __repr__(self):
        return f"<op {self.name}({', '.join(self.names)})>"


def op(function=None, *, shapes=None, domain="real", analytic=True, rule=None):
    """Make a function of arrays an op: callable on arrays (array out) and Tensors (Tensor out, recorded).

    shapes: NumPy's gufunc notation, "(n,k),(k,m)->(n,m)": what the checker draws, one group for each argument that is
        differentiated (the first ones); None (default): elementwise, all arguments broadcast together.
    domain: the values that the checker draws: "real" (default), "positive", "nonzero", "unit" (inside (−1, 1)); or a
        tuple with one of these for each argument.
    analytic: True (default) if the function takes complex numbers and is complex-differentiable, so that the checker may
        use complex steps. False for kinks (abs, maximum), comparisons of values, or functions without a complex form.
    rule: a sentence for the error message when shapes don't fit.
    """
    def wrap(f):
        made = Op(f, shapes, domain, analytic, rule)
        registry[f"{f.__module__}.{f.__name__}"] = made
        return made
    return wrap if function is None else wrap(function)
