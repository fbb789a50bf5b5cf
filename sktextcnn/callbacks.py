"""What is told to the outside at the end of each epoch: progress, and scikit-learn's callbacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupportMixin
except ImportError:  # before scikit-learn 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in for scikit-learn's, without which there are no callbacks to call."""


class FitCallbacks:
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

    def end_epoch(self, get_weights: Callable[[], Mapping]) -> bool:
        """Close the task of an epoch; return whether a callback wants training to stop."""
        if self._fit is None:
            return False
        return self._epoch.call_on_fit_task_end(
            **self._data, reconstruction_attributes=lambda: self._attributes(get_weights())
        )

    def end_fit(self, attributes: dict) -> None:
        """Close the task of the fit, which ended with these fitted attributes."""
        if self._fit is not None:
            self._fit.call_on_fit_task_end(**self._data, reconstruction_attributes=lambda: attributes)


def print_progress(epoch: int, epochs: int, logs: Mapping[str, float], metric: str) -> None:
    """Print one line: epoch, loss, validation score if there is one, and the time left.

    Parameters
    ----------
    epoch : int
        Number of the epoch that ended, from 0.
    epochs : int
        How many there can be.
    logs : mapping of str to float
        ``loss``, ``seconds`` of the epoch and perhaps ``validation_score``.
    metric : str
        What the validation score is called.
    """
    parts = [f"epoch {epoch + 1:>{len(str(epochs))}}/{epochs}", f"loss {logs['loss']:.4f}"]
    if "validation_score" in logs:
        parts.append(f"validation {metric} {logs['validation_score']:.4f}")
    parts.append(f"at most {logs['seconds'] * (epochs - epoch - 1):.0f} s left")
    print("  ".join(parts), flush=True)
