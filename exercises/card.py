"""The card: what an exercise leaves. Numbers beside the report's, figures, data used, pitfalls.

`results/NAME/card.json` and the figures beside it; page.py makes one page of all cards.
A card is honest by construction: the verdict of a quick run, or on a stand-in, is "not comparable", every picture says
below it what data it shows, and repetitions that diverged count as the worst.
"""
import hashlib
import io
import json
import logging
import math
import os
import shutil
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from tinynn.train.sweep import fingerprint
from tinynn.viz.style import caption as caption_below

log = logging.getLogger("exercises")

VERDICTS = ("match", "better", "worse", "not comparable")


@dataclass(frozen=True)
class Config:
    """What every exercise can be told. Its own CONFIG and QUICK add what it needs, the report's values as defaults.

    takes: how long it takes, for people ("3 min"). quick: True in QUICK. seed: of everything random. jobs: processes.
    out: the folder of all results. dask: address of a Dask scheduler for the sweeps, or None.
    """
    takes: str = ""
    quick: bool = False
    seed: int = 0
    jobs: int = 1
    out: Path = Path("results")
    dask: str | None = None


def verdict(report: float | None, ours: float | None, better: str = "lower", tolerance: float = 0.1) -> str:
    """How our number compares: "match" within the relative `tolerance` of the report's, else "better" or "worse".

    better: "lower" (errors), "higher" (accuracies), or "equal" (sizes, counts): outside the tolerance is worse.
    "not comparable" without a report number; "worse" if ours is None or not finite: it diverged.
    """
    if better not in ("lower", "higher", "equal"):
        raise ValueError(f"verdict: better is {better!r}; expected 'lower', 'higher' or 'equal'")
    if report is None:
        return "not comparable"
    if ours is None or not math.isfinite(ours):
        return "worse"
    if abs(ours - report) <= tolerance * abs(report):
        return "match"
    return "better" if better == ("lower" if ours < report else "higher") else "worse"


@dataclass(frozen=True)
class Row:
    """One quantity: the report's number (None: it gives none), and ours over n repetitions (None: diverged)."""
    quantity: str
    unit: str
    report: float | None
    median: float | None
    min: float | None
    max: float | None
    n: int
    verdict: str

    def __post_init__(self):
        check(self, texts=("quantity", "unit"), numbers=("report", "median", "min", "max"), counts=("n",))
        if self.verdict not in VERDICTS:
            raise ValueError(f"verdict is {self.verdict!r}; expected one of {', '.join(VERDICTS)}")


@dataclass(frozen=True)
class Data:
    """A data set that was used, and whether it was the real one or the generated stand-in."""
    name: str
    real: bool

    def __post_init__(self):
        check(self, texts=("name",), flags=("real",))


@dataclass(frozen=True)
class Figure:
    """A picture: its file name in the exercise's folder, its caption, and the PNG or GIF itself (not part of card.json)."""
    file: str
    caption: str
    image: bytes = field(repr=False)

    def __post_init__(self):
        check(self, texts=("file", "caption"))


