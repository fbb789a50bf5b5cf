"""What a scikit-learn estimator promises, for texts: its own checks fit numbers, these fit strings."""

import copy
import io
import pickle
import re
from functools import cache
from itertools import cycle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, f1_score
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.utils import estimator_checks, get_tags

from sktextcnn import TextCNNClassifier, as_label_matrix, load
from sktextcnn.decision.thresholds import tune_thresholds
from sktextcnn.resolved import Resolved
from tests import examples
from tests.examples import IS_SPORT, LABELS, TAGS, TEXTS, TOPICS, matrix_of, same_weights, tiny

X_FORMS = {
    "list": list,
    "tuple": tuple,
    "object array": lambda texts: np.array(texts, dtype=object),
    "StringDtype Series": lambda texts: pd.Series(texts, dtype="string", index=range(7, 7 + len(texts))),
    "polars Series": lambda texts: pl.Series("text", texts),
}

Y_FORMS = {
    "1-D": lambda: TOPICS,
    "matrix": matrix_of,
    "label sets": lambda: TAGS,
    "label matrix": lambda: as_label_matrix(TAGS),
    "sparse": lambda: sparse.csr_matrix(matrix_of()),
    "DataFrame": lambda: pd.DataFrame(matrix_of(), columns=LABELS),
}

METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function", "predict_labels"]

every_x = pytest.mark.parametrize("x_form", X_FORMS)
every_engine = pytest.mark.usefixtures("engine")
every_y = pytest.mark.parametrize("y_form", Y_FORMS)
# Every form once or twice, where the whole product would say the same at five times the cost.
every_pair = pytest.mark.parametrize(("x_form", "y_form"), [*zip(cycle(X_FORMS), Y_FORMS, strict=False)])


def fitted(x_form="list", y_form="label sets"):
    """Fit once for all tests that only look."""
    return _fitted(x_form, y_form, examples.ENGINE)


@cache
def _fitted(x_form, y_form, engine):
    return tiny(engine=engine).fit(X_FORMS[x_form](TEXTS), Y_FORMS[y_form]())


def dense(values):
    return values.toarray() if sparse.issparse(values) else np.asarray(values)


# -- scikit-learn's own checks -------------------------------------------------------------------------

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


# -- fit, in every form --------------------------------------------------------------------------------


@every_x
@every_y
def test_fit_returns_self_and_the_form_of_x_and_y_changes_nothing(x_form, y_form):
    X, y = X_FORMS[x_form](TEXTS), Y_FORMS[y_form]()
    clf = tiny()
    assert clf.fit(X, y) is clf
    assert same_weights(clf, fitted("list", "1-D" if y_form == "1-D" else "label sets"))


@every_engine
@every_pair
def test_fit_twice_gives_the_same(x_form, y_form):
    X, y = X_FORMS[x_form](TEXTS), Y_FORMS[y_form]()
    clf = tiny(epochs=1).fit(X, y)
    first = clf.predict_proba(X)
    assert np.array_equal(clf.fit(X, y).predict_proba(X), first)
    assert clf.n_epochs_ == 1


@every_x
@every_y
@pytest.mark.parametrize("method", METHODS)
def test_order_and_batch_of_texts_change_no_score(x_form, y_form, method):
    clf, form = fitted(x_form, y_form), X_FORMS[x_form]
    whole = getattr(clf, method)(form(TEXTS))
    backwards = getattr(clf, method)(form(TEXTS[::-1]))
    ones = [getattr(clf, method)(form([text])) for text in TEXTS]
    if method == "predict_labels":
        assert backwards[::-1] == whole
        assert [labels for one in ones for labels in one] == whole
    else:
        assert np.array_equal(dense(backwards)[::-1], dense(whole))
        assert np.array_equal(np.concatenate([dense(one) for one in ones]), dense(whole))


@every_engine
@every_pair
def test_outputs(x_form, y_form):
    clf, X = fitted(x_form, y_form), X_FORMS[x_form](TEXTS)
    n, k = len(TEXTS), len(LABELS)
    names = [0, 1, 2] if y_form in ("matrix", "sparse") else LABELS
    assert clf.classes_.tolist() == names
    assert clf.multilabel_ == (y_form != "1-D")

    predicted = clf.predict(X)
    if y_form == "1-D":
        assert predicted.shape == (n,)
        assert set(predicted) <= set(LABELS)
    elif y_form == "sparse":
        assert sparse.issparse(predicted)
        assert predicted.format == "csr"
    else:
        assert type(predicted) is np.ndarray
    if y_form != "1-D":
        assert predicted.shape == (n, k)
        assert predicted.dtype.kind == "i"
        assert set(np.unique(dense(predicted))) <= {0, 1}

    probabilities = clf.predict_proba(X)
    assert probabilities.shape == (n, k)
    assert probabilities.dtype.kind == "f"
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert clf.predict_proba(X_FORMS[x_form](TEXTS[:1])).shape == (1, k)
    if y_form == "1-D":
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert clf.decision_function(X).shape == (n, k)

    labels = clf.predict_labels(X)
    assert all(type(row) is tuple for row in labels)
    if y_form == "1-D":
        assert labels == [(label,) for label in predicted]
    else:
        expected = [tuple(names[j] for j in np.flatnonzero(row)) for row in dense(predicted)]
        assert labels == expected


@every_engine
def test_column_of_texts():
    clf = fitted()
    expected = clf.predict_proba(TEXTS)
    frame = pd.DataFrame({"text": TEXTS})
    for column in (frame, frame.to_numpy(), np.array(TEXTS)[:, None], pl.DataFrame({"text": TEXTS})):
        assert np.array_equal(clf.predict_proba(column), expected)


