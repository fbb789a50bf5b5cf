"""What a fitted classifier says of texts beside what is true, whatever the classifier is wrapped in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.pipeline import Pipeline

from sktextcnn.labels.classes import check_classes
from sktextcnn.labels.matrix import LabelMatrix
from sktextcnn.labels.parsing import check_in_common, read_labels, read_with_unseen
from sktextcnn.objective import check_kind


@dataclass(frozen=True)
class Outcome:
    """Truth, decisions and scores of n texts and k labels.

    The labels are those of the classifier, and after them those that `y` alone has: a true label that
    training never saw is a miss. It is never predicted, and no score of it is known.

    Attributes
    ----------
    labels : ndarray of shape (k,)
        Names of the columns.
    multilabel : bool
        Whether a text may carry several labels.
    truth : ndarray of shape (n, k), dtype int8
        0/1.
    predicted : ndarray of shape (n, k), dtype int8
        0/1.
    scores : ndarray of shape (n, n_known) or None
        Probabilities, or other values that are higher for likelier labels; None if not asked for, or if
        the classifier has none.
    probabilistic : bool
        Whether the scores are probabilities.
    """

    labels: np.ndarray
    multilabel: bool
    truth: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray | None
    probabilistic: bool

    @cached_property
    def matrices(self) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """Truth and decisions as scikit-learn measures them a hundred times as fast, (n, k + 1)."""
        # It would take a single column for one label per text, so there is an empty one more.
        truth, predicted = sparse.csr_matrix(self.truth), sparse.csr_matrix(self.predicted)
        for matrix in (truth, predicted):
            matrix.resize(len(self.truth), len(self.labels) + 1)
        return truth, predicted

    def widen(self, values: np.ndarray, fill: float) -> np.ndarray:
        """Return `values` of the known labels with columns of `fill` for the others, shape (n, k)."""
        return _widen(values, len(self.labels), fill)


def observe(estimator: Any, X: Any, y: Any, labels: Any = None, *, with_scores: bool) -> Outcome:
    """Let a fitted classifier predict, and put what is true beside it.

    Parameters
    ----------
    estimator : classifier, pipeline or search
        Fitted.
    X : sequence of str of length n
        Whatever its `predict` takes.
    y : labels, label sets or 0/1 matrix of n rows
        True labels, in any form that `TextCNNClassifier.fit` takes.
    labels : sequence or None, default=None
        Names of the columns that it predicts; None: as it or, failing that, `y` knows them.
    with_scores : bool
        Whether to ask for scores as well.

    Returns
    -------
    Outcome

    Raises
    ------
    TypeError
        If `estimator` is no classifier.
    ValueError
        If `y` does not fit what it predicts.
    """
    X = [*X] if isinstance(X, Iterator) else X  # it may be read twice
    decisions = estimator.predict(X)
    multilabel = np.ndim(decisions) == 2 or sparse.issparse(decisions)
    known = names_of(estimator, decisions, labels, y)
    truth = read_with_unseen(y, known)
    check_kind(truth.multilabel, multilabel)
    check_in_common(y, known)
    predicted = to_indicator(decisions, known)
    n = truth.matrix.shape[0]
    if len(predicted) != n:
        raise ValueError(f"X has {len(predicted)} texts, but y has {n} rows; expected as many.")
    scores, probabilistic = _scores(estimator, X) if with_scores else (None, False)
    return Outcome(
        labels=truth.classes,
        multilabel=multilabel,
        truth=truth.matrix.toarray(),
        predicted=_widen(predicted, len(truth.classes), 0),
        scores=scores,
        probabilistic=probabilistic,
    )


def find_classifier(estimator: Any) -> Any:
    """Return the classifier inside of pipelines and searches."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def names_of(estimator: Any, decisions: Any, labels: Any = None, y: Any = None) -> np.ndarray:
    """Return what the columns of decisions are called, or the classes of one label per text.

    Parameters
    ----------
    estimator : classifier, pipeline or search
        Fitted.
    decisions : array-like or sparse matrix of shape (n,) or (n, k)
        What it predicts.
    labels : sequence or None, default=None
        Names of the columns, where the estimator does not know them.
    y : labels of any form, or None, default=None
        Its columns lend the names where neither of the others says them.

    Returns
    -------
    ndarray of shape (k,)

    Raises
    ------
    TypeError
        If `estimator` has no `classes_`.
    ValueError
        If `labels` does not fit `decisions`.
    """
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        raise TypeError(
            f"{type(find_classifier(estimator)).__name__} has no classes_; expected a classifier, or a "
            "pipeline or a search around one."
        )
    if np.ndim(decisions) == 1:
        if labels is not None:
            raise ValueError("labels names columns, but the classifier predicts one label per text.")
        return np.asarray(classes)
    k = decisions.shape[1]
    if labels is not None:
        names = check_classes(labels, "labels")
        if len(names) != k:
            raise ValueError(f"labels names {len(names)} columns, but the classifier predicts {k}.")
        return names
    # Most classifiers number their columns, or list the values in each, whatever they are called.
    numbered = isinstance(classes, list) or [*classes] == [*range(k)]
    if numbered and (isinstance(y, LabelMatrix) or hasattr(y, "columns")):
        names = read_labels(y).classes
        # Where some agree, the numbers are names themselves, perhaps in another order.
        if len(names) == k and not {*names.tolist()} & {*range(k)}:
            return names
    return np.arange(k) if isinstance(classes, list) else np.asarray(classes)


def to_indicator(decisions: Any, classes: np.ndarray) -> np.ndarray:
    """Return what a classifier predicts as a 0/1 matrix.

    Parameters
    ----------
    decisions : array-like of shape (n,) or (n, k), or sparse matrix
    classes : ndarray of shape (k,)

    Returns
    -------
    ndarray of shape (n, k), dtype int8
    """
    if sparse.issparse(decisions):
        return decisions.toarray().astype(np.int8)
    decisions = np.asarray(decisions)
    if decisions.ndim == 2:
        return decisions.astype(np.int8)
    column_of = {label: column for column, label in enumerate(classes.tolist())}
    columns = [column_of[label] for label in decisions.tolist()]
    return np.eye(len(classes), dtype=np.int8)[columns]


def _scores(estimator: Any, X: Any) -> tuple[np.ndarray | None, bool]:
    """Return scores, higher for likelier labels, and whether they are probabilities."""
    if hasattr(estimator, "predict_proba"):
        probabilities = estimator.predict_proba(X)
        if isinstance(probabilities, list):  # for each label those of its values
            pairs = zip(probabilities, estimator.classes_, strict=True)
            probabilities = np.stack([values @ (classes == 1) for values, classes in pairs], axis=1)
        return np.asarray(probabilities), True
    if hasattr(estimator, "decision_function"):
        margins = np.asarray(estimator.decision_function(X))
        return (np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins), False
    return None, False


def _widen(values: np.ndarray, width: int, fill: float) -> np.ndarray:
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=fill)


def to_names(decisions: Any, names: np.ndarray) -> list[tuple]:
    """Return what a classifier predicts as tuples of names.

    Parameters
    ----------
    decisions : array-like of shape (n,) or (n, k), or sparse matrix
    names : ndarray of shape (k,)

    Returns
    -------
    list of tuple, of length n
    """
    labels = names.tolist()
    return [
        tuple(labels[column] for column in np.flatnonzero(row)) for row in to_indicator(decisions, names)
    ]
