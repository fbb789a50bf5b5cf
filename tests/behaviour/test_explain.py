"""Every logit is the sum of what its n-grams add."""

from __future__ import annotations

from collections import deque
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from sktextcnn import TextCNNClassifier, load
from sktextcnn.explain import explainer
from sktextcnn.explain.html import LEGEND
from sktextcnn.text.spans import find_spans
from tests.examples import TAGS, TEXTS, TOPICS, tiny
from tests.strategies import corpora, examples_up_to

WORDS = ["match", "goal", "budget", "tax", "soup", "lemon", "the", "unheard-of", "a", ".", ""]
some_texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), min_size=1, max_size=5)

LINEAR = {"linear": True, "validation": 0.3, "epochs": 4, "learning_rate": 0.05}
KINDS = {
    "network": {},
    "hidden layer": {"hidden_units": 5},
    "linear part": LINEAR,
    "all": {**LINEAR, "hidden_units": 5, "max_length": 4},
    "characters": {"analyzer": "char"},
    "pairs beside single tokens": {**LINEAR, "linear_ngram_range": (2, 3)},
    "softmax": {"loss": "kl_divergence"},
}


@pytest.fixture(scope="module", params=KINDS)
def clf(request):
    options = {"kernel_sizes": (1, 3), "epochs": 4, "learning_rate": 0.05, **KINDS[request.param]}
    return tiny(**options).fit(TEXTS, TAGS)


@given(texts=some_texts)
@examples_up_to(25)
def test_contributions_add_up_to_the_logit(clf, texts):
    logits = clf.decision_function(texts)
    explained = clf.explain(texts, labels=clf.classes_)
    assert len(explained) == len(texts)
    for row, explanations in zip(logits, explained, strict=True):
        assert [explanation.label for explanation in explanations] == clf.classes_.tolist()
        for logit, explanation in zip(row, explanations, strict=True):
            assert explanation.logit == pytest.approx(logit, abs=1e-4)
            added = sum(evidence.contribution for evidence in explanation.evidence)
            assert explanation.base + added == pytest.approx(logit, abs=1e-4)


@given(texts=some_texts)
@examples_up_to(25)
def test_evidence_is_found_where_it_says(clf, texts):
    tokenize = clf._tokenizer()
    separator = "" if clf.analyzer == "char" else " "
    for text, explanations in zip(texts, clf.explain(texts, labels=clf.classes_), strict=True):
        tokens = list(tokenize(text))
        for explanation in explanations:
            spans = [(evidence.start, evidence.stop) for evidence in explanation.evidence]
            assert len(set(spans)) == len(spans)
            sizes = [abs(evidence.contribution) for evidence in explanation.evidence]
            assert sizes == sorted(sizes, reverse=True)
            for ngram, start, stop, contribution, *_ in explanation.evidence:
                assert 0 <= start <= stop <= min(len(tokens), clf.max_length_ or len(tokens))
                assert stop - start <= 3
                assert ngram == separator.join(tokens[start:stop])
                assert contribution != 0


@given(texts=corpora())
@examples_up_to(25)
def test_evidence_is_found_among_the_characters_too(clf, texts):
    tokenize = clf._tokenizer()
    for text, explanations in zip(texts, clf.explain(texts, labels=clf.classes_), strict=True):
        tokens, spans = tokenize(text), find_spans(text, tokenize(text), tokenize)
        for one in chain.from_iterable(explanation.evidence for explanation in explanations):
            if one.start == one.stop:
                assert (one.char_start, one.char_stop, one.ngram) == (0, 0, "")
                assert len(tokens) == 0
            else:
                assert one.char_start == spans[one.start][0]
                assert one.char_stop == spans[one.stop - 1][1]


def test_words_are_shown_as_they_stand():
    clf = tiny(kernel_sizes=(1,), filters=64, strip_accents="unicode")
    clf.fit(["naive cafe", "naive bar"], [["x"], ["y"]])
    text = "İ  said:  Naïve\nCafe\u0301!"
    (explanation,) = clf.explain([text], labels="x")[0]
    stands = {text[one.char_start : one.char_stop]: one.ngram for one in explanation.evidence}
    assert {"Naïve": "naive", "Cafe\u0301": "cafe"}.items() <= stands.items()


