"""Labels that come a few texts at a time -> the 0/1 matrix of all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from sktextcnn.labels.classes import check_classes, check_kinds, unknown_label
from sktextcnn.labels.forms import (
    Labels,
    LabelSets,
    SingleLabels,
    check_sets,
    check_single,
    is_set,
    refuse_rows_of_a_matrix,
)


class LabelCollector:
    """Reads labels as they come, and keeps four bytes of each.

    The first text decides the form of all: one label per text, or a set of labels.

    Parameters
    ----------
    classes : sequence or None, default=None
        Fixes the label space.

    Raises
    ------
    TypeError, ValueError
        As of `check_classes`.

    Examples
    --------
    >>> from sktextcnn.labels.collecting import LabelCollector
    >>> collector = LabelCollector()
    >>> collector.add([["sport"], []])
    >>> collector.add([["news", "sport"]])
    >>> labels = collector.finish()
    >>> labels.classes.tolist(), labels.matrix.toarray().tolist()
    (['news', 'sport'], [[0, 1], [0, 0], [1, 1]])
    """

    def __init__(self, classes: Any = None) -> None:
        self._classes = None if classes is None else check_classes(classes)
        self._allowed = None if self._classes is None else {*self._classes.tolist()}
        self._numbers: dict[Any, int] = {}  # of labels, in the order in which they came
        self._in_sets: bool | None = None
        # Of each chunk: the numbers of the labels of all texts, and how many each text has.
        self._codes, self._counts = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
        self._n = 0
        self._set_sizes: set[int] | None = set()  # None where they cannot be rows of a matrix

    def add(self, rows: list) -> None:
        """Take the labels of the next texts.

        Parameters
        ----------
        rows : list
            A label, or a set of labels, for each text.

        Raises
        ------
        TypeError, ValueError
            As of `read_labels`, with the number of the text in the stream.
        """
        if self._in_sets is None:
            self._in_sets = is_set(rows[0])
        if self._in_sets:
            sets = [[*dict.fromkeys(labels)] for labels in self._check_sets(rows)]
        else:
            sets = [[label] for label in check_single(rows, self._n)]
        codes: list[int] = []
        for position, labels in enumerate(sets, self._n):
            for label in labels:
                if label not in self._numbers and self._allowed is not None:
                    self._check_allowed(label, position)
                codes.append(self._numbers.setdefault(label, len(self._numbers)))
        self._codes.append(np.array(codes, np.int32))
        self._counts.append(np.array([*map(len, sets)], np.int32))
        self._n += len(rows)

    def _check_sets(self, rows: list) -> list[list]:
        sets = check_sets(rows, self._n)
        if any(isinstance(row, (set, frozenset)) for row in rows):
            self._set_sizes = None
        elif self._set_sizes is not None:
            self._set_sizes.update(map(len, sets))
        return sets

    def _check_allowed(self, label: Any, position: int) -> None:
        assert self._allowed is not None
        assert self._classes is not None
        if label not in self._allowed:
            raise unknown_label(label, f"y[{position}] holds", self._classes)

    def finish(self) -> Labels:
        """Return what all labels together say.

        Returns
        -------
        Labels
            As of `read_labels` for all rows in one list.

        Raises
        ------
        TypeError, ValueError
            As of `read_labels`.
        """
        names = [*self._numbers]
        check_kinds(names)
        form: LabelSets | SingleLabels = SingleLabels(names, as_objects=False)
        if self._in_sets:
            refuse_rows_of_a_matrix(self._set_sizes, names)
            # Without a label, there is still a text; without classes, that is refused.
            form = LabelSets([[name] for name in names] or [[]])
        alone = form.to_labels(self._classes)  # each label as if it were a text
        codes, counts = np.concatenate(self._codes), np.concatenate(self._counts)
        columns = alone.matrix.indices[codes]
        starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        shape = (self._n, len(alone.classes))
        matrix = sparse.csr_matrix((np.ones(len(columns), np.int8), columns, starts), shape)
        matrix.sort_indices()
        return Labels(matrix, alone.classes, alone.multilabel)
