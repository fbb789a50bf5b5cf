"""The ONNX model, run by onnxruntime, against the classifier that it was made of."""

from __future__ import annotations

import json
import sys
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from sktextcnn.decision.rule import DecisionRule
from sktextcnn.engine.inference import compute_logits, to_probabilities
from sktextcnn.engine.weights import initial_weights
from sktextcnn.export.onnx_model import build_onnx
from sktextcnn.linear.features import learn_ngrams
from sktextcnn.linear.part import LinearPart
from sktextcnn.text.tokens import TokenIds, encode
from tests.examples import IS_SPORT, TAGS, TEXTS, TOPICS, tiny
from tests.strategies import examples_up_to, texts, token_rows

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

few = examples_up_to(25)


def open_session(model):
    """A session of a model that ONNX finds nothing wrong with."""
    onnx.checker.check_model(model, full_check=True)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run(session, ids):
    """Outputs by name, of ids that are no longer than they have to be."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"ids": ids}), strict=True))


def as_ids(rows):
    """Lists of ids as `TokenIds`."""
    flat = [token for row in rows for token in row]
    return TokenIds(np.array(flat, np.int32), np.cumsum([0, *map(len, rows)]))


def rule_of(n_labels, *, exclusive=False, **bounds):
    return DecisionRule(True, exclusive, np.full(n_labels, 0.5), **bounds)


# -- the graph, whatever the weights ------------------------------------------------------------------


@st.composite
def networks(draw):
    """Weights of networks for ten token ids, with nothing at zero but the padding's vector."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_labels = draw(st.integers(1, 4))
    weights = initial_weights(
        rng,
        n_tokens=8,
        n_labels=n_labels,
        embedding_dim=draw(st.integers(1, 6)),
        kernel_sizes=draw(st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True)),
        filters=draw(st.integers(1, 4)),
        hidden_units=draw(st.none() | st.integers(1, 5)),
        output_bias=rng.normal(size=n_labels),
    )
    for name, weight in weights.items():
        weights[name] = (weight + rng.normal(0, 0.5, weight.shape)).astype(np.float32)
    weights["embedding"][0] = 0
    return weights


filled = token_rows().filter(len)


@few
@given(networks(), filled, st.none() | st.integers(1, 6), st.booleans(), st.integers(0, 7))
def test_scores_are_those_of_inference_for_any_network(weights, rows, max_length, exclusive, extra):
    """Also of texts shorter than every kernel, and whatever the padding behind them."""
    rule = rule_of(len(weights["output_bias"]), exclusive=exclusive)
    session = open_session(build_onnx(weights, None, rule, max_length=max_length, metadata={}))
    ids = as_ids(rows)
    found = run(session, ids.padded(extra))
    expected = compute_logits(weights, ids.truncated(max_length))
    np.testing.assert_allclose(found["logits"], expected, atol=1e-5)
    expected = to_probabilities(expected, exclusive=exclusive)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32), np.dtype(bool)}


NGRAM_RANGES = st.sampled_from([(1, 1), (1, 2), (2, 2), (2, 3), (1, 4)])
CHAR_NGRAM_RANGES = st.none() | st.sampled_from([(1, 1), (2, 4), (4, 4)])


@few
@given(networks(), filled, filled, NGRAM_RANGES, CHAR_NGRAM_RANGES, st.data())
def test_scores_are_those_of_any_linear_part(weights, seen, rows, ngram_range, char_range, data):
    """Also of texts without any n-gram, and of linear parts without one of the two kinds."""
    n_labels, rng = len(weights["output_bias"]), np.random.default_rng(len(seen))
    vocabulary = ["tea", "teatea", "milk", "a", "\u00e9t\u00e9", "silk", "!", "lks"]
    ngrams, features = learn_ngrams(as_ids(seen), ngram_range, char_range, vocabulary=vocabulary)
    shapes = (features.shape[1], n_labels), n_labels, (3, n_labels)
    kernel, bias, blend = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    kernel[rng.random(kernel.shape) < data.draw(st.sampled_from([0, 0.5, 1]))] = 0
    linear = LinearPart(ngrams, csr_matrix(kernel), bias, blend)
    max_length = data.draw(st.none() | st.integers(1, 6))
    model = build_onnx(weights, linear, rule_of(n_labels), max_length=max_length, metadata={})
    ids = as_ids(rows)
    found = run(open_session(model), ids.padded(0))
    ids = ids.truncated(max_length)
    expected = linear.add_to(compute_logits(weights, ids), ids)
    np.testing.assert_allclose(found["logits"], expected, atol=1e-5, rtol=1e-5)


