"""Stacked autoencoders: features learned layer by layer, without labels, and what they are worth to a classifier.

A sparse autoencoder learns to repeat its input x from a code z, with the loss of MATLAB's trainAutoencoder over N examples:
    z = σ(W₁x + b₁),   x̂ = σ(W₂z + b₂),   E = 1/N Σₙ |x̂ₙ − xₙ|² + λ/2 (|W₁|² + |W₂|²) + β Σⱼ KL(ρ ‖ ρ̂ⱼ)
where ρ̂ⱼ is the mean of code unit j and KL(ρ ‖ ρ̂) = ρ ln(ρ/ρ̂) + (1 − ρ) ln((1 − ρ)/(1 − ρ̂)): units are to be active in a
part ρ of all images. The next layer learns to repeat these codes, and so on. A softmax on the last code is the "greedy"
classifier (encoders frozen); trained by its labels as one network, the stack is "tuned". Report B's table 3.1 does this on
printed digits, with layers of 200, 100, 50 and 25 units; λ, β, ρ are here those of MATLAB's example.

On MNIST (report A, table 3.2) the autoencoders repair images, of which they are shown three quarters of the pixels (Vincent et
al. 2010). The question is what this is worth: the same network, tuned from a random start in the same way, is beside it, with
all labels and with few. What CONFIG has for it was chosen by 5,000 of the training images, from which nothing else
was learned.

Change first: `weight` of the penalties, to 0, and watch the last of four layers. The test that guards the loss:
tests/exercises/test_stacked_autoencoder.py::test_the_sparse_loss_is_matlab_s
"""
from dataclasses import dataclass

import numpy as np

import tinynn as tn
from exercises.card import Card, Config
from exercises.features._confusion import draw_confusion
from exercises.features._digits import logits, score, split
from exercises.features._images import in_rows, show
from exercises.features._stacks import PIXELS, build, encode, learn_code, learn_softmax, linears, tune
from tinynn import nn, optim
from tinynn.data import font_digits, mnist
from tinynn.train import grid, sweep
from tinynn.viz import COLOURS, plain_numbers

REPORT_B = {(200, 100, 50, 25): (.9949, .9965), (200,): (.9929, .9945), (200, 100, 50): (.8905, .9935),     # greedy, tuned
            (100, 50, 25): (.6759, .9927), (100, 50): (.9077, .9915), (100,): (.9849, .9901), (200, 100): (.9838, .9871)}
REPORT_BASELINE, REPORT_A = 0.9209, (.926, .949, .954)
PENALTIES = {"weight": 0.004, "sparsity": 4.0, "rho": 0.15}             # λ, β, ρ of MATLAB's example
WITHOUT = {"with all penalties": {}, "λ = 0": {"weight": 0.0}, "β = 0": {"sparsity": 0.0},
           "λ = β = 0": {"weight": 0.0, "sparsity": 0.0}}
STARTS = ("pre-trained", "random start")
OTHER = "other printed digits than the report's"
PRINTED = "printed digits (drawn by the exercise)"


@dataclass(frozen=True)
class StackedConfig(Config):
    """fonts, fonts_test: printed digits. layer_epochs, tune_epochs: of each layer, and of the whole, on these; runs: of every
    stack. cg_epochs: of the network without autoencoders, of which there are `baselines`.
    images, validation, test: of MNIST. widths: the stack for it. noise: part of its input that a layer is not shown. dropout:
    of pixels and of codes, in tuning. mnist_epochs: of each layer, and of the whole with all labels; with fewer, there are as
    many epochs as make `updates` steps."""
    fonts: int = 5000
    fonts_test: int = 5000
    layer_epochs: int = 40
    tune_epochs: int = 30
    runs: int = 3
    cg_epochs: int = 200
    baselines: int = 6
    images: int = 55000
    validation: int = 5000
    test: int = 10000
    widths: tuple = (500, 500)
    noise: float = 0.25
    dropout: tuple = (0.15, 0.2)
    mnist_epochs: tuple = (10, 30)
    labels: tuple = (100, 1000, 10000)
    updates: int = 3000


