"""The README's promises that can be run."""

from __future__ import annotations

import contextlib
import io
import json
import re
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