@pytest.mark.parametrize(
    "options",
    [
        {"analyzer": lambda text: text.lower().split()},
        {"tokenizer": lambda text: [word[:3] for word in text.split()]},
        {"strip_accents": lambda text: text[1:]},
    ],
)
def test_where_words_stand_may_not_be_known(options):
    clf = tiny(**options).fit(TEXTS, TAGS)
    (explanation,) = clf.explain(["The match"], labels="sport")[0]
    assert {(one.char_start, one.char_stop) for one in explanation.evidence} == {(None, None)}
    assert len(explanation.to_frame()) == len(explanation.evidence) > 0
    assert "<mark" not in explanation._repr_html_().removesuffix(LEGEND)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"min_labels": 1},
        {"max_labels": 1},
        {"min_labels": 2, "max_labels": 2},
        {"loss": "kl_divergence"},
    ],
    ids=str,
)
def test_decisions_are_those_of_predict(options):
    clf = tiny(**options, threshold=[0.4, 0.3, 0.45]).fit(TEXTS, TAGS)
    texts = [*TEXTS, ""]
    explained = clf.explain(iter(texts), labels=["sport", "food", "news"])
    columns = [2, 0, 1]
    assert [[each.decision for each in row] for row in explained] == (
        clf.predict(texts)[:, columns].astype(bool).tolist()
    )
    probabilities = np.array([[each.probability for each in row] for row in explained])
    assert probabilities == pytest.approx(clf.predict_proba(texts)[:, columns], abs=1e-6)
    assert [each.threshold for each in explained[0]] == clf.thresholds_[columns].tolist()
    assert all(each.decision for row in clf.explain(texts) for each in row)
    assert [row.text for row in explained] == texts == [row[0].text for row in explained]


def test_with_one_label_per_text_there_is_no_threshold():
    clf = tiny(epochs=3).fit(TEXTS, TOPICS)
    explained = clf.explain(TEXTS, labels=clf.classes_)
    chosen = [[each.label for each in row if each.decision] for row in explained]
    assert chosen == [[topic] for topic in clf.predict(TEXTS)]
    assert {each.threshold for row in explained for each in row} == {None}


def test_without_labels_the_predicted_ones_are_explained(clf):
    texts = [*TEXTS[:6], ""]
    names = [tuple(e.label for e in explanations) for explanations in clf.explain(texts)]
    assert names == clf.predict_labels(texts)


@pytest.mark.parametrize("labels", ["sport", ["sport"], np.array(["sport"]), {"sport"}], ids=repr)
def test_labels_by_name(labels):
    clf = tiny().fit(TEXTS, TAGS)
    assert [[e.label for e in row] for row in clf.explain(iter(TEXTS[:2]), labels=labels)] == [
        ["sport"]
    ] * 2
    assert clf.explain(TEXTS[:2], labels=[]) == [[], []]


def test_one_label_per_text_is_explained_too():
    is_sport = ["sport" in tags for tags in TAGS]
    clf = tiny(epochs=3).fit(TEXTS, is_sport)
    (both,) = clf.explain(["the match"], labels=[True, False])
    margin = clf.decision_function(["the match"])[0]
    assert both[0].logit - both[1].logit == pytest.approx(margin, abs=1e-5)
    (chosen,) = clf.explain(["the match"])[0]
    assert [chosen.label] == clf.predict(["the match"]).tolist()


def test_words_that_decide_come_first():
    texts = ["a match tonight", "the budget tonight", "a late match", "the late budget"] * 8
    tags = [["sport"], ["politics"], ["sport"], ["politics"]] * 8
    clf = tiny(epochs=30, kernel_sizes=(1,)).fit(texts, tags)
    ((explanation,),) = clf.explain(["tonight the match"], labels="sport")
    assert explanation.evidence[0].ngram == "match"
    assert explanation.evidence[0].contribution > 0
    assert clf.top_ngrams(texts, "sport", n=1)[0].ngram == "match"
    assert clf.top_ngrams(texts, "politics", n=1)[0].ngram == "budget"


