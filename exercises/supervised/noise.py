"""Noise: what it does to a fit, and what the training error says about it (little).

A sine of power 0.0999 (report A, section 1.1.1, names the power, not the signal; ours is √0.1998 · sin x over one period)
is sampled at 100 points with Gaussian noise of σ = 0.1 to 2, and a network is trained by L-BFGS for 2000 epochs. It has 13
tanh units: the report does not say how many, and these 40 parameters leave the 0.6 of σ² (below) that its numbers leave.
Two errors are measured: against the noisy targets it was trained on, and against the clean sine.

For a model with P parameters that fits freely, theory says that of the noise power σ² the share P/N goes into the fit:
    train error = σ²(1 − P/N),      error against the clean signal = σ² · P/N.

Change first: `units`, up to 30. With more the training error falls and the other rises. The test that guards the ratio:
tests/exercises/test_supervised_data.py::test_signal_to_noise
"""
from dataclasses import dataclass

import numpy as np

import tinynn as tn
from exercises.card import Card, Config
from tinynn import nn, optim
from tinynn.scaling import MapMinMax
from tinynn.train import grid, sweep

POWER = 0.0999
REPORT_SNR = {0.1: 9.7257, 0.3: 0.5533, 0.9: -8.9133, 1.0: -10.1901, 1.3: -12.3810, 1.6: -14.2371, 1.9: -15.4338,
              2.0: -15.9377}
REPORT_RESIDUAL = {0.1: 0.0106, 2.0: 3.9190}
REPORT_TRAIN = {0.3: 0.0547, 0.9: 0.4805, 1.3: 1.0586, 1.6: 1.6321, 2.0: 2.5244}


@dataclass(frozen=True)
class NoiseConfig(Config):
    """sigmas: standard deviations of the noise. points, units: of the sample and the network. epochs: of L-BFGS."""
    sigmas: tuple = tuple(REPORT_SNR)
    points: int = 100
    units: int = 13
    epochs: int = 2000
    repetitions: int = 20


CONFIG = NoiseConfig(takes="30 s")
QUICK = NoiseConfig(takes="4 s", quick=True, sigmas=(0.1, 0.9, 2.0), epochs=200, repetitions=3)


def build(units=13, rng=None) -> nn.Sequential:
    """A network 1-units-1, from a Nguyen–Widrow start."""
    model = nn.Sequential(nn.Linear(1, units), nn.Tanh(), nn.Linear(units, 1))
    nn.init.nguyen_widrow(model, rng=rng)
    return model


def signal(points) -> tuple:
    """x (n,) over one period, and the clean sine (n,), whose mean square is POWER."""
    x = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return x, np.sqrt(2 * POWER) * np.sin(x)


def signal_to_noise(clean, noise) -> float:
    """10 log₁₀ of the ratio of mean squares, in dB."""
    return 10 * np.log10(np.mean(clean ** 2) / np.mean(noise ** 2))


def train(setting: dict, rng: np.random.Generator) -> dict:
    """One noise, one start."""
    x, clean = signal(setting["points"])
    noise = setting["sigma"] * rng.standard_normal(len(x))
    inputs, target = MapMinMax.fit(x)(x)[:, None], (clean + noise)[:, None]                # (N,) -> (N, 1)
    model = build(setting["units"], rng)
    history = tn.fit(model, inputs, target, loss=nn.MSELoss(), optimizer=optim.LBFGS(model.parameters()),
                     epochs=setting["epochs"], progress=False)
    with tn.no_grad():
        y = model(inputs).numpy()[:, 0]                                                     # (N, 1) -> (N,)
    return {"snr": signal_to_noise(clean, noise), "residual": np.mean(noise ** 2), "y": y, "target": target[:, 0],
            "train": np.mean((y - target[:, 0]) ** 2), "clean": np.mean((y - clean) ** 2),
            "losses": history.train_loss, "stop": history.stop_reason}


def run(config: NoiseConfig) -> Card:
    card = Card.begin(__name__, config)
    folder = card.unfinished(config.out)
    table = sweep(train, grid(sigma=config.sigmas, points=[config.points], units=[config.units],
                              epochs=[config.epochs]), config.repetitions, config.seed, config.jobs, config.dask,
                  resume=folder)
    results = {row["sigma"]: row["results"] for row in table}
    add_rows(card, results, config)
    add_pitfalls(card, results, config)
    draw_fits(card, results, config)
    draw_errors(card, results, config)
    draw_losses(card, results, config)
    return card


def of(results, what) -> np.ndarray:
    """One quantity of all repetitions."""
    return np.array([result[what] for result in results])


def add_rows(card, results, config):
    relative = 2 * np.sqrt(2 / config.points)           # two standard deviations of a mean of `points` squares: what chance
    spread = 10 / np.log(10) * relative                 # may do to a single draw such as the report's; and the same in dB
    for sigma, runs in results.items():
        report = REPORT_SNR.get(sigma)
        card.add_row(f"signal-to-noise ratio, σ = {sigma} (match: within ±{spread:.1f} dB)", of(runs, "snr"), unit="dB",
                     report=report, better="equal", tolerance=spread / abs(report or 1))
    for sigma, report in REPORT_RESIDUAL.items():
        if sigma in results:
            card.add_row(f"mean square of the noise, σ = {sigma} (match: within ±{relative:.0%})",
                         of(results[sigma], "residual"), report=report, better="equal", tolerance=relative)
    for sigma, runs in results.items():
        if sigma in REPORT_TRAIN:
            card.add_row(f"train error ÷ σ², σ = {sigma} (match: within ±{relative:.0%})", of(runs, "train") / sigma ** 2,
                         report=REPORT_TRAIN[sigma] / sigma ** 2, better="equal", tolerance=relative)
            card.add_row(f"error against the clean signal ÷ σ², σ = {sigma}", of(runs, "clean") / sigma ** 2)


