"""Contributions get the names of their n-grams."""

from __future__ import annotations

import numpy as np

from sktextcnn.explain.evidence import Evidence, NgramMean, name_evidence, rank_ngrams


def test_the_strongest_evidence_comes_first():
    positions = np.array([[0, 1], [0, 2], [1, 2]])
    contributions = np.array([[1.0, 0.0], [-3.0, 0.5], [1.0, 2.0]])
    first, second = name_evidence(positions, contributions, ["a", "goal"], " ", [(0, 1), (3, 7)])
    assert first == [
        Evidence("a goal", 0, 2, -3.0, 0, 7),
        Evidence("a", 0, 1, 1.0, 0, 1),
        Evidence("goal", 1, 2, 1.0, 3, 7),
    ]
    assert second == [Evidence("goal", 1, 2, 2.0, 3, 7), Evidence("a goal", 0, 2, 0.5, 0, 7)]


def test_a_text_without_tokens_has_an_empty_ngram():
    ((evidence,),) = name_evidence(np.array([[0, 0]]), np.array([[2.0]]), [], "", [])
    assert evidence == Evidence("", 0, 0, 2.0, 0, 0)


def test_means_over_texts():
    def told(*evidence):
        return [Evidence(ngram, 0, 1, value) for ngram, value in evidence]

    of_texts = [
        told(("a", 1.0), ("b", 4.0), ("a", 2.0)),
        told(("a", 3.0), ("c", -1.0)),
        told(("c", 0.5)),
    ]
    assert rank_ngrams(of_texts, 1) == [
        NgramMean("b", 4.0, 1),
        NgramMean("a", 3.0, 2),
        NgramMean("c", -0.25, 2),
    ]
    assert [mean.ngram for mean in rank_ngrams(of_texts, 2)] == ["a", "c"]
