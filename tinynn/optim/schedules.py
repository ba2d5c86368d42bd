"""Learning rates that change with the epoch: pass one as `lr`, as in Adam(params, lr=schedules.step(5e-3, every=150)).

A schedule is any function of the epoch (0, 1, ...); `fit` tells the optimizer which epoch it is, and a loop written by
hand sets `optimizer.epoch`. Those made here can be pickled, so that they travel to the processes of a sweep.
"""
import math
from functools import partial

from ..arguments import check_positive


def step(lr, every, factor=0.1):
    """lr · factor^⌊epoch / every⌋: a drop every so many epochs."""
    check_positive("lr", lr)
    check_positive("every", every)
    return partial(step_at, lr, every, factor)


def step_at(lr, every, factor, epoch):
    return lr * factor ** (epoch // every)


def exponential(lr, factor=0.95):
    """lr · factor^epoch."""
    check_positive("lr", lr)
    return partial(exponential_at, lr, factor)


def exponential_at(lr, factor, epoch):
    return lr * factor ** epoch


def cosine(lr, epochs, floor=0.0):
    """From lr down to floor along half a cosine, over `epochs` epochs (Loshchilov & Hutter 2017)."""
    check_positive("lr", lr)
    check_positive("epochs", epochs)
    return partial(cosine_at, lr, epochs, floor)


def cosine_at(lr, epochs, floor, epoch):
    return floor + (lr - floor) * (1 + math.cos(math.pi * min(epoch / epochs, 1))) / 2


def warmup(schedule, epochs):
    """The given schedule, its first `epochs` values scaled up linearly from 1/epochs: gentle first steps."""
    check_positive("epochs", epochs)
    return partial(warmup_at, schedule, epochs)


def warmup_at(schedule, epochs, epoch):
    return schedule(epoch) * min((epoch + 1) / epochs, 1)
