"""Numbers on disk instead of in memory: written once, one part after the other, then mapped."""

from __future__ import annotations

import errno
import tempfile
import weakref
from collections.abc import Iterable
from typing import Any

import numpy as np


class Spool:
    """Numbers in a temporary file, which is gone as soon as nobody uses it, whatever happens.

    The file is where :mod:`tempfile` puts such files, and has no name there, as far as the system can do
    without: nothing is left behind, not even by a process that is killed.

    Parameters
    ----------
    dtype : dtype

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.text.spool import Spool
    >>> spool = Spool(np.int32)
    >>> spool.append(np.arange(3))
    >>> spool.append(np.array([7]))
    >>> spool.to_array()
    array([0, 1, 2, 7], dtype=int32)
    """

    def __init__(self, dtype: Any) -> None:
        self._dtype, self._n = np.dtype(dtype), 0
        # Without a buffer: what comes is large, and has to be in the file when that is mapped.
        self._file: Any = tempfile.TemporaryFile(buffering=0, prefix="sktextcnn-")  # noqa: SIM115
        weakref.finalize(self, self._file.close)  # arrays on the file go on without it

    def append(self, numbers: np.ndarray) -> None:
        """Write numbers behind those there are.

        Parameters
        ----------
        numbers : ndarray

        Raises
        ------
        OSError
            If they cannot be written; the message names the folder if it is full.
        """
        left = np.ascontiguousarray(numbers, self._dtype).data.cast("B")
        try:
            # Not into a map: a full disk would kill the process rather than raise an error.
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise OSError(
                errno.ENOSPC,
                f"There is no space left in {tempfile.gettempdir()!r} for the token ids of a stream; "
                "name a folder with more space in the environment variable TMPDIR",
            ) from None
        self._n += len(numbers)

    def to_array(self) -> np.ndarray:
        """Return all numbers as an array on the file, which can be written to, too."""
        if not self._n:
            return np.empty(0, self._dtype)
        # A plain array: kernels are not compiled for np.memmap.
        return np.asarray(np.memmap(self._file, self._dtype, "r+", shape=(self._n,)))


def join_on_disk(parts: Iterable[np.ndarray], dtype: Any) -> np.ndarray:
    """Return parts end to end, on disk, holding one of them at a time.

    Parameters
    ----------
    parts : iterable of ndarray of shape (n_i,)
    dtype : dtype

    Returns
    -------
    ndarray of shape (sum of n_i,)
    """
    spool = Spool(dtype)
    for part in parts:
        spool.append(part)
    return spool.to_array()
