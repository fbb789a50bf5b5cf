"""The user's own network: built and checked, held as plain arrays, rebuilt to predict.

`build_own` calls the user's function and looks at what it returns. Training starts from such a network
as arrays, and a fitted estimator holds it so, see `hold`: it can be pickled, copied and saved like the
standard one. Whoever runs it rebuilds the model (`load_network`), and for that needs TensorFlow.
"""

from __future__ import annotations

import inspect
import io
import json
import random
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import lru_cache, partial
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock
from typing import Any

# isort: off
# Network looks at Keras' backend, so it comes before Keras.
from sktextcnn.engine import network as textbook

import keras
import numpy as np
import tensorflow as tf

from sktextcnn.engine.weights import Weights
from sktextcnn.linear.part import LinearPart
from sktextcnn.text.tokens import TokenIds

# isort: on

#: Texts that go through the network at a time, as many every time: fewer if they are long.
ROWS, TOKENS = 64, 1 << 14


@dataclass(frozen=True)
class Sizes:
    """What a user's function may ask for, by name.

    Attributes
    ----------
    n_tokens : int
        Number of token ids, V + 2: 0 pads, 1 stands for all unknown tokens, and token ``t`` of the
        vocabulary has the id ``vocabulary_[t] + 2``.
    n_labels : int
        Number of outputs k.
    max_length : int
        Length T to which every text is truncated or padded.
    embedding_dim, filters : int
    kernel_sizes : tuple of int
    hidden_units : int or None
    dropout : float
        The classifier's parameters, to be used or not.
    embeddings : ndarray of shape (n_tokens, D), dtype float32, or None, default=None
        Table to start from, whose row 0 is zero, if the classifier was given `embeddings`.
    """

    n_tokens: int
    n_labels: int
    max_length: int
    embedding_dim: int
    filters: int
    kernel_sizes: tuple[int, ...]
    hidden_units: int | None
    dropout: float
    embeddings: np.ndarray | None = None


# -- building ----------------------------------------------------------------------------------------


def build_own(network: Callable[..., keras.Model], sizes: Sizes, *, seed: int) -> keras.Model:
    """Call the user's function, and check what it returns.

    Parameters
    ----------
    network : callable
        Gets by name those of `sizes` that its signature names, or all if it is a function that takes
        ``**kwargs``, and returns a `keras.Model` from int32 ids (n, T), padded right with 0, to logits
        (n, k).
    sizes : Sizes
    seed : int
        What initialisers and dropout layers without a seed of their own draw from.

    Returns
    -------
    keras.Model

    Raises
    ------
    TypeError
        If `network` is no such function, or returns no model.
    ValueError
        If the model takes or gives something else.
    """
    arguments = _arguments(network, sizes)
    with _python_seed(seed):
        model = network(**arguments)
        if not isinstance(model, keras.Model):
            raise TypeError(f"network() returned {model!r:.200}; expected a keras.Model.")
        _check_input(model, sizes.max_length)
        ids = _probe(sizes)
        try:
            outputs = model(ids, training=False)  # builds what has not been built yet
        except Exception as error:
            raise ValueError(
                f"The model that network() returned fails on int32 ids of shape {ids.shape}: {error}"
            ) from error
    _check_output(model, ids, outputs, sizes.n_labels)
    return model


def _arguments(network: Any, sizes: Sizes) -> dict[str, Any]:
    """Return those of `sizes` that the function names."""
    if isinstance(network, keras.Model) or not callable(network):
        raise TypeError(
            f"network={network!r:.200}; expected a function that builds and returns a keras.Model."
        )
    given = {each.name: getattr(sizes, each.name) for each in fields(sizes)}
    parameters = inspect.signature(network).parameters.values()
    unknown = [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and (parameter.name not in given or parameter.kind is parameter.POSITIONAL_ONLY)
    ]
    if unknown:
        raise TypeError(
            f"network needs the argument {unknown[0]!r}, which it is not given. It can name "
            f"{', '.join(given)}; give others a default, or bind them with functools.partial."
        )
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    if takes_all and not inspect.isclass(network):  # a subclass of Model hands them on to Keras
        return given
    return {parameter.name: given[parameter.name] for parameter in parameters if parameter.name in given}


_lock = RLock()


@contextmanager
def _python_seed(seed: int) -> Iterator[None]:
    """Seed Python's global generator, from which Keras draws the seeds of layers, and put it back."""
    with _lock:
        before = random.getstate()
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(before)


