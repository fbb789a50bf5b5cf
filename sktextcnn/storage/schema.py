"""What a saved model consists of: every field, its type, and how the fields agree with each other.

`SavedModel` is the type between the classifier and the folder. It is checked as it is made, so what
cannot be loaded cannot be saved, and nothing is built from what a folder says before all of it has
been looked at. Parameters are looked at where their meaning is known, by the classifier.

How to go on to another schema, when a fitted attribute comes, goes or changes its meaning, or when a
parameter's default no longer does what it did: raise `SCHEMA`; let `read_model` turn the state of the
former numbers into that of the new one, by one function a number, each calling the next; run
``tests/models/make.py``, which adds a model of the new number to those that tests load for ever. A new
parameter whose default leaves everything as it was needs no new number: older models get the default,
and an older version says that it does not know the parameter. The number of how values become files is
another one, see `sktextcnn.storage.folder`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse

from sktextcnn.fitted import FITTED
from sktextcnn.objective import LOSSES
from sktextcnn.storage.arrays import (
    check_array,
    check_linear_part,
    check_optimizer,
    check_weights,
    expect,
)
from sktextcnn.storage.folder import read_folder, write_folder

#: What `write_model` writes. Raise it as said above.
SCHEMA = 2

#: Those that need not be there.
OPTIONAL = {"optimizer_state_"}


@dataclass(frozen=True)
class SavedModel:
    """A fitted classifier, as it is written and read.

    Attributes
    ----------
    params : mapping of str to object
        Parameters that files can hold.
    left_out : mapping of str to str
        Name of each other parameter -> a short description of it, for people.
    fitted : mapping of str to object
        The attributes named in `FITTED`; ``resolved_`` as a dict, ``linear_part_`` as one of arrays.
    schema : int, default=SCHEMA
        Number of these rules.

    Raises
    ------
    ValueError
        If they break one; the message says what was got, and what was expected.
    """

    params: Mapping[str, Any]
    left_out: Mapping[str, str]
    fitted: Mapping[str, Any]
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        """Look at every field."""
        for name in ("params", "left_out", "fitted"):
            value = getattr(self, name)
            expect(_is_mapping(value), name, value, "a dict from str")
        expect(_is_mapping(self.left_out, _is_str), "left_out", self.left_out, "a dict from str to str")
        names = {*self.fitted}
        expect(names <= {*FITTED}, "fitted", sorted(names), f"{', '.join(FITTED)}, and no others")
        missing = {*FITTED} - OPTIONAL - names
        expect(not missing, "fitted", sorted(names), f"{', '.join(sorted(missing))} as well")
        for name, value in self.fitted.items():
            if name in _FIELDS:
                is_right, expected = _FIELDS[name]
                expect(is_right(value), name, value, expected)
        _check_labels(self.fitted)
        n_tokens, n_labels = len(self.fitted["vocabulary_"]), len(self.fitted["classes_"])
        check_weights(
            self.fitted["weights_"],
            n_tokens=n_tokens,
            n_labels=n_labels,
            max_length=self.fitted["max_length_"],
            n_channels=2 if self.fitted["embedding_mode_"] == "multichannel" else 1,
        )
        if self.fitted["linear_part_"] is not None:
            check_linear_part(self.fitted["linear_part_"], n_tokens=n_tokens, n_labels=n_labels)
        if "optimizer_state_" in self.fitted:
            check_optimizer(self.fitted["optimizer_state_"], self.fitted["weights_"])


def write_model(path: str | os.PathLike, model: SavedModel, *, overwrite: bool = False) -> None:
    """Write a model into a folder: see `sktextcnn.storage.folder.write_folder`.

    Parameters
    ----------
    path : str or path
    model : SavedModel
    overwrite : bool, default=False

    Raises
    ------
    OSError
        If the path is taken, or writing fails.
    """
    state = {"params": model.params, "left_out": model.left_out, "fitted": model.fitted}
    write_folder(path, state, schema=model.schema, overwrite=overwrite)


def read_model(path: str | os.PathLike) -> SavedModel:
    """Read a model from a folder: see `sktextcnn.storage.folder.read_folder`.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    SavedModel

    Raises
    ------
    FileNotFoundError
        If there is no model, or a part of it is missing.
    ValueError
        If the folder is damaged, or a later version wrote it.
    """
    schema, state = read_folder(path, schema=SCHEMA)
    try:
        is_right = isinstance(state, dict) and state.keys() == {"params", "left_out", "fitted"}
        expect(is_right, "state", state, "params, left_out and fitted")
        if schema < 2:
            _to_2(state)
        return SavedModel(**state)
    except ValueError as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from error


# -- former numbers ----------------------------------------------------------------------------------


def _to_2(state: dict[str, Any]) -> None:
    """Turn a state of schema 1 into one of schema 2: the linear part's kernel has become sparse."""
    fitted = state["fitted"]
    part: Any = fitted.get("linear_part_") if isinstance(fitted, dict) else None
    kernel = part.get("kernel") if isinstance(part, dict) else None
    if isinstance(kernel, np.ndarray) and kernel.ndim == 2 and kernel.dtype == np.float32:
        rows = sparse.csr_matrix(kernel)
        offsets = rows.indptr.astype(np.int64)
        parts = {"kernel": rows.data, "kernel_labels": rows.indices, "kernel_offsets": offsets}
        fitted["linear_part_"] = {**part, **parts}


