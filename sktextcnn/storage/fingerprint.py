"""A short name for values of any kind, by which the same ones are found again in another process."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from hashlib import blake2b
from types import CodeType, FunctionType, MethodType
from typing import Any

import numpy as np
from scipy import sparse

_PLAIN = {type(None), bool, int, float, complex, str, bytes, type(...)}


def fingerprint(value: Any) -> str:
    """Return the hash of values: the same one in every process with the same version of Python.

    Functions are told apart by their code, their defaults and the variables that they enclose; what else
    they look up as they run, functions that they call among it, is not looked at. Dataclasses are told
    apart by the fields that they are compared by, objects of unknown classes by their pickles.

    Parameters
    ----------
    value : object
        Plain values, arrays, sparse matrices, dataclasses, functions, at any depth.

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    TypeError
        If there is an object among them that cannot be pickled.

    Examples
    --------
    >>> from sktextcnn.storage.fingerprint import fingerprint
    >>> fingerprint({"sizes": (2, 3)}) == fingerprint({"sizes": (2, 3)})
    True
    >>> fingerprint({"sizes": (2, 3)}) == fingerprint({"sizes": [2, 3]})
    False
    """
    digest = blake2b(digest_size=16)
    try:
        _feed(digest.update, value)
    except RecursionError:
        raise TypeError("The values contain themselves, so they have no fingerprint.") from None
    return digest.hexdigest()


def _feed(update: Callable[[Any], None], value: Any) -> None:
    """Hand the bytes of a value over; where they begin and end can be told from them alone."""
    if type(value) in _PLAIN:
        content = value if isinstance(value, bytes) else repr(value).encode()
        update(f"{type(value).__name__} {len(content)} ".encode() + content)
    elif isinstance(value, np.ndarray) and value.dtype.kind != "O":
        update(f"array {value.dtype.str} {value.shape} ".encode())
        update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    else:
        kind, parts = _take_apart(value)
        if isinstance(parts, (list, tuple)) and {*map(type, parts)} == {str}:  # may be a vocabulary
            kind, parts = f"{kind} of str", (np.array([*map(len, parts)]), "".join(parts))
        parts = [*parts]
        update(f"{kind} {len(parts)} ".encode())
        for part in parts:
            _feed(update, part)


def _take_apart(value: Any) -> tuple[str, Iterable]:
    """Return what kind of value it is, and the parts that make it up."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, (list, tuple, range)):
        return kind, value
    if isinstance(value, (set, frozenset)):
        return kind, sorted(value, key=repr)
    if isinstance(value, Mapping):
        return kind, [*value, *value.values()]
    if isinstance(value, np.ndarray):
        return kind, (value.shape, value.ravel().tolist())
    if isinstance(value, np.generic):
        return kind, (np.asarray(value),)
    if sparse.issparse(value):
        rows = value.tocsr()
        return kind, (rows.shape, rows.data, rows.indices, rows.indptr)
    if isinstance(value, partial):
        return kind, (value.func, value.args, value.keywords)
    if isinstance(value, MethodType):
        return kind, (value.__func__, value.__self__)
    if isinstance(value, FunctionType):
        enclosed = [cell.cell_contents for cell in value.__closure__ or ()]
        return kind, (
            value.__qualname__,
            value.__code__,
            value.__defaults__,
            value.__kwdefaults__,
            enclosed,
        )
    if isinstance(value, CodeType):
        return kind, (value.co_code, value.co_names, value.co_consts)
    if is_dataclass(value) and not isinstance(value, type):
        return kind, [getattr(value, each.name) for each in fields(value) if each.compare]
    try:
        return kind, (pickle.dumps(value, protocol=4),)
    except Exception as error:  # whatever a class raises that does not want to be pickled
        raise TypeError(
            f"{value!r:.100} cannot be told from others in the next process, since it cannot be pickled "
            f"({error}); use a function in its place."
        ) from error
