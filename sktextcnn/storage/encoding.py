"""Plain values <-> JSON and arrays.

The values are JSON as they stand, but for those that JSON has no form for. These are objects with a
single key, which starts with ``$``:

- ``{"$array": name}``: the array of that name;
- ``{"$objects": {"shape": [2], "items": ["a", "b"]}}``: an array of Python objects, one by one;
- ``{"$tuple": [...]}``: a tuple; likewise ``$set`` and ``$frozenset``;
- ``{"$float": "nan"}``: a float that is not finite;
- ``{"$numbered": [...]}``: a dict that numbers its keys 0, 1, 2, ... in order: a vocabulary;
- ``{"$dict": [[key, value], ...]}``: a dict whose keys are not all str, or that looks like one of these.

Another form, or another meaning of one of these, is another format: see `sktextcnn.storage.folder`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

#: Kinds of dtype that a .npy file holds without pickle and without fields.
DTYPE_KINDS = "biufcmMSU"

_JSON_TYPES = {type(None), bool, int, str}


def to_json(value: Any, name: str = "state") -> tuple[Any, dict[str, np.ndarray]]:
    """Return values in a form that JSON can hold, and the arrays among them.

    Parameters
    ----------
    value : dict, or any other value
        Of None, bool, int, float, str, lists, tuples, sets, dicts and arrays, at any depth.
    name : str, default="state"
        What messages call it.

    Returns
    -------
    encoded : dict, list, str, int, float, bool or None
        NumPy scalars have become Python's, ranges lists, subclasses what they derive from.
    arrays : dict of str to ndarray
        Name -> array. Not copied.

    Raises
    ------
    TypeError
        If there is anything else; the message says where.

    Examples
    --------
    >>> from sktextcnn.storage.encoding import from_json, to_json
    >>> to_json({"sizes": (2, 3), "vocabulary": {"a": 0, "goal": 1}})
    ({'sizes': {'$tuple': [2, 3]}, 'vocabulary': {'$numbered': ['a', 'goal']}}, {})
    >>> from_json(*to_json({"sizes": (2, 3)}))
    {'sizes': (2, 3)}
    """
    arrays: dict[str, np.ndarray] = {}
    return _encode(value, name, arrays), arrays


def from_json(encoded: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Undo `to_json`.

    Parameters
    ----------
    encoded : dict, list, str, int, float, bool or None
    arrays : mapping of str to ndarray

    Returns
    -------
    dict, or any other value

    Raises
    ------
    ValueError
        If `encoded` is nothing that `to_json` returns.
    """
    try:
        return _decode(encoded, arrays)
    except (
        *(ArithmeticError, AttributeError, LookupError),
        *(RecursionError, TypeError, ValueError),
    ) as error:
        raise ValueError(f"the values cannot be read ({error!r})") from error


# -- values -> JSON and arrays -----------------------------------------------------------------------


def _encode(value: Any, where: str, arrays: dict[str, np.ndarray]) -> Any:
    """Return `value` as JSON; its arrays go to `arrays` under a name."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(float(value))}
    if isinstance(value, np.ndarray):
        return _encode_array(value, where, arrays)
    if isinstance(value, Mapping):
        return _encode_dict(value, where, arrays)
    if isinstance(value, tuple):
        return {"$tuple": _encode_items(value, where, arrays)}
    if isinstance(value, (list, range)):
        return _encode_items(value, where, arrays)
    if isinstance(value, (set, frozenset)):
        tag = "$set" if isinstance(value, set) else "$frozenset"
        return {tag: _encode_items(sorted(value, key=repr), where, arrays)}
    raise TypeError(
        f"{where} is of type {type(value).__name__}, which cannot be saved; expected numbers, str, "
        "None, arrays, and lists, tuples, sets and dicts of those."
    )


def _encode_items(items: Iterable, where: str, arrays: dict[str, np.ndarray]) -> list:
    items = list(items)
    if {*map(type, items)} <= _JSON_TYPES:  # nothing to do, and a vocabulary may be long
        return items
    return [_encode(item, f"{where}[{i}]", arrays) for i, item in enumerate(items)]


def _encode_dict(value: Mapping, where: str, arrays: dict[str, np.ndarray]) -> dict:
    keys, values = list(value), list(value.values())
    plain = {*map(type, keys)} <= {str}
    if plain and {*map(type, values)} == {int} and values == [*range(len(values))]:
        return {"$numbered": keys}
    encoded = [_encode(v, f"{where}[{k!r}]", arrays) for k, v in zip(keys, values, strict=True)]
    if plain and not (len(keys) == 1 and keys[0].startswith("$")):
        return dict(zip(keys, encoded, strict=True))
    names = _encode_items(keys, f"a key of {where}", arrays)
    return {"$dict": [list(pair) for pair in zip(names, encoded, strict=True)]}


def _encode_array(array: np.ndarray, where: str, arrays: dict[str, np.ndarray]) -> dict:
    if array.dtype.kind == "O":
        items = _encode_items(array.ravel().tolist(), where, arrays)
        return {"$objects": {"shape": list(array.shape), "items": items}}
    if array.dtype.kind not in DTYPE_KINDS or not array.dtype.itemsize:
        raise TypeError(f"{where} is an array of dtype {array.dtype}, which cannot be saved.")
    # Numbered, so that names are distinct; the words are for people who look into the folder.
    words = "-".join(re.findall(r"[A-Za-z0-9_]+", where)[-2:])
    name = f"{len(arrays):02d}-{words[:60]}"
    arrays[name] = np.asarray(array)
    return {"$array": name}


# -- JSON and arrays -> values -----------------------------------------------------------------------


def _decode(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        if {*map(type, value)}.isdisjoint((list, dict)):
            return value
        return [_decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, content),) = value.items()
        if tag == "$array":
            return arrays[content]
        if tag in _DECODERS:
            return _DECODERS[tag](content, partial(_decode, arrays=arrays))
        if tag.startswith("$"):
            raise ValueError(f"unknown {tag}")
    return {key: _decode(item, arrays) for key, item in value.items()}


def _decode_objects(content: dict, decode: Callable) -> np.ndarray:
    items = decode(content["items"])
    array = np.empty(len(items), object)
    for i, item in enumerate(items):  # array[:] = items would look into lists and tuples
        array[i] = item
    return array.reshape(content["shape"])


_DECODERS: dict[str, Callable[[Any, Callable], Any]] = {
    "$objects": _decode_objects,
    "$tuple": lambda items, decode: tuple(decode(items)),
    "$set": lambda items, decode: set(decode(items)),
    "$frozenset": lambda items, decode: frozenset(decode(items)),
    "$float": lambda text, _: float(text),
    "$numbered": lambda keys, _: dict(zip(keys, range(len(keys)), strict=True)),
    "$dict": lambda pairs, decode: {decode(key): decode(item) for key, item in pairs},
}
