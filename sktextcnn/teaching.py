"""What a mini-batch leaves unsaid of known labels, told by a teacher: a model that knows them."""

from __future__ import annotations

from typing import Any

import numpy as np

from sktextcnn.labels.classes import shown
from sktextcnn.labels.forms import Labels

#: The loss whose best answer to a probability is that probability.
TAUGHT_LOSS = "binary_crossentropy"


def soften_targets(given: Labels, loss: str, texts: list[str], teacher: Any) -> np.ndarray:
    """Return what to learn: 1 where y has a label, and elsewhere what the teacher says of it.

    As proposed by Li and Hoiem (2016), https://arxiv.org/abs/1606.09282, but that labels which a text is
    known to carry are learned as they are.

    Parameters
    ----------
    given : Labels
        Of n texts.
    loss : str
        Name of the loss, as resolved.
    texts : list of str of length n
    teacher : fitted classifier
        Has ``classes_`` (m,), labels among those of `given`, and ``predict_proba``, from texts to
        probabilities (n, m).

    Returns
    -------
    ndarray of shape (n, k), dtype float32
        Of labels that the teacher does not know, 0 where y lacks them.

    Raises
    ------
    TypeError
        If `teacher` is no fitted classifier.
    ValueError
        If labels exclude each other or the loss is another one, if the teacher knows other labels, or
        what it says are not probabilities of that shape.

    Examples
    --------
    >>> from sktextcnn.labels.parsing import read_labels
    >>> from sktextcnn.teaching import soften_targets
    >>> class Teacher:
    ...     classes_ = np.array(["news", "sport"])
    ...
    ...     def predict_proba(self, texts):
    ...         return np.array([[0.5, 0.25]] * len(texts))
    >>> given = read_labels([["food"], ["news"]], classes=["food", "news", "sport"])
    >>> soften_targets(given, "binary_crossentropy", ["a", "b"], Teacher())
    array([[1.  , 0.5 , 0.25],
           [0.  , 1.  , 0.25]], dtype=float32)
    """
    if loss != TAUGHT_LOSS:
        raise ValueError(
            f"teacher= tells the probability of each label on its own, and the loss is {loss!r}; it "
            f"needs several labels per text and loss={TAUGHT_LOSS!r} (or 'auto')."
        )
    if not hasattr(teacher, "predict_proba") or not hasattr(teacher, "classes_"):
        raise TypeError(
            f"teacher is a {type(teacher).__name__}; expected a fitted classifier, with classes_ and "
            "predict_proba: copy.deepcopy(clf), taken before the first of these calls."
        )
    column_of = {label: column for column, label in enumerate(given.classes.tolist())}
    known = np.asarray(teacher.classes_).tolist()
    for label in known:
        if label not in column_of:
            raise ValueError(
                f"The teacher knows the label {label!r}, which is not among {shown(given.classes)}; "
                "expected no label but those that are learned."
            )
    told = np.asarray(teacher.predict_proba(texts), np.float32)
    if told.shape != (len(texts), len(known)):
        raise ValueError(
            f"The teacher's predict_proba returned an array of shape {told.shape}; expected "
            f"{(len(texts), len(known))}, a probability of each of its labels for each text."
        )
    if not ((told >= 0) & (told <= 1)).all():
        raise ValueError("The teacher's predict_proba returned numbers outside 0 to 1.")
    targets = given.matrix.toarray().astype(np.float32)
    columns = [column_of[label] for label in known]
    targets[:, columns] = np.where(targets[:, columns] > 0, 1, told)
    return targets