def _probe(sizes: Sizes) -> np.ndarray:
    """Return ids of four texts: a full one, two shorter, an empty one."""
    ids = np.random.default_rng(0).integers(1, sizes.n_tokens, (4, sizes.max_length), np.int32)
    for row, share in enumerate((1.0, 0.5, 0.2, 0.0)):
        ids[row, int(share * sizes.max_length) :] = 0
    return ids


def _check_input(model: keras.Model, length: int) -> None:
    try:
        inputs = model.inputs
    except (AttributeError, ValueError):  # a subclass of Model, or a Sequential without keras.Input
        return
    if inputs is None:
        return
    hint = "Begin it with keras.Input((None,), dtype='int32')."
    if len(inputs) != 1:
        raise ValueError(
            f"The model that network() returned has {len(inputs)} inputs; expected one, ids of shape "
            f"(n, T). {hint}"
        )
    shape, dtype = tuple(inputs[0].shape), str(inputs[0].dtype)
    if len(shape) != 2 or shape[1] not in (None, length):
        raise ValueError(
            f"The model that network() returned has an input of shape {shape}; expected (n, T), with T "
            f"None or max_length={length}, to which texts are padded. {hint}"
        )
    if "int" not in dtype:
        raise ValueError(
            f"The model that network() returned has an input of dtype {dtype}; expected int32. {hint}"
        )


def _check_output(model: keras.Model, ids: np.ndarray, outputs: Any, n_labels: int) -> None:
    hint = "End it with keras.layers.Dense(n_labels), without activation."
    if isinstance(outputs, (list, tuple, dict)):
        raise ValueError(
            f"The model that network() returned has {len(outputs)} outputs in a "
            f"{type(outputs).__name__}; expected one tensor of logits. {hint}"
        )
    shape, expected = tuple(outputs.shape), (len(ids), n_labels)
    if shape != expected:
        raise ValueError(
            f"The model that network() returned turns ids of shape {ids.shape} into outputs of shape "
            f"{shape}; expected {expected}, a logit for each of {n_labels} labels. {hint}"
        )
    if not tf.as_dtype(outputs.dtype).is_floating:
        raise ValueError(
            f"The model that network() returned has outputs of dtype {outputs.dtype.name}; expected "
            f"floats. {hint}"
        )
    values = np.asarray(tf.cast(outputs, tf.float32))
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
        raise ValueError(
            f"The model that network() returned gives {values[row]} for a text of "
            f"{np.count_nonzero(ids[row])} tokens; expected finite logits, for an empty text, too. A "
            "mask that leaves nothing to average is a common cause."
        )
    how = _how_probabilities(model, ids, values)
    if how:
        raise ValueError(
            f"The model that network() returned gives probabilities: {how}. Expected logits. {hint}"
        )


def _how_probabilities(model: keras.Model, ids: np.ndarray, values: np.ndarray) -> str | None:
    """Say how it shows that the outputs are probabilities; None if they are not.

    Logits may lie between 0 and 1 by chance, but not whatever the weights: so others are tried.
    """

    def all_within(values: np.ndarray) -> bool:
        return bool((values >= 0).all() and (values <= 1).all())

    if not all_within(values):
        return None
    rng, weights = np.random.default_rng(0), model.trainable_weights
    before, tried = [each.value.numpy() for each in weights], [values]
    try:
        for _ in range(4):
            for each, array in zip(weights, before, strict=True):
                each.assign(rng.normal(size=array.shape))
            tried.append(_outputs(model, ids))
    finally:
        for each, array in zip(weights, before, strict=True):
            each.assign(array)
    if not all(map(all_within, tried)) or not any(values.any() for values in tried):
        return None
    activation = getattr(getattr(model.layers[-1], "activation", None), "__name__", "")
    if activation in ("sigmoid", "softmax"):
        return f"its last layer, {model.layers[-1].name!r}, has activation={activation!r}"
    sums = " and add up to 1 for each text" if np.allclose(values.sum(axis=1), 1, atol=0.01) else ""
    return f"whatever its weights, all outputs for a few texts lie between 0 and 1{sums}"


# -- holding -----------------------------------------------------------------------------------------


