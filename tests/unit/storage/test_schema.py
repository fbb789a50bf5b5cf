"""What a model must consist of, when it is loaded and when it is saved."""

from __future__ import annotations

import copy
import os
from dataclasses import fields

import numpy as np
import pytest

from sktextcnn import load
from sktextcnn.engine.compiled import OPTIMIZERS
from sktextcnn.fitted import FITTED
from sktextcnn.parameters import Resolved
from sktextcnn.storage.arrays import N_SLOTS
from sktextcnn.storage.schema import SCHEMA, SavedModel, read_model
from tests.examples import IS_SPORT, TAGS, TEXTS, same_weights, tiny
from tests.folders import document_of, edit, put_array


@pytest.fixture(scope="module")
def fitted():
    """A classifier with a linear part and a hidden layer."""
    options = {"linear": True, "validation": 0.3, "hidden_units": 3}
    return tiny(**options).fit(TEXTS * 4, TAGS * 4)


@pytest.fixture
def clf(fitted):
    return copy.deepcopy(fitted)


@pytest.fixture
def model(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    return tmp_path / "model"


def replaced(attribute, value):
    """Return a change of one fitted attribute, or of one weight."""

    def change(clf):
        if attribute in clf.weights_:
            clf.weights_[attribute] = value(clf.weights_[attribute])
        else:
            setattr(clf, attribute, value(getattr(clf, attribute)))

    return change


def with_first(number):
    def change(array):
        array = array.copy()
        array.flat[0] = number
        return array

    return change


WRONG = [
    ("vocabulary_", lambda v: {**v, "more": len(v)}, r"weights_\['embedding'\] is an array of shape"),
    (
        "vocabulary_",
        lambda v: {t: i + 1 for t, i in v.items()},
        "vocabulary_ is .*; expected a dict from",
    ),
    ("vocabulary_", lambda v: [*v], "vocabulary_ is .*; expected a dict from tokens to 0, 1, 2"),
    (
        "classes_",
        lambda c: c[:2],
        r"thresholds_ is an array of shape \(3,\).*the shape \(2,\), which is",
    ),
    ("classes_", lambda c: c[[0, 1, 1]], "classes_ is .*; expected each label once"),
    ("classes_", lambda c: c.tolist(), "classes_ is .*; expected a 1-D array of labels"),
    ("classes_", lambda c: c[:, None], "classes_ is .*; expected a 1-D array of labels"),
    ("classes_", lambda c: np.array([1.0, 2.0, np.nan]), "classes_ is .*; expected each label once"),
    (
        "classes_",
        lambda c: np.array(["a", "b", None], object),
        "classes_ is .*; expected labels that are",
    ),
    ("multilabel_", lambda _: 1, "multilabel_ is 1; expected True or False"),
    (
        "multilabel_",
        lambda _: False,
        "loss_ is 'binary_crossentropy'; expected one of categorical_cross",
    ),
    ("loss_", lambda _: "hinge", "loss_ is 'hinge'; expected one of binary_crossentropy, "),
    ("embedding_mode_", lambda _: "frozen", "embedding_mode_ is 'frozen'; expected None, 'trainable'"),
    ("max_length_", lambda _: 0, "max_length_ is 0; expected None, or a number of tokens"),
    ("max_length_", lambda _: True, "max_length_ is True; expected None, or a number of tokens"),
    (
        "thresholds_",
        with_first(np.nan),
        "thresholds_ holds NaN or infinite numbers; expected finite ones",
    ),
    ("thresholds_", with_first(1.01), r"thresholds_ is \[1\.01, .*; expected numbers between 0 and 1"),
    ("thresholds_", with_first(-0.1), r"thresholds_ is \[-0\.1, .*; expected numbers between 0 and 1"),
    ("thresholds_", lambda t: t.tolist(), "thresholds_ is .*; expected an array of dtype float64"),
    (
        "thresholds_",
        lambda t: t.astype(int),
        "thresholds_ is .* dtype int64; expected an array of dtype",
    ),
    ("history_", lambda _: {"loss": ["low"]}, "history_ is .*; expected a dict from names to lists of"),
    ("n_epochs_", lambda _: 1.5, r"n_epochs_ is 1\.5; expected a number of epochs"),
    ("validation_score_", lambda _: None, "validation_score_ is None; expected a number, or NaN"),
    ("validation_label_scores_", lambda s: s[1:], "validation_label_scores_ is an array of shape"),
    (
        "weights_",
        lambda w: {**w, "embedding": 3},
        "weights_ is .*; expected a dict from names to arrays",
    ),
    (
        "weights_",
        lambda w: {**w, "bias": np.zeros(1)},
        "weights_ is .*; expected none but convolution_1_",
    ),
    ("embedding", lambda a: a[1:], r"weights_\['embedding'\] is .*which is \(token ids, dimension\)"),
    ("embedding", lambda a: a[:, :0], r"weights_\['convolution_1_kernel'\] is an array of shape"),
    ("embedding", lambda a: a.astype("f8"), r"weights_\['embedding'\] is .* an array of dtype float32"),
    ("embedding", with_first(np.nan), r"weights_\['embedding'\] holds NaN or infinite numbers"),
    ("embedding", with_first(-np.inf), r"weights_\['embedding'\] holds NaN or infinite numbers"),
    (
        "convolution_2_kernel",
        lambda a: a[:1],
        r"the shape \(2, 8, 4\), which is \(2, dimension, filters\)",
    ),
    (
        "convolution_2_bias",
        lambda a: a[:1],
        r"weights_\['convolution_2_bias'\] is an array of shape \(1,\)",
    ),
    (
        "hidden_kernel",
        lambda a: a.T,
        r"weights_\['hidden_kernel'\] is .*which is \(features, hidden units",
    ),
    ("output_kernel", lambda a: a[:, 1:], r"the shape \(3, 3\), which is \(hidden units, labels\)"),
    ("output_bias", lambda a: a[None], r"weights_\['output_bias'\] is an array of shape \(1, 3\)"),
]


@pytest.mark.parametrize(("attribute", "value", "message"), WRONG)
def test_what_cannot_be_loaded_is_not_saved(clf, tmp_path, attribute, value, message):
    replaced(attribute, value)(clf)
    with pytest.raises(ValueError, match=message):
        clf.save(tmp_path / "model")
    assert os.listdir(tmp_path) == []


WRONG_IN_LINEAR_PART = [
    ("ngrams", lambda a: a[::-1], r"linear_part_\['ngrams'\] is .*; expected them to ascend"),
    (
        "ngrams",
        lambda a: a + 10**9,
        r"linear_part_\['ngrams'\] is .*; expected numbers from 0 to",
    ),
    ("ngrams", lambda a: a[1:], r"linear_part_\['char_ngrams'\] is .*the n-grams that are not"),
    ("char_ngrams", lambda a: a[1:], r"linear_part_\['char_ngrams'\] is .*expected the shape"),
    ("char_ngrams", lambda a: a[::-1], r"linear_part_\['char_ngrams'\] is .*them to ascend"),
    ("char_ngrams", lambda a: a.astype("U9"), "expected an array of str of 4 characters"),
    ("char_ngram_range", lambda a: a + 9, r"is \[13, 13\]; expected two of 1 to 8"),
    ("char_ngrams_of_tokens", lambda a: a + 10**6, "expected numbers below"),
    ("char_ngrams_counts", lambda a: a / 2, "expected whole numbers from 1 on"),
    ("char_ngrams_counts", lambda a: a[1:], "n-grams in tokens"),
    ("char_ngrams_offsets", lambda a: a[::-1], "expected them to ascend from 0 to"),
    ("char_ngrams_offsets", lambda a: a[1:], "token ids"),
    ("idf", lambda a: a * 100, r"linear_part_\['idf'\] is .*; expected numbers from 1 to 64"),
    (
        "ngram_range",
        lambda a: a[::-1],
        r"linear_part_\['ngram_range'\] is \[2, 1\]; expected two of 1, 2, 3",
    ),
    ("kernel", lambda a: a[1:], r"linear_part_\['kernel_labels'\] is .*which is \(weights\)"),
    ("kernel_labels", lambda a: a + 3, r"linear_part_\['kernel_labels'\] is .*numbers below 3"),
    ("kernel_offsets", lambda a: a[1:], r"linear_part_\['kernel_offsets'\] is .*\(n-grams \+ 1\)"),
    ("kernel_offsets", lambda a: a + 1, r"linear_part_\['kernel_offsets'\] is .*to ascend from 0 to"),
    ("blend", lambda a: a[:2], r"linear_part_\['blend'\] is .*which is \(3, labels\)"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG_IN_LINEAR_PART)
def test_a_linear_part_that_cannot_be(model, name, value, message):
    right = read_model(model)
    arrays = right.fitted["linear_part_"]
    wrong = {**right.fitted, "linear_part_": {**arrays, name: value(arrays[name])}}
    with pytest.raises(ValueError, match=message):
        SavedModel(right.params, right.left_out, wrong)


@pytest.mark.parametrize("name", [name for name in FITTED if name != "optimizer_state_"])
def test_every_attribute_has_to_be_there(model, name):
    edit(model, lambda document: document["state"]["fitted"].pop(name))
    with pytest.raises(
        ValueError, match=rf"model cannot be loaded: fitted is .*; expected {name} as well"
    ):
        load(model)


def test_no_other_attribute_may_be_there(model):
    edit(model, lambda document: document["state"]["fitted"].update(note_="mine"))
    with pytest.raises(ValueError, match=r"cannot be loaded: fitted is .*'note_'.*, and no others"):
        load(model)


@pytest.mark.parametrize("name", ["params", "left_out", "fitted"])
def test_every_part_has_to_be_there(model, name):
    edit(model, lambda document: document["state"].pop(name))
    with pytest.raises(
        ValueError, match=r"cannot be loaded: state is .*; expected params, left_out and"
    ):
        load(model)


def test_every_array_has_to_be_there(model, fitted):
    names = [("weights_", name) for name in fitted.weights_]
    names += [("linear_part_", name) for name in fitted.linear_part_.to_arrays()]
    for attribute, name in names:
        document = document_of(model)
        edit(model, lambda document: document["state"]["fitted"][attribute].pop(name))  # noqa: B023
        with pytest.raises(ValueError, match=rf"cannot be loaded: {attribute}.* is .*; expected .*"):
            load(model)
        edit(model, lambda changed: changed.update(document))  # noqa: B023


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("filters", -1, "'filters' parameter of TextCNNClassifier must be an int in the range"),
        ("lowercase", "no", "'lowercase' parameter of TextCNNClassifier must be"),
        ("token_pattern", "(", r"token_pattern='\(' is not a regular expression"),
        ("min_labels", 4, "min_labels=4 is more than the number of labels, 3"),
        ("random_state", "x", "'random_state' parameter of TextCNNClassifier must be"),
    ],
)
def test_parameters_that_mean_nothing(clf, model, tmp_path, name, value, message):
    edit(model, lambda document: document["state"]["params"].update({name: value}))
    with pytest.raises(ValueError, match=rf"model cannot be loaded: .*{message}"):
        load(model)
    with pytest.raises(ValueError, match=message):
        clf.set_params(**{name: value}).save(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_parameter_that_came_later_has_its_default(model, fitted):
    edit(model, lambda document: document["state"]["params"].pop("optimizer"))
    loaded = load(model)
    assert loaded.optimizer == "adam"
    assert same_weights(loaded, fitted)


def test_a_parameter_that_is_not_known(model):
    edit(model, lambda document: document["state"]["params"].update(attention=True))
    with pytest.raises(ValueError, match=r"cannot be loaded: .* does not know: attention\. A later"):
        load(model)


def test_an_array_of_another_shape_is_refused_when_loaded(model):
    name = next(name for name in document_of(model)["arrays"] if name.endswith("output_kernel"))
    put_array(model, name, np.zeros((3, 4), np.float32))
    message = (
        r"model cannot be loaded: weights_\['output_kernel'\] is an array of shape \(3, 4\) and dtype"
    )
    with pytest.raises(ValueError, match=message):
        load(model)


def test_sparse_output_is_for_several_labels(tmp_path):
    clf = tiny().fit(TEXTS, IS_SPORT)
    clf.sparse_output_ = True
    with pytest.raises(
        ValueError, match="sparse_output_ is True; expected False for one label per text"
    ):
        clf.save(tmp_path / "model")


@pytest.mark.parametrize("optimizer", N_SLOTS)
def test_what_an_optimizer_remembers(tmp_path, optimizer):
    clf = tiny(warm_start=True, optimizer=optimizer).fit(TEXTS, TAGS)
    clf.save(tmp_path / "model", include_optimizer=True)
    assert same_weights(load(tmp_path / "model").fit(TEXTS, TAGS), copy.deepcopy(clf).fit(TEXTS, TAGS))
    state = clf.optimizer_state_
    wrong = [
        ({"optimizer": "lion"}, r"optimizer_state_\['optimizer'\] is 'lion'; expected one of sgd, "),
        ({"step": -1}, "optimizer_state_ is .*; expected optimizer, slots, step and epoch, each of its"),
        ({"slots": {"embedding": [np.zeros(3, "f4")]}}, r"the shapes of optimizer_state_\['slots'\] is"),
        ({"slots": {"optimizer": [np.array(0, "f4")]}}, r"the shapes of optimizer_state_\['slots'\] is"),
        ({"slots": {"optimizer": [np.array(np.nan, "f4")]}}, r"\['slots'\]\['optimizer'\] holds NaN"),
        ({"optimizer": "torch:adam"}, "is 'torch:adam'; expected one of sgd, adagrad, adam, or keras:"),
        ({"slots": {"optimizer": ["x"]}}, r"\['slots'\]\['optimizer'\] is 'x'; expected an array"),
    ]
    for change, message in wrong:
        clf.optimizer_state_ = {**state, **change}
        with pytest.raises(ValueError, match=message):
            clf.save(tmp_path / "model", include_optimizer=True, overwrite=True)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", N_SLOTS)
def test_what_keras_remembers(tmp_path, optimizer):
    clf = tiny(warm_start=True, optimizer=optimizer, engine="keras").fit(TEXTS, TAGS)
    clf.save(tmp_path / "model", include_optimizer=True)
    assert same_weights(load(tmp_path / "model").fit(TEXTS, TAGS), copy.deepcopy(clf).fit(TEXTS, TAGS))


def test_a_sum_that_overflows_is_no_infinite_weight(clf, tmp_path):
    clf.weights_["output_bias"][:] = np.finfo(np.float32).max
    clf.save(tmp_path / "model")
    assert np.array_equal(load(tmp_path / "model").weights_["output_bias"], clf.weights_["output_bias"])


def test_a_saved_model_has_named_fields(model, fitted):
    saved = read_model(model)
    assert [field.name for field in fields(SavedModel)] == ["params", "left_out", "fitted", "schema"]
    assert saved.schema == SCHEMA
    assert saved.left_out == {}
    assert saved.params["filters"] == fitted.filters
    with pytest.raises(AttributeError, match="cannot assign to field 'schema'"):
        saved.schema = 2


def test_slots_are_those_of_the_engine():
    assert {name: n_slots for name, (_, n_slots, _) in OPTIMIZERS.items()} == N_SLOTS


@pytest.mark.parametrize("name", [field.name for field in fields(Resolved)])
def test_what_parameters_became_is_looked_at(model, name):
    edit(model, lambda document: document["state"]["fitted"]["resolved_"].update({name: [1]}))
    with pytest.raises(ValueError, match=r"cannot be loaded: resolved_ is .*; expected engine, loss, "):
        load(model)
