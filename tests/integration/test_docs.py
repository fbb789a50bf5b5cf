"""The code of the documentation."""

from __future__ import annotations

import sys
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import pytest

from sktextcnn import TextCNNClassifier

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def extensions(monkeypatch):
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    pytest.importorskip("numpydoc", reason="the extra docs is not installed")
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    yield
    for name in ("parameter_table", "markdown_changelog", "mathml", "reading_order"):
        sys.modules.pop(name, None)


def test_table_has_every_parameter_with_its_default(extensions):
    from parameter_table import rows_of

    rows = {row.name: row for row in rows_of(TextCNNClassifier)}
    assert list(rows) == list(signature(TextCNNClassifier).parameters)
    assert rows["filters"].default == str(TextCNNClassifier().filters)
    assert rows["filters"].range == "int ≥ 1"
    assert rows["dropout"].range == "float, 0 ≤ x < 1"
    assert rows["epochs"].range == 'int ≥ 1; ``"auto"``'
    assert rows["validation"].range.startswith("float, 0 < x < 1; int ≥ 2; splitter")
    assert rows["max_labels"].range == "int ≥ 1; ``None``"
    assert all(row.meaning and row.range for row in rows.values())


def test_table_refuses_a_parameter_without_docs(extensions):
    from parameter_table import rows_of

    class Extended(TextCNNClassifier):
        __doc__ = TextCNNClassifier.__doc__

        def __init__(self, *, filters=1, novel=2):
            pass

    with pytest.raises(ValueError, match="disagree"):
        rows_of(Extended)


def test_table_groups_on_the_page_cover_all_parameters():
    page = (DOCS / "parameters.rst").read_text("utf-8")
    names = list(signature(TextCNNClassifier).parameters)
    covered, first = [], 0
    for block in page.split(".. parameter-table::")[1:]:
        options = dict(line.strip()[1:].split(": ") for line in block.splitlines() if ":" in line[:10])
        first = names.index(options.get("first", names[0]))
        covered += names[first : names.index(options.get("last", names[-1])) + 1]
    assert covered == names


def test_changelog_becomes_a_page(extensions):
    from markdown_changelog import to_rst

    shown = to_rst("# Log\n\n## [0.1] - now\n\n- `fit` as in [this](https://example.org).\n")
    assert shown == (
        "Log\n===\n\n0.1 - now\n---------\n\n- ``fit`` as in `this <https://example.org>`__.\n"
    )


def test_formulas_become_mathml_in_a_box_each(extensions):
    from docutils import nodes
    from mathml import visit_block, visit_inline

    shown = SimpleNamespace(body=[])
    with pytest.raises(nodes.SkipNode):
        visit_inline(shown, nodes.math("", r"\theta_l"))
    with pytest.raises(nodes.SkipNode):
        visit_block(shown, nodes.math_block("", "a = b,\n\nc = d."))
    inline, *boxes = shown.body
    assert inline.startswith("<math ")
    assert "θ" in inline
    assert len(boxes) == 2
    assert all(box.count("<math ") == 1 and box.startswith('<div class="formula">') for box in boxes)


def test_gallery_has_a_place_for_each_example(extensions):
    from reading_order import ReadingOrder

    names = {file.name for file in (DOCS.parent / "examples").glob("plot_*.py")}
    assert len(names) >= 8
    assert len({ReadingOrder("")(name) for name in names}) == len(names)
