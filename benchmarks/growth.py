"""How cost grows, as a figure: Levenberg–Marquardt with parameters and examples, the sweep with the size of the graph."""
import time
import tracemalloc
from pathlib import Path

import numpy as np

import tinynn as tn
from tinynn import nn, optim


def measure(function, repetitions=5) -> tuple:
    """(median seconds, peak MiB of NumPy and Python memory) of a call; the peak from a run of its own."""
    function()
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1] / 2 ** 20
    tracemalloc.stop()
    return float(np.median(seconds)), peak


def lm_step(examples, units):
    """A function that makes one LM step of a 4-units-1 network; and its number of parameters."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((examples, 4))
    y = np.sin(x.sum(1, keepdims=True))
    model = nn.Sequential(nn.Linear(4, units, rng=rng), nn.Tanh(), nn.Linear(units, 1, rng=rng))
    optimizer = optim.LevenbergMarquardt(model.parameters())

    def closure():
        return model(x) - y
    return lambda: optimizer.step(closure), optimizer.flat.w.size


def sweep_of(nodes):
    """A function that goes forward and backward through a chain of `nodes` small ops."""
    x = tn.Tensor(np.ones(10), requires_grad=True)

    def run():
        z = x
        for _ in range(nodes):
            z = z * 0.999
        z.sum().backward()
    return run


def draw() -> Path:
    """Measure, and write growth.png beside this file."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from tinynn.viz import caption, look
    by_units = [lm_step(1000, units) for units in (8, 16, 32, 64, 128, 256)]
    sizes = (250, 500, 1000, 2000, 4000, 8000, 16000)
    graphs = (100, 1000, 10_000, 100_000)
    panels = [
        ("LM step, 1000 examples", "parameters P", [p for _, p in by_units], [measure(f) for f, _ in by_units], 2),
        ("LM step, 193 parameters", "examples N", sizes, [measure(lm_step(n, 32)[0]) for n in sizes], 1),
        ("Forward + backward of a chain", "ops", graphs, [measure(sweep_of(n), 3) for n in graphs], 1),
    ]
    with look():
        fig, axes = plt.subplots(2, 3, figsize=(10, 5.6), sharex="col")
        for column, (title, label, xs, results, power) in enumerate(panels):
            for row, (name, values) in enumerate(zip(("time (ms)", "peak memory (MiB)"), zip(*results))):
                values = np.array(values) * (1e3 if row == 0 else 1)
                ax = axes[row, column]
                ax.loglog(xs, values, "o-", label="measured")
                guide = power if column != 1 or row == 0 else 1
                ax.loglog(xs, values[-1] * (np.array(xs) / xs[-1]) ** guide, "--", color="#999999",
                          label=f"grows as {label.split()[-1]}{'²' if guide == 2 else ''}")
                ax.set_ylabel(name)
                ax.legend()
            axes[0, column].set_title(title)
            axes[1, column].set_xlabel(label)
        caption(fig, "Medians of 5 calls (chain: 3); memory as allocated by Python and NumPy. The networks are 4-units-1, "
                     "float64, on random data. J would take N·P numbers; the step needs P² and the activations.")
        path = Path(__file__).with_name("growth.png")
        fig.savefig(path, bbox_inches="tight")
        plt.close(fig)
    return path