def hold(network: Callable[..., keras.Model], sizes: Sizes, *, seed: int) -> dict[str, np.ndarray]:
    """Build a user's network, and return it as arrays.

    Parameters
    ----------
    network : callable
    sizes : Sizes
    seed : int
        As of `build_own`, which raises what is wrong with them.

    Returns
    -------
    dict of str to ndarray
        ``network_0``, ``network_1``, ...: its weights in Keras' order, floats as float32.
        ``network_sizes``: `n_tokens`, `max_length`, `n_labels`. ``network``: a `.keras` archive of all
        else as bytes, in which the weights are zeros. If Keras cannot save the network, or would not
        load it again in safe mode, an array of one object in its place, the function that builds it: it
        can be pickled if that function can, and `check_saveable` says what is missing.
    """
    rebuild = partial(build_own, network, sizes, seed=seed)
    model = rebuild()
    held = {
        "network_sizes": np.array([sizes.n_tokens, sizes.max_length, sizes.n_labels], np.int64),
        **get_arrays(model),
    }
    try:
        archive = _to_archive(model, _probe(sizes))
    except ValueError:
        archive = np.empty((), object)
        archive[()] = rebuild
    return {**held, "network": archive}


def check_saveable(weights: Weights) -> None:
    """Raise a ValueError if a user's network cannot be saved, and say why."""
    if weights["network"].dtype == object:
        rebuild = weights["network"].item()
        _to_archive(rebuild(), _probe(rebuild.args[1]))


def get_arrays(model: keras.Model) -> dict[str, np.ndarray]:
    """Copy the weights out of a user's model."""
    return {
        f"network_{i}": np.array(array, np.int64 if array.dtype.kind in "iub" else np.float32)
        for i, array in enumerate(model.get_weights())
    }


def set_arrays(model: keras.Model, weights: Weights) -> None:
    """Copy weights into a user's model.

    Parameters
    ----------
    model : keras.Model
    weights : mapping of str to ndarray
        As `hold` names them.

    Raises
    ------
    ValueError
        If the model has others.
    """
    n_arrays = sum(name.removeprefix("network_").isdigit() for name in weights)
    arrays = [weights[f"network_{i}"] for i in range(n_arrays)]
    shapes, expected = [a.shape for a in arrays], [tuple(w.shape) for w in model.weights]
    if shapes != expected:
        raise ValueError(
            f"The network's weights have the shapes {shapes}, but where it is rebuilt they should have "
            f"{expected}: the function or the classes that build it have changed. Fit again."
        )
    model.set_weights(arrays)


def _to_archive(model: keras.Model, ids: np.ndarray) -> np.ndarray:
    """Return a `.keras` file as bytes, the weights in it zeros, if it comes back the same."""
    expected, values = _outputs(model, ids), model.get_weights()
    try:
        model.set_weights([np.zeros_like(array) for array in values])
        with TemporaryDirectory() as folder, warnings.catch_warnings():
            # Keras uses NumPy in deprecated ways: where warnings are errors, it could save nothing.
            warnings.simplefilter("ignore")
            path = Path(folder) / "network.keras"
            model.save(path)
            archive = np.frombuffer(_compressed(path), np.uint8)
        again = _from_archive(archive)
        _outputs(again, ids)  # builds what Keras has not built yet
        again.set_weights(values)
        if not np.allclose(_outputs(again, ids), expected, rtol=1e-2, atol=1e-3):
            raise ValueError("Loaded again, it gives other outputs.")
    except Exception as error:
        raise ValueError(
            f"The network cannot be saved: {error} Layers and functions of your own need get_config, "
            "with all that their constructors take, and @keras.saving.register_keras_serializable(); "
            "write a Lambda layer as such a layer."
        ) from error
    finally:
        model.set_weights(values)
    return archive


def _outputs(model: keras.Model, ids: np.ndarray) -> np.ndarray:
    return np.asarray(tf.cast(model(ids, training=False), tf.float32))


def _compressed(path: Path) -> bytes:
    """Return a zip file with its parts compressed: zeros take next to nothing."""
    file = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), old.read(name), zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _from_archive(archive: np.ndarray) -> keras.Model:
    data = archive.tobytes()
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        config = json.loads(parts.read("config.json"))
    unknown = [*dict.fromkeys(_unregistered(config))]
    if unknown:
        raise ValueError(
            f"The network uses {', '.join(unknown)}, not known to Keras in this process. Decorate them "
            "with @keras.saving.register_keras_serializable(), and import their module before "
            "predicting or loading."
        )
    with TemporaryDirectory() as folder, _python_seed(0):
        path = Path(folder) / "network.keras"
        path.write_bytes(data)
        return keras.saving.load_model(path, compile=False, safe_mode=True)


