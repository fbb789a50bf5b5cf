"""Fitted weights -> an ONNX model, from token ids to logits and probabilities.

The graph is written down node by node from the fitted arrays: no Keras model is built for it, and no
converter is needed. It says the same as `sktextcnn.engine.network`: a network with its convolutions, the
linear part if there is one, and the last activation. Its operators are those of ONNX 1.8, of the
year 2020, so that an old runtime will do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sktextcnn import __version__
from sktextcnn.decision.rule import DecisionRule
from sktextcnn.engine.inference import kernel_sizes_of
from sktextcnn.engine.weights import Weights
from sktextcnn.linear.features import Ngrams
from sktextcnn.linear.part import LinearPart
from sktextcnn.text.tokens import FIRST_TOKEN, PADDING

if TYPE_CHECKING:
    import onnx

#: Versions of the operators, of those for classical models, and of the format that came with them.
OPSET, ML_OPSET, IR_VERSION = 13, 2, 7

#: The key and the column of an n-gram that does not count.
NONE = -1

#: How ONNX numbers types of elements.
_FLOAT, _INT32, _INT64, _BOOL, _DOUBLE = 1, 6, 7, 9, 11


def build_onnx(
    weights: Weights,
    linear: LinearPart | None,
    rule: DecisionRule,
    *,
    max_length: int | None,
    metadata: Mapping[str, Any],
) -> onnx.ModelProto:
    """Write network, linear part and decisions down as an ONNX model.

    Parameters
    ----------
    weights : mapping of str to ndarray
        Of the standard network, see `sktextcnn.engine.weights.initial_weights`.
    linear : LinearPart or None
    rule : DecisionRule
        Of k labels.
    max_length : int or None
        Ids of a text that count; None: all.
    metadata : mapping of str to object
        What goes with the model, each value as JSON.

    Returns
    -------
    onnx.ModelProto
        From ``ids``, int32 (n, T), padded right with 0, to ``logits`` and ``probabilities``, float32
        (n, k), and ``decisions``, bool (n, k).

    Raises
    ------
    ImportError
        If the package onnx is not installed.
    TypeError
        If JSON has no form for something in `metadata`.
    """
    try:
        from onnx import helper
    except ImportError as error:
        raise ImportError(
            "An ONNX model is made by the package onnx, which is not installed: "
            "pip install 'sktextcnn[onnx]'."
        ) from error
    graph, n_labels = _Graph("textcnn"), weights["output_bias"].size
    ids = _add_input(graph, max_length, max(kernel_sizes_of(weights)))
    logits = _add_network(graph, weights, ids)
    if linear is not None:
        logits = _add_linear_part(graph, linear, ids, logits)
    graph.add("Identity", logits, name="logits")
    graph.add("Softmax" if rule.exclusive else "Sigmoid", "logits", name="probabilities")
    _add_decisions(graph, rule)
    types = {"logits": _FLOAT, "probabilities": _FLOAT, "decisions": _BOOL}
    model = helper.make_model(
        graph.finish(
            [helper.make_tensor_value_info("ids", _INT32, ["n", "T"])],
            [
                helper.make_tensor_value_info(name, type_, ["n", n_labels])
                for name, type_ in types.items()
            ],
        ),
        producer_name="sktextcnn",
        producer_version=__version__,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
    )
    helper.set_model_props(model, {name: _to_json(name, value) for name, value in metadata.items()})
    return model


def _to_json(name: str, value: Any) -> str:
    try:
        return json.dumps(value)
    except TypeError as error:
        raise TypeError(
            f"{name} has no form in JSON, in which it goes with an ONNX model: {error}."
        ) from error


class _Graph:
    """Nodes and constants of a graph in the making. What is added is known by its name.

    The constants of a graph within another one are kept by the `outer` one, where it sees them.
    """

    def __init__(self, name: str, outer: _Graph | None = None) -> None:
        self._name, self._outer = name, outer
        self._nodes: list[Any] = []
        self._constants: list[Any] = [] if outer is None else outer._constants

    def constant(self, value: Any, dtype: Any, name: str | None = None) -> str:
        """Add an array or a number, and return its name."""
        from onnx import numpy_helper

        name = name or f"{self._name}_constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def integers(self, *numbers: int) -> str:
        """Add integers such as axes and shapes, and return their name."""
        return self.constant(numbers, np.int64)

    def add(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node of one output, and return the name of that."""
        name = name or f"{self._name}_{operator.lower()}_{len(self._nodes)}"
        self.add_node(operator, inputs, [name], **attributes)
        return name

    def add_node(
        self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
    ) -> None:
        """Add a node; an output named "" is not wanted."""
        from onnx import helper

        self._nodes.append(helper.make_node(operator, inputs, outputs, outputs[0], **attributes))

    def finish(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> onnx.GraphProto:
        """Return the graph of these inputs and outputs."""
        from onnx import helper

        constants = self._constants if self._outer is None else []
        return helper.make_graph(self._nodes, self._name, inputs, outputs, constants)


def _add_input(graph: _Graph, max_length: int | None, widest: int) -> str:
    """Return int64 ids (n, T') of texts that are truncated and have room for the widest kernel."""
    ids = graph.add("Cast", "ids", to=_INT64)
    if max_length is not None:
        ids = graph.add("Slice", ids, *(graph.integers(number) for number in (0, max_length, 1)))
    # As much padding as the widest kernel, not one less, so that there is always something.
    return _pad(graph, ids, widest)


def _add_network(graph: _Graph, weights: Weights, ids: str) -> str:
    """Return the network's logits (n, k)."""
    table = weights["embedding"].copy()
    table[PADDING] = 0
    rows = graph.add("Gather", graph.constant(table, np.float32, "embedding"), ids)  # (n, T', D)
    rows = graph.add("Transpose", rows, perm=[0, 2, 1])  # (n, D, T')
    is_token = graph.add("Greater", ids, graph.integers(PADDING))
    lengths = graph.add("ReduceSum", graph.add("Cast", is_token, to=_INT64), graph.integers(1))  # (n, 1)
    maxima = [_add_convolution(graph, weights, size, rows, lengths) for size in kernel_sizes_of(weights)]
    x = graph.add("Relu", graph.add("Concat", *maxima, axis=1))
    if "hidden_kernel" in weights:
        x = graph.add("Relu", _add_dense(graph, weights, "hidden", x))
    return _add_dense(graph, weights, "output", x)


def _add_convolution(graph: _Graph, weights: Weights, size: int, rows: str, lengths: str) -> str:
    """Return the largest windows (n, F) of rows (n, D, T'), those that lie in padding left out."""
    name = f"convolution_{size}"
    kernel = weights[f"{name}_kernel"].transpose(2, 1, 0)  # (F, D, w)
    windows = graph.add(  # (n, F, W)
        "Conv",
        rows,
        graph.constant(kernel, np.float32, f"{name}_kernel"),
        graph.constant(weights[f"{name}_bias"], np.float32, f"{name}_bias"),
    )
    n_windows = graph.add("Add", lengths, graph.integers(1 - size))
    n_windows = graph.add("Max", n_windows, graph.integers(1))  # (n, 1)
    width = graph.add("Gather", graph.add("Shape", windows), graph.constant(2, np.int64))
    competes = graph.add("Less", _add_range(graph, width), n_windows)  # (n, W)
    competes = graph.add("Unsqueeze", competes, graph.integers(1))
    windows = graph.add("Where", competes, windows, graph.constant(-np.inf, np.float32))
    return graph.add("ReduceMax", windows, axes=[2], keepdims=0)


def _add_dense(graph: _Graph, weights: Weights, name: str, x: str) -> str:
    names = f"{name}_kernel", f"{name}_bias"
    return graph.add("Gemm", x, *(graph.constant(weights[name], np.float32, name) for name in names))


def _add_linear_part(graph: _Graph, linear: LinearPart, ids: str, logits: str) -> str:
    """Return logits (n, k) with the linear part's margins blended in."""
    columns = _add_columns(graph, linear.ngrams, ids)  # (n, P)
    # A text holds few of the many n-grams, so a matrix of features would be mostly zeros. Instead, a
    # Scan goes from text to text, and picks the rows of the sparse kernel that each needs.
    margins = graph.add("Scan", columns, ids, body=_margins_of_a_text(graph, linear), num_scan_inputs=2)
    margins = graph.add("Add", margins, graph.constant(linear.bias, np.float32, "linear_bias"))
    of_network, of_margins, constant = (graph.constant(row, np.float32) for row in linear.blend)
    logits, margins = graph.add("Mul", logits, of_network), graph.add("Mul", margins, of_margins)
    return graph.add("Add", graph.add("Add", logits, margins), constant)


def _add_decisions(graph: _Graph, rule: DecisionRule) -> None:
    """Add what `DecisionRule.decide` does."""
    n_labels = len(rule.thresholds)
    if not rule.multilabel:
        best = graph.add("ArgMax", "logits", axis=1)
        graph.add("Equal", graph.constant(np.arange(n_labels), np.int64), best, name="decisions")
        return
    scores = graph.add("Cast", "probabilities", to=_DOUBLE)
    thresholds = graph.constant(rule.thresholds, np.float64)
    chosen = graph.add("GreaterOrEqual", scores, thresholds)
    # The labels furthest above their thresholds come first; of equal ones, the earlier.
    n, distance = graph.integers(n_labels), graph.add("Sub", thresholds, scores)
    graph.add_node("TopK", [distance, n], ["distances", "order"], axis=1, largest=0)
    graph.add_node("TopK", ["order", n], ["columns_in_order", "rank"], axis=1, largest=0)
    chosen = graph.add("Or", chosen, graph.add("Less", "rank", graph.integers(rule.min_labels)))
    most = n_labels if rule.max_labels is None else rule.max_labels
    graph.add("And", chosen, graph.add("Less", "rank", graph.integers(most)), name="decisions")


def _add_columns(graph: _Graph, ngrams: Ngrams, ids: str) -> str:
    """Return the columns of the n-grams of tokens that begin at each position, `NONE` for no n-gram."""
    least, most = ngrams.ngram_range
    padded, keys = _pad(graph, ids, most - 1), []
    is_known = graph.add("GreaterOrEqual", padded, graph.integers(FIRST_TOKEN))
    for size in range(least, most + 1):
        key = known = ""
        for offset in range(size):
            # All of them as long as the ids are.
            end = offset - (most - 1) or np.iinfo(np.int64).max
            bounds = [graph.integers(number) for number in (offset, end, 1)]
            token, is_token = graph.add("Slice", padded, *bounds), graph.add("Slice", is_known, *bounds)
            if offset:
                key = graph.add("Mul", key, graph.integers(ngrams.base))
                token, is_token = graph.add("Add", key, token), graph.add("And", known, is_token)
            key, known = token, is_token
        keys.append(graph.add("Where", known, key, graph.integers(NONE)))
    return graph.add(
        "LabelEncoder",
        graph.add("Concat", *keys, axis=1),
        domain="ai.onnx.ml",
        keys_int64s=[NONE, *ngrams.keys.tolist()],
        values_int64s=[NONE, *range(len(ngrams.keys))],
        default_int64=NONE,
    )


def _margins_of_a_text(outer: _Graph, linear: LinearPart) -> onnx.GraphProto:
    """Return the graph from columns (P,) and ids (T',) of a text to its margins (k,), without bias."""
    from onnx import helper

    ngrams, kernel, (n_ngrams, n_labels) = linear.ngrams, linear.kernel, linear.kernel.shape
    graph = _Graph("linear", outer)
    found = graph.add("GreaterOrEqual", "columns", graph.integers(0))
    columns = [graph.add("Compress", "columns", found), graph.integers(n_ngrams)]
    if len(ngrams.characters.ngrams):
        columns.append(_add_char_columns(graph, ngrams, "tokens"))
    # That one n-gram more than there are, which means nothing, spares every step below the case of none.
    idf = graph.constant([*ngrams.idf, 0], np.float32, "linear_idf")
    offsets = np.append(kernel.indptr, kernel.nnz)
    graph.add_node("Unique", [graph.add("Concat", *columns, axis=0)], ["distinct", "", "", "counts"])
    counts = graph.add("Cast", "counts", to=_FLOAT)
    weight = graph.add("Add", graph.add("Log", counts), graph.constant([1], np.float32))
    weight = graph.add("Mul", weight, graph.add("Gather", idf, "distinct"))
    norm = graph.add("Max", graph.add("ReduceL2", weight), graph.constant([1e-30], np.float32))
    weight = graph.add("Div", weight, norm)
    positions, repeat = _add_positions(graph, offsets, "distinct", "linear_kernel")
    # What is picked is spread over a matrix (number of distinct n-grams, k) of zeros.
    labels, values = (
        graph.add("Gather", graph.constant([*numbers, 0], dtype, f"linear_{name}"), positions)
        for name, dtype, numbers in (
            ("labels", np.int64, kernel.indices),
            ("kernel", np.float32, kernel.data),
        )
    )
    n_cells = graph.add("Mul", graph.add("Shape", "distinct"), graph.integers(n_labels))
    begin = graph.add("Range", graph.constant(0, np.int64), n_cells, graph.constant(n_labels, np.int64))
    cells = graph.add("Add", repeat(begin), labels)
    rows = graph.add("Expand", graph.constant([0], np.float32), n_cells)
    rows = graph.add("ScatterElements", rows, cells, values, axis=0)
    rows = graph.add("Reshape", rows, graph.integers(-1, n_labels))
    graph.add("MatMul", weight, rows, name="margins")
    return graph.finish(
        inputs=[helper.make_tensor_value_info(name, _INT64, [None]) for name in ("columns", "tokens")],
        outputs=[helper.make_tensor_value_info("margins", _FLOAT, [n_labels])],
    )


def _add_char_columns(graph: _Graph, ngrams: Ngrams, ids: str) -> str:
    """Return the columns of the n-grams of characters in all tokens of a text."""
    table = ngrams.characters.of_vocabulary
    # A token that holds an n-gram twice has it twice in a row.
    counts = table.data.astype(np.int64)
    columns = len(ngrams.keys) + np.repeat(table.indices.astype(np.int64), counts)
    offsets = np.concatenate([[0], np.cumsum(counts)])[table.indptr]
    positions, _ = _add_positions(graph, offsets, ids, "char_ngrams")
    return graph.add("Gather", graph.constant(columns, np.int64, "char_ngrams"), positions)


def _add_positions(
    graph: _Graph, offsets: np.ndarray, rows: str, name: str
) -> tuple[str, Callable[[str], str]]:
    """Return where the entries of some rows of a sparse matrix lie, one row after the other.

    Those of row ``i`` lie from ``offsets[i]`` to ``offsets[i + 1]``. Also return a function that repeats
    a number of each row once for each of its entries.
    """
    first = graph.add("Gather", graph.constant(offsets[:-1], np.int64, f"{name}_first"), rows)
    length = graph.add("Gather", graph.constant(np.diff(offsets), np.int64, f"{name}_length"), rows)
    within = _add_range(graph, graph.add("ReduceMax", length, keepdims=0))
    is_there = graph.add("Less", within, graph.add("Unsqueeze", length, graph.integers(1)))
    shape = graph.add("Shape", is_there)
    is_there = graph.add("Reshape", is_there, graph.integers(-1))

    def repeat(numbers: str) -> str:
        column = graph.add("Unsqueeze", numbers, graph.integers(1))
        return graph.add("Compress", graph.add("Expand", column, shape), is_there)

    within = graph.add("Compress", graph.add("Expand", within, shape), is_there)
    return graph.add("Add", repeat(first), within), repeat


def _pad(graph: _Graph, ids: str, n: int) -> str:
    """Return ids with n times padding more."""
    return graph.add("Pad", ids, graph.integers(0, 0, 0, n), graph.constant(PADDING, np.int64))


def _add_range(graph: _Graph, stop: str) -> str:
    """Return 0, 1, ..., stop - 1."""
    return graph.add("Range", graph.constant(0, np.int64), stop, graph.constant(1, np.int64))
