"""Predictions by name, whatever a classifier is wrapped in."""

from __future__ import annotations

from typing import Any

from sktextcnn.metrics.outcome import names_of, to_names


def predict_labels(estimator: Any, X: Any, *, labels: Any = None) -> list[tuple]:
    """Return the labels of texts by name, also through pipelines and searches.

    Those do not hand on a method of that name; this function finds the labels of the classifier in them.

    Parameters
    ----------
    estimator : classifier, pipeline or search
        Fitted: a `TextCNNClassifier`, any other classifier of scikit-learn's conventions, or a
        `Pipeline`, `GridSearchCV` or the like around one.
    X : sequence of str of length n
        Texts, or whatever its `predict` takes.
    labels : sequence of length k or None, default=None
        Names of the columns, for a classifier that was fitted on a matrix and does not know them.

    Returns
    -------
    list of tuple, of length n
        The names of each text's labels, 1-tuples for one label per text.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the classifier is not fitted.
    TypeError
        If `estimator` is no classifier.
    ValueError
        If `labels` are not as many as the columns it predicts.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from sktextcnn import TextCNNClassifier
    >>> from sktextcnn.model_selection import predict_labels
    >>> texts = ["a goal for england", "late goal", "talks on tax", "tax cut passed"] * 5
    >>> tags = [["sport"], ["sport"], ["politics"], ["politics"]] * 5
    >>> pipeline = make_pipeline(FunctionTransformer(), TextCNNClassifier(random_state=0))
    >>> predict_labels(pipeline.fit(texts, tags), ["a late goal", "tax talks"])
    [('sport',), ('politics',)]
    """
    decisions = estimator.predict(X)
    return to_names(decisions, names_of(estimator, decisions, labels))
