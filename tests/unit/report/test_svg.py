"""Figures as a part of a page."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from tests import strategies
from tests.evaluations import random_evaluation
from tests.pages import ATTACKS, Page

pytest.importorskip("matplotlib", reason="the extra plot is not installed")
from matplotlib import rc_context
from matplotlib.figure import Figure

from sktextcnn.plotting import LabelScoresDisplay
from sktextcnn.plotting.display import name_of
from sktextcnn.report.svg import page_style, to_svg
from tests.strategies import examples_up_to


def draw(labels, name="a"):
    with page_style():
        figure = Figure(figsize=(4, 3))
        evaluation = random_evaluation(n=20, k=len(labels), labels=labels)
        LabelScoresDisplay.from_evaluation(evaluation, ax=figure.add_subplot(), sort="none")
        return to_svg(figure, name, "scores of <labels>")


def test_svg_is_in_the_colors_and_fonts_of_the_page():
    svg = draw(["a", "b"])
    assert "currentColor" in svg
    assert "#010203" not in svg
    assert "font-family" not in svg
    assert "fill: #ffffff" not in svg
    page = Page(svg)
    assert not page.names() & {"style", "metadata", "image"}
    assert page.elements[0][1]["aria-label"] == "scores of <labels>"


def test_what_ids_refer_to_is_there_and_of_this_figure():
    svg = draw(["a", "b"], name="figure7")
    ids = {attributes["id"] for _, attributes in Page(svg).elements if "id" in attributes}
    referred = {*re.findall(r'href="#([^"]+)"', svg), *re.findall(r"url\(#([^)]+)\)", svg)}
    assert ids == referred
    assert ids
    assert all(name.startswith("figure7-") for name in ids)


def test_svg_is_the_same_whatever_the_users_style():
    with rc_context({"axes.facecolor": "red", "font.size": 30, "lines.linewidth": 9}):
        assert draw(["a", "b"]) == draw(["a", "b"])
        styled = draw(["a", "b"])
    assert styled == draw(["a", "b"])


@pytest.mark.parametrize("attack", ATTACKS)
def test_labels_stay_text(attack):
    page = Page(draw([attack, "b"]))
    assert page.names() <= {"svg", "g", "path", "use", "defs", "clippath", "rect", "text"}
    assert name_of(attack) in page.text_of("text")


@examples_up_to(8)
@given(strategies.label_names())
def test_any_label_can_be_drawn(labels):
    assert Page(draw(labels)).names() <= {"svg", "g", "path", "use", "defs", "clippath", "rect", "text"}
