"""The worst mistakes, with what spoke for them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from sktextcnn import TextCNNClassifier, as_label_matrix, prediction
from sktextcnn.explain import Mistake
from tests.examples import LABELS, TAGS, TEXTS, TOPICS, matrix_of, tiny

#: Of each text those labels that it does not have.
WRONG = [[label for label in LABELS if label not in tags] for tags in TAGS]


@pytest.fixture(scope="module")
def clf():
    return tiny(epochs=4, threshold=[0.4, 0.5, 0.45]).fit(TEXTS, TAGS)


def mistakes_in(clf, y, texts=TEXTS):
    """Return rows, labels and kinds of all wrong decisions."""
    wrong = clf.predict(texts) - matrix_of(y)
    kinds = {1: "false positive", -1: "miss"}
    return {
        (int(row), clf.classes_[column], kinds[int(wrong[row, column])])
        for row, column in np.argwhere(wrong)
    }


def test_all_mistakes_are_found_the_worst_first(clf):
    found = clf.explain_errors(TEXTS, WRONG, n=1000)
    assert {(one.row, one.label, one.kind) for one in found} == mistakes_in(clf, WRONG)
    assert {one.kind for one in found} == {"false positive", "miss"}
    margins = []
    for one in found:
        assert one.text == TEXTS[one.row]
        assert (one.explanation,) == (*clf.explain([one.text], labels=[one.label])[0],)
        assert one.explanation.decision == (one.kind == "false positive")
        distance = one.explanation.probability - one.explanation.threshold
        margins.append(distance if one.kind == "false positive" else -distance)
    assert margins == pytest.approx(sorted(margins, reverse=True), abs=1e-6)
    few = clf.explain_errors(TEXTS, WRONG, n=2)
    assert few == [one for one in found if one in few]
    for kind in ("false positive", "miss"):
        of_kind = [one for one in found if one.kind == kind]
        assert [one for one in few if one.kind == kind] == of_kind[:2]


def test_right_decisions_are_no_mistakes(clf):
    assert clf.explain_errors(TEXTS, clf.predict_labels(TEXTS)) == []


def test_labels_of_interest(clf):
    found = clf.explain_errors(TEXTS, WRONG, labels="sport", n=1000)
    assert (
        found == [one for one in clf.explain_errors(TEXTS, WRONG, n=1000) if one.label == "sport"] != []
    )


@pytest.mark.parametrize("form", [as_label_matrix, lambda y: [*map(set, y)]], ids=["matrix", "sets"])
def test_any_form_of_texts_and_labels(clf, form):
    found = clf.explain_errors(pd.Series(TEXTS, index=range(5, 5 + len(TEXTS))), form(WRONG))
    assert found == clf.explain_errors(TEXTS, WRONG)


def test_chunks_make_no_difference(clf, monkeypatch):
    found = clf.explain_errors(TEXTS, WRONG, n=3)
    monkeypatch.setattr(prediction, "TEXTS_PER_CHUNK", 5)
    assert clf.explain_errors(TEXTS, WRONG, n=3) == found


def test_unseen_labels_are_left_out(clf):
    found = clf.explain_errors(TEXTS, [[*tags, "unheard of"] for tags in WRONG])
    assert found == clf.explain_errors(TEXTS, WRONG)


def test_one_label_per_text_is_wrong_twice():
    clf = tiny(epochs=2).fit(TEXTS, TOPICS)
    wrong = ["food" if topic == "sport" else "sport" for topic in clf.predict(TEXTS)]
    found = clf.explain_errors(TEXTS, wrong, n=1000)
    assert len(found) == 2 * len(TEXTS)
    false_positive, miss = found[:2]
    assert isinstance(miss, Mistake)
    assert false_positive.row == miss.row
    assert {false_positive.kind, miss.kind} == {"false positive", "miss"}
    (unseen,) = clf.explain_errors([*TEXTS[:1]] * 2, [clf.predict(TEXTS[:1])[0], "unheard of"])
    assert (unseen.kind, unseen.row) == ("false positive", 1)


def test_bad_input_is_named(clf):
    with pytest.raises(NotFittedError):
        TextCNNClassifier().explain_errors(TEXTS, TAGS)
    with pytest.raises(ValueError, match="X has 12 texts, but y has 11 rows; expected as many"):
        clf.explain_errors(TEXTS, TAGS[1:])
    with pytest.raises(ValueError, match="n=0; expected an int of at least 1"):
        clf.explain_errors(TEXTS, TAGS, n=0)
    with pytest.raises(ValueError, match="labels holds 'Sport'"):
        clf.explain_errors(TEXTS, TAGS, labels="Sport")
    with pytest.raises(TypeError, match="single str"):
        clf.explain_errors("text", TAGS)
    with pytest.raises(ValueError, match="one label per text"):
        clf.explain_errors(TEXTS, TOPICS)
