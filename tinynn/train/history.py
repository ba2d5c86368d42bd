"""What a training run tells: a list of one entry an epoch for each quantity."""
from dataclasses import dataclass, field
from math import isnan


@dataclass
class History:
    """train_loss: the mean loss of each epoch's batches, as seen before each step; val_loss: after the epoch.

    seconds: time spent in training so far, at the end of each epoch. best_epoch: the epoch with the lowest val_loss
    (train_loss, without validation data). stop_reason: why training ended. info: what the optimizer reports, by name
    (lr, mu, gamma, gradient_norm).
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
        for name, value in info.items():
            self.info.setdefault(name, [None] * (len(self) - 1)).append(value)
        for values in self.info.values():                       # an epoch in which the optimizer said nothing
            values.extend([None] * (len(self) - len(values)))
        losses = self.val_loss or self.train_loss
        best = self.best_epoch is None or losses[-1] < losses[self.best_epoch] or isnan(losses[self.best_epoch])
        if best:
            self.best_epoch = len(self) - 1
        return best
