"""Attention by hand: softmax(QKᵀ/√d)V in plain NumPy, forward and backward, and what the softmax is for.

Self-attention is written out here head by head, with its gradient, and compared with the layer (report A 3.3). Then a task
that needs it: each of T tokens shows a key, a random direction in 8 dimensions, and a value, +1 or −1; which value belongs to
the key that is asked for? One head of attention learns that with 16 tokens, once with the softmax and once without it.

Change first: `noise`, to 0.3: what do the weights do if the key that is asked for is not quite one of the keys? The test that
guards the layer: tests/nn/test_attention.py::test_equals_pytorch
"""
from dataclasses import dataclass

import numpy as np

import tinynn as tn
from exercises.card import Card, Config
from tinynn import nn, optim
from tinynn.ops.attention import attention_weights
from tinynn.train import grid, sweep
from tinynn.viz import COLOURS

KEY = 8                                                         # numbers in a key
KINDS = {"softmax": COLOURS[0], "no softmax": COLOURS[1]}


@dataclass(frozen=True)
class AttentionConfig(Config):
    """d, heads, tokens: of the comparison by hand; asked for `draws` times. learned: tokens in training; lengths: in the test.
    noise: standard deviation of what is added to the key asked for. steps: of Adam, on new examples each. examples: tested."""
    d: int = 64
    heads: int = 8
    tokens: int = 17
    draws: int = 5
    learned: int = 16
    lengths: tuple = (2, 4, 8, 16, 32, 64, 128)
    noise: float = 0.0
    steps: int = 3000
    examples: int = 2000
    runs: int = 10


CONFIG = AttentionConfig(takes="1 min")
QUICK = AttentionConfig(takes="5 s", quick=True, draws=2, steps=300, examples=500, runs=2)


# --- by hand ----------------------------------------------------------------------------------------------------------

def forward(x, p, heads) -> tuple:
    """Self-attention of one sequence x (T, d): the output (T, d), the weights (T, T) of each head, and Q, K, V (T, d). p: the
    layer's state dict."""
    W_q, W_k, W_v = np.split(p["in_proj_weight"], 3)                                # (d, d) each
    b_q, b_k, b_v = np.split(p["in_proj_bias"], 3)                                  # (d,) each
    Q, K, V = x @ W_q.T + b_q, x @ W_k.T + b_k, x @ W_v.T + b_v                     # (T, d) each
    y, weights = np.empty_like(x), []
    for head in columns(x, heads):
        scores = Q[:, head] @ K[:, head].T / np.sqrt(len(head))                     # (T, d/h) @ (d/h, T) -> (T, T)
        A = np.exp(scores - scores.max(axis=1, keepdims=True))
        A /= A.sum(axis=1, keepdims=True)                                           # softmax: positive, each row sums to 1
        y[:, head] = A @ V[:, head]                                                 # means of values
        weights.append(A)
    return y @ p["out_proj.weight"].T + p["out_proj.bias"], weights, (Q, K, V)


def backward(g, x, p, heads) -> np.ndarray:
    """dL/dx (T, d) from g = dL/d(output)."""
    _, weights, (Q, K, V) = forward(x, p, heads)
    dy = g @ p["out_proj.weight"]
    dQ, dK, dV = np.empty_like(Q), np.empty_like(K), np.empty_like(V)
    for head, A in zip(columns(x, heads), weights):
        dV[:, head] = A.T @ dy[:, head]
        dA = dy[:, head] @ V[:, head].T
        dS = A * (dA - (dA * A).sum(axis=1, keepdims=True)) / np.sqrt(len(head))    # through the softmax and √d
        dQ[:, head], dK[:, head] = dS @ K[:, head], dS.T @ Q[:, head]
    W_q, W_k, W_v = np.split(p["in_proj_weight"], 3)
    return dQ @ W_q + dK @ W_k + dV @ W_v


def columns(x, heads) -> list:
    """Which of the d columns belong to which head."""
    return np.split(np.arange(x.shape[1]), heads)