@dataclass
class Card:
    """Make one with `Card.begin`, read one with `Card.load`. seconds, origin: from the runner, origin as of `origin_of`.
    incomparable: {quantity: why not}. sources: {quantity: whose number stands there, where it is not the report's}."""
    name: str
    title: str
    quick: bool
    seed: int
    data: list[Data] = field(default_factory=list)
    seconds: float = 0.0
    origin: str = ""
    rows: list[Row] = field(default_factory=list)
    pitfalls: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    incomparable: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        check(self, texts=("name", "title", "origin"), numbers=("seconds",), counts=("seed",), flags=("quick",))
        if not all(isinstance(text, str) for text in (*self.pitfalls, *self.incomparable.values(), *self.sources.values())):
            raise ValueError("pitfalls, and what is in incomparable and sources, must be texts")

    @classmethod
    def begin(cls, module: str, config: Config) -> "Card":
        """An empty card for the exercise `module` (its __name__), titled by the first line of its docstring."""
        return cls(module.rpartition(".")[2], title(sys.modules[module]), config.quick, config.seed)

    def unfinished(self, out: Path) -> Path:
        """Where the jobs are kept that an interrupted run has finished, for it to go on from; `save` deletes the folder."""
        return Path(out) / self.name / ("jobs-quick" if self.quick else "jobs")

    def use(self, dataset):
        """Note a data set (anything with .name and .real); returns it. To be called before rows and figures are added.

        Data that the exercise computes by definition, as y = sin(x²), are no data set: leave them out.
        """
        if self.rows or self.figures:
            raise ValueError(f"{self.name}: card.use({dataset.name!r}) comes after rows or figures, which depend on "
                             "whether data are real; call it first")
        self.data.append(Data(dataset.name, bool(dataset.real)))
        log.info("%s: data: %s", self.name, self.data_in_words())
        return dataset

    def add_row(self, quantity: str, values, *, report: float | None = None, unit: str = "", better: str = "lower",
                tolerance: float = 0.1, incomparable: str = "", source: str = ""):
        """Add a row. values: one number, or one per repetition; the median is what is compared with `report`.

        NaN or infinity means that a repetition diverged: it counts as worse than any number. better, tolerance: see
        `verdict`. incomparable: show the report's number, compare nothing, and say why ("another machine"). source: whose
        number `report` is, if it is not the report's ("our aim"): it is compared, and not counted among the report's.
        """
        values = np.atleast_1d(np.asarray(values, dtype=float)).ravel()
        if values.size == 0:
            raise ValueError(f"{self.name}: the row {quantity!r} has no values; give a number, or one per repetition")
        worst = -np.inf if better == "higher" else np.inf
        values = np.where(np.isfinite(values), values, worst)
        median, low, high = (float(x) if np.isfinite(x) else None
                             for x in (np.median(values), values.min(), values.max()))
        word = verdict(report, median, better, tolerance)
        if incomparable:
            self.incomparable[quantity] = incomparable
        if source:
            self.sources[quantity] = source
        report = None if report is None else float(report)
        row = Row(quantity, unit, report, median, low, high, values.size, word)
        self.rows.append(replace(row, verdict="not comparable") if self.why(row) else row)

    def of_the_report(self) -> list[Row]:
        """The rows with a number of the report."""
        return [row for row in self.rows if row.report is not None and row.quantity not in self.sources]

    def why(self, row: Row) -> str:
        """Why a row's number cannot be compared with the report's; empty if it can."""
        if row.report is None:
            return "the report gives no number"
        if row.quantity in self.incomparable:
            return self.incomparable[row.quantity]
        return "a quick run" if self.quick else "" if all(data.real for data in self.data) else "a generated stand-in"

    def add_figure(self, fig, name: str, caption: str, data: str = ""):
        """Keep a matplotlib figure as NAME.png, and close it. The first one opens the exercise's section on the page.

        caption: what is seen; say over how many seeds, and what a band or bar spans. What data are shown, and the seed,
        is written into the picture besides. data: these in words, where they are not just all of the card's.
        """
        import matplotlib.pyplot as plt
        from PIL import Image
        self.sign(fig, data)
        picture, png = io.BytesIO(), io.BytesIO()
        fig.savefig(picture, format="png", bbox_inches="tight")
        plt.close(fig)
        with Image.open(picture) as image:                      # 256 colours: looks the same, and is a third as large
            image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(png, format="png", optimize=True)
        self.figures.append(Figure(f"{name}.png", caption, png.getvalue()))

    def add_animation(self, fig, frames, name: str, caption: str, per_second: float = 4.0):
        """Keep a moving picture as NAME.gif: `fig` as it looks after each step of the iterable `frames`, which redraws it.

        The last frame stays for two seconds, then all starts again. caption: see `add_figure`. Up to 32 colours.
        """
        import matplotlib.pyplot as plt
        from PIL import Image
        self.sign(fig)
        box, images = None, []
        for _ in frames:
            if box is None:                                     # the layout and the box are the same for all frames
                fig.canvas.draw()
                fig.set_layout_engine("none")
                box = fig.get_tightbbox().padded(0.1)           # inches
            png = io.BytesIO()
            fig.savefig(png, format="png", bbox_inches=box)
            images.append(Image.open(png).convert("RGB").quantize(32, dither=Image.Dither.NONE))
        plt.close(fig)
        gif, pause = io.BytesIO(), round(1000 / per_second)     # milliseconds
        images[0].save(gif, format="gif", save_all=True, append_images=images[1:], loop=0, optimize=True,
                       duration=[pause] * (len(images) - 1) + [2000])
        self.figures.append(Figure(f"{name}.gif", caption, gif.getvalue()))

    def sign(self, fig, data: str = ""):
        """Write below a figure what data it shows (default: all of the card's), and the seed."""
        run = ["Quick run: not the report's configuration."] if self.quick else []
        caption_below(fig, " ".join([*run, f"Data: {data or self.data_in_words()}.", f"Seed {self.seed}."]))

    def data_in_words(self) -> str:
        """As "mnist (real data), santa fe laser (generated STAND-IN)"."""
        return ", ".join(f"{data.name} ({'real data' if data.real else 'generated STAND-IN'})"
                         for data in self.data) or "computed by the exercise, as it defines them"

    def save(self, out: Path) -> Path:
        """Write out/NAME/card.json and the figures, each complete or not at all, and delete what is kept of unfinished runs of
        this kind; returns the card's path."""
        folder = Path(out) / self.name
        folder.mkdir(parents=True, exist_ok=True)
        for figure in self.figures:
            write_whole(folder / figure.file, figure.image)
        fields = asdict(self)
        fields["figures"] = [{"file": figure.file, "caption": figure.caption} for figure in self.figures]
        text = json.dumps(fields, indent=1, ensure_ascii=False, allow_nan=False)
        path = write_whole(folder / "card.json", (text + "\n").encode())
        shutil.rmtree(self.unfinished(out), ignore_errors=True)
        return path

    @classmethod
    def load(cls, path: Path) -> "Card":
        """The card in `path` with its figures. ValueError, naming the file: it or a figure is missing or damaged."""
        path = Path(path)
        try:
            fields = json.loads(path.read_bytes())
            fields["data"] = [Data(**data) for data in fields["data"]]
            fields["rows"] = [Row(**row) for row in fields["rows"]]
            fields["figures"] = [Figure(**figure, image=(path.parent / Path(figure["file"]).name).read_bytes())
                                 for figure in fields["figures"]]
            return cls(**fields)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
            raise ValueError(f"{path} is damaged ({type(error).__name__}: {error}); "
                             "delete it and run the exercise again") from error


