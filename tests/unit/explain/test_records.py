"""What explanations say of themselves."""

from __future__ import annotations

import copy
import pickle
import sys

import pytest

from sktextcnn.explain import (
    Evidence,
    Explanation,
    ExplanationList,
    Explanations,
    Mistake,
    NgramMean,
    NgramMeans,
)
from tests.examples import TAGS, TEXTS, eager

GOAL, THE = Evidence("goal", 1, 2, 2.5, 4, 8), Evidence("the", 0, 1, -0.25, 0, 3)


def explanation(**changes):
    given = Explanation("sport", True, 0.9, 0.45, 2.0, -0.25, [GOAL, THE], "the goal")
    return given._replace(**changes)


def test_an_explanation_reads_as_a_sum():
    assert str(explanation()) == (
        "sport: predicted, probability 0.900, threshold 0.450\n"
        "    +2.500  goal\n"
        "    -0.250  the\n"
        "    -0.250  (base)\n"
        "    +2.000  logit"
    )


def test_weak_evidence_is_summed_up():
    lines = str(
        explanation(evidence=[GOAL] * 9 + [THE] * 2, threshold=None, decision=False)
    ).splitlines()
    assert lines[0] == "sport: not predicted, probability 0.900"
    assert lines[1:9] == ["    +2.500  goal"] * 8
    assert lines[9:11] == ["    +2.000  (3 more)", "    -0.250  (base)"]


def test_what_a_terminal_would_not_show_is_escaped():
    odd = explanation(label="\x1b[31m", evidence=[GOAL._replace(ngram="\n"), THE._replace(ngram=" b")])
    shown = str(odd).splitlines()
    assert shown[0].startswith(r"'\x1b[31m': predicted")
    assert shown[1].endswith(r"  '\n'")
    assert shown[2].endswith("  ' b'")
    assert (
        str(explanation(evidence=[Evidence("", 0, 0, 1.0, 0, 0)])).splitlines()[1].endswith("(no token)")
    )


def test_explanations_of_a_text_are_a_list():
    one = explanation()
    both = Explanations("the goal", [one, one])
    assert both == [one, one]
    assert str(both) == f"the goal\n{one}\n{one}"
    text, said = str(Explanations("a\tb")).splitlines()
    assert text == r"'a\tb'"
    assert said == "no label (labels= explains those that are not predicted, too)"
    assert "labels=" in Explanations("a")._repr_html_()
    for other in (copy.copy(both), copy.deepcopy(both), pickle.loads(pickle.dumps(both))):
        assert (other, other.text, type(other)) == (both, "the goal", Explanations)


def test_a_mistake_names_its_row():
    mistake = Mistake(7, "the goal", "sport", "false positive", explanation())
    assert str(mistake) == f"false positive in row 7: the goal\n{explanation()}"
    assert "false positive in row 7" in mistake._repr_html_()


def test_several_texts_are_shown_one_below_the_other():
    row = Explanations("the goal", [explanation()])
    mistake = Mistake(7, "the goal", "sport", "false positive", explanation())
    for item in (row, mistake):
        shown = ExplanationList([item, item])
        assert str(shown) == f"{item}\n\n{item}"
        html = shown._repr_html_()
        assert html.count("sktextcnn-explanation") == 2
        assert html.count("unbroken line") == 1  # one legend for all
    assert str(ExplanationList()) == "(none)"
    assert "(none)" in ExplanationList()._repr_html_()


def test_means_of_ngrams_are_a_table():
    means = NgramMeans([NgramMean("a goal", 1.25, 31), NgramMean("<b>", -0.5, 2)])
    assert str(means) == (
        "    mean    texts  n-gram\n"  #
        "  +1.250       31  a goal\n"
        "  -0.500        2  <b>"
    )
    html = means._repr_html_()
    assert html.count("<tr>") == 3
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


def test_what_a_classifier_says_of_texts_is_a_list_that_can_be_read():
    clf = eager(epochs=3).fit(TEXTS, TAGS)
    found = [
        clf.explain(TEXTS[:2], labels="sport"),
        clf.explain_errors(TEXTS, [["food"]] * 12, n=2),
        clf.top_ngrams(TEXTS, "sport", n=3),
    ]
    assert [type(each) for each in found] == [ExplanationList, ExplanationList, NgramMeans]
    for each in found:
        assert each
        assert each == [*each]
        assert "(" not in str(each).splitlines()[0]  # no repr
        for other in (copy.copy(each), pickle.loads(pickle.dumps(each))):
            assert (other, type(other)) == (each, type(each))


@pytest.mark.parametrize(
    "shown",
    [
        Explanations("the goal", [explanation(), explanation(label="news")]),
        ExplanationList([Explanations("the goal"), Explanations("a goal")]),
        NgramMeans([NgramMean("a goal", 1.25, 31), NgramMean("the", 0.5, 2)]),
    ],
    ids=["of a text", "of texts", "means"],
)
def test_slices_show_themselves_too(shown):
    first = shown[:1]
    assert (first, type(first)) == ([shown[0]], type(shown))
    assert getattr(first, "text", None) == getattr(shown, "text", None)
    assert shown[-1] == [*shown][-1]


def test_evidence_as_a_frame():
    other = explanation(label="news", evidence=[THE._replace(char_start=None, char_stop=None)])
    frame = Explanations("the goal", [explanation(), other]).to_frame()
    assert frame.columns.tolist() == ["label", *Evidence._fields]
    assert frame["label"].tolist() == ["sport", "sport", "news"]
    assert frame["char_stop"].isna().tolist() == [False, False, True]
    assert frame.dtypes[["start", "char_start", "contribution"]].map(str).tolist() == [
        *["Int64", "Int64", "float64"]
    ]
    assert frame.iloc[:2].equals(explanation().to_frame())


@pytest.mark.parametrize(
    "empty", [explanation(evidence=[]), Explanations("the goal")], ids=["one", "all"]
)
def test_no_evidence_makes_an_empty_frame(empty):
    frame = empty.to_frame()
    assert (len(frame), frame.columns[0], str(frame["start"].dtype)) == (0, "label", "Int64")


def test_without_pandas_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_frame needs pandas, which is not installed: pip install"):
        explanation().to_frame()
