"""The README keeps its word: its commands, its examples, and its numbers, which come from recorded runs.

`python tests/test_readme.py` writes the tables of numbers into the README anew.
"""
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from exercises.registry import SESSIONS, discover

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)


def number(x) -> str:
    """Three significant digits; for what is nearly 1 or 100 %, as good accuracies are, four or two decimals; "diverged"."""
    if x is None:
        return "diverged"
    return f"{x:.4f}" if 0.95 < x < 1 else f"{x:.2f}" if 95 < x < 100 else f"{x:.3g}" if abs(x) < 100 else f"{x:.0f}"


def recorded() -> dict:
    """{name: card} of the experiments that have a recorded run, in the order of the course."""
    paths = {name: ROOT / "exercises" / "record" / name / "card.json" for name in discover()}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def overview() -> str:
    """A line for each recorded experiment: what it is, and how its numbers compare with the report's."""
    sessions, lines, before = discover(), ["| experiment | what | the reports' numbers |", "|---|---|---|"], None
    for name, card in recorded().items():
        if sessions[name] != before:
            before = sessions[name]
            lines.append(f"| **{list(SESSIONS).index(before) + 1} · {before}** | | |")
        verdicts = Counter(row["verdict"] for row in card["rows"] if row["quantity"] not in card["sources"])
        counts = ", ".join(f"{verdicts[word]} {word}" for word in ("match", "better", "worse") if verdicts[word])
        lines.append(f"| [{name}](exercises/record/{name}) | {card['title'].rstrip('.')} | {counts or '–'} |")
    return "\n".join(lines)


def experiments() -> str:
    """The first recorded numbers of each experiment that the report has, too."""
    lines = ["| experiment | quantity | report | here: median (range, n) | verdict |", "|---|---|---|---|---|"]
    for name, card in recorded().items():
        rows = [row for row in card["rows"] if row["verdict"] != "not comparable"]
        for row in (rows or card["rows"])[:6]:
            report = "–" if row["report"] is None else number(row["report"])
            report += f" ({card['sources'][row['quantity']]})" if row["quantity"] in card["sources"] else ""
            here = number(row["median"]) if row["n"] == 1 else \
                f"{number(row['median'])} ({number(row['min'])} to {number(row['max'])}, {row['n']})"
            unit = f", {row['unit']}" if row["unit"] else ""
            lines.append(f"| {name} | {row['quantity']}{unit} | {report} | {here} | {row['verdict']} |")
    return "\n".join(lines)


def speed() -> str:
    """A row for each workload and peer in benchmarks/results.json."""
    card = json.loads((ROOT / "benchmarks" / "results.json").read_text())
    lines = ["| workload | peer | ratio | to reach |", "|---|---|---|---|"]
    for row in card["rows"]:
        ratio = f"{row['ratio']:.{2 if row['ratio'] >= 0.01 else 3}f}"
        lines.append(f"| {row['workload']} | {row['peer']} | {ratio} | {row['target']} |")
    return "\n".join(lines)


TABLES = {"overview": overview, "experiments": experiments, "benchmarks": speed}


@pytest.mark.parametrize("name, table", TABLES.items())
def test_numbers_come_from_recorded_runs(name, table):
    assert f"<!-- {name} -->\n{table()}\n<!-- /{name} -->" in README, "run `python tests/test_readme.py`"


def test_recorded_cards_are_full_runs_on_real_data():
    folder = ROOT / "exercises" / "record"
    cards = [json.loads(path.read_text()) for path in folder.glob("*/card.json")]
    assert cards and not any(card["quick"] for card in cards)
    assert all(data["real"] for card in cards for data in card["data"])
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 3_000_000


def test_the_example_runs(tmp_path):
    example = next(code for language, code in BLOCKS if language == "python" and "tn.fit(" in code)
    assert len([line for line in example.splitlines() if line and not line.startswith("import")
                and not line.startswith("from")]) <= 12
    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[0]) < 1e-4 and (tmp_path / "model.safetensors").exists()


def test_the_wrong_op_is_caught_with_just_these_words(tmp_path):
    """But for the numbers, and where lines break: they depend on what is drawn."""
    def words(text):
        return " ".join(re.sub(r"-?[\d.]+(e-?\d+)?", "#", text).split())

    code = next(code for language, code in BLOCKS if language == "python" and "def swish" in code)
    outputs = [text for language, text in BLOCKS if language == ""]
    right = code.replace("return g * tn.sigmoid(x)", "s = tn.sigmoid(x); return g * (s + x * s * (1 - s))  ")
    for version, expected in ((code, next(o for o in outputs if "WRONG" in o).split("\n", 1)[1]),
                              (right, next(o for o in outputs if "is right" in o))):
        (tmp_path / "my_ops.py").write_text(version)
        done = subprocess.run([sys.executable, "-m", "tinynn", "check", "my_ops.py::swish"], cwd=tmp_path,
                              capture_output=True, text=True)
        assert words(done.stdout) == words(expected)


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


if __name__ == "__main__":
    text = README
    for name, table in TABLES.items():
        text = re.sub(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m: m[1] + table() + "\n" + m[2], text,
                      flags=re.DOTALL)
    (ROOT / "README.md").write_text(text)