@few
@given(networks(), filled, st.data())
def test_decisions_are_those_of_the_rule(weights, rows, data):
    n_labels = len(weights["output_bias"])
    rule = DecisionRule(
        multilabel=data.draw(st.booleans()),
        exclusive=data.draw(st.booleans()),
        thresholds=np.array([data.draw(st.sampled_from([0.2, 0.5, 0.7])) for _ in range(n_labels)]),
        min_labels=data.draw(st.integers(0, n_labels)),
        max_labels=data.draw(st.none() | st.integers(1, n_labels)),
    )
    session = open_session(build_onnx(weights, None, rule, max_length=None, metadata={}))
    found = run(session, as_ids(rows).padded(0))
    # As near to a threshold as single precision is, either decision is right.
    sure = np.abs(found["probabilities"] - rule.thresholds).min(axis=1) > 1e-6
    np.testing.assert_array_equal(found["decisions"][sure], rule.decide(found["logits"])[sure])


def test_equal_scores_are_ranked_as_the_rule_ranks_them():
    weights = initial_weights(
        np.random.default_rng(0),
        n_tokens=8,
        n_labels=5,
        embedding_dim=2,
        kernel_sizes=(2,),
        filters=2,
        hidden_units=None,
        output_bias=np.array([1.0, 0, 1, 0, 1]),
    )
    weights["output_kernel"][:] = 0
    for bounds in ({"max_labels": 2}, {"min_labels": 4}, {"min_labels": 1, "max_labels": 1}):
        rule = DecisionRule(True, False, np.full(5, 0.7), **bounds)
        session = open_session(build_onnx(weights, None, rule, max_length=None, metadata={}))
        found = run(session, np.array([[3, 4]], np.int32))
        np.testing.assert_array_equal(found["decisions"], rule.decide(found["logits"]))


# -- of a fitted classifier ---------------------------------------------------------------------------

WITH_LINEAR = {"linear": True, "validation": 2, "threshold": "tune"}
# Token ids do not tell what characters unknown tokens are made of.
WITHOUT_CHARACTERS = {**WITH_LINEAR, "linear_char_ngram_range": None}
WIDE = {"kernel_sizes": (2, 5), "hidden_units": 3, "max_length": 4}

VECTORS = {"match": [1, -1], "soup": [0, 2]}

CONFIGURATIONS = {
    "several labels": ({}, TAGS),
    "several labels, linear": (WITHOUT_CHARACTERS, TAGS),
    "several labels, one distribution": ({**WITHOUT_CHARACTERS, "loss": "kl_divergence"}, TAGS),
    "one label, linear": ({**WITHOUT_CHARACTERS, "linear_ngram_range": (2, 3)}, TOPICS),
    "one label, wide kernels": (WIDE, TOPICS),
    "two classes": (WIDE, IS_SPORT),
    "static vectors": ({"embeddings": VECTORS, "embedding_mode": "static"}, TAGS),
    "two channels": ({"embeddings": VECTORS, "embedding_mode": "multichannel"}, TAGS),
    "characters as tokens": ({**WITHOUT_CHARACTERS, "analyzer": "char", "kernel_sizes": (3, 4)}, TAGS),
}


@cache
def fitted(name):
    parameters, y = CONFIGURATIONS[name]
    clf = tiny(**parameters).fit(TEXTS, y)
    assert (clf.linear_part_ is not None) == parameters.get("linear", False)
    return clf, open_session(clf.to_onnx())


def ids_of(clf, X, extra=0):
    return encode(X, clf._tokenizer(), clf.vocabulary_).padded(extra)


def assert_agrees(clf, session, X, extra=0):
    found = run(session, ids_of(clf, X, extra))
    logits = clf.decision_function(X)
    ours = found["logits"][:, 1] - found["logits"][:, 0] if logits.ndim == 1 else found["logits"]
    np.testing.assert_allclose(ours, logits, atol=1e-5)
    np.testing.assert_allclose(found["probabilities"], clf.predict_proba(X), atol=1e-5)
    return found


mixed = st.lists(st.sampled_from(TEXTS) | texts(), min_size=1, max_size=6)


