"""laser_lstm: report B's configuration; a tiny run has its rows; every kind of network reads the same windows."""
from dataclasses import replace

import numpy as np

import tinynn as tn
from exercises.__main__ import run_one
from exercises.recurrent import laser_lstm
from exercises.recurrent.laser_lstm import CONFIG, FORGETFUL, KINDS, QUICK, build, carry_on
from tinynn.train import windows


def test_the_configuration_is_report_b_s():
    assert (CONFIG.units, CONFIG.lag, CONFIG.epochs) == (30, 30, 300)
    assert (CONFIG.rate, CONFIG.drop, CONFIG.drop_epoch) == (0.005, 0.2, 150)


def test_every_kind_predicts_a_value_at_each_step():
    for kind in (*KINDS, FORGETFUL):
        x = np.random.default_rng(0).standard_normal((2, 5, 1 if kind == FORGETFUL else 7)).astype(np.float32)
        y, _ = build(kind, units=3, lag=7, rng=np.random.default_rng(0))(x)
        assert y.shape == (2, 5, 1) and y.dtype == np.float32


def test_the_forecast_goes_on_where_the_series_ends():
    """A "network" that adds 1/20 to the newest value it sees, and counts its steps in its state."""
    seen = []

    def model(x, state=0):
        seen.append(state)
        return tn.Tensor(x[..., -1:] + np.float32(0.05)), state + x.shape[1]
    line = np.arange(20) / 20 - 1
    x, _ = windows(line, 5)
    values = carry_on(model, x[None].astype(np.float32), line[-5:], False, 3)
    np.testing.assert_allclose(values, [0, 0.05, 0.1], atol=1e-6)           # after -0.05
    assert seen == [0, 15, 16, 17]                                          # the state of all 15 windows, and on


def test_a_tiny_run_has_every_row(tmp_path):
    card = run_one(laser_lstm, replace(QUICK, runs=1, epochs=2, drop_epoch=1, table_lags=(5,), jobs=1, out=tmp_path))
    rows = {row.quantity: row for row in card.rows}
    for kind in KINDS:
        assert rows[f"NMSE, {kind}"].median > 0 and rows[f"standardised MSE, {kind}"].median > 0
    assert rows["NMSE, LSTM"].report == 0.026 and rows["standardised MSE, LSTM, lag 5 × 4 units"].n == 1
    assert {figure.file for figure in card.figures} == {"forecast.png", "kinds.png", "table.png", "horizon.png"}
