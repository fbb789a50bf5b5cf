"""What explanations say of themselves."""

from __future__ import annotations

import copy
import pickle
import sys

import pytest

from sktextcnn.explain import Evidence, Explanation, Explanations, Mistake

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
    assert str(Explanations("a\tb")) == "'a\\tb'\nno label"
    for other in (copy.copy(both), copy.deepcopy(both), pickle.loads(pickle.dumps(both))):
        assert (other, other.text, type(other)) == (both, "the goal", Explanations)


def test_a_mistake_names_its_row():
    mistake = Mistake(7, "the goal", "sport", "false positive", explanation())
    assert str(mistake) == f"false positive in row 7: the goal\n{explanation()}"
    assert "false positive in row 7" in mistake._repr_html_()


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