CONFIG = StackedConfig(takes="16 min")
QUICK = StackedConfig(takes="15 s", quick=True, fonts=800, fonts_test=300, layer_epochs=8, tune_epochs=8, runs=1,
                      cg_epochs=20, baselines=1, images=1000, validation=200, test=300, widths=(50, 50),
                      mnist_epochs=(8, 10), labels=(100,), updates=50)


def learn_stack(setting: dict, rng: np.random.Generator) -> dict:
    """Report B's experiment: layer by layer, with a softmax on each; then all together."""
    data = font_digits(*setting["counts"])
    x, x_test = data.x_train.reshape(-1, PIXELS), data.x_test.reshape(-1, PIXELS)       # (N, 1, 28, 28) -> (N, 784)
    model, greedy, explained, z, z_test = build(setting["widths"], rng=rng), [], [], x, x_test
    for layer, width in zip(linears(model), setting["widths"]):
        state, part = learn_code(z, width, rng, setting["layer_epochs"], **PENALTIES | WITHOUT[setting["penalties"]])
        layer.load_state_dict(state)
        z, z_test = encode(z, state), encode(z_test, state)
        softmax = learn_softmax(z, data.y_train)
        greedy.append(score(logits(softmax, z_test), data.y_test)[1])
        explained.append(part)
    filters = model[1].weight.numpy().copy()
    linears(model)[-1].load_state_dict({name: value.astype(np.float32) for name, value in softmax.state_dict().items()})
    tune(model, x, data.y_train, setting["tune_epochs"], rng)
    return {"greedy": greedy, "explained": explained, "tuned": score(logits(model, x_test), data.y_test)[1],
            "filters": filters}


