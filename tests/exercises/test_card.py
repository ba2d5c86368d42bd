"""Cards: verdicts, spread over repetitions, what is never comparable, saving and loading."""
import json
import logging
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exercises.card import VERDICTS, Card, Config, verdict

REAL, STAND_IN = SimpleNamespace(name="digits", real=True), SimpleNamespace(name="laser", real=False)
finite = st.floats(-1e9, 1e9)


def new_card(quick=False) -> Card:
    """An empty card, named after this module."""
    return Card.begin(__name__, Config(quick=quick))


@pytest.mark.parametrize("report, ours, better, expected", [
    (1.0, 1.05, "lower", "match"), (1.0, 0.95, "lower", "match"),
    (1.0, 0.5, "lower", "better"), (1.0, 2.0, "lower", "worse"),
    (0.8, 0.99, "higher", "better"), (0.8, 0.5, "higher", "worse"),
    (320, 320, "equal", "match"), (320, 400, "equal", "worse"), (320, 200, "equal", "worse"),
    (-10.0, -10.5, "equal", "match"), (-10.0, -20.0, "lower", "better"), (0.0, 0.0, "lower", "match"),
    (None, 1.0, "lower", "not comparable"), (None, None, "lower", "not comparable"),
    (1.0, None, "lower", "worse"), (1.0, math.nan, "lower", "worse"), (1.0, -math.inf, "lower", "worse"),
])
def test_verdicts(report, ours, better, expected):
    assert verdict(report, ours, better) == expected


@given(finite, finite, st.floats(0, 1))
def test_lower_and_higher_are_opposites(report, ours, tolerance):
    swapped = {"better": "worse", "worse": "better", "match": "match"}
    lower = verdict(report, ours, "lower", tolerance)
    assert verdict(report, ours, "higher", tolerance) == swapped[lower]
    assert verdict(report, ours, "equal", tolerance) == ("match" if lower == "match" else "worse")


def test_an_unknown_direction_is_refused():
    with pytest.raises(ValueError, match="'smaller'.*'lower', 'higher' or 'equal'"):
        verdict(1.0, 1.0, "smaller")


def test_name_and_title_come_from_the_module():
    card = new_card()
    assert card.name == "test_card" and card.title.startswith("Cards: verdicts")


@given(st.lists(finite, min_size=1, max_size=9))
def test_a_row_has_the_median_and_range(values):
    card = new_card()
    card.add_row("error", values)
    row, = card.rows
    assert (row.median, row.min, row.max, row.n) == (np.median(values), min(values), max(values), len(values))


@pytest.mark.parametrize("values, better, expected", [
    ([1.0, 2.0, np.nan], "lower", (2.0, 1.0, None)),
    ([0.8, 0.9, np.inf], "higher", (0.8, None, 0.9)),
    ([1.0, np.inf], "lower", (None, 1.0, None)),
    ([np.nan], "higher", (None, None, None)),
])
def test_repetitions_that_diverged_count_as_the_worst(values, better, expected):
    card = new_card()
    card.add_row("error", values, report=1.0, better=better)
    row, = card.rows
    assert (row.median, row.min, row.max) == expected and row.n == len(values)


@pytest.mark.parametrize("quick, dataset, report, incomparable, why", [
    (True, None, 1.0, "", "a quick run"), (False, STAND_IN, 1.0, "", "a generated stand-in"),
    (False, REAL, 1.0, "another machine", "another machine"), (True, REAL, 1.0, "", "a quick run"),
    (False, REAL, None, "", "the report gives no number"), (True, STAND_IN, 1.0, "another machine", "another machine")])
def test_what_is_not_comparable_says_why(quick, dataset, report, incomparable, why):
    card = new_card(quick)
    if dataset:
        card.use(dataset)
    card.add_row("error", 1.0, report=report, incomparable=incomparable)
    assert card.rows[0].verdict == "not comparable" and card.why(card.rows[0]) == why


def test_what_is_not_the_reports_is_compared_and_not_counted_as_such():
    card = new_card()
    card.add_row("error", 1.0, report=2.0, source="our aim")
    card.add_row("time", 1.0, report=1.0)
    card.add_row("size", 1.0)
    assert card.rows[0].verdict == "better" and card.sources == {"error": "our aim"}
    assert [row.quantity for row in card.of_the_report()] == ["time"]


def test_a_full_run_on_real_data_is_comparable():
    card = new_card()
    assert card.use(REAL) is REAL
    card.add_row("error", 1.0, report=1.0)
    assert card.rows[0].verdict == "match" and card.why(card.rows[0]) == ""


def test_data_are_logged_and_must_be_named_first(caplog):
    card = new_card()
    with caplog.at_level(logging.INFO, "exercises"):
        card.use(REAL)
        card.use(STAND_IN)
    assert "digits (real data), laser (generated STAND-IN)" in caplog.text
    card.add_row("error", 1.0)
    with pytest.raises(ValueError, match="'digits'.*call it first"):
        card.use(REAL)


