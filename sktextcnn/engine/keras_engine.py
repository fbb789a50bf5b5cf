"""The Keras engine: the textbook network, or the user's own, trained by Keras' own loop.

It is the way to a GPU, to mixed precision, to `tf.distribute`, to Keras' callbacks and to other
architectures, and as slow on a processor as Keras is. scikeras runs it, by composition.

Importing this module imports TensorFlow, Keras and scikeras, and importing scikeras changes how Keras
models are pickled in this process; it is therefore imported inside `fit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Any

# isort: off
# Network looks at Keras' backend, so it comes before Keras.
from sktextcnn.engine import network as textbook

import keras
import numpy as np
import tensorflow as tf
from scikeras.wrappers import BaseWrapper

from sktextcnn.engine import inference, own_network
from sktextcnn.engine.examples import Examples, Settings, State, batches
from sktextcnn.engine.observers import History, Observer, Observers, check_finite
from sktextcnn.engine.weights import grow_slot
from sktextcnn.text.tokens import PADDING, TokenIds

# isort: on


class _SumsFirst:
    """Adds up the gradients of a token's occurrences before the optimizer sees them.

    An embedding's gradient comes as one row for each occurrence, and Keras 3 would add up the squares
    of those, where Adam and Adagrad want the square of their sum.
    """

    def apply(self, grads: Sequence, trainable_variables: Sequence | None = None) -> None:
        """Update the variables."""
        summed = [
            tf.math.unsorted_segment_sum(g.values, g.indices, g.dense_shape[0])
            if isinstance(g, tf.IndexedSlices)
            else g
            for g in grads
        ]
        super().apply(summed, trainable_variables)  # type: ignore[misc]


@keras.saving.register_keras_serializable(package="sktextcnn")
class Adam(_SumsFirst, keras.optimizers.Adam):
    """Keras' Adam, with Keras' constants."""


@keras.saving.register_keras_serializable(package="sktextcnn")
class Adagrad(_SumsFirst, keras.optimizers.Adagrad):
    """Keras' Adagrad, with Keras' constants."""


OPTIMIZER_CLASSES = {"adam": Adam, "adagrad": Adagrad, "sgd": keras.optimizers.SGD}


# -- losses: (logits, targets, weights of 1s and of 0s) -> loss of each (text, label) ----------------


def _binary_crossentropy(z: tf.Tensor, y: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    return weight[0] * y * tf.nn.softplus(-z) + weight[1] * (1.0 - y) * tf.nn.softplus(z)


def _focal(z: tf.Tensor, y: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Lin et al. (2017), https://arxiv.org/abs/1708.02002, eq. 4, with gamma = 2."""
    missed = y * tf.sigmoid(-z) + (1.0 - y) * tf.sigmoid(z)
    return missed**2 * _binary_crossentropy(z, y, weight)