OTHER_SINGLE = {
    "int": ([LABELS.index(topic) for topic in TOPICS], [0, 1, 2]),
    "int array": (np.array([LABELS.index(topic) for topic in TOPICS]) * 10, [0, 10, 20]),
    "bool": ([topic == "sport" for topic in TOPICS], [False, True]),
    "categorical": (pd.Series(TOPICS, dtype="category"), LABELS),
    "Categorical": (pd.Categorical(TOPICS), LABELS),
    "StringDtype": (pd.Series(TOPICS, dtype="string"), LABELS),
    "str array": (np.array(TOPICS), LABELS),
    "object array": (np.array(TOPICS, dtype=object), LABELS),
    "polars": (pl.Series(TOPICS), LABELS),
    "polars categorical": (pl.Series(TOPICS, dtype=pl.Categorical), LABELS),
}


@pytest.mark.parametrize("form", OTHER_SINGLE)
def test_other_forms_of_one_label_per_text(form):
    y, classes = OTHER_SINGLE[form]
    clf = tiny(epochs=1).fit(TEXTS, y)
    assert not clf.multilabel_
    assert clf.classes_.tolist() == classes
    assert type(clf.classes_.tolist()[0]) is type(classes[0])
    assert clf.predict(TEXTS).shape == (len(TEXTS),)
    assert clf.score(TEXTS, y) == accuracy_score(list(y), clf.predict(TEXTS).tolist())


OTHER_MULTI = {
    "tuples": ([tuple(tags) for tags in TAGS], LABELS),
    "sets": ([set(tags) for tags in TAGS], LABELS),
    "frozensets in a tuple": (tuple(frozenset(tags) for tags in TAGS), LABELS),
    "Series of lists": (pd.Series(TAGS, index=range(5, 5 + len(TAGS))), LABELS),
    "polars Series of lists": (pl.Series(TAGS), LABELS),
    "sets of int": ([{len(label) for label in tags} for tags in TAGS], [4, 5]),
    "bool matrix": (matrix_of().astype(bool), [0, 1, 2]),
    "float matrix": (matrix_of().astype(float), [0, 1, 2]),
    "one column": (matrix_of()[:, :1], [0]),
    "dummies": (pd.Series(["|".join(tags) for tags in TAGS]).str.get_dummies(), LABELS),
    "bool DataFrame": (pd.DataFrame(matrix_of().astype(bool), columns=LABELS), LABELS),
    "polars DataFrame": (pl.DataFrame(matrix_of(), schema=LABELS), LABELS),
    "csc matrix": (sparse.csc_matrix(matrix_of()), [0, 1, 2]),
    "sparse array": (sparse.coo_array(matrix_of().astype(bool)), [0, 1, 2]),
}


@pytest.mark.parametrize("form", OTHER_MULTI)
def test_other_forms_of_several_labels_per_text(form):
    y, classes = OTHER_MULTI[form]
    clf = tiny(epochs=1).fit(TEXTS, y)
    assert clf.multilabel_
    assert clf.classes_.tolist() == classes
    assert clf.predict(TEXTS).shape == (len(TEXTS), len(classes))
    assert 0 <= clf.score(TEXTS, y) <= 1


def test_object_array_of_lists():
    y = np.empty(len(TAGS), dtype=object)
    y[:] = TAGS
    assert same_weights(tiny().fit(TEXTS, y), fitted())


NAMES_OF_ONE = {
    "list": TOPICS,
    "tuple": tuple(TOPICS),
    "str array": np.array(TOPICS),
    "wide str array": np.array(TOPICS, dtype="U40"),
    "object array": np.array(TOPICS, dtype=object),
    "Series": pd.Series(TOPICS),
    "Series of string": pd.Series(TOPICS, dtype="string"),
    "Series of objects": pd.Series(TOPICS, dtype=object),
    "Series of categories": pd.Series(TOPICS, dtype="category"),
    "numbers": [LABELS.index(topic) for topic in TOPICS],
}


@pytest.mark.parametrize("form", NAMES_OF_ONE)
def test_classes_have_the_type_that_scikit_learn_gives(form, tmp_path):
    y = NAMES_OF_ONE[form]
    clf = tiny(warm_start=True).fit(TEXTS, y)
    expected = np.unique(np.asarray(y))
    kind = expected.dtype.kind
    assert clf.classes_.tolist() == expected.tolist()
    assert clf.classes_.dtype.kind == kind
    predicted = clf.predict(TEXTS)
    assert predicted.dtype == clf.classes_.dtype
    assert accuracy_score(y, predicted) == clf.score(TEXTS, y)
    clf.save(tmp_path / "model")
    assert load(tmp_path / "model").predict(TEXTS).dtype == predicted.dtype
    if kind != "i":  # going on with y of another form changes nothing
        assert clf.fit(TEXTS, TOPICS).fit(TEXTS, pd.Series(TOPICS)).classes_.dtype.kind == kind
        fixed = tiny(classes=[*LABELS, "travel"]).partial_fit(TEXTS, y)
        assert fixed.classes_.dtype.kind == "U"


def test_names_of_several_labels_are_objects_as_of_multi_label_binarizer():
    expected = MultiLabelBinarizer().fit(TAGS).classes_.dtype
    for y in (TAGS, as_label_matrix(TAGS), pd.DataFrame(matrix_of(), columns=LABELS)):
        for classes in (None, LABELS, np.array(LABELS)):
            assert tiny(classes=classes).fit(TEXTS, y).classes_.dtype == expected


def test_one_label_per_row_stays_multilabel():
    clf = tiny().fit(TEXTS, [[topic] for topic in TOPICS])
    assert clf.multilabel_
    assert clf.classes_.tolist() == LABELS
    assert clf.loss_ == "binary_crossentropy"
    assert clf.predict(TEXTS).shape == (len(TEXTS), 3)
    assert clf.predict_proba(TEXTS[:1]).shape == (1, 3)
    assert (clf.predict_proba(TEXTS).sum(axis=1) != 1).any()


@every_y
def test_log_probabilities_are_those_of_the_probabilities(y_form):
    clf = fitted(y_form=y_form)
    found = clf.predict_log_proba(TEXTS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.log(clf.predict_proba(TEXTS)), rtol=1e-4, atol=1e-6)
    assert np.array_equal(clf.predict_log_proba(iter(TEXTS)), found)


