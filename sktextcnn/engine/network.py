"""The network: its algebra in TensorFlow, and its face as a `keras.Model`.

Kim's CNN for sentences [1]_: token embeddings, convolutions of several widths, the largest response
of each filter over the text, and one output per label::

    ids (n, T) -> rows (n, T, D) -> windows (n, T, F) for each width -> maxima (n, widths * F)
        -> [hidden (n, H)] -> logits (n, k)

It is written down twice, on purpose. `build_network` is the textbook form, in Keras' own layers. What
training runs, `compute_logits`, gets the same numbers from far fewer operations: the kernels are
multiplied with each distinct token of the batch instead of each position, and in the backward pass
only the winning window of each (text, filter) is touched. Tests hold the two against each other.

.. [1] Y. Kim (2014), Convolutional Neural Networks for Sentence Classification, EMNLP,
   https://aclanthology.org/D14-1181.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sktextcnn.engine.weights import Weights
from sktextcnn.text import FIRST_TOKEN, PADDING


def _require_tensorflow_backend() -> None:
    """Refuse any other Keras backend before Keras is imported and settles on it."""
    if "keras" in sys.modules:
        backend = sys.modules["keras"].config.backend()
    else:
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise ImportError(
            f"Keras runs on the {backend!r} backend; sktextcnn trains on TensorFlow. Start Python with "
            "the environment variable KERAS_BACKEND=tensorflow, or unset it."
        )


_require_tensorflow_backend()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

_require_tensorflow_backend()  # Keras' own configuration file may name a backend, too.


def _share_cores() -> None:
    """Let TensorFlow use no more threads in a joblib worker than joblib grants it.

    A search with n_jobs=2 on two cores would otherwise run four threads on them. Threads can be set
    only before TensorFlow starts; one that is running already is left alone.
    """
    granted = os.environ.get("OMP_NUM_THREADS", "")
    if multiprocessing.current_process().name.startswith("LokyProcess") and granted.isdigit():
        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(int(granted))
            tf.config.threading.set_inter_op_parallelism_threads(1)


_share_cores()


def _largest_and_first(windows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the largest number along the second axis, and where it comes first."""
    return tf.reduce_max(windows, axis=1), tf.argmax(windows, axis=1, output_type=tf.int32)


