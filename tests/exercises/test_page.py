"""The page: well formed, complete, self-contained, honest about quick runs, stand-ins and damaged cards."""
import base64
import shutil
import subprocess
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exercises import page
from exercises.card import Card, Row

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
VOID = {"meta", "img", "link", "br"}


class Reader(HTMLParser):
    """Checks that every tag is closed in order; collects text, and what the page refers to."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.links, self.ids = [], "", [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        attributes = dict(attributes)
        self.links += [attributes[key] for key in ("src", "href") if key in attributes]
        self.ids += [attributes["id"]] if "id" in attributes else []
        assert tag not in ("script", "link", "iframe") and not any(key.startswith("on") for key in attributes)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def results(tmp_path):
    """A folder with the cards of a quick run, of a stand-in, and of a full run; the last has a figure and an animation."""
    import matplotlib.pyplot as plt
    quick = Card("noise", "Noise & <signal>", quick=True, seed=0)
    quick.add_row("SNR", 9.7257, report=9.7257, unit="dB", better="equal")
    stand_in = Card("laser", "The laser", quick=False, seed=7)
    stand_in.use(SimpleNamespace(name="santa fe", real=False))
    stand_in.add_row("MSE", [float("nan")] * 2, report=0.026)
    full = Card("training_algorithms", "Training", quick=False, seed=0, seconds=200)
    full.add_row("test MSE", [1e-9, 2e-9, 3e-9], report=3.05e-9)
    full.add_figure(plt.figure(figsize=(1, 1)), "fit", "The fit \"here\".")
    full.add_animation(plt.figure(figsize=(1, 1)), range(2), "steps", "The steps.")
    full.pitfalls.append("Not the true Hessian.")
    for card in (quick, stand_in, full):
        card.save(tmp_path)
    return tmp_path


def test_the_page_is_well_formed_and_self_contained(results):
    reader = Reader(page.write(results).read_text())
    pictures = [link for link in reader.links if link[0] != "#"]
    assert [link.split(",")[0] for link in pictures] == ["data:image/png;base64", "data:image/gif;base64"]
    assert [base64.b64decode(link.split(",")[1])[:3] for link in pictures] == [b"\x89PN", b"GIF"]
    assert {link[1:] for link in reader.links if link[0] == "#"} == set(reader.ids) == {
        "noise", "laser", "training_algorithms", "numbers", "pitfalls"}
    assert "url(" not in (results / "index.html").read_text() and "@import" not in (results / "index.html").read_text()


def test_everything_of_the_cards_is_there(results):
    text = Reader(page.write(results).read_text()).text
    for expected in ("Noise & <signal>", "9.726", "[dB]", "quick run", "santa fe: stand-in", "diverged, n\u00a0=\u00a02",
                     "3.05·10⁻⁹", "2.00·10⁻⁹", "1.00·10⁻⁹ to 3.00·10⁻⁹, n\u00a0=\u00a03", "better", "3 min 20 s", "seed 7",
                     "The fit \"here\".", "Not the true Hessian.", "reports' mistakes", "Change first: `units`, up to 30."):
        assert expected in text


def test_the_lab_book_has_all_numbers_of_the_reports_and_all_pitfalls_on_one_page():
    cards = [Card("noise", "Noise", False, 0, pitfalls=["Deaf."]), Card("laser", "Laser", True, 0, pitfalls=["Blind."])]
    cards[0].add_row("SNR", 1.0, report=1.0)
    cards[0].add_row("time", 3.0, report=7.0, incomparable="another machine")
    cards[0].add_row("our own", 5.0)
    cards[1].add_row("MSE", 2.0, report=2.0)
    text = " ".join(Reader(page.render(cards)).text.split())
    numbers, pitfalls = text[text.index("All numbers"):text.index("All pitfalls")], text[text.index("All pitfalls"):]
    assert "=1 match –2 not comparable" in numbers and "our own" not in numbers
    assert "SNR 1 1 =match" in numbers and "time 7 3 –not comparable another machine" in numbers
    assert "MSE 2 2 –not comparable a quick run" in numbers
    assert "Noise Deaf. Laser Blind." in pitfalls
    assert "Session 1 · supervised Noise" in text and "Other exercises Laser" in text


def test_the_page_keeps_the_cards_of_earlier_runs_and_the_order_of_the_course(results, monkeypatch):
    monkeypatch.setattr(page, "discover", lambda: {"training_algorithms": "supervised", "noise": "supervised"})
    page.write(results)
    later = Card("noise", "Noise, run again", quick=False, seed=0)
    later.save(results)
    text = Reader(page.write(results).read_text()).text
    assert text.index("Training") < text.index("Noise, run again") < text.index("The laser")
    assert "Session 1 · supervised" in text and "Other exercises" in text and "<signal>" not in text


def test_a_copy_of_a_card_is_named_and_not_taken_for_the_card(results):
    shutil.copytree(results / "noise", results / "noise before")
    reader = Reader(page.write(results).read_text())
    assert reader.ids.count("noise") == 1 and "noise before" in reader.text and "expected it in a folder" in reader.text


def test_an_aim_of_ours_is_no_number_of_the_report(results):
    card = Card("rbm", "Boltzmann", quick=False, seed=0)
    card.add_row("ln p", -86.0, report=-92.0, better="higher", tolerance=0, source="our aim")
    text = page.render([card])
    reader = Reader(text)
    assert "−92 (our aim)" in reader.text and "it has no numbers of this" in reader.text
    assert reader.text.count("ln p") == 1                       # in its card, not among all numbers of the reports


def test_a_damaged_card_is_named_and_the_others_are_shown(results):
    (results / "noise" / "card.json").write_text("{")
    text = Reader(page.write(results).read_text()).text
    assert "could not be read" in text and str(results / "noise" / "card.json") in text and "The laser" in text


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_in_a_browser(tmp_path, width):
    """A picture as wide as a page, all magenta, is seen whole: nothing makes the page wider than the window."""
    import matplotlib.pyplot as plt
    import numpy as np
    from PIL import Image
    card = Card("noise", "Noise", quick=False, seed=0)
    card.add_figure(plt.figure(figsize=(9, 3), facecolor="magenta"), "magenta", "Magenta.")
    card.add_row("a quantity with " + "a long name " * 10, [1e-9, 2e-9], report=3.05e-9)
    card.save(tmp_path)
    screenshot = tmp_path / "screenshot.png"
    subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--screenshot={screenshot}",
                    f"--window-size={width},1600", page.write(tmp_path).as_uri()], check=True, timeout=60, capture_output=True)
    pixels = np.asarray(Image.open(screenshot).convert("RGB"))
    magenta = np.argwhere((pixels == (255, 0, 255)).all(axis=2))
    assert len(magenta), "the figure is not to be seen"
    assert 5 < magenta[:, 1].min() and magenta[:, 1].max() < width - 5
    assert (pixels[:, -5:] == 255).all(), "something is cut off at the right"


def test_a_page_of_nothing(tmp_path):
    Reader(page.write(tmp_path / "new").read_text())


@settings(deadline=None)                       # each example compiles the template
@given(st.text(), st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-10**18, 10**18)))
def test_any_text_and_number_can_be_shown(text, x):
    row = Row(text, text, x, x, x, x, 2, "match")
    reader = Reader(page.render([Card("c", text, False, 0, rows=[row], pitfalls=[text])]))
    assert reader.open == []


@pytest.mark.parametrize("x, expected", [
    (0, "0"), (31370, "31,370"), (31370.4, "31,370"), (-12.381, "−12.38"), (0.0571234, "0.05712"),
    (3.05e-9, "3.05·10⁻⁹"), (6.02e23, "6.02·10²³"), (-1e-5, "−1.00·10⁻⁵"),
    (None, "diverged"), (2.0, "2"), (999999.9, "1,000,000"), (9999.4, "9999"), (9999.7, "10,000"), (-9999.5, "−10,000")])
def test_numbers(x, expected):
    assert page.number(x) == expected


@pytest.mark.parametrize("seconds, expected", [
    (0.44, "0.4 s"), (59.7, "1 min 0 s"), (12, "12 s"), (200, "3 min 20 s"), (3900, "1 h 5 min"), (9.94, "9.9 s")])
def test_durations(seconds, expected):
    assert page.duration(seconds) == expected