@pytest.mark.parametrize(
    ("y", "loss"),
    [(TAGS, "binary_crossentropy"), (TAGS, "kl_divergence"), (TOPICS, "categorical_crossentropy")],
)
def test_log_probabilities_where_probabilities_are_zero(y, loss):
    clf = tiny(loss=loss).fit(TEXTS, y)
    clf.weights_["output_bias"][:] = [300, -300, 0]
    probabilities, logarithms = clf.predict_proba(TEXTS), clf.predict_log_proba(TEXTS)
    assert not probabilities[:, 1].any()
    assert (logarithms[:, 1] < -290).all()
    assert np.isfinite(logarithms).all()
    assert (logarithms <= 0).all()


@every_engine
def test_binary_decision_function_is_one_column():
    clf = tiny().fit(TEXTS, IS_SPORT)
    margins = clf.decision_function(TEXTS)
    assert margins.shape == (len(TEXTS),)
    assert clf.classes_.tolist() == ["other", "sport"]
    assert clf.predict(TEXTS).tolist() == np.where(margins > 0, "sport", "other").tolist()
    np.testing.assert_allclose(clf.predict_proba(TEXTS)[:, 1], 1 / (1 + np.exp(-margins)), atol=1e-6)


def test_decision_function_of_two_labels_keeps_both_columns():
    clf = tiny().fit(TEXTS, matrix_of()[:, :2])
    logits = clf.decision_function(TEXTS)
    assert logits.shape == (len(TEXTS), 2)
    np.testing.assert_allclose(clf.predict_proba(TEXTS), 1 / (1 + np.exp(-logits)), atol=1e-6)


@every_engine
def test_classes_fix_names_and_order():
    order = ["sport", "food", "news", "travel"]
    clf = tiny(classes=order).fit(TEXTS, TAGS)
    assert clf.classes_.tolist() == order
    assert clf.predict(TEXTS).shape == (len(TEXTS), 4)
    named = tiny(classes=LABELS).fit(TEXTS, matrix_of())
    assert named.classes_.tolist() == LABELS
    assert same_weights(named, fitted())
    single = tiny(classes=order).fit(TEXTS, TOPICS)
    assert single.classes_.tolist() == order
    assert single.predict_proba(TEXTS).shape == (len(TEXTS), 4)


# -- what is left alone --------------------------------------------------------------------------------


@every_engine
@every_pair
def test_data_and_parameters_are_not_changed(x_form, y_form):
    X, y = X_FORMS[x_form](TEXTS), Y_FORMS[y_form]()
    weight = np.linspace(0, 2, len(TEXTS))
    clf = tiny(epochs=1, kernel_sizes=[2, 1], class_weight="balanced", classes=None)
    learner = tiny(epochs=1)
    parameters = copy.deepcopy(clf.get_params())
    clf.fit(X, y, sample_weight=weight)
    for method in METHODS:
        getattr(clf, method)(X)
    clf.score(X, y, sample_weight=weight)
    learner.partial_fit(X, y, sample_weight=weight)
    again = X_FORMS[x_form](TEXTS), Y_FORMS[y_form](), np.linspace(0, 2, len(TEXTS))
    assert list(X) == list(again[0])
    assert str(y) == str(again[1])
    assert np.array_equal(
        dense(y) if y_form != "label sets" else 0, dense(again[1]) if y_form != "label sets" else 0
    )
    assert np.array_equal(weight, again[2])
    assert clf.get_params() == parameters


@every_engine
def test_parameters_are_kept_as_the_objects_they_are():
    given = {
        "kernel_sizes": [2, 1],
        "class_weight": {"sport": 2.0},
        "classes": ["sport", "news", "food"],
        "vocabulary": {"the": 0, "match": 1},
        "threshold": [0.5, 0.4, 0.3],
    }
    copies = copy.deepcopy(given)
    clf = tiny(**given).fit(TEXTS, TAGS)
    clf.predict(TEXTS)
    for name, value in given.items():
        assert getattr(clf, name) is value
        assert value == copies[name]
    assert clf.vocabulary_ is not clf.vocabulary


