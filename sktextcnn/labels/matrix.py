"""A 0/1 matrix that remembers what its columns are called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class LabelMatrix(np.ndarray):
    """0/1 matrix that remembers the names of its columns; see `as_label_matrix`.

    Names survive what scikit-learn does to y: choosing rows, copying, pickling. Anything else
    (choosing columns, transposing, concatenating, arithmetic) leaves the names behind, and as a rule
    gives a plain array, since stale names would be worse than none.

    Attributes
    ----------
    label_names : ndarray of shape (k,)
        Names of the columns.
    """

    label_names: np.ndarray | None

    def __new__(cls, matrix: Any, label_names: Any) -> LabelMatrix:  # noqa: D102
        self = np.array(matrix, dtype=np.int8).view(cls)
        self.label_names = label_names
        return self

    def __array_finalize__(self, obj: Any) -> None:
        self.label_names = None

    def __getitem__(self, key: Any) -> Any:
        plain = np.asarray(self)[key]
        rows = key
        if isinstance(key, tuple) and (len(key) == 1 or (len(key) == 2 and _is_everything(key[1]))):
            rows = key[0]
        if self.label_names is not None and _chooses_rows(rows):
            return LabelMatrix(plain, self.label_names)
        return plain

    def copy(self, order: Any = "C") -> LabelMatrix:
        """Return a copy with the same names."""
        return LabelMatrix(np.asarray(self), self.label_names)

    def __copy__(self) -> LabelMatrix:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> LabelMatrix:
        names = None if self.label_names is None else self.label_names.copy()
        return LabelMatrix(np.asarray(self), names)

    def sort(self, *args: Any, **kwargs: Any) -> None:
        """Sort in place, and forget the names."""
        np.asarray(self).sort(*args, **kwargs)
        self.label_names = None

    def partition(self, *args: Any, **kwargs: Any) -> None:
        """Partition in place, and forget the names."""
        np.asarray(self).partition(*args, **kwargs)
        self.label_names = None

    def __reduce__(self) -> tuple:
        return LabelMatrix, (np.asarray(self), self.label_names)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return getattr(ufunc, method)(*map(_plain, inputs), **_plain(kwargs))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return func(*_plain(args), **_plain(kwargs))

    @property
    def T(self) -> np.ndarray:  # type: ignore[override]  # noqa: N802
        """Transposed plain array."""
        return np.asarray(self).T


def _plain(value: Any) -> Any:
    if isinstance(value, LabelMatrix):
        return np.asarray(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(_plain, value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _chooses_rows(key: Any) -> bool:
    """Tell whether `key` is a slice, or one-dimensional in whatever form: a list, a range, a Series."""
    # NumPy reads a tuple as one key for each dimension.
    return isinstance(key, slice) or (not isinstance(key, tuple) and np.ndim(key) == 1)


def _is_everything(key: Any) -> bool:
    return key is Ellipsis or (isinstance(key, slice) and key == slice(None))


def _forgets_names(name: str) -> Any:
    def method(self: LabelMatrix, *args: Any, **kwargs: Any) -> Any:
        return getattr(np.asarray(self), name)(*args, **kwargs)

    method.__name__ = name
    method.__doc__ = f"As `numpy.ndarray.{name}`, of the plain array."
    return method


for _name in (
    "astype",
    "flatten",
    "ravel",
    "repeat",
    "reshape",
    "squeeze",
    "swapaxes",
    "take",
    "transpose",
    "sum",
    "mean",
    "any",
    "all",
    "min",
    "max",
    "cumsum",
    "diagonal",
):
    setattr(LabelMatrix, _name, _forgets_names(_name))


def to_names(labels: Sequence, as_objects: bool = True) -> np.ndarray:
    """Return labels as an array: numbers as numbers, and str as objects or at a fixed width.

    Parameters
    ----------
    labels : sequence of str, or of numbers
    as_objects : bool, default=True
        False: str at a fixed width (``<U5``), as NumPy makes them of a list, if they come back whole: it
        takes a NUL at the end for filling.

    Returns
    -------
    ndarray of shape (k,)
    """
    array = np.asarray(labels)
    if array.dtype.kind in "biu" or all(isinstance(label, float) for label in labels):
        return array
    if not as_objects and array.dtype.kind == "U" and array.tolist() == [*labels]:
        return array
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array


def holds_objects(values: Any) -> bool:
    """Tell whether an array, Series or the like holds Python objects, as NumPy sees it."""
    return getattr(getattr(values, "dtype", None), "kind", None) == "O"
