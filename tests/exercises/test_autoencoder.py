"""autoencoder: the report's table is the configuration; a tiny run has its rows; PCA is the floor of linear networks."""
from dataclasses import replace

import numpy as np

from exercises.__main__ import run_one
from exercises.features import autoencoder
from exercises.features.autoencoder import CONFIG, COLOUR, QUICK, REPORT, build
from tinynn import nn, optim
from tinynn.projection import PCA


def test_the_configuration_is_the_report_s():
    assert (CONFIG.batches, CONFIG.codes, CONFIG.epochs, CONFIG.images) == ((16, 32, 64), (32, 64, 128), (40, 60), 60000)
    assert set(REPORT) == {(batch, code) for batch in CONFIG.batches for code in CONFIG.codes}


def test_every_kind_repeats_images_from_a_code():
    x = np.random.default_rng(0).random((3, 784), dtype=np.float32)
    for kind in set(COLOUR) - {"PCA"}:
        y = build(kind, 5, np.random.default_rng(0))(x)
        assert y.shape == x.shape and y.dtype == np.float32


def test_no_linear_one_goes_below_pca():
    """Baldi & Hornik 1989: it comes near, and never passes it."""
    rng = np.random.default_rng(0)
    x = (rng.random((60, 6)) @ rng.random((6, 784)) / 3).astype(np.float32)             # of rank 6: (60, 784)
    pca = PCA(3).fit(x)
    floor = np.mean((pca.inverse_transform(pca.transform(x)) - x) ** 2)
    model, loss = build("linear", 3, rng), nn.MSELoss()
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    errors = [optimizer.step(lambda: loss(model(x), x)) for _ in range(800)]
    assert floor < min(errors) < 3 * floor < 0.02 * errors[0]


def test_a_tiny_run_has_every_row(tmp_path):
    card = run_one(autoencoder, replace(QUICK, images=300, batches=(32,), codes=(32,), epochs=(2, 3), drop_epoch=2, jobs=1,
                                        kind_epochs=2, out=tmp_path))
    assert len(card.rows) > 4 and card.figures and card.pitfalls
    assert all(np.isfinite(row.median) for row in card.rows)
