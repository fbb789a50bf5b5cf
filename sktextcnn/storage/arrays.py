"""The arrays of a model: which there are, their dtypes, and how their shapes agree with each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from sktextcnn.text.tokens import FIRST_TOKEN

#: Arrays by name.
Arrays = Mapping[str, np.ndarray]

#: Name of an array -> its dtype and shape, whose words stand for sizes that arrays share.
Layout = Mapping[str, tuple[str, tuple[int | str, ...]]]

#: Name of an optimizer -> arrays that it remembers of each weight.
N_SLOTS = {"sgd": 0, "adagrad": 1, "adam": 2}

_FLOAT, _INT, _SHORT = "float32", "int64", "int32"

_LINEAR_PART: Layout = {
    "ngrams": (_INT, ("n-grams of tokens",)),
    "ngram_range": (_INT, (2,)),
    "char_ngram_range": (_INT, (2,)),
    "char_ngrams_of_tokens": (_SHORT, ("n-grams in tokens",)),
    "char_ngrams_counts": (_FLOAT, ("n-grams in tokens",)),
    "char_ngrams_offsets": (_SHORT, ("token ids + 1",)),
    "idf": (_FLOAT, ("n-grams",)),
    "kernel": (_FLOAT, ("weights",)),
    "kernel_labels": (_SHORT, ("weights",)),
    "kernel_offsets": (_INT, ("n-grams + 1",)),
    "bias": (_FLOAT, ("labels",)),
    "blend": (_FLOAT, (3, "labels")),
}


def expect(is_right: bool, name: str, got: Any, expected: str) -> None:
    """Raise a ValueError unless something is right.

    Parameters
    ----------
    is_right : bool
    name : str
        What was looked at.
    got : object
        What it is.
    expected : str
    """
    if not is_right:
        shown = " ".join(repr(got).split())
        if isinstance(got, np.ndarray):
            shown = f"an array of shape {got.shape} and dtype {got.dtype}"
        raise ValueError(f"{name} is {shown:.200}; expected {expected}.")


def check_array(
    name: str,
    array: Any,
    dtype: str,
    shape: tuple[int | str, ...],
    sizes: dict[str, int],
    *,
    may_be_nan: bool = False,
) -> None:
    """Refuse anything else than an array of that dtype and shape.

    Parameters
    ----------
    name : str
        What messages call it.
    array : object
    dtype : str
        Of NumPy.
    shape : tuple of (int or str)
        Words stand for sizes.
    sizes : dict of str to int
        Those that are known so far; others are added.
    may_be_nan : bool, default=False
        Whether numbers need not be finite.

    Raises
    ------
    ValueError
        With what was got and expected.
    """
    is_right = isinstance(array, np.ndarray) and array.dtype == dtype
    expect(is_right, name, array, f"an array of dtype {dtype}")
    if array.ndim == len(shape):
        for size, found in zip(shape, array.shape, strict=True):
            sizes.setdefault(str(size), found)
    expected = tuple(sizes.get(size, 0) if isinstance(size, str) else size for size in shape)
    words = ", ".join(map(str, shape))
    expect(array.shape == expected, name, array, f"the shape {expected}, which is ({words})")
    if not may_be_nan and not _is_finite(array):
        raise ValueError(f"{name} holds NaN or infinite numbers; expected finite ones.")


def _is_finite(array: np.ndarray) -> bool:
    if array.dtype.kind != "f":
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum()  # in half the time; it may be infinite though no item is
    return bool(np.isfinite(total) or np.isfinite(array).all())


def check_weights(
    weights: Arrays, *, n_tokens: int, n_labels: int, max_length: int | None, n_channels: int
) -> None:
    """Refuse weights that are not those of a network.

    Parameters
    ----------
    weights : mapping of str to ndarray
    n_tokens : int
        Size of the vocabulary.
    n_labels : int
    max_length : int or None
        To which texts are truncated.
    n_channels : int
        Tables of embeddings beside each other.

    Raises
    ------
    ValueError
        With what was got and expected.
    """
    sizes = {"token ids": n_tokens + FIRST_TOKEN, "labels": n_labels}
    if "network" in weights:
        known = _check_own_network(weights, sizes, max_length)
    else:
        known = _check_standard_network(weights, sizes, n_channels)
    _check_no_others("weights_", weights, known)


def _check_layout(
    weights: Arrays, layout: Layout, sizes: dict[str, int], *, of: str = "weights_"
) -> set[str]:
    """Look at the arrays of a layout, and return their names."""
    for name, (dtype, shape) in layout.items():
        expect(name in weights, of, sorted(weights), f"{name} as well")
        check_array(f"{of}[{name!r}]", weights[name], dtype, shape, sizes)
    return {*layout}


def _check_no_others(of: str, arrays: Arrays, known: set[str]) -> None:
    expect(arrays.keys() <= known, of, sorted(arrays), f"none but {', '.join(sorted(known))}")


def _check_standard_network(weights: Arrays, sizes: dict[str, int], n_channels: int) -> set[str]:
    found = (re.fullmatch(r"convolution_([1-9][0-9]{0,8})_kernel", name) for name in weights)
    widths = [int(match.group(1)) for match in found if match]
    expect(bool(widths), "weights_", sorted(weights), "convolution_{width}_kernel as well")
    layout: dict[str, tuple[str, tuple[int | str, ...]]] = {
        "embedding": (_FLOAT, ("token ids", "dimension"))
    }
    for width in widths:
        layout[f"convolution_{width}_kernel"] = (_FLOAT, (width, "dimension", "filters"))
        layout[f"convolution_{width}_bias"] = (_FLOAT, ("filters",))
    known = _check_layout(weights, layout, sizes)
    dimension, filters = sizes["dimension"], sizes["filters"]
    expect(filters > 0, "the number of filters", filters, "1 at least")
    words = f"{n_channels}, or a multiple of it"
    expect(dimension > 0 and dimension % n_channels == 0, "the embedding dimension", dimension, words)
    sizes["features"], last = len(widths) * filters, "features"
    layout = {}
    if "hidden_kernel" in weights or "hidden_bias" in weights:
        last = "hidden units"
        layout["hidden_kernel"] = (_FLOAT, ("features", last))
        layout["hidden_bias"] = (_FLOAT, (last,))
    layout["output_kernel"] = (_FLOAT, (last, "labels"))
    layout["output_bias"] = (_FLOAT, ("labels",))
    return known | _check_layout(weights, layout, sizes)


def _check_own_network(weights: Arrays, sizes: dict[str, int], max_length: int | None) -> set[str]:
    layout: Layout = {"network": ("uint8", ("bytes",)), "network_sizes": (_INT, (3,))}
    known = _check_layout(weights, layout, sizes)
    got = weights["network_sizes"].tolist()
    expected = [sizes["token ids"], max_length, sizes["labels"]]
    words = f"{expected}, the numbers of token ids, tokens of a text, and labels"
    expect(got == expected, "weights_['network_sizes']", got, words)
    n_arrays = sum(re.fullmatch(r"network_[0-9]+", name) is not None for name in weights)
    for i in range(n_arrays):
        name = f"network_{i}"
        expect(name in weights, "weights_", sorted(weights), f"{name} as well")
        _check_any(f"weights_[{name!r}]", weights[name])
        known.add(name)
    return known


def _check_any(name: str, array: Any) -> None:
    """Refuse anything else than an array of numbers, of any shape."""
    is_right = isinstance(array, np.ndarray) and array.dtype in (np.float32, np.int64, np.int32)
    expect(is_right, name, array, "an array of dtype float32 or int64")
    check_array(name, array, str(array.dtype), array.shape, {})


def check_linear_part(arrays: Arrays, *, n_tokens: int, n_labels: int) -> None:
    """Refuse arrays that are not those of a linear part.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        See `sktextcnn.linear.part.LinearPart.to_arrays`.
    n_tokens : int
        Size of the vocabulary.
    n_labels : int

    Raises
    ------
    ValueError
        With what was got and expected.
    """
    of, n_ids = "linear_part_", n_tokens + FIRST_TOKEN
    n_ngrams = np.size(arrays.get("idf", ()))
    sizes = {"token ids + 1": n_ids + 1, "labels": n_labels, "n-grams + 1": n_ngrams + 1}
    known = _check_layout(arrays, _LINEAR_PART, sizes, of=of)
    least, most = arrays["ngram_range"].tolist()
    is_right = 1 <= least <= most <= 3
    expect(is_right, f"{of}['ngram_range']", [least, most], "two of 1, 2, 3, in order")
    idf = arrays["idf"]  # 1 + log((1 + n) / (1 + df)), of less than 2**63 texts
    within = bool(((idf >= 1) & (idf <= 64)).all())
    expect(within, f"{of}['idf']", idf.tolist(), "numbers from 1 to 64")
    keys, n_keys = arrays["ngrams"], n_ids**most
    expect(n_keys <= np.iinfo(np.int64).max, f"{of}['ngram_range']", [least, most], "a lower one")
    expect(bool((keys[:-1] < keys[1:]).all()), f"{of}['ngrams']", keys, "them to ascend")
    within = not keys.size or bool(keys[0] >= 0 and keys[-1] < n_keys)
    expect(within, f"{of}['ngrams']", keys, f"numbers from 0 to {n_keys - 1}")
    _check_characters(arrays, sizes["n-grams"] - sizes["n-grams of tokens"], of)
    _check_rows(arrays, "kernel_labels", "kernel_offsets", n_labels, of)
    _check_no_others(of, arrays, known | {"char_ngrams"})


def _check_characters(arrays: Arrays, n_ngrams: int, of: str) -> None:
    """Look at the n-grams of characters, and at which token holds which."""
    expect("char_ngrams" in arrays, of, sorted(arrays), "char_ngrams as well")
    ngrams: Any = arrays["char_ngrams"]
    least, most = arrays["char_ngram_range"].tolist()
    is_right = least == most == 0 or 1 <= least <= most <= 8
    expect(is_right, f"{of}['char_ngram_range']", [least, most], "two of 1 to 8, in order, or 0 and 0")
    is_right = isinstance(ngrams, np.ndarray) and ngrams.dtype == f"<U{max(most, 1)}"
    expect(is_right, f"{of}['char_ngrams']", ngrams, f"an array of str of {max(most, 1)} characters")
    words = f"the shape {(n_ngrams,)}, the n-grams that are not of tokens"
    expect(ngrams.shape == (n_ngrams,), f"{of}['char_ngrams']", ngrams, words)
    expect(bool((ngrams[:-1] < ngrams[1:]).all()), f"{of}['char_ngrams']", ngrams, "them to ascend")
    _check_rows(arrays, "char_ngrams_of_tokens", "char_ngrams_offsets", n_ngrams, of)
    counts = arrays["char_ngrams_counts"]
    are_counts = bool(((counts >= 1) & (counts == np.floor(counts))).all())
    expect(are_counts, f"{of}['char_ngrams_counts']", counts, "whole numbers from 1 on")


def _check_rows(arrays: Arrays, columns_in: str, offsets_in: str, n_columns: int, of: str) -> None:
    """Look at where the rows of a sparse matrix begin, and in which columns they have something."""
    columns, offsets = arrays[columns_in], arrays[offsets_in]
    within = bool(((columns >= 0) & (columns < n_columns)).all())
    expect(within, f"{of}[{columns_in!r}]", columns, f"numbers below {n_columns}")
    ends = offsets[[0, -1]].tolist() == [0, len(columns)]
    ascend = ends and bool((np.diff(offsets) >= 0).all())
    expect(ascend, f"{of}[{offsets_in!r}]", offsets, f"them to ascend from 0 to {len(columns)}")


def check_optimizer(state: Mapping[str, Any], weights: Arrays) -> None:
    """Refuse what an optimizer cannot have remembered of weights.

    Parameters
    ----------
    state : mapping of str to object
        With ``optimizer``, a name, and ``slots``, lists of arrays by the name of a weight; or, if the
        name begins with "keras:", under one key the variables of Keras' optimizer, which looks itself
        whether they fit.
    weights : mapping of str to ndarray

    Raises
    ------
    ValueError
        With what was got and expected.
    """
    slots, (engine, _, name) = state["slots"], state["optimizer"].rpartition(":")
    is_right = name in N_SLOTS and engine in ("", "keras")
    words = f"one of {', '.join(N_SLOTS)}, or keras: and one of them"
    expect(is_right, "optimizer_state_['optimizer']", state["optimizer"], words)
    for key, arrays in slots.items():
        for array in arrays:
            _check_any(f"optimizer_state_['slots'][{key!r}]", array)
    got = {key: [array.shape for array in arrays] for key, arrays in slots.items()}
    expected = {key: [array.shape] * N_SLOTS[name] for key, array in weights.items()}
    if engine == "keras":
        expected = {"optimizer": got.get("optimizer", [])}
    words = f"{expected}, as the weights have them"
    expect(not slots or got == expected, "the shapes of optimizer_state_['slots']", got, words)
