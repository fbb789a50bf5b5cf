"""Plain values <-> a folder. Nothing here knows the classifier, and no pickle is written or read.

The folder holds ``model.json`` and, in a folder of their own, one ``.npy`` file for each array::

    {"format": 1, "sktextcnn": "0.1.0", "crc32": 3735928559, "schema": 1, "folder": "arrays-0a1b2c3d",
     "arrays": {"00-weights_-embedding": {"dtype": "<f4", "shape": [502, 128], "size": 257152,
                                          "crc32": 305419896}, ...},
     "state": ...}

``format`` is the number of all that this package of modules does: these keys, the forms of
`sktextcnn.storage.encoding`, the files. ``schema`` is that of the state, see
`sktextcnn.storage.schema`. ``crc32`` is the checksum of everything else in model.json.

How to go on to another format: raise `FORMAT`; keep the reading of the former numbers, told apart where
``format`` is looked at; run ``tests/models/make.py``, which adds a folder of the new number to those
that tests load for ever. The first two keys must stay, for they are what an earlier version reads.

Readers and writers may meet. A model is complete before model.json names it, model.json is replaced in a
single step, and no name of a folder comes twice: a reader sees the old model or the new one, and where
the old one is removed under its hands, it reads the new one. Writers lock the folder, and wait for each
other. The system takes the lock off a process that is killed; what that one left is removed by the next.
Where folders cannot be locked (Windows, some network file systems), the last writer wins, and what
interrupted ones left stays.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from sktextcnn import __version__
from sktextcnn.storage.encoding import from_json, to_json
from sktextcnn.storage.files import (
    ArrayFile,
    check_is_folder,
    find_size,
    new_file,
    open_array,
    to_array,
    write_array,
)

#: What `write_folder` writes. Raise it when an older version could not read a new folder, or would read
#: it wrongly.
FORMAT = 1

MODEL = "model.json"

#: A longer model.json is not read: no vocabulary comes near it.
MOST_BYTES = 1 << 30

#: Names of folders of arrays, and of the files in them. They are checked, for what they name is read,
#: and removed when the model is replaced.
_FOLDER = re.compile(r"arrays-[0-9a-f]{8}")
_ARRAY = re.compile(r"[0-9]+-[A-Za-z0-9_-]*")
_FILE = re.compile(rf"{_ARRAY.pattern}\.npy|{re.escape(MODEL)}")


@dataclass(frozen=True)
class _Document:
    """What model.json says, its outer form checked."""

    schema: int
    folder: str
    arrays: dict[str, ArrayFile]
    state: Any


# -- writing -----------------------------------------------------------------------------------------


def write_folder(
    path: str | os.PathLike, state: Any, *, schema: int = 1, overwrite: bool = False
) -> None:
    """Write values into a folder, whole or not at all.

    Parameters
    ----------
    path : str or path
        The folder. It must not exist, or be empty, unless `overwrite` is set.
    state : dict, or any other value
        What `sktextcnn.storage.encoding.to_json` takes.
    schema : int, default=1
        A number that says how to understand `state`.
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
    read_folder : The way back.

    Examples
    --------
    >>> import tempfile, os
    >>> import numpy as np
    >>> from sktextcnn.storage.folder import read_folder, write_folder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model")
    ...     write_folder(path, {"sizes": (2, 3), "weights": np.zeros((2, 2))})
    ...     schema, state = read_folder(path)
    >>> state["sizes"], state["weights"].shape
    ((2, 3), (2, 2))
    """
    folder = Path(path).resolve()
    encoded, arrays = to_json(state)
    with _one_writer(folder) as alone:
        old = _find_model(folder, schema, overwrite)
        inner = folder / f"arrays-{uuid4().hex[:8]}"
        try:
            inner.mkdir()
            files = {name: write_array(inner / f"{name}.npy", array) for name, array in arrays.items()}
            text = _to_text(_Document(schema, inner.name, files, encoded))
            with new_file(inner / MODEL) as file:
                file.write(text)
            os.replace(inner / MODEL, folder / MODEL)
        except BaseException:
            if not _is_in_place(inner, schema):
                _remove(inner)
            raise
        for other in _folders_of_arrays(folder):
            if other.name != inner.name and (alone or other.name == old):
                _remove(other)


@contextmanager
def _one_writer(folder: Path) -> Iterator[bool]:
    """Make a folder, if there is none, and keep other writers out; yield whether that is possible."""
    if not folder.parent.is_dir():
        raise FileNotFoundError(
            f"{folder.parent} does not exist, or is a file; expected the folder in which {folder.name} "
            "is to be made. Make it first."
        )
    made = not folder.exists()
    if made:
        folder.mkdir(exist_ok=True)
    elif not folder.is_dir():
        raise FileExistsError(f"{folder} is left as it is, since it is a file; choose another path.")
    try:
        with _locked(folder) as alone:
            folder.mkdir(exist_ok=True)  # one that made it, and failed, may have removed it meanwhile
            yield alone
    except BaseException:
        if made:
            with suppress(OSError):  # unless there is something in it
                folder.rmdir()
        raise


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Lock a folder, once nobody else has; yield whether that is possible.

    There is no file that could be left behind, and the lock goes with the process, however that ends.
    """
    if find_spec("fcntl") is None:  # Windows
        yield False
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    alone = True
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:
            alone = False
        yield alone
    finally:
        if alone:
            # Closing is not enough: a process that was forked meanwhile has the descriptor as well.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _find_model(folder: Path, schema: int, overwrite: bool) -> str | None:
    """Return the folder of arrays of the model to be replaced, if there is one, or say why not."""
    remains = {path.name for path in _folders_of_arrays(folder) if _is_ours(path)}
    if {*os.listdir(folder)} <= remains:  # empty, but for what interrupted writers left
        return None
    if not overwrite:
        raise FileExistsError(
            f"{folder} exists. Choose another path, or pass overwrite=True to replace the model in it."
        )
    try:
        return _read_document(folder, schema).folder
    except (ValueError, FileNotFoundError) as error:
        raise FileExistsError(
            f"{folder} is left as it is, since it does not hold a model to replace: {error}"
        ) from error


