"""What a training run tells: a list of one entry an epoch for each quantity."""
from dataclasses import dataclass, field
from math import isnan, nan

import numpy as np


@dataclass
class History:
    """train_loss: the mean loss of each epoch's batches, as seen before each step; val_loss: after the epoch.

    seconds: time spent in training so far, without callbacks, at the end of each epoch. best_epoch: the epoch with the lowest
    val_loss (train_loss, without validation data). stop_reason: why training ended. info: what the optimizer reports, by
    name (lr, mu, gamma, gradient_norm), and what callbacks append in each epoch; None where they leave one out, once they have
    begun.
    """
    train_loss: list = field(default_factory=list)
    val_loss: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    best_epoch: int | None = None
    stop_reason: str | None = None
    info: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.train_loss)

    def add(self, train_loss, val_loss, seconds, info) -> bool:
        """Append an epoch; True if it is the best so far."""
        self.train_loss.append(train_loss)
        self.seconds.append(seconds)
        if val_loss is not None:
            self.val_loss.append(val_loss)
        for values in self.info.values():                       # an epoch before, in which nothing was said
            if isinstance(values, list):
                values.extend([None] * (len(self) - 1 - len(values)))
        for name, value in info.items():
            self.info.setdefault(name, [None] * (len(self) - 1)).append(value)
        losses = self.val_loss or self.train_loss
        best = self.best_epoch is None or losses[-1] < losses[self.best_epoch] or isnan(losses[self.best_epoch])
        if best:
            self.best_epoch = len(self) - 1
        return best


@dataclass
class AdversarialHistory:
    """What `fit_adversarial` tells of its two players.

    critic_loss, generator_loss: the mean over each epoch's steps, as seen before each step; NaN for the generator where it
    made none, as n_critic is more than an epoch's batches. accuracy: of the critic's decisions, how many were right (an
    output > 0 says "real"): of use for GANs; a Wasserstein critic's 0 has no meaning.
    steps: the same three, by name, with one entry a step. seconds, stop_reason: as in History.
    latents: (n, *latent), which never change; samples: (epochs, n, ...), what the generator made of them after each epoch,
    or None before the first. info: for what callbacks want to keep, by name; numbers and texts, as a checkpoint has them.
    """
    critic_loss: list = field(default_factory=list)
    generator_loss: list = field(default_factory=list)
    accuracy: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    stop_reason: str | None = None
    steps: dict = field(default_factory=lambda: {"critic_loss": [], "generator_loss": [], "accuracy": []})
    latents: np.ndarray | None = None
    samples: np.ndarray | None = None
    info: dict = field(default_factory=dict)

    def __len__(self):
        return len(self.critic_loss)

    def add(self, steps: dict, seconds, samples):
        """Append an epoch: its steps' values by name, and the samples (n, ...) after it."""
        for name, values in steps.items():
            self.steps[name].extend(values)
            getattr(self, name).append(sum(values) / len(values) if values else nan)
        self.seconds.append(seconds)
        self.samples = samples[None] if self.samples is None else np.concatenate([self.samples, samples[None]])
