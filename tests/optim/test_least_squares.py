"""Levenberg–Marquardt against SciPy and NIST's certified values; Bayesian regularization against scikit-learn's numbers."""
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize

import tinynn as tn
from tinynn import nn, optim
from tinynn.optim.bayesian_regularization import determined
from tinynn.optim.levenberg_marquardt import solve

DATA = os.environ.get("TINYNN_DATA")

# name: (model, the certified digits to reach). b is the parameter Tensor, x the data.
MODELS = {
    "Misra1a": lambda b, x: b[0] * (1 - tn.exp(-b[1] * x)),
    "Misra1b": lambda b, x: b[0] * (1 - (1 + b[1] * x / 2) ** -2),
    "Misra1c": lambda b, x: b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5),
    "Misra1d": lambda b, x: b[0] * b[1] * x * (1 + b[1] * x) ** -1,
    "Chwirut1": lambda b, x: tn.exp(-b[0] * x) / (b[1] + b[2] * x),
    "Chwirut2": lambda b, x: tn.exp(-b[0] * x) / (b[1] + b[2] * x),
    "DanWood": lambda b, x: b[0] * tn.exp(b[1] * np.log(x)),
    "Gauss1": lambda b, x: (b[0] * tn.exp(-b[1] * x) + b[2] * tn.exp(-(x - b[3]) ** 2 / b[4] ** 2)
                            + b[5] * tn.exp(-(x - b[6]) ** 2 / b[7] ** 2)),
    "Lanczos3": lambda b, x: b[0] * tn.exp(-b[1] * x) + b[2] * tn.exp(-b[3] * x) + b[4] * tn.exp(-b[5] * x),
    "Kirby2": lambda b, x: (b[0] + b[1] * x + b[2] * x ** 2) / (1 + b[3] * x + b[4] * x ** 2),
    "Hahn1": lambda b, x: ((b[0] + b[1] * x + b[2] * x ** 2 + b[3] * x ** 3)
                           / (1 + b[4] * x + b[5] * x ** 2 + b[6] * x ** 3)),
    "MGH17": lambda b, x: b[0] + b[1] * tn.exp(-x * b[3]) + b[2] * tn.exp(-x * b[4]),
    "Rat42": lambda b, x: b[0] / (1 + tn.exp(b[1] - b[2] * x)),
    "Rat43": lambda b, x: b[0] / (1 + tn.exp(b[1] - b[2] * x)) ** (1 / b[3]),
    "MGH09": lambda b, x: b[0] * (x ** 2 + x * b[1]) / (x ** 2 + x * b[2] + b[3]),
    "Thurber": lambda b, x: ((b[0] + b[1] * x + b[2] * x ** 2 + b[3] * x ** 3)
                             / (1 + b[4] * x + b[5] * x ** 2 + b[6] * x ** 3)),
    "BoxBOD": lambda b, x: b[0] * (1 - tn.exp(-b[1] * x)),
    "Eckerle4": lambda b, x: b[0] / b[1] * tn.exp(-0.5 * ((x - b[2]) / b[1]) ** 2),
    "MGH10": lambda b, x: b[0] * tn.exp(b[1] / (x + b[2])),
}


def nist(name):
    """(starts (2, P), certified (P,), residual sum of squares, y, x) from a NIST StRD file."""
    lines = (Path(DATA) / "nist-strd" / f"{name}.dat").read_text().splitlines()
    rows = [line.split("=")[1].split() for line in lines if line.strip().startswith("b") and "=" in line]
    rows = np.array([[float(v) for v in row[:3]] for row in rows if len(row) >= 3])
    squares = next(float(line.split(":")[1]) for line in lines if line.startswith("Residual Sum of Squares"))
    first = max(i for i, line in enumerate(lines) if line.startswith("Data:")) + 1
    y, x = np.array([[float(v) for v in line.split()[:2]] for line in lines[first:] if line.strip()]).T
    return rows[:, :2].T, rows[:, 2], squares, y, x


