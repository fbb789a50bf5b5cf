"""The parameters of the classifier: names, defaults and allowed values.

What they mean is said once, in the docstring of `TextCNNClassifier`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import (
    HasMethods,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils._param_validation import Interval as IntervalOfNumbers

from sktextcnn.decision.rule import check_label_bounds
from sktextcnn.decision.scoring import F1_AVERAGES
from sktextcnn.engine.examples import Settings
from sktextcnn.engine.inference import check_shapes
from sktextcnn.fitted import FittedState
from sktextcnn.linear.part import LinearPart
from sktextcnn.objective import LOSSES
from sktextcnn.resolved import Resolved, is_option
from sktextcnn.text.tokens import TOKEN_PATTERN


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
        "min_df": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="both")],
        "max_df": [Interval(Integral, 1, None, closed="left"), Interval(Real, 0, 1, closed="right")],
        "max_features": [Interval(Integral, 1, None, closed="left"), None],
        "max_length": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
            None,
        ],
        "vocabulary": [Mapping, "array-like", set, frozenset, None],
        "embedding_dim": [Interval(Integral, 1, None, closed="left")],
        "embeddings": [object],  # `check_embeddings` looks at it
        "embedding_mode": [StrOptions({"trainable", "static", "multichannel"})],
        "kernel_sizes": ["array-like"],
        "filters": [Interval(Integral, 1, None, closed="left")],
        "hidden_units": [Interval(Integral, 1, None, closed="left"), None],
        "embedding_dropout": [Interval(Real, 0, 1, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "linear": ["boolean"],
        "linear_ngram_range": ["array-like"],
        "linear_char_ngram_range": ["array-like", None],
        "linear_C": [Interval(Real, 0, None, closed="neither")],
        "loss": [StrOptions({"auto", *LOSSES[True], *LOSSES[False]})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "classes": ["array-like", None],
        "engine": [StrOptions({"auto", "compiled", "keras"})],
        "network": [callable, None],
        "n_jobs": [Interval(Integral, None, None, closed="neither"), None],
        "optimizer": [StrOptions({"adam", "adagrad", "sgd"})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "learning_rate_schedule": [StrOptions({"linear", "constant"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "negative_samples": [Interval(Integral, 1, None, closed="left"), None],
        "epochs": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "early_stopping": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "validation": [
            Interval(Real, 0, 1, closed="neither"),
            Interval(Integral, 2, None, closed="left"),
            HasMethods(["split", "get_n_splits"]),
            StrOptions({"auto"}),
            None,
        ],
        "threshold": [
            Interval(Real, 0, 1, closed="both"),
            StrOptions({"tune", "cardinality"}),
            "array-like",
        ],
        "metric": [StrOptions({*F1_AVERAGES}), callable],
        "min_labels": [Interval(Integral, 0, None, closed="left")],
        "max_labels": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "checkpoint_dir": [str, os.PathLike, None],
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
        max_df: int | float = 1.0,
        max_features: int | None = 50_000,
        max_length: int | float | None = 0.95,
        vocabulary: Any = None,
        embedding_dim: int = 128,
        embeddings: Any = None,
        embedding_mode: str = "trainable",
        kernel_sizes: Sequence[int] = (2, 3, 4),
        filters: int = 128,
        hidden_units: int | None = None,
        embedding_dropout: float = 0.2,
        dropout: float = 0.5,
        linear: bool = True,
        linear_ngram_range: Sequence[int] = (1, 2),
        linear_char_ngram_range: Sequence[int] | None = (4, 4),
        linear_C: float = 1.0,
        loss: str = "auto",
        class_weight: Any = None,
        classes: Any = None,
        engine: str = "auto",
        network: Callable | None = None,
        n_jobs: int | None = None,
        optimizer: str = "adam",
        learning_rate: float = 0.006,
        learning_rate_schedule: str = "linear",
        batch_size: int | str = "auto",
        negative_samples: int | None = None,
        epochs: int | str = "auto",
        early_stopping: bool = True,
        n_iter_no_change: int = 5,
        validation: Any = "auto",
        threshold: Any = "tune",
        metric: str | Callable = "f1_micro",
        min_labels: int = 0,
        max_labels: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
        checkpoint_dir: str | os.PathLike | None = None,
        warm_start: bool = False,
        keras_callbacks: Callable | None = None,
    ) -> None:
        self.analyzer = analyzer
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.token_pattern = token_pattern
        self.tokenizer = tokenizer
        self.min_df = min_df
        self.max_df = max_df
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
        self.linear = linear
        self.linear_ngram_range = linear_ngram_range
        self.linear_char_ngram_range = linear_char_ngram_range
        self.linear_C = linear_C
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
        self.negative_samples = negative_samples
        self.epochs = epochs
        self.early_stopping = early_stopping
        self.n_iter_no_change = n_iter_no_change
        self.validation = validation
        self.threshold = threshold
        self.metric = metric
        self.min_labels = min_labels
        self.max_labels = max_labels
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint_dir = checkpoint_dir
        self.warm_start = warm_start
        self.keras_callbacks = keras_callbacks

    # Python names the function in its error about an unknown argument: by the class that users know.
    __init__.__qualname__ = "TextCNNClassifier.__init__"

    def _resolved(
        self, fitted: FittedState, settings: Settings, *, engine: str, folds: list, linear: bool
    ) -> Resolved:
        """Return what parameters became in a fit of that outcome."""
        tunes = isinstance(self.threshold, str) and fitted.multilabel and folds
        return Resolved(
            engine=engine,
            loss=fitted.loss,
            max_length=fitted.max_length,
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            learning_rate_schedule="linear" if settings.decays else "constant",
            n_folds=len(folds),
            n_held_out=sum(len(rows) for _, rows in folds),
            linear=linear,
            threshold=self.threshold if tunes else "fixed",
        )

    def _ngram_ranges(self) -> tuple[tuple[int, int], tuple[int, int] | None]:
        """Return the numbers of tokens and of characters in the n-grams of the linear part."""
        of_tokens = check_ngram_range("linear_ngram_range", self.linear_ngram_range, most=3)
        if self.linear_char_ngram_range is None:
            return of_tokens, None
        of_characters = self.linear_char_ngram_range
        return of_tokens, check_ngram_range("linear_char_ngram_range", of_characters, most=8)

    def _check_label_bounds(self, n_labels: int) -> None:
        """Look at `min_labels` and `max_labels`, which prediction reads, and may have been set since."""
        bounds = {"min_labels": self.min_labels, "max_labels": self.max_labels}
        constraints = {name: self._parameter_constraints[name] for name in bounds}
        validate_parameter_constraints(constraints, bounds, caller_name=type(self).__name__)
        check_label_bounds(self.min_labels, self.max_labels, n_labels)

    def _check_learns_by_batches(self) -> None:
        """Refuse parameters that need all texts at once."""
        if self.validation is not None and not is_option(self.validation, "auto"):
            raise ValueError(
                f"partial_fit cannot hold texts out, and validation={self.validation!r} asks for it; "
                "set validation='auto' or None."
            )
        if is_option(self.threshold, "cardinality"):
            raise ValueError(
                "partial_fit holds no texts out that threshold='cardinality' could look at; set "
                "threshold='tune' (the default) or a number, and call tune_thresholds afterwards."
            )
        if is_option(self.class_weight, "balanced"):
            raise ValueError(
                "class_weight='balanced' counts the labels of all texts, and partial_fit sees a few of "
                "them; pass a dict of weights."
            )

    def _check_resumes(self) -> None:
        """Refuse, before any text is read, what `warm_start` cannot do."""
        if self.linear:
            raise ValueError(
                "warm_start goes on learning, which the linear part cannot do; set linear=False."
            )
        if not (
            self.validation is None
            or is_option(self.validation, "auto")
            or (isinstance(self.validation, Real) and not isinstance(self.validation, Integral))
        ):
            raise ValueError(
                f"warm_start with validation={self.validation!r}: a network that has learned from all "
                "texts cannot be judged by some of them later. Hold out a share of them, such as "
                "validation=0.1, or none."
            )

    def _check_keeps_its_form(
        self,
        weights: Mapping[str, np.ndarray],
        linear_part: LinearPart | None,
        embedding_mode: str | None,
    ) -> None:
        """Refuse to go on learning with parameters that the fitted model does not suit."""
        if linear_part is not None:
            raise ValueError(
                "The fitted model has a linear part, which cannot go on learning; fit it with "
                "linear=False first."
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


def check_ngram_range(name: str, ngram_range: Any, *, most: int) -> tuple[int, int]:
    """Return the fewest and the most tokens, or characters, of an n-gram.

    Parameters
    ----------
    name : str
        Of the parameter.
    ngram_range : sequence of two int
    most : int
        What they may be.

    Returns
    -------
    tuple of (int, int)

    Raises
    ------
    ValueError
        If it is not two whole numbers from 1 to `most`, in order.
    """
    sizes = [*ngram_range]
    whole = all(type(size) is int or isinstance(size, np.integer) for size in sizes)
    if len(sizes) != 2 or not whole or not 1 <= sizes[0] <= sizes[1] <= most:
        what, without = "tokens", "linear=False leaves the linear part out"
        if name == "linear_char_ngram_range":
            what, without = "characters", f"{name}=None leaves them out"
        raise ValueError(
            f"{name}={ngram_range!r}; expected the fewest and the most {what} of an n-gram, 1 to "
            f"{most}, such as (1, 2). {without}."
        )
    return int(sizes[0]), int(sizes[1])
