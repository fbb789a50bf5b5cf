"""The network's weights: what training starts from, and the form in which it computes. NumPy.

Weights are arrays by name, see `initial_weights`. For computing, the kernels of all widths are laid side
by side (`concatenate_kernels`), and taken apart again afterwards (`split_kernels`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sktextcnn.text.tokens import FIRST_TOKEN, PADDING

#: Arrays by name, to read; what returns a dict of its own says so.
Weights = Mapping[str, np.ndarray]


def initial_weights(
    rng: np.random.Generator,
    *,
    n_tokens: int,
    n_labels: int,
    embedding_dim: int,
    kernel_sizes: Sequence[int],
    filters: int,
    hidden_units: int | None,
    output_bias: np.ndarray,
    embedding: np.ndarray | None = None,
    n_channels: int = 1,
) -> dict[str, np.ndarray]:
    """Draw the weights training starts from.

    Embeddings are normal with standard deviation 0.1, kernels Glorot-uniform, biases zero but for the
    output's.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_tokens : int
        Size V of the vocabulary.
    n_labels : int
        Number of outputs k.
    embedding_dim : int
        Length D of a token's vector.
    kernel_sizes : sequence of int
        Widths of the convolutions, in tokens.
    filters : int
        Filters F of each width.
    hidden_units : int or None
        Units H of the layer between maxima and output; None for no such layer.
    output_bias : ndarray of shape (k,)
    embedding : ndarray of shape (V + 2, D) or None, default=None
        Start from this table instead of a random one; `embedding_dim` is not used then.
    n_channels : int, default=1
        How often to lay that table beside itself, as channels that filters see together.

    Returns
    -------
    dict of str to ndarray, dtype float32
        ``embedding`` (V + 2, D), whose row 0 pads and is zero; ``convolution_{w}_kernel`` (w, D, F)
        and ``convolution_{w}_bias`` (F,) for each width w; ``hidden_kernel``, ``hidden_bias`` if there
        is a hidden layer; ``output_kernel`` (n_features, k), ``output_bias`` (k,).
    """

    def glorot(*shape: int) -> np.ndarray:
        receptive = int(np.prod(shape[:-2]))
        limit = np.sqrt(6.0 / (receptive * (shape[-2] + shape[-1])))
        return rng.uniform(-limit, limit, shape).astype(np.float32)

    if embedding is None:
        embedding = rng.normal(0.0, 0.1, (n_tokens + FIRST_TOKEN, embedding_dim)).astype(np.float32)
        embedding[PADDING] = 0.0
    else:
        embedding = np.tile(embedding, n_channels)
    embedding_dim = embedding.shape[1]
    weights = {"embedding": embedding}
    for size in sorted(kernel_sizes):
        weights[f"convolution_{size}_kernel"] = glorot(size, embedding_dim, filters)
        weights[f"convolution_{size}_bias"] = np.zeros(filters, np.float32)
    n_features = len(kernel_sizes) * filters
    if hidden_units:
        weights["hidden_kernel"] = glorot(n_features, hidden_units)
        weights["hidden_bias"] = np.zeros(hidden_units, np.float32)
        n_features = hidden_units
    weights["output_kernel"] = glorot(n_features, n_labels)
    weights["output_bias"] = output_bias.astype(np.float32)
    return weights


def grow_weights(
    weights: Weights, rng: np.random.Generator, *, vectors: np.ndarray, output_bias: np.ndarray
) -> dict[str, np.ndarray]:
    """Append vectors of new tokens, and outputs of new labels.

    No output that there was changes: the outputs of other labels, of texts without new tokens, are the
    same.

    Parameters
    ----------
    weights : mapping of str to ndarray
        See `initial_weights`.
    rng : numpy.random.Generator
        Draws the new columns of the output kernel, as `initial_weights` does.
    vectors : ndarray of shape (n_new_tokens, D)
    output_bias : ndarray of shape (n_new_labels,)

    Returns
    -------
    dict of str to ndarray
    """
    kernel = weights["output_kernel"]
    n_features, k = kernel.shape
    limit = np.sqrt(6.0 / (n_features + k + len(output_bias)))
    columns = rng.uniform(-limit, limit, (n_features, len(output_bias))).astype(np.float32)
    bias = output_bias.astype(np.float32)
    return {
        **weights,
        "embedding": np.concatenate([weights["embedding"], vectors]),
        "output_kernel": np.concatenate([kernel, columns], axis=1),
        "output_bias": np.concatenate([weights["output_bias"], bias]),
    }


def grow_slot(slot: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """Return what an optimizer remembers of a weight, which may have grown since.

    Parameters
    ----------
    slot : ndarray
        Of the weight as it was.
    fresh : ndarray
        Of the weight as it is, before any step.

    Returns
    -------
    ndarray of the shape of `fresh`

    Examples
    --------
    >>> import numpy as np
    >>> from sktextcnn.engine.weights import grow_slot
    >>> grow_slot(np.array([1.0, 2.0]), np.zeros(3))
    array([1., 2., 0.])
    """
    grown = np.array(fresh)
    grown[tuple(map(slice, slot.shape))] = slot
    return grown


def prior_logits(counts: np.ndarray, n: int, *, exclusive: bool) -> np.ndarray:
    """Return the output bias that predicts how frequent the labels are.

    A network that starts from it need not spend its first epochs on learning that most labels are
    rare.

    Parameters
    ----------
    counts : ndarray of shape (k,)
        Texts that carry each label.
    n : int
        Number of texts.
    exclusive : bool
        Softmax (log of the share) or sigmoid (log-odds).

    Returns
    -------
    ndarray of shape (k,)
    """
    smoothed = counts + 0.5
    return np.log(smoothed / smoothed.sum()) if exclusive else np.log(smoothed / (n - counts + 0.5))


def count_token_ids(weights: Weights) -> int:
    """Return the number of token ids, V + 2, of the standard network or of the user's own."""
    return len(weights["embedding"]) if "embedding" in weights else int(weights["network_sizes"][0])


