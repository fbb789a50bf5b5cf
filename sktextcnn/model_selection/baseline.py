"""The strongest cheap alternative to a network: linear SVMs with tuned thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import KFold
from sklearn.svm import LinearSVC
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from sktextcnn.inputs import read_input
from sktextcnn.metrics.measures import find_measure
from sktextcnn.metrics.outcome import observe, to_names
from sktextcnn.text.checks import check_texts


class LinearBaseline(ClassifierMixin, BaseEstimator):
    """Linear SVMs on tf-idf of words and word pairs, with thresholds tuned by cross-validation.

    What a text classifier has to beat: it is trained in seconds, and on long topical texts it is hard to
    beat. For several labels per text there is one `sklearn.svm.LinearSVC` per label. Its margins of
    training texts that it has not learned from tell from which margin on a label is best predicted;
    without that step, rare labels are hardly ever predicted.

    Parameters
    ----------
    ngram_range : tuple of (int, int), default=(1, 2)
        Fewest and most words of an n-gram.
    min_df : int or float, default=2
        Number or share of texts that must hold an n-gram.
    C : float, default=1.0
        Inverse of the regularization strength.
    threshold : {"shared", "per_label"} or float, default="shared"
        From which margin on a label is predicted. "shared": from the one, the same for all labels, that
        has the highest micro-averaged F1 on held-out texts. "per_label": each label from the one with
        its highest F1, which serves the macro-averaged F1. A float is taken as it is; 0 is what
        LinearSVC itself does. Not used for one label per text.
    cv : int or splitter, default=3
        Folds that thresholds are tuned on. An int divides texts at random.
    n_jobs : int or None, default=None
        SVMs of several labels that are trained at the same time, in processes. None: 1, unless in a
        `joblib.parallel_config` context; -1: as many as there are processors. It is worth it for large
        sets: each process gets a copy of the features.
    random_state : int, RandomState instance or None, default=None
        Of the folds and of the SVMs.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Labels.
    multilabel_ : bool
        Whether a text may carry several labels.
    sparse_output_ : bool
        Whether y was a SciPy sparse matrix.
    thresholds_ : ndarray of shape (k,)
        Margins from which labels are predicted; only for several labels per text.
    shared_threshold_ : float
        The best threshold for all labels; only for several labels per text and a tuned `threshold`.
    label_thresholds_ : ndarray of shape (k,)
        The best threshold of each label; only there, too.
    vectorizer_ : sklearn.feature_extraction.text.TfidfVectorizer
        From texts to tf-idf.
    coef_ : ndarray of shape (k, n_features), or (1, n_features) for two classes
        Weights of the n-grams.
    intercept_ : ndarray of shape (k,) or (1,)
        Margins of a text without any known n-gram.

    Examples
    --------
    >>> from sktextcnn.model_selection import LinearBaseline
    >>> texts = ["a goal for england", "late goal", "talks on tax", "tax cut passed"] * 5
    >>> tags = [["sport"], ["sport"], ["politics"], ["politics"]] * 5
    >>> svm = LinearBaseline(random_state=0).fit(texts, tags)
    >>> svm.predict_labels(["the goal", "no tax"])
    [('sport',), ('politics',)]
    """

    _parameter_constraints: dict = {
        "ngram_range": [tuple, list],
        "min_df": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="both")],
        "C": [Interval(Real, 0, None, closed="neither")],
        "threshold": [StrOptions({"shared", "per_label"}), Interval(Real, None, None, closed="neither")],
        "cv": [Interval(Integral, 2, None, closed="left"), HasMethods(["split", "get_n_splits"])],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        ngram_range: Sequence[int] = (1, 2),
        min_df: float = 2,
        C: float = 1.0,
        threshold: str | float = "shared",
        cv: Any = 3,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.ngram_range = ngram_range
        self.min_df = min_df
        self.C = C
        self.threshold = threshold
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any) -> LinearBaseline:
        """Learn from texts and their labels.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1)
            Texts.
        y : labels, label sets or 0/1 matrix of n rows
            In any form that `TextCNNClassifier.fit` takes.

        Returns
        -------
        self : LinearBaseline

        Raises
        ------
        TypeError, ValueError
            If texts or labels are not of these kinds, or no n-gram is in `min_df` texts.
        """
        texts, labels, _ = read_input(X, y, None, None)
        self.classes_, self.multilabel_ = labels.classes, labels.multilabel
        self.sparse_output_ = labels.sparse
        if self.multilabel_:
            targets = labels.matrix.toarray()
            self._tune(texts, targets)
            self.vectorizer_, self.coef_, self.intercept_ = self._fit(texts, targets)
        else:
            self.vectorizer_ = self._vectorizer()
            svm = self._svm().fit(self.vectorizer_.fit_transform(texts), labels.matrix.indices)
            self.coef_, self.intercept_ = svm.coef_, svm.intercept_
        return self

    def _tune(self, texts: list[str], targets: np.ndarray) -> None:
        k = targets.shape[1]
        if not isinstance(self.threshold, str):
            self.thresholds_ = np.full(k, float(self.threshold))
            return
        folds = self.cv
        if isinstance(folds, Integral):
            folds = KFold(folds, shuffle=True, random_state=self.random_state)
        held_out = np.full(targets.shape, np.nan)
        for rows, others in folds.split(texts, targets):
            model = self._fit([texts[row] for row in rows], targets[rows])
            held_out[others] = _margins([texts[row] for row in others], *model)
        known = ~np.isnan(held_out[:, 0])  # a splitter may hold out some texts only
        held_out, truth = held_out[known], targets[known]
        self.shared_threshold_ = best_threshold(held_out.ravel(), truth.ravel())
        pairs = zip(held_out.T, truth.T, strict=True)
        self.label_thresholds_ = np.array([best_threshold(*pair) for pair in pairs])
        own, shared = self.label_thresholds_, np.full(k, self.shared_threshold_)
        self.thresholds_ = own if self.threshold == "per_label" else shared

    def _vectorizer(self) -> TfidfVectorizer:
        return TfidfVectorizer(
            ngram_range=tuple(self.ngram_range), sublinear_tf=True, min_df=self.min_df
        )

    def _fit(
        self, texts: list[str], targets: np.ndarray
    ) -> tuple[TfidfVectorizer, np.ndarray, np.ndarray]:
        """Return one SVM per label; the margins of one that all or no texts carry are 1 or -1."""
        vectorizer = self._vectorizer()
        features = vectorizer.fit_transform(texts)
        coef = np.zeros((targets.shape[1], features.shape[1]))
        intercept = np.where(targets.all(axis=0), 1.0, -1.0)
        labels = np.flatnonzero(targets.any(axis=0) & ~targets.all(axis=0))
        # Not in threads: liblinear has one stream of random numbers, which they would share.
        svms = Parallel(n_jobs=self.n_jobs, return_as="generator")(
            delayed(self._svm().fit)(features, targets[:, label]) for label in labels
        )
        for label, svm in zip(labels, svms, strict=True):
            coef[label], intercept[label] = svm.coef_[0], svm.intercept_[0]
        return vectorizer, coef, intercept

    def _svm(self) -> LinearSVC:
        return LinearSVC(C=self.C, random_state=self.random_state)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the margins of labels.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1)
            Texts.

        Returns
        -------
        ndarray of shape (n, k), or (n,) for two classes and one label per text
            In the latter case that of the second class.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        TypeError, ValueError
            If `X` is not a sequence of texts.
        """
        check_is_fitted(self)
        margins = _margins(check_texts(X), self.vectorizer_, self.coef_, self.intercept_)
        return margins if self.multilabel_ or len(self.classes_) > 2 else margins.ravel()

    def predict(self, X: Any) -> Any:
        """Return the labels of texts in the form that scikit-learn's metrics take.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1)
            Texts.

        Returns
        -------
        ndarray of shape (n,), ndarray of shape (n, k), or csr_matrix of shape (n, k)
            One label per text; 0/1 for several; sparse 0/1 if y was sparse.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        TypeError, ValueError
            If `X` is not a sequence of texts.
        """
        margins = self.decision_function(X)
        if self.multilabel_:
            decisions = (margins >= self.thresholds_).astype(np.int64)
            return sparse.csr_matrix(decisions) if self.sparse_output_ else decisions
        return self.classes_[margins.argmax(axis=1) if margins.ndim == 2 else (margins > 0).astype(int)]

    def predict_labels(self, X: Any) -> list[tuple]:
        """Return the labels of texts by name.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1)
            Texts.

        Returns
        -------
        list of tuple, of length n
            The names of each text's labels in the order of `classes_`, 1-tuples for one label per text.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        TypeError, ValueError
            If `X` is not a sequence of texts.
        """
        return to_names(self.predict(X), self.classes_)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of texts whose labels are all predicted, and no others.

        Parameters
        ----------
        X : 1-D sequence of str of length n, or a column of shape (n, 1)
            Texts.
        y : labels, label sets or 0/1 matrix of n rows
            True labels. A text with a label that was not seen in training counts as a miss.
        sample_weight : array-like of shape (n,) or None, default=None
            Weight of each text in the mean.

        Returns
        -------
        float

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the classifier is not fitted.
        ValueError
            If `y` is not of the kind that the classifier was fitted on, or lengths differ.
        """
        return find_measure("accuracy")(observe(self, X, y, with_scores=False), sample_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags


def _margins(
    texts: list[str], vectorizer: TfidfVectorizer, coef: np.ndarray, intercept: np.ndarray
) -> np.ndarray:
    return vectorizer.transform(texts) @ coef.T + intercept


def best_threshold(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the threshold with the highest F1.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Of any scale.
    truth : ndarray of shape (n,)
        0/1.

    Returns
    -------
    float
        Halfway between two scores; beyond the highest one if nothing is true.

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.model_selection.baseline import best_threshold
    >>> best_threshold(np.array([-1.0, 0.0, 2.0]), np.array([0, 1, 1]))
    -0.5
    """
    order = np.argsort(-scores, kind="stable")
    descending, hits = scores[order], np.cumsum(truth[order])
    if not hits[-1]:
        return float(descending[0] + 1)
    f1 = 2 * hits / (np.arange(1, len(scores) + 1) + hits[-1])
    f1[:-1][descending[:-1] == descending[1:]] = -1  # no threshold between equal scores
    best = int(f1.argmax())
    return float((descending[best] + descending[min(best + 1, len(scores) - 1)]) / 2)