def _unregistered(config: Any) -> Iterator[str]:
    """Yield the names of classes and functions that are neither Keras' own nor registered."""
    if isinstance(config, list):
        for item in config:
            yield from _unregistered(item)
    elif isinstance(config, dict):
        module, name = config.get("module"), config.get("registered_name")
        own = isinstance(name, str) and not str(module).startswith(("keras.", "builtins"))
        if own and keras.saving.get_registered_object(name) is None:
            yield f"{config['class_name']} of {module}"
        for item in config.values():
            yield from _unregistered(item)


def load_network(weights: Weights) -> keras.Model:
    """Rebuild a user's network, in Keras' safe mode.

    Parameters
    ----------
    weights : mapping of str to ndarray
        What `hold` returned, others among them or not.

    Returns
    -------
    keras.Model
        A new one every time.

    Raises
    ------
    ValueError
        If it cannot be rebuilt; the message names the classes that are missing.
    """
    archive = weights["network"]
    model = archive.item()() if archive.dtype == object else _from_archive(archive)
    # Builds what Keras has not built yet.
    model(np.zeros((1, int(weights["network_sizes"][1])), np.int32), training=False)
    set_arrays(model, weights)
    return model


def to_keras(weights: Weights, linear_part: LinearPart | None, *, exclusive: bool) -> keras.Model:
    """Return a user's network, and the linear part beside it, as a model that gives probabilities.

    Parameters
    ----------
    weights : mapping of str to ndarray
        As of a fitted classifier.
    linear_part : LinearPart or None
        Its other part.
    exclusive : bool
        Softmax (True) or one sigmoid per label.

    Returns
    -------
    keras.Model
        From int32 ids (n, `max_length`), padded right with 0, to probabilities (n, k).
    """
    _, length, _ = weights["network_sizes"].tolist()
    ids = keras.Input((length,), dtype="int32", name="ids")
    logits = load_network(weights)(ids)
    return textbook.finish(ids, logits, linear_part, exclusive=exclusive)


# -- predicting --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Held:
    """A network as arrays, known by what is in them."""

    digest: bytes
    weights: Weights = field(compare=False)


def compute_logits(weights: Weights, ids: TokenIds) -> np.ndarray:
    """Run a user's network; the last two that were run are kept.

    Parameters
    ----------
    weights : mapping of str to ndarray
        What `hold` returned, others among them or not.
    ids : TokenIds
        Of n texts.

    Returns
    -------
    ndarray of shape (n, k), dtype float32
    """
    digest = blake2b()
    for name in sorted(weights):
        if name.startswith("network"):
            digest.update(name.encode() + weights[name].tobytes())  # of an object: its address
    return run(_loaded(_Held(digest.digest(), weights)), ids, int(weights["network_sizes"][1]))


@lru_cache(maxsize=2)
def _loaded(held: _Held) -> Callable[[np.ndarray], tf.Tensor]:
    return as_function(load_network(held.weights), int(held.weights["network_sizes"][1]))


def as_function(model: keras.Model, length: int) -> Callable[[np.ndarray], tf.Tensor]:
    """Return a model's predictions, from ids (n, `length`) to float32 logits, traced once."""

    def predict(ids: tf.Tensor) -> tf.Tensor:
        return tf.cast(model(ids, training=False), tf.float32)

    return tf.function(predict, [tf.TensorSpec((None, length), tf.int32)], autograph=False)


def run(function: Callable[[np.ndarray], tf.Tensor], ids: TokenIds, length: int) -> np.ndarray:
    """Run texts through what `as_function` returned, a few at a time.

    Every product has the same number of rows, filled up with empty texts: a text's logits do not depend
    on the texts beside it, as far as the network itself does not.

    Parameters
    ----------
    function : callable
    ids : TokenIds
        Of n texts.
    length : int
        To which they are padded.

    Returns
    -------
    ndarray of shape (n, k), dtype float32
    """
    ids, n_rows = ids.truncated(length), max(8, min(ROWS, TOKENS // length))
    parts = []
    for start in range(0, max(len(ids), 1), n_rows):
        few = ids[start : start + n_rows].padded(0)
        matrix = np.zeros((n_rows, length), np.int32)
        matrix[: len(few), : few.shape[1]] = few
        parts.append(np.asarray(function(matrix))[: len(few)])
    return np.concatenate(parts)