def _is_in_place(inner: Path, schema: int) -> bool:
    try:
        return _read_document(inner.parent, schema).folder == inner.name
    except (ValueError, OSError):
        return False


def _folders_of_arrays(folder: Path) -> list[Path]:
    """Return those in a folder. A link to one is none: what it leads to may be anybody's."""
    with os.scandir(folder) as entries:
        return [
            folder / entry.name
            for entry in entries
            if _FOLDER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
        ]


def _is_ours(inner: Path) -> bool:
    return all(_FILE.fullmatch(name) for name in os.listdir(inner))


def _remove(inner: Path) -> None:
    """Remove a folder of arrays, as far as possible; a file that was not written here stays."""
    with suppress(OSError):
        for name in filter(_FILE.fullmatch, os.listdir(inner)):
            with suppress(OSError):
                os.unlink(inner / name)
        os.rmdir(inner)


# -- reading -----------------------------------------------------------------------------------------


def read_folder(path: str | os.PathLike, *, schema: int = 1, map_files: bool = True) -> tuple[int, Any]:
    """Read what `write_folder` wrote.

    Parameters
    ----------
    path : str or path
        The folder.
    schema : int, default=1
        The highest number that the caller understands.
    map_files : bool, default=True
        Map files of 1 MiB and more into memory: they are shared by all processes that map them. Arrays
        can be changed all the same; the files stay as they are. Do not edit or copy over files that are
        mapped (`write_folder` does not). Never done on Windows, where mapped files cannot be replaced.

    Returns
    -------
    schema : int
        That of the state.
    state : dict, or any other value
        Arrays are writeable, and plain ndarrays.

    Raises
    ------
    FileNotFoundError
        If the folder, its model.json or a file of an array does not exist.
    ValueError
        If they are damaged or something else, or a later version of the package wrote them.
    OSError
        If reading fails.

    See Also
    --------
    write_folder : Writes the folder.
    """
    folder = Path(path)
    maps = map_files and os.name != "nt"
    while True:
        document = _read_document(folder, schema)
        try:
            raw = _open_arrays(folder / document.folder, document.arrays, maps)
            break
        except FileNotFoundError as error:
            if _read_document(folder, schema).folder == document.folder:
                raise FileNotFoundError(
                    f"{error.filename} is missing; copy the whole folder of the model."
                ) from error
    arrays = {
        name: to_array(raw[name], said, folder / document.folder / f"{name}.npy")
        for name, said in document.arrays.items()
    }
    try:
        return document.schema, from_json(document.state, arrays)
    except ValueError as error:
        raise ValueError(f"{folder / MODEL} is damaged: {error}.") from error


