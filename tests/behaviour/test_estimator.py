"""What scikit-learn asks of an estimator: its own checks fit numbers, these fit strings."""

from __future__ import annotations

import copy
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks, get_tags

from sktextcnn import TextCNNClassifier
from sktextcnn.resolved import Resolved
from tests.examples import LABELS, TAGS, TEXTS, every_engine, every_engine_and, same_weights, tiny
from tests.forms import METHODS, Y_FORMS, every_y, fitted

API_CHECKS = [
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
    "check_valid_tag_types",
    "check_estimator_tags_renamed",
    "check_estimator_repr",
    "check_estimators_unfitted",
    "check_estimator_cloneable",
    "check_get_params_invariance",
    "check_set_params",
    "check_parameters_default_constructible",
]


@pytest.mark.parametrize("name", API_CHECKS)
def test_check_of_scikit_learn(name):
    check = getattr(estimator_checks, name)
    assert check("TextCNNClassifier", TextCNNClassifier()) is None


def test_tags():
    tags = get_tags(TextCNNClassifier())
    assert is_classifier(TextCNNClassifier())
    assert tags.input_tags.string
    assert not tags.input_tags.two_d_array
    assert tags.target_tags.required
    assert tags.classifier_tags.multi_label


# -- attributes and parameters ----------------------------------------------------------------------


FITTED_ATTRIBUTES = {
    "vocabulary_",
    "classes_",
    "multilabel_",
    "sparse_output_",
    "resolved_",
    "validation_score_",
    "validation_label_scores_",
    "loss_",
    "embedding_mode_",
    "max_length_",
    "weights_",
    "linear_part_",
    "thresholds_",
    "history_",
    "n_epochs_",
}


@every_engine_and(["y_form"], [(form,) for form in Y_FORMS])
def test_attributes_appear_in_fit_and_end_in_an_underscore(y_form):
    clf = tiny()
    assert set(vars(clf)) == set(clf.get_params())
    added = set(vars(fitted("list", y_form))) - set(clf.get_params())
    assert added == FITTED_ATTRIBUTES
    assert not hasattr(fitted("list", y_form), "n_features_in_")
    assert not hasattr(fitted("list", y_form), "feature_names_in_")


def test_no_feature_count_even_for_a_data_frame_column():
    clf = tiny(epochs=1).fit(pd.DataFrame({"text": TEXTS}), TAGS)
    assert not hasattr(clf, "n_features_in_")
    assert not hasattr(clf, "feature_names_in_")


@every_engine
def test_fitted_state_is_numpy_and_plain_python():
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    seen = []

    def visit(value):
        seen.append(type(value))
        if isinstance(value, dict):
            for item in value.values():
                visit(item)
        elif isinstance(value, (list, tuple)):
            for item in value:
                visit(item)

    for name in [*FITTED_ATTRIBUTES, "optimizer_state_"]:
        visit(getattr(clf, name))
    plain = {np.ndarray, dict, list, tuple, int, float, bool, str, type(None)}
    assert set(seen) <= {*plain, Resolved}
    assert {*map(type, vars(clf.resolved_).values())} <= plain


def test_get_and_set_params_round_trip():
    clf = tiny(filters=5, classes=LABELS)
    parameters = clf.get_params()
    other = TextCNNClassifier().set_params(**parameters)
    assert other.get_params() == parameters
    assert clone(clf).get_params() == parameters
    assert TextCNNClassifier().get_params()["filters"] == 128


def test_a_misspelt_parameter_fails():
    with pytest.raises(TypeError, match="dropuot"):
        TextCNNClassifier(dropuot=0.5)
    with pytest.raises(ValueError, match="Invalid parameter 'dropuot'"):
        TextCNNClassifier().set_params(dropuot=0.5)
    with pytest.raises(TypeError, match="positional"):
        TextCNNClassifier("char")


@pytest.mark.parametrize("method", [*METHODS, "score", "to_keras", "to_onnx"])
def test_not_fitted(method):
    arguments = {"score": (TEXTS, TAGS), "to_keras": (), "to_onnx": ()}.get(method, (TEXTS,))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(tiny(), method)(*arguments)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(clone(fitted()), method)(*arguments)


# -- copies -----------------------------------------------------------------------------------------


def through_joblib(clf):
    buffer = io.BytesIO()
    joblib.dump(clf, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


COPIES = {
    "pickle": lambda clf: pickle.loads(pickle.dumps(clf)),
    "oldest pickle": lambda clf: pickle.loads(pickle.dumps(clf, protocol=2)),
    "joblib": through_joblib,
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@every_y
@pytest.mark.parametrize("how", COPIES)
def test_copies_predict_the_same(how, y_form):
    clf = fitted("list", y_form)
    other = COPIES[how](clf)
    assert other is not clf
    assert np.array_equal(other.predict_proba(TEXTS), clf.predict_proba(TEXTS))
    assert other.predict_labels(TEXTS) == clf.predict_labels(TEXTS)
    assert other.score(TEXTS, Y_FORMS[y_form]()) == clf.score(TEXTS, Y_FORMS[y_form]())
    assert other.get_params() == clf.get_params()


@every_engine
def test_clone_is_unfitted_and_fits_to_the_same():
    other = clone(fitted())
    assert set(vars(other)) == set(other.get_params())
    assert same_weights(other.fit(TEXTS, TAGS), fitted())


@every_engine
def test_fitted_arrays_may_be_read_only(tmp_path):
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    joblib.dump(clf, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert np.array_equal(mapped.predict_proba(TEXTS), clf.predict_proba(TEXTS))
    assert same_weights(mapped.partial_fit(TEXTS, TAGS), clf.partial_fit(TEXTS, TAGS))
