"""The linear part beside the network: what it adds, and how the two are blended."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import f1_score, get_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV

from sktextcnn.engine.inference import compute_logits
from sktextcnn.linear.features import ngram_features
from sktextcnn.text.tokens import encode
from tests.examples import corpus, same_weights, usual

TEXTS, Y = corpus(120)
NEW_TEXTS, NEW_Y = corpus(100, seed=1)
TOPICS = [["a", "b", "c"][int(row.argmax())] if row.any() else "none" for row in np.asarray(Y)]


def both(**parameters):
    """Return a classifier with a linear part."""
    return usual(**{"linear": True, "validation": 0.1, "early_stopping": False, **parameters})


def quick(**parameters):
    """Return a classifier for more texts, as it is by default but for its size."""
    small = {"linear": True, "validation": "auto", "epochs": 1, "batch_size": 256}
    return usual(**{**small, **parameters})


def assert_same_model(first, second):
    assert same_weights(first, second)
    np.testing.assert_array_equal(first.thresholds_, second.thresholds_)
    assert first.n_epochs_ == second.n_epochs_


@pytest.fixture(scope="module")
def blended():
    return both().fit(TEXTS, Y)


@pytest.fixture(scope="module")
def pure():
    return both(early_stopping=True, linear=False).fit(TEXTS, Y)


# -- with and without it ----------------------------------------------------------------------------


def test_a_model_with_a_linear_part(blended):
    ngrams = blended.linear_part_.ngrams
    m = len(ngrams.keys) + len(ngrams.characters.ngrams)
    assert m > 15
    assert len(ngrams.idf) == m
    assert blended.linear_part_.kernel.shape == (m, 3)
    assert ngrams.ngram_range == (1, 2)
    assert blended.linear_part_.blend.shape == (3, 3)
    assert (blended.linear_part_.blend[:2] >= 0).all()


def test_the_linear_part_helps_where_the_network_has_hardly_learned(blended, pure):
    with_it, without = (
        f1_score(NEW_Y, clf.predict(NEW_TEXTS), average="micro", zero_division=0)
        for clf in (blended, pure)
    )
    assert with_it > 0.9
    assert with_it > without + 0.1


def test_the_pure_network(blended, pure):
    """None leaves it alone, and the linear part changes nothing in it."""
    assert pure.linear_part_ is None
    assert same_weights(both(early_stopping=True).fit(TEXTS, Y).weights_, pure.weights_)
    ids = encode(NEW_TEXTS, pure._tokenizer(), pure.vocabulary_)
    np.testing.assert_array_equal(pure.decision_function(NEW_TEXTS), compute_logits(pure.weights_, ids))


def test_scores_are_the_blend_of_both_parts(blended):
    ids = encode(NEW_TEXTS, blended._tokenizer(), blended.vocabulary_)
    part = blended.linear_part_
    margins = ngram_features(ids, part.ngrams).toarray() @ part.kernel + part.bias
    of_network, of_margins, constant = part.blend
    logits = of_network * compute_logits(blended.weights_, ids) + of_margins * margins + constant
    np.testing.assert_allclose(blended.decision_function(NEW_TEXTS), logits, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(blended.predict_proba(NEW_TEXTS), 1 / (1 + np.exp(-logits)), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, True),
        ({"early_stopping": False}, True),
        ({"threshold": 0.3}, True),
        ({"threshold": "cardinality"}, True),
        ({"validation": 0.2}, True),
        ({"validation": None}, False),  # there is nothing to weigh the parts by
        ({"linear": False}, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("n", [30, 900, 1100])
def test_the_same_kind_of_model_at_every_number_of_texts(n, options, expected):
    clf = quick(**options).fit(*corpus(n))
    assert (clf.linear_part_ is not None) == expected == clf.resolved_.linear
    tuned = options.get("validation", 3) is not None and options.get("threshold") != 0.3
    assert (clf.resolved_.threshold != "fixed") == tuned


def test_a_larger_cost_follows_the_texts_more_closely():
    close, loose = (both(linear_C=C, epochs=1).fit(TEXTS, Y).linear_part_.kernel for C in (10, 0.1))
    assert np.abs(close).sum() > 2 * np.abs(loose).sum()


# -- n-grams ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [[1, 2], (1, 2), np.array([1, 2])], ids=["list", "tuple", "array"])
def test_forms_of_a_range(form, blended):
    assert_same_model(both(linear_ngram_range=form).fit(TEXTS, Y), blended)


@pytest.mark.parametrize("ngram_range", [(1, 1), (2, 3), (3, 3)], ids=str)
def test_other_ranges(ngram_range):
    clf = both(linear_ngram_range=ngram_range, epochs=1).fit(TEXTS, Y)
    assert clf.linear_part_.ngrams.ngram_range == ngram_range
    base = len(clf.vocabulary_) + 2
    keys = clf.linear_part_.ngrams.keys
    assert (keys >= 2 * base ** (ngram_range[0] - 1)).all()
    assert (keys < base ** ngram_range[1]).all()
    assert np.isfinite(clf.predict_proba([*NEW_TEXTS, ""])).all()


@pytest.mark.parametrize(
    "ngram_range",
    [(), (1,), (1, 2, 3), (2, 1), (0, 1), (1, 4), (1.0, 2), (True, 2), (1, None), [[1, 2], [1, 2]]],
    ids=str,
)
def test_bad_ranges(ngram_range):
    with pytest.raises(
        ValueError,
        match=r"^linear_ngram_range=.*; expected the fewest and the most tokens of an n-gram, 1 to 3, "
        r"such as \(1, 2\)\. linear=False leaves the linear part out\.$",
    ):
        both(linear_ngram_range=ngram_range).fit(TEXTS, Y)


@pytest.mark.parametrize("ngram_range", ["(1, 2)", "12", 2, True], ids=repr)
def test_what_is_no_range_at_all(ngram_range):
    with pytest.raises(
        ValueError, match="The 'linear_ngram_range' parameter of TextCNNClassifier must be"
    ):
        both(linear_ngram_range=ngram_range).fit(TEXTS, Y)


def test_a_range_can_be_searched():
    grid = [{"linear": [False]}, {"linear_ngram_range": [(1, 2)], "linear_C": [1.0]}]
    search = GridSearchCV(both(), grid, cv=2, scoring="f1_micro").fit(TEXTS, Y)
    assert search.best_params_ == {"linear_ngram_range": (1, 2), "linear_C": 1.0}
    assert search.best_estimator_.linear_part_ is not None


# -- prediction -------------------------------------------------------------------------------------


def test_copies_predict_the_same(blended, tmp_path):
    joblib.dump(blended, tmp_path / "model.joblib")
    copies = [
        pickle.loads(pickle.dumps(blended)),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
        copy.deepcopy(blended),
        clone(blended).fit(TEXTS, Y),
    ]
    expected = blended.predict_proba(NEW_TEXTS)
    for other in copies:
        np.testing.assert_array_equal(other.predict_proba(NEW_TEXTS), expected)
        np.testing.assert_array_equal(other.predict(NEW_TEXTS), blended.predict(NEW_TEXTS))


def test_a_text_is_scored_alike_alone_and_among_others(blended):
    texts = [*NEW_TEXTS[:30], "", "never seen", " ".join(NEW_TEXTS)]
    together = blended.decision_function(texts)
    assert np.isfinite(together).all()
    alone = np.concatenate([blended.decision_function([text]) for text in texts])
    np.testing.assert_array_equal(alone, together)
    order = np.random.default_rng(0).permutation(len(texts))
    shuffled = blended.decision_function([texts[row] for row in order])
    np.testing.assert_array_equal(shuffled, together[order])


def test_predicting_in_several_threads(blended):
    expected = blended.predict_proba(NEW_TEXTS)
    with ThreadPoolExecutor(8) as pool:
        results = [*pool.map(blended.predict_proba, [NEW_TEXTS] * 16)]
    for result in results:
        np.testing.assert_array_equal(result, expected)


def test_callbacks_see_the_whole_model_at_the_end():
    callback = pytest.importorskip("sklearn.callback")
    monitor = callback.ScoringMonitor(scoring="f1_micro")
    clf = both().set_callbacks(monitor).fit(TEXTS, Y)
    scores = [row["f1_micro"] for row in monitor.get_logs().data if row["task_name"] == "fit"]
    assert scores == pytest.approx([get_scorer("f1_micro")(clf, TEXTS, Y)])


# -- objectives, weights and bounds -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "loss"), [(TOPICS, "auto"), (Y, "kl_divergence")], ids=["one label", "shared"]
)
def test_probabilities_that_share_one_distribution(y, loss):
    clf = both(loss=loss).fit(TEXTS, y)
    assert (clf.linear_part_.blend[2] == 0).all()  # fixed there
    assert (clf.linear_part_.blend[1] > 0).all()
    p = clf.predict_proba([*NEW_TEXTS, ""])
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    assert (p >= 0).all()
    z = clf.decision_function(NEW_TEXTS)
    shares = np.exp(z - z.max(axis=1, keepdims=True))
    np.testing.assert_allclose(p[:-1], shares / shares.sum(axis=1, keepdims=True), atol=1e-5)


def test_one_label_per_text_follows_the_blend():
    clf = both().fit(TEXTS, TOPICS)
    pure = both(early_stopping=True, linear=False).fit(TEXTS, TOPICS)
    chosen = clf.classes_[clf.predict_proba(TEXTS).argmax(axis=1)]
    np.testing.assert_array_equal(clf.predict(TEXTS), chosen)
    assert clf.score(TEXTS, TOPICS) > pure.score(TEXTS, TOPICS)


def test_two_classes():
    is_a = ["yes" if row[0] else "no" for row in Y]
    clf = both().fit(TEXTS, is_a)
    z, p = clf.decision_function(TEXTS), clf.predict_proba(TEXTS)
    assert z.shape == (120,)
    np.testing.assert_allclose(1 / (1 + np.exp(-z)), p[:, 1], atol=1e-5)
    assert clf.score(TEXTS, is_a) > 0.9


@pytest.mark.parametrize("loss", ["focal", "asymmetric"])
def test_other_losses_of_independent_labels(loss):
    clf = both(loss=loss).fit(TEXTS, Y)
    assert f1_score(NEW_Y, clf.predict(NEW_TEXTS), average="micro") > 0.9


def auc(truth, scores):
    return roc_auc_score(np.asarray(truth).ravel(), np.asarray(scores).ravel())


def test_sample_weight_reaches_the_linear_part():
    """Every text comes twice, with opposite labels; the linear part learns the heavier one."""
    texts, y = [*TEXTS, *TEXTS], np.concatenate([np.asarray(Y), 1 - np.asarray(Y)])
    weight = np.repeat([5.0, 0.2], 120)
    clf = both(epochs=1).fit(texts, y, sample_weight=weight)
    ids = encode(NEW_TEXTS, clf._tokenizer(), clf.vocabulary_)
    assert auc(NEW_Y, clf.linear_part_.margins(ids)) > 0.9
    turned = both(epochs=1).fit(texts, y, sample_weight=weight[::-1])
    assert auc(NEW_Y, turned.linear_part_.margins(ids)) < 0.1


def test_class_weight_reaches_the_linear_part(blended):
    clf = both(class_weight={"a": 20.0}).fit(TEXTS, Y)
    first, second = clf.linear_part_, blended.linear_part_
    kernels = (part.kernel.toarray() for part in (first, second))
    for one, other in [(*kernels,), (first.bias, second.bias)]:
        assert not np.array_equal(one[..., 0], other[..., 0])
        np.testing.assert_array_equal(one[..., 1:], other[..., 1:])
    assert first.bias[0] > second.bias[0]


@pytest.mark.parametrize("threshold", [0.5, "tune", "cardinality"])
def test_exactly_two_labels_for_every_text(threshold):
    bounds = {"min_labels": 2, "max_labels": 2}
    clf = both(threshold=threshold, **bounds).fit(TEXTS, Y)
    texts = [*NEW_TEXTS, "", "never seen"]
    predicted = clf.predict(texts)
    assert (predicted.sum(axis=1) == 2).all()
    # Those furthest above their thresholds; with one for all labels, the two most probable ones.
    p = clf.predict_proba(texts) - clf.thresholds_
    assert (np.where(predicted, p, 1).min(axis=1) >= np.where(predicted, -1, p).max(axis=1)).all()


def test_a_label_of_a_single_text():
    """It cannot be in every part, and not in every part's complement."""
    y = np.hstack([np.asarray(Y), np.eye(120, 1, dtype=int)])
    for options in ({}, {"validation": 3, "metric": "f1_macro"}):
        clf = both(early_stopping=True, **options, epochs=3).fit(TEXTS, y)
        p = clf.predict_proba(NEW_TEXTS)
        assert p.shape == (100, 4)
        assert np.isfinite(p).all()
        assert ((clf.thresholds_ > 0) & (clf.thresholds_ < 1)).all()
