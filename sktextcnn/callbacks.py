"""What is told to the outside at the end of each epoch: progress, and scikit-learn's callbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from time import perf_counter
from typing import Any

from sktextcnn.engine.observers import Observer, Run

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupportMixin
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's, without which there are no callbacks to call."""


class FitCallbacks(Observer):
    """Callbacks of scikit-learn during one fit: a task for the fit, and one in it for each epoch.

    Parameters
    ----------
    estimator : estimator
        The one that is fitted; callbacks are set on it and want to see it.
    epochs : int
        How many epochs there can be.
    attributes : callable
        From weights to the fitted attributes of an estimator that stopped there.
    **data : dict
        ``X``, ``y`` and ``metadata``, passed on to the callbacks.
    """

    def __init__(
        self, estimator: Any, epochs: int, attributes: Callable[[Mapping], dict], **data: Any
    ) -> None:
        self._data = {"estimator": estimator, **data}
        self._attributes = attributes
        self._fit: Any = None
        self._epoch: Any = None
        if getattr(estimator, "_skl_callbacks", None) or hasattr(estimator, "_parent_callback_ctx"):
            self._fit = estimator._init_callback_context(max_subtasks=epochs)
            self._fit.call_on_fit_task_begin(**self._data)

    def begin_epoch(self, epoch: int) -> None:
        """Open the task of an epoch."""
        if self._fit is not None:
            self._epoch = self._fit.subcontext(task_name=f"epoch {epoch}")
            self._epoch.call_on_fit_task_begin(**self._data)

    def end_epoch(self, epoch: int, logs: dict[str, float], run: Run) -> bool:
        """Close the task of an epoch; return whether a callback wants training to stop."""
        if self._fit is None:
            return False
        return self._epoch.call_on_fit_task_end(
            **self._data, reconstruction_attributes=lambda: self._attributes(run.state().weights)
        )

    def end_fit(self, attributes: dict) -> None:
        """Close the task of the fit, which ended with these fitted attributes."""
        if self._fit is not None:
            self._fit.call_on_fit_task_end(**self._data, reconstruction_attributes=lambda: attributes)


#: Gets the share of a fit that is done, and about how many seconds are left.
Watcher = Callable[[float, float], None]
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Have fits that begin in this context tell how far they are, at every batch and linear part.

    Parameters
    ----------
    watcher : callable
        Called with the share of the fit that is done, from 0 to 1, and about how many seconds are left;
        also from other threads.

    Yields
    ------
    None

    Examples
    --------
    >>> from sktextcnn import TextCNNClassifier
    >>> from sktextcnn.callbacks import watching
    >>> told = []
    >>> with watching(lambda share, seconds: told.append(share)):
    ...     clf = TextCNNClassifier(min_df=1, epochs=2).fit(["a goal", "a vote"], [["sport"], []])
    >>> [round(share, 2) for share in told][-1]
    1.0
    """
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


class Progress:
    """Prints how far a fit is, all of it: its networks, the linear part, and the time left.

    Parameters
    ----------
    verbose : int
        0 prints nothing.
    networks : sequence of (int, int)
        Texts of each network, and the epochs that it may take.
    n_linear : int
        How often the linear part is fitted.
    metric : str
        What the validation score is called.
    """

    def __init__(
        self, verbose: int, networks: Sequence[tuple[int, int]], n_linear: int, metric: str
    ) -> None:
        self._verbose, self._metric = verbose, metric
        self._n_texts = [n for n, _ in networks]
        self._n_linear, self._n_networks = n_linear, len(networks)
        self._n_restored = 0  # of the linear parts
        self._linear_seconds: list[float] = []
        # Texts that networks have learned from, as often as they have, and that they still will.
        self._n_seen, self._n_left = 0, sum(n * epochs for n, epochs in networks)
        self._started, self._lock = perf_counter(), Lock()
        self._watcher = _watcher.get()  # of the thread that fits; batches end in others

    def network(self, number: int, n_texts: int, epochs: int, check: Callable[[], None]) -> Observer:
        """Return the observer of one network, which calls `check` at each batch."""
        return _NetworkProgress(self, number, epochs, check)

    def settle(self, epochs: int) -> None:
        """Take note of how many epochs the networks after the first take."""
        with self._lock:
            self._n_left = sum(self._n_texts[1:]) * epochs

    def see(self, n_texts: int) -> None:
        """Take note of texts that a network has learned from."""
        with self._lock:
            self._n_seen += n_texts
            self._n_left -= n_texts
        self._tell()

    def end_linear(self, seconds: float) -> None:
        """Take note of a fit of the linear part."""
        with self._lock:
            self._linear_seconds.append(seconds)
            number = len(self._linear_seconds) + self._n_restored
        self._tell()
        self.say([f"linear part {number} of {self._n_linear}", f"{seconds:.1f} s"])

    def restore(self, what: str, *, n_texts: int = 0, n_linear: int = 0) -> None:
        """Take note of work that a checkpoint spares: texts to learn from, fits of the linear part."""
        with self._lock:
            self._n_left -= n_texts
            self._n_restored += n_linear
        self._tell()
        self.say([what, "from the checkpoint"])

    def restore_all(self) -> None:
        """Take note that a checkpoint holds the whole fit."""
        self.restore("the whole fit", n_texts=self._n_left, n_linear=self._n_linear)

    def say(self, parts: Sequence[str]) -> None:
        """Print a line, and the time left, if that is known."""
        if self._verbose:
            with self._lock:
                left = self._seconds_left()
                told = [] if left is None else [f"about {left:.0f} s left"]
                print("  ".join([*parts, *told]), flush=True)

    def _tell(self) -> None:
        if self._watcher is not None:
            with self._lock:
                spent, left = perf_counter() - self._started, self._seconds_left()
            if left is not None:
                self._watcher(spent / (spent + left) if spent else 0.0, left)

    def _seconds_left(self) -> float | None:
        """Return how long the rest will take; None: nothing has been learned from which to tell."""
        if self._n_left > 0 and not self._n_seen and not self._linear_seconds:
            return None
        spent, linear = perf_counter() - self._started, sum(self._linear_seconds)
        if self._n_seen:
            of_networks = max(spent - linear, 0.0) * self._n_left / self._n_seen
        else:  # a linear part was first: as long again is a guess, but no share of 1
            of_networks = spent if self._n_left > 0 else 0.0
        n_done = len(self._linear_seconds)
        n_left = self._n_linear - self._n_restored - n_done
        return max(of_networks + linear / max(n_done, 1) * n_left, 0.0)

    def end_epoch(self, number: int, epochs: int, epoch: int, logs: Mapping[str, float]) -> None:
        """Print a line on an epoch, numbered from 0, of a network, numbered from 0."""
        parts = [
            f"network {number + 1} of {self._n_networks}",
            f"epoch {epoch + 1:>{len(str(epochs))}}/{epochs}",
            f"loss {logs['loss']:.4f}",
        ]
        if "validation_score" in logs:
            parts.append(f"validation {self._metric} {logs['validation_score']:.4f}")
        self.say(parts)


class _NetworkProgress(Observer):
    def __init__(self, progress: Progress, number: int, epochs: int, check: Callable[[], None]) -> None:
        self._progress, self._number, self._epochs, self._check = progress, number, epochs, check

    def end_batch(self, n_texts: int) -> None:
        self._check()
        self._progress.see(n_texts)

    def end_epoch(self, epoch: int, logs: dict[str, float], run: Run) -> bool:
        self._progress.end_epoch(self._number, self._epochs, epoch, logs)
        return False
