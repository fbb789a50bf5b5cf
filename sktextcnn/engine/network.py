"""Networks as Keras models: the textbook form of ours, and one that the user brings.

Kim's CNN for sentences [1]_: token embeddings, convolutions of several widths, the largest response
of each filter over the text, and one output per label::

    ids (n, T) -> rows (n, T, D) -> windows (n, T, F) for each width -> maxima (n, widths * F)
        -> [hidden (n, H)] -> logits (n, k)

`build_network` writes it down in Keras' own layers, as one would in a tutorial. The same numbers come
from far fewer operations in `sktextcnn.engine.inference`; tests hold the two against each other.

.. [1] Y. Kim (2014), Convolutional Neural Networks for Sentence Classification, EMNLP,
   https://aclanthology.org/D14-1181.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from sktextcnn.engine.weights import Weights
from sktextcnn.linear.part import LinearPart
from sktextcnn.text.tokens import FIRST_TOKEN, PADDING
from sktextcnn.threads import is_worker


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
    """Let TensorFlow use no more threads in a worker than joblib, or a cluster, grants it.

    A search with n_jobs=2 on two cores would otherwise run four threads on them. Threads can be set
    only before TensorFlow starts; one that is running already is left alone.
    """
    granted = os.environ.get("OMP_NUM_THREADS", "")
    if is_worker() and granted.isdigit():
        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(int(granted))
            tf.config.threading.set_inter_op_parallelism_threads(1)


_share_cores()


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
        # -inf, for any finite number would be too small or too large for some precision.
        return keras.ops.max(keras.ops.where(competes, windows, -np.inf), axis=1)

    def get_config(self) -> dict:
        """Return what it takes to build the layer again."""
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="sktextcnn")
class Padding(keras.layers.Layer):
    """Zeroes what embeddings say of padding, and pads further.

    Zeroed here, the vector of padding gets no gradient: what is zero at first remains so.

    Parameters
    ----------
    size : int
        How much to append: the width of the widest convolution, less 1.
    **kwargs : dict
        As of `keras.layers.Layer`.
    """

    def __init__(self, size: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, rows: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Turn embeddings (n, T, D) of ids (n, T) into (n, T + size, D)."""
        is_token = keras.ops.cast(keras.ops.expand_dims(ids != PADDING, 2), rows.dtype)
        return keras.ops.pad(rows * is_token, [[0, 0], [0, self.size], [0, 0]])

    def get_config(self) -> dict:
        """Return what it takes to build the layer again."""
        return {**super().get_config(), "size": self.size}


def _count(columns: tf.Tensor, n_columns: int) -> tf.Tensor:
    """Count the numbers in each row (n, n_columns)."""
    columns = tf.cast(columns, tf.int32)
    return tf.math.bincount(columns, minlength=n_columns, maxlength=n_columns, dtype=tf.float32, axis=-1)


def _multiply(rows: tf.Tensor, positions: Any, values: Any, shape: tuple[int, int]) -> tf.Tensor:
    """Return the product of rows (n, m) and a sparse matrix (m, k)."""
    positions, values = tf.convert_to_tensor(positions), tf.convert_to_tensor(values)
    matrix = tf.sparse.SparseTensor(positions, values, shape)
    return tf.transpose(tf.sparse.sparse_dense_matmul(matrix, rows, adjoint_a=True, adjoint_b=True))


