"""The lab book: results/index.html, made from all cards in a folder. It opens from disk, with no network and no script.

An overview by the sessions of the course; every card; all numbers of the reports beside ours; all pitfalls.

page.html is its template. Nothing is remembered between runs: whatever cards are there are shown.
"""
import base64
from collections import Counter
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from .card import VERDICTS, Card, write_whole
from .registry import SESSIONS, change_first, discover

MARKS = {"match": "=", "better": "▲", "worse": "▼", "not comparable": "–"}       # besides colour, to be seen by all


def write(out: Path) -> Path:
    """Make out/index.html from out/*/card.json; returns its path. A damaged card is named on the page, not hidden."""
    cards, problems = [], []
    for path in sorted(Path(out).glob("*/card.json")):
        try:
            card = Card.load(path)
            if card.name != path.parent.name:
                raise ValueError(f"{path}: is a card of {card.name}; expected it in a folder of that name")
            cards.append(card)
        except ValueError as error:
            problems.append(str(error))
    Path(out).mkdir(parents=True, exist_ok=True)
    return write_whole(Path(out) / "index.html", render(cards, problems).encode())


def render(cards: list[Card], problems=()) -> str:
    """The page as HTML: the cards in the order of the course, unknown ones last."""
    from jinja2 import Environment, StrictUndefined
    sessions = discover()
    order = {name: i for i, name in enumerate(sessions)}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": number, "spread": spread, "duration": duration, "embedded": embedded}
    template = environment.from_string(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
    cards = sorted(cards, key=lambda card: (order.get(card.name, len(order)), card.name))
    session = {name: f"Session {list(SESSIONS).index(folder) + 1} · {folder}" for name, folder in sessions.items()}
    return template.render(
        cards=cards, by_session=[(title, list(of)) for title, of in
                                 groupby(cards, key=lambda card: session.get(card.name, "Other exercises"))],
        change={card.name: change_first(card.name) for card in cards},
        counts={card.name: Counter(row.verdict for row in card.of_the_report()) for card in cards},
        compared=Counter(row.verdict for card in cards for row in card.of_the_report()),
        problems=problems, verdicts=VERDICTS, marks=MARKS)


def number(x: float | None) -> str:
    """A number for people: 31,370, 0.0571, 3.05·10⁻⁹; "diverged" for None."""
    if x is None:
        return "diverged"
    if x == int(x) and abs(x) < 1e6:
        text = f"{int(x):,}"
    elif 1e-3 <= abs(x) < 9999.5:
        text = f"{x:.4g}"
    elif 1 <= abs(x) < 1e6:
        text = f"{x:,.0f}"
    else:
        mantissa, exponent = f"{x:.2e}".split("e")
        text = mantissa + "·10" + str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return text.replace("-", "−")


def spread(row) -> str:
    """"smallest to largest, n"; empty for a single number."""
    if row.n == 1:
        return ""
    extremes = dict.fromkeys([number(row.min), number(row.max)])        # once, if they are the same
    return f"{' to '.join(extremes)}, n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{row.n}"


def duration(seconds: float) -> str:
    """Seconds in words: 0.4 s, 12 s, 3 min 20 s, 1 h 5 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def embedded(figure) -> Markup:
    """A figure's PNG or GIF as the src of an img, inside the page."""
    kind = "gif" if figure.file.endswith(".gif") else "png"
    return Markup(f"data:image/{kind};base64," + base64.b64encode(figure.image).decode())
