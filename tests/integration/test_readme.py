"""The README's promises that can be run."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

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