@every_engine
@pytest.mark.parametrize("how", ["read-only", "memmap"])
@pytest.mark.parametrize("y_form", ["1-D", "matrix"])
def test_read_only_arrays(how, y_form, tmp_path):
    arrays = {
        "X": np.array(TEXTS),
        "y": np.array(Y_FORMS[y_form]()),
        "weight": np.linspace(0.5, 2, len(TEXTS)),
    }
    for name, array in arrays.items():
        if how == "memmap":
            np.save(tmp_path / f"{name}.npy", array)
            arrays[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
        else:
            array.flags.writeable = False
    clf = tiny().fit(arrays["X"], arrays["y"], sample_weight=arrays["weight"])
    clf.partial_fit(arrays["X"], arrays["y"], sample_weight=arrays["weight"])
    assert clf.predict(arrays["X"]).shape == arrays["y"].shape
    assert 0 <= clf.score(arrays["X"], arrays["y"], arrays["weight"]) <= 1


@every_engine
def test_fitted_arrays_may_be_read_only(tmp_path):
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    joblib.dump(clf, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert np.array_equal(mapped.predict_proba(TEXTS), clf.predict_proba(TEXTS))
    assert same_weights(mapped.partial_fit(TEXTS, TAGS), clf.partial_fit(TEXTS, TAGS))


@every_engine
def test_a_fit_that_fails_leaves_the_estimator_as_it_was():
    clf = tiny().fit(TEXTS, TAGS)
    before = dict(vars(clf))
    with pytest.raises(ValueError, match="as many"):
        clf.fit(TEXTS, TAGS[:-1])
    assert vars(clf) == before
    unfitted = tiny()
    before = dict(vars(unfitted))
    with pytest.raises(ValueError, match="class_weight"):
        unfitted.set_params(class_weight={"unheard of": 2}).fit(TEXTS, TAGS)
    assert vars(unfitted).keys() == before.keys()


@every_engine
def test_an_interrupted_fit_leaves_the_estimator_as_it_was():
    def interrupt(y_true, y_pred):
        raise KeyboardInterrupt

    clf = tiny().fit(TEXTS, TAGS)
    before = clf.predict_proba(TEXTS)
    state = {name: value for name, value in vars(clf).items() if name.endswith("_")}
    clf.set_params(validation=0.25, metric=interrupt, epochs=5)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(TEXTS, TAGS)
    assert {name: value for name, value in vars(clf).items() if name.endswith("_")} == state
    assert np.array_equal(clf.predict_proba(TEXTS), before)


# -- attributes and parameters -------------------------------------------------------------------------

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
    "thresholds_",
    "history_",
    "n_epochs_",
}


@every_engine
@every_y
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


# -- copies --------------------------------------------------------------------------------------------


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
def test_copies_go_on_learning_alike():
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    other = pickle.loads(pickle.dumps(clf))
    assert same_weights(other.fit(TEXTS, TAGS), clf.fit(TEXTS, TAGS))


@every_engine
def test_another_seed_gives_other_weights():
    assert not same_weights(tiny(random_state=1).fit(TEXTS, TAGS), fitted())


@every_engine
def test_random_state_instance():
    a = tiny(random_state=np.random.RandomState(3)).fit(TEXTS, TAGS)
    b = tiny(random_state=np.random.RandomState(3)).fit(TEXTS, TAGS)
    assert same_weights(a, b)


# -- score ---------------------------------------------------------------------------------------------


@every_y
def test_score_is_accuracy(y_form):
    clf, y = fitted("list", y_form), Y_FORMS[y_form]()
    truth = matrix_of() if y_form != "1-D" else y
    expected = accuracy_score(truth, dense(clf.predict(TEXTS)))
    assert clf.score(TEXTS, y) == pytest.approx(expected)


def perfect():
    """Return a classifier and texts with the labels that it predicts for them, all sets among them."""
    clf = copy.copy(fitted())
    clf.thresholds_ = np.median(clf.predict_proba(TEXTS), axis=0)
    return clf, clf.predict_labels(TEXTS)


def test_score_takes_every_form_of_the_same_truth():
    clf, truth = perfect()
    backwards = LABELS[::-1]
    forms = [
        truth,
        matrix_of(truth),
        sparse.csr_matrix(matrix_of(truth)),
        as_label_matrix(truth),
        as_label_matrix(truth, classes=backwards),
        pd.DataFrame(matrix_of(truth), columns=LABELS),
        pd.DataFrame(matrix_of(truth), columns=LABELS)[backwards],
        pl.DataFrame(matrix_of(truth), schema=LABELS)[backwards],
    ]
    assert len(set(truth)) > 2
    assert [clf.score(TEXTS, y) for y in forms] == [1.0] * len(forms)


def test_unseen_labels_are_misses():
    clf, truth = perfect()
    truth = [set(row) for row in truth]
    truth[3] |= {"travel"}
    expected = 1 - 1 / len(TEXTS)
    assert clf.score(TEXTS, truth) == pytest.approx(expected)
    assert clf.score(TEXTS, as_label_matrix(truth)) == pytest.approx(expected)
    frame = pd.DataFrame(np.asarray(as_label_matrix(truth)), columns=[*LABELS, "travel"])
    assert clf.score(TEXTS, frame) == pytest.approx(expected)
    frame["never"] = 0
    assert clf.score(TEXTS, frame) == pytest.approx(expected)


def test_unseen_labels_are_misses_with_one_label_per_text():
    clf = fitted("list", "1-D")
    truth = clf.predict(TEXTS).tolist()
    assert clf.score(TEXTS, truth) == 1
    truth[0] = truth[5] = "travel"
    assert clf.score(TEXTS, truth) == pytest.approx(1 - 2 / len(TEXTS))
    assert clf.score(TEXTS[:1], ["travel"]) == 0


def test_score_of_texts_without_label():
    clf = copy.copy(fitted())
    clf.thresholds_ = np.ones(3)
    assert clf.score(TEXTS, [[] for _ in TEXTS]) == 1
    assert clf.score(TEXTS[:1], [["sport"]]) == 0


def test_score_weighs_texts():
    clf, truth = perfect()
    wrong = [set(row) ^ {"news"} if i == 2 else row for i, row in enumerate(truth)]
    weight = np.ones(len(TEXTS))
    weight[2] = 5
    assert clf.score(TEXTS, wrong, sample_weight=weight) == pytest.approx(11 / 16)
    weight[2] = 0
    assert clf.score(TEXTS, wrong, sample_weight=weight) == 1


# -- sample_weight -------------------------------------------------------------------------------------


@every_engine
@every_y
def test_weight_zero_is_absence(y_form):
    y = Y_FORMS[y_form]()
    kept = np.array([0, 1, 2, 4, 5, 6, 7, 9, 11])
    weight = np.zeros(len(TEXTS))
    weight[kept] = 1
    less = y[kept] if hasattr(y, "shape") and y_form != "DataFrame" else None
    if y_form == "DataFrame":
        less = y.iloc[kept]
    elif less is None:
        less = [y[i] for i in kept]
    part = tiny().fit([TEXTS[i] for i in kept], less)
    weighted = tiny().fit(TEXTS, y, sample_weight=weight)
    assert same_weights(weighted, part)
    assert weighted.vocabulary_ == part.vocabulary_
    assert weighted.history_["loss"] == part.history_["loss"]


@every_engine
def test_weights_of_one_are_no_weights():
    assert same_weights(tiny().fit(TEXTS, TAGS, sample_weight=np.ones(len(TEXTS))), fitted())
    assert same_weights(tiny().fit(TEXTS, TAGS, sample_weight=[1] * len(TEXTS)), fitted())
    assert not same_weights(tiny().fit(TEXTS, TAGS, sample_weight=[1, 2] * 6), fitted())


def test_sample_weight_as_a_series_with_its_own_index():
    weight = np.linspace(0.5, 2, len(TEXTS))
    series = pd.Series(weight, index=range(len(TEXTS), 0, -1))
    a, b = (tiny().fit(TEXTS, TAGS, sample_weight=w) for w in (weight, series))
    assert same_weights(a, b)


# -- history, progress, early stopping -----------------------------------------------------------------


@every_engine
def test_history():
    clf = tiny(epochs=3, learning_rate=0.02, dropout=0, embedding_dropout=0).fit(TEXTS, TAGS)
    assert set(clf.history_) == {"loss", "seconds"}
    assert [len(values) for values in clf.history_.values()] == [3, 3]
    assert all(type(value) is float for value in clf.history_["loss"])
    assert clf.history_["loss"][-1] < clf.history_["loss"][0]
    assert clf.n_epochs_ == 3


@every_engine
def test_progress_without_validation(capsys):
    tiny(verbose=1, epochs=3).fit(TEXTS, TAGS)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for number, line in enumerate(lines, 1):
        assert re.fullmatch(rf"network 1 of 1  epoch {number}/3  loss \d+\.\d+  about \d+ s left", line)
    assert lines[-1].endswith("  about 0 s left")


@every_engine
def test_progress_with_validation(capsys):
    clf = tiny(verbose=1, epochs=2, early_stopping=True, validation=0.3).fit(TEXTS, TAGS)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    for number, line in enumerate(lines, 1):
        assert re.fullmatch(
            rf"network 1 of 1  epoch {number}/2  loss \d+\.\d+  validation f1_micro \d\.\d+"
            r"  about \d+ s left",
            line,
        )
    assert f"{clf.history_['validation_score'][0]:.4f}" in lines[0]


@every_engine
def test_silence_by_default(capsys):
    tiny().fit(TEXTS, TAGS)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("n", [24, 1008])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"validation": "auto"}, True),
        ({"validation": "auto", "early_stopping": False}, False),
        ({"validation": None}, False),
    ],
    ids=str,
)
def test_when_epochs_are_validated(options, n, expected):
    texts, tags = [*TEXTS * 84][:n], [*TAGS * 84][:n]
    clf = tiny(batch_size=256, epochs=1, **options).fit(texts, tags)
    assert ("validation_score" in clf.history_) == expected


