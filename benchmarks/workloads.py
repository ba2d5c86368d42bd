"""The workloads: each returns {contestant: a function that does the work once}, "tinynn" first.

A contestant whose package is not installed is left out. All of one workload compute the same thing from the same start.
"""
import importlib.util
import itertools
import os
import subprocess
import sys

import numpy as np

import tinynn as tn
from tinynn import nn, optim


def has(package) -> bool:
    """Is the package installed?"""
    return importlib.util.find_spec(package) is not None


def sine(dtype=np.float64):
    """x (943, 1) scaled to [−1, 1], y = sin(x²)."""
    x = np.arange(0, 3 * np.pi, 0.01)[:, None]
    return (2 * x / x.max() - 1).astype(dtype), np.sin(x * x).astype(dtype)


def small_network(dtype=np.float64):
    """1-50-1, tanh, from a Nguyen–Widrow start."""
    model = nn.Sequential(nn.Linear(1, 50, rng=0), nn.Tanh(), nn.Linear(50, 1, rng=0))
    nn.init.nguyen_widrow(model, rng=0)
    return model.astype(dtype)


def torch_network(*sizes, activation="Tanh"):
    """The same kind of network in PyTorch."""
    import torch
    layers = []
    for n_in, n_out in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(n_in, n_out), getattr(torch.nn, activation)()]
    return torch.nn.Sequential(*layers[:-1])


def small_ops():
    """1000 small ops, forward + backward."""
    def chain(x, tanh):
        z = x
        for _ in range(250):
            z = tanh(z * x + x) - 0.5
        z.sum().backward()

    x = tn.Tensor(np.ones(10), requires_grad=True)
    contestants = {"tinynn": lambda: chain(x, tn.tanh)}
    if has("torch"):
        import torch
        t = torch.ones(10, dtype=torch.float64, requires_grad=True)
        contestants["PyTorch"] = lambda: chain(t, torch.tanh)
    return contestants


def jax_step(sizes, data, activation, loss, update):
    """A compiled training step in JAX, on the batches (x, y) of data in turn. update(w, g, state) -> (w, state)."""
    import jax
    rng = np.random.default_rng(0)
    params = [(rng.uniform(-1, 1, (a, b)).astype(np.float32) / np.sqrt(a), np.zeros(b, np.float32))
              for a, b in zip(sizes, sizes[1:])]

    def objective(params, x, y):
        h = x
        for i, (W, b) in enumerate(params):
            h = h @ W + b
            h = activation(h) if i < len(params) - 1 else h
        return loss(h, y)

    @jax.jit
    def step(params, state, x, y):
        value, gradients = jax.value_and_grad(objective)(params, x, y)
        return *update(params, gradients, state), value

    zeros = jax.tree.map(np.zeros_like, params)
    known = {"params": params, "state": (zeros, zeros, np.float32(0))}
    turns = itertools.cycle([jax.device_put(batch) for batch in data])

    def run():
        known["params"], known["state"], value = step(known["params"], known["state"], *next(turns))
        value.block_until_ready()
    return run


def gd_step():
    """MLP 1-50-1, 943 rows, full-batch GD step, float32."""
    x, y = sine(np.float32)
    model, loss = small_network(np.float32), nn.MSELoss()
    optimizer = optim.GD(model.parameters())
    contestants = {"tinynn": lambda: optimizer.step(lambda: loss(model(x), y))}
    if has("torch"):
        import torch
        net, tx, ty = torch_network(1, 50, 1), torch.tensor(x), torch.tensor(y)
        sgd = torch.optim.SGD(net.parameters(), lr=0.01)

        def step():
            sgd.zero_grad()
            torch.nn.functional.mse_loss(net(tx), ty).backward()
            sgd.step()
        contestants["PyTorch"] = step
    if has("jax"):
        import jax
        import jax.numpy as jnp
        contestants["JAX jit"] = jax_step(
            (1, 50, 1), [(x, y)], jnp.tanh, lambda h, y: jnp.mean((h - y) ** 2),
            lambda w, g, state: (jax.tree.map(lambda w, g: w - 0.01 * g, w, g), state))
    return contestants


def adam_step():
    """MLP 784-256-128-10, batch 64, Adam step, float32.

    100 batches take turns: one alone would soon be learned, and gradients near 0 are denormal numbers, which are slow.
    """
    rng, sizes = np.random.default_rng(0), (784, 256, 128, 10)
    data = [(rng.random((64, 784), dtype=np.float32), rng.integers(0, 10, 64)) for _ in range(100)]
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    model.astype(np.float32)
    optimizer, loss = optim.Adam(model.parameters()), nn.CrossEntropyLoss()
    turns = itertools.cycle(data)

    def ours():
        x, labels = next(turns)
        optimizer.step(lambda: loss(model(x), labels))
    contestants = {"tinynn": ours}
    if has("torch"):
        import torch
        net = torch_network(*sizes, activation="ReLU")
        adam = torch.optim.Adam(net.parameters())
        torch_turns = itertools.cycle([(torch.tensor(x), torch.tensor(labels)) for x, labels in data])

        def step():
            x, labels = next(torch_turns)
            adam.zero_grad()
            torch.nn.functional.cross_entropy(net(x), labels).backward()
            adam.step()
        contestants["PyTorch"] = step
    if has("jax"):
        import jax
        import jax.numpy as jnp

        def update(w, g, state):
            m, v, t = state
            t = t + 1
            m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
            v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
            c1, c2 = 1 - 0.9 ** t, 1 - 0.999 ** t
            return jax.tree.map(lambda w, m, v: w - 1e-3 * (m / c1) / (jnp.sqrt(v / c2) + 1e-8), w, m, v), (m, v, t)
        contestants["JAX jit"] = jax_step(
            sizes, data, jax.nn.relu, lambda h, y: -jnp.mean(jax.nn.log_softmax(h)[jnp.arange(64), y]), update)
    return contestants