@pytest.mark.skipif(not DATA, reason="TINYNN_DATA is not set")
@pytest.mark.parametrize("name", MODELS)
def test_nist_certified_values(name):
    starts, certified, squares, y, x = nist(name)
    start = starts[1]                                           # the nearer one; the far ones are for global methods
    # The parameters differ by many powers of ten, so each is counted in units of its start: μI means the same for all.
    b = tn.Tensor(np.ones(len(start)), requires_grad=True)
    optimizer = optim.LevenbergMarquardt([b], min_grad=1e-300, mu_max=1e14)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(5000):
            optimizer.step(lambda: MODELS[name](b * start, x) - y)
            if optimizer.stop:
                break
    found = b.data * start
    np.testing.assert_allclose(found, certified, rtol=1e-5)
    np.testing.assert_allclose(np.sum((MODELS[name](found, x) - y) ** 2), squares, rtol=1e-6)


def test_same_minimum_as_scipy():
    rng = np.random.default_rng(0)
    x = np.linspace(0, 3, 40)
    y = 2 * np.exp(-1.3 * x) + 0.5 + 0.01 * rng.standard_normal(40)

    def residual(b):
        return b[0] * tn.exp(-b[1] * x) + b[2] - y
    expected = scipy.optimize.least_squares(residual, [1.0, 1.0, 0.0], method="lm", xtol=1e-14, ftol=1e-14).x
    b = tn.Tensor([1.0, 1.0, 0.0], requires_grad=True)
    optimizer = optim.LevenbergMarquardt([b], min_grad=1e-14)
    losses = [optimizer.step(lambda: residual(b)) for _ in range(30) if not optimizer.stop]
    np.testing.assert_allclose(b.data, expected, rtol=1e-7)
    assert all(later <= earlier for earlier, later in zip(losses, losses[1:]))


def test_rosenbrock_as_least_squares():
    b = tn.Tensor([-1.2, 1.0], requires_grad=True)
    optimizer = optim.LevenbergMarquardt([b])
    for _ in range(100):
        optimizer.step(lambda: tn.stack([10 * (b[1] - b[0] ** 2), 1 - b[0]]))
        if optimizer.stop:
            break
    np.testing.assert_allclose(b.data, [1, 1], atol=1e-6)


def test_batch_norm_couples_rows_and_still_trains():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 2))
    y = np.sin(x[:, :1])
    model = nn.Sequential(nn.Linear(2, 6, rng=rng), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 1, rng=rng))
    optimizer = optim.LevenbergMarquardt(model.parameters())
    losses = [optimizer.step(lambda: model(x) - y) for _ in range(20)]
    assert losses[-1] < 0.01 * losses[0]


def test_memory_grows_with_parameters_squared_not_with_examples():
    import tracemalloc
    rng = np.random.default_rng(0)
    peaks = {}
    for n in (2000, 8000):
        x = rng.standard_normal((n, 4))
        model = nn.Sequential(nn.Linear(4, 60, rng=rng), nn.Tanh(), nn.Linear(60, 1, rng=rng))    # 361 parameters
        optimizer = optim.LevenbergMarquardt(model.parameters())
        optimizer.step(lambda: model(x) - 1.0)
        tracemalloc.start()
        optimizer.step(lambda: model(x) - 1.0)
        peaks[n] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    jacobian = 8000 * 361 * 8
    assert peaks[8000] < jacobian                               # 23 MB, which a full Jacobian alone would take
    assert peaks[8000] - peaks[2000] < 6000 * 8 * 60 * 8        # a few activations (N, 60) more, no (N, 361)


def test_solve_is_cholesky():
    rng = np.random.default_rng(0)
    B = rng.standard_normal((5, 5))
    A, b = B @ B.T, rng.standard_normal(5)
    np.testing.assert_allclose(solve(A.copy(), 0.1, b), np.linalg.solve(A + 0.1 * np.eye(5), b), rtol=1e-10)
    assert solve(-np.eye(3), 0.0, np.ones(3)) is None


def linear_problem():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 5)) * [1, 2, 0.5, 1, 3]
    return X, X @ [1.0, -0.5, 0.0, 2.0, 0.1] + 0.3 * rng.standard_normal(60)


