"""Scorers for scikit-learn's model selection that know label sets and label matrices."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sktextcnn.metrics.measures import find_measure, needs_scores
from sktextcnn.metrics.outcome import observe


class Scorer:
    """One measure or several, as scikit-learn's ``scoring`` takes them; see `get_scorer`.

    Parameters
    ----------
    names : str or tuple of str
        A str gives a float, a tuple a dict of floats.
    """

    def __init__(self, names: str | tuple[str, ...]) -> None:
        self.names = names

    def __call__(
        self, estimator: Any, X: Any, y: Any, sample_weight: Any = None
    ) -> float | dict[str, float]:
        """Return what the predictions of a fitted classifier are worth; the higher, the better.

        Parameters
        ----------
        estimator : classifier, pipeline or search
            Fitted.
        X : sequence of str of length n
            Whatever its `predict` takes.
        y : labels, label sets or 0/1 matrix of n rows
            True labels. Those that training never saw are misses.
        sample_weight : array-like of shape (n,) or None, default=None
            Weight of each text.

        Returns
        -------
        float or dict of float
        """
        names = (self.names,) if isinstance(self.names, str) else self.names
        outcome = observe(estimator, X, y, with_scores=any(map(needs_scores, names)))
        values = {name: find_measure(name)(outcome, sample_weight) for name in names}
        return values[self.names] if isinstance(self.names, str) else values

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Scorer) and self.names == other.names

    def __hash__(self) -> int:
        return hash(self.names)

    def __repr__(self) -> str:
        if isinstance(self.names, str):
            return f"get_scorer({self.names!r})"
        return f"get_scorer({[*self.names]!r})"


def get_scorer(names: str | Iterable[str]) -> Scorer:
    """Return a scorer by name, or one for several names at once.

    It goes where scikit-learn takes ``scoring``: `cross_validate`, `GridSearchCV` and others; alone or
    as a value of a dict. The texts are predicted once for all names. What differs from scikit-learn's
    own scorers of the same names:

    - y may have any form that `TextCNNClassifier.fit` takes, label sets among them, and the classifier
      may be inside of a pipeline or a search;
    - a true label that training never saw is a label like any other that is never predicted: it counts
      in recall and in the mean over labels;
    - measures of scores work with one label and with two, and with every version of scikit-learn;
    - what is undefined is 0, without a warning; the macro-averaged average precision leaves out labels
      that no text carries.

    Parameters
    ----------
    names : str or iterable of str
        ``accuracy`` (all labels of a text right, and no others), ``neg_hamming_loss``; ``f1``,
        ``jaccard``, ``precision``, ``recall`` followed by ``_micro``, ``_macro``, ``_weighted`` or
        ``_samples``; ``average_precision_micro``, ``average_precision_macro``, ``lrap`` (label ranking
        average precision), ``neg_coverage_error``; ``precision_at_3``, ``recall_at_3``, ``ndcg_at_3``
        with any number. `measure_names` lists them.

    Returns
    -------
    Scorer
        Called with a fitted classifier, texts and labels it returns a float; a dict of floats if `names`
        is no str.

    Raises
    ------
    ValueError
        If there is no measure of that name.

    Examples
    --------
    >>> from sklearn.model_selection import cross_validate
    >>> from sktextcnn import TextCNNClassifier, as_label_matrix
    >>> from sktextcnn.metrics import get_scorer
    >>> texts = ["a goal", "late goal", "talks on tax", "tax cut"] * 3
    >>> Y = as_label_matrix([["sport"], ["sport"], ["politics"], ["politics", "news"]] * 3)
    >>> clf = TextCNNClassifier(epochs=2, linear=False, validation=None, random_state=0)
    >>> scores = cross_validate(clf, texts, Y, cv=3, scoring=get_scorer(["f1_micro", "lrap"]))
    >>> sorted(scores)
    ['fit_time', 'score_time', 'test_f1_micro', 'test_lrap']
    """
    chosen = names if isinstance(names, str) else tuple(names)
    if not chosen:
        raise ValueError("names is empty; expected the name of a measure, or several.")
    for name in (chosen,) if isinstance(chosen, str) else chosen:
        find_measure(name)
    return Scorer(chosen)
