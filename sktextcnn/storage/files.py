"""The files of a saved model, one by one: written to stay, and read if they are what was written.

Whatever lies in a folder is looked at before it is opened: only regular files are, of the size that was
written down, and no links, which may lead anywhere. Nothing is allocated that is not in the file. What
is read is compared with a checksum, a CRC-32 as in zip files: it tells damage, of a bad disk or of a
copy that was cut off. It is no protection against someone who changes a model and its checksums.

Arrays are .npy files, without pickle: NumPy reads and writes them, they hold labels of any type beside
floats, and can be mapped into memory. safetensors 0.8 does none of the last two for NumPy, and has no
checksums either.
"""

from __future__ import annotations

import io
import math
import mmap
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sktextcnn.storage.encoding import DTYPE_KINDS

#: Arrays of so many bytes are mapped into memory rather than read: their pages come when first used.
MAP_FROM = 1 << 20

#: NumPy reads no longer header of a .npy file, and writes none.
_LONGEST_HEADER = 1 << 14


@dataclass(frozen=True)
class ArrayFile:
    """What is written down about the file of an array.

    Attributes
    ----------
    dtype : str
    shape : list of int
        Of the array.
    size : int
        Bytes of the file.
    crc32 : int
        Their checksum.
    """

    dtype: str
    shape: list[int]
    size: int
    crc32: int

    def __post_init__(self) -> None:
        """Refuse values of other types."""
        shape: Any = self.shape  # of any type, if it comes from a file
        numbers = [*(shape if isinstance(shape, list) else [None]), self.size, self.crc32]
        if type(self.dtype) is not str or not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError(f"{self} describes no array")


def find_size(path: Path) -> int:
    """Return the bytes of a file, if it is one.

    Parameters
    ----------
    path : Path

    Returns
    -------
    int

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    ValueError
        If it is a link, or anything that is no regular file.
    """
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(
            f"{path} is {_what_is(found.st_mode)}; expected a regular file. Copy the model with the "
            "contents of its files."
        )
    return found.st_size


def check_is_folder(path: Path) -> None:
    """Refuse anything else, and links to folders.

    Parameters
    ----------
    path : Path

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    ValueError
        If there is something else.
    """
    mode = os.lstat(path).st_mode
    if not stat.S_ISDIR(mode):
        raise ValueError(
            f"{path} is {_what_is(mode)}; expected a folder. Copy the model with the contents of its "
            "files."
        )


def _what_is(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFREG: "a file", stat.S_IFDIR: "a folder"}
    return kinds.get(stat.S_IFMT(mode), "a special file, such as a pipe or a device")


@contextmanager
def new_file(path: Path) -> Iterator[Any]:
    """Open a new file, and close it when it is on the disk, before anything refers to it."""
    with open(path, "xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def write_array(path: Path, array: np.ndarray) -> ArrayFile:
    """Write an array into a new file.

    Parameters
    ----------
    path : Path
    array : ndarray

    Returns
    -------
    ArrayFile
    """
    with new_file(path) as file:
        return append_array(file, array)


def append_array(file: Any, array: np.ndarray) -> ArrayFile:
    """Write an array into an open file, from where that stands.

    Parameters
    ----------
    file : binary file
    array : ndarray

    Returns
    -------
    ArrayFile
    """
    counted = _Counted(file)
    np.lib.format.write_array(counted, array, version=(1, 0), allow_pickle=False)
    return ArrayFile(array.dtype.str, [*array.shape], counted.size, counted.crc32)


class _Counted:
    """A file to write to that knows the number and the checksum of the bytes."""

    def __init__(self, file: Any) -> None:
        self._file, self.size, self.crc32 = file, 0, 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.size += len(data)
        self.crc32 = zlib.crc32(data, self.crc32)


def open_array(path: Path, said: ArrayFile, *, map_file: bool) -> np.ndarray:
    """Return the bytes of an array's file, not looked at yet.

    Parameters
    ----------
    path : Path
    said : ArrayFile
    map_file : bool
        Whether a large file may be mapped into memory. What is returned can be changed all the same; the
        file stays as it is.

    Returns
    -------
    ndarray of shape (said.size,), dtype uint8

    Raises
    ------
    FileNotFoundError
        If there is no file.
    ValueError
        If it is no regular file, or has another length.
    """
    size = find_size(path)
    if size != said.size:
        raise ValueError(
            f"{path} has {size} bytes instead of {said.size}: it was cut off or changed. Copy the model "
            "again."
        )
    with open(path, "rb") as file:
        if map_file and size >= MAP_FROM:
            # Not np.memmap: joblib would send its file's name to other processes, without what has been
            # changed since.
            return np.frombuffer(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY), np.uint8)
        return np.fromfile(file, np.uint8, size)


def to_array(raw: np.ndarray, said: ArrayFile, path: Path) -> np.ndarray:
    """Return the array that a file holds, if it is the one that was written.

    Parameters
    ----------
    raw : ndarray of uint8
        From `open_array`.
    said : ArrayFile
    path : Path
        For messages.

    Returns
    -------
    ndarray
        On the memory of `raw`.

    Raises
    ------
    ValueError
        If it is another one, or none.
    """
    if zlib.crc32(raw.data) != said.crc32:
        raise ValueError(
            f"{path} is damaged: its checksum is not the one that was written down when the model was "
            "saved. Copy the model again."
        )
    file = io.BytesIO(raw[:_LONGEST_HEADER].tobytes())
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("unknown version of the .npy format")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except Exception as error:  # NumPy raises any of several for a damaged header
        raise ValueError(f"{path} is not the array that was saved ({error}).") from error
    if dtype.hasobject:
        raise ValueError(f"{path} holds Python objects, which are never read.")
    if dtype.str != said.dtype or [*shape] != said.shape or dtype.kind not in DTYPE_KINDS:
        raise ValueError(
            f"{path} holds an array of shape {shape} and dtype {dtype.str}, but {said.shape} and "
            f"{said.dtype} are written down: the files are not from one model."
        )
    start, n = file.tell(), math.prod(shape)
    if not dtype.itemsize or len(raw) != start + n * dtype.itemsize:
        raise ValueError(
            f"{path} has {len(raw)} bytes, but {n} items of dtype {dtype.str} and a header of {start} "
            "bytes: it is not the array that was saved."
        )
    order: Literal["C", "F"] = "F" if fortran else "C"
    return np.frombuffer(raw, dtype, n, start).reshape(shape, order=order)
