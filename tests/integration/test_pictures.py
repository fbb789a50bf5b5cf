"""The documentation's pictures, kept as files, are those that its scripts would draw today.

Those of diagrams are the same to the letter. Those of trained models are so in all but the numbers and
the names of labels: a small model is drawn in the same way.
"""

from __future__ import annotations

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from sktextcnn import as_label_matrix
from sktextcnn.datasets import load_news_tags
from sktextcnn.metrics import evaluate
from tests.examples import LABELS, TAGS, TEXTS, eager, tiny
from tests.pages import Page

NAMES = sorted({*LABELS, *load_news_tags().target_names}, key=len, reverse=True)
LABEL = re.compile("|".join(map(re.escape, NAMES)))
DOCS = Path(__file__).parents[2] / "docs"
NUMBER = re.compile(r"[-+\N{MINUS SIGN}]?\.?\d[\d.]*")


def script(name):
    spec = spec_from_file_location(name, DOCS / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kept(name):
    return (DOCS / "_pictures" / name).read_text("utf-8")


@pytest.fixture(scope="module")
def clf():
    return eager(threshold="tune", validation=0.3).fit(TEXTS * 3, TAGS * 3)


DIAGRAMS = script("draw_pictures").DRAW


@pytest.mark.parametrize("name", DIAGRAMS)
def test_diagrams_are_up_to_date(name):
    assert kept(name) == DIAGRAMS[name]().svg(), "draw it again: python docs/draw_pictures.py"


def plain(text):
    """A text without its numbers, in which one word stands for the names of all labels."""
    return NUMBER.sub("#", LABEL.sub("label", text)).strip()


def look(html, element):
    """Elements with their attributes, and the texts of one kind of element: what no model changes."""
    page = Page(html)
    elements = {
        (name, key, NUMBER.sub("#", value or ""))
        for name, attributes in page.elements
        for key, value in attributes.items()
        if key in ("class", "style", "dir")
    }
    return elements, {plain(text) for inside, text in page.texts if inside == element}


def test_plots_are_up_to_date(clf):
    pytest.importorskip("matplotlib.figure", reason="the extra plot is not installed")
    from sktextcnn.plotting import LearningCurveDisplay

    curve = LearningCurveDisplay.from_estimator(
        tiny(), TEXTS * 3, TAGS * 3, train_sizes=[24], n_splits=2
    )
    evaluation = evaluate(clf, TEXTS, TAGS)
    for name, svg in script("draw_plots").draw(clf, evaluation, LABELS[0], as_label_matrix(TAGS), curve):
        (_, words), (_, expected) = (look(each, "text") for each in (kept(name), svg))
        assert words == expected, f"{name}: draw it again: python docs/draw_plots.py"


@pytest.mark.parametrize("name", ["explanation.html", "mistake.html"])
def test_explanations_are_up_to_date(clf, name):
    if name == "mistake.html":
        shown = clf.explain_errors(TEXTS, [["food"]] * len(TEXTS), labels="food", n=1)[0]
    else:
        shown = clf.explain(TEXTS[:1])[0]
    for element in ("div", "strong", "summary"):
        found, words = look(kept(name), element)
        elements, expected = look(shown._repr_html_(), element)
        assert found <= elements, "write it again: python docs/show_explanations.py"
        assert words == expected, "write it again: python docs/show_explanations.py"
