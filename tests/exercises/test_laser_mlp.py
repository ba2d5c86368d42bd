"""laser_mlp: the report's configuration, a tiny run, and that nothing sees what it must not see."""
from dataclasses import replace

import numpy as np
import pytest

from exercises.__main__ import run_one
from exercises.recurrent import laser_mlp
from exercises.recurrent._laser import Laser, median_of
from exercises.recurrent.laser_mlp import build, learn
from tinynn.data import Dataset
from tinynn.train import windows

WAVE = np.sin(0.7 * np.arange(220)) * np.linspace(1, 2, 220)
SETTING = {"series": WAVE[:200] / 2, "units": 3, "lag": 6, "algorithm": "BR", "epochs": 3, "patience": 2, "block": None}


@pytest.fixture
def laser():
    return Laser(Dataset(WAVE[:200], None, WAVE[200:], None, name="wave", real=True))


def weights(**changes):
    return learn({**SETTING, **changes}, np.random.default_rng(0))["weights"]


def same(a, b):
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_the_configuration_is_the_report_s():
    config = laser_mlp.CONFIG
    assert config.hidden == config.lags == (5, 10, 20, 30)
    assert (config.repetitions, config.validation, config.collapse) == (5, (700, 1000), (544, 644))
    assert (config.units, config.lag, config.runs) == (20, 30, 10)
    assert sum(p.size for p in build().parameters()) == 641


def test_a_tiny_run_gives_every_row(tmp_path):
    config = replace(laser_mlp.QUICK, jobs=1, out=tmp_path, hidden=(5,), lags=(5,), epochs=3, one_epochs=2, br_epochs=3,
                     networks=2, runs=2)
    card = run_one(laser_mlp, config)
    card.save(tmp_path)
    assert {path.name for path in (tmp_path / card.name).iterdir()} == {"card.json", *(f.file for f in card.figures)}
    rows = {row.quantity: row for row in card.rows}
    for name in laser_mlp.PROCEDURES:
        row, = (row for quantity, row in rows.items() if quantity.split(" (")[0] == f"NMSE, BR: {name}")
        assert row.n == 2 and 0 < row.median < 100
    assert rows["MSE ÷ σ², LM: 5 units × lag 5"].n == 2
    assert rows["MSE ÷ σ², LM, clipped: best network of the table, in hindsight"].report == 0.197
    assert rows[f"NMSE, BR: each network that “{laser_mlp.APART}” combines, on its own"].n == 4
    for name in (laser_mlp.SELECTED, laser_mlp.RECENT):
        assert rows[f"NMSE, BR: {name} ÷ the best in hindsight"].min >= 1       # of the same networks
    assert len(card.figures) == 4 and len(card.pitfalls) == 6


def test_held_out_values_do_not_teach():
    block, changed = (100, 140), SETTING["series"].copy()
    changed[slice(*block)] = 0.5
    assert same(weights(block=block), weights(block=block, series=changed))
    assert not same(weights(), weights(series=changed))
    for neighbour in (99, 140):                                 # the values next to the block do teach
        changed = SETTING["series"].copy()
        changed[neighbour] += 0.1
        assert not same(weights(block=block), weights(block=block, series=changed))


def test_levenberg_marquardt_is_stopped_by_the_block():
    changed = SETTING["series"].copy()
    changed[140:] = np.sin(2.5 * np.arange(60))
    lm = {"algorithm": "LM", "block": (140, 200), "epochs": 30}
    assert not same(weights(**lm), weights(**lm, series=changed))


def test_the_wave_is_learned_and_forecast_where_it_belongs(laser):
    model = build(4, 6)
    model.load_state_dict(learn({**SETTING, "units": 4, "epochs": 60}, np.random.default_rng(0))["weights"])
    assert np.mean((laser.forecast(model, 6) - laser.test)**2) < 0.05 * laser.test.var()
    assert laser.validate(model, 6, (120, 140)) < 0.05


def test_a_forecast_starts_with_the_value_after_its_window(laser):
    def last(window):
        return window[:, -1:]
    assert laser.forecast(last, 6)[0] == pytest.approx(laser.train[-1])
    assert laser.forecast(last, 6, 50, 53) == pytest.approx(np.full(3, laser.train[49]))


def test_the_committee_predicts_the_median(laser):
    models = [build(3, 6, np.random.default_rng(seed)) for seed in range(3)]
    x, _ = windows(laser.series, 6)
    each = np.sort([model(x).numpy() for model in models], axis=0)
    assert np.array_equal(median_of(models)(x), each[1])
