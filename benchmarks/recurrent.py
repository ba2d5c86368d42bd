"""The workloads of session 2: LSTM training steps, and recall by a Hopfield network. See workloads.py."""
import numpy as np

import tinynn as tn
from tinynn import nn, optim
from tinynn.energy import Hopfield
from tinynn.kernels.hopfield import recall_asynchronously

from .workloads import has


def lstm_step(units, steps):
    """Batch 64, one input, a linear head on the last step, MSE, Adam, float32."""
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(shape).astype(np.float32) for shape in ((64, steps, 1), (64, 1)))
    lstm, head, loss = nn.LSTM(1, units).astype(np.float32), nn.Linear(units, 1).astype(np.float32), nn.MSELoss()
    optimizer = optim.Adam(lstm.parameters() + head.parameters())
    contestants = {"tinynn": lambda: optimizer.step(lambda: loss(head(lstm(x)[0][:, -1]), y))}
    if has("torch"):
        import torch
        net, top, tx, ty = torch.nn.LSTM(1, units, batch_first=True), torch.nn.Linear(units, 1), *map(torch.tensor, (x, y))
        adam = torch.optim.Adam([*net.parameters(), *top.parameters()])

        def step():
            adam.zero_grad()
            torch.nn.functional.mse_loss(top(net(tx)[0][:, -1]), ty).backward()
            adam.step()
        contestants["PyTorch"] = step
    if has("jax"):
        contestants["JAX jit"] = jax_lstm_step(x, y, units)
    return contestants


def jax_lstm_step(x, y, units):
    """The same, compiled: a scan over the steps."""
    import jax
    import jax.numpy as jnp
    rng = np.random.default_rng(0)
    x, y = jnp.array(x.swapaxes(0, 1)), jnp.array(y)                        # (N, T, 1) -> (T, N, 1)
    params = {name: jnp.array(rng.uniform(-1, 1, shape) / np.sqrt(units), jnp.float32) for name, shape in
              (("W_ih", (1, 4 * units)), ("W_hh", (units, 4 * units)), ("b", 4 * units), ("V", (units, 1)), ("c", 1))}

    def objective(p):
        def cell(state, xt):
            h, c = state
            i, f, g, o = jnp.split(xt @ p["W_ih"] + h @ p["W_hh"] + p["b"], 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None
        zeros = jnp.zeros((64, units))
        (h, _), _ = jax.lax.scan(cell, (zeros, zeros), x)
        return jnp.mean((h @ p["V"] + p["c"] - y) ** 2)

    @jax.jit
    def step(p, m, v, t):
        value, g = jax.value_and_grad(objective)(p)
        t = t + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        c1, c2 = 1 - 0.9 ** t, 1 - 0.999 ** t
        return jax.tree.map(lambda w, m, v: w - 1e-3 * (m / c1) / (jnp.sqrt(v / c2) + 1e-8), p, m, v), m, v, t, value

    zeros = jax.tree.map(jnp.zeros_like, params)
    state = [params, zeros, zeros, jnp.float32(0)]

    def run():
        *state[:], value = step(*state)
        value.block_until_ready()
    return run


def lstm_25():
    """LSTM 25 units, 15 steps, batch 64, forward + backward + Adam, float32."""
    return lstm_step(25, 15)


def lstm_30():
    """LSTM 30 units, 30 steps, batch 64, forward + backward + Adam, float32."""
    return lstm_step(30, 30)


def lstm_100():
    """LSTM 100 units, 100 steps, batch 64, forward + backward + Adam, float32."""
    return lstm_step(100, 100)


def hopfield_recall():
    """Hopfield: asynchronous recall of 10,000 states of 240 units, at most 100 sweeps."""
    rng = np.random.default_rng(0)
    network = Hopfield(rng.choice([-1, 1], (30, 240)), "hebb")
    starts = rng.choice([-1.0, 1.0], (10_000, 240))
    orders = rng.permuted(np.tile(np.arange(240), (100, 1)), axis=1)

    def recall(backend):
        with tn.kernels.use(backend):
            recall_asynchronously(network.W, network.b, starts.copy(), orders, False, 0.0)
    return {"tinynn": lambda: recall("numba"), "NumPy twin": lambda: recall("numpy")}


TABLE = [(lstm_25, {"PyTorch": 0.5, "JAX jit": 0.5}, {}), (lstm_30, {"PyTorch": 0.45, "JAX jit": 0.45}, {}),
         (lstm_100, {"PyTorch": 0.7, "JAX jit": 0.7}, {}), (hopfield_recall, {"NumPy twin": 0.05}, {"rounds": 3})]
