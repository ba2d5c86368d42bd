"""training_algorithms, generalization, network_size: the report's configurations, their starts, and tiny runs."""
from dataclasses import replace

import numpy as np
import pytest

from exercises.__main__ import run_one
from exercises.supervised import _algorithms, generalization, network_size, training_algorithms
from exercises.supervised._algorithms import ALGORITHMS, build


def tiny(module, folder, **changes):
    """The card of a run of a second or so, saved."""
    card = run_one(module, replace(module.QUICK, repetitions=1, jobs=1, out=folder, **changes))
    card.save(folder)
    assert {path.name for path in (folder / card.name).iterdir()} == {"card.json", *(f.file for f in card.figures)}
    return {row.quantity: row for row in card.rows}


def test_the_configurations_are_the_report_s():
    config = training_algorithms.CONFIG
    assert (config.units, config.iterations, config.repetitions) == (50, 500, 20)
    config = generalization.CONFIG
    assert config.hidden == tuple(range(5, 96, 5)) and config.noise == (0.0, 0.2)
    assert (config.iterations, config.repetitions, config.test_points, config.shown) == (200, 10, 100, 45)
    assert network_size.CONFIG.hidden == (10, 50, 100) and len(network_size.OPTIMIZERS) == 5
    assert set(ALGORITHMS) == {"GD", "GDX", "CG", "BFGS", "LM", "BR"}


def test_the_data_are_matlab_s_943_points():
    assert _algorithms.x.shape == (943,) and _algorithms.x[-1] == pytest.approx(9.42)
    scaled = _algorithms.scale(_algorithms.x)
    assert (scaled.min(), scaled.max()) == (-1, 1)


@pytest.mark.parametrize("start, steepness, output", [("Nguyen-Widrow", 35, 0.7), ("MATLAB", 70, 50**0.5)])
def test_both_starts_spread_the_units_over_the_inputs(start, steepness, output):
    model = build(50, start, np.random.default_rng(0))
    w, b = model[0].weight.numpy()[:, 0], model[0].bias.numpy()
    assert np.abs(w) == pytest.approx(steepness)                # 0.7 · 50, and twice that
    assert np.sort(-b / w) == pytest.approx(np.linspace(-1, 1, 50))         # where each unit's output is 0
    assert 0 < np.linalg.norm(model[2].weight.numpy()) <= output + 1e-12
    assert np.array_equal(build(50, start, np.random.default_rng(0))[0].weight.numpy()[:, 0], w)


def test_levenberg_marquardt_beats_gradient_descent(tmp_path):
    rows = tiny(training_algorithms, tmp_path, iterations=25)
    for start in ("MATLAB", "Nguyen-Widrow"):
        mse = {name: rows[f"train MSE, {name}, {start} start"].median for name in ALGORITHMS}
        assert all(0 < value < 100 for value in mse.values())
        assert mse["LM"] < mse["GD"] / 5
    assert all(rows[f"time, {name}"].median > 0 for name in ALGORITHMS)


def test_generalization_gives_every_error(tmp_path):
    rows = tiny(generalization, tmp_path, hidden=(5, 45), iterations=4)
    for name in ALGORITHMS:
        for error in ("train MSE", "test MSE"):
            assert rows[f"{error}, {name}, 45 hidden, clean"].median > 0
            assert rows[f"{error}, {name}, 45 hidden, noise 0.2"].median > 0
    assert rows["train MSE, CG, 45 hidden, noise 0.2"].report == 0.061


def test_noise_adds_its_variance_to_the_test_error():
    setting = {"units": 5, "noise": 0.2, "start": "MATLAB", "iterations": 2, "test_points": 100_000}
    for result in generalization.compare(setting, np.random.default_rng(0)).values():
        _, function, noisy = result["errors"]
        assert noisy - function == pytest.approx(0.04, rel=0.1)


def test_the_expected_train_error_counts_the_parameters():
    assert build(50).state_dict() and sum(p.size for p in build(50).parameters()) == 151
    assert generalization.expected(50, 0.2) == pytest.approx(0.0336, abs=5e-5)


def test_network_size_counts_the_runs_that_give_up(tmp_path):
    rows = tiny(network_size, tmp_path, hidden=(10,), limit=20)
    assert rows["epochs to MSE 0.001, LM, 10 hidden"].median <= 20
    assert rows["time to MSE 0.001, LM, 10 hidden"].unit == "s"
    assert rows["runs that reach MSE 0.001, GD, 10 hidden"].median == 0
    assert "epochs to MSE 0.001, GD, 10 hidden" not in rows


def test_a_run_that_diverges_never_reaches_the_target():
    seconds = np.array([0.0, 0.5, 1.0])
    assert network_size.first_below({"loss": np.array([1, np.nan, np.inf]), "seconds": seconds}, 0.1) == (np.inf, np.inf)
    assert network_size.first_below({"loss": np.array([1, 0.05, np.inf]), "seconds": seconds}, 0.1) == (1, 0.5)
