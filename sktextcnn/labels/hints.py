"""Warnings about labels that probably mean something else than they say."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from sktextcnn.labels.forms import Labels

#: What people write between the labels of one text.
SEPARATORS = (";", "|", ",")

#: From `warnings.warn` to the caller of `fit`, past scikit-learn's wrapper.
STACKLEVEL = 5


def warn_if_repeated(texts: Sequence[str], labels: Labels) -> None:
    """Warn where one label per text was given but the same text carries different ones.

    Parameters
    ----------
    texts : sequence of str of length n
    labels : Labels
        Of the same texts; nothing is checked if they are label sets.
    """
    if labels.multilabel:
        return
    first: dict[str, int] = {}
    for text, column in zip(texts, labels.matrix.indices.tolist(), strict=True):
        other = first.setdefault(text, column)
        if other != column:
            a, b = labels.classes[[other, column]].tolist()
            shown = text if len(text) <= 60 else text[:57] + "..."
            warnings.warn(
                f"The text {shown!r} carries different labels ({a!r}, {b!r}), but y has one label per "
                "text, so the classes compete. If a text may have several labels, use "
                "fit(*sktextcnn.group_rows(X, y)).",
                UserWarning,
                stacklevel=STACKLEVEL,
            )
            return


def warn_if_empty(labels: Labels) -> None:
    """Warn where an empty str, or one of nothing but white space, is a label.

    Parameters
    ----------
    labels : Labels
    """
    counts = labels.matrix.getnnz(axis=0).tolist()
    for name, count in zip(labels.classes.tolist(), counts, strict=True):
        if isinstance(name, str) and not name.strip() and count:
            advice = (
                "Splitting an empty str gives ['']; a text without label is []: "
                "[[tag for tag in tags if tag.strip()] for tags in label_sets]. Of a DataFrame, drop "
                f"the column: y.drop(columns={name!r})."
                if labels.multilabel
                else "If it stands for a missing one, drop these texts, or pass label sets, where [] is "
                "a text without label."
            )
            warnings.warn(
                f"y holds the label {name!r} in {count} of {labels.matrix.shape[0]} rows; it is learned "
                f"like any other. {advice}",
                UserWarning,
                stacklevel=STACKLEVEL,
            )


def warn_if_joined(labels: Labels) -> None:
    """Warn where labels look like several labels in one string.

    Parameters
    ----------
    labels : Labels
        Suspicious are at least two that fall, at a separator, into pieces that are labels, too.
    """
    names = {name for name in labels.classes.tolist() if isinstance(name, str)}
    for separator in SEPARATORS:
        joined = sorted(
            name
            for name in names
            if separator in name and any(piece.strip() in names for piece in name.split(separator))
        )
        if len(joined) > 1:
            warnings.warn(
                f"Labels such as {joined[0]!r} look like several labels in one string, since parts of "
                "them are labels, too. If a text may have several labels, split them: "
                f"[tags.split({separator!r}) for tags in y].",
                UserWarning,
                stacklevel=STACKLEVEL,
            )
            return