def test_a_row_needs_values():
    with pytest.raises(ValueError, match="'error' has no values"):
        new_card().add_row("error", [])


def full_card() -> Card:
    """A card with something in every field."""
    import matplotlib.pyplot as plt
    card = new_card()
    card.use(STAND_IN)
    card.add_row("Fehler ε", [1e-9, np.nan, 3.0], report=2, unit="s")
    card.add_figure(plt.figure(figsize=(2, 1)), "fit", "The fit.")
    card.pitfalls.append("A mistake < than it looks.")
    card.seconds = 1.5
    return card


def test_what_is_saved_is_loaded_again(tmp_path):
    card = full_card()
    path = card.save(tmp_path)
    assert path == tmp_path / "test_card" / "card.json"
    assert Card.load(path) == card
    assert (path.parent / "fit.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(file.name for file in path.parent.iterdir()) == ["card.json", "fit.png"]      # nothing left beside


def test_the_keys_of_card_json(tmp_path):
    fields = json.loads(full_card().save(tmp_path).read_text())
    assert set(fields) == {"name", "title", "quick", "seed", "data", "seconds", "rows", "pitfalls", "figures",
                           "incomparable", "sources", "origin"}
    assert fields["data"] == [{"name": "laser", "real": False}]
    assert fields["figures"] == [{"file": "fit.png", "caption": "The fit."}]
    assert fields["rows"] == [{"quantity": "Fehler ε", "unit": "s", "report": 2.0, "median": 3.0, "min": 1e-9,
                               "max": None, "n": 3, "verdict": "not comparable"}]


def test_an_interrupted_save_leaves_the_old_card(tmp_path, monkeypatch):
    path = full_card().save(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *paths: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        new_card().save(tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("quick, data, expected", [
    (False, "", "Data: digits (real data), laser (generated STAND-IN). Seed 0."),
    (False, "drawn by the exercise", "Data: drawn by the exercise. Seed 0."),
    (True, "", "Quick run: not the report's configuration. Data: digits (real data), laser (generated STAND-IN). Seed 0.")])
def test_a_figure_says_in_the_picture_what_data_it_shows(monkeypatch, quick, data, expected):
    import matplotlib.pyplot as plt
    card, written = new_card(quick), []
    monkeypatch.setattr("exercises.card.caption_below", lambda fig, text: written.append(text))
    card.use(REAL)
    card.use(STAND_IN)
    card.add_figure(plt.figure(figsize=(1, 1)), "picture", "A picture.", data)
    assert written == [expected]


def test_an_animation_is_a_gif_with_all_frames(tmp_path):
    import io

    import matplotlib.pyplot as plt
    from PIL import Image
    card, (fig, ax) = new_card(), plt.subplots(figsize=(2, 1))

    def frames():
        for step in range(3):
            ax.set_title(f"step {step}")
            yield
    card.add_animation(fig, frames(), "steps", "What happens.", per_second=10)
    assert Card.load(card.save(tmp_path)) == card and not plt.fignum_exists(fig.number)
    with Image.open(io.BytesIO((tmp_path / "test_card" / "steps.gif").read_bytes())) as gif:
        assert gif.n_frames == 3 and gif.info["duration"] == 100 and gif.info["loop"] == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_card_is_loaded_or_refused_by_name(tmp_path, draw):
    path = tmp_path / "test_card" / "card.json"
    if not path.exists():
        full_card().save(tmp_path)
        path.with_name("whole").write_bytes(path.read_bytes())
    whole = path.with_name("whole").read_bytes()
    start, length = draw.draw(st.integers(0, len(whole))), draw.draw(st.integers(0, 40))
    path.write_bytes(whole[:start] + draw.draw(st.binary(max_size=4)) + whole[start + length:])
    try:
        card = Card.load(path)
    except ValueError as error:
        assert str(path) in str(error) and "run the exercise again" in str(error)
    else:
        assert all(row.verdict in VERDICTS for row in card.rows)


@pytest.mark.parametrize("contents", [
    "", "[]", "null", "{}", "[" * 100_000, '{"rows": 3}', "NaN",
    '{"name": 3, "title": "t", "quick": false, "seed": 0, "data": [], "rows": [], "figures": []}',
    '{"name": "n", "title": "t", "quick": 0, "seed": 0, "data": [], "rows": [], "figures": []}',
    '{"name": "n", "title": "t", "quick": false, "seed": 0, "data": [], "rows": [], "figures": [], "pitfalls": [3]}',
    '{"name": "n", "title": "t", "quick": false, "seed": 0, "seconds": 1e999, "data": [], "rows": [], "figures": []}',
    '{"name": "n", "title": "t", "quick": false, "seed": 0, "data": [], "rows": [],'
    ' "figures": [{"file": "gone.png", "caption": "c"}]}',
])
def test_what_is_no_card_is_refused_by_name(tmp_path, contents):
    path = tmp_path / "card.json"
    path.write_text(contents)
    with pytest.raises(ValueError, match="card.json is damaged"):
        Card.load(path)