class Scripted:
    """Metric that gives the scores it was told, and remembers what it was asked about."""

    def __init__(self, scores):
        self.scores, self.asked = scores, []

    def __call__(self, y_true, y_pred):
        self.asked.append((y_true, y_pred))
        return self.scores[len(self.asked) - 1]


@every_engine
def test_early_stopping_keeps_the_best_epoch():
    metric = Scripted([0.1, 0.5, 0.3, 0.4, 0.9])  # the last of them is asked of the final model
    clf = tiny(
        epochs=5,
        n_iter_no_change=2,
        validation=0.25,
        threshold=0.0,  # so that the network counts as one that has started
        metric=metric,
    ).fit(TEXTS, TAGS)
    assert clf.history_["validation_score"] == [0.1, 0.5, 0.3, 0.4]
    assert clf.n_epochs_ == 2
    assert clf.validation_score_ == 0.9
    short = tiny(
        epochs=2,
        validation=0.25,
        threshold=0.0,
        metric=Scripted([0.1, 0.5, 0.5]),
    ).fit(TEXTS, TAGS)
    assert same_weights(clf, short)
    for y_true, y_pred in metric.asked:
        assert y_true.shape == y_pred.shape == (3, 3)
        assert set(np.unique(y_true)) <= {0, 1}


@every_engine
def test_early_stopping_keeps_the_last_epoch_while_nothing_is_predicted_yet():
    metric = Scripted([0.0, 0.0, 0.0, 0.0, 0.0])
    clf = tiny(
        epochs=4,
        early_stopping=True,
        n_iter_no_change=1,
        validation=0.25,
        threshold=0.5,
        metric=metric,
    ).fit(TEXTS, TAGS)
    assert len(clf.history_["loss"]) == 4
    assert clf.n_epochs_ == 4


@every_engine
def test_early_stopping_with_one_label_per_text():
    metric = Scripted([0.5, 0.5, 0.5])
    clf = tiny(early_stopping=True, validation=0.25, metric=metric).fit(TEXTS, TOPICS)
    assert clf.history_["validation_score"] == [0.5, 0.5]
    assert metric.asked[0][0].shape == metric.asked[0][1].shape == (3,)
    assert set(metric.asked[0][0].tolist()) <= {0, 1, 2}


@every_engine
def test_early_stopping_leaves_the_held_out_texts_alone():
    held_out = []

    def metric(y_true, y_pred):
        held_out.append(len(y_true))
        return 1.0

    clf = tiny(early_stopping=True, validation=0.25, metric=metric, epochs=1)
    clf.fit(TEXTS, TAGS)
    assert set(held_out) == {3}
    assert not same_weights(clf, tiny(epochs=1).fit(TEXTS, TAGS))
    with_f1 = tiny(early_stopping=True, validation=0.25, metric="f1_macro", epochs=1)
    assert same_weights(clf, with_f1.fit(TEXTS, TAGS))


# -- thresholds from held-out texts --------------------------------------------------------------------


def held_out_rows(clf, n):
    """Rows that learning leaves out: nothing is lost of the weights when they are made unreadable."""
    return [
        row
        for row in range(n)
        if same_weights(clf, clone(clf).fit([*TEXTS[:row], "?" * 9, *TEXTS[row + 1 :]], TAGS))
    ]


