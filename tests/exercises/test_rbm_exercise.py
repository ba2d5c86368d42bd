"""rbm: the report's table; the same test digits for all; known pixels stay; the rate goes on falling; a tiny run's rows."""
from dataclasses import replace

import numpy as np
import pytest

from exercises.__main__ import run_one
from exercises.generative import _boltzmann as shared
from exercises.generative import rbm
from exercises.generative._boltzmann import Questions, above, ask, digits, known_pixels, nearest
from exercises.generative.rbm import CONFIG, QUICK, build, learn, settings_of
from tinynn.energy import RBM, log_partition
from tinynn.optim import schedules

FEW = 40, 20
TINY = Questions(chains=4, steps=(1, 2), pictures=6, removed=(0, 10, 20), starts=(0, 18), fill=2, answers=3)


pytestmark = pytest.mark.usefixtures("few_mnist")


class Greyer:
    """A "machine" that fills in grey, and whose chains become the digit after theirs."""

    def __init__(self, x):
        self.x = x

    def reconstruct(self, v, known, steps):
        return np.where(known, v, 0.5)

    def gibbs(self, v, steps, trajectory):
        assert trajectory
        return np.array([v] + [self.x[1:len(v) + 1]] * steps)


def test_the_configuration_is_the_report_s():
    assert CONFIG.table == ((20, .01, 10), (10, .01, 10), (10, .001, 10), (10, .001, 30), (50, .001, 30))
    assert CONFIG.chosen == (100, .01, 30) and CONFIG.questions.steps == (50, 100, 200)
    assert CONFIG.questions.removed[0] == 0 and CONFIG.questions.removed[-1] == 20
    assert (CONFIG.images, CONFIG.test, CONFIG.hidden, CONFIG.rate, CONFIG.large_batch) == (60000, 10000, 500, .05, 100)
    large = {setting["name"]: setting for setting in settings_of(CONFIG)[:2]}
    assert large["PCD"]["persistent"] and not large["CD-1"]["persistent"] and large["PCD"]["drawn"]
    assert {**large["PCD"], "name": 0, "persistent": 0} == {**large["CD-1"], "name": 0, "persistent": 0}


def test_test_digits_are_drawn_once_for_all():
    drawn, fewer = digits(40, 20)[4], digits(40, 7)[4]
    np.testing.assert_array_equal(drawn[:7], fewer)
    assert set(np.unique(drawn)) == {0, 1} and drawn.dtype == np.float32
    grey = digits(*FEW)[2]
    for low in (0, 0.5, 0.9):
        some = (low <= grey) & (grey < low + 0.1)
        assert drawn[some].mean() == pytest.approx(low + 0.05, abs=5 * 0.5 / some.sum() ** 0.5)


def test_known_pixels_stay():
    """Of a digit with rows removed, at the top, at the bottom and in between; and the others are filled in."""
    model, x = build(5, 0), digits(*FEW)[2]
    model.astype(np.float32)
    for holes in TINY.holes().values():
        for _, first, rows in holes:
            known = known_pixels(first, rows)
            assert known.reshape(28, 28)[first:first + rows].sum() == 0 and known.sum() == 28 * (28 - rows)
            repaired = model.reconstruct(x, known, 3)
            np.testing.assert_array_equal(repaired[:, known], x[:, known])
            assert (repaired[:, ~known] != x[:, ~known]).all()
    top, bottom = (holes[1] for holes in list(TINY.holes().values())[:2])
    assert not known_pixels(*top[1:])[0] and not known_pixels(*bottom[1:])[-1]


