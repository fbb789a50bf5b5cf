"""Logits taken apart, by hand."""

from __future__ import annotations

import numpy as np

from sktextcnn.explain.logits import explain_logits
from sktextcnn.text.tokens import TokenIds
from tests.examples import TAGS, TEXTS, tiny


def test_by_hand():
    """One filter over one token, one number per vector: token 2 stands for 3, token 3 for 5."""
    weights = {
        "embedding": np.array([[0], [0], [3], [5]], np.float32),
        "convolution_1_kernel": np.array([[[2.0]]], np.float32),
        "convolution_1_bias": np.array([-1.0], np.float32),
        "output_kernel": np.array([[0.5, -1.0]], np.float32),
        "output_bias": np.array([0.25, 0.75], np.float32),
    }
    ids = TokenIds(np.array([2, 3, 2], np.int32), np.array([0, 3]))
    ((base, spans, contributions),) = explain_logits(weights, None, ids, [np.array([1, 0])])
    assert base.tolist() == [0.75, 0.25]
    assert spans.tolist() == [[1, 2]]
    assert contributions.tolist() == [[-9.0, 4.5]]  # the filter's response is 2 * 5 - 1


def test_an_ngram_that_comes_twice_shares_its_weight():
    clf = tiny(linear=True, validation=0.3, epochs=4, learning_rate=0.05).fit(TEXTS, TAGS)
    word = next(iter(clf.vocabulary_))
    weights = {**clf.weights_, "output_kernel": 0 * clf.weights_["output_kernel"]}
    token = clf.vocabulary_[word] + 2
    ids = TokenIds(np.array([token, 1, token], np.int32), np.array([0, 3]))
    ((_, spans, contributions),) = explain_logits(weights, clf.linear_part_, ids, [np.array([0])])
    both = [contributions[spans.tolist().index(span), 0] for span in [[0, 1], [2, 3]]]
    assert both[0] == both[1] != 0
