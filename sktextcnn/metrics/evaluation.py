"""The evaluation of a fitted classifier: overall, and label by label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

from sktextcnn.metrics.measures import find_measure, needs_scores
from sktextcnn.metrics.outcome import Outcome, find_classifier, observe
from sktextcnn.metrics.tables import html_table, measures_in_words, text_table, to_frame
from sktextcnn.objective import check_sample_weight

#: Overall measures of several labels per text, and of one.
MEASURES = {
    True: (
        *("f1_micro", "f1_macro", "f1_weighted", "f1_samples", "precision_micro", "recall_micro"),
        *("jaccard_samples", "accuracy", "neg_hamming_loss", "average_precision_micro"),
        *("average_precision_macro", "lrap", "neg_coverage_error"),
    ),
    False: ("accuracy", "f1_macro", "f1_weighted", "precision_macro", "recall_macro"),
}

#: Labels in the table of `str`: those with most texts.
MOST_ROWS = 40

_HEADER = ("label", "precision", "recall", "F1", "support", "threshold")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a classifier gets right and wrong on n texts with k labels; see `evaluate`.

    ``print`` shows it as a table, a notebook as an HTML table: measures in words there, and losses as
    they are, the lower the better.

    Attributes
    ----------
    labels : list of length k
        Those of the classifier, then those that only the true labels have.
    multilabel : bool
        Whether a text may carry several labels.
    truth : ndarray of shape (n, k), dtype int8
        True labels, 0/1.
    predicted : ndarray of shape (n, k), dtype int8
        Predicted labels, 0/1.
    probabilities : ndarray of shape (n, k) or None
        Of each label, 0 where training never saw it; None if the classifier tells none.
    thresholds : ndarray of shape (k,) or None
        Probabilities from which labels are predicted, NaN where training never saw the label; None if
        the classifier tells no probabilities or has no `thresholds_`, or gives each text one label.
    precision : ndarray of shape (k,)
        Share of the texts predicted to carry the label that do; 0 if there are none.
    recall : ndarray of shape (k,)
        Share of the texts with the label that were predicted to carry it; 0 if there are none.
    f1 : ndarray of shape (k,)
        Harmonic mean of the two.
    support : ndarray of shape (k,), dtype int64
        Number of texts with the label, whatever their weights.
    scores : dict of str to float
        Overall measures by name, see `get_scorer`; the higher, the better.
    """

    labels: list
    multilabel: bool
    truth: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray | None
    thresholds: np.ndarray | None
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    scores: dict[str, float]

    @property
    def n_texts(self) -> int:
        """Number of texts."""
        return len(self.truth)

    def to_frame(self) -> Any:
        """Return precision, recall, F1, support and threshold of each label.

        Returns
        -------
        pandas.DataFrame of k rows
            Without the column ``threshold`` where there are none.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return to_frame(self._columns(), self.labels, "label")

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as lists, dicts, str, int, float and None, ready for JSON.

        Returns
        -------
        dict
            With ``n_texts``, ``multilabel``, ``scores``, and ``labels``: for each a dict of ``label``,
            ``precision``, ``recall``, ``f1``, ``support`` and, where there are any, ``threshold``.
        """
        columns = {"label": self.labels}
        columns |= {name: _plain(values) for name, values in self._columns().items()}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return {
            "n_texts": self.n_texts,
            "multilabel": self.multilabel,
            "scores": dict(self.scores),
            "labels": rows,
        }

    def __str__(self) -> str:
        rows, n_left = self._rows(MOST_ROWS)
        more = [f"... and {n_left} labels with fewer texts"] if n_left else []
        overall = text_table(["measure", "value"], measures_in_words(self.scores))
        return "\n".join([self._title(), "", *overall, "", *text_table(self._header(), rows), *more])

    def __repr__(self) -> str:
        return f"<Evaluation: {self._title()}>"

    def _repr_html_(self) -> str:
        rows, _ = self._rows(len(self.labels))
        measures = measures_in_words(self.scores)
        overall = html_table(["measure", "value"], measures, self._title())
        return f"<div>{overall}<br>{html_table(self._header(), rows)}</div>"

    def _title(self) -> str:
        first, second = list(self.scores.items())[:2]
        return (
            f"{self.n_texts} texts, {len(self.labels)} labels: "
            f"{first[0]} {first[1]:.3f}, {second[0]} {second[1]:.3f}"
        )

    def _columns(self) -> dict[str, np.ndarray]:
        columns = {name: getattr(self, name) for name in ("precision", "recall", "f1", "support")}
        return columns if self.thresholds is None else {**columns, "threshold": self.thresholds}

    def _header(self) -> list[str]:
        return [*_HEADER[: len(self._columns()) + 1]]

    def _rows(self, most: int) -> tuple[list[tuple], int]:
        """Return the rows of the labels with most texts, and how many labels are left."""
        columns = [values.tolist() for values in self._columns().values()]
        order = np.argsort(-self.support, kind="stable")[:most]
        rows = [(self.labels[i], *(values[i] for values in columns)) for i in order]
        return rows, len(self.labels) - len(rows)