def test_top_ngrams_are_as_many_as_asked_for():
    clf = tiny().fit(TEXTS, TAGS)
    every = clf.top_ngrams(iter(TEXTS), "sport", n=10**6, min_texts=1)
    assert clf.top_ngrams(TEXTS, "sport", n=3, min_texts=1) == every[:3]
    values = [mean.contribution for mean in every]
    assert values == sorted(values, reverse=True)
    assert {mean.n_texts for mean in clf.top_ngrams(TEXTS, "sport", n=10**6)} <= {
        *range(2, len(TEXTS) + 1)
    }


def test_texts_without_tokens_have_no_ngram():
    clf = tiny(epochs=3).fit(TEXTS, TAGS)
    ((explanation,),) = clf.explain([""], labels="sport")
    assert {evidence.ngram for evidence in explanation.evidence} <= {""}
    assert clf.top_ngrams(["", ""], "sport") == []


class Word(str):
    """A token of a type of its own."""


@pytest.mark.parametrize(
    "analyzer", [lambda text: deque(text.split()), lambda text: [*map(Word, text.split())]]
)
def test_tokens_of_any_kind(analyzer):
    clf = tiny(analyzer=analyzer).fit(TEXTS, TAGS)
    plain = tiny(analyzer=str.split).fit(TEXTS, TAGS)
    assert clf.explain(TEXTS, labels=["sport"]) == plain.explain(TEXTS, labels=["sport"])


def test_texts_are_read_and_forgotten_chunk_by_chunk(monkeypatch):
    clf = tiny(epochs=3).fit(TEXTS, TAGS)
    texts = [*TEXTS, *TEXTS[:5], ""]
    explained, top = clf.explain(texts), clf.top_ngrams(texts, "sport")
    monkeypatch.setattr(explainer, "TEXTS_PER_CHUNK", 4)
    in_work, most = 0, []

    def read():
        for text in texts:
            nonlocal in_work
            in_work += 1
            yield text

    encode = explainer.encode

    def watch(chunk, *args, **options):
        most.append((len(chunk), in_work))
        return encode(chunk, *args, **options)

    assert clf.explain(iter(texts)) == explained
    monkeypatch.setattr(explainer, "encode", watch)
    assert clf.top_ngrams(read(), "sport") == top
    assert max(n for n, _ in most) == 4
    assert most[0][1] < len(texts)


@pytest.mark.parametrize("call", ["explain", "top_ngrams"])
def test_bad_input(call):
    explain = {
        "explain": lambda clf, X, label: clf.explain(X, labels=[label]),
        "top_ngrams": lambda clf, X, label: clf.top_ngrams(X, label),
    }[call]
    clf = tiny().fit(TEXTS, TAGS)
    with pytest.raises(
        ValueError, match=r"labels holds 'Sport'; expected one of classes_, \['food', 'news'"
    ):
        explain(clf, TEXTS, "Sport")
    with pytest.raises(TypeError, match="single str"):
        explain(clf, "one text", "sport")
    with pytest.raises(NotFittedError):
        explain(TextCNNClassifier(), TEXTS, "sport")


@pytest.mark.parametrize(
    "labels", [[("news", "sport"), ("food",)], np.eye(3), [{"sport"}], [["sport"]]], ids=str
)
def test_labels_that_are_no_flat_list(labels):
    clf = tiny().fit(TEXTS, TAGS)
    with pytest.raises(
        TypeError, match=r"labels holds .*; expected single labels, the same ones for every"
    ):
        clf.explain(TEXTS, labels=labels)


def test_labels_are_checked_before_texts_are_read():
    clf, texts = tiny().fit(TEXTS, TAGS), iter(TEXTS)
    with pytest.raises(ValueError, match="labels holds 'Sport'"):
        clf.explain(texts, labels="Sport")
    assert [*texts] == TEXTS


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 2.5}, {"min_texts": 0}, {"min_texts": "2"}], ids=str)
def test_numbers_of_ngrams(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=rf"{name}={value!r}; expected an int of at least 1"):
        tiny().fit(TEXTS, TAGS).top_ngrams(TEXTS, "sport", **wrong)


def test_a_loaded_model_explains_alike(tmp_path):
    clf = tiny(**LINEAR).fit(TEXTS, TAGS)
    clf.save(tmp_path / "model")
    assert load(tmp_path / "model").explain(TEXTS[:3]) == clf.explain(TEXTS[:3])