@every_engine
@pytest.mark.parametrize("metric", ["f1_micro", "f1_macro"])
def test_tuned_thresholds_do_best_on_held_out_texts(metric):
    options = {"vocabulary": sorted({word for text in TEXTS for word in text.split()})}
    clf = tiny(metric=metric, validation=0.25, early_stopping=False, **options)
    clf.fit(TEXTS, TAGS)
    rows = held_out_rows(clf, len(TEXTS))
    assert len(rows) == 3
    scores = clf.predict_proba([TEXTS[row] for row in rows])
    truth = as_label_matrix(TAGS)[rows]
    np.testing.assert_array_equal(clf.thresholds_, tune_thresholds(scores, np.asarray(truth), metric))
    assert "validation_score" not in clf.history_  # tuning alone stops nothing early
    average = metric.removeprefix("f1_")
    reached = f1_score(truth, scores >= clf.thresholds_, average=average, zero_division=0)
    for fixed in (0.3, 0.5, 0.7) if metric == "f1_micro" else ():  # those of rare labels are cautious
        assert reached >= f1_score(truth, scores >= fixed, average=average, zero_division=0)


def test_thresholds_are_tuned_where_texts_are_held_out():
    options = {"validation": 0.25, "epochs": 2}
    assert (tiny(**options).fit(TEXTS, TAGS).thresholds_ != 0.5).any()
    assert (tiny(early_stopping=False, **options).fit(TEXTS, TAGS).thresholds_ != 0.5).any()
    assert (tiny(threshold=0.4, **options).fit(TEXTS, TAGS).thresholds_ == 0.4).all()
    assert (tiny(epochs=2).fit(TEXTS, TAGS).thresholds_ == 0.5).all()


def test_thresholds_have_no_meaning_for_one_label_per_text():
    with pytest.raises(ValueError, match="no meaning for one label per text"):
        tiny(threshold="cardinality").fit(TEXTS, TOPICS)
    assert tiny().fit(TEXTS, TOPICS).resolved_.threshold == "fixed"


# -- thresholds from texts of one's own ----------------------------------------------------------------


def matches(truth, predicted):
    return float((truth == predicted).mean())


@pytest.mark.parametrize("metric", ["f1_micro", "f1_macro", "cardinality", matches])
def test_thresholds_tuned_on_other_texts(metric):
    clf = tiny().fit(TEXTS, TAGS)
    before = {name: value for name, value in vars(clf).items() if name != "thresholds_"}
    scores, truth = clf.predict_proba(TEXTS), np.asarray(as_label_matrix(TAGS))
    assert clf.tune_thresholds(TEXTS, TAGS, metric=metric) is clf
    np.testing.assert_array_equal(clf.thresholds_, tune_thresholds(scores, truth, metric))
    assert {name: value for name, value in vars(clf).items() if name != "thresholds_"} == before
    by_default = tiny(metric="f1_micro" if metric == "cardinality" else metric).fit(TEXTS, TAGS)
    if metric != "cardinality":
        by_default.tune_thresholds(TEXTS, as_label_matrix(TAGS))
        np.testing.assert_array_equal(by_default.thresholds_, clf.thresholds_)


@pytest.mark.parametrize("metric", ["f1_micro", "f1_macro", "cardinality"])
def test_weights_of_other_texts_count_in_tuning(metric):
    clf, weight = tiny().fit(TEXTS, TAGS), np.arange(1.0, 13.0)
    even = clf.tune_thresholds(TEXTS, TAGS, metric=metric).thresholds_
    weighted = clf.tune_thresholds(TEXTS, TAGS, metric=metric, sample_weight=weight).thresholds_
    assert not np.array_equal(even, weighted)
    scores, truth = clf.predict_proba(TEXTS), np.asarray(as_label_matrix(TAGS))
    share = {"labels_per_text": np.average(truth.sum(axis=1), weights=weight)}
    expected = tune_thresholds(scores, truth, metric, sample_weight=weight / weight.mean(), **share)
    np.testing.assert_allclose(weighted, expected)


def test_some_labels_may_be_missing_among_other_texts():
    clf = tiny().fit(TEXTS, TAGS)
    rows = [row for row, labels in enumerate(TAGS) if clf.classes_[0] not in labels]
    clf.tune_thresholds([TEXTS[row] for row in rows], [TAGS[row] for row in rows])
    assert clf.thresholds_.shape == (len(clf.classes_),)


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (TAGS[:-1], {}, r"^X has 12 texts, but y has 11 rows"),
        ([["unheard of"]] * 12, {}, "unheard of"),
        ([[]] * 12, {}, r"^y holds no label anywhere, so there is nothing to tune thresholds on\."),
        (TOPICS, {}, r"^y has one label per text, but the classifier was fitted on several"),
        (TAGS, {"metric": "f2"}, r"^metric='f2'; expected one of f1_micro, f1_macro, cardinality, or a"),
    ],
    ids=["too few", "unknown", "none", "one each", "metric"],
)
def test_what_thresholds_cannot_be_tuned_on(y, options, message):
    clf = tiny().fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match=message):
        clf.tune_thresholds(TEXTS, y, **options)
    assert (clf.thresholds_ == 0.5).all()


def test_what_has_no_thresholds_to_tune():
    with pytest.raises(NotFittedError):
        tiny().tune_thresholds(TEXTS, TAGS)
    with pytest.raises(ValueError, match=r"^tune_thresholds: the classifier predicts the most probable"):
        tiny().fit(TEXTS, TOPICS).tune_thresholds(TEXTS, TOPICS)


# -- warm_start ----------------------------------------------------------------------------------------


@every_engine
def test_warm_start_goes_on():
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    vocabulary, weights = clf.vocabulary_, clf.weights_
    first = list(clf.history_["loss"])
    clf.fit([*TEXTS[1:], "words never seen before"], TAGS)
    assert clf.vocabulary_ == vocabulary
    assert clf.n_epochs_ == 4
    assert clf.history_["loss"][:2] == first
    assert [len(values) for values in clf.history_.values()] == [4, 4]
    assert not np.array_equal(clf.weights_["output_kernel"], weights["output_kernel"])
    assert "optimizer_state_" in vars(clf)


