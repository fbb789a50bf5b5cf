"""Training: batches, the compiled step, early stopping, history. The only user of scikeras.

Importing this module imports TensorFlow, Keras and scikeras, and importing scikeras changes how Keras
models are pickled in this process; `TextCNNClassifier` therefore imports it inside `fit`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from time import perf_counter
from typing import Any

# Network looks at Keras' backend, so it comes before Keras.
# isort: off
from sktextcnn.engine.network import (
    LOSSES,
    OPTIMIZERS,
    build_network,
    compute_logits,
    get_weights,
    set_weights,
)


import keras
import numpy as np
import tensorflow as tf
from scikeras.wrappers import BaseWrapper

from sktextcnn.engine.examples import Examples, Settings, State
from sktextcnn.text import PADDING
from sktextcnn.validation import BestEpoch
from sktextcnn.engine.weights import Weights, fold, unfold

# isort: on

#: Batches whose texts are sorted by length together, so that the texts of a batch are about as long.
BATCHES_PER_SORT = 32


@lru_cache(maxsize=16)
def _compiled_step(
    names: tuple[str, ...],
    kernel_sizes: tuple[int, ...],
    loss: str,
    optimizer: str,
    jit_compile: bool,
) -> Callable:
    """Return the training step of one structure of network, traced once for all fits that share it.

    Sizes (of vocabulary, batch, texts, layers) and rates are arguments of the traced function, not
    part of it, so that a grid search over them compiles nothing again; but XLA, with `jit_compile`,
    compiles each combination of sizes once.
    """
    update, n_slots = OPTIMIZERS[optimizer]

    def step(rows, row_slots, dense, dense_slots, batch, label_weight, rates, seed):  # type: ignore[no-untyped-def]
        with tf.GradientTape() as tape:
            tape.watch([rows, dense])
            logits = compute_logits(
                rows,
                dense,
                batch["ids"],
                batch["lengths"],
                kernel_sizes=kernel_sizes,
                embedding_dropout=rates[1],
                dropout=rates[2],
                seed=seed,
                packed=jit_compile,
            )
            losses = LOSSES[loss](logits, batch["targets"], label_weight[0], label_weight[1])
            losses = tf.reduce_sum(losses, axis=1) * batch["sample_weight"]
            mean = tf.reduce_mean(losses)
        row_gradient, gradients = tape.gradient(mean, [rows, dense])
        number = tf.cast(seed[1], tf.float32)
        rows, row_slots = update(rows, row_gradient, row_slots, rates[0], number)
        updated = {
            name: update(dense[name], gradients[name], dense_slots[name], rates[0], number)
            for name in dense
        }
        return (
            tf.reduce_sum(losses),
            rows,
            row_slots,
            {name: weight for name, (weight, _) in updated.items()},
            {name: slots for name, (_, slots) in updated.items()},
        )

    def spec(*shape: int | None, dtype: Any = tf.float32) -> tf.TensorSpec:
        return tf.TensorSpec(shape, dtype)

    like = {name: spec(None) if name.endswith("_bias") else spec(None, None) for name in names}
    signature = [
        spec(None, None),
        [spec(None, None)] * n_slots,
        like,
        {name: [one] * n_slots for name, one in like.items()},
        {
            "ids": spec(None, None, dtype=tf.int32),
            "lengths": spec(None, dtype=tf.int32),
            "targets": spec(None, None),
            "sample_weight": spec(None),
        },
        spec(2, None),
        spec(3),
        spec(2, dtype=tf.int32),
    ]
    return tf.function(step, input_signature=signature, autograph=False, jit_compile=jit_compile or None)


def round_up(size: int) -> int:
    """Return the next of four sizes between one power of 2 and the next."""
    step = max(1, 2 ** ((size - 1).bit_length() - 3)) if size > 4 else 1
    return -(-size // step) * step


class _Run:
    """The weights of one run of training, on their way from batch to batch.

    The embedding table stays in NumPy, where rows are picked and put back cheaply; everything else
    is folded and stays in TensorFlow between the steps.
    """

    def __init__(self, state: State, examples: Examples, settings: Settings) -> None:
        n_slots = OPTIMIZERS[settings.optimizer][1]
        start = 0.1 if settings.optimizer == "adagrad" else 0.0
        slots = {
            name: [np.array(s) for s in state.slots[name]]
            if name in state.slots and state.optimizer == settings.optimizer
            else [np.full_like(weight, start) for _ in range(n_slots)]
            for name, weight in state.weights.items()
        }
        self.examples, self.settings = examples, settings
        self.step, self.epoch = state.step, state.epoch
        self.embedding = state.weights["embedding"].copy()
        self.embedding_slots = slots.pop("embedding")
        self.dense = self._folded(state.weights)
        folded = [self._folded({name: pair[i] for name, pair in slots.items()}) for i in range(n_slots)]
        self.slots = {name: [slot[name] for slot in folded] for name in self.dense}
        self.label_weight = tf.constant(examples.label_weight)
        self.compiled = _compiled_step(
            tuple(self.dense),
            settings.kernel_sizes,
            settings.loss,
            settings.optimizer,
            settings.jit_compile,
        )
        # Every size of a batch is a new shape to XLA: it sees few of them, and some padding.
        self.round_up = round_up if settings.jit_compile else int
        n_static = {"trainable": 0.0, "static": 1.0, "multichannel": 0.5}[settings.embedding_mode]
        self.n_static = int(n_static * self.embedding.shape[1])
        self.occurs = np.zeros(len(self.embedding), bool)
        self.place = np.zeros(len(self.embedding), np.int32)

    def _folded(self, weights: Mapping[str, np.ndarray]) -> dict[str, tf.Tensor]:
        folded = fold(weights, self.settings.kernel_sizes)
        return {name: tf.constant(weight) for name, weight in folded.items()}

    def _unfolded(self, folded: Mapping[str, tf.Tensor]) -> Weights:
        return unfold(folded, self.settings.kernel_sizes)

    def weights(self) -> Weights:
        """Return a copy of all weights."""
        return {"embedding": self.embedding.copy(), **self._unfolded(self.dense)}

    def state(self) -> State:
        """Return a copy of all that is needed to go on later."""
        slots = {"embedding": [slot.copy() for slot in self.embedding_slots]}
        for i in range(OPTIMIZERS[self.settings.optimizer][1]):
            slot = self._unfolded({name: pair[i] for name, pair in self.slots.items()})
            for name, values in slot.items():
                slots.setdefault(name, []).append(values)
        return State(self.weights(), slots, self.step, self.epoch, self.settings.optimizer)

    def set_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Go on from other weights of the same shapes."""
        self.embedding = np.array(weights["embedding"])
        self.dense = self._folded(weights)

    def _distinct(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct tokens of `ids`, ascending, and `ids` as places among them.

        As `numpy.unique` does, by marking instead of sorting.
        """
        self.occurs[ids] = True
        tokens = np.flatnonzero(self.occurs)
        self.occurs[tokens] = False
        self.place[tokens] = np.arange(len(tokens))
        return tokens, self.place[ids]

    def run_batch(self, rows: np.ndarray, rate: float) -> float:
        """Learn from the texts at `rows`, at a learning rate; return the sum of their losses."""
        examples, settings = self.examples, self.settings
        ids = examples.ids.take(rows)
        longest = int(ids.lengths.max(initial=1))
        padding = max(settings.kernel_sizes) - 1 + self.round_up(longest) - longest
        tokens, local = self._distinct(ids.padded(padding))
        n = len(tokens)

        def pick(table: np.ndarray) -> tf.Tensor:
            rows = np.zeros((self.round_up(n), table.shape[1]), np.float32)
            np.take(table, tokens, axis=0, out=rows[:n], mode="clip")  # "raise" would copy once more
            return tf.constant(rows)

        self.step += 1
        loss, new_rows, new_slots, self.dense, self.slots = self.compiled(
            pick(self.embedding),
            [pick(slot) for slot in self.embedding_slots],
            self.dense,
            self.slots,
            {
                "ids": tf.constant(local),
                "lengths": tf.constant(ids.lengths.astype(np.int32)),
                "targets": tf.constant(examples.targets[rows].toarray().astype(np.float32)),
                "sample_weight": tf.constant(examples.sample_weight[rows]),
            },
            self.label_weight,
            tf.constant([rate, settings.embedding_dropout, settings.dropout], dtype=tf.float32),
            tf.constant([settings.seed, self.step], dtype=tf.int32),
        )
        # Rows of tokens that did not occur, and their slots, stay as they are (lazy updates).
        self.embedding[tokens, self.n_static :] = new_rows.numpy()[:n, self.n_static :]
        self.embedding[PADDING] = 0.0
        for slot, values in zip(self.embedding_slots, new_slots, strict=True):
            slot[tokens] = values.numpy()[:n]
        return float(loss)

    def batches(self) -> Iterator[np.ndarray]:
        """Begin the next epoch; yield the rows of each of its batches.

        The texts are shuffled, with texts of about the same length together.
        """
        rng = np.random.default_rng([self.settings.seed, self.epoch])
        self.epoch += 1
        lengths, size = self.examples.ids.lengths, self.settings.batch_size
        order = rng.permutation(len(lengths))
        for start in range(0, len(order), BATCHES_PER_SORT * size):
            window = order[start : start + BATCHES_PER_SORT * size]
            window = window[np.argsort(lengths[window], kind="stable")]
            for cut in rng.permutation(range(0, len(window), size)):
                yield window[cut : cut + size]


class _Engine(BaseWrapper):
    """scikeras builds and compiles the network; how it is fitted is ours.

    It is never given a random state: scikeras would switch on deterministic operations for the rest
    of the process. All draws here are seeded where they are made.
    """

    def _fit_keras_model(self, X: Any, y: Any, *, fit: Callable, **kwargs: Any) -> None:
        self.result_ = fit(self.model_)


EpochEnd = Callable[[int, dict[str, float], Callable[[], Weights]], bool]
History = dict[str, list[float]]


def train(
    state: State,
    examples: Examples,
    settings: Settings,
    *,
    validate: Callable[[Weights], float] | None = None,
    n_iter_no_change: int = 5,
    report: Callable[[int, Mapping[str, float]], None] | None = None,
    on_epoch_begin: Callable[[int], None] | None = None,
    on_epoch_end: EpochEnd | None = None,
    keras_callbacks: Callable[[], Sequence] | None = None,
) -> tuple[State, History]:
    """Train for up to ``settings.epochs`` epochs.

    Parameters
    ----------
    state : State
        Where to start; it is not changed.
    examples : Examples
    settings : Settings
    validate : callable or None, default=None
        From weights to the score of held-out texts, higher is better. Training stops when it has not
        improved for `n_iter_no_change` epochs, and gives back the best epoch's weights.
    n_iter_no_change : int, default=5
    report : callable or None, default=None
        Called with the epoch, from 0, and its logs.
    on_epoch_begin : callable or None, default=None
        Called with the epoch, from 0.
    on_epoch_end : callable or None, default=None
        Called with the epoch (from 0), its logs and a function that returns the weights; a true
        result stops training.
    keras_callbacks : callable or None, default=None
        Returns the Keras callbacks of this run. They see the network with the current weights at the
        end of each epoch, may set its optimizer's learning rate (which decays like any other), stop
        training or set its weights (with `validate`, those of the best epoch are kept all the same).

    Returns
    -------
    state : State
    history : dict of str to list of float
        ``loss``, ``seconds`` and, with `validate`, ``validation_score``, one value per epoch.

    Raises
    ------
    TypeError
        If `keras_callbacks` returns anything but a list of Keras callbacks.
    ValueError
        If the loss is no longer finite.
    """

    def build() -> keras.Model:
        model = build_network(
            state.weights,
            kernel_sizes=settings.kernel_sizes,
            exclusive=settings.exclusive,
            embedding_dropout=settings.embedding_dropout,
            dropout=settings.dropout,
        )
        # Nominal: the step computes the loss itself.
        loss = "categorical_crossentropy" if settings.exclusive else "binary_crossentropy"
        optimizer = keras.optimizers.get(settings.optimizer)
        optimizer.learning_rate = settings.learning_rate
        model.compile(optimizer=optimizer, loss=loss)
        return model

    callbacks = [] if keras_callbacks is None else _check_callbacks(keras_callbacks())

    best = None if validate is None else BestEpoch(n_iter_no_change)
    hooks = (on_epoch_begin, report, on_epoch_end)
    fit = partial(_fit, state, examples, settings, validate, best, hooks, callbacks)
    engine = _Engine(model=build, random_state=None, verbose=0)
    # The engine sees one number per text: token ids and labels stay in their compact forms.
    placeholder = np.zeros((len(examples.ids), 1), np.float32)
    engine.fit(placeholder, placeholder, fit=fit)
    return engine.result_


def _check_callbacks(callbacks: Any) -> Sequence:
    if not isinstance(callbacks, (list, tuple)) or not all(
        isinstance(callback, keras.callbacks.Callback) for callback in callbacks
    ):
        raise TypeError(
            f"keras_callbacks() returned {callbacks!r}; expected a list of keras.callbacks.Callback "
            "instances."
        )
    return callbacks


def _fit(
    state: State,
    examples: Examples,
    settings: Settings,
    validate: Callable[[Weights], float] | None,
    best: BestEpoch | None,
    hooks: tuple[Callable | None, Callable | None, EpochEnd | None],
    callbacks: Sequence,
    model: keras.Model,
) -> tuple[State, History]:
    on_epoch_begin, report, on_epoch_end = hooks
    run = _Run(state, examples, settings)
    history: History = {"loss": [], "seconds": []}
    initial_rate = float(model.optimizer.learning_rate)  # rounded to the user's floatx
    keras_side = keras.callbacks.CallbackList(
        [*callbacks], model=model, add_history=False, epochs=settings.epochs, verbose=0
    )
    keras_side.on_train_begin()
    n_batches = -(-len(examples.ids) // settings.batch_size)
    for epoch in range(settings.epochs):
        started = perf_counter()
        if on_epoch_begin is not None:
            on_epoch_begin(epoch)
        keras_side.on_epoch_begin(epoch)
        if callbacks:
            run.set_weights(get_weights(model))  # a callback may have set others
        total, n_seen = 0.0, 0
        for number, rows in enumerate(run.batches()):
            rate = settings.learning_rate
            if callbacks:
                keras_side.on_train_batch_begin(number)
                wanted = float(model.optimizer.learning_rate)
                rate = rate if wanted == initial_rate else wanted
            if settings.decays:
                rate *= 1.0 - (epoch + number / n_batches) / settings.epochs
            batch_loss = run.run_batch(rows, rate)
            total, n_seen = total + batch_loss, n_seen + len(rows)
            if callbacks:
                keras_side.on_train_batch_end(number, {"loss": batch_loss / len(rows)})
                if model.stop_training:
                    break
        logs = {"loss": _check_finite(total / n_seen, settings)}
        if validate is not None:
            logs["validation_score"] = validate(run.weights())
        logs["seconds"] = perf_counter() - started
        for name, value in logs.items():
            history.setdefault(name, []).append(value)
        if report is not None:
            report(epoch, logs)
        if callbacks:
            set_weights(model, run.weights())
        keras_side.on_epoch_end(epoch, dict(logs))
        stop = on_epoch_end is not None and on_epoch_end(epoch, logs, run.weights)
        if best is not None:
            stop = best.is_enough(logs["validation_score"], run.state) or stop
        if stop or model.stop_training:
            break
    keras_side.on_train_end()
    if best is not None:
        return best.state, history
    if callbacks:
        run.set_weights(get_weights(model))  # a callback may have restored others
    return run.state(), history


def train_on_batch(state: State, examples: Examples, settings: Settings) -> tuple[State, History]:
    """Pass over a few examples once, going on from `state`.

    Parameters
    ----------
    state : State
        Where to start; it is not changed.
    examples : Examples
    settings : Settings
        Its ``epochs`` and ``decays`` are not used.

    Returns
    -------
    state : State
    history : dict of str to list of float
        ``loss`` and ``seconds``, one value each.

    Raises
    ------
    ValueError
        If the loss is no longer finite.
    """
    started = perf_counter()
    run = _Run(state, examples, settings)
    total = sum(run.run_batch(rows, settings.learning_rate) for rows in run.batches())
    loss = _check_finite(total / len(examples.ids), settings)
    return run.state(), {"loss": [loss], "seconds": [perf_counter() - started]}


def _check_finite(loss: float, settings: Settings) -> float:
    if np.isfinite(loss):
        return loss
    raise ValueError(
        f"The loss is {loss}: training has diverged with learning_rate={settings.learning_rate}. "
        "Lower it, or the sample or class weights."
    )
