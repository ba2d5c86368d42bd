"""laser_lstm: report B's configuration; a tiny run has its rows; every kind of network reads the same windows."""
from dataclasses import replace

import numpy as np

from exercises.__main__ import run_one
from exercises.recurrent import laser_lstm
from exercises.recurrent.laser_lstm import CONFIG, KINDS, QUICK, build


def test_the_configuration_is_report_b_s():
    assert (CONFIG.units, CONFIG.lag, CONFIG.epochs) == (30, 30, 300)
    assert (CONFIG.rate, CONFIG.drop, CONFIG.drop_epoch) == (0.005, 0.2, 150)


def test_every_kind_maps_windows_to_values():
    x = np.random.default_rng(0).standard_normal((5, 7, 1)).astype(np.float32)
    for kind in KINDS:
        y = build(kind, units=3, lag=7, rng=np.random.default_rng(0))(x)
        assert y.shape == (5, 1) and y.dtype == np.float32


def test_a_tiny_run_has_every_row(tmp_path):
    card = run_one(laser_lstm, replace(QUICK, runs=1, epochs=1, table_lags=(5,), jobs=1, out=tmp_path))
    rows = {row.quantity: row for row in card.rows}
    for kind in KINDS:
        assert rows[f"NMSE, {kind}"].median > 0 and rows[f"standardised MSE, {kind}"].median > 0
    assert rows["NMSE, LSTM"].report == 0.026 and rows["standardised MSE, LSTM, lag 5 × 4 units"].n == 1
    assert {figure.file for figure in card.figures} == {"forecast.png", "kinds.png", "table.png", "horizon.png"}
