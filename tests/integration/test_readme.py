"""The README's promises that can be run."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def blocks():
    text = README.read_text("utf-8")
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def test_commands_are_the_two_promised(blocks):
    commands = [code.strip() for language, code in blocks if language == "bash"]
    assert commands == [
        "python -m pip install . && python -m sktextcnn demo",
        'python -m pip install ".[test]" && python -m pytest',
    ]


@pytest.mark.slow
def test_three_commands_take_a_table_to_a_model_a_report_and_labels(blocks, tmp_path, monkeypatch):
    pytest.importorskip("jinja2", reason="the extra report is not installed")
    from sktextcnn.cli import main
    from sktextcnn.datasets import load_news_tags

    news = load_news_tags()
    rows = [(text, ",".join(tags)) for text, tags in zip(news.data, news.tags, strict=True)]
    for name, part in {"train": rows[:150], "test": rows[150:200], "new": rows[200:220]}.items():
        with open(tmp_path / f"{name}.csv", "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("message", "tags"), *part])
    monkeypatch.chdir(tmp_path)
    lines = [code.splitlines() for language, code in blocks if language == "console"][1]
    assert len(lines) == 3
    for line in lines:
        assert main(shlex.split(line.removeprefix("$ sktextcnn "))) == 0
    assert "<html" in (tmp_path / "report.html").read_text("utf-8")
    with open(tmp_path / "tagged.csv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 20


def test_example_prints_what_the_readme_shows(blocks):
    position = next(i for i, (language, _) in enumerate(blocks) if language == "python")
    (_, code), (language, shown) = blocks[position : position + 2]
    assert language == "text"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, str(README), "exec"), {})
    assert printed.getvalue() == shown


def test_search_example_is_valid_python(blocks):
    _, code = [block for block in blocks if block[0] == "python"][1]
    names = compile(code, str(README), "exec").co_names
    assert {"GridSearchCV", "as_label_matrix"} <= set(names)


@pytest.fixture(scope="module")
def micro_f1():
    """Who, data set and number of texts -> mean over the draws."""
    results = json.loads((README.parent / "docs/_static/few_texts.json").read_text("utf-8"))
    return {
        tuple(key.split("|")): np.mean([run[0]["f1_micro"] for run in runs])
        for key, runs in results.items()
    }


def test_table_shows_what_was_measured(micro_f1):
    row = re.compile(r"^\| (\w+) \| \*\*(\.\d+)\*\* \| (\.\d+) \| (\.\d+) \|$", flags=re.MULTILINE)
    rows = row.findall(README.read_text("utf-8"))
    assert {name for name, *_ in rows} == {name for _, name, _ in micro_f1}
    for name, *shown in rows:
        measured = [micro_f1[who, name, "500"] for who in ("ours", "svm", "fasttext")]
        assert [f"0{f1}" for f1 in shown] == [f"{f1:.3f}" for f1 in measured]


def test_first_page_of_the_documentation_says_what_was_measured(micro_f1):
    gains = [f1 - micro_f1[("svm", *what)] for (who, *what), f1 in micro_f1.items() if who == "ours"]
    page = (README.parent / "docs/index.rst").read_text("utf-8")
    assert f"**{sum(gain > 0 for gain in gains)} of {len(gains)}**" in page
    assert f"by {min(gains):.3f} to {max(gains):.3f}".replace("0.", ".") in page
