"""Highlighted words: the text itself, and nothing of it is markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktextcnn.explain import Evidence, Explanation, Explanations, Mistake, highlight
from tests.strategies import examples_up_to, texts

MARKUP = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><b>',
    "' onmouseover='alert(1)",
    "</mark></span></div>",
    "&lt;b&gt; &amp; &#60;",
    "<!--",
    "]]>",
    "{{ 7 * 7 }}",
    "</details></table>",
]
nasty = st.lists(st.sampled_from(MARKUP) | texts(), max_size=4).map("".join)

#: All elements that there may be, and their attributes.
ALLOWED = {
    "div": {"class", "style"},
    "span": {"class", "dir", "style"},
    "strong": {"dir"},
    "mark": {"style", "title"},
    "details": {"open"},
    "summary": set(),
    "table": set(),
    "tr": set(),
    "td": {"style"},
}


class Reader(HTMLParser):
    """Checks that every element is closed and allowed; collects the text, also by element."""

    def __init__(self, markup):
        super().__init__(convert_charrefs=True)
        self.open, self.text, self.found = [], "", []
        self.feed(markup)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert {name for name, _ in attrs} <= ALLOWED[tag]
        self.open.append((tag, dict(attrs), len(self.text)))

    def handle_endtag(self, tag):
        opened, attributes, start = self.open.pop()
        assert opened == tag
        self.found.append((tag, attributes, self.text[start:]))

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        raise AssertionError("a comment")

    handle_decl = unknown_decl = handle_pi = handle_comment

    def texts_of(self, tag):
        return [text for name, _, text in self.found if name == tag]


def as_read(text):
    """Return a text without what no file can hold."""
    return re.sub("[\ud800-\udfff]", "?", text)


@st.composite
def evidence_in(draw, text):
    """Evidence at any characters."""
    one = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)), st.floats(-9, 9), nasty)
    return [
        Evidence(ngram, 0, draw(st.integers(1, 3)), value, *sorted((start, stop)))
        for start, stop, value, ngram in draw(st.lists(one, max_size=12))
    ]


@given(data=st.data(), text=nasty)
@examples_up_to(200)
def test_highlighting_keeps_the_text(data, text):
    reader = Reader(highlight(text, data.draw(evidence_in(text))))
    assert reader.text == as_read(text)
    assert reader.texts_of("span") == [as_read(text)]


@given(data=st.data(), text=nasty, label=nasty | st.integers() | st.none())
@examples_up_to(100)
def test_nothing_in_an_explanation_is_markup(data, text, label):
    evidence = data.draw(evidence_in(text))
    threshold = data.draw(st.none() | st.floats(0, 1))
    explanation = Explanation(label, True, 0.5, threshold, 0.0, 0.0, evidence, text)
    for shown in (
        explanation,
        Explanations(text, [explanation, explanation]),
        Explanations(text),
        Mistake(3, text, label, "miss", explanation),
    ):
        reader = Reader(shown._repr_html_())
        assert as_read(text) in reader.texts_of("span")
        if shown:
            assert as_read(f"{label}:") in reader.texts_of("strong")
            for one in evidence[:8]:
                assert as_read(one.ngram) in reader.text


def marks(text, evidence):
    reader = Reader(highlight(text, evidence))
    return [(part, attributes) for tag, attributes, part in reader.found if tag == "mark"]


def test_sign_and_strength_are_seen_without_colors():
    text = "good but bad so"
    evidence = [
        *[Evidence("good", 0, 1, 2.0, 0, 4), Evidence("bad", 2, 3, -4.0, 9, 12)],
        *[Evidence("but", 1, 2, 0.5, 5, 8), Evidence("so", 3, 4, 0.1, 13, 15)],
    ]
    found = marks(text, evidence)
    assert [part for part, _ in found] == ["good", "but", "bad"]  # the last is too weak
    styles = [attributes["style"] for _, attributes in found]
    lines = [re.search(r"border-bottom:(\d)px (\w+)", style).groups() for style in styles]
    assert lines == [("3", "solid"), ("1", "solid"), ("4", "dashed")]
    strengths = [
        float(re.search(r"background:rgba\(\d+,\d+,\d+,([.\d]+)\)", style)[1]) for style in styles
    ]
    assert strengths[1] < strengths[0] < strengths[2] < 0.5  # text remains legible
    assert [attributes["title"] for _, attributes in found] == ["+2.000", "+0.500", "-4.000"]


def test_ngrams_share_among_their_tokens_what_they_add():
    evidence = [Evidence("a goal", 0, 2, 2.0, 0, 7), Evidence("goal", 1, 2, 3.0, 3, 7)]
    found = [(part, attributes["title"]) for part, attributes in marks("a  goal", evidence)]
    assert found == [("a  ", "+1.000"), ("goal", "+4.000")]


@pytest.mark.parametrize("one", [Evidence("", 0, 0, 2.0, 0, 0), Evidence("goal", 0, 1, 2.0)])
def test_what_has_no_place_is_not_highlighted(one):
    assert marks("goal", [one]) == []


def test_the_table_is_unfolded_where_words_cannot_be_highlighted():
    def shown(*place):
        return Explanation("x", True, 0.5, 0.5, 1.0, 0.0, [Evidence("goal", 0, 1, 1.0, *place)], "goal")

    assert "<details open>" in shown()._repr_html_()
    assert "<details>" in shown(0, 4)._repr_html_()
