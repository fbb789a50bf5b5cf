"""The label space: names of labels, and what may be one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np

from sktextcnn.labels.matrix import holds_objects, to_names


def is_missing(value: Any) -> bool:
    """Tell whether `value` is None, NaN or a missing value of pandas."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and value != value


def as_list(y: Any, name: str = "y") -> list:
    """Return a sequence of any kind as a list."""
    if isinstance(y, (set, frozenset)) or not isinstance(y, Iterable):
        raise TypeError(f"{name} is a {type(y).__name__}; pass a sequence with one entry per text.")
    for name in ("tolist", "to_list"):
        if hasattr(y, name):
            return getattr(y, name)()
    return list(y)


def is_label(value: Any) -> bool:
    """Tell whether `value` can be the name of a label: a str or a number."""
    return isinstance(value, (str, int, float, np.generic))


def check_kinds(labels: Iterable[Any], name: str = "y") -> None:
    """Refuse labels of which some are str and others numbers: they cannot be sorted."""
    if len({isinstance(label, str) for label in labels}) > 1:
        raise TypeError(f"{name} mixes str labels with numbers; use one type for all labels.")


def check_classes(classes: Any, name: str = "classes") -> np.ndarray:
    """Return the labels of a fixed label space, or say what is wrong with `name`."""
    if isinstance(classes, (str, bytes, Mapping, set, frozenset)) or not isinstance(classes, Iterable):
        raise TypeError(f"{name} is a {type(classes).__name__}; pass a list of labels, in order.")
    labels = as_list(classes)
    if not labels:
        raise ValueError(f"{name} is empty; pass at least one label, or None.")
    for label in labels:
        if is_missing(label) or not is_label(label):
            raise TypeError(f"{name} holds {label!r}; labels must be str or int.")
    check_kinds(labels, name)
    seen = set()
    for label in labels:
        if label in seen:
            raise ValueError(f"{name} holds {label!r} more than once.")
        seen.add(label)
    return to_names(labels, holds_objects(classes))


def extend_classes(known: np.ndarray, named: Any) -> np.ndarray:
    """Return the labels of a model that goes on learning: those it knows, then those that are new.

    Parameters
    ----------
    known : ndarray of shape (k,)
        Labels of the fitted model.
    named : sequence or None
        All labels there are to be, in any order. None: those that are known.

    Returns
    -------
    ndarray of shape (k + number of new ones,)
        New labels come in the order in which they are named.

    Raises
    ------
    TypeError, ValueError
        As of `check_classes`; or if `named` lacks a known label.

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.labels.classes import extend_classes
    >>> extend_classes(np.array(["news", "sport"]), ["food", "sport", "news"]).tolist()
    ['news', 'sport', 'food']
    """
    if named is None:
        return known
    labels, old = check_classes(named).tolist(), known.tolist()
    check_kinds([*old, *labels], "classes")
    missing = [label for label in old if label not in {*labels}]
    if missing:
        raise ValueError(
            f"classes={shown(to_names(labels))} lacks {missing[0]!r}, which the fitted model knows: one "
            "that goes on learning keeps its labels, and may get more. Name them all: "
            "classes=[*clf.classes_, ...]; or fit a clone."
        )
    if len(labels) == len(old):
        return known
    return to_names([*old, *(label for label in labels if label not in {*old})], holds_objects(known))


def unknown_label(label: Any, where: str, classes: np.ndarray) -> ValueError:
    """Return the error that says where there is a label outside a fixed label space: "y[2] holds"."""
    return ValueError(
        f"{where} {label!r}, which is not among classes={shown(classes)}. Add it to classes (of a "
        "fitted model by partial_fit), or leave it out."
    )


def shown(classes: np.ndarray) -> str:
    """Return the labels as a message shows them."""
    names = classes.tolist()
    return repr(names) if len(names) <= 8 else f"[{', '.join(map(repr, names[:6]))}, ...]"


def find_labels(labels: Any, classes: np.ndarray) -> np.ndarray:
    """Return the positions of one label, or of several, among the classes.

    Parameters
    ----------
    labels : label or iterable of labels
    classes : ndarray of shape (k,)

    Returns
    -------
    ndarray of int

    Raises
    ------
    TypeError
        If something in `labels` is no single label.
    ValueError
        If a label is not among the classes.
    """
    wanted = [labels] if isinstance(labels, str) or not isinstance(labels, Iterable) else [*labels]
    positions = {name: position for position, name in enumerate(classes.tolist())}
    for label in wanted:
        if isinstance(label, tuple) or not isinstance(label, Hashable):
            raise TypeError(
                f"labels holds {label!r:.60}; expected single labels, the same ones for every text. "
                "Leave labels=None for those that are predicted."
            )
        if label not in positions:
            raise ValueError(f"labels holds {label!r}; expected one of classes_, {shown(classes)}.")
    return np.array([positions[label] for label in wanted], int)