# -- fields ------------------------------------------------------------------------------------------


def _is_str(value: Any) -> bool:
    return isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not _is_bool(value)


def _is_int(value: Any, least: int = 0) -> bool:
    return isinstance(value, Integral) and not _is_bool(value) and int(value) >= least


def _is_length(value: Any) -> bool:
    return value is None or _is_int(value, 1)


def _is_mapping(value: Any, is_right: Callable[[Any], bool] | None = None) -> bool:
    """Tell whether there are str, and under each of them what is right."""
    if not isinstance(value, Mapping) or not all(
        issubclass(type_, str) for type_ in {*map(type, value)}
    ):
        return False
    return is_right is None or all(map(is_right, value.values()))


def _is_vocabulary(value: Any) -> bool:
    """Tell whether tokens are numbered from 0 on, each number once."""
    if not _is_mapping(value) or not value:
        return False
    positions = [*value.values()]
    return {*map(type, positions)} == {int} and sorted(positions) == [*range(len(positions))]


def _is_weights(value: Any) -> bool:
    return _is_mapping(value, lambda each: isinstance(each, np.ndarray))


def _is_linear_part(value: Any) -> bool:
    return value is None or _is_weights(value)


def _is_history(value: Any) -> bool:
    return _is_mapping(value, lambda each: isinstance(each, list) and all(map(_is_number, each)))


def _is_mode(value: Any) -> bool:
    return value is None or (_is_str(value) and value in ("trainable", "static", "multichannel"))


def _is_optimizer_state(value: Any) -> bool:
    return (
        _is_mapping(value)
        and value.keys() == {"optimizer", "slots", "step", "epoch"}
        and _is_str(value["optimizer"])
        and all(map(_is_int, (value["step"], value["epoch"])))
        and _is_mapping(value["slots"], lambda each: isinstance(each, list))
    )


_RESOLVED: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("engine", "loss", "learning_rate_schedule", "threshold"), _is_str),
    **dict.fromkeys(("batch_size", "epochs", "n_folds", "n_held_out"), _is_int),
    **{"max_length": _is_length, "learning_rate": _is_number, "linear": _is_bool},
}


def _is_resolved(value: Any) -> bool:
    return (
        _is_mapping(value)
        and value.keys() == _RESOLVED.keys()
        and all(is_right(value[name]) for name, is_right in _RESOLVED.items())
    )


#: Attribute -> what it must be, whatever the others are.
_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "vocabulary_": (_is_vocabulary, "a dict from tokens to 0, 1, 2, ..., each number once"),
    "multilabel_": (_is_bool, "True or False"),
    "sparse_output_": (_is_bool, "True or False"),
    "embedding_mode_": (_is_mode, "None, 'trainable', 'static' or 'multichannel'"),
    "max_length_": (_is_length, "None, or a number of tokens"),
    "weights_": (_is_weights, "a dict from names to arrays"),
    "linear_part_": (_is_linear_part, "None, or a dict from names to arrays"),
    "history_": (_is_history, "a dict from names to lists of numbers"),
    "n_epochs_": (_is_int, "a number of epochs"),
    "optimizer_state_": (_is_optimizer_state, "optimizer, slots, step and epoch, each of its type"),
    "resolved_": (_is_resolved, f"{', '.join(_RESOLVED)}, each of its type"),
    "validation_score_": (_is_number, "a number, or NaN"),
}


def _check_labels(fitted: Mapping[str, Any]) -> None:
    """Look at what depends on the labels, but for the weights."""
    loss, losses = fitted["loss_"], LOSSES[bool(fitted["multilabel_"])]
    expect(_is_str(loss) and loss in losses, "loss_", loss, f"one of {', '.join(losses)}")
    sparse = fitted["sparse_output_"]
    expect(not sparse or fitted["multilabel_"], "sparse_output_", sparse, "False for one label per text")
    classes = fitted["classes_"]
    is_list = isinstance(classes, np.ndarray) and classes.ndim == 1 and classes.dtype.kind in "biufUSMmO"
    expect(is_list and classes.size, "classes_", classes, "a 1-D array of labels")
    labels = classes.tolist()
    if classes.dtype.kind == "O":
        is_label = all(isinstance(label, (str, bool, int, float, np.generic)) for label in labels)
        expect(is_label, "classes_", labels, "labels that are str or numbers")
    distinct = len({*labels}) == len(labels) and all(label == label for label in labels)
    expect(distinct, "classes_", labels, "each label once, and none NaN")
    shape = {"labels": len(classes)}
    for name in ("thresholds_", "validation_label_scores_"):
        check_array(name, fitted[name], "float64", ("labels",), shape, may_be_nan=name != "thresholds_")
        within = np.isnan(fitted[name]) | (fitted[name] >= 0) & (fitted[name] <= 1)
        expect(within.all(), name, fitted[name].tolist(), "numbers between 0 and 1")