def by_hand(y, x):
    """(value and gradient, residuals, Jacobian) of the 1-50-1 network as plain NumPy, for SciPy's optimizers."""
    def forward(w):
        W, b, v, c = w[:50], w[50:100], w[100:150], w[150]
        h = np.tanh(x * W + b)                                              # (943, 50)
        return h, v, h @ v + c - y[:, 0]

    def value_and_gradient(w):
        h, v, e = forward(w)
        d = (2 / len(x)) * e
        back = (d[:, None] * v) * (1 - h * h)
        return np.mean(e * e), np.concatenate([x[:, 0] @ back, back.sum(0), d @ h, [d.sum()]])

    def jacobian(w):
        h, v, e = forward(w)
        back = v * (1 - h * h)
        return np.hstack([x * back, back, h, np.ones_like(x)])
    return value_and_gradient, lambda w: forward(w)[2], jacobian


def flat_start():
    """The 151 starting values of the small network, as one vector."""
    return np.concatenate([p.data.ravel() for p in small_network().parameters()])


def levenberg_marquardt():
    """LM iteration on sin(x²), 151 parameters (30 at a time, from one start)."""
    import scipy.optimize
    x, y = sine()
    start = flat_start()
    _, residuals, jacobian = by_hand(y, x)

    def ours():
        model = small_network()
        optimizer = optim.LevenbergMarquardt(model.parameters())

        def closure():
            return model(x) - y
        for _ in range(30):
            optimizer.step(closure)

    def scipys():                                               # 30 evaluations at most: some steps are refused
        scipy.optimize.least_squares(residuals, start, jacobian, method="lm", max_nfev=30)
    contestants = {"tinynn": ours, "SciPy": scipys}
    if has("torch_levenberg_marquardt"):
        import torch
        from torch_levenberg_marquardt.loss import MSELoss
        from torch_levenberg_marquardt.training import LevenbergMarquardtModule
        tx, ty = torch.tensor(x), torch.tensor(y)

        def torchs():
            net = torch_network(1, 50, 1).double()
            with torch.no_grad():
                for p, q in zip(net.parameters(), small_network().parameters()):
                    p.copy_(torch.tensor(q.data))
            module = LevenbergMarquardtModule(net, MSELoss())
            for _ in range(30):
                module.training_step(tx, ty)
        contestants["torch-levenberg-marquardt"] = torchs
    return contestants


def line_search(make, method):
    """100 iterations of a line-search optimizer on sin(x²)."""
    import scipy.optimize
    x, y = sine()
    start = flat_start()
    value_and_gradient, _, _ = by_hand(y, x)
    loss = nn.MSELoss()

    def ours():
        model = small_network()
        optimizer = make(model.parameters())

        def closure():
            return loss(model(x), y)
        for _ in range(100):
            optimizer.step(closure)
    return {"tinynn": ours, "SciPy": lambda: scipy.optimize.minimize(
        value_and_gradient, start, jac=True, method=method, options={"maxiter": 100, "gtol": 0})}


def bfgs():
    """BFGS iteration on sin(x²) (100 at a time)."""
    return line_search(optim.BFGS, "BFGS")


def conjugate_gradient():
    """CG iteration on sin(x²) (100 at a time), with SciPy's formula for β and its c₂."""
    return line_search(lambda params: optim.ConjugateGradient(params, beta="polak-ribiere", c2=0.4), "CG")


def importing():
    """import tinynn, in a fresh Python.

    Both are bytecode by then: pip compiles NumPy, the first import tinynn, unless the environment forbids that.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def fresh(code):
        return lambda: subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    return {"tinynn": fresh("import tinynn"), "numpy": fresh("import numpy")}


# (workload, {peer: ratio to reach}, calls of compare)
TABLE = [
    (small_ops, {"PyTorch": 1.0}, {}),
    (gd_step, {"PyTorch": 0.7, "JAX jit": 1.2}, {}),
    (adam_step, {"PyTorch": 0.7, "JAX jit": 1.0}, {}),
    (levenberg_marquardt, {"SciPy": 0.12, "torch-levenberg-marquardt": 0.4}, {"rounds": 7}),
    (bfgs, {"SciPy": 0.7}, {"rounds": 9}),
    (conjugate_gradient, {"SciPy": 0.7}, {"rounds": 9}),
    (importing, {"numpy": 1.6}, {"rounds": 9}),
]