def evaluate(
    estimator: Any, X: Any, y: Any, *, labels: Any = None, sample_weight: Any = None
) -> Evaluation:
    """Evaluate a fitted classifier on texts with known labels.

    Parameters
    ----------
    estimator : classifier, pipeline or search
        Fitted: a `TextCNNClassifier`, any other classifier of scikit-learn's conventions, or a
        `Pipeline`, `GridSearchCV` or the like around one.
    X : sequence of str of length n
        Texts, or whatever its `predict` takes.
    y : labels, label sets or 0/1 matrix of n rows
        True labels, in any form that `TextCNNClassifier.fit` takes. Those that training never saw are
        evaluated like others that are never predicted.
    labels : sequence of length k or None, default=None
        Names of the columns, for a classifier that was fitted on a matrix and does not know them; None:
        as it, or a named matrix `y`, says.
    sample_weight : array-like of shape (n,) or None, default=None
        Weight of each text in precision, recall, F1 and `scores`.

    Returns
    -------
    Evaluation

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the classifier is not fitted.
    TypeError
        If `estimator` is no classifier, or `y` has no meaning as labels.
    ValueError
        If `y` does not fit what the classifier predicts, lengths differ, or weights are negative, not
        finite or all zero.

    Examples
    --------
    >>> from sktextcnn import TextCNNClassifier
    >>> from sktextcnn.metrics import evaluate
    >>> texts = ["a goal for england", "late goal", "talks on tax", "tax cut passed"] * 5
    >>> tags = [["sport"], ["sport"], ["politics"], ["politics"]] * 5
    >>> clf = TextCNNClassifier(random_state=0).fit(texts, tags)
    >>> evaluation = evaluate(clf, ["a late goal", "tax talks"], [["sport"], ["politics"]])
    >>> evaluation.scores["f1_micro"]
    1.0
    >>> evaluation.to_frame()[["f1", "support"]]
               f1  support
    label
    politics  1.0        1
    sport     1.0        1
    """
    outcome = observe(estimator, X, y, labels, with_scores=True)
    weight = sample_weight
    if weight is not None:
        weight = check_sample_weight(weight, len(outcome.truth))
    probabilities, thresholds = None, None
    if outcome.probabilistic and outcome.scores is not None:
        probabilities = outcome.widen(outcome.scores, 0)
    classifier = find_classifier(estimator)
    if outcome.multilabel and outcome.probabilistic and hasattr(classifier, "thresholds_"):
        given = np.asarray(classifier.thresholds_, float)
        thresholds = outcome.widen(given[None], np.nan)[0]
    precision, recall, f1, _ = precision_recall_fscore_support(
        *outcome.matrices,
        labels=range(len(outcome.labels)),
        zero_division=0,
        sample_weight=weight,
    )
    return Evaluation(
        labels=outcome.labels.tolist(),
        multilabel=outcome.multilabel,
        truth=outcome.truth,
        predicted=outcome.predicted,
        probabilities=probabilities,
        thresholds=thresholds,
        precision=precision,
        recall=recall,
        f1=f1,
        support=outcome.truth.sum(axis=0, dtype=np.int64),
        scores=_overall(outcome, weight),
    )


def _overall(outcome: Outcome, weight: np.ndarray | None) -> dict[str, float]:
    names = MEASURES[outcome.multilabel]
    if outcome.scores is None:
        names = tuple(name for name in names if not needs_scores(name))
    return {name: find_measure(name)(outcome, weight) for name in names}


def _plain(values: np.ndarray) -> list:
    return [None if value != value else value for value in values.tolist()]