def compare(config) -> dict:
    """The largest differences between the layer and the plain NumPy: output, mean weights, dL/dx; (draws,) each."""
    differences = {"output": [], "weights": [], "gradient": []}
    for rng in np.random.default_rng(config.seed).spawn(config.draws):
        layer = build(config.d, config.heads, rng)
        x, g = rng.standard_normal((2, 1, config.tokens, config.d))
        leaf = tn.Tensor(x, requires_grad=True)
        _, mean_weights = layer(leaf, leaf, leaf)
        y, _ = layer(leaf, leaf, leaf, need_weights=False)                          # by kernels
        y.backward(g)
        output, weights, _ = forward(x[0], layer.state_dict(), config.heads)
        for what, a, b in (("output", y.numpy(), output), ("weights", mean_weights.numpy(), np.mean(weights, axis=0)),
                           ("gradient", leaf.grad, backward(g[0], x[0], layer.state_dict(), config.heads))):
            differences[what].append(np.abs(a[0] - b).max())
    return differences


def build(d=64, heads=8, rng=None) -> nn.MultiheadAttention:
    """The layer."""
    return nn.MultiheadAttention(d, heads, rng=rng)


# --- what the softmax is for ------------------------------------------------------------------------------------------

class Recall(nn.Module):
    """One head: a query (N, 1, KEY + 1) looks at tokens (N, T, KEY + 1), keys with their values, and answers: (N, 1)."""

    def __init__(self, kind, rng, d=16):
        self.kind = kind
        self.q, self.k, self.v, self.out = (nn.Linear(n, m, rng=rng) for n, m in ((KEY + 1, d),) * 3 + ((d, 1),))

    def weights(self, query, tokens):
        """(N, 1, T): how much of each token's value enters."""
        q, k = self.q(query), self.k(tokens)                                        # (N, 1, d), (N, T, d)
        if self.kind == "softmax":
            return attention_weights(q, k)
        return tn.matmul(q, tn.swapaxes(k, 1, 2)) / np.sqrt(q.shape[2])             # the scores themselves

    def forward(self, query, tokens):
        y = tn.matmul(self.weights(query, tokens), self.v(tokens))                  # (N, 1, T) @ (N, T, d) -> (N, 1, d)
        return self.out(y)[:, 0]                                                    # -> (N, 1, 1) -> (N, 1)


def sample(n, tokens, noise, rng) -> tuple:
    """query (n, 1, KEY + 1), tokens (n, T, KEY + 1), the answers (n, 1), and which token has it (n,)."""
    keys = rng.standard_normal((n, tokens, KEY))
    keys /= np.linalg.norm(keys, axis=2, keepdims=True)
    values, asked = rng.choice([-1.0, 1.0], (n, tokens, 1)), rng.integers(tokens, size=n)
    query = keys[np.arange(n), asked] + noise * rng.standard_normal((n, KEY))
    return (np.pad(query[:, None], ((0, 0), (0, 0), (0, 1))), np.concatenate([keys, values], axis=2),
            values[np.arange(n), asked], asked)


def learn(setting: dict, rng: np.random.Generator) -> dict:
    """Train one network; its errors on sequences of other lengths, and its weights on some of the length it has learned."""
    model, loss, noise = Recall(setting["kind"], rng), nn.MSELoss(), setting["noise"]
    optimizer = optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(setting["steps"]):
        query, tokens, answer, _ = sample(64, setting["learned"], noise, rng)
        optimizer.step(lambda: loss(model(query, tokens), answer))
    errors = []
    with tn.no_grad():
        for length in setting["lengths"]:
            query, tokens, answer, _ = sample(setting["examples"], length, noise, rng)
            errors.append(loss(model(query, tokens), answer).item())
        query, tokens, _, asked = sample(24, setting["learned"], noise, np.random.default_rng(0))
        return {"errors": np.array(errors), "weights": model.weights(query, tokens).numpy()[:, 0], "asked": asked}


def run(config: AttentionConfig) -> Card:
    card = Card.begin(__name__, config)
    differences = compare(config)
    folder = card.unfinished(config.out)
    table = sweep(learn, grid(kind=list(KINDS), noise=[config.noise], steps=[config.steps], learned=[config.learned],
                              lengths=[config.lengths], examples=[config.examples]),
                  config.runs, config.seed, config.jobs, config.dask, resume=folder)
    results = {row["kind"]: row["results"] for row in table}
    errors = {kind: np.array([result["errors"] for result in of]) for kind, of in results.items()}      # (runs, lengths)
    for what, values in differences.items():
        card.add_row(f"largest difference between layer and plain NumPy, {what}", values)
    for kind, of in errors.items():
        for length, values in zip(config.lengths, of.T):
            card.add_row(f"recall among {length} tokens, MSE, {kind}", values)
    add_pitfalls(card, results, errors, config)
    draw_weights(card, results)
    draw_errors(card, errors, config)
    return card