def _largest_and_first_packed(windows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Do the same by one maximum over 64-bit integers, which XLA fuses with what made the windows.

    The upper half of an integer orders floats as they are; the lower half is larger for earlier places.
    """

    def flipped(bits: tf.Tensor) -> tf.Tensor:
        # The bits of floats, read as integers, ascend with them; those of negative ones descend.
        return tf.where(bits < 0, bits ^ 0x7FFFFFFF, bits)

    last, shift = tf.shape(windows)[1] - 1, tf.constant(32, tf.int64)
    from_behind = tf.cast(last - tf.range(last + 1), tf.int64)[:, None]
    ordered = tf.cast(flipped(tf.bitcast(windows, tf.int32)), tf.int64)
    best = tf.reduce_max(tf.bitwise.left_shift(ordered, shift) | from_behind, axis=1)
    upper = tf.cast(tf.bitwise.right_shift(best, shift), tf.int32)
    return tf.bitcast(flipped(upper), tf.float32), last - tf.cast(best & 0xFFFFFFFF, tf.int32)


def window_maxima(
    table: tf.Tensor,
    ids: tf.Tensor,
    lengths: tf.Tensor,
    kernel_sizes: Sequence[int],
    *,
    packed: bool = False,
) -> tf.Tensor:
    """Return the largest window of each text, for every filter.

    Parameters
    ----------
    table : tensor of shape (U * S, F)
        Row ``u * S + s`` is the embedding of token ``u`` times slice ``s`` of the kernels, the S
        slices in the order of `sktextcnn.engine.weights.fold`.
    ids : int32 tensor of shape (B, T + max(kernel_sizes) - 1)
        Tokens as rows 0 to U - 1 of the batch's distinct tokens.
    lengths : int32 tensor of shape (B,)
        Tokens of each text. Windows that start within it and end within it compete; a text shorter
        than the window has the one at its start.
    kernel_sizes : sequence of int
    packed : bool, default=False
        Find the same windows in the way that is faster under XLA, and slower without.

    Returns
    -------
    tensor of shape (B, widths * F)
    """
    n_slices, width = sum(kernel_sizes), tf.shape(ids)[1] - (max(kernel_sizes) - 1)
    find_largest = _largest_and_first_packed if packed else _largest_and_first

    @tf.custom_gradient
    def maxima(table: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        n_rows, n_filters = tf.shape(table)[0], tf.shape(table)[1]
        largest, winners = [], []
        first = 0  # slice of the kernel at hand
        for size in sorted(kernel_sizes):
            # What is beyond a text's last window looks at its first again, and so changes nothing.
            position = tf.range(width)[None]
            start = tf.where(position < tf.maximum(lengths - size + 1, 1)[:, None], position, 0)
            places = [
                tf.gather(ids, start + j, batch_dims=1) * n_slices + (first + j) for j in range(size)
            ]  # rows of the table, (B, T) each
            windows = tf.gather(table, places[0])  # (B, T, F)
            for place in places[1:]:
                windows += tf.gather(table, place)
            value, winner = find_largest(windows)  # (B, F) each
            largest.append(value)
            winners += [(place, winner) for place in places]
            first += size

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            # Only the winning window of each (text, filter) moves with the maximum: `size` rows of
            # the table, in that filter's column.
            columns = tf.range(n_filters)[None]
            entries = [
                tf.gather(place, winner, batch_dims=1) * n_filters + columns for place, winner in winners
            ]
            parts = tf.split(upstream, len(kernel_sizes), axis=1)
            repeated = [
                part for part, size in zip(parts, sorted(kernel_sizes), strict=True) for _ in range(size)
            ]
            summed = tf.math.unsorted_segment_sum(
                tf.stack(repeated), tf.stack(entries), n_rows * n_filters
            )
            return tf.reshape(summed, [n_rows, n_filters])

        return tf.concat(largest, axis=1), gradient

    return maxima(table)


def compute_logits(
    rows: tf.Tensor,
    dense: Mapping[str, tf.Tensor],
    ids: tf.Tensor,
    lengths: tf.Tensor,
    *,
    kernel_sizes: Sequence[int],
    embedding_dropout: tf.Tensor | float = 0.0,
    dropout: tf.Tensor | float = 0.0,
    seed: tf.Tensor | None = None,
    packed: bool = False,
) -> tf.Tensor:
    """Run the network on one batch.

    Parameters
    ----------
    rows : tensor of shape (U, D)
        Embeddings of the distinct tokens of the batch.
    dense : mapping of str to tensor
        All other weights, see `sktextcnn.engine.weights.fold`.
    ids : int32 tensor of shape (B, T + max(kernel_sizes) - 1)
        The batch in terms of `rows`.
    lengths : int32 tensor of shape (B,)
        Tokens of each text.
    kernel_sizes : sequence of int
    embedding_dropout, dropout : float tensor, default=0
        Share of entries dropped from `rows` (the same for every occurrence of a token) and before the
        dense layers.
    seed : int32 tensor of shape (2,) or None, default=None
        Where dropout draws from; None drops nothing.
    packed : bool, default=False
        See `window_maxima`.

    Returns
    -------
    tensor of shape (B, k)
    """

    def drop(values: tf.Tensor, rate: tf.Tensor | float, place: int) -> tf.Tensor:
        if seed is None:
            return values
        draws = tf.random.experimental.stateless_fold_in(seed, place)
        kept = tf.random.stateless_uniform(tf.shape(values), draws, alg="philox") >= rate
        return tf.where(kept, values / (1.0 - rate), 0.0)

    n_filters = tf.shape(dense["convolution_kernel"])[1] // sum(kernel_sizes)
    table = tf.matmul(drop(rows, embedding_dropout, 0), dense["convolution_kernel"])
    table = tf.reshape(table, [-1, n_filters])
    maxima = window_maxima(table, ids, lengths, kernel_sizes, packed=packed)
    hidden = drop(tf.nn.relu(maxima + dense["convolution_bias"]), dropout, 1)
    if "hidden_kernel" in dense:
        hidden = tf.nn.relu(tf.matmul(hidden, dense["hidden_kernel"]) + dense["hidden_bias"])
        hidden = drop(hidden, dropout, 2)
    return tf.matmul(hidden, dense["output_kernel"]) + dense["output_bias"]


def _binary_crossentropy(z: tf.Tensor, y: tf.Tensor, on: tf.Tensor, off: tf.Tensor) -> tf.Tensor:
    return on * y * tf.nn.softplus(-z) + off * (1.0 - y) * tf.nn.softplus(z)


def _focal(z: tf.Tensor, y: tf.Tensor, on: tf.Tensor, off: tf.Tensor) -> tf.Tensor:
    """Lin et al. (2017), https://arxiv.org/abs/1708.02002, eq. 4, with gamma = 2."""
    missed = y * tf.sigmoid(-z) + (1.0 - y) * tf.sigmoid(z)
    return missed**2 * _binary_crossentropy(z, y, on, off)


def _asymmetric(z: tf.Tensor, y: tf.Tensor, on: tf.Tensor, off: tf.Tensor) -> tf.Tensor:
    """Ridnik et al. (2021), https://arxiv.org/abs/2009.14119, eq. 7: gamma+ = 0, gamma- = 4, m = .05."""
    shifted = tf.maximum(tf.sigmoid(z) - 0.05, 0.0)
    negative = -(shifted**4) * tf.math.log1p(-shifted)
    return on * y * tf.nn.softplus(-z) + off * (1.0 - y) * negative


def _categorical_crossentropy(z: tf.Tensor, y: tf.Tensor, on: tf.Tensor, off: tf.Tensor) -> tf.Tensor:
    return -on * y * tf.nn.log_softmax(z)


def _kl_divergence(z: tf.Tensor, y: tf.Tensor, on: tf.Tensor, off: tf.Tensor) -> tf.Tensor:
    """From the labels of a text, equally likely; a text without label adds nothing."""
    share = tf.math.divide_no_nan(y, tf.reduce_sum(y, axis=1, keepdims=True))
    return on * (tf.math.xlogy(share, share) - share * tf.nn.log_softmax(z))


#: Name -> loss of each (text, label), from logits, targets and the weights of 1s and of 0s.
LOSSES: dict[str, Callable[..., tf.Tensor]] = {
    "binary_crossentropy": _binary_crossentropy,
    "kl_divergence": _kl_divergence,
    "categorical_crossentropy": _categorical_crossentropy,
    "focal": _focal,
    "asymmetric": _asymmetric,
}


# -- optimizers: (weight, gradient, slots, learning rate, step) -> (weight, slots) -------------------


def _adam(w: Any, g: Any, slots: Sequence, rate: Any, step: Any) -> tuple[Any, list]:
    """Kingma & Ba (2015), https://arxiv.org/abs/1412.6980, with Keras' constants."""
    m = 0.9 * slots[0] + 0.1 * g
    v = 0.999 * slots[1] + 0.001 * g * g
    rate = rate * tf.sqrt(1.0 - 0.999**step) / (1.0 - 0.9**step)
    return w - rate * m / (tf.sqrt(v) + 1e-7), [m, v]


def _adagrad(w: Any, g: Any, slots: Sequence, rate: Any, step: Any) -> tuple[Any, list]:
    """Duchi et al. (2011), https://jmlr.org/papers/v12/duchi11a.html."""
    total = slots[0] + g * g
    return w - rate * g / (tf.sqrt(total) + 1e-7), [total]


def _sgd(w: Any, g: Any, slots: Sequence, rate: Any, step: Any) -> tuple[Any, list]:
    return w - rate * g, []


#: Name -> (update, number of slots).
OPTIMIZERS: dict[str, tuple[Callable, int]] = {
    "adam": (_adam, 2),
    "adagrad": (_adagrad, 1),
    "sgd": (_sgd, 0),
}


# -- the same network in Keras' layers ---------------------------------------------------------------


@keras.saving.register_keras_serializable(package="sktextcnn")
class WindowMaximum(keras.layers.Layer):
    """Largest window of each text, padded windows left out.

    Parameters
    ----------
    size : int
        Width of the convolution that made the windows.
    **kwargs : dict
        As of `keras.layers.Layer`.
    """

    def __init__(self, size: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, windows: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Reduce windows (n, T', F) of ids (n, T) to (n, F)."""
        lengths = keras.ops.sum(keras.ops.cast(ids != PADDING, "int32"), axis=1)
        n_windows = keras.ops.maximum(lengths - self.size + 1, 1)
        position = keras.ops.arange(keras.ops.shape(windows)[1], dtype="int32")
        competes = keras.ops.expand_dims(position < keras.ops.expand_dims(n_windows, 1), 2)
        return keras.ops.max(keras.ops.where(competes, windows, -1e38), axis=1)

    def get_config(self) -> dict:
        """Return what it takes to build the layer again."""
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="sktextcnn")
class LinearPart(keras.layers.Layer):
    """Blends the margins of the linear part into logits, as `sktextcnn.ngrams.add_linear_part` does.

    Parameters
    ----------
    n_ngrams, n_labels, base : int
        Number of n-grams, of labels, and of token ids.
    ngram_range : sequence of two int
        Fewest and most tokens of an n-gram.
    **kwargs : dict
        As of `keras.layers.Layer`.
    """

    def __init__(
        self, n_ngrams: int, n_labels: int, base: int, ngram_range: Sequence[int], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.sizes = {"n_ngrams": n_ngrams, "n_labels": n_labels, "base": base}
        self.ngram_range = [*ngram_range]

    def build(self, *_: object) -> None:
        """Make room for the weights."""
        n, k = self.sizes["n_ngrams"], self.sizes["n_labels"]
        fixed = {"initializer": "zeros", "trainable": False}
        self.ngrams = self.add_weight(shape=(n,), dtype="int64", name="ngrams", **fixed)
        self.idf = self.add_weight(shape=(n,), name="idf", **fixed)
        self.kernel = self.add_weight(shape=(n, k), name="kernel", **fixed)
        self.bias = self.add_weight(shape=(k,), name="bias", **fixed)
        self.blend = self.add_weight(shape=(3, k), name="blend", **fixed)

    def call(self, logits: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Blend logits (n, k) with the margins of ids (n, T)."""
        ids = tf.pad(tf.cast(ids, tf.int64), [[0, 0], [0, self.ngram_range[1] - 1]])
        width = tf.shape(ids)[1] - (self.ngram_range[1] - 1)
        keys = []
        for size in range(self.ngram_range[0], self.ngram_range[1] + 1):
            tokens = [ids[:, j : width + j] for j in range(size)]
            key = tokens[0]
            for token in tokens[1:]:
                key = key * self.sizes["base"] + token
            known = tf.reduce_all(tf.stack(tokens) >= FIRST_TOKEN, axis=0)
            keys.append(tf.where(known, key, -1))
        key = tf.concat(keys, axis=1)  # (n, P), one for each place of a text
        ngrams = tf.convert_to_tensor(self.ngrams)
        place = tf.reshape(tf.searchsorted(ngrams, tf.reshape(key, [-1])), tf.shape(key))
        place = tf.minimum(place, self.sizes["n_ngrams"] - 1)
        counts = tf.reduce_sum(tf.cast(key[:, :, None] == key[:, None, :], tf.float32), axis=2)
        found = tf.cast(tf.gather(ngrams, place) == key, tf.float32)
        weight = found * (1.0 + tf.math.log(counts)) * tf.gather(tf.convert_to_tensor(self.idf), place)
        # An n-gram that comes c times has c places, so each of them stands for a c-th of it.
        norm = tf.sqrt(tf.reduce_sum(weight**2 / counts, axis=1, keepdims=True))
        weight = tf.math.divide_no_nan(weight / counts, norm)
        rows = tf.gather(tf.convert_to_tensor(self.kernel), place)  # (n, P, k)
        margins = tf.einsum("np,npk->nk", weight, rows) + self.bias
        return self.blend[0] * logits + self.blend[1] * margins + self.blend[2]

    def get_config(self) -> dict:
        """Return what it takes to build the layer again."""
        return {**super().get_config(), **self.sizes, "ngram_range": self.ngram_range}


def build_network(
    weights: Mapping[str, np.ndarray],
    *,
    kernel_sizes: Sequence[int],
    exclusive: bool,
    embedding_dropout: float = 0.0,
    dropout: float = 0.0,
) -> keras.Model:
    """Build the network in Keras' layers, with the given weights.

    Parameters
    ----------
    weights : mapping of str to ndarray
        See `sktextcnn.engine.weights.initial_weights`.
    kernel_sizes : sequence of int
    exclusive : bool
        Softmax (True) or one sigmoid per label.
    embedding_dropout, dropout : float, default=0
        Rates of the dropout layers, which do nothing at prediction.

    Returns
    -------
    keras.Model
        From int32 ids (n, T), padded right with 0, to probabilities (n, k).
    """
    # float32 whatever the user's global dtype policy: results must not depend on it.
    kind: dict[str, Any] = {"dtype": "float32"}
    # Nothing is drawn: Keras would take default seeds from Python's global generator.
    layer = {**kind, "kernel_initializer": "zeros"}

    # Layers
    embedding = keras.layers.Embedding(
        *weights["embedding"].shape, embeddings_initializer="zeros", name="embedding", **kind
    )
    pad = keras.layers.ZeroPadding1D((0, max(kernel_sizes) - 1), **kind)
    convolutions = {
        size: keras.layers.Conv1D(
            weights[f"convolution_{size}_bias"].size, size, name=f"convolution_{size}", **layer
        )
        for size in sorted(kernel_sizes)
    }
    output = keras.layers.Dense(weights["output_bias"].size, name="output", **layer)
    activation = keras.layers.Activation("softmax" if exclusive else "sigmoid", **kind)

    # Functional model
    ids = keras.Input((None,), dtype="int32", name="ids")
    rows = pad(keras.layers.Dropout(embedding_dropout, seed=0, **kind)(embedding(ids)))  # (n, T', D)
    maxima = [
        WindowMaximum(size, **kind)(convolution(rows), ids) for size, convolution in convolutions.items()
    ]  # (n, F) each
    x = keras.layers.Concatenate(**kind)(maxima) if len(maxima) > 1 else maxima[0]
    x = keras.layers.Dropout(dropout, seed=0, **kind)(keras.layers.ReLU(**kind)(x))
    if "hidden_bias" in weights:
        hidden = keras.layers.Dense(
            weights["hidden_bias"].size, activation="relu", name="hidden", **layer
        )
        x = keras.layers.Dropout(dropout, seed=0, **kind)(hidden(x))
    logits = output(x)
    if "linear_kernel" in weights:
        logits = LinearPart(
            n_ngrams=len(weights["linear_kernel"]),
            n_labels=weights["linear_kernel"].shape[1],
            base=len(weights["embedding"]),
            ngram_range=weights["linear_range"].tolist(),
            name="linear",
            **kind,
        )(logits, ids)
    model = keras.Model(ids, activation(logits), name="textcnn")

    # Weights
    set_weights(model, weights)
    return model


def set_weights(model: keras.Model, weights: Mapping[str, np.ndarray]) -> None:
    """Copy `weights` into a model that `build_network` made."""
    for layer in model.layers:
        if layer.name == "embedding":
            layer.set_weights([weights["embedding"]])
        elif layer.name == "linear":
            parts = ("ngrams", "idf", "kernel", "bias", "blend")
            layer.set_weights([weights[f"linear_{part}"] for part in parts])
        elif f"{layer.name}_kernel" in weights:
            layer.set_weights([weights[f"{layer.name}_kernel"], weights[f"{layer.name}_bias"]])


def get_weights(model: keras.Model) -> Weights:
    """Copy the weights out of a model that `build_network` made."""
    weights = {}
    for layer in model.layers:
        if layer.name == "embedding":
            weights["embedding"] = layer.get_weights()[0]
        elif layer.get_weights():
            weights[f"{layer.name}_kernel"], weights[f"{layer.name}_bias"] = layer.get_weights()
    return weights