def add_pitfalls(card, results, config):
    P = 3 * config.units + 1
    ratios = np.concatenate([of(runs, "train") / sigma ** 2 for sigma, runs in results.items()])
    best = sum(int(np.argmin(r["losses"]) == len(r["losses"]) - 1) for runs in results.values() for r in runs)
    ended = sum(r["stop"] != "all epochs done" for runs in results.values() for r in runs)
    card.pitfalls += [
        "The report's two tables define the signal-to-noise ratio differently. Here it is 10 log₁₀ of the ratio of the mean "
        "squares of signal and noise, as in its table 1.1, whose rows all imply a signal power of 0.0999.",
        f"Train error ÷ σ² ≈ 0.6, the same for weak and strong noise, is overfitting and not “a harder fit”: {P} "
        f"parameters take up {P}/{config.points} of any noise, which leaves {1 - P / config.points:.2f}. "
        f"Measured: {np.median(ratios):.2f} in the median. What was taken up is error against the clean signal.",
        f"“The best epoch is the last epoch” says nothing about success: so it is in {best} of {ratios.size} runs here, as a "
        f"line search never lets the loss rise. Of these runs {ended} ended by themselves, when nothing better was found, and "
        f"{ratios.size - ended} were still learning. What tells is the error against the clean signal, or on data held back.",
    ]


def draw_fits(card, results, config):
    import matplotlib.pyplot as plt
    sigmas = [config.sigmas[i] for i in (0, len(config.sigmas) // 2, -1)]
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.6))
    x, clean = signal(config.points)
    for ax, sigma in zip(axes, sigmas):
        result = results[sigma][0]
        ax.plot(x, result["target"], "o", color="#bbbbbb", markersize=3, label="noisy target")
        ax.plot(x, clean, color="black", lw=1, label="clean signal")
        ax.plot(x, result["y"], color="C1", label="network")
        ax.set(title=f"σ = {sigma}: {result['snr']:.1f} dB", xlabel="x", ylabel="signal")
    axes[0].legend()
    card.add_figure(fig, "fits", f"What {config.units} tanh units learn from {config.points} noisy points, in the first of "
                    f"{config.repetitions} repetitions. Note the scales: the network chases the noise.")


def draw_errors(card, results, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(10, 4))
    sigmas, P = np.array(config.sigmas), 3 * config.units + 1
    share, fine = P / config.points, np.geomspace(sigmas.min(), sigmas.max())

    def points(ax, values, colour, label, shift=1.0):                   # values: (sigmas, repetitions)
        middle = np.median(values, axis=1)
        ax.errorbar(shift * sigmas, middle, [middle - values.min(1), values.max(1) - middle], fmt="o", color=colour, capsize=3,
                    label=label)
    points(axes[0], np.array([of(results[s], "snr") for s in sigmas]), "C0", "measured")
    axes[0].plot(fine, 10 * np.log10(POWER / fine ** 2), color="#999999", label="10 log₁₀(0.0999/σ²)")
    axes[0].plot(sigmas, [REPORT_SNR.get(s, np.nan) for s in sigmas], "kx", label="report")
    axes[0].set(xlabel="σ of the noise", ylabel="signal-to-noise ratio (dB)")
    points(axes[1], np.array([of(results[s], "train") for s in sigmas]), "C0", "train error", 0.985)
    points(axes[1], np.array([of(results[s], "clean") for s in sigmas]), "C1", "error against the clean signal",
           1.015)
    axes[1].plot(fine, fine ** 2 * (1 - share), color="C0", lw=1, label=f"σ²(1 − {P}/{config.points})")
    axes[1].plot(fine, fine ** 2 * share, color="C1", lw=1, label=f"σ² · {P}/{config.points}")
    known = [s for s in sigmas if s in REPORT_TRAIN]
    axes[1].plot(known, [REPORT_TRAIN[s] for s in known], "kx", label="report, train error")
    axes[1].set(xscale="log", yscale="log", xlabel="σ of the noise", ylabel="mean squared error")
    for ax in axes:
        ax.legend()
    card.add_figure(fig, "errors", f"Left: how strong the noise is. Right: where it goes. Median and range of "
                    f"{config.repetitions} noises and starts; lines: theory.")


def draw_losses(card, results, config):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots()
    for (sigma, runs), colour in zip(results.items(), plt.get_cmap("viridis")(np.linspace(0, 0.9, len(results)))):
        losses = [np.pad(run["losses"], (0, config.epochs - len(run["losses"])), mode="edge") for run in runs]
        ax.plot(1 + np.arange(config.epochs), np.median(losses, axis=0) / sigma ** 2, color=colour, label=f"σ = {sigma}")
    ax.axhline(1, color="black", ls=":", label="the noise itself")
    ax.set(xscale="log", yscale="log", ylim=(0.4, 30), xlabel="epochs of L-BFGS", ylabel="train error ÷ σ²")
    ax.legend(ncols=2)
    card.add_figure(fig, "losses", f"Below the dotted line a network learns noise. Medians of {config.repetitions} noises and "
                    "starts.")
