"""The cost of convolution, as a figure: arithmetic a second, against batch size and channels, and of matrix products."""
import os
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from tinynn.kernels import convolution, winograd

from .growth import measure

SIDE = 14
BATCHES, CHANNELS = (1, 2, 4, 8, 16, 32, 64, 128), (4, 8, 16, 32, 64, 128)


def passes(path, n, channels):
    """A function: forward and both gradients of n images, as many channels in as out, by one path; and its arithmetic, by the
    definition: a multiplication and an addition for each weight and output, three times."""
    size, rng = 5 if path == "im2col, 5 × 5" else 3, np.random.default_rng(0)
    x, g = rng.standard_normal((2, n, channels, SIDE, SIDE)).astype(np.float32)
    W, b = rng.standard_normal((channels, channels, size, size)).astype(np.float32), np.zeros(channels, np.float32)
    p = size // 2

    def by_winograd():
        winograd.forward(x, W, b, p, p)
        winograd.forward(g, W, b, p, p)                         # the gradient of the inputs is a convolution, too
        winograd.to_weight(x, g, p, p)

    def by_loops(forward, to_input, to_weight):
        forward(x, W, b, 1, 1, p, p)
        to_input(g, W, SIDE, SIDE, 1, 1, p, p)
        to_weight(x, g, size, size, 1, 1, p, p)
    kernels = [convolution.forward, convolution.to_input, convolution.to_weight]
    if path == "reference, 3 × 3":
        kernels = [kernel.reference for kernel in kernels]
    run = by_winograd if path.startswith("Winograd") else lambda: by_loops(*kernels)
    return run, 3 * 2 * n * SIDE * SIDE * channels * channels * size * size


def peak() -> float:
    """Arithmetic a second of a large matrix product in float32, 10⁹, with a thread for every core."""
    a = np.ones((2048, 2048), np.float32)
    with threadpool_limits(os.cpu_count(), "blas"):
        return 2 * 2048 ** 3 / measure(lambda: a @ a)[0] / 1e9


def draw() -> Path:
    """Measure, and write convolution.png beside this file."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from tinynn.viz import caption, look
    limit = peak()
    with look():
        fig, axes = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True)
        for path in ("Winograd, 3 × 3", "im2col, 3 × 3", "im2col, 5 × 5", "reference, 3 × 3"):
            for ax, xs, sizes in ((axes[0], BATCHES, [(n, 32) for n in BATCHES]),
                                  (axes[1], CHANNELS, [(64, c) for c in CHANNELS])):
                rates = []
                for n, channels in sizes:
                    run, work = passes(path, n, channels)
                    rates.append(work / measure(run)[0] / 1e9)
                ax.loglog(xs, rates, "o-", label=path, base=2)
        for ax, label, title in ((axes[0], "batch size (images)", "32 channels"), (axes[1], "channels", "64 images")):
            ax.axhline(limit, color="k", ls=":", lw=1.2, label="matrix product, 2048 × 2048")
            ax.set(xlabel=label, title=title)
            ax.xaxis.set_major_formatter("{x:g}")
        axes[0].set_ylabel("arithmetic, as defined (GFLOP/s)")
        axes[0].yaxis.set_major_formatter("{x:g}")
        axes[0].legend(fontsize=8)
        caption(fig, f"Forward and both gradients of {SIDE} × {SIDE} images, float32, as many channels in as out; medians of "
                     "5 calls. Winograd's way needs fewer multiplications than are counted, so it may pass the peak.")
        path = Path(__file__).with_name("convolution.png")
        fig.savefig(path, bbox_inches="tight")
        plt.close(fig)
    return path
