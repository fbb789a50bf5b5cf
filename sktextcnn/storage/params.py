"""Which parameters a folder holds, and those that must be passed again since files hold no functions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from sktextcnn import __version__
from sktextcnn.storage.encoding import to_json


def split_params(
    params: Mapping[str, Any], leave_out: Iterable[str] = ()
) -> tuple[dict[str, Any], dict[str, str]]:
    """Tell apart the parameters that can be written from those that cannot, such as functions.

    Parameters
    ----------
    params : mapping of str to object
        Name -> value.
    leave_out : iterable of str
        Parameters not to be written whatever they are, unless None.

    Returns
    -------
    written : dict
        What `sktextcnn.storage.encoding.to_json` takes. Series and the like have become arrays, paths
        str. Contents are shared, not copied.
    left_out : dict of str to str
        Name of each other parameter -> a short description of it, for people.

    Examples
    --------
    >>> from sktextcnn.storage.params import split_params
    >>> split_params({"filters": 64, "tokenizer": str.split, "strip_accents": None})
    ({'filters': 64, 'strip_accents': None}, {'tokenizer': 'str.split'})
    """
    written, left_out = {}, {}
    unwanted = {*leave_out}
    for name, value in params.items():
        if name in unwanted and value is not None:
            left_out[name] = _describe(value)
            continue
        is_series = hasattr(value, "__array__") and not isinstance(value, (np.generic, type))
        plain = np.asarray(value) if is_series else value
        if isinstance(value, os.PathLike):
            plain = os.fspath(value)
        try:
            to_json(plain, name)
        except TypeError:
            left_out[name] = _describe(value)
        else:
            written[name] = plain
    return written, left_out


def _describe(value: Any) -> str:
    if isinstance(value, partial):
        return f"functools.partial({_describe(value.func)})"
    name = getattr(value, "__qualname__", None)
    if name is None:
        return f"an instance of {_describe(type(value))}"
    module = getattr(value, "__module__", None)
    return name if module in (None, "builtins") else f"{module}.{name}"


def join_params(
    written: Mapping[str, Any],
    left_out: Mapping[str, str],
    given: Mapping[str, Any],
    *,
    known: Iterable[str],
    needed: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the parameters to build an estimator with: those written, and those given for the others.

    Parameters
    ----------
    written : mapping of str to object
        From `split_params`.
    left_out : mapping of str to str
        From `split_params`.
    given : mapping of str to object
        Name -> value of parameters that were left out.
    known : iterable of str
        Parameters that the estimator has.
    needed : iterable of str, default=()
        Parameters that must be given if they were left out. Others may fall back to their defaults.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If a parameter is needed and not given, with what it was; or is not known.
    TypeError
        If one is given that was not left out.

    Examples
    --------
    >>> from sktextcnn.storage.params import join_params
    >>> written, left_out = {"filters": 64}, {"tokenizer": "str.split"}
    >>> join_params(written, left_out, {"tokenizer": str.split}, known=["filters", "tokenizer"])
    {'filters': 64, 'tokenizer': <method 'split' of 'str' objects>}
    """
    unknown = {**written, **left_out}.keys() - {*known}
    if unknown:
        raise ValueError(
            f"The model has parameters that sktextcnn {__version__} does not know: "
            f"{', '.join(sorted(unknown))}. A later version saved it; upgrade sktextcnn."
        )
    for name in given:
        if name not in left_out:
            raise TypeError(
                f"{name} was saved with the model, or is no parameter; left out were "
                f"{', '.join(left_out) or 'none'}. Use set_params to change a parameter."
            )
    missing = [name for name in needed if name in left_out and name not in given]
    if missing:
        raise ValueError(
            f"The model was saved without {', '.join(f'{name}={left_out[name]}' for name in missing)}, "
            "which files do not hold. Pass the same again: "
            f"load(path, {', '.join(f'{name}=...' for name in missing)})."
        )
    return {**written, **given}
