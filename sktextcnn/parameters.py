"""The parameters of the classifier: names, defaults and allowed values.

What they mean is said once, in the docstring of `TextCNNClassifier`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval as IntervalOfNumbers
from sklearn.utils._param_validation import StrOptions, validate_parameter_constraints

from sktextcnn.engine.inference import check_shapes
from sktextcnn.metrics import F1_AVERAGES
from sktextcnn.objective import LOSSES
from sktextcnn.text import TOKEN_PATTERN
from sktextcnn.thresholds import check_label_bounds

#: Fewer texts than this are too few to hold some out, unless the user asks for it.
SMALL = 1000

#: From so many texts on a tenth of them is enough to tune a threshold on that all labels share.
LARGE = 10_000

#: Steps that a network learns in, and epochs: few texts need to be seen several times however small
#: the steps, and many texts more than once.
STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 1000, 4, 40


class Interval(IntervalOfNumbers):
    """An interval of numbers, to which True and False do not belong, though Python has them as ints."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Tell whether `val` is a number in the interval."""
        return not isinstance(val, bool) and super().is_satisfied_by(val)


class Parameters(BaseEstimator):
    """Stores the parameters, as scikit-learn wants it: untouched, and checked when fitted."""

    _parameter_constraints: dict = {
        "analyzer": [StrOptions({"word", "char"}), callable],
        "lowercase": ["boolean"],
        "strip_accents": [StrOptions({"unicode", "ascii"}), callable, None],
        "token_pattern": [str, None],
        "tokenizer": [callable, None],
        "min_df": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="both"),
        ],
        "max_features": [Interval(Integral, 1, None, closed="left"), None],
        "max_length": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "vocabulary": [Mapping, "array-like", set, frozenset, None],
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
        "embeddings": [object],  # `check_embeddings` looks at it
        "embedding_mode": [StrOptions({"trainable", "static", "multichannel"})],
        "kernel_sizes": ["array-like"],
        "filters": [Interval(Integral, 1, None, closed="left")],
        "hidden_units": [Interval(Integral, 1, None, closed="left"), None],
        "embedding_dropout": [Interval(Real, 0, 1, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "ngram_range": ["array-like", StrOptions({"auto"}), None],
        "loss": [StrOptions({"auto", *LOSSES[True], *LOSSES[False]})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "classes": ["array-like", None],
        "engine": [StrOptions({"auto", "compiled", "keras"})],
        "network": [callable, None],
        "n_jobs": [Interval(Integral, None, None, closed="neither"), None],
        "optimizer": [StrOptions({"adam", "adagrad", "sgd"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "learning_rate_schedule": [StrOptions({"auto", "linear", "constant"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "validation_folds": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "refit": ["boolean"],
        "threshold": [
            Interval(Real, 0, 1, closed="both"),
            StrOptions({"auto", "tune", "cardinality"}),
            "array-like",
        ],
        "threshold_metric": [StrOptions({*F1_AVERAGES}), callable],
        "min_labels": [Interval(Integral, 0, None, closed="left")],
        "max_labels": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "keras_callbacks": [callable, None],
    }

    def __init__(
        self,
        *,
        analyzer: str | Callable = "word",
        lowercase: bool = True,
        strip_accents: str | Callable | None = None,
        token_pattern: str | None = TOKEN_PATTERN,
        tokenizer: Callable | None = None,
        min_df: int | float = 2,
        max_features: int | None = 50_000,
        max_length: int | str | None = "auto",
        vocabulary: Any = None,
        embedding_dim: int = 128,
        embeddings: Any = None,
        embedding_mode: str = "trainable",
        kernel_sizes: Sequence[int] = (2, 3, 4),
        filters: int = 128,
        hidden_units: int | None = None,
        embedding_dropout: float = 0.2,
        dropout: float = 0.5,
        ngram_range: Sequence[int] | str | None = "auto",
        loss: str = "auto",
        class_weight: Any = None,
        classes: Any = None,
        engine: str = "auto",
        network: Callable | None = None,
        n_jobs: int | None = None,
        optimizer: str = "adam",
        learning_rate: float | str = "auto",
        learning_rate_schedule: str = "auto",
        batch_size: int | str = "auto",
        epochs: int | str = "auto",
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        validation_folds: int | str = "auto",
        refit: bool = False,
        threshold: Any = "auto",
        threshold_metric: str | Callable = "f1_micro",
        min_labels: int = 0,
        max_labels: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
        warm_start: bool = False,
        keras_callbacks: Callable | None = None,
    ) -> None:
        self.analyzer = analyzer
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.token_pattern = token_pattern
        self.tokenizer = tokenizer
        self.min_df = min_df
        self.max_features = max_features
        self.max_length = max_length
        self.vocabulary = vocabulary
        self.embedding_dim = embedding_dim
        self.embeddings = embeddings
        self.embedding_mode = embedding_mode
        self.kernel_sizes = kernel_sizes
        self.filters = filters
        self.hidden_units = hidden_units
        self.embedding_dropout = embedding_dropout
        self.dropout = dropout
        self.ngram_range = ngram_range
        self.loss = loss
        self.class_weight = class_weight
        self.classes = classes
        self.engine = engine
        self.network = network
        self.n_jobs = n_jobs
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_schedule = learning_rate_schedule
        self.batch_size = batch_size
        self.epochs = epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.validation_folds = validation_folds
        self.refit = refit
        self.threshold = threshold
        self.threshold_metric = threshold_metric
        self.min_labels = min_labels
        self.max_labels = max_labels
        self.random_state = random_state
        self.verbose = verbose
        self.warm_start = warm_start
        self.keras_callbacks = keras_callbacks

    def _wants_held_out(self) -> bool:
        """Return whether a parameter asks for texts to be held out, however few there are."""
        return (
            self.early_stopping is True
            or is_option(self.threshold, "tune")
            or is_option(self.threshold, "cardinality")
            or not (self.ngram_range is None or is_option(self.ngram_range, "auto"))
        )

    def _check_label_bounds(self, n_labels: int) -> None:
        """Look at `min_labels` and `max_labels`, which prediction reads, and may have been set since."""
        bounds = {"min_labels": self.min_labels, "max_labels": self.max_labels}
        constraints = {name: self._parameter_constraints[name] for name in bounds}
        validate_parameter_constraints(constraints, bounds, caller_name=type(self).__name__)
        check_label_bounds(self.min_labels, self.max_labels, n_labels)

    def _check_learns_by_batches(self) -> None:
        """Refuse parameters that need all texts at once."""
        if self._wants_held_out():
            raise ValueError(
                "partial_fit cannot hold texts out, and the linear part does not learn by mini-batches; "
                "set early_stopping=False, threshold='auto' or a number, and ngram_range=None."
            )
        if self.learning_rate_schedule == "linear":
            raise ValueError(
                "partial_fit does not know which call is the last, where a falling learning rate would "
                "reach zero; set learning_rate_schedule='auto' or 'constant'."
            )
        if is_option(self.class_weight, "balanced"):
            raise ValueError(
                "class_weight='balanced' counts the labels of all texts, and partial_fit sees a few of "
                "them; pass a dict of weights."
            )

    def _check_keeps_its_form(
        self, weights: Mapping[str, np.ndarray], embedding_mode: str | None
    ) -> None:
        """Refuse to go on learning with parameters that the fitted model does not suit."""
        if "linear_kernel" in weights:
            raise ValueError(
                "The fitted model has a linear part, which cannot go on learning; fit it with "
                "ngram_range=None first."
            )
        if (self.network is not None) != ("network" in weights):
            raise ValueError(
                "network= changed from or to None; a model that goes on learning keeps its network. "
                "Fit a clone instead."
            )
        if self.embeddings is not None and self.embedding_mode != embedding_mode:
            raise ValueError(
                f"embedding_mode changed from {embedding_mode!r} to {self.embedding_mode!r}; "
                "a model that goes on learning keeps it. Fit a clone instead."
            )
        if self.network is None:
            own = {"embedding_dim": self.embedding_dim} if embedding_mode is None else {}
            check_shapes(
                weights,
                **own,
                kernel_sizes=check_kernel_sizes(self.kernel_sizes),
                filters=self.filters,
                hidden_units=self.hidden_units,
            )


def is_option(value: Any, name: str) -> bool:
    """Return whether a parameter is that word; arrays have an ``==`` of their own."""
    return isinstance(value, str) and value == name


def check_kernel_sizes(kernel_sizes: Any) -> tuple[int, ...]:
    """Return the widths of the convolutions in ascending order.

    Parameters
    ----------
    kernel_sizes : sequence of int

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        If there are none, one is not a whole number from 1 on, or one comes twice.
    """
    sizes = [*kernel_sizes]
    widths = [size for size in sizes if type(size) is int or isinstance(size, np.integer)]
    if not sizes or len(widths) < len(sizes) or min(widths) < 1:
        raise ValueError(
            f"kernel_sizes={kernel_sizes!r}; expected one or more widths in tokens, such as (2, 3, 4)."
        )
    if len(set(sizes)) < len(sizes):
        raise ValueError(f"kernel_sizes={kernel_sizes!r} names a width more than once.")
    return tuple(sorted(map(int, sizes)))


def choose_batch_size(batch_size: int | str, n: int) -> int:
    """Return the number of texts per step that `batch_size` means for n texts."""
    return min(64, max(16, n // 64)) if isinstance(batch_size, str) else batch_size


def choose_epochs(epochs: int | str, n: int, batch_size: int) -> int:
    """Return the number of epochs that `epochs` means for n texts in batches of `batch_size`."""
    if not isinstance(epochs, str):
        return epochs
    n_batches = -(-n // batch_size)
    return min(MOST_EPOCHS, max(FEWEST_EPOCHS, round(STEPS / n_batches)))


def choose_learning_rate(learning_rate: float | str, schedule: str, *, ends: bool) -> tuple[float, bool]:
    """Return the learning rate and whether it falls.

    Parameters
    ----------
    learning_rate : float or "auto"
    schedule : {"auto", "linear", "constant"}
    ends : bool
        Whether it is known when training will end.

    Returns
    -------
    tuple of (float, bool)
    """
    falls = ends if schedule == "auto" else schedule == "linear"
    if isinstance(learning_rate, str):
        learning_rate = 0.006 if falls else 0.002
    return learning_rate, falls


def check_ngram_range(ngram_range: Any) -> tuple[int, int] | None:
    """Return the fewest and the most tokens of an n-gram.

    Parameters
    ----------
    ngram_range : sequence of two int, or None

    Returns
    -------
    tuple of (int, int), or None

    Raises
    ------
    ValueError
        If it is not two whole numbers from 1 to 3, in order.
    """
    if ngram_range is None:
        return None
    sizes = [*ngram_range]
    whole = all(type(size) is int or isinstance(size, np.integer) for size in sizes)
    if len(sizes) != 2 or not whole or not 1 <= sizes[0] <= sizes[1] <= 3:
        raise ValueError(
            f"ngram_range={ngram_range!r}; expected the fewest and the most tokens of an n-gram, 1 to 3 "
            "such as (1, 2), or None for no linear part."
        )
    return int(sizes[0]), int(sizes[1])


def choose_n_folds(validation_folds: int | str, n: int, threshold: Any, metric: str | Callable) -> int:
    """Return how often texts are held out.

    A tenth of a small collection is too little to tune thresholds on; under macro-F1, where rare labels
    count as much as others, so is a tenth of a large one.

    Parameters
    ----------
    validation_folds : int or "auto"
    n : int
        Number of training texts.
    threshold : float, array-like or str
    metric : str or callable
        The `threshold_metric`.

    Returns
    -------
    int
    """
    if not isinstance(validation_folds, str):
        return validation_folds
    tunes = isinstance(threshold, str) and not (threshold == "auto" and callable(metric))
    few = metric == "f1_macro" or n < LARGE
    return 3 if tunes and few and n >= SMALL else 1