def test_the_nearest_picture_by_what_is_known():
    rng = np.random.default_rng(0)
    x, pictures, known = rng.random((6, 784)), rng.random((9, 784)), rng.random(784) < 0.5
    distances = ((x[:, None, known] - pictures[None, :, known]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(nearest(x, pictures, known), distances.argmin(axis=1))
    np.testing.assert_array_equal(nearest(pictures[::-1], pictures), np.arange(9)[::-1])


def test_what_is_asked_is_what_is_answered():
    x_train, y_train, x, y, _ = digits(*FEW)
    answers = ask(Greyer(x), FEW, TINY)
    for axis, holes in TINY.holes().items():
        for (_, first, rows), (error, right) in zip(holes, answers["holes"][axis]):
            gone = ~known_pixels(first, rows)
            assert error == pytest.approx(((x[:6, gone] - 0.5) ** 2).sum() / x[:6].size, abs=1e-6)
            assert right == (y_train[nearest(np.where(gone, 0.5, x[:6]), x_train)] == y[:6]).mean()
    read = y_train[nearest(x[:5], x_train)]
    assert answers["moved"] == [(read[1:] != read[:4]).mean()] * 2
    assert answers["commonest"] == max((read[1:] == digit).mean() for digit in range(10))
    assert answers["one"] == pytest.approx(answers["mean"])
    assert all(shares.sum() == pytest.approx(1) and len(shares) == 10 for shares in answers["sevens"].values())


def test_chains_that_all_end_in_one_digit_are_seen():
    class Stuck(Greyer):
        def gibbs(self, v, steps, trajectory):
            return np.array([v] + [self.x[:1].repeat(len(v), axis=0)] * steps)
    assert ask(Stuck(digits(*FEW)[2]), FEW, TINY)["commonest"] == 1


def test_empty_paper_is_no_digit_whatever_the_nearest_one_is():
    x, _, x_test, *_ = digits(*FEW)
    read, dots = shared.Reader(FEW), np.zeros((3, 784), np.float32)
    dots[1, :int(x.sum(axis=1).min() / 2)] = 1
    dots[2, :int(x.sum(axis=1).min() / 2) + 1] = 1
    assert read(dots).tolist()[:2] == [-1, -1] and read(dots)[2] >= 0 and (read(x) >= 0).all()

    class Fading(Greyer):
        def gibbs(self, v, steps, trajectory):
            return np.array([v] + [np.concatenate([0 * v[:1], v[1:]])] * steps)
    answers = ask(Fading(x_test), FEW, TINY)
    assert answers["none"] == 0.25 and answers["moved"] == [0, 0]
    assert answers["commonest"] == max((read(x_test[1:4]) == digit).sum() for digit in range(10)) / 4


def test_the_mean_of_several_answers_errs_less():
    model = build(5, 0).astype(np.float32)
    model.W *= 200                                                              # so that answers differ
    answers = ask(model, FEW, TINY)
    assert answers["mean"] < 0.95 * answers["one"]


def test_the_fillers_without_a_machine():
    x_train, _, x, _, _ = digits(*FEW)
    scores = shared.fill_without_machine(FEW, TINY)
    axis, at, gone = "rows removed at the bottom", 1, ~known_pixels(18, 10)
    expected = ((x[:6, gone] - x_train.mean(axis=0)[gone]) ** 2).sum() / x[:6].size
    assert scores["mean training digit"][axis][at, 0] == pytest.approx(expected, rel=1e-5)
    chosen = x_train[nearest(x[:6], x_train, ~gone)]
    expected = ((x[:6, gone] - chosen[:, gone]) ** 2).sum() / x[:6].size
    assert scores["nearest training digit"][axis][at, 0] == pytest.approx(expected, rel=1e-5)
    lower = ~known_pixels(14, 14)                                               # what `ask` removes for "one"
    expected = ((x[:6, lower] - x_train.mean(axis=0)[lower]) ** 2).sum() / x[:6].size
    assert scores["mean training digit"]["one"] == pytest.approx(expected, rel=1e-5)


def test_the_reader_errs_on_digits_of_zeros_and_ones():
    x_train, y_train, x, _, drawn = digits(*FEW)
    read = y_train[nearest(x[:4], x_train)], y_train[nearest(drawn[:4], x_train)]
    assert shared.misread(FEW, TINY) == (read[0] != read[1]).mean()


def test_what_the_last_third_added():
    assert rbm.gain([1.0, 2, 3, 5, 8, 13]) == 8 and rbm.gain([1.0, 4, 5]) == 1


@pytest.mark.parametrize("effective, bars", [(0.04, 0), (0.06, 1)])
def test_an_error_of_few_chains_is_not_drawn(effective, bars):
    import matplotlib.pyplot as plt
    for axis in "xy":
        fig, ax = plt.subplots()
        shared.with_error(ax, (axis, 3.0), -100.0, 0.5, effective, "blue")
        [container] = ax.containers
        assert (container[0].get_mfc() == "white") == (bars == 0) and len(container[2]) == bars
        assert (container[0].get_xdata() if axis == "x" else container[0].get_ydata())[0] == -100
        if bars:
            ends = container[2][0].get_segments()[0][:, "xy".index(axis)]
            np.testing.assert_allclose(ends, [-101, -99])
        plt.close(fig)


def test_the_rate_goes_on_falling_from_look_to_look(monkeypatch):
    rates, fit = [], RBM.fit

    def watched(self, x, epochs, lr, **more):
        rates.extend(lr(epoch) for epoch in range(epochs))
        return fit(self, x, epochs, lr, **more)
    monkeypatch.setattr(RBM, "fit", watched)
    setting = settings_of(replace(QUICK, images=40, test=20, hidden=3, looks=(1, 3, 4), temperatures=(5, 5, 5)))[1]
    result = learn(setting | {"questions": None}, np.random.default_rng(0))
    falling = schedules.cosine(QUICK.rate, 4)
    assert rates == [falling(epoch) for epoch in range(4)] and len(result["curve"]) == 4
    np.testing.assert_array_equal(result["points"][:, 0], [1, 3, 4])
    rates.clear()
    setting = settings_of(replace(QUICK, images=40, test=20, chosen=(3, .02, 3)))[2]
    learn(setting | {"questions": None}, np.random.default_rng(0))
    assert rates == [0.02] * 3


def test_annealing_agrees_with_enumeration():
    setting = settings_of(replace(QUICK, images=40, test=20, chosen=(4, .05, 5), temperatures=(300, 5, 5)))[2]
    result = learn(setting | {"questions": None}, np.random.default_rng(0))
    _, _, test, _, error, *_ = result["points"][-1]
    assert abs(result["log_z"] - result["exact"]) < 5 * error < 0.5
    exact = result["model"].log_likelihood(digits(*FEW)[4]).mean()
    assert test == pytest.approx(exact, abs=5 * error)


def test_what_was_filled_in_is_blue():
    picture = shared.tinted(np.ones((1, 784)), known_pixels(0, 14))
    assert picture.shape == (1, 28, 28, 3)
    np.testing.assert_allclose(picture[0, [0, 27], 5], [shared.BLUE, np.zeros(3)])
    picture = shared.tinted(np.zeros((1, 784)), known_pixels(0, 14))
    np.testing.assert_allclose(picture[0, [0, 27], 5], [shared.PALE, np.ones(3)])


def test_above():
    """A machine without weights has independent units, for which mean field is exact."""
    machine = RBM(6, 4, rng=0)
    machine.W[:], machine.a[:] = 0, np.arange(6)
    assert above(machine, log_partition(machine).log_z + 2.5) == pytest.approx(2.5)


def test_a_tiny_run_has_every_row(tmp_path):
    config = replace(QUICK, images=40, test=20, table=((3, .01, 2), (2, .01, 2)), chosen=(4, .01, 2), exact=3, hidden=5,
                     looks=(1, 2), temperatures=(20, 200, 400), questions=TINY, jobs=1, out=tmp_path)
    card = run_one(rbm, config)
    rows = {row.quantity: row for row in card.rows}
    assert rows["ln p of test digits, 5 hidden, PCD, 2 epochs"].report == -92
    assert np.isfinite(rows["ln Z by AIS − by enumeration, 3 hidden, rate 0.01, 2 iterations"].median)
    assert "ln Z by AIS, minus its lower bound by mean field, 5 hidden, PCD, 2 epochs" in rows
    assert "pseudo-likelihood of training digits, grey, 2 hidden, rate 0.01, 2 iterations" in rows
    assert rows["squared error of a pixel, 20 rows removed at the top, nearest training digit"].median > 0
    assert all(row.verdict == "not comparable" and row.median is not None for row in card.rows)
    assert {figure.file for figure in card.figures} == {"likelihood.png", "chains.png", "gibbs.gif", "removed.png",
                                                        "completed.png", "filters.png", "table.png"}
    assert len(card.pitfalls) == 8 and not any("nan" in pitfall for pitfall in card.pitfalls)
    card.save(tmp_path)
    assert not card.unfinished(tmp_path).exists()