def concatenate_kernels(weights: Weights, kernel_sizes: Sequence[int]) -> dict[str, np.ndarray]:
    """Lay the convolutions side by side, so that one product serves them all.

    Parameters
    ----------
    weights : mapping of str to ndarray
        See `initial_weights`; or anything else of these names and shapes, such as an optimizer's slots.
    kernel_sizes : sequence of int
        Widths of the convolutions, ascending.

    Returns
    -------
    dict of str to ndarray
        Copies: ``embedding``; ``kernel`` (S, F, D), the S slices of all convolutions, narrow ones first;
        ``bias`` (widths * F,); and the dense layers.
    """
    slices = [weights[f"convolution_{size}_kernel"] for size in kernel_sizes]  # (w, D, F) each
    biases = [weights[f"convolution_{size}_bias"] for size in kernel_sizes]
    return {
        "kernel": np.ascontiguousarray(np.concatenate(slices).transpose(0, 2, 1)),
        "bias": np.concatenate(biases),
        **{name: w.copy() for name, w in weights.items() if not name.startswith("convolution")},
    }


def split_kernels(arrays: Weights, kernel_sizes: Sequence[int]) -> dict[str, np.ndarray]:
    """Undo `concatenate_kernels`.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    kernel_sizes : sequence of int
        Widths of the convolutions, ascending.

    Returns
    -------
    dict of str to ndarray
        Copies, under the names of `initial_weights`.
    """
    slices, biases = arrays["kernel"].transpose(0, 2, 1), arrays["bias"].reshape(len(kernel_sizes), -1)
    weights, ends = {}, np.cumsum(kernel_sizes)
    for size, end, bias in zip(kernel_sizes, ends, biases, strict=True):
        weights[f"convolution_{size}_kernel"] = np.array(slices[end - size : end], order="C")
        weights[f"convolution_{size}_bias"] = bias.copy()
    rest = {name: w.copy() for name, w in arrays.items() if name not in ("kernel", "bias")}
    return {"embedding": rest.pop("embedding"), **weights, **rest}
