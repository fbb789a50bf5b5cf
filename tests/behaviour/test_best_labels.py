"""Many labels: the most probable ones, and fits without dense arrays of texts and labels."""

from __future__ import annotations

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.metrics import f1_score

from sktextcnn import load
from sktextcnn.decision import held_out
from sktextcnn.linear import training
from sktextcnn.metrics import precision_at_k
from tests.examples import TAGS, TEXTS, TOPICS, corpus, same_weights, tiny, usual

NEW_TEXTS = ["a late goal", "no word of it is known, xyzzy", "", *TEXTS]

# -- the most probable labels ------------------------------------------------------------------------


@pytest.mark.parametrize(("y", "loss"), [(TAGS, "auto"), (TAGS, "kl_divergence"), (TOPICS, "auto")])
def test_the_most_probable_labels(y, loss):
    clf = tiny(loss=loss).fit(TEXTS, y)
    probabilities = clf.predict_proba(NEW_TEXTS)
    for k in (1, 2, len(clf.classes_)):
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
        labels, best = clf.predict_topk(NEW_TEXTS, k)
        np.testing.assert_array_equal(labels, clf.classes_[order])
        np.testing.assert_array_equal(best, np.take_along_axis(probabilities, order, axis=1))
        assert (labels.dtype, best.dtype) == (clf.classes_.dtype, np.float32)


@pytest.fixture(scope="module")
def clf():
    return tiny().fit(TEXTS, sparse.csr_matrix(np.eye(8, dtype=int)[np.arange(len(TEXTS)) % 8]))


def test_their_probabilities_as_a_sparse_matrix(clf):
    matrix = clf.predict_topk(NEW_TEXTS, k=3, sparse_output=True)
    labels, probabilities = clf.predict_topk(NEW_TEXTS, k=3)
    assert (matrix.shape, matrix.dtype, matrix.nnz) == ((len(NEW_TEXTS), 8), np.float32, labels.size)
    assert matrix.has_sorted_indices
    np.testing.assert_array_equal(np.take_along_axis(matrix.toarray(), labels, axis=1), probabilities)
    y = np.eye(8, dtype=int)[np.arange(len(NEW_TEXTS)) % 8]
    expected = precision_at_k(y, clf.predict_proba(NEW_TEXTS), 3)
    assert precision_at_k(sparse.csr_matrix(y), matrix, 3) == expected


def test_five_by_default_from_an_iterator_and_one_by_one(clf):
    labels, probabilities = clf.predict_topk(iter(NEW_TEXTS))
    assert labels.shape == (len(NEW_TEXTS), 5)
    for row, text in enumerate(NEW_TEXTS):
        alone = clf.predict_topk([text])
        np.testing.assert_array_equal(alone[0][0], labels[row])
        np.testing.assert_array_equal(alone[1][0], probabilities[row])


@pytest.mark.parametrize("k", [0, 9, -1, 2.0, "2", True, None])
def test_numbers_of_labels_that_there_are_not(clf, k):
    with pytest.raises(ValueError, match=rf"k={k!r}; expected a whole number from 1 to 8, as many as"):
        clf.predict_topk(NEW_TEXTS, k)


def test_an_unfitted_classifier_knows_no_labels():
    with pytest.raises(NotFittedError):
        tiny().predict_topk(NEW_TEXTS)


# -- fits ---------------------------------------------------------------------------------------------

TEXTS_OF_3, Y = corpus(150)


@pytest.mark.parametrize("y", [Y, [str(row.argmax()) for row in np.asarray(Y)]], ids=["several", "one"])
def test_a_fit_with_more_labels_than_scores_are_kept_of_a_text(y):
    """What is kept decides on thresholds alone, and hardly matters there."""
    options = {"linear": True, "early_stopping": False, "validation": 3, "epochs": 5}
    every = usual(**options).fit(TEXTS_OF_3, y)
    with patch.object(held_out, "MOST_SCORES", 2), patch.object(held_out, "LOGITS_TOGETHER", 30):
        best = usual(**options).fit(TEXTS_OF_3, y)
    assert same_weights(best, every)
    np.testing.assert_allclose(best.thresholds_, every.thresholds_, atol=0.05)
    assert best.validation_score_ == pytest.approx(every.validation_score_, abs=0.03)
    np.testing.assert_allclose(best.validation_label_scores_, every.validation_label_scores_, atol=0.05)


def test_early_stopping_and_thresholds_of_ones_own_need_the_best_scores_alone():
    with patch.object(held_out, "MOST_SCORES", 2):
        clf = usual(validation=0.3, n_iter_no_change=2).fit(TEXTS_OF_3, Y)
        assert max(clf.history_["validation_score"]) > 0.5
        some = clf.tune_thresholds(TEXTS_OF_3, Y).predict(TEXTS_OF_3)
    every = clf.tune_thresholds(TEXTS_OF_3, Y).predict(TEXTS_OF_3)
    some, every = (f1_score(Y, each, average="micro") for each in (some, every))
    assert every - 0.05 < some <= every


def test_the_blend_of_a_sample_of_the_held_out_texts():
    options = {"linear": True, "early_stopping": False, "validation": 3, "epochs": 5}
    every = usual(**options).fit(TEXTS_OF_3, Y)
    with patch.object(training, "MOST_BLENDED", 300):
        some, again = (usual(**options).fit(TEXTS_OF_3, Y) for _ in range(2))
    assert same_weights(some, again)
    assert not np.array_equal(some.linear_part_.blend, every.linear_part_.blend)
    np.testing.assert_allclose(some.linear_part_.blend, every.linear_part_.blend, rtol=0.3, atol=0.3)
    assert some.validation_score_ == pytest.approx(every.validation_score_, abs=0.05)


@pytest.mark.slow
def test_a_fit_of_many_labels_takes_no_dense_array(tmp_path):
    """Not of texts and labels, which would be 100 MB of float32, nor of n-grams and labels."""
    n, k = 5000, 5000
    rng = np.random.default_rng(0)
    labels = np.minimum(rng.zipf(1.3, (n, 2)) - 1, k - 1)
    words = np.hstack([rng.integers(0, 3000, (n, 3)), labels % 3000])
    texts = [" ".join(f"w{word}" for word in row) for row in words.tolist()]
    carried = sparse.coo_matrix((np.ones(2 * n), (np.arange(n).repeat(2), labels.ravel())), (n, k))
    y = (carried.tocsr() > 0).astype(np.int8)
    clf = tiny(
        linear=True,
        linear_char_ngram_range=None,
        validation=0.2,
        epochs=2,
        early_stopping=True,
        batch_size=64,
        threshold="tune",
        n_jobs=1,
    )
    tracemalloc.start()
    with patch.object(training, "MOST_BLENDED", 1_000_000):
        clf.fit(texts, y)
    in_fit = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.reset_peak()
    predicted, best = clf.predict(texts), clf.predict_topk(texts, 3, sparse_output=True)
    in_prediction = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    assert in_fit < 110  # 20 MB were there before any of it
    assert in_prediction < 70
    assert precision_at_k(y, best, 1) > 0.3
    clf.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert (again.predict_topk(texts[:200], 3, sparse_output=True) != best[:200]).nnz == 0
    assert (again.predict(texts[:200]) != predicted[:200]).nnz == 0
