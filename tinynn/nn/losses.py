"""Losses: how far the model's output is from the target, as one number; and penalties on the weights.

    loss = nn.MSELoss()(model(x), y) + 1e-4 * nn.l2_penalty(model.parameters())

MSE, L1 and BCE are means over all numbers, cross-entropy over the examples; penalties are sums. Shapes must be equal (for
cross-entropy: logits (N, C), labels (N,)): broadcasting (N,) against (N, 1) would compare every output with every target,
run without complaint, and train nonsense. Read init.py next.
"""
from typing import Iterable

import numpy as np

from ..autograd.op import op
from ..autograd.tensor import Tensor, as_array
from ..ops import abs, log_softmax, mean, softmax, softplus, sum
from .module import Array, Module, as_input


def compared(loss: Module, input: Array, target: Array) -> tuple:
    """input and target as Tensors of one dtype, their shapes checked. Constant targets may be ints or bools."""
    input = as_input(input)
    if not isinstance(target, Tensor) or target.dtype.kind in "biu":
        target = np.asarray(as_array(target), dtype=input.dtype)
    target = as_input(target, input.dtype)
    name = type(loss).__name__
    if input.shape != target.shape:
        raise ValueError(f"{name}: input has shape {input.shape}, target has {target.shape}; they must be equal")
    if input.size == 0:
        raise ValueError(f"{name}: the batch is empty: input has shape {input.shape}")
    return input, target


class MSELoss(Module):
    """Mean squared error: L = Σ (input − target)² / n over all n numbers. input, target: equal shapes; L: ()."""

    def forward(self, input: Array, target: Array) -> Tensor:
        input, target = compared(self, input, target)
        return squared_error(input, target)


@op(shapes="(n),(n)->()")
def squared_error(a, b):
    """L = Σ (a − b)² / n; dL/da = 2(a − b)/n = −dL/db. a, b: equal shapes; L: ().

    One op instead of three: in a small network they would take a tenth of the time.
    """
    error = a - b
    return np.mean(error * error)


@squared_error.vjp
def _(g, a, b):
    return lambda: (a - b) * (2 * g / a.size), lambda: (b - a) * (2 * g / a.size)


class L1Loss(Module):
    """Mean absolute error: L = Σ |input − target| / n over all n numbers. input, target: equal shapes; L: ()."""

    def forward(self, input: Array, target: Array) -> Tensor:
        input, target = compared(self, input, target)
        return mean(abs(input - target))


class BCEWithLogitsLoss(Module):
    """Binary cross-entropy from logits x: L = −Σ [t ln σ(x) + (1 − t) ln(1 − σ(x))] / n, with σ the sigmoid.

    As ln σ(x) = −softplus(−x) and 1 − σ(x) = σ(−x), it is computed without σ, so that no logarithm of 0 can occur.
    input: logits, any shape; target: probabilities or 0/1 labels, equal shape; L: ().
    ValueError: a target lies outside [0, 1], where L would have no bound.
    """

    def forward(self, input: Array, target: Array) -> Tensor:
        x, t = compared(self, input, target)
        low, high = t.data.real.min(), t.data.real.max()
        if not -1e-6 <= low <= high <= 1 + 1e-6:                                # but for rounding; NaN is not, either
            raise ValueError(f"BCEWithLogitsLoss: target has values from {low} to {high}; expected values in [0, 1]; of "
                             "labels -1 and 1 take (y + 1) / 2")
        return mean(t * softplus(-x) + (1 - t) * softplus(x))


class CrossEntropyLoss(Module):
    """L = −Σ ln p[n, label_n] / N with p = softmax(logits), computed without forming ln of a rounded p.

    input: logits (N, C) for C classes; target: labels (N,), ints from 0 to C − 1; L: ().
    Raises ValueError for other shapes, an empty batch, or a label out of range; TypeError for labels that are not ints.
    """

    def forward(self, input: Array, target: Array) -> Tensor:
        return cross_entropy(as_input(input), target)


@op(shapes="(n,k)->()")
def cross_entropy(logits, labels):
    """L = −Σ log_softmax(logits)[n, label_n] / N; dL/dlogits = (softmax(logits) − onehot(labels)) / N.

    The function of CrossEntropyLoss, with its arguments and errors. One op instead of four, as it ends every classifier.
    """
    labels = np.asarray(labels)
    check_labels(logits, labels)
    return -np.mean(log_softmax(logits)[np.arange(len(labels)), labels])        # (N, C) -> (N,) -> ()


@cross_entropy.vjp
def _(g, logits, labels):
    onehot = np.zeros(logits.shape, logits.dtype)
    onehot[np.arange(len(labels)), labels] = 1
    return (softmax(logits) - onehot) * (g / len(labels))


def check_labels(logits, labels):
    """Raise unless there is a row of logits, (N, classes), for each label, (N,), and a class for it."""
    if logits.ndim != 2:
        raise ValueError(f"the logits have shape {logits.shape}; expected (N, classes)")
    if labels.ndim == 2 and labels.shape == logits.shape:
        raise ValueError(f"the labels have shape {labels.shape}, that of the logits: they look one-hot; pass class numbers, "
                         "labels.argmax(axis=1)")
    rows, classes = logits.shape
    if labels.shape != (rows,):
        raise ValueError(f"the labels have shape {labels.shape}, the logits {logits.shape}; expected labels of shape "
                         f"({rows},)")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"the labels have dtype {labels.dtype}; expected ints, class numbers: labels.astype(int)")
    if rows == 0:
        raise ValueError(f"the batch is empty: the logits have shape {logits.shape}")
    if labels.min() < 0 or labels.max() >= classes:
        i = int(np.argmax((labels < 0) | (labels >= classes)))
        raise ValueError(f"labels[{i}] is {labels[i]}; the logits have {classes} classes, so labels run from 0 to "
                         f"{classes - 1}")


def l1_penalty(params: Iterable[Tensor]) -> Tensor:
    """Σ |w| over all numbers in params: drives weights to 0. Times a small factor (1e-5–1e-2) it joins a loss."""
    return total(sum(abs(p)) for p in params)


def l2_penalty(params: Iterable[Tensor]) -> Tensor:
    """Σ w² over all numbers in params: keeps weights small. Times a small factor (1e-5–1e-2) it joins a loss."""
    return total(sum(p * p) for p in params)


def total(terms: Iterable[Tensor]) -> Tensor:
    """The sum of scalar Tensors; raises ValueError where there is none."""
    first, *others = list(terms) or [None]
    if first is None:
        raise ValueError("params is empty: there is nothing to penalise")
    for term in others:
        first = first + term
    return first