@every_engine
def test_warm_start_in_two_halves_is_one_fit():
    halves = tiny(warm_start=True).fit(TEXTS, TAGS).fit(TEXTS, TAGS)
    whole = tiny(epochs=4).fit(TEXTS, TAGS)
    assert same_weights(halves, whole)
    assert halves.history_["loss"] == whole.history_["loss"]


@every_engine
def test_without_warm_start_fit_forgets():
    clf = tiny().fit(TEXTS, TAGS)
    clf.fit(TEXTS[:6], TOPICS[:6])
    assert not clf.multilabel_
    assert clf.n_epochs_ == 2
    assert "optimizer_state_" not in vars(clf)


def test_warm_start_refuses_new_labels():
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match=r"y\[1\] holds 'travel', which is not among classes="):
        clf.fit(TEXTS[:2], [["sport"], ["travel"]])
    assert clf.n_epochs_ == 2


@pytest.mark.parametrize("classes", [["food", "news", "travel"], ["food", "news"], [0, 1, 2]], ids=str)
def test_going_on_refuses_other_classes(classes):
    """As a parameter, and as an argument of partial_fit; before anything is read."""
    message = (
        rf"classes={re.escape(repr(classes))} differs from the fitted \['food', 'news', 'sport'\]; a "
        r"model that goes on learning keeps its labels\. Fit a clone instead\."
    )
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match=message):
        clf.partial_fit(None, None, classes=classes)
    clf.set_params(classes=classes)
    for method in (clf.fit, clf.partial_fit):
        with pytest.raises(ValueError, match=message):
            method(None, None)
    assert clf.n_epochs_ == 2
    clf.set_params(classes=["sport", "news", "food"]).fit(TEXTS, TAGS).partial_fit(TEXTS, TAGS)
    assert clf.n_epochs_ == 5
    assert clf.classes_.tolist() == LABELS
    assert clf.set_params(classes=["travel", *LABELS], warm_start=False).fit(TEXTS, TAGS).n_epochs_ == 2


def test_warm_start_refuses_another_kind():
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match="one label per text, but the classifier was fitted on several"):
        clf.fit(TEXTS, TOPICS)


@every_engine
@pytest.mark.parametrize(
    ("name", "value"),
    [("filters", 5), ("embedding_dim", 9), ("kernel_sizes", (1, 3)), ("hidden_units", 7)],
)
def test_warm_start_refuses_another_shape(name, value):
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    clf.set_params(**{name: value})
    with pytest.raises(ValueError, match=rf"^{name} changed from"):
        clf.fit(TEXTS, TAGS)


@pytest.mark.parametrize("kernel_sizes", [[1, 2], (2, 1), np.array([1, 2]), np.array([2, 1])])
def test_warm_start_with_kernel_sizes_in_any_form(kernel_sizes):
    clf = tiny(warm_start=True, kernel_sizes=kernel_sizes).fit(TEXTS, TAGS)
    assert clf.fit(TEXTS, TAGS).n_epochs_ == 4


@every_engine
@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_warm_start_with_another_optimizer(optimizer):
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    clf.set_params(optimizer=optimizer).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == 4
    assert all(np.isfinite(weight).all() for weight in clf.weights_.values())


@every_engine
def test_warm_start_after_an_ordinary_fit():
    clf = tiny().fit(TEXTS, TAGS)
    vocabulary = clf.vocabulary_
    clf.set_params(warm_start=True).fit(TEXTS[:6], TAGS[:6])
    assert clf.n_epochs_ == 4
    assert clf.vocabulary_ == vocabulary


@every_engine
def test_warm_start_with_early_stopping():
    clf = tiny(warm_start=True, early_stopping=True, validation=0.25).fit(TEXTS, TAGS)
    clf.fit(TEXTS, TAGS)
    assert len(clf.history_["validation_score"]) == len(clf.history_["loss"]) == 4


# -- partial_fit ---------------------------------------------------------------------------------------


def batches(size=4):
    return [(TEXTS[i : i + size], TAGS[i : i + size]) for i in range(0, len(TEXTS), size)]


@every_engine
def test_partial_fit_on_mini_batches():
    clf = tiny(vocabulary=sorted({word for text in TEXTS for word in text.split()}))
    for number, (texts, tags) in enumerate(batches(), 1):
        assert clf.partial_fit(texts, tags, classes=LABELS) is clf
        assert len(clf.history_["loss"]) == clf.n_epochs_ == number
    assert clf.classes_.tolist() == LABELS
    assert clf.predict(TEXTS).shape == (12, 3)


@every_engine
def test_partial_fit_learns():
    clf = tiny(learning_rate=0.05, dropout=0.0, embedding_dropout=0.0)
    for _ in range(30):
        clf.partial_fit(TEXTS, TAGS)
    assert clf.history_["loss"][-1] < 0.5 * clf.history_["loss"][0]
    assert f1_score(matrix_of(), clf.predict(TEXTS), average="micro") > 0.9


@every_engine
def test_partial_fit_fixes_vocabulary_and_classes_in_its_first_call():
    clf = tiny().partial_fit(TEXTS[:4], TAGS[:4])
    vocabulary = clf.vocabulary_
    clf.partial_fit(TEXTS[4:], TAGS[4:])
    assert clf.vocabulary_ == vocabulary
    assert "resigns" not in vocabulary
    assert clf.classes_.tolist() == LABELS


def test_partial_fit_takes_classes_from_the_constructor_or_the_call():
    a = tiny(classes=LABELS).partial_fit(TEXTS[:1], TAGS[:1])
    b = tiny().partial_fit(TEXTS[:1], TAGS[:1], classes=LABELS)
    assert a.classes_.tolist() == b.classes_.tolist() == LABELS
    assert same_weights(a, b)


