"""What training_algorithms, generalization and network_size share: the network, its starts, the algorithms, a run."""
from functools import partial

import numpy as np

import tinynn as tn
from tinynn import nn, optim
from tinynn.autograd.settings import default_rng
from tinynn.scaling import MapMinMax
from tinynn.train import uninterrupted
from tinynn.viz.style import COLOURS

# Two settings are not the defaults. BFGS searches each line more closely (default c2 = 0.9), which halves its error here.
# LM's damping starts higher (default mu = 1e-3): from MATLAB's start its first steps often lead astray else.
ALGORITHMS = {"GD": optim.GD, "GDX": optim.GDX, "CG": optim.ConjugateGradient, "BFGS": partial(optim.BFGS, c2=0.5),
              "LM": partial(optim.LevenbergMarquardt, mu=1.0), "BR": optim.BayesianRegularization}
COLOUR = dict(zip(ALGORITHMS, COLOURS))

x = np.arange(0, 3 * np.pi, 0.01)                               # (943,), MATLAB's 0:0.01:3π
scale = MapMinMax.fit(x)                                        # to [−1, 1]


def build(units: int = 50, start: str = "MATLAB", rng: np.random.Generator | None = None) -> nn.Sequential:
    """The network 1-units-1 with tanh, for inputs in [−1, 1], at one of two kinds of random start.

    start: "Nguyen-Widrow", their rule of 1990 on every layer: steps side by side, as wide as they are apart, and small
        output weights; or "MATLAB", as its `initnw`: the steps twice as steep, since it takes tanh to be active for
        inputs in [−2, 2], not [−1, 1], and the output layer uniform in (−1, 1), since a linear unit has no such range.
    """
    rng = default_rng(rng)
    model = nn.Sequential(nn.Linear(1, units), nn.Tanh(), nn.Linear(units, 1))
    nn.init.nguyen_widrow(model, rng=rng)
    if start == "MATLAB":
        for p in model[0].parameters():
            p.data = 2 * p.data
        for p in model[2].parameters():
            p.data = rng.uniform(-1, 1, p.shape)
    return model


def train(model: nn.Module, optimizer, x, t, epochs: int, callbacks=()) -> dict:
    """Train on x, t, both (N,); the MSE and the seconds so far after 0, 1, 2, ... iterations, and why it ended."""
    x, t, loss = scale(x)[:, None], t[:, None], nn.MSELoss()    # (N,) -> (N, 1)
    history = uninterrupted(tn.fit(model, x, t, loss=loss, optimizer=optimizer, epochs=epochs, progress=False,
                                   callbacks=callbacks))
    return {"loss": np.array([*history.train_loss, tn.evaluate(model, x, t, loss)]),
            "seconds": np.array([0.0, *history.seconds]), "stop": history.stop_reason}


def predict(model: nn.Module, x) -> np.ndarray:
    """The network's output at x, (N,)."""
    with tn.no_grad():
        return model(scale(x)[:, None]).numpy()[:, 0]           # (N, 1) -> (N,)


def warm_up(optimizers: dict):
    """One iteration of every optimizer: what the first one imports and compiles shall not be timed."""
    for optimizer in optimizers.values():
        model = build(2)
        train(model, optimizer(model.parameters()), x, np.sin(x), 1)


def draw_band(ax, across, values, **style):
    """The median of values, (repetitions, len(across)), as a line, and their range as a band."""
    line, = ax.plot(across, np.median(values, axis=0), **style)
    ax.fill_between(across, np.min(values, axis=0), np.max(values, axis=0), color=line.get_color(), alpha=0.18, lw=0)
