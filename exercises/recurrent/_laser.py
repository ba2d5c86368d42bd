"""What the exercises on the laser share: the scaled series, closed-loop forecasts of it, and their figures."""
import numpy as np

from tinynn.scaling import MapMinMax
from tinynn.train import forecast, nmse


class Laser:
    """The series, scaled to [−1, 1] by its training values, and closed-loop forecasts of it in the laser's units."""

    def __init__(self, data):
        self.train, self.test = data.x_train, data.x_test
        self.scale = MapMinMax.fit(self.train)
        self.series = self.scale(self.train)

    def forecast(self, model, lag, start=None, stop=None, clip=True) -> np.ndarray:
        """The values from position `start` to `stop` − 1, from the `lag` before them; default: those of the test."""
        start = len(self.train) if start is None else start
        steps = len(self.test) if stop is None else stop - start
        low, high = (-1, 1) if clip else (None, None)
        y = forecast(model, self.series[None, start - lag:start], steps, low, high)
        return self.scale.inverse(y[0])                         # (1, steps) -> (steps,)

    def validate(self, model, lag, block) -> float:
        """The closed-loop NMSE of the training values in a block."""
        return nmse(self.train[slice(*block)], self.forecast(model, lag, *block))


def median_of(models):
    """The committee: predicts the median of what its networks predict."""
    return lambda window: np.median([model(window).numpy() for model in models], axis=0)       # K × (M, 1) -> (M, 1)


def draw_forecasts(card, laser, forecasts, colours):
    """Forecasts and truth; forecasts: {name: (runs, steps)}, colours: {name: colour} of those to draw."""
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(len(colours), 1, figsize=(10, 2.6 * len(colours)), sharex=True, sharey=True, squeeze=False)
    t = len(laser.train) + np.arange(len(laser.test))
    for ax, name in zip(axes[:, 0], colours):
        low, middle, high = np.percentile(forecasts[name], (0, 50, 100), axis=0)
        ax.fill_between(t, low, high, color=colours[name], alpha=0.25, lw=0, label="range of forecasts")
        ax.plot(t, middle, color=colours[name], label="their median")
        ax.plot(t, laser.test, "k.-", lw=0.8, ms=4, label="the laser")
        score = np.median(nmse(laser.test, forecasts[name]))
        ax.set(title=f"{name[0].upper() + name[1:]}: NMSE {score:.3f}", ylabel="intensity (8-bit units)")
        ax.legend(ncols=3, loc="upper right")
    axes[-1, 0].set(xlabel="t (steps)", ylim=(-10, 330), yticks=range(0, 300, 50))
    card.add_figure(fig, "forecast", f"The {len(t)} values after the training values, and closed-loop forecasts: median and "
                    f"range of {len(forecasts[name])} repetitions, each with networks of its own. NMSE: the median of theirs.")


def draw_horizon(card, laser, forecasts, colours):
    """How the error grows; the arguments of `draw_forecasts`."""
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(8, 3.8))
    h = np.arange(1, len(laser.test) + 1)
    for name, colour in colours.items():
        error = np.sqrt(np.cumsum((forecasts[name] - laser.test)**2, axis=1) / h)               # (runs, steps)
        low, middle, high = np.percentile(error, (0, 50, 100), axis=0)
        ax.fill_between(h, low, high, color=colour, alpha=0.15, lw=0)
        ax.plot(h, middle, color=colour, label=name)
    ax.axhline(laser.test.std(), color="k", ls=":", lw=1.2, label="standard deviation of the values")
    ax.set(yscale="log", xlabel="steps h", ylabel="root mean square error of\nthe first h steps (8-bit units)")
    ax.legend(loc="lower right")
    card.add_figure(fig, "horizon", f"How the error grows with the steps: median and range of {len(error)} repetitions.")
