"""Noise, personal regression and regularization: the report's configuration, and a tiny run of each."""
import json
from dataclasses import replace

import numpy as np
import pytest

import tinynn as tn
from exercises.supervised import noise, personal_regression, regularization
from tinynn import nn, optim

TINY = {
    noise: dict(sigmas=(0.3, 2.0), epochs=5, repetitions=2),
    personal_regression: dict(samples=300, layers=(1,), units=(5,), iterations=5, repetitions=1, br_runs=2,
                              br_iterations=5, sgd_units=(3,), sgd_rates=(0.01,), sgd_epochs=1),
    regularization: dict(epochs=3, br_epochs=2, repetitions=2),
}


@pytest.mark.parametrize("module", TINY)
def test_a_tiny_run_fills_the_card(module, tmp_path):
    import matplotlib
    matplotlib.use("Agg")
    card = module.run(replace(module.QUICK, **TINY[module], out=tmp_path))
    path = card.save(tmp_path)
    saved = json.loads(path.read_text())
    assert saved["quick"] and len(saved["figures"]) >= 2 and len(saved["pitfalls"]) >= 3
    assert all(row["median"] is not None and row["verdict"] == "not comparable" for row in saved["rows"])
    assert not card.unfinished(tmp_path).exists()


def test_the_reports_configuration():
    assert noise.CONFIG.sigmas == (0.1, 0.3, 0.9, 1.0, 1.3, 1.6, 1.9, 2.0) and noise.CONFIG.epochs == 2000
    config = personal_regression.CONFIG
    assert config.digits == (8, 8, 7, 5, 1) and config.samples == 1000 and config.patience == 10
    assert config.layers == (1, 2, 3) and max(config.units) == 30 and config.repetitions == 5 and config.br_runs == 10


def test_signal_to_noise():
    _, clean = noise.signal(1000)
    np.testing.assert_allclose(np.mean(clean ** 2), noise.POWER)
    assert noise.signal_to_noise(clean, clean) == 0
    np.testing.assert_allclose(noise.signal_to_noise(clean, np.full(1000, 0.1)), 10 * np.log10(9.99))
    # The report's residuals, 0.0106 and 3.9190, and its ratios belong together.
    for sigma, residual in ((0.1, 0.0106), (2.0, 3.9190)):
        np.testing.assert_allclose(10 * np.log10(noise.POWER / residual), noise.REPORT_SNR[sigma], atol=0.03)


def test_samples_are_disjoint_whole_rows():
    data = personal_regression.draw_samples((8, 8, 7, 5, 1), 1000, np.random.default_rng(0))
    everywhere = {tuple(x): t for x, t in zip(data["all"][0], data["all"][1][:, 0])}
    seen = set()
    for part in ("train", "validation", "test"):
        x, t = data[part]
        assert x.shape == (1000, 2) and t.shape == (1000, 1)
        assert all(everywhere[tuple(row)] == value for row, value in zip(x, t[:, 0]))       # the pair is still a pair
        seen |= {tuple(row) for row in x}
    assert len(seen) == 3000
    x, t = data["train"]
    assert x.min() == t.min() == -1 and x.max() == t.max() == 1                             # scaled by the training rows


def test_errors_are_in_the_units_of_the_target():
    setting = {"digits": (8, 8, 7, 5, 1), "samples": 300, "layers": 1, "units": 5, "algorithm": "LM", "epochs": 5}
    result = personal_regression.train(setting, np.random.default_rng(0))
    assert 0.3 < np.mean(result["off"] ** 2) / result["test"] < 3                           # all rows, and a sample of them


def test_regularization_chooses_by_validation():
    def run(validation, clean):
        return {(method, s): {"validation": validation(s), "clean": clean(s)}
                for method, strengths in regularization.METHODS.items() for s in strengths}
    largest = run(lambda s: -s, lambda s: s)                                                # the test error disagrees
    assert regularization.choose([largest])["L2"] == max(regularization.METHODS["L2"])


def test_every_method_changes_the_network():
    config, rng = replace(regularization.QUICK, epochs=5, br_epochs=3), np.random.default_rng(0)
    data = {part: regularization.sample(20, 0.3, rng) for part in ("train", "validation")}
    x = np.linspace(-1, 1, 7)[:, None]
    outputs = {method: regularization.train(method, strengths[-1], data, config, np.random.default_rng(1)).eval()(x).numpy()
               for method, strengths in regularization.METHODS.items() if method != "early stopping"}
    none = outputs.pop("none")
    assert all(not np.array_equal(none, output) for output in outputs.values())


def test_bayesian_regularization_needs_its_warm_start():
    config, errors = replace(regularization.QUICK, br_epochs=15), {}
    rng = np.random.default_rng(0)
    data = {part: regularization.sample(40, 0.3, rng) for part in ("train", "validation")}
    x = np.linspace(-1, 1, 100)[:, None]
    warm = regularization.train("BR", 0, data, config, np.random.default_rng(1))
    cold = regularization.build(rng=np.random.default_rng(1))
    tn.fit(cold, *data["train"], loss=nn.MSELoss(), optimizer=optim.BayesianRegularization(cold.parameters()), epochs=15,
           progress=False)
    for name, model in (("warm", warm), ("cold", cold)):
        errors[name] = tn.evaluate(model, x, np.sin(2 * np.pi * x), nn.MSELoss())
    assert errors["warm"] < 0.1 < errors["cold"]