def _open_arrays(inner: Path, files: dict[str, ArrayFile], maps: bool) -> dict[str, Any]:
    """Open all files, before any is worked on: once they are open, nobody can take them away."""
    check_is_folder(inner)
    return {name: open_array(inner / f"{name}.npy", said, map_file=maps) for name, said in files.items()}


def _read_document(folder: Path, schema: int) -> _Document:
    """Return what model.json says, up to that schema."""
    file = folder / MODEL
    if not folder.exists():
        raise FileNotFoundError(f"{folder} does not exist; expected a folder with a saved model.")
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file; expected a folder with a saved model.")
    try:
        size = find_size(file)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{folder} holds no {MODEL}: it is not a saved model, or saving was interrupted."
        ) from None
    if size > MOST_BYTES:
        raise ValueError(
            f"{file} has {size} bytes; expected {MOST_BYTES} at most. It is no saved model."
        )
    text = file.read_bytes()
    try:
        document = json.loads(text.decode("utf-8", "surrogatepass"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is not JSON ({error}): damaged, or not a saved model.") from error
    number = document.get("format") if isinstance(document, dict) else None
    if type(number) is not int or number < 1 or "sktextcnn" not in document:
        raise ValueError(f"{file} was not written by sktextcnn: it has no format number.")
    if number > FORMAT:
        raise _later(folder, document, "format", FORMAT)
    try:
        checksum = document.pop("crc32", None)
        if checksum != _checksum(document):
            raise ValueError("its checksum is not the one that was written down")
        found = _check_document(document)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"{file} is damaged ({error}). Copy the model again.") from error
    if found.schema > schema:
        raise _later(folder, document, "schema", schema)
    return found


def _later(folder: Path, document: dict, name: str, known: int) -> ValueError:
    return ValueError(
        f"{folder} was written by sktextcnn {document['sktextcnn']} in {name} {document[name]}; this is "
        f"sktextcnn {__version__}, which reads {name}s up to {known}. Upgrade sktextcnn."
    )


def _check_document(document: dict) -> _Document:
    schema, folder, arrays = document["schema"], document["folder"], document["arrays"]
    if type(schema) is not int or schema < 1:
        raise ValueError(f"schema is {schema!r:.50}; expected a number")
    if not isinstance(folder, str) or not _FOLDER.fullmatch(folder):
        raise ValueError(f"folder is {folder!r:.50}; expected a name such as arrays-0a1b2c3d")
    if not isinstance(arrays, dict) or not all(map(_ARRAY.fullmatch, arrays)):
        raise ValueError("arrays has a name that is none of an array")
    files = {name: ArrayFile(**said) for name, said in arrays.items()}
    return _Document(schema, folder, files, document["state"])


# -- model.json --------------------------------------------------------------------------------------


def _to_text(document: _Document) -> bytes:
    """Return a model.json, with its checksum."""
    head = {"format": FORMAT, "sktextcnn": __version__}
    content = {
        "schema": document.schema,
        "folder": document.folder,
        "arrays": {name: asdict(file) for name, file in document.arrays.items()},
        "state": document.state,
    }
    return _dump({**head, "crc32": _checksum({**head, **content}), **content})


def _checksum(document: dict) -> int:
    """Return that of what a model.json says, however it is laid out."""
    return zlib.crc32(_dump(document))


def _dump(document: dict) -> bytes:
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Half of a surrogate pair is no valid UTF-8, but may be a token.
    return text.encode("utf-8", "surrogatepass")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")
