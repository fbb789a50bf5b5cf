"""Plain values <-> a folder. Nothing here knows the classifier, and no pickle is written or read.

The folder holds ``model.json`` and, in a folder of their own, one ``.npy`` file for each array::

    {"format": 1, "sktextcnn": "0.1.0", "folder": "arrays",
     "arrays": {"00-weights_-embedding": {"dtype": "<f4", "shape": [502, 128]}, ...},
     "state": ...}

The state is JSON as it stands, but for values that JSON has no form for. Those are objects with a
single key, which starts with ``$``:

- ``{"$array": name}``: the array in that file;
- ``{"$objects": {"shape": [2], "items": ["a", "b"]}}``: an array of Python objects, one by one;
- ``{"$tuple": [...]}``: a tuple; likewise ``$set`` and ``$frozenset``;
- ``{"$float": "nan"}``: a float that is not finite;
- ``{"$numbered": [...]}``: a dict that numbers its keys 0, 1, 2, ... in order: a vocabulary;
- ``{"$dict": [[key, value], ...]}``: a dict whose keys are not all str, or that looks like one of these.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import numpy as np

from sktextcnn import __version__

#: What `write_state` writes. Raise it when an older version could not read a new folder, or would read
#: it wrongly. `read_state` keeps reading every lower number, and a test keeps a folder of each.
FORMAT = 1

MODEL = "model.json"

#: Arrays of so many bytes are mapped into memory rather than read: their pages come when first used.
MAP_FROM = 1 << 20

#: Kinds of dtype that a .npy file holds without pickle and without fields.
_KINDS = "biufcmMSU"

_JSON_TYPES = {type(None), bool, int, str}


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
    if array.dtype.kind not in _KINDS:
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


# -- writing -----------------------------------------------------------------------------------------


def write_state(path: str | os.PathLike, state: Any, *, overwrite: bool = False) -> None:
    """Write values into a folder, whole or not at all.

    Parameters
    ----------
    path : str or path
        The folder. It must not exist, or be empty, unless `overwrite` is set.
    state : dict, or any other value
        Of None, bool, int, float, str, lists, tuples, sets, dicts and arrays, at any depth. NumPy
        scalars come back as Python's, ranges as lists, subclasses as what they derive from.
    overwrite : bool, default=False
        Replace the model in the folder, if there is one. The old one stays valid until the moment that
        the new one takes its place. Files that are not the model's are left alone.

    Raises
    ------
    TypeError
        If `state` holds anything else; the message says where. Nothing is written then.
    FileExistsError
        If the path is taken, or by something else than a model.
    FileNotFoundError
        If the folder that it is to be made in does not exist.
    OSError
        If writing fails.

    See Also
    --------
    read_state : The way back.

    Examples
    --------
    >>> import tempfile, os
    >>> import numpy as np
    >>> from sktextcnn.persistence import read_state, write_state
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model")
    ...     write_state(path, {"sizes": (2, 3), "weights": np.zeros((2, 2))})
    ...     state = read_state(path)
    >>> state["sizes"], state["weights"].shape
    ((2, 3), (2, 2))
    """
    folder = Path(path).resolve()
    old = _what_is_there(folder, overwrite)
    arrays: dict[str, np.ndarray] = {}
    encoded = _encode(state, "state", arrays)
    # A new folder appears by being renamed, a new model in a folder by replacing one file, model.json.
    home = folder if old is not None else folder.with_name(f".{folder.name}-{uuid4().hex[:8]}")
    home.mkdir(exist_ok=True)
    inner = _make_folder(home)
    document = {
        "format": FORMAT,
        "sktextcnn": __version__,
        "folder": inner.name,
        "arrays": {
            name: {"dtype": array.dtype.str, "shape": list(array.shape)}
            for name, array in arrays.items()
        },
        "state": encoded,
    }
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        # Half of a surrogate pair is no valid UTF-8, but may be a token.
        _write_file(inner / MODEL, lambda file: file.write(text.encode("utf-8", "surrogatepass")))
        for name, array in arrays.items():
            save = partial(np.lib.format.write_array, array=array, version=(1, 0), allow_pickle=False)
            _write_file(inner / f"{name}.npy", save)
        os.replace(inner / MODEL, home / MODEL)
        if home != folder:
            os.rename(home, folder)
    except BaseException:
        if home != folder:
            shutil.rmtree(home, ignore_errors=True)
        elif (inner / MODEL).exists():
            shutil.rmtree(inner, ignore_errors=True)
        else:  # it is in place already, and needs what is in here; or nothing is
            with suppress(OSError):
                inner.rmdir()
        raise
    if old:
        _remove_arrays(folder, old)


def _what_is_there(folder: Path, overwrite: bool) -> dict | None:
    """Return the model.json to be replaced; {} for an empty folder, None for no folder."""
    if not folder.parent.is_dir():
        raise FileNotFoundError(
            f"{folder.parent} does not exist, or is a file; expected the folder in which {folder.name} "
            "is to be made. Make it first."
        )
    if not folder.exists():
        return None
    if folder.is_dir() and not any(folder.iterdir()):
        return {}
    if not overwrite:
        raise FileExistsError(
            f"{folder} exists. Choose another path, or pass overwrite=True to replace the model in it."
        )
    try:
        return _read_document(folder)
    except (ValueError, FileNotFoundError) as error:
        raise FileExistsError(
            f"{folder} is left as it is, since it does not hold a model to replace: {error}"
        ) from error


def _make_folder(home: Path) -> Path:
    number = 0
    while True:
        folder = home / (f"arrays-{number}" if number else "arrays")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


def _write_file(path: Path, write: Callable[[Any], Any]) -> None:
    with open(path, "xb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())  # on the disk before anything refers to it


def _remove_arrays(folder: Path, document: Mapping) -> None:
    inner = folder / document["folder"]
    for name in document["arrays"]:
        with suppress(OSError):
            (inner / f"{name}.npy").unlink()
    with suppress(OSError):
        inner.rmdir()


# -- reading -----------------------------------------------------------------------------------------


def read_state(path: str | os.PathLike, *, map_files: bool = True) -> Any:
    """Read what `write_state` wrote.

    Parameters
    ----------
    path : str or path
        The folder.
    map_files : bool, default=True
        Map files of 1 MiB and more into memory: they are read as they are used, and shared by all
        processes that map them. Arrays can be changed all the same; the files stay as they are. Do not
        edit or copy over files that are mapped (`write_state` does not). Never done on Windows, where
        mapped files cannot be replaced.

    Returns
    -------
    dict, or any other value
        Arrays are writeable, and plain ndarrays.

    Raises
    ------
    FileNotFoundError
        If the folder, its model.json or a file of an array does not exist.
    ValueError
        If they are damaged or something else, or a later version of the package wrote them.

    See Also
    --------
    write_state : Writes the folder.
    """
    folder = Path(path)
    document = _read_document(folder)
    maps = map_files and os.name != "nt"
    arrays = {
        name: _read_array(folder / document["folder"] / f"{name}.npy", said, maps)
        for name, said in document["arrays"].items()
    }
    try:
        return _decode(document["state"], arrays)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"{folder / MODEL} is damaged: its state cannot be read ({error!r})."
        ) from error


def _read_document(folder: Path) -> dict:
    """Return what model.json says, its outer form checked."""
    file = folder / MODEL
    if not folder.exists():
        raise FileNotFoundError(f"{folder} does not exist; expected a folder with a saved model.")
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file; expected a folder with a saved model.")
    if not file.is_file():
        raise FileNotFoundError(f"{folder} holds no {MODEL}: it is not a saved model.")
    try:
        document = json.loads(file.read_bytes().decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is not JSON ({error}): damaged, or not a saved model.") from error
    number = document.get("format") if isinstance(document, dict) else None
    if type(number) is not int or "sktextcnn" not in document:
        raise ValueError(f"{file} was not written by sktextcnn: it has no format number.")
    if number > FORMAT:
        raise ValueError(
            f"{folder} was written by sktextcnn {document['sktextcnn']} in format {number}; this is "
            f"sktextcnn {__version__}, which reads formats up to {FORMAT}. Upgrade sktextcnn."
        )
    inner, arrays = document.get("folder"), document.get("arrays")
    # Names are checked, for what they name is read, and removed when the model is replaced.
    if not (
        number >= 1
        and "state" in document
        and isinstance(inner, str)
        and re.fullmatch(r"arrays(-[0-9]+)?", inner)
        and isinstance(arrays, dict)
        and all(re.fullmatch(r"[0-9]+-[A-Za-z0-9_-]*", name) for name in arrays)
        and all(isinstance(said, dict) and {"dtype", "shape"} <= said.keys() for said in arrays.values())
    ):
        raise ValueError(f"{file} is damaged: it does not say what the model consists of.")
    return document


def _read_array(path: Path, said: Mapping, maps: bool) -> np.ndarray:
    try:
        file = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing; copy the whole folder of the model.") from None
    with file:
        try:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("unknown version of the .npy format")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        except Exception as error:  # NumPy raises any of several for a damaged header
            raise ValueError(f"{path} is not the array that was saved ({error}).") from error
        if dtype.hasobject:
            raise ValueError(f"{path} holds Python objects, which are never read.")
        if dtype.str != said["dtype"] or list(shape) != said["shape"]:
            raise ValueError(
                f"{path} holds an array of shape {shape} and dtype {dtype.str}, but {MODEL} says "
                f"{said['shape']} and {said['dtype']}: the files are not from one model."
            )
        start, n = file.tell(), math.prod(shape)
        size = os.fstat(file.fileno()).st_size
        if size != start + n * dtype.itemsize:
            raise ValueError(
                f"{path} has {size} bytes instead of {start + n * dtype.itemsize}: it was cut off or "
                "changed. Copy the model again."
            )
        order: Literal["C", "F"] = "F" if fortran else "C"
        if maps and size >= MAP_FROM:
            # Not np.memmap: joblib would send its file's name to other processes, without what has been
            # changed since.
            pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            flat = np.frombuffer(pages, dtype, n, start)
        else:  # fromfile refuses items of no bytes
            flat = np.fromfile(file, dtype, n) if dtype.itemsize else np.empty(n, dtype)
        return flat.reshape(shape, order=order)


# -- parameters --------------------------------------------------------------------------------------


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
        What `write_state` takes. Series and the like have become arrays. Contents are shared, not
        copied.
    left_out : dict of str to str
        Name of each other parameter -> a short description of it, for people.

    Examples
    --------
    >>> from sktextcnn.persistence import split_params
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
        try:
            _encode(plain, name, {})
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
    >>> from sktextcnn.persistence import join_params
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