def test_bayesian_regularization_finds_the_evidence_maximum_of_a_linear_model():
    X, y = linear_problem()
    w = tn.Tensor(np.ones(5), requires_grad=True)
    optimizer = optim.BayesianRegularization([w], min_grad=1e-14)
    for _ in range(200):
        optimizer.step(lambda: X @ w - y)
        if optimizer.stop:
            break
    # MacKay's fixed point, iterated on the closed form; scikit-learn's BayesianRidge gives the same numbers
    # (alpha_ = 2β, lambda_ = 2α; tests/recorded/record_sklearn.py).
    alpha, beta, G = 1.0, 1.0, X.T @ X
    for _ in range(1000):
        m = np.linalg.solve(beta * G + alpha * np.eye(5), beta * X.T @ y)
        gamma = np.sum(np.linalg.eigvalsh(G) / (np.linalg.eigvalsh(G) + alpha / beta))
        alpha, beta = gamma / (2 * m @ m), (60 - gamma) / (2 * np.sum((X @ m - y) ** 2))
    np.testing.assert_allclose([optimizer.gamma, optimizer.alpha, optimizer.beta], [gamma, alpha, beta], rtol=1e-5)
    np.testing.assert_allclose(w.data, m, rtol=1e-5)


def test_bayesian_regularization_equals_scikit_learn():
    recorded = np.load(Path(__file__).parents[1] / "recorded" / "sklearn_bayes.npz")
    X, y = linear_problem()
    w = tn.Tensor(np.ones(5), requires_grad=True)
    optimizer = optim.BayesianRegularization([w], min_grad=1e-14)
    for _ in range(200):
        optimizer.step(lambda: X @ w - y)
        if optimizer.stop:
            break
    np.testing.assert_allclose(w.data, recorded["coef"], rtol=1e-5)
    np.testing.assert_allclose([2 * optimizer.beta, 2 * optimizer.alpha], [recorded["alpha"], recorded["lambda_"]], rtol=1e-5)


@pytest.mark.parametrize("x, y", [
    (np.zeros((4, 1)), np.zeros((4, 1))),                       # nothing to learn: E_D and E_W may both be 0
    (np.linspace(-1, 1, 3)[:, None], np.ones((3, 1))),          # fewer examples than parameters
])
def test_bayesian_regularization_guards(x, y):
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(1, 5, rng=rng), nn.Tanh(), nn.Linear(5, 1, rng=rng))
    optimizer = optim.BayesianRegularization(model.parameters())
    for _ in range(50):
        loss = optimizer.step(lambda: model(x) - y)
        assert np.isfinite([loss, optimizer.alpha, optimizer.beta, optimizer.gamma]).all()
        if optimizer.stop:
            break


def test_another_graph_of_the_same_shape_is_not_trusted():
    x, y = np.random.default_rng(0).standard_normal((2, 2, 2))
    w = tn.Tensor(np.ones((2, 2)), requires_grad=True)
    optimizer = optim.LevenbergMarquardt([w])
    optimizer.step(lambda: x * w - y)
    before = w.data.copy()
    optimizer.step(lambda: tn.transpose(x * w) - y)
    residual = (x * before).T - y
    assert w.grad == pytest.approx(2 / 4 * x * residual.T)


def test_a_model_that_changes_its_mode():
    model = nn.Sequential(nn.Linear(1, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).eval()
    x = np.linspace(-1, 1, 9)[:, None]
    optimizer = optim.LevenbergMarquardt(model.parameters())
    for _ in range(2):
        assert np.isfinite(optimizer.step(lambda: model(x) - x))
        model.train()


def test_no_examples():
    w = tn.Tensor([1.0], requires_grad=True)
    with pytest.raises(ValueError, match="there is no example to learn from"):
        optim.LevenbergMarquardt([w]).step(lambda: (w - 1)[:0])


def test_bayesian_regularization_recovers_from_nan():
    w, scale = tn.Tensor([2.0], requires_grad=True), [np.nan]
    x = np.linspace(1, 2, 9)
    optimizer = optim.BayesianRegularization([w])
    optimizer.step(lambda: x * w * scale[0] - x)
    assert optimizer.stop
    optimizer.step(lambda: x * w - x)
    assert optimizer.stop is None and np.isfinite(optimizer.beta)


def test_gamma_of_a_matrix_beyond_precision_counts_what_is_above_rounding():
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.standard_normal((30, 30)))
    for largest in (1.0, 1e9, 1e17):                            # against ratio = 1e-3, and eigenvalues of 1 and 0
        JtJ = (Q * np.repeat([largest, 1.0, 0.0], 10)) @ Q.T
        gamma = determined((JtJ + JtJ.T) / 2, 1e-3)
        exact = 10 / (1 + 1e-3 / largest) + (10 / (1 + 1e-3) if largest < 1e15 else 0)
        assert gamma == pytest.approx(exact, abs=0.02 if largest < 1e15 else 3)
