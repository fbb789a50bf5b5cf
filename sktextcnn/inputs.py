"""What users pass to `fit`, checked and brought into one form."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from sktextcnn.labels.classes import check_classes, shown
from sktextcnn.labels.collecting import LabelCollector
from sktextcnn.labels.forms import Labels
from sktextcnn.labels.hints import STACKLEVEL, warn_if_empty, warn_if_joined, warn_if_repeated
from sktextcnn.labels.parsing import read_labels
from sktextcnn.objective import check_sample_weight
from sktextcnn.stream import TextStream
from sktextcnn.text.checks import check_texts
from sktextcnn.text.numbering import TokenNumbering
from sktextcnn.text.tokens import TokenIds


def check_known_classes(classes: Any, fitted: np.ndarray) -> None:
    """Refuse `classes`, unless None, that name labels which a model that goes on learning lacks.

    Parameters
    ----------
    classes : sequence or None
        As of the constructor, in any order. There may be fewer, as the model may have got more since.
    fitted : ndarray of shape (k,)
        Labels of the fitted model.

    Raises
    ------
    TypeError, ValueError
        As of `check_classes`; or if the model lacks a label.
    """
    if classes is None:
        return
    named = check_classes(classes).tolist()
    lacking = [label for label in named if label not in {*fitted.tolist()}]
    if lacking:
        raise ValueError(
            f"The parameter classes holds {lacking[0]!r}, which the fitted model lacks; it knows "
            f"{shown(fitted)}. partial_fit(X, y, classes=[*clf.classes_, {lacking[0]!r}]) adds it; or "
            "fit a clone."
        )


def read_input(X: Any, y: Any, sample_weight: Any, classes: Any) -> tuple[list[str], Labels, np.ndarray]:
    """Check texts, labels and weights, on their own and together; leave out texts of weight 0.

    Parameters
    ----------
    X : 1-D sequence of str of length n, or a column of shape (n, 1)
    y : labels, label sets or 0/1 matrix of n rows
    sample_weight : array-like of shape (n,) or None
    classes : sequence or None
        Fixes the label space.

    Returns
    -------
    texts : list of str
    labels : Labels
    sample_weight : ndarray of shape (n,)

    Raises
    ------
    TypeError, ValueError
        As of `check_texts`, `read_labels` and `check_sample_weight`; or if lengths differ.
    """
    texts = check_texts(X)
    given = read_labels(y, classes)
    n = given.matrix.shape[0]
    if len(texts) != n:
        raise ValueError(f"X has {len(texts)} texts, but y has {n} rows; expected as many.")
    weight = check_sample_weight(sample_weight, n)
    if not weight.all():
        kept = np.flatnonzero(weight)
        texts, weight = [texts[row] for row in kept], weight[kept]
        given = replace(given, matrix=given.matrix[kept])
    warn_if_repeated(texts, given)
    warn_if_joined(given)
    warn_if_empty(given)
    return texts, given, weight


def read_stream(
    stream: TextStream, y: Any, sample_weight: Any, classes: Any, numbering: TokenNumbering
) -> tuple[TokenIds, Labels, np.ndarray]:
    """Read a stream to its end: tokens are numbered as they come, and written to disk.

    Parameters
    ----------
    stream : TextStream
    y, sample_weight : None
        The labels are in the stream, and its texts have the same weight.
    classes : sequence or None
        Fixes the label space.
    numbering : TokenNumbering
        Without texts yet.

    Returns
    -------
    numbered : TokenIds
        Of n texts, on disk, in terms of an empty vocabulary.
    labels : Labels
    sample_weight : ndarray of shape (n,)

    Raises
    ------
    TypeError, ValueError
        If there is a `y` or a `sample_weight`; as of the stream and of `read_labels`.
    """
    check_alone(y, sample_weight)
    labels = LabelCollector(classes)
    for texts, rows in stream.chunks():
        numbering.add(texts)
        labels.add(rows)
    given = labels.finish()
    warn_if_joined(given)
    warn_if_empty(given)
    return numbering.finish(), given, np.ones(given.matrix.shape[0])


def check_alone(y: Any, sample_weight: Any) -> None:
    """Refuse labels and weights beside a stream.

    Parameters
    ----------
    y, sample_weight : object

    Raises
    ------
    ValueError
        If one of them is not None.
    """
    if y is not None:
        raise ValueError("X is a TextStream, which brings the labels of its texts; leave y out.")
    if sample_weight is not None:
        raise ValueError(
            "X is a TextStream, whose texts all have the same weight; leave sample_weight out, or pass "
            "texts and labels as lists."
        )


def warn_if_sampled(n_sampled: int, n: int) -> None:
    """Warn where the linear part learns from some texts of a stream alone.

    Parameters
    ----------
    n_sampled, n : int
        How many of how many texts.
    """
    if n_sampled < n:
        warnings.warn(
            f"The linear part learns from {n_sampled:,} of the {n:,} texts of the stream, chosen at "
            "random, as its features are in memory; the network learns from all of them. Set "
            "linear=False for the network alone.",
            UserWarning,
            stacklevel=STACKLEVEL,
        )
