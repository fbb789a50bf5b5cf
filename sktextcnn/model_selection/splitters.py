"""Splitters of scikit-learn's kind for texts with several labels, and a division into two parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator, BaseShuffleSplit, KFold, ShuffleSplit
from sklearn.utils import _safe_indexing, check_random_state, indexable

from sktextcnn.labels.parsing import read_labels
from sktextcnn.model_selection.stratification import divide


class MultilabelStratifiedKFold(BaseCrossValidator):
    """K-fold cross-validation in which every fold has its share of every label.

    As `sklearn.model_selection.StratifiedKFold`, for texts with any number of labels: iterative
    stratification [1]_. Pass it as ``cv`` to `cross_validate`, `GridSearchCV` and others, or as
    `validation` to `TextCNNClassifier`.

    - Every row is held out once, and the sizes of folds differ by one at most, unless a label would be
      lost otherwise.
    - A label with two rows or more has one in every training part, if no row has as many labels as there
      are folds; with more labels to a row, where that can be had.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=False
        Whether to take rows in random order.
    random_state : int, RandomState instance or None, default=None
        Of that order. An int makes every call of `split` give the same folds.

    References
    ----------
    .. [1] K. Sechidis, G. Tsoumakas and I. Vlahavas (2011), On the Stratification of Multi-label Data,
       ECML PKDD, https://doi.org/10.1007/978-3-642-23808-6_10.

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.model_selection import MultilabelStratifiedKFold
    >>> tags = [["news"], ["news", "sport"], ["news"], ["news", "sport"]]
    >>> for train, test in MultilabelStratifiedKFold(n_splits=2).split(np.zeros(4), tags):
    ...     print([tags[row] for row in test])
    [['news'], ['news', 'sport']]
    [['news'], ['news', 'sport']]
    """

    def __init__(self, n_splits: int = 5, *, shuffle: bool = False, random_state: Any = None) -> None:
        KFold(n_splits, shuffle=shuffle, random_state=random_state)  # refuses what it cannot take
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds; no argument is used."""
        return self.n_splits

    def split(self, X: Any, y: Any, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield row numbers to learn from and to test on, for each fold.

        Parameters
        ----------
        X : sequence of length n
            Texts; only their number counts.
        y : labels, label sets or 0/1 matrix of n rows
            In any form that `TextCNNClassifier.fit` takes.
        groups : object, default=None
            Not used.

        Yields
        ------
        train, test : ndarray of int
            Ascending.

        Raises
        ------
        TypeError, ValueError
            If `y` has no meaning as labels, lengths differ, or there are fewer rows than folds.
        """
        yield from super().split(X, y, groups)

    def _iter_test_indices(
        self, X: Any = None, y: Any = None, groups: Any = None
    ) -> Iterator[np.ndarray]:
        targets = read_labels(y).matrix
        n = targets.shape[0]
        if n < self.n_splits:
            raise ValueError(f"n_splits={self.n_splits}; expected at most {n}, the number of rows.")
        sizes = [n // self.n_splits + (fold < n % self.n_splits) for fold in range(self.n_splits)]
        part = divide(targets, sizes, check_random_state(self.random_state) if self.shuffle else None)
        for fold in range(self.n_splits):
            yield np.flatnonzero(part == fold)


class MultilabelStratifiedShuffleSplit(BaseShuffleSplit):
    """Random divisions into two parts with the same share of every label.

    As `sklearn.model_selection.StratifiedShuffleSplit`, for texts with any number of labels: iterative
    stratification, see `MultilabelStratifiedKFold`. Every label has a row in the training part at least;
    the test part is smaller than asked for if that takes it.

    Parameters
    ----------
    n_splits : int, default=10
        Number of divisions.
    test_size : float, int or None, default=None
        Share or number of rows to test on; None: what `train_size` leaves, or .1.
    train_size : float, int or None, default=None
        Share or number of rows to learn from; None: what `test_size` leaves.
    random_state : int, RandomState instance or None, default=None
        An int makes every call of `split` give the same divisions.

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.model_selection import MultilabelStratifiedShuffleSplit
    >>> tags = [["news"], ["news", "sport"], ["news"], ["news", "sport"], ["rare"]]
    >>> splitter = MultilabelStratifiedShuffleSplit(20, test_size=2, random_state=0)
    >>> all(4 in train for train, test in splitter.split(np.zeros(5), tags))
    True
    """

    def __init__(
        self,
        n_splits: int = 10,
        *,
        test_size: float | None = None,
        train_size: float | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(n_splits, test_size=test_size, train_size=train_size, random_state=random_state)
        self._default_test_size = 0.1

    def split(self, X: Any, y: Any, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield row numbers to learn from and to test on, for each division.

        Parameters
        ----------
        X : sequence of length n
            Texts; only their number counts.
        y : labels, label sets or 0/1 matrix of n rows
            In any form that `TextCNNClassifier.fit` takes.
        groups : object, default=None
            Not used.

        Yields
        ------
        train, test : ndarray of int
            In random order.

        Raises
        ------
        TypeError, ValueError
            If `y` has no meaning as labels, lengths differ, or no row can be tested on.
        """
        yield from super().split(X, y, groups)

    def _iter_indices(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        targets = read_labels(y).matrix
        n = targets.shape[0]
        # How scikit-learn reads sizes, and what it says of those that do not fit.
        plain = ShuffleSplit(1, test_size=self.test_size, train_size=self.train_size)
        plain._default_test_size = self._default_test_size
        n_train, n_test = map(len, next(plain.split(targets)))
        rng = check_random_state(self.random_state)
        for _ in range(self.n_splits):
            part = divide(targets, [n_train, n_test, n - n_train - n_test], rng, learn_from=0)
            if not (part == 1).any():
                raise ValueError(
                    f"{n} rows leave nothing to test on, since every label needs one to learn from. "
                    "Pass more rows, or leave out labels that a single row carries."
                )
            yield tuple(rng.permutation(np.flatnonzero(part == number)) for number in (0, 1))


def train_test_split(
    X: Any,
    y: Any,
    *arrays: Any,
    test_size: float | None = None,
    train_size: float | None = None,
    random_state: Any = None,
) -> list:
    """Divide texts and labels at random into two parts with the same share of every label.

    As `sklearn.model_selection.train_test_split` with ``stratify=y``, for texts with any number of
    labels. Every label has a row in the training part at least; the test part is smaller than asked for
    if that takes it.

    Parameters
    ----------
    X : sequence of length n
        Texts.
    y : labels, label sets or 0/1 matrix of n rows
        In any form that `TextCNNClassifier.fit` takes.
    *arrays : sequences of length n
        More to be divided alike, such as weights.
    test_size : float, int or None, default=None
        Share or number of rows to test on; None: what `train_size` leaves, or .25.
    train_size : float, int or None, default=None
        Share or number of rows to learn from; None: what `test_size` leaves.
    random_state : int, RandomState instance or None, default=None
        An int makes every call give the same division.

    Returns
    -------
    list
        The two parts of X, those of y, and those of each other array, each of the type that was passed.

    Raises
    ------
    TypeError, ValueError
        If `y` has no meaning as labels, lengths differ, or no row can be tested on.

    Examples
    --------
    >>> from sktextcnn.model_selection import train_test_split
    >>> texts = ["a goal", "late goal", "a tax", "tax talks", "a storm"]
    >>> tags = [["sport"], ["sport"], ["politics"], ["politics"], ["weather"]]
    >>> texts_train, texts_test, tags_train, tags_test = train_test_split(
    ...     texts, tags, test_size=2, random_state=0
    ... )
    >>> sorted(tags_test)
    [['politics'], ['sport']]
    """
    splitter = MultilabelStratifiedShuffleSplit(
        1, test_size=test_size, train_size=train_size, random_state=random_state
    )
    splitter._default_test_size = 0.25
    parts = indexable(X, y, *arrays)
    train, test = next(splitter.split(X, y))
    return [_safe_indexing(values, rows) for values in parts for rows in (train, test)]
