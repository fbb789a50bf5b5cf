"""Threads: how many there may be, BLAS on one of them, and a few that share the work of a step.

BLAS and our own threads would fight for the cores at every call, so BLAS is held to one thread while
ours work, and products are divided into parts of fixed sizes. Who works on which part changes nothing in
the numbers: results are the same for every number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

import joblib
import numpy as np
from joblib.parallel import (
    LokyBackend,
    MultiprocessingBackend,
    SequentialBackend,
    ThreadingBackend,
    get_active_backend,
)
from threadpoolctl import ThreadpoolController

T = TypeVar("T")

#: Backends of joblib that count the processors of this machine. Others (Dask's, Spark's, Ray's) count
#: those of a cluster.
_LOCAL_BACKENDS = (LokyBackend, MultiprocessingBackend, SequentialBackend, ThreadingBackend)


class _OneBlasThread:
    """Holds BLAS to one thread while anybody wants it so, and then puts back what was there."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_users = 0
        self._libraries: list[tuple[Any, int]] = []

    def enter(self) -> int:
        """Begin; return how many threads BLAS had."""
        with self._lock:
            if not self._n_users:
                found = ThreadpoolController().select(user_api="blas").lib_controllers
                self._libraries = [(library, library.num_threads) for library in found]
                for library, _ in self._libraries:
                    _set_threads(library, 1)
            self._n_users += 1
            return max((number for _, number in self._libraries), default=1)

    def leave(self) -> None:
        with self._lock:
            self._n_users -= 1
            if not self._n_users:
                self._put_back()

    def forget(self) -> None:
        """Start anew in a forked child, where none of the users lives on."""
        if self._n_users:
            self._put_back()
        self.__init__()  # type: ignore[misc]

    def _put_back(self) -> None:
        for library, number in self._libraries:
            _set_threads(library, number)


def _set_threads(library: Any, number: int) -> None:
    """Set how many threads a library may use, from whatever thread.

    From 3.7 on, threadpoolctl lets the first thread alone that ever set a limit set others, unless it is
    told to forget it. The last user of `_OneBlasThread` may be another thread than the first.
    """
    release = getattr(library, "clear_controlling_thread", None)
    if release is not None:
        release(force=True)
    library.set_num_threads(number)
    if release is not None:
        release(force=True)


_one_blas_thread = _OneBlasThread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_blas_thread.forget)


@contextmanager
def one_blas_thread() -> Iterator[int]:
    """Hold BLAS to one thread, in all threads of the process, until the last of these blocks ends.

    Yields
    ------
    int
        Threads that a computation may use in its stead: what BLAS would have had, but no more than the
        processors that this process may use.
    """
    granted = _one_blas_thread.enter()
    try:
        yield max(1, min(granted, joblib.cpu_count()))
    finally:
        _one_blas_thread.leave()


def is_worker() -> bool:
    """Return whether joblib has others at work beside this thread: on this machine or on a cluster."""
    backend = get_active_backend()[0]
    return bool(backend.nesting_level) or type(backend) not in _LOCAL_BACKENDS


def limit_jobs(n_jobs: int, granted: int) -> int:
    """Return `n_jobs`, or, in a worker of joblib, no more than the threads that it is `granted`."""
    # Jobs are threads of this process, while a cluster's n_jobs counts the processors of its machines.
    return min(n_jobs, granted) if is_worker() else n_jobs


def divide(n: int, n_parts: int) -> list[slice]:
    """Return where parts of 0 to n begin and end, all of about the same size.

    Parameters
    ----------
    n, n_parts : int

    Returns
    -------
    list of slice

    Examples
    --------
    >>> from sktextcnn.threads import divide
    >>> divide(5, 2)
    [slice(0, 2, None), slice(2, 5, None)]
    """
    ends = [n * i // n_parts for i in range(n_parts + 1)]
    return [slice(low, high) for low, high in pairwise(ends)]


class Team:
    """A few threads that share the parts of a piece of work.

    Parameters
    ----------
    n_threads : int
        The calling thread is one of them.
    **errors : str
        How the others treat floating-point errors, as of `numpy.errstate`, which holds for one thread.

    Examples
    --------
    >>> from functools import partial
    >>> from sktextcnn.threads import Team
    >>> with Team(2) as team:
    ...     team.run(partial(abs, number) for number in [-1, 2, -3])
    [1, 2, 3]
    """

    def __init__(self, n_threads: int, **errors: Any) -> None:
        self.n_threads, self._errors = n_threads, errors
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._ended: SimpleQueue[BaseException | None] = SimpleQueue()
        self._others = [Thread(target=self._help, daemon=True) for _ in range(n_threads - 1)]
        for other in self._others:
            other.start()

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        for _other in self._others:
            self._work.put(None)
        for other in self._others:
            other.join()

    def _help(self) -> None:
        while (work := self._work.get()) is not None:
            error = None
            try:
                with np.errstate(**self._errors):
                    work()
            except BaseException as raised:
                error = raised
            self._ended.put(error)

    def run(self, tasks: Iterable[Callable[[], T]]) -> list[T]:
        """Call every task, in all threads, and return what they return.

        Parameters
        ----------
        tasks : iterable of callable
            The longest first, best.

        Returns
        -------
        list
            In the order of the tasks.
        """
        tasks = [*tasks]
        n_others = min(self.n_threads, len(tasks)) - 1
        if n_others < 1:
            return [task() for task in tasks]
        results: list[Any] = [None] * len(tasks)
        waiting = iter(range(len(tasks)))  # next() of it is one step of the interpreter: no lock

        def work() -> None:
            for i in waiting:
                results[i] = tasks[i]()

        for _ in range(n_others):
            self._work.put(work)
        try:
            work()
        finally:
            errors = [self._ended.get() for _ in range(n_others)]
        for error in filter(None, errors):
            raise error
        return results

    def map(self, function: Callable[[Any], T], parts: Iterable) -> list[T]:
        """Call a function for every part, in all threads, and return what it returns, in order."""
        return self.run(partial(function, part) for part in parts)


class CancelledError(Exception):
    """Raised in a job whose result nobody waits for any more."""


class Jobs:
    """Pieces of work side by side, in threads; or, with one job at a time, at once and in turn.

    When the block ends by an exception (Ctrl-C among them), jobs that wait are dropped, and those that
    run find out through `check`.

    Parameters
    ----------
    n_jobs : int
    """

    def __init__(self, n_jobs: int) -> None:
        self._pool = ThreadPoolExecutor(n_jobs) if n_jobs > 1 else None
        self._cancelled = False

    def __enter__(self) -> Jobs:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        self._cancelled = kind is not None
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=self._cancelled)

    def submit(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> Callable[[], T]:
        """Begin a piece of work.

        Parameters
        ----------
        function : callable
        *args, **kwargs
            What to call it with.

        Returns
        -------
        callable
            Waits for the result, and returns it.
        """
        if self._pool is not None:
            return self._pool.submit(function, *args, **kwargs).result
        result = function(*args, **kwargs)
        return lambda: result

    def check(self) -> None:
        """Raise `CancelledError`, in a job, if nobody waits for it any more."""
        if self._cancelled:
            raise CancelledError
