"""Products: matmul, linear (what a layer computes), einsum."""
from math import prod

import numpy as np

from ..autograd.op import op
from ..autograd.primitives import broadcast_to
from ..kernels.products import dot
from .shaping import expand_dims, reshape, squeeze, swapaxes, transpose


@op(shapes="(n,k),(k,m)->(n,m)", rule="the last axis of a and the last but one of b (its only one, if 1-D) must be "
                                      "equally long, and leading axes must broadcast")
def matmul(a, b):
    """Matrix product y = a b, batched over leading axes; a 1-D a is a row, a 1-D b a column.

    dL/da = dL/dy bᵀ, dL/db = aᵀ dL/dy.
    """
    if np.ndim(a) == np.ndim(b) == 2:
        return dot(a, b)
    return np.matmul(a, b)


@matmul.vjp
def _(g, a, b):
    row, column = a.ndim == 1, b.ndim == 1
    if row:
        a, g = expand_dims(a, 0), expand_dims(g, -1 if column else -2)           # (k,) -> (1, k)
    if column:
        b, g = expand_dims(b, 1), expand_dims(g, -1)                             # (k,) -> (k, 1)

    def da():                                               # (..., n, m) @ (..., m, k) -> (..., n, k)
        d = matmul(g, swapaxes(b, -1, -2))
        return squeeze(d, -2) if row else d

    def db():                                               # (..., k, n) @ (..., n, m) -> (..., k, m)
        d = matmul(swapaxes(a, -1, -2), g)
        return squeeze(d, -1) if column else d
    return da, db


@matmul.per_example
def _(g, a, b):
    def db():                                                        # a: (N, ..., k), b: (k, m) or (k,)
        if b.ndim == 1:
            return a * g[..., None] if a.ndim == 2 else np.einsum("n...k,n...->nk", a, g)
        return outer(a, g)

    def da():
        raise NotImplementedError("the examples are not the rows of a matrix product")
    return da, db


@op(shapes="(n,k),(m,k),(m)->(n,m)",
    rule="x.shape[-1] must equal W.shape[1], the number of inputs, and b, if given, must have shape (n_out,)")
def linear(x, W, b=None):
    """What a linear layer computes: y = x Wᵀ + b. x: (..., n_in), W: (n_out, n_in), b: (n_out,), y: (..., n_out).

    dL/dx = dL/dy W;  dL/dW = dL/dyᵀ x and dL/db = Σ dL/dy, summed over all examples.
    """
    y = dot(rows(x), W.T)                                               # (N, n_in) @ (n_in, n_out) -> (N, n_out)
    if b is not None:
        if b.shape != W.shape[:1]:
            raise ValueError(b.shape)
        y += b
    return y.reshape(*x.shape[:-1], len(W))                             # (N, n_out) -> (..., n_out)


@linear.vjp
def _(g, x, W):
    def dx():
        return matmul(rows(g), W).reshape(x.shape)                      # (N, n_out) @ (n_out, n_in) -> (..., n_in)

    def dW():
        return matmul(transpose(rows(g)), rows(x))                      # (n_out, N) @ (N, n_in) -> (n_out, n_in)

    def db():
        flat = rows(g)
        return matmul(np.ones(len(flat), g.dtype), flat)                # as sum(0), and four times faster
    return dx, dW, db


@linear.per_example
def _(g, x, W):
    def dx():
        raise NotImplementedError("the input of a linear layer has no example axis")
    return dx, lambda: outer(g, x), lambda: g if g.ndim == 2 else g.sum(tuple(range(1, g.ndim - 1)))


def rows(x):
    """x with its leading axes as one: (..., k) -> (N, k). (-1, k) would not do: for k = 0, N could be anything."""
    return x if x.ndim == 2 else x.reshape((prod(x.shape[:-1]), x.shape[-1]))


def outer(a, b):
    """For each example, Σ aᵀ b over what lies between: (N, ..., k), (N, ..., m) -> (N, k, m). Arrays only."""
    if a.ndim == 2:
        return a[:, :, None] * b[:, None, :]
    a, b = a.reshape(len(a), -1, a.shape[-1]), b.reshape(len(b), -1, b.shape[-1])
    return np.matmul(a.transpose(0, 2, 1), b)


@op(shapes="(),(n,k),(k,m)->(n,m)")
def einsum(subscripts, *xs):
    """Einstein's sum: einsum("nk,km->nm", a, b) multiplies the operands and sums over the letters missing on the right.

    subscripts must have "->" and the result's letters; no letter twice within one operand, no "...".
    dL/dx for one operand is the einsum of dL/dy and the other operands, with x's letters on the right.
    """
    (operands, _), lengths = parse(subscripts, len(xs)), {}
    for letters, x in zip(operands, xs):
        if len(letters) != np.ndim(x):
            raise ValueError(f'"{letters}" names {len(letters)} axes, but its operand has shape {np.shape(x)}')
        for letter, n in zip(letters, np.shape(x)):
            if lengths.setdefault(letter, n) != n:                  # NumPy would repeat an axis of length 1
                raise ValueError(f'"{letter}" is an axis of length {n}, and of length {lengths[letter]}')
    return np.einsum(subscripts, *xs, optimize=len(xs) > 2)


@einsum.vjp
def _(g, subscripts, xs):
    operands, result = parse(subscripts, len(xs))

    def gradient(i):
        others = [(letters, x) for j, (letters, x) in enumerate(zip(operands, xs)) if j != i]
        known = set(result).union(*(letters for letters, _ in others))
        kept = "".join(letter for letter in operands[i] if letter in known)
        terms = ",".join([result] + [letters for letters, _ in others])
        d = einsum(f"{terms}->{kept}", g, *(x for _, x in others))
        # A letter of x that occurs nowhere else was simply summed over: the gradient is the same all along it.
        shape = xs[i].shape
        d = reshape(d, tuple(n if letter in known else 1 for n, letter in zip(shape, operands[i])))
        return broadcast_to(d, shape)
    return tuple(lambda i=i: gradient(i) for i in range(len(xs)))


def parse(subscripts, n) -> tuple:
    """("nk,km->nm", 2) -> (["nk", "km"], "nm"); raises ValueError for what einsum does not take."""
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    operands = left.split(",")
    if not arrow or "." in subscripts or len(operands) != n or any(len(set(o)) < len(o) for o in operands + [result]) \
            or not set(result) <= set(left):
        raise ValueError(f'subscripts are "{subscripts}" for {n} operands; expected the letters of each operand, '
                         '"->" and the letters of the result, none twice within an operand, without "..."')
    return operands, result