@pytest.mark.parametrize("name", CONFIGURATIONS)
@examples_up_to(10)
@given(X=mixed, extra=st.integers(0, 5))
def test_scores_are_those_of_the_classifier(name, X, extra):
    clf, session = fitted(name)
    assert_agrees(clf, session, X, extra)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_decisions_are_those_of_the_classifier(name):
    clf, session = fitted(name)
    found = assert_agrees(clf, session, [*TEXTS, ""])
    names = [tuple(clf.classes_[row].tolist()) for row in found["decisions"]]
    assert names == clf.predict_labels([*TEXTS, ""])


def test_the_linear_part_counts_characters_of_known_tokens():
    clf = tiny(**WITH_LINEAR, linear_char_ngram_range=(2, 4)).fit(TEXTS, TAGS)
    assert clf.linear_part_.counts_characters
    session = open_session(clf.to_onnx())
    assert_agrees(clf, session, [*TEXTS, "", "the the the", "soup soup match"])
    unknown = ["the ministers", "beansoup"]
    found = run(session, ids_of(clf, unknown))
    assert np.abs(found["probabilities"] - clf.predict_proba(unknown)).max() > 1e-4


def test_neither_padding_nor_other_texts_change_a_score():
    clf, session = fitted("several labels, linear")
    together = run(session, ids_of(clf, TEXTS, 9))["logits"]
    alone = [run(session, ids_of(clf, [text]))["logits"][0] for text in TEXTS]
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_texts_without_tokens_may_have_no_ids_at_all():
    clf, session = fitted("several labels, linear")
    found = run(session, np.zeros((2, 0), np.int32))
    np.testing.assert_allclose(found["logits"], clf.decision_function(["", ""]), atol=1e-5)


def test_an_id_that_there_is_not_is_an_error():
    clf, session = fitted("several labels")
    with pytest.raises(Exception, match="out of data bounds"):
        run(session, np.array([[len(clf.vocabulary_) + 2]], np.int32))


# -- metadata and errors ------------------------------------------------------------------------------


def metadata_of(session):
    return {key: json.loads(text) for key, text in session.get_modelmeta().custom_metadata_map.items()}


def test_metadata_hold_what_a_server_has_to_know():
    clf, session = fitted("several labels, linear")
    metadata = metadata_of(session)
    assert metadata.keys() == {"classes", "thresholds", "vocabulary", "tokenization"}
    assert metadata["classes"] == ["food", "news", "sport"]
    assert metadata["thresholds"] == clf.thresholds_.tolist()
    assert {token: i for i, token in enumerate(metadata["vocabulary"])} == clf.vocabulary_
    assert metadata["tokenization"] == {
        name: getattr(clf, name) for name in ("analyzer", "lowercase", "strip_accents", "token_pattern")
    }


@pytest.mark.parametrize(
    "functions", [{"tokenizer": str.split}, {"analyzer": str.split}, {"strip_accents": str.upper}]
)
def test_functions_that_make_tokens_are_left_out(functions):
    model = tiny(**functions).fit(TEXTS, TAGS).to_onnx()
    assert json.loads({prop.key: prop.value for prop in model.metadata_props}["tokenization"]) is None


def test_names_and_tokens_may_be_odd():
    odd = "half \ud800 \U0001f600"
    clf = tiny(token_pattern=r"\S+").fit([odd, "the match"], [[odd], ["<b>", "a,b"]])
    metadata = metadata_of(open_session(clf.to_onnx()))
    assert metadata["classes"] == clf.classes_.tolist()
    assert {*metadata["vocabulary"]} == {*clf.vocabulary_}


def test_labels_without_a_form_in_json_are_refused():
    clf = tiny().fit(TEXTS, TAGS)
    clf.classes_ = np.array([b"food", b"news", b"sport"])
    with pytest.raises(TypeError, match="classes has no form in JSON, in which it goes"):
        clf.to_onnx()


def test_a_network_of_ones_own_is_refused():
    clf = tiny().fit(TEXTS, TAGS)
    clf.weights_ = {"network": np.zeros(0)}
    with pytest.raises(ValueError, match=r"a network of your own\. Take to_keras, and convert"):
        clf.to_onnx()


def test_without_the_extra_the_error_names_it(monkeypatch):
    clf = tiny().fit(TEXTS, TAGS)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"not installed: pip install 'sktextcnn\[onnx\]'"):
        clf.to_onnx()


def test_the_classifier_is_left_as_it_was():
    clf = tiny().fit(TEXTS, TAGS)
    clf.weights_["embedding"][0] = 1
    clf.weights_["embedding"].flags.writeable = False
    clf.to_onnx()
    assert (clf.weights_["embedding"][0] == 1).all()