@keras.saving.register_keras_serializable(package="sktextcnn")
class LinearPartLayer(keras.layers.Layer):
    """Blends margins into logits, as `sktextcnn.linear.part.LinearPart` does, but from ids alone.

    Parameters
    ----------
    n_ngrams, n_char_ngrams, n_held, n_weights, n_labels, base : int
        Number of n-grams of tokens, of n-grams of characters, of those that the tokens of the vocabulary
        hold, of weights other than 0, of labels, and of token ids.
    ngram_range : sequence of two int
        Fewest and most tokens of an n-gram.
    **kwargs : dict
        As of `keras.layers.Layer`.
    """

    def __init__(
        self,
        n_ngrams: int,
        n_char_ngrams: int,
        n_held: int,
        n_weights: int,
        n_labels: int,
        base: int,
        ngram_range: Sequence[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sizes = {
            "n_ngrams": n_ngrams,
            "n_char_ngrams": n_char_ngrams,
            "n_held": n_held,
            "n_weights": n_weights,
            "n_labels": n_labels,
            "base": base,
        }
        self.ngram_range = [*ngram_range]

    def build(self, *_: object) -> None:
        """Make room for the weights."""
        sizes = self.sizes
        n, k, m = sizes["n_ngrams"] + sizes["n_char_ngrams"], sizes["n_labels"], sizes["n_weights"]
        fixed = {"initializer": "zeros", "trainable": False}
        self.ngrams = self.add_weight(shape=(sizes["n_ngrams"],), dtype="int64", name="ngrams", **fixed)
        self.held = self.add_weight(shape=(sizes["n_held"], 2), dtype="int64", name="held", **fixed)
        self.held_counts = self.add_weight(shape=(sizes["n_held"],), name="held_counts", **fixed)
        self.idf = self.add_weight(shape=(n,), name="idf", **fixed)
        self.weighted = self.add_weight(shape=(m, 2), dtype="int64", name="weighted", **fixed)
        self.kernel = self.add_weight(shape=(m,), name="kernel", **fixed)
        self.bias = self.add_weight(shape=(k,), name="bias", **fixed)
        self.blend = self.add_weight(shape=(3, k), name="blend", **fixed)

    def call(self, logits: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
        """Blend logits (n, k) with the margins of ids (n, T)."""
        counts = tf.concat([self._count_ngrams(ids), self._count_characters(ids)], axis=1)
        weight = tf.where(counts > 0, 1.0 + tf.math.log(tf.maximum(counts, 1.0)), 0.0) * self.idf
        weight = tf.math.divide_no_nan(weight, tf.norm(weight, axis=1, keepdims=True))
        shape = self.idf.shape[0], self.bias.shape[0]
        margins = _multiply(weight, self.weighted, self.kernel, shape) + self.bias
        return self.blend[0] * logits + self.blend[1] * margins + self.blend[2]

    def _count_ngrams(self, ids: tf.Tensor) -> tf.Tensor:
        """Count the n-grams of tokens in each text (n, n_ngrams)."""
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
        key = tf.concat(keys, axis=1)  # one for each position of a text
        ngrams, n = tf.convert_to_tensor(self.ngrams), self.sizes["n_ngrams"]
        position = tf.reshape(tf.searchsorted(ngrams, tf.reshape(key, [-1])), tf.shape(key))
        found = tf.gather(tf.concat([ngrams, [-2]], axis=0), position) == key
        return _count(tf.where(found, position, n), n + 1)[:, :n]

    def _count_characters(self, ids: tf.Tensor) -> tf.Tensor:
        """Count the n-grams of characters in each text (n, n_char_ngrams)."""
        base, n = self.sizes["base"], self.sizes["n_char_ngrams"]
        return _multiply(_count(ids, base), self.held, self.held_counts, (base, n))

    def get_config(self) -> dict:
        """Return what it takes to build the layer again."""
        return {**super().get_config(), **self.sizes, "ngram_range": self.ngram_range}


def build_network(
    weights: Weights,
    linear_part: LinearPart | None = None,
    *,
    kernel_sizes: Sequence[int],
    exclusive: bool | None,
    embedding_dropout: float = 0.0,
    dropout: float = 0.0,
    embedding_mode: str = "trainable",
    dtype: str | None = "float32",
) -> keras.Model:
    """Build the network in Keras' layers, with the given weights.

    Parameters
    ----------
    weights : mapping of str to ndarray
        See `sktextcnn.engine.weights.initial_weights`.
    linear_part : LinearPart or None, default=None
        What its logits are blended with.
    kernel_sizes : sequence of int
    exclusive : bool or None
        Softmax (True) or one sigmoid per label (False), for probabilities; None for logits.
    embedding_dropout, dropout : float, default=0
        Rates of the dropout layers, which do nothing at prediction.
    embedding_mode : {"trainable", "static", "multichannel"}, default="trainable"
        Whether the embeddings learn; "multichannel": the second half of their columns does, and the
        first is a layer of its own.
    dtype : str or None, default="float32"
        Precision of the layers before the output; None follows Keras' global policy. From the output
        on it is float32.

    Returns
    -------
    keras.Model
        From int32 ids (n, T), padded right with 0, to probabilities or logits (n, k).
    """
    kind: dict[str, Any] = {"dtype": dtype}
    # Nothing is drawn: Keras would take default seeds from Python's global generator.
    zeros = {"kernel_initializer": "zeros"}

    # Layers
    embeddings = [
        keras.layers.Embedding(
            len(part), part.shape[1], embeddings_initializer="zeros", trainable=learns, name=name, **kind
        )
        for name, part, learns in _channels(weights["embedding"], embedding_mode)
    ]
    pad = Padding(max(kernel_sizes) - 1, **kind)
    convolutions = {
        size: keras.layers.Conv1D(
            weights[f"convolution_{size}_bias"].size, size, name=f"convolution_{size}", **zeros, **kind
        )
        for size in sorted(kernel_sizes)
    }
    output = keras.layers.Dense(weights["output_bias"].size, name="output", dtype="float32", **zeros)

    # Functional model
    ids = keras.Input((None,), dtype="int32", name="ids")
    channels = [embedding(ids) for embedding in embeddings]
    rows = keras.layers.Concatenate(**kind)(channels) if len(channels) > 1 else channels[0]
    rows = pad(keras.layers.Dropout(embedding_dropout, seed=0, **kind)(rows), ids)  # (n, T', D)
    maxima = [
        WindowMaximum(size, **kind)(convolution(rows), ids) for size, convolution in convolutions.items()
    ]  # (n, F) each
    x = keras.layers.Concatenate(**kind)(maxima) if len(maxima) > 1 else maxima[0]
    x = keras.layers.Dropout(dropout, seed=0, **kind)(keras.layers.ReLU(**kind)(x))
    if "hidden_bias" in weights:
        units = weights["hidden_bias"].size
        hidden = keras.layers.Dense(units, activation="relu", name="hidden", **zeros, **kind)
        x = keras.layers.Dropout(dropout, seed=0, **kind)(hidden(x))
    model = finish(ids, output(x), linear_part, exclusive=exclusive)

    # Weights
    set_weights(model, weights)
    return model


def finish(
    ids: Any, logits: Any, linear_part: LinearPart | None, *, exclusive: bool | None
) -> keras.Model:
    """Let the linear part, if there is one, and the last activation follow a network.

    Parameters
    ----------
    ids : KerasTensor
        Where the model begins.
    logits : KerasTensor
        What the network makes of them.
    linear_part : LinearPart or None
    exclusive : bool or None
        See `build_network`.

    Returns
    -------
    keras.Model
    """
    if linear_part is not None:
        ngrams, kernel = linear_part.ngrams, linear_part.kernel.tocoo()
        held = ngrams.characters.of_vocabulary.tocoo()
        layer = LinearPartLayer(
            n_ngrams=len(ngrams.keys),
            n_char_ngrams=held.shape[1],
            n_held=held.nnz,
            n_weights=kernel.nnz,
            n_labels=linear_part.bias.size,
            base=ngrams.base,
            ngram_range=ngrams.ngram_range,
            name="linear",
            dtype="float32",
        )
        logits = layer(logits, ids)
        # Which token of the vocabulary holds which n-gram of characters, and how often.
        held_by, weighted = (np.stack([each.row, each.col], axis=1) for each in (held, kernel))
        parts = (ngrams.idf, weighted, kernel.data, linear_part.bias, linear_part.blend)
        layer.set_weights([ngrams.keys, held_by, held.data, *parts])
    if exclusive is not None:
        activation = "softmax" if exclusive else "sigmoid"
        logits = keras.layers.Activation(activation, dtype="float32")(logits)
    return keras.Model(ids, logits, name="textcnn")


def _channels(table: np.ndarray, mode: str) -> list[tuple[str, np.ndarray, bool]]:
    """Return the embedding layers of a table: their names, their parts of it, whether they learn."""
    if mode == "multichannel":
        static, learning = np.split(table, 2, axis=1)
        return [("embedding_static", static, False), ("embedding", learning, True)]
    return [("embedding", table, mode == "trainable")]


def set_weights(model: keras.Model, weights: Weights) -> None:
    """Copy `weights` into a model that `build_network` made."""
    names = {layer.name for layer in model.layers}
    mode = "multichannel" if "embedding_static" in names else "trainable"
    for name, part, _ in _channels(weights["embedding"], mode):
        model.get_layer(name).set_weights([part])
    for name in names:
        if f"{name}_kernel" in weights and name != "linear":
            parts = [weights[f"{name}_kernel"], weights[f"{name}_bias"]]
            model.get_layer(name).set_weights(parts)


def get_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Copy the weights out of a model that `build_network` made, as float32."""
    weights, tables = {}, []
    for layer in model.layers:
        arrays = [np.array(array, np.float32) for array in layer.get_weights()]
        if layer.name.startswith("embedding"):
            tables.append((layer.name != "embedding_static", arrays[0]))
        elif arrays and layer.name != "linear":
            weights[f"{layer.name}_kernel"], weights[f"{layer.name}_bias"] = arrays
    tables.sort(key=lambda pair: pair[0])
    return {"embedding": np.concatenate([table for _, table in tables], axis=1), **weights}
