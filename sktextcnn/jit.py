"""Compiled kernels: serial loops over arrays that Numba compiles once and keeps on disk.

A kernel gets arrays and numbers, releases the interpreter's lock and calls no BLAS. It is serial: who
wants two cores calls it twice, in two threads, on two parts of the work. Floating-point operations are
done in the order in which they are written.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from threading import RLock
from typing import Any

import numba

_LOGGER = logging.getLogger("sktextcnn")

#: Kernels that this process has run once, so that they are compiled or loaded.
_ready: set[Any] = set()

#: Those of them that it compiled itself. The first one is announced: one note for all.
_compiled: set[Any] = set()

#: Held while kernels are compiled or loaded: by one thread, and not while the process forks, since a
#: child would wait for a compiler whose thread it does not have.
_lock = RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


def kernel(function: Callable) -> Any:
    """Compile a function when it is first called, and keep the machine code on disk.

    Parameters
    ----------
    function : callable
        Of arrays and numbers, on which it works in plain loops.

    Returns
    -------
    callable
        The same, compiled.

    Notes
    -----
    Machine code is kept beside the module or, where that folder cannot be written, in Numba's folder of
    the user (`NUMBA_CACHE_DIR`). Where neither can be written, every process compiles for itself.
    """
    try:
        return numba.njit(function, error_model="numpy", nogil=True, cache=True)
    except RuntimeError:  # no folder to keep it in
        return numba.njit(function, error_model="numpy", nogil=True)


def prepare(calls: Iterable[tuple[Any, tuple]]) -> None:
    """Compile or load kernels before they are needed, the smallest first.

    Parameters
    ----------
    calls : iterable of (kernel, arguments)
        One call of each kernel, on a little of the kind of data that it will be used on.

    Raises
    ------
    RuntimeError
        If a kernel can be neither loaded nor compiled.
    """
    with _lock:
        _prepare([call for call in calls if call[0] not in _ready])


def _prepare(calls: Iterable[tuple[Any, tuple]]) -> None:
    for function, arguments in calls:
        try:
            function(*arguments)
        except Exception as error:
            raise RuntimeError(
                f"The compiled kernel {function.__name__!r} could not be loaded or compiled "
                f"({error!r}). Delete Numba's cache, {_folder(function) or 'if any'}, or name another "
                "folder in the environment variable NUMBA_CACHE_DIR."
            ) from error
        _ready.add(function)
        if _was_compiled(function):
            if not _compiled:
                _say(_folder(function))
            _compiled.add(function)


def _say(folder: str) -> None:
    if folder:
        _LOGGER.warning(
            "sktextcnn compiles its kernels for the first time on this machine, which takes some "
            "seconds; they are kept in folders such as %s.",
            folder,
        )
    else:
        _LOGGER.warning(
            "sktextcnn compiles its kernels, which takes some seconds, in every process anew: Numba "
            "finds no folder to keep them in. Name one in the environment variable NUMBA_CACHE_DIR."
        )


def _was_compiled(function: Any) -> bool:
    return bool(getattr(getattr(function, "stats", None), "cache_misses", False))


def _folder(function: Any) -> str:
    return getattr(getattr(function, "stats", None), "cache_path", None) or ""