def _asymmetric(z: tf.Tensor, y: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Ridnik et al. (2021), https://arxiv.org/abs/2009.14119, eq. 7: gamma+ = 0, gamma- = 4, m = .05."""
    shifted = tf.maximum(tf.sigmoid(z) - 0.05, 0.0)
    of_zero = -(shifted**4) * tf.math.log1p(-shifted)
    return weight[0] * y * tf.nn.softplus(-z) + weight[1] * (1.0 - y) * of_zero


def _categorical_crossentropy(z: tf.Tensor, y: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    return -weight[0] * y * tf.nn.log_softmax(z)


def _kl_divergence(z: tf.Tensor, y: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """From the labels of a text, equally likely; a text without label adds nothing."""
    share = tf.math.divide_no_nan(y, tf.reduce_sum(y, axis=1, keepdims=True))
    return weight[0] * (tf.math.xlogy(share, share) - share * tf.nn.log_softmax(z))


TENSORFLOW_LOSSES: dict[str, Callable[..., tf.Tensor]] = {
    "binary_crossentropy": _binary_crossentropy,
    "kl_divergence": _kl_divergence,
    "categorical_crossentropy": _categorical_crossentropy,
    "focal": _focal,
    "asymmetric": _asymmetric,
}


@keras.saving.register_keras_serializable(package="sktextcnn")
class LabelLoss(keras.losses.Loss):
    """Loss of a batch, from logits: the sum over labels, the mean over texts, in float32.

    Parameters
    ----------
    loss : str
        One of `sktextcnn.objective.LOSSES`.
    label_weight : array-like of shape (2, k)
        Weight of a 1 and of a 0 in each column.
    **kwargs : dict
        As of `keras.losses.Loss`.
    """

    def __init__(self, loss: str, label_weight: Any, **kwargs: Any) -> None:
        super().__init__(**{"name": loss, **kwargs, "dtype": "float32"})
        self.loss, self.label_weight = loss, np.asarray(label_weight, np.float32)

    def call(self, targets: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Return the loss of each text."""
        return tf.reduce_sum(TENSORFLOW_LOSSES[self.loss](logits, targets, self.label_weight), axis=1)

    def get_config(self) -> dict:
        """Return what it takes to build the loss again."""
        own = {"loss": self.loss, "label_weight": self.label_weight.tolist()}
        return {**super().get_config(), **own}


# -- batches -----------------------------------------------------------------------------------------


class _Batches:
    """The batches of one epoch, and then of the next.

    `model.fit` would shuffle by TensorFlow's global generator; here the order comes from the seed and
    the number of the epoch.
    """

    def __init__(
        self, X: np.ndarray, y: np.ndarray, examples: Examples, settings: Settings, length: int | None
    ) -> None:
        self._X, self._y, self._weight = X, y, examples.sample_weight
        self._lengths, self._settings = examples.ids.lengths, settings
        self._length = length  # of all texts; None: that of the longest of their batch
        self._n_replicas = tf.distribute.get_strategy().num_replicas_in_sync
        self.rows: list[np.ndarray] = []  # of each batch

    def begin_epoch(self, number: int) -> None:
        """Shuffle. Keras asks for the batches of an epoch after it has told callbacks that it begins."""
        settings = self._settings
        self.rows = [*batches(self._lengths, settings.batch_size, settings.seed, number)]

    def __len__(self) -> int:
        return -(-len(self._X) // self._settings.batch_size)

    def __iter__(self) -> Iterator[tuple[np.ndarray, ...]]:
        for rows in self.rows:
            # A strategy divides a batch among replicas: texts that weigh nothing make the parts equal,
            # and their share of the mean goes to the others.
            n_extra = -len(rows) % self._n_replicas
            weight = np.pad(self._weight[rows] * np.float32(1 + n_extra / len(rows)), (0, n_extra))
            rows = np.pad(rows, (0, n_extra), mode="edge")
            width = self._length or int(self._lengths[rows].max(initial=1))
            yield self._X[rows, :width], self._y[rows].astype(np.float32), weight

    def clear(self) -> None:
        """Let go of the texts, since TensorFlow never lets go of the generators of its datasets."""
        self._X, self._y, self.rows = self._X[:0].copy(), self._y[:0].copy(), []

    def dataset(self) -> tf.data.Dataset:
        """Return them in the form that `model.fit` takes; every epoch anew."""
        signature = (
            tf.TensorSpec((None, self._length), tf.int32),
            tf.TensorSpec((None, self._y.shape[1]), tf.float32),
            tf.TensorSpec((None,), tf.float32),
        )
        dataset = tf.data.Dataset.from_generator(lambda: iter(self), output_signature=signature)
        return dataset.apply(tf.data.experimental.assert_cardinality(len(self)))


# -- a run of training -------------------------------------------------------------------------------


class _Run:
    """A model on its way, as observers see it."""

    def __init__(self, model: keras.Model, start: State, settings: Settings) -> None:
        self._model, self._start = model, start
        self._optimizer = f"keras:{settings.optimizer}"
        self.n_steps, self.n_epochs = start.step, start.epoch
        self._length = _length(start)
        if self._length is not None:
            self._predict = own_network.as_function(model, self._length)

    def _weights(self) -> dict[str, np.ndarray]:
        if self._length is not None:
            return {**self._start.weights, **own_network.get_arrays(self._model)}
        weights = textbook.get_weights(self._model)
        weights["embedding"][PADDING] = 0.0  # a callback may have set something else
        return weights

    def open_network(self) -> Callable[[TokenIds], np.ndarray]:
        """Return the network of now, from texts to logits, as they would be predicted."""
        if self._length is not None:
            return partial(own_network.run, self._predict, length=self._length)
        return inference.Network(self._weights()).compute_logits

    def state(self) -> State:
        """Return a copy of all that is needed to go on later."""
        slots = [np.asarray(variable.value.numpy()) for variable in self._model.optimizer.variables]
        return State(self._weights(), {"optimizer": slots}, self.n_steps, self.n_epochs, self._optimizer)

    def restore_slots(self) -> None:
        """Let the optimizer go on from what it remembered, if it was the same one."""
        optimizer, slots = self._model.optimizer, self._start.slots.get("optimizer", [])
        optimizer.build(self._model.trainable_variables)
        variables = optimizer.variables
        fits = len(slots) == len(variables) and all(
            np.ndim(slot) == len(variable.shape) and not np.greater(np.shape(slot), variable.shape).any()
            for slot, variable in zip(slots, variables, strict=True)
        )
        if self._start.optimizer == self._optimizer and fits:
            for variable, slot in zip(variables, slots, strict=True):
                variable.assign(grow_slot(slot, variable.value.numpy()))


class _Bridge(keras.callbacks.Callback):
    """Stands first among the callbacks: seeds every batch, sets its rate, and tells the observers."""

    def __init__(self, run: _Run, batches: _Batches, observers: Observers, settings: Settings) -> None:
        super().__init__()
        self._run, self._batches, self._observers, self._settings = run, batches, observers, settings
        self._n_left = (settings.epochs - observers.n_epochs) * len(batches)
        self._decays_from = (settings.learning_rate, settings.epochs * len(batches))
        self._last_rate = np.nan
        self._started = 0.0

    def on_train_begin(self, logs: dict | None = None) -> None:
        # Dropout layers and others draw from states of their own.
        self._draws = [v for v in self.model.variables if v.path.endswith("seed_generator_state")]
        self.model.optimizer.learning_rate = self._settings.learning_rate
        self._last_rate = self._rate()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._started = perf_counter()
        self._batches.begin_epoch(self._run.n_epochs)
        self._observers.begin_epoch(epoch)

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        rng = np.random.default_rng([self._settings.seed, self._run.n_steps])
        for draw in self._draws:
            draw.assign(rng.integers(1 << 31, size=2))
        if self._settings.decays:
            self._set_rate()

    def _rate(self) -> float:
        return float(self.model.optimizer.learning_rate.value.numpy())

    def _set_rate(self) -> None:
        """Let the rate decay linearly, from its start or from what somebody else has set."""
        rate = self._rate()
        if rate != self._last_rate:
            self._decays_from = (rate, self._n_left)
        start, n_left = self._decays_from
        self.model.optimizer.learning_rate = start * self._n_left / n_left
        self._last_rate = self._rate()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._run.n_steps += 1
        self._n_left -= 1
        self._observers.end_batch(len(self._batches.rows[batch]))

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self._run.n_epochs += 1
        logs["loss"] = check_finite(float(logs["loss"]), self._settings.learning_rate)
        logs["seconds"] = perf_counter() - self._started
        if self._observers.end_epoch(epoch, logs, self._run):
            self.model.stop_training = True


class _Wrapper(BaseWrapper):
    """scikeras checks the arrays and builds the model; how the two meet is ours.

    It is never given a random state, for it would switch on deterministic operations for the rest of
    the process, nor sample weights, for it would drop texts of weight 0 from the mean.
    """

    def _fit_keras_model(self, X: Any, y: Any, *, fit: Callable, **kwargs: Any) -> None:
        fit(self.model_, X, y)

    def _type_of_target(self, y: np.ndarray) -> str:
        return "multilabel-indicator"  # would otherwise look through all of y


def train(
    state: State,
    examples: Examples,
    settings: Settings,
    *,
    observers: Iterable[Observer] = (),
    history: History | None = None,
    keras_callbacks: Callable[[], Sequence] | None = None,
    n_threads: int | None = None,
) -> tuple[State, History]:
    """Train for up to ``settings.epochs`` epochs.

    It follows Keras' global dtype policy, and the `tf.distribute` strategy in whose scope it is called.

    Parameters
    ----------
    state : State
        Where to start; it is not changed. Its weights are those of the standard network or, from
        `own_network.hold`, of the user's own.
    examples : Examples
    settings : Settings
    observers : iterable of Observer, default=()
        Told of every epoch, numbered from 0.
    history : dict of str to list of float or None, default=None
        Of the epochs of this run that led to `state`, if it was interrupted and goes on from there.
    keras_callbacks : callable or None, default=None
        Returns the Keras callbacks of this run. They see the true weights, iterations and learning
        rates, may set the rate (which then decays from there, if it does), set weights or stop.
    n_threads : int or None, default=None
        Not used: TensorFlow's threads are set for the whole process.

    Returns
    -------
    state : State
        Its ``slots`` are the variables of Keras' optimizer under one key.
    history : dict of str to list of float
        ``loss``, ``seconds`` and what the observers add, one value per epoch.

    Raises
    ------
    TypeError
        If `keras_callbacks` returns anything but a list of Keras callbacks.
    ValueError
        If the loss is no longer finite.
    """
    callbacks = [] if keras_callbacks is None else _check_callbacks(keras_callbacks())
    told, results = Observers(observers, history), []

    def build() -> keras.Model:
        return _build(state, examples, settings)

    def fit(model: keras.Model, X: np.ndarray, y: np.ndarray) -> None:
        run = _Run(model, state, settings)
        run.restore_slots()
        feed = _Batches(X, y, examples, settings, _length(state))
        feed.begin_epoch(state.epoch)  # under a strategy, Keras looks at a batch before the first epoch
        try:
            model.fit(
                feed.dataset(),
                epochs=settings.epochs,
                initial_epoch=told.n_epochs,
                callbacks=[_Bridge(run, feed, told, settings), *callbacks],
                shuffle=False,  # it is
                verbose=0,
            )
        finally:
            feed.clear()
        results.append(run.state())

    longest = int(examples.ids.lengths.max(initial=1))
    X = examples.ids.padded((_length(state) or longest) - longest)
    y = examples.soft_targets
    if y is None:
        y = examples.targets.toarray().astype(np.int8)
    _Wrapper(model=build, random_state=None, verbose=0).fit(X, y, fit=fit)
    return results[0], told.history


def _length(state: State) -> int | None:
    """Return to how many tokens texts are padded; None for the standard network, which does not care."""
    return int(state.weights["network_sizes"][1]) if "network" in state.weights else None


def _build(state: State, examples: Examples, settings: Settings) -> keras.Model:
    if "network" in state.weights:
        model = own_network.load_network(state.weights)
    else:
        model = textbook.build_network(
            state.weights,
            kernel_sizes=settings.kernel_sizes,
            exclusive=None,
            embedding_dropout=settings.embedding_dropout,
            dropout=settings.dropout,
            embedding_mode=settings.embedding_mode,
            dtype=None,
        )
    model.compile(
        optimizer=OPTIMIZER_CLASSES[settings.optimizer](learning_rate=settings.learning_rate),
        loss=LabelLoss(settings.loss, examples.label_weight),
        jit_compile=False,  # XLA would compile every size of batch anew, which takes minutes
    )
    return model


def _check_callbacks(callbacks: Any) -> Sequence:
    if not isinstance(callbacks, (list, tuple)) or not all(
        isinstance(callback, keras.callbacks.Callback) for callback in callbacks
    ):
        raise TypeError(
            f"keras_callbacks() returned {callbacks!r}; expected a list of keras.callbacks.Callback "
            "instances."
        )
    return callbacks
