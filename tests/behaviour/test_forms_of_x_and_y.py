"""Fitting to every form of X and of y, and what comes out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.utils.multiclass import type_of_target

from sktextcnn import as_label_matrix, load
from tests.examples import (
    IS_SPORT,
    LABELS,
    TAGS,
    TEXTS,
    TOPICS,
    every_engine,
    matrix_of,
    same_weights,
    tiny,
)
from tests.forms import METHODS, X_FORMS, Y_FORMS, dense, every_pair, every_x, every_y, fitted

ONE_EACH = [[topic] for topic in IS_SPORT]


@every_x
@every_y
def test_fit_returns_self_and_the_form_of_x_and_y_changes_nothing(x_form, y_form):
    X, y = X_FORMS[x_form](TEXTS), Y_FORMS[y_form]()
    clf = tiny()
    assert clf.fit(X, y) is clf
    assert same_weights(clf, fitted("list", "1-D" if y_form == "1-D" else "label sets"))


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


# -- one label per text -----------------------------------------------------------------------------


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


@every_engine
def test_binary_decision_function_is_one_column():
    clf = tiny().fit(TEXTS, IS_SPORT)
    margins = clf.decision_function(TEXTS)
    assert margins.shape == (len(TEXTS),)
    assert clf.classes_.tolist() == ["other", "sport"]
    assert clf.predict(TEXTS).tolist() == np.where(margins > 0, "sport", "other").tolist()
    np.testing.assert_allclose(clf.predict_proba(TEXTS)[:, 1], 1 / (1 + np.exp(-margins)), atol=1e-6)


# -- several labels per text ------------------------------------------------------------------------


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


def test_names_of_several_labels_are_objects_as_of_multi_label_binarizer():
    expected = MultiLabelBinarizer().fit(TAGS).classes_.dtype
    for y in (TAGS, as_label_matrix(TAGS), pd.DataFrame(matrix_of(), columns=LABELS)):
        for classes in (None, LABELS, np.array(LABELS)):
            assert tiny(classes=classes).fit(TEXTS, y).classes_.dtype == expected


@pytest.mark.parametrize("y", [ONE_EACH, np.array([[1, 0], [0, 1]] * 6)], ids=["sets", "matrix"])
def test_rows_of_exactly_one_label_stay_multilabel(y):
    clf = tiny().fit(TEXTS, y)
    assert clf.multilabel_
    assert clf.loss_ == "binary_crossentropy"
    assert clf.predict(TEXTS).shape == (12, 2)
    assert set(np.unique(clf.predict(TEXTS))) <= {0, 1}
    # Independent labels: a text may get both or none, and probabilities need not sum to 1.
    assert np.abs(clf.predict_proba(TEXTS).sum(axis=1) - 1).max() > 1e-3
    clf.thresholds_ = np.zeros(2)
    np.testing.assert_array_equal(clf.predict(TEXTS), 1)
    clf.thresholds_ = np.ones(2)
    np.testing.assert_array_equal(clf.predict(TEXTS), 0)
    assert type_of_target(clf.predict(TEXTS)) == "multilabel-indicator"


def test_decision_function_of_two_labels_keeps_both_columns():
    clf = tiny().fit(TEXTS, matrix_of()[:, :2])
    logits = clf.decision_function(TEXTS)
    assert logits.shape == (len(TEXTS), 2)
    np.testing.assert_allclose(clf.predict_proba(TEXTS), 1 / (1 + np.exp(-logits)), atol=1e-6)


# -- probabilities and classes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "k"),
    [
        (TAGS, 3),
        (["a", "b"] * 6, 2),
        (["a", "b", "c", "b"] * 3, 3),
        (np.array([[1], [0], [1]] * 4), 1),
    ],
    ids=["sets", "binary", "multiclass", "one column"],
)
def test_probabilities_have_two_dimensions_also_for_one_row(y, k):
    clf = tiny().fit(TEXTS, y)
    assert clf.predict_proba(TEXTS).shape == (12, k)
    assert clf.predict_proba(TEXTS[:1]).shape == (1, k)
    assert len(clf.predict(TEXTS[:1])) == 1


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