def learn_baseline(setting: dict, rng: np.random.Generator) -> float:
    """Report B's network without autoencoders: 100 and 50 units, by conjugate gradient, a fifth of the images to stop by."""
    data = font_digits(*setting["counts"])
    x, x_test = data.x_train.reshape(-1, PIXELS), data.x_test.reshape(-1, PIXELS)
    rows, held = np.split(rng.permutation(len(x)), [len(x) * 4 // 5])
    model = build(rng=rng)
    tn.fit(model, x[rows], data.y_train[rows], loss=nn.CrossEntropyLoss(), epochs=setting["cg_epochs"], progress=False,
           optimizer=optim.ConjugateGradient(model.parameters()), validation=(x[held], data.y_train[held]), patience=6)
    return score(logits(model, x_test), data.y_test)[1]


def pretrain(setting: dict, rng: np.random.Generator) -> list:
    """The states of the encoders of a stack for MNIST, each trained to repair what it is shown a part of."""
    z, states = setting["x"], []
    for width in setting["widths"]:
        states.append(learn_code(z, width, rng, setting["epochs"], setting["noise"])[0])
        z = encode(z, states[-1])
    return states


def learn_labels(setting: dict, rng: np.random.Generator) -> dict:
    """Tune a network for MNIST with the first so many labels, from encoders, or from its random start if there are none."""
    rng = np.random.default_rng((setting["seed"], setting["run"], setting["labels"]))       # the same for both starts
    training, validation, (x, y) = split(setting["data"], *setting["counts"])
    x, validation = x.reshape(-1, PIXELS), (validation[0].reshape(-1, PIXELS), validation[1])
    some = rng.permutation(len(training[0]))[:setting["labels"]]
    watched = validation if len(some) == len(training[0]) else None             # few labels make thousands of short epochs
    model = build(setting["widths"], setting["dropout"], rng)
    for layer, state in zip(linears(model), setting["states"]):
        layer.load_state_dict(state)
    curve = tune(model, training[0][some].reshape(-1, PIXELS), training[1][some], setting["epochs"], rng, watched)
    outputs = logits(model, x)
    return {"validation": curve, "accuracy": score(outputs, y)[1], "predicted": outputs.argmax(axis=1),
            "filters": model[1].weight.numpy()}


def run(config: StackedConfig) -> Card:
    card = Card.begin(__name__, config)
    data, folder = card.use(mnist()), card.unfinished(config.out)
    how = {"seed": config.seed, "jobs": config.jobs, "dask": config.dask, "resume": folder}
    printed = {"counts": [(config.fonts, config.fonts_test)]}
    epochs = {"layer_epochs": [config.layer_epochs], "tune_epochs": [config.tune_epochs]}
    settings = grid(**printed, **epochs, widths=REPORT_B, penalties=["with all penalties"])
    settings += grid(**printed, **epochs, widths=[next(iter(REPORT_B))], penalties=list(WITHOUT)[1:])
    stacks = {(row["widths"], row["penalties"]): row["results"] for row in sweep(learn_stack, settings, config.runs, **how)}
    baseline = sweep(learn_baseline, grid(**printed, cg_epochs=[config.cg_epochs]), config.baselines, **how)[0]["results"]
    mnist_runs = on_mnist(data, config, how)
    add_rows(card, stacks, baseline, mnist_runs, config)
    add_pitfalls(card, stacks, baseline, mnist_runs, config)
    draw_stacks(card, stacks, baseline, config)
    draw_depth(card, stacks, config)
    draw_labels(card, mnist_runs, config)
    draw_filters(card, stacks, mnist_runs)
    median = sorted(mnist_runs["pre-trained", config.images], key=lambda result: result["accuracy"])[config.runs // 2]
    x, y = split(data, config.images, config.validation, config.test)[2]
    draw_confusion(card, "confusion", y, median["predicted"], x[:, 0], "MNIST: the pre-trained stack whose accuracy is the "
                   "median.")
    return card


def on_mnist(data, config, how) -> dict:
    """{(start, labels): the results of all runs}."""
    counts = config.images, config.validation, config.test
    x = split(data, *counts)[0][0].reshape(-1, PIXELS)
    layer_epochs, last = config.mnist_epochs
    states = sweep(pretrain, [{"x": x, "widths": config.widths, "epochs": layer_epochs, "noise": config.noise}], config.runs,
                   **how)[0]["results"]
    settings = [{"data": data, "counts": counts, "widths": config.widths, "dropout": config.dropout, "seed": config.seed,
                 "run": run, "start": name, "states": states[run] if name == STARTS[0] else (), "labels": labels,
                 "epochs": last if labels == config.images else max(config.updates * 100 // labels, 1)}
                for labels in (config.images, *config.labels) for name in STARTS for run in range(config.runs)]
    results = {}
    for row in sweep(learn_labels, settings, 1, **how):
        results.setdefault((row["start"], row["labels"]), []).extend(row["results"])
    return results


def of(results, what) -> np.ndarray:
    """One number of each result: (runs,), or (runs, layers)."""
    return np.array([result[what] for result in results])


def gains(mnist_runs, labels) -> np.ndarray:
    """How much more of the test images a pre-trained start gets right, run by run: (runs,)."""
    return of(mnist_runs["pre-trained", labels], "accuracy") - of(mnist_runs["random start", labels], "accuracy")


def add_rows(card, stacks, baseline, mnist_runs, config):
    for (name, labels), results in mnist_runs.items():
        all_of_them = labels == config.images
        card.add_row(f"MNIST, test accuracy, {name}, {f'{labels:,}' if not all_of_them else 'all'} labels",
                     of(results, "accuracy"), report=REPORT_A[-1] if all_of_them and name == STARTS[0] else None,
                     better="higher", tolerance=0.005)
    for labels in (config.images, *config.labels):
        card.add_row(f"MNIST, gain by pre-training, {labels:,} labels", 100 * gains(mnist_runs, labels), unit="% of images",
                     better="higher")
    for widths, (greedy, tuned) in REPORT_B.items():
        results, name = stacks[widths, "with all penalties"], name_of(widths)
        card.add_row(f"printed digits, {name}, greedy", of(results, "greedy")[:, -1], report=greedy,
                     incomparable=OTHER)
        card.add_row(f"printed digits, {name}, tuned", of(results, "tuned"), report=tuned, incomparable=OTHER)
    card.add_row(f"printed digits, 100-50 without autoencoders, conjugate gradient, {config.cg_epochs} epochs", baseline,
                 report=REPORT_BASELINE, incomparable=OTHER)
    card.add_row("printed digits, LM's JᵀJ for 100-50", 8e-9 * parameters() ** 2, unit="GB", report=56.5, better="equal",
                 tolerance=0.01)


def parameters() -> int:
    """Of the network with 100 and 50 units: 84,060."""
    return sum(p.size for p in build().parameters())


def add_pitfalls(card, stacks, baseline, mnist_runs, config):
    deep = next(iter(REPORT_B))
    last = {name: 100 * np.median(of(stacks[deep, name], "greedy")[:, -1]) for name in WITHOUT}
    kept = {name: 100 * np.median(of(stacks[deep, name], "explained")[:, -1]) for name in WITHOUT}
    every, no_weight, no_sparsity, none = WITHOUT
    gain = {labels: 100 * np.median(gains(mnist_runs, labels)) for labels in (config.images, *config.labels)}
    card.pitfalls += [
        "What the greedy accuracies of table 3.1 lose with depth, they lose to the penalty for units that are not sparse more "
        "than to the greed. E adds up squared errors over the inputs of a layer: many for 784 pixels, few for the codes of a "
        "layer of 100. β stays what it is, so deeper layers are to be sparse first and faithful second (figure “depth”). In "
        f"{name_of(deep)} the softmax on the last layer has {last[every]:.1f} %, with λ = 0 {last[no_weight]:.1f}, but with "
        f"β = 0 {last[no_sparsity]:.1f}. With neither it has {last[none]:.1f}, which says nothing about greed: these layers "
        f"are unfinished. After {config.layer_epochs} epochs {kept[none]:.0f} % of the variance of the last one's input come "
        f"back, with β = 0 alone {kept[no_sparsity]:.0f} %.",
        "Table 3.1 contradicts itself. A softmax on the 25 units of 200-100-50-25 can hardly know more than one on the 50 "
        "from which they are computed; the report has 99.49 % for the first and 89.05 % for the second. The stacks must have "
        "been trained in different ways, and it does not say how. Here, in one way: "
        f"{last[every]:.1f} and {100 * np.median(of(stacks[(200, 100, 50), every], 'greedy')[:, -1]):.1f} %.",
        "“Pre-training helps” needs a control: the same network, tuned in the same way from a random start. On MNIST the "
        "gain is " + ", ".join(f"{value:+.2f} % of the images with {labels:,} labels" for labels, value in gain.items())
        + ". Where labels are many, it is next to nothing; what made the difference in 2006 were few labels and the random "
        "starts of that time.",
        f"The network without autoencoders has {100 * np.median(baseline):.1f} % here ({100 * min(baseline):.1f} to "
        f"{100 * max(baseline):.1f}; the report: 92.09 ± 6.80), and the same layers, tuned, "
        f"{100 * np.median(of(stacks[(100, 50), every], 'tuned')):.1f} %. But it was trained by another optimizer, for "
        "another time, and with a fifth fewer images: the report's comparison changes four things at once.",
        f"Levenberg–Marquardt is out of reach here: JᵀJ of {parameters():,} parameters has {8e-9 * parameters() ** 2:.1f} GB. "
        "That is why the report went back to conjugate gradient.",
    ]


def name_of(widths) -> str:
    """As 200-100-50-25."""
    return "-".join(map(str, widths))


def draw_stacks(card, stacks, baseline, config):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(8, 4.6))
    for i, (widths, reports) in enumerate(REPORT_B.items()):
        for what, report, colour in zip(("greedy", "tuned"), reports, COLOURS):
            values = of(stacks[widths, "with all penalties"], what).reshape(config.runs, -1)[:, -1]    # (runs,)
            ax.plot(100 * (1 - values), np.full(config.runs, i), "o", color=colour, alpha=0.7, label=what if i == 0 else None)
            ax.plot(100 * (1 - report), i, "x", color=colour, ms=8, label=f"{what}, report" if i == 0 else None)
    ax.plot(100 * (1 - np.array(baseline)), np.full(len(baseline), len(REPORT_B)), "o", color=COLOURS[2], alpha=0.7)
    ax.plot(100 * (1 - REPORT_BASELINE), len(REPORT_B), "x", color=COLOURS[2], ms=8)
    ax.set_yticks(range(len(REPORT_B) + 1), [*map(name_of, REPORT_B), "100-50 by CG,\nno autoencoder"])
    ax.set(xscale="log", xlabel="printed digits wrong (%)")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.invert_yaxis()
    ax.legend()
    card.add_figure(fig, "stacks", f"Report B's table 3.1, in errors: {config.runs} runs of each stack, and crosses for the "
                    "report, on other printed digits.", PRINTED)


def draw_depth(card, stacks, config):
    import matplotlib.pyplot as plt
    deep = next(iter(REPORT_B))
    fig, axes = plt.subplots(1, 2, figsize=(11, 4))
    for ax, what, title in zip(axes, ("greedy", "explained"), ("softmax on this layer's code, right (%)",
                                                               "variance of its input that comes back (%)")):
        for name, colour in zip(WITHOUT, COLOURS):
            values = 100 * of(stacks[deep, name], what)                                 # (runs, layers)
            ax.plot(1 + np.arange(len(deep)), values.T, ".-", color=colour, lw=1.1,
                    label=[name] + [None] * (config.runs - 1))
        ax.set_xticks(1 + np.arange(len(deep)), [f"{i + 1}: {width}" for i, width in enumerate(deep)])
        ax.set(xlabel="layer: its units", ylabel=title)
    axes[1].legend()
    axes[1].set_ylim(max(axes[1].get_ylim()[0], -50), 102)
    card.add_figure(fig, "depth", f"What the penalties do to {name_of(deep)} on printed digits, layer by layer: {config.runs} "
                    "runs each, with MATLAB's penalties, and with the one on weights (λ) or on activity (β) left out.",
                    PRINTED)


def draw_labels(card, mnist_runs, config):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(11, 4))
    for name, colour in zip(STARTS, COLOURS):
        numbers = sorted(labels for of_name, labels in mnist_runs if of_name == name)
        wrong = np.array([100 * (1 - of(mnist_runs[name, labels], "accuracy")) for labels in numbers])      # (labels, runs)
        axes[0].plot(numbers, np.median(wrong, axis=1), color=colour, label=name)
        axes[0].plot(numbers, wrong, ".", color=colour)
        curves = 100 * (1 - of(mnist_runs[name, config.images], "validation"))                              # (runs, epochs)
        axes[1].plot(1 + np.arange(curves.shape[1]), curves.T, color=colour, lw=1.1)
    axes[0].set(xscale="log", yscale="log", xlabel="labelled images", ylabel="test images wrong (%)")
    axes[1].set(yscale="log", xlabel="epochs of tuning, all labels", ylabel="validation images wrong (%)")
    plain_numbers(*(ax.yaxis for ax in axes))
    axes[0].legend()
    card.add_figure(fig, "labels", f"MNIST, {name_of((784, *config.widths, 10))}: what pre-training on {config.images:,} "
                    f"images is worth with few labels and with many. {config.runs} runs each; lines: medians (left), runs "
                    "(right).")


def draw_filters(card, stacks, mnist_runs):
    import matplotlib.pyplot as plt
    deep = next(iter(REPORT_B))
    panels = {f"printed digits, {name}": stacks[deep, name][0]["filters"] for name in list(WITHOUT)[::3]}
    panels["MNIST, repairing"] = mnist_runs["pre-trained", min(labels for _, labels in mnist_runs)][0]["filters"]
    fig, axes = plt.subplots(1, len(panels), figsize=(11, 4.2))
    for ax, (title, weights) in zip(axes, panels.items()):
        some = weights[:64] / np.abs(weights[:64]).max(axis=1, keepdims=True)           # (64, 784)
        image = show(ax, in_rows(some.reshape(-1, 28, 28), 8), -1, 1, "RdBu_r")
        ax.set_title(title, loc="center")
    fig.colorbar(image, ax=axes, label="weight ÷ the unit's largest", shrink=0.7)
    card.add_figure(fig, "filters", "What units of the first layer look for: the weights of up to 64 units. On MNIST after "
                    "tuning with the fewest labels, which hardly changes them.", f"{PRINTED}, {card.data_in_words()}")
