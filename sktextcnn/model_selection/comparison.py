"""Is the network worth it? The classifier, linear SVMs and the network alone, fold by fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from textwrap import wrap
from time import perf_counter
from typing import Any

import numpy as np
from scipy import stats
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing

from sktextcnn.classifier import TextCNNClassifier
from sktextcnn.labels.matrix import LabelMatrix
from sktextcnn.labels.parsing import read_labels
from sktextcnn.metrics.scorers import get_scorer
from sktextcnn.metrics.tables import html_table, text_table, to_frame
from sktextcnn.model_selection.baseline import LinearBaseline
from sktextcnn.model_selection.splitters import MultilabelStratifiedKFold

#: What is measured where the caller does not say, for several labels per text and for one.
SCORING = {True: ("f1_micro", "f1_macro"), False: ("accuracy", "f1_macro")}

#: Fewer folds than these, and even large differences cannot be told from chance.
FEW_FOLDS = 10


@dataclass(frozen=True)
class Difference:
    """How much another model's score is below the classifier's; see `Comparison.differences`.

    Attributes
    ----------
    model : str
        The other model.
    measure : str
    mean : float
        Mean over folds of the classifier's score minus the other's.
    low, high : float
        Bounds of its 95 % confidence interval; NaN for a single fold.
    p_value : float
        Of the test that the true difference is 0; NaN for a single fold, or where all folds agree to the
        last digit.
    """

    model: str
    measure: str
    mean: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """Scores and times of several models on the same folds; see `compare_with_linear`.

    ``print`` shows it as a table, a notebook as an HTML table.

    Attributes
    ----------
    models : list of str of length m
        The classifier first.
    scores : dict of str to ndarray of shape (m, n_folds)
        Of each measure.
    fit_seconds : ndarray of shape (m, n_folds)
    predict_seconds : ndarray of shape (m, n_folds)
        For all measures together.
    n_train, n_test : ndarray of shape (n_folds,), dtype int64
        Number of texts.
    """

    models: list[str]
    scores: dict[str, np.ndarray]
    fit_seconds: np.ndarray
    predict_seconds: np.ndarray
    n_train: np.ndarray
    n_test: np.ndarray

    @cached_property
    def differences(self) -> list[Difference]:
        """The classifier against each other model, by each measure: corrected paired t-tests."""
        ratio = float(np.mean(self.n_test / self.n_train))
        return [
            Difference(model, measure, *corrected_t_test(values[0] - values[number], ratio))
            for measure, values in self.scores.items()
            for number, model in enumerate(self.models[1:], 1)
        ]

    def to_frame(self) -> Any:
        """Return means and standard deviations over folds, seconds, and differences.

        Returns
        -------
        pandas.DataFrame of m rows for each measure

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        header, *rows = self._cells()
        columns = dict(zip(header, zip(*rows, strict=True), strict=True))
        return to_frame({name: columns[name] for name in header[1:]}, columns["model"], "model")

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as lists, dicts, str, int, float and None, ready for JSON.

        Returns
        -------
        dict
            With ``models``, ``scores``, ``fit_seconds``, ``predict_seconds``, ``n_train``, ``n_test``
            and ``differences``.
        """
        names = ("fit_seconds", "predict_seconds", "n_train", "n_test")
        return {
            "models": [*self.models],
            "scores": {measure: values.tolist() for measure, values in self.scores.items()},
            **{name: getattr(self, name).tolist() for name in names},
            "differences": [
                {name: None if value != value else value for name, value in vars(difference).items()}
                for difference in self.differences
            ],
        }

    def __str__(self) -> str:
        header, *rows = self._cells()
        notes = [line for note in self._notes() for line in wrap(note, 100)]
        return "\n".join([self._title(), "", *text_table(header, rows), "", *notes])

    def __repr__(self) -> str:
        return f"<Comparison: {self._title()}>"

    def _repr_html_(self) -> str:
        header, *rows = self._cells()
        notes = "".join(f"<p>{note}</p>" for note in self._notes())
        return f"<div>{html_table(header, rows, self._title())}{notes}</div>"

    def _title(self) -> str:
        return (
            f"{len(self.models)} models, {len(self.n_train)} folds of about "
            f"{self.n_train.mean():.0f} texts to learn from and {self.n_test.mean():.0f} to test on"
        )

    def _notes(self) -> list[str]:
        n_folds = len(self.n_train)
        notes = [
            "difference: the first model's mean minus this one's, with a 95 % interval and the p-value "
            "of a corrected paired t-test (Nadeau and Bengio 2003). It is about these texts and one "
            "random state."
        ]
        if n_folds < FEW_FOLDS:
            notes.append(
                f"With so few folds ({n_folds}) only large differences can be told from chance: a large "
                "p-value does not mean that the models are equal. Repeat the cross-validation for more."
            )
        return notes

    def _cells(self) -> list[list]:
        """Return the rows of the table, the header first."""
        header = ["model", "measure", "mean", "std", "fit s", "predict s"]
        header += ["difference", "low", "high", "p"]
        found = {(item.model, item.measure): item for item in self.differences}
        rows: list[list] = [header]
        for measure, values in self.scores.items():
            for number, model in enumerate(self.models):
                of_model = values[number], self.fit_seconds[number], self.predict_seconds[number]
                score, *seconds = (float(of_folds.mean()) for of_folds in of_model)
                row = [model, measure, score, float(values[number].std()), *seconds]
                other = found.get((model, measure))
                row += [other.mean, other.low, other.high, other.p_value] if other else [np.nan] * 4
                rows.append(row)
        return rows


def corrected_t_test(differences: np.ndarray, ratio: float) -> tuple[float, float, float, float]:
    """Test whether the mean of paired differences over folds is 0.

    Training sets of different folds share most of their texts, so their scores are not independent, and
    the ordinary t-test finds differences that are not there. Nadeau and Bengio [1]_ replace the 1 / J in
    the variance of a mean of J folds by 1 / J + n_test / n_train.

    Parameters
    ----------
    differences : ndarray of shape (n_folds,)
    ratio : float
        Number of texts to test on, divided by that to learn from.

    Returns
    -------
    mean, low, high, p_value : float
        The mean, its 95 % confidence interval and the two-sided p-value; the last three NaN where the
        differences have no variance.

    References
    ----------
    .. [1] C. Nadeau and Y. Bengio (2003), Inference for the Generalization Error, Machine Learning 52,
       https://doi.org/10.1023/A:1024068626366.

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.model_selection.comparison import corrected_t_test
    >>> [round(value, 3) for value in corrected_t_test(np.array([0.01, 0.03, 0.02]), ratio=0.5)]
    [0.02, -0.019, 0.059, 0.16]
    """
    n, mean = len(differences), float(differences.mean())
    variance = float(differences.var(ddof=1)) if n > 1 else 0.0
    if not variance:
        return mean, np.nan, np.nan, np.nan
    error = np.sqrt((1 / n + ratio) * variance)
    margin = float(stats.t.ppf(0.975, n - 1) * error)
    p_value = float(2 * stats.t.sf(abs(mean) / error, n - 1))
    return mean, mean - margin, mean + margin, p_value


def compare_with_linear(
    clf: Any, X: Any, y: Any, *, cv: Any = 5, scoring: str | Iterable[str] | None = None
) -> Comparison:
    """Compare a classifier with tuned linear SVMs, and with its network alone, on the same folds.

    Use it before you choose a network: where the linear model is as good, it is the simpler one.

    Parameters
    ----------
    clf : TextCNNClassifier, or Pipeline that ends in one
        It is cloned; nothing is fitted in place. The others get the same `random_state`, and the same
        steps before them. What they are: `LinearBaseline`, with thresholds for the `metric` of the
        classifier; and the classifier with ``linear=False``, unless it has that already.
    X : sequence of str of length n
        Texts.
    y : labels, label sets or 0/1 matrix of n rows
        In any form that `TextCNNClassifier.fit` takes.
    cv : int or splitter, default=5
        Folds. An int shuffles the texts and stratifies by label, see `MultilabelStratifiedKFold`.
    scoring : str, iterable of str or None, default=None
        Measures, see `sktextcnn.metrics.get_scorer`; None: ``f1_micro`` and ``f1_macro``, and for one
        label per text ``accuracy`` and ``f1_macro``.

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError
        If `clf` is no `TextCNNClassifier`.
    ValueError
        If texts, labels or folds do not fit, or there is no measure of a name in `scoring`.

    Notes
    -----
    The test is the corrected resampled t-test [1]_, paired by fold. Its limits: the correction is a rule
    of thumb for training sets that overlap; with few folds it sees large differences alone; it says
    nothing about other texts, other random states or other parameters; and of many measures and models
    that are compared, one in twenty differs by chance.

    Seconds are those of one process at a time. The first fit on a machine compiles loops, once.

    References
    ----------
    .. [1] C. Nadeau and Y. Bengio (2003), Inference for the Generalization Error, Machine Learning 52,
       https://doi.org/10.1023/A:1024068626366.

    Examples
    --------
    >>> from sktextcnn import TextCNNClassifier
    >>> from sktextcnn.model_selection import compare_with_linear
    >>> texts = ["a goal for england", "late goal", "talks on tax", "tax cut passed"] * 5
    >>> tags = [["sport"], ["sport"], ["politics"], ["politics"]] * 5
    >>> clf = TextCNNClassifier(epochs=2, random_state=0)
    >>> comparison = compare_with_linear(clf, texts, tags, cv=2)
    >>> comparison.models
    ['TextCNNClassifier', 'LinearBaseline', 'network alone']
    >>> comparison.scores["f1_micro"].shape
    (3, 2)
    """
    labels = read_labels(y)
    # One label space for all folds, whatever labels are in them.
    y = (
        LabelMatrix(labels.matrix.toarray(), labels.classes)
        if labels.multilabel
        else labels.classes[labels.matrix.indices]
    )
    names = SCORING[labels.multilabel] if scoring is None else scoring
    scorer = get_scorer([names] if isinstance(names, str) else names)
    models = _models(clf)
    if isinstance(cv, Integral):
        seed = _classifier_in(clf).random_state
        cv = MultilabelStratifiedKFold(int(cv), shuffle=True, random_state=seed)
    folds = [*cv.split(X, y)]
    # Of shape (n_models, n_folds, 2 + n_measures).
    runs = np.array([[_run(model, X, y, fold, scorer) for fold in folds] for model in models.values()])
    return Comparison(
        models=[*models],
        scores={name: runs[:, :, 2 + number] for number, name in enumerate(scorer.names)},
        fit_seconds=runs[:, :, 0],
        predict_seconds=runs[:, :, 1],
        n_train=np.array([len(train) for train, _ in folds]),
        n_test=np.array([len(test) for _, test in folds]),
    )


def _classifier_in(clf: Any) -> TextCNNClassifier:
    classifier = clf.steps[-1][1] if isinstance(clf, Pipeline) else clf
    if not isinstance(classifier, TextCNNClassifier):
        raise TypeError(
            f"clf is a {type(classifier).__name__}; expected a TextCNNClassifier, or a Pipeline that "
            "ends in one."
        )
    return classifier


def _models(clf: Any) -> dict[str, Any]:
    """Return what is compared, by name, the classifier first."""
    classifier = _classifier_in(clf)

    def in_its_place(other: Any) -> Any:
        return clone(clf).set_params(**{clf.steps[-1][0]: other}) if isinstance(clf, Pipeline) else other

    threshold = "per_label" if classifier.metric == "f1_macro" else "shared"
    baseline = LinearBaseline(threshold=threshold, random_state=classifier.random_state)
    models = {"TextCNNClassifier": clone(clf), "LinearBaseline": in_its_place(baseline)}
    if classifier.linear:
        models["network alone"] = in_its_place(clone(classifier).set_params(linear=False))
    return models


def _run(
    model: Any, X: Any, y: Any, fold: tuple[np.ndarray, np.ndarray], scorer: Callable
) -> list[float]:
    """Return seconds of fitting and of predicting, and the scores."""
    (texts, labels), held_out = ((_safe_indexing(X, rows), _safe_indexing(y, rows)) for rows in fold)
    start = perf_counter()
    model = clone(model).fit(texts, labels)
    fitted = perf_counter()
    scores = scorer(model, *held_out)
    return [fitted - start, perf_counter() - fitted, *scores.values()]
