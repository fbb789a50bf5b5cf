"""Plain values <-> one file, for what is written often and read seldom: checkpoints.

The file holds the arrays, one ``.npy`` after the other; then a JSON document that says what each of them
is, and the values around them; and at its end the length and the checksum of that document. So every
byte is under a checksum, or is one. No pickle is written or read.

A file is made under another name, and renamed once it is on the disk, in a single step. Whoever looks
for it sees all of it or nothing, however its writer ends; and of two writers of the same values, it does
not matter who comes last.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from sktextcnn.storage.encoding import from_json, to_json
from sktextcnn.storage.files import ArrayFile, append_array, find_size, new_file, to_array

#: The end of a file: what it is, and the length and the checksum of the document before it.
_END = struct.Struct("<8sQI")
_MAGIC = b"sktcnn 1"

#: End of the name of a file that is being written.
UNFINISHED = ".part"


def write_archive(path: Path, state: Any) -> None:
    """Write values into a file, whole or not at all; replace the one of that name, if there is one.

    Parameters
    ----------
    path : Path
    state : dict, or any other value
        What `sktextcnn.storage.encoding.to_json` takes.

    Raises
    ------
    TypeError
        If `state` holds anything else; the message says where.
    OSError
        If writing fails; the file of that name is what it was.

    See Also
    --------
    read_archive : The way back.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sktextcnn.storage.archive import read_archive, write_archive
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_archive(Path(folder, "state"), {"epoch": 3, "weights": np.zeros((2, 2))})
    ...     state = read_archive(Path(folder, "state"))
    >>> state["epoch"], state["weights"].shape
    (3, (2, 2))
    """
    encoded, arrays = to_json(state)
    unfinished = path.with_name(f"{path.name}.{uuid4().hex[:8]}{UNFINISHED}")
    try:
        with new_file(unfinished) as file:
            said = {name: asdict(append_array(file, array)) for name, array in arrays.items()}
            text = json.dumps({"arrays": said, "state": encoded}, allow_nan=False).encode()
            file.write(text)
            file.write(_END.pack(_MAGIC, len(text), zlib.crc32(text)))
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def read_archive(path: Path) -> Any:
    """Read what `write_archive` wrote.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict, or any other value
        Arrays are writeable.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, or something else.
    OSError
        If reading fails.

    See Also
    --------
    write_archive : Writes the file.
    """
    size = find_size(path)
    with open(path, "rb") as file:
        file.seek(max(0, size - _END.size))
        end = file.read(_END.size)
        if len(end) < _END.size or not end.startswith(_MAGIC):
            raise ValueError("its end is missing")
        _, length, crc32 = _END.unpack(end)
        if length > size - _END.size:
            raise ValueError(f"its end speaks of {length} bytes before it")
        start = size - _END.size - length
        file.seek(start)
        text = file.read(length)
        if zlib.crc32(text) != crc32:
            raise ValueError("the checksum of its values is another one")
        document = json.loads(text)
        said = {name: ArrayFile(**each) for name, each in document["arrays"].items()}
        if sum(each.size for each in said.values()) != start:
            raise ValueError(f"its arrays have {start} bytes, which is another number than was written")
        file.seek(0)
        arrays = {
            name: to_array(np.fromfile(file, np.uint8, each.size), each, path)
            for name, each in said.items()
        }
    return from_json(document["state"], arrays)