def add_pitfalls(card, results, errors, config):
    at = config.lengths.index(config.learned)
    soft, none = (np.median(errors[kind], axis=0) for kind in KINDS)
    sums = np.array([result["weights"].sum(axis=1) for result in results["no softmax"]])
    rng = np.random.default_rng(config.seed)
    largest = {d: largest_weights(d, config.tokens, rng) for d in (8, 512)}
    card.pitfalls += [
        "Report A leaves the softmax out: scores are multiplied with the values as they are. They may be negative, and add up "
        f"to anything, here to {sums.min():.1f} ... {sums.max():.1f} instead of 1. Then no token can be picked: every other "
        f"one speaks, too. Recall among {config.learned} tokens has an MSE of {none[at]:.2f} instead of {soft[at]:.2g} "
        f"(guessing has 1), among {config.lengths[-1]} of {none[-1]:.1f} instead of {soft[-1]:.2g}.",
        "Without the softmax the layer is a polynomial of third degree: but for the biases, tokens whose numbers are twice as "
        "large give eight times the output.",
        "And it multiplies the weights. A product of weight matrices is one more matrix, the same for all sequences, in which "
        "no token meets another; what has to be multiplied is queries and keys, QKᵀ, and then the weights with the values.",
        f"√d is no detail. Among {config.tokens} random tokens of 8 numbers the largest weight is {largest[8][0]:.2f} in the "
        f"mean with √d, and {largest[8][1]:.2f} without; of 512 numbers {largest[512][0]:.2f} and {largest[512][1]:.2f}: all "
        "weight on one token before anything is learned, and hardly a gradient through the softmax.",
    ]


def largest_weights(d, tokens, rng) -> list:
    """The mean largest weight among random tokens of d numbers, with √d and without."""
    q, k = rng.standard_normal((2, 100, tokens, d))
    return [attention_weights(q * factor, k).max(axis=2).mean() for factor in (1, np.sqrt(d))]


def draw_weights(card, results):
    import matplotlib.pyplot as plt
    fig, axes = plt.subplots(1, 2, figsize=(9, 5), sharey=True)
    for ax, (kind, of) in zip(axes, results.items()):
        weights, asked = of[0]["weights"], of[0]["asked"]
        limit = np.abs(weights).max()
        image = ax.imshow(weights, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
        ax.plot(asked, np.arange(len(asked)), "o", mfc="white", mec="black", ms=5, label="the token asked for")
        ax.set(title=kind, xlabel="token", xticks=range(0, weights.shape[1], 5))
        ax.grid(False)
        fig.colorbar(image, ax=ax, label="weight")
    axes[0].set_ylabel("sequence")
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1.06))
    card.add_figure(fig, "weights", "Weights of the query on the tokens, in 24 sequences (first run). With the softmax "
                    "one is picked; without it all have a say, with either sign.")


def draw_errors(card, errors, config):
    import matplotlib.pyplot as plt
    fig, ax = plt.subplots(figsize=(7, 4))
    for kind, colour in KINDS.items():
        low, middle, high = np.percentile(errors[kind], (0, 50, 100), axis=0)
        ax.fill_between(config.lengths, low, high, color=colour, alpha=0.25, lw=0)
        ax.plot(config.lengths, middle, "o-", color=colour, label=kind)
    ax.axhline(1, color="black", ls=":", lw=1.2)
    ax.text(config.lengths[0], 1.1, "guessing", fontsize=8.5)
    ax.axvline(config.learned, color="#888888", ls="--", lw=1, label="tokens in training")
    ax.set(xscale="log", yscale="log", xlabel="tokens", ylabel="MSE of the value recalled (values ±1)")
    ax.set_xticks(config.lengths, config.lengths)
    ax.minorticks_off()
    ax.legend()
    card.add_figure(fig, "errors", f"Recall among more tokens and fewer than in training: median and range of {config.runs} "
                    f"networks of each kind, on {config.examples} sequences each.")