def test_partial_fit_with_the_same_classes_again():
    clf = tiny().partial_fit(TEXTS[:4], TAGS[:4], classes=np.array(LABELS))
    clf.partial_fit(TEXTS[4:8], TAGS[4:8], classes=np.array(LABELS))
    assert clf.n_epochs_ == 2
    with pytest.raises(ValueError, match=r"classes=\['food', 'news'\] differs from"):
        clf.partial_fit(TEXTS[:4], TAGS[:4], classes=["food", "news"])


@every_engine
def test_partial_fit_with_one_label_per_text():
    clf = tiny().partial_fit(TEXTS[:2], TOPICS[:2], classes=LABELS)
    clf.partial_fit(TEXTS[2:3], TOPICS[2:3])
    assert clf.predict(TEXTS).shape == (12,)
    assert clf.classes_.tolist() == LABELS


def test_partial_fit_with_a_batch_without_labels():
    clf = tiny().partial_fit(TEXTS, TAGS)
    clf.partial_fit(TEXTS[:2], [[], []])
    assert clf.n_epochs_ == 2


def test_partial_fit_refuses_new_labels():
    clf = tiny().partial_fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match=r"y\[0\] holds 'travel'"):
        clf.partial_fit(["a long journey"], [["travel"]])
    assert clf.n_epochs_ == 1


def test_partial_fit_refuses_another_kind():
    clf = tiny().partial_fit(TEXTS, TAGS)
    with pytest.raises(ValueError, match="one label per text, but the classifier was fitted on several"):
        clf.partial_fit(TEXTS, TOPICS)
    clf = tiny().partial_fit(TEXTS, TOPICS)
    with pytest.raises(
        ValueError, match="several labels per text, but the classifier was fitted on one"
    ):
        clf.partial_fit(TEXTS, TAGS)


@every_engine
def test_partial_fit_goes_on_after_pickling():
    through, straight = tiny(), tiny()
    for texts, tags in batches():
        through = pickle.loads(pickle.dumps(through.partial_fit(texts, tags, classes=LABELS)))
        straight.partial_fit(texts, tags, classes=LABELS)
    assert same_weights(through, straight)
    assert through.history_["loss"] == straight.history_["loss"]


@every_engine
def test_partial_fit_goes_on_from_fit():
    clf = tiny().fit(TEXTS, TAGS)
    clf.partial_fit(TEXTS, TAGS)
    assert clf.n_epochs_ == 3
    assert len(clf.history_["loss"]) == 3


def test_partial_fit_keeps_thresholds_that_were_assigned():
    clf = tiny().partial_fit(TEXTS, TAGS)
    clf.thresholds_ = np.array([0.1, 0.2, 0.3])
    clf.partial_fit(TEXTS, TAGS)
    assert clf.thresholds_.tolist() == [0.1, 0.2, 0.3]


@every_engine
def test_partial_fit_weighs_texts():
    weight = [1] * 6 + [0] * 6
    a = tiny().partial_fit(TEXTS, TAGS, sample_weight=weight)
    b = tiny().partial_fit(TEXTS[:6], TAGS[:6])
    assert same_weights(a, b)


# -- Keras ---------------------------------------------------------------------------------------------


@every_engine
@pytest.mark.parametrize("y_form", ["1-D", "label sets"])
@pytest.mark.parametrize("hidden_units", [None, 6])
def test_to_keras(y_form, hidden_units):
    clf = tiny(hidden_units=hidden_units).fit(TEXTS, Y_FORMS[y_form]())
    rows = [[clf.vocabulary_.get(word, -1) + 2 for word in re.findall(r"\w+|[^\w\s]", t)] for t in TEXTS]
    ids = np.zeros((len(rows), max(map(len, rows)) + 3), np.int32)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
    model = clf.to_keras()
    np.testing.assert_allclose(model.predict(ids, verbose=0), clf.predict_proba(TEXTS), atol=1e-5)


# -- text options --------------------------------------------------------------------------------------


def test_no_limit_of_length():
    clf = tiny(max_length=None).fit(TEXTS, TAGS)
    assert clf.max_length_ is None
    assert clf.predict(TEXTS).shape == (12, 3)
    assert same_weights(clf, fitted())


# -- what a review brought to light --------------------------------------------------------------------


def test_nothing_is_held_out_by_itself_where_no_text_can_be_spared():
    n = 1000
    texts, tags = [f"word{i % 7} text" for i in range(n)], [[f"tag {i}"] for i in range(n)]
    clf = tiny(epochs=1, batch_size=500).fit(texts, tags)
    assert sorted(clf.history_) == ["loss", "seconds"]
    assert (clf.thresholds_ == 0.5).all()


@every_engine
def test_histories_stay_in_step():
    clf = tiny(epochs=2, early_stopping=True, validation=0.25, warm_start=True)
    clf.fit(TEXTS, TAGS).set_params(validation=None).fit(TEXTS, TAGS).partial_fit(TEXTS, TAGS)
    assert {name: len(values) for name, values in clf.history_.items()} == {
        "loss": 5,
        "seconds": 5,
        "validation_score": 5,
    }
    assert np.isnan(clf.history_["validation_score"]).tolist() == [False, False, True, True, True]


def test_partial_fit_takes_the_classes_in_any_order():
    clf = tiny().partial_fit(TEXTS, TAGS).partial_fit(TEXTS, TAGS, classes=LABELS[::-1])
    assert clf.classes_.tolist() == LABELS
    with pytest.raises(TypeError, match="classes is a int; pass a list of labels"):
        clf.partial_fit(TEXTS, TAGS, classes=5)


def test_token_pattern_is_not_needed_beside_a_tokenizer():
    a = tiny(token_pattern=None, tokenizer=str.split).fit(TEXTS, TAGS)
    assert same_weights(a, tiny(tokenizer=str.split).fit(TEXTS, TAGS))
    with pytest.raises(ValueError, match="token_pattern=None needs a tokenizer"):
        tiny(token_pattern=None).fit(TEXTS, TAGS)
