"""dbm: what the bound loses, by enumeration; all machines have the same task; a tiny run has its rows."""
from dataclasses import replace

import numpy as np
import pytest

from exercises.__main__ import run_one
from exercises.generative import dbm
from exercises.generative._boltzmann import Questions
from exercises.generative.dbm import CONFIG, QUICK, RANDOM, build, log_p, lost, parameters, responses, settings_of
from tinynn.energy import DBM, RBM, log_partition

TINY = Questions(chains=4, steps=(1, 2), pictures=6, removed=(0, 10, 20), starts=(0, 18), fill=2, answers=3)


pytestmark = pytest.mark.usefixtures("few_mnist")


def states(n):
    return (np.arange(2 ** n)[:, None] >> np.arange(n) & 1).astype(float)


def deep(scale, seed=0):
    """A small machine, 5–4–3, with weights that matter."""
    model, rng = DBM(5, 4, 3, seed), np.random.default_rng(seed)
    for w in (model.joint.W, model.joint.a, model.joint.b):
        w[:] = scale * rng.standard_normal(w.shape)
    return model


def test_what_the_bound_loses_is_exact_in_a_small_machine():
    model, v = deep(2.0), states(5)[::5]
    h1, h2 = states(4), states(3)
    energy = -(v @ model.a)[:, None, None] - (v @ model.W1 @ h1.T + h1 @ model.b1)[:, :, None] \
        - (h1 @ model.W2 @ h2.T + h2 @ model.b2)[None]                                  # (N, 16, 8)
    log_z = log_partition(model).log_z
    exact = np.log(np.exp(-energy).sum(axis=(1, 2))) - log_z
    gaps, errors = lost(model, v, 300, np.random.default_rng(0))
    expected = exact - model.lower_bound(v, log_z)
    assert (expected > -1e-9).all() and expected.max() > 0.05
    np.testing.assert_array_less(np.abs(gaps - expected), 5 * errors + 1e-3)
    assert errors.max() < 0.05


def test_log_p_is_the_bound_of_a_deep_machine_and_exact_of_another():
    model, rbm, v = deep(0.5), RBM(5, 3, 0), states(5)
    assert log_p(model, v, 1.5) == pytest.approx(model.lower_bound(v, 1.5).mean())
    exact = log_partition(rbm).log_z
    assert log_p(rbm, v, exact) == pytest.approx(np.log(np.full(32, 1 / 32)).mean(), abs=0.1)   # small weights: nearly coins
    assert np.exp(rbm.log_likelihood(v, exact)).sum() == pytest.approx(1)


def test_all_machines_have_the_same_task():
    settings = {setting["name"]: setting for setting in settings_of(CONFIG)}
    first, second = CONFIG.hidden
    assert [settings[name]["hidden"] for name in CONFIG.machines()] == [(first, second), (first,), (first + second,)]
    for name in ("counts", "batch", "temperatures", "questions", "k"):
        assert len({setting[name] for setting in settings.values()}) == 1
    pretrained, random = settings[CONFIG.machines()[0]], settings[RANDOM]
    assert pretrained | {"name": 0, "pre_epochs": 0} == random | {"name": 0} and pretrained["pre_epochs"] > 0
    assert (CONFIG.images, CONFIG.test) == (60000, 10000)


def test_all_machines_make_as_many_gibbs_steps(monkeypatch):
    steps = {}
    for kind in (RBM, DBM):
        def fit(self, *args, kind=kind, fit=kind.fit, **more):
            steps[kind.__name__] = more["k"], more.get("persistent", True)
            return fit(self, *args, **more)
        monkeypatch.setattr(kind, "fit", fit)
    config = replace(QUICK, images=40, test=20, hidden=(4, 3), epochs=1, joint_epochs=1, k=3, temperatures=20, judged=1,
                     judging=20, questions=TINY)
    for setting in settings_of(config)[1:3]:                                    # not pre-trained, and an RBM
        dbm.learn(setting, np.random.default_rng(0))
    assert steps == {"RBM": (3, True), "DBM": (3, True)}


def test_parameters():
    assert parameters(build((3,))) == 784 * 3 + 784 + 3
    assert parameters(build((3, 2))) == 784 * 3 + 3 * 2 + 784 + 3 + 2


def test_a_unit_responds_to_the_digits_for_which_it_is_on():
    class OnForTheFirst:
        def mean_field(self, v, steps, tolerance):
            return None, np.array([[1.0, 0.5]] * 2 + [[0.0, 0.5]] * 4)
    v = np.random.default_rng(0).random((6, 784))
    respond = responses(OnForTheFirst(), v)
    np.testing.assert_allclose(respond[:, 0], v[:2].mean(axis=0) - v.mean(axis=0))
    np.testing.assert_allclose(respond[:, 1], 0, atol=1e-12)


def test_a_tiny_run_has_every_row(tmp_path):
    config = replace(QUICK, images=40, test=20, hidden=(4, 3), epochs=2, pre_epochs=2, joint_epochs=2, temperatures=100,
                     judged=2, judging=20, questions=TINY, jobs=1, out=tmp_path)
    card = run_one(dbm, config)
    rows = {row.quantity: row for row in card.rows}
    assert np.isfinite(rows["lower bound of ln p of test digits, DBM 4–3, pre-trained only"].median)
    assert {"lower bound of ln p of test digits, DBM 4–3", "ln p of test digits, RBM 4", "ln p of test digits, RBM 7",
            "squared error of a pixel, 10 rows removed at the bottom, RBM 7"} <= set(rows)
    assert {f"ln Z by AIS, minus its lower bound by mean field, {name}" for name in ("RBM 4", "DBM 4–3")} <= set(rows)
    assert rows["lost by the bound, of 2 test digits, DBM 4–3"].n == 2
    assert all(row.verdict == "not comparable" and row.median is not None for row in card.rows)
    assert {figure.file for figure in card.figures} == {"bounds.png", "filters.png", "chains.png", "gibbs.gif", "removed.png",
                                                        "completed.png"}
    assert len(card.pitfalls) == 6 and not any("nan" in pitfall for pitfall in card.pitfalls)
    card.save(tmp_path)
    assert not card.unfinished(tmp_path).exists()