def origin_of(module, config: Config) -> str:
    """A name for all that a card depends on: the sources, the configuration, and which files of data are there."""
    from tinynn.data.dataset import locate
    from tinynn.data.sources import FILES
    settings = replace(config, out=Path(), jobs=1, dask=None)
    files = [file for names in FILES.values() for file in names if locate(file)]
    return hashlib.sha256(repr((fingerprint(module.run), settings, files)).encode()).hexdigest()[:16]


def title(module) -> str:
    """The title of an exercise: the first line of its docstring."""
    return module.__doc__.strip().splitlines()[0]


def check(record, texts=(), numbers=(), counts=(), flags=()):
    """Raise ValueError unless the named fields have their types; numbers are finite, or None."""
    kinds = [(texts, (str,), "a text"), (numbers, (int, float, type(None)), "a finite number or None"),
             (counts, (int,), "an integer"), (flags, (bool,), "True or False")]
    for names, types, expected in kinds:
        for name in names:
            value = getattr(record, name)
            infinite = isinstance(value, (int, float)) and not math.isfinite(value)
            if infinite or type(value) not in types:
                raise ValueError(f"{type(record).__name__}.{name} is {value!r}; expected {expected}")


def write_whole(path: Path, contents: bytes) -> Path:
    """Write a file so that it is there completely or not at all, even if the program is killed meanwhile."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(contents)
    os.replace(beside, path)
    return path
