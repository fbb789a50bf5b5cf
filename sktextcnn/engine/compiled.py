"""The compiled engine: trains the standard network in NumPy products and a few compiled loops.

The convolution runs over looked-up embeddings, so it can be taken apart: with E the embeddings and K_j
the slice of a kernel at offset j, the window at t has the value sum_j (E K_j)[token[t + j]]. A step is::

    batch -> distinct tokens (U) -> their vectors, dropped out (U, D)
          -> times all slices (U, S, F) -> largest windows (B, widths * F) -> [hidden] -> logits (B, k)

1. Each distinct token is multiplied once, however often it occurs.
2. The largest window alone gets a gradient. Where it is sparse, it is added up straight from the winning
   windows; where it is not, it is scattered into a table, and two products do the rest.
3. Tokens that do not occur are not updated.
4. Texts are of their own lengths: nothing is padded.

Work is shared among threads in parts that change nothing in the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial, wraps
from itertools import pairwise
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from sktextcnn import jit
from sktextcnn.engine import inference, kernels
from sktextcnn.engine.examples import Examples, Settings, State, batches
from sktextcnn.engine.losses import compute_loss
from sktextcnn.engine.observers import History, Observer, Observers, check_finite
from sktextcnn.engine.weights import Weights, concatenate_kernels, split_kernels
from sktextcnn.text import TokenIds
from sktextcnn.threads import Team, one_blas_thread

T = TypeVar("T")

#: Name -> number of the optimizer in `kernels.update`, its number of slots, and what they start from.
OPTIMIZERS = {
    "sgd": (kernels.SGD, 0, 0.0),
    "adagrad": (kernels.ADAGRAD, 1, 0.1),
    "adam": (kernels.ADAM, 2, 0.0),
}

#: Distinct tokens per text of the batch, up to which the gradient is dense enough for products.
DENSE_UP_TO = 4

#: Filters of a block. A thread takes a block at a time, so there are as many whoever works.
FILTERS_PER_BLOCK = 64

#: Multiplications in a product that are worth a second thread.
WORTH_DIVIDING = 2**25

#: Multiplications of a step's first product from which on a second thread is worth waking at all.
WORTH_A_TEAM = 2**24

#: Numbers in an array of which parts are worth a second thread.
WORTH_SHARING = 2**17


def _quiet(function: Callable[..., T]) -> Callable[..., T]:
    """Keep NumPy from warning, which is set for each thread; a loss that is not finite will show."""

    @wraps(function)
    def quiet(*args: Any, **kwargs: Any) -> T:
        with np.errstate(over="ignore", invalid="ignore"):
            return function(*args, **kwargs)

    return quiet


_matmul = _quiet(np.matmul)
_compute_loss = _quiet(compute_loss)


@dataclass(frozen=True)
class _Block:
    """Some filters of every width: what one thread works on.

    Attributes
    ----------
    first : int
        Number of the first filter.
    kernel : ndarray of shape (S, F, D)
        Their part of the kernels.
    slots : list of ndarray of shape (S, F, D)
    """

    first: int
    kernel: np.ndarray
    slots: list[np.ndarray]


class _Run:
    """The weights of one run of training, on their way from batch to batch."""

    def __init__(self, state: State, examples: Examples, settings: Settings, team: Team) -> None:
        self.settings = settings
        self.team, self.everyone, self.alone = team, team, Team(1)
        self.step, self.epoch = state.step, state.epoch
        # Kernels are compiled for one kind of arguments, so everything is made of that kind.
        self.ids = TokenIds(_own(examples.ids.flat, np.int32), _own(examples.ids.offsets, np.int64))
        self.columns = _own(examples.targets.indices, np.int64)
        self.column_starts = _own(examples.targets.indptr, np.int64)
        self.sample_weight, self.label_weight = examples.sample_weight, examples.label_weight
        self.dropout, self.embedding_dropout = float(settings.dropout), float(settings.embedding_dropout)
        self.sizes = np.array(settings.kernel_sizes, np.int64)
        self.arrays = concatenate_kernels(state.weights, settings.kernel_sizes)
        self.optimizer, n_slots, start = OPTIMIZERS[settings.optimizer]
        if state.slots and state.optimizer == settings.optimizer:
            parts = [{name: slots[i] for name, slots in state.slots.items()} for i in range(n_slots)]
            self.slots = [concatenate_kernels(part, settings.kernel_sizes) for part in parts]
        else:
            self.slots = [
                {name: np.full_like(array, start) for name, array in self.arrays.items()}
                for _ in range(n_slots)
            ]
        n_static = {"trainable": 0.0, "static": 1.0, "multichannel": 0.5}[settings.embedding_mode]
        n_tokens, dim = self.arrays["embedding"].shape
        self.n_static = int(n_static * dim)
        self.stamp, self.place = np.zeros((2, n_tokens), np.int64)
        self.blocks = _divide(*(part.pop("kernel") for part in (self.arrays, *self.slots)))
        self.n_weights = sum(block.kernel.size for block in self.blocks)

    # -- what observers see --------------------------------------------------------------------------

    def weights(self) -> Weights:
        """Return a copy of all weights."""
        return self._split(self.arrays, [block.kernel for block in self.blocks])

    def compute_logits(self, ids: TokenIds) -> np.ndarray:
        """Return the logits of texts from the weights of now."""
        return inference.Network(self.weights(), self.everyone).compute_logits(ids)

    def state(self) -> State:
        """Return a copy of all that is needed to go on later."""
        slots: dict[str, list[np.ndarray]] = {}
        for i, part in enumerate(self.slots):
            split = self._split(part, [block.slots[i] for block in self.blocks])
            for name, slot in split.items():
                slots.setdefault(name, []).append(slot)
        return State(self.weights(), slots, self.step, self.epoch, self.settings.optimizer)

    def _split(self, arrays: Weights, kernels: list[np.ndarray]) -> Weights:
        kernel = np.concatenate(kernels, axis=1)
        return split_kernels({**arrays, "kernel": kernel}, self.settings.kernel_sizes)

    # -- an epoch ------------------------------------------------------------------------------------

    def run_epoch(self, rate_at: Callable[[float], float], end_batch: Callable[[int], None]) -> float:
        """Learn from all texts once, at a rate for each share of the epoch; return their mean loss."""
        lengths, settings = self.ids.lengths, self.settings
        n_batches = -(-len(lengths) // settings.batch_size)
        total = 0.0
        for i, rows in enumerate(batches(lengths, settings.batch_size, settings.seed, self.epoch)):
            total += self.learn(rows, rate_at(i / n_batches))
            end_batch(len(rows))
        self.epoch += 1
        return total / len(lengths)

    @_quiet
    def learn(self, rows: np.ndarray, rate: float) -> float:
        """Learn from the texts at `rows`; return the sum of their losses."""
        embedding, drop_rate = self.arrays["embedding"], self.embedding_dropout
        self.step += 1
        step_size = np.float32(self._step_size(rate))
        keys = np.random.SeedSequence([self.settings.seed, self.step]).generate_state(3)
        tokens, local, starts = self._gather(rows)
        self.team = self.everyone if len(tokens) * self.n_weights >= WORTH_A_TEAM else self.alone

        vectors = np.empty((len(tokens), embedding.shape[1]), np.float32)
        kernels.drop(embedding, tokens, drop_rate, keys[0], 0, vectors)
        shape = len(rows), self.arrays["bias"].size
        features, winners = np.empty(shape, np.float32), np.empty(shape, np.int32)
        batch = vectors, local, starts
        self.team.run(
            partial(self._convolve, block, *batch, keys[1], features, winners) for block in self.blocks
        )
        loss, upstream, gradients = self._run_head(features, rows, keys[2])
        upstream *= features > 0  # of what was dropped or not positive, nothing
        upstream /= np.float32(1 - self.dropout)
        gradients["bias"] = upstream.sum(axis=0)
        to_vectors = self.team.run(
            partial(self._backpropagate, block, *batch, upstream, winners, step_size)
            for block in self.blocks
        )
        tasks: list[Callable[[], None]] = [
            partial(self._update_vectors, tokens, to_vectors, keys[0], step_size, part)
            for part in self._parts(vectors)
        ]
        for name, gradient in gradients.items():
            tasks += self._updates(name, gradient, step_size)
        (self.team if vectors.size >= WORTH_SHARING else self.alone).run(tasks)
        return loss

    def _gather(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the batch's distinct tokens, and its texts in their terms, end to end."""
        ids = self.ids
        n = int(ids.lengths[rows].sum())
        local, tokens = np.empty((2, n), np.int64)
        starts = np.empty(len(rows) + 1, np.int64)
        n_distinct = kernels.gather(
            ids.flat, ids.offsets, rows, self.stamp, self.place, self.step, local, starts, tokens
        )
        return tokens[:n_distinct], local, starts

    @_quiet
    def _convolve(
        self,
        block: _Block,
        vectors: np.ndarray,
        local: np.ndarray,
        starts: np.ndarray,
        key: np.uint32,
        features: np.ndarray,
        winners: np.ndarray,
    ) -> None:
        """Fill in a block's features (B, widths * F), dropped out, and where their windows start."""
        n_slices, n_filters, dim = block.kernel.shape
        table = np.matmul(vectors, block.kernel.reshape(-1, dim).T)
        table = table.reshape(len(vectors), n_slices, n_filters)
        given = self.sizes, self.arrays["bias"], self.dropout, key, block.first
        kernels.pool(table, local, starts, *given, features, winners)

    def _run_head(
        self, features: np.ndarray, rows: np.ndarray, key: np.uint32
    ) -> tuple[float, np.ndarray, dict[str, np.ndarray]]:
        """Return the loss, and its gradients: of the features, and of the dense layers' weights."""
        arrays, rate = self.arrays, self.dropout
        inputs, every = features, np.arange(len(rows))
        if "hidden_kernel" in arrays:
            hidden = self._multiply(features, arrays["hidden_kernel"]) + arrays["hidden_bias"]
            hidden = np.maximum(hidden, 0)
            inputs = np.empty_like(hidden)
            kernels.drop(hidden, every, rate, key, 0, inputs)
        logits = self._multiply(inputs, arrays["output_kernel"]) + arrays["output_bias"]
        targets = np.zeros_like(logits)
        kernels.densify(self.columns, self.column_starts, rows, targets)
        losses, upstream = self._compute_loss(logits, targets)
        weight = self.sample_weight[rows]
        upstream *= (weight / np.float32(len(rows)))[:, None]
        gradients = {
            "output_kernel": self._multiply(inputs.T, upstream),
            "output_bias": upstream.sum(axis=0),
        }
        upstream = self._multiply(upstream, arrays["output_kernel"].T)
        if "hidden_kernel" in arrays:
            upstream *= (inputs > 0) / np.float32(1 - rate)
            gradients["hidden_kernel"] = self._multiply(features.T, upstream)
            gradients["hidden_bias"] = upstream.sum(axis=0)
            upstream = self._multiply(upstream, arrays["hidden_kernel"].T)
        return float(losses @ weight), upstream, gradients

    def _compute_loss(self, logits: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss of each text and the gradient of the logits, a thread's texts at a time."""
        loss, weight = self.settings.loss, self.label_weight
        found = self.team.run(
            partial(_compute_loss, loss, logits[low:high], targets[low:high], weight)
            for low, high in self._parts(logits)
        )
        losses, gradients = zip(*found, strict=True)
        return np.concatenate(losses), np.concatenate(gradients)

    def _multiply(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return a product, its columns divided by its size alone: BLAS may round others otherwise."""
        n = first.shape[0] * second.size
        n_blocks = 1 if n < 2 * WORTH_DIVIDING else 2 if n < 4 * WORTH_DIVIDING else 4
        out = np.empty((first.shape[0], second.shape[1]), np.float32)
        ends = [second.shape[1] * i // n_blocks for i in range(n_blocks + 1)]
        blocks = [slice(*ends[i : i + 2]) for i in range(n_blocks)]
        self.team.run(partial(_matmul, first, second[:, part], out=out[:, part]) for part in blocks)
        return out

    @_quiet
    def _backpropagate(
        self,
        block: _Block,
        vectors: np.ndarray,
        local: np.ndarray,
        starts: np.ndarray,
        upstream: np.ndarray,
        winners: np.ndarray,
        step_size: np.float32,
    ) -> np.ndarray:
        """Let a block's kernels take a step; return what it adds to the gradient of `vectors` (U, D)."""
        kernel, where = block.kernel, (upstream, local, starts, self.sizes, winners, block.first)
        n_slices, n_filters, dim = kernel.shape
        if len(vectors) <= DENSE_UP_TO * len(upstream):
            table = np.zeros((len(vectors), n_slices, n_filters), np.float32)
            kernels.scatter(*where, table)
            flat = table.reshape(len(vectors), n_slices * n_filters)
            to_kernel, to_vectors = flat.T @ vectors, flat @ kernel.reshape(-1, dim)
        else:
            to_kernel, to_vectors = np.zeros_like(kernel), np.zeros_like(vectors)
            kernels.spread(*where, vectors, kernel, to_kernel, to_vectors)
        arrays = [array.reshape(-1, dim) for array in (kernel, *block.slots)]
        rows, gradient = np.arange(len(arrays[0])), to_kernel.reshape(-1, dim)
        self._update(arrays, rows, gradient, 0, step_size)
        return to_vectors

    def _update_vectors(
        self,
        tokens: np.ndarray,
        gradients: list[np.ndarray],
        key: np.uint32,
        step_size: np.float32,
        part: tuple[int, int],
    ) -> None:
        """Let the vectors of a part of the distinct tokens take a step."""
        low, high = part
        first, *others = gradients
        summed = first[low:high]
        for other in others:  # in the order of the blocks, whichever was ready first
            summed = summed + other[low:high]
        rows, gradient = np.arange(high - low), np.empty_like(summed)
        kernels.drop(summed, rows, self.embedding_dropout, key, low, gradient)
        arrays = [arrays["embedding"] for arrays in (self.arrays, *self.slots)]
        self._update(arrays, tokens[low:high], gradient, self.n_static, step_size)

    def _updates(
        self, name: str, gradient: np.ndarray, step_size: np.float32
    ) -> list[Callable[[], None]]:
        """Return the tasks that let an array take a step."""
        gradient = gradient.reshape(-1, gradient.shape[-1])
        arrays = [part[name].reshape(gradient.shape) for part in (self.arrays, *self.slots)]
        return [
            partial(self._update, arrays, np.arange(*part), gradient[slice(*part)], 0, step_size)
            for part in self._parts(gradient)
        ]

    def _update(
        self,
        arrays: list[np.ndarray],
        rows: np.ndarray,
        gradient: np.ndarray,
        column: int,
        step_size: np.float32,
    ) -> None:
        arrays = arrays + arrays[:1] * (3 - len(arrays))  # slots that the optimizer does not look at
        kernels.update(self.optimizer, *arrays, rows, gradient, column, step_size)

    def _parts(self, array: np.ndarray) -> list[tuple[int, int]]:
        """Return the parts of an array's rows that are worth a thread each."""
        return self.team.parts(len(array)) if array.size >= WORTH_SHARING else [(0, len(array))]

    def _step_size(self, rate: float) -> float:
        """Return the rate, corrected for Adam's slots, which start from zero."""
        if self.optimizer != kernels.ADAM:
            return rate
        return rate * np.sqrt(1.0 - 0.999**self.step) / (1.0 - 0.9**self.step)


def _own(array: np.ndarray, dtype: type) -> np.ndarray:
    return np.require(array, dtype, ["C", "W"])


def _divide(kernel: np.ndarray, *slots: np.ndarray) -> list[_Block]:
    """Return blocks of filters, each with its own arrays."""
    n_filters = kernel.shape[1]
    n_blocks = -(-n_filters // FILTERS_PER_BLOCK)
    ends = [n_filters * i // n_blocks for i in range(n_blocks + 1)]
    parts = [slice(low, high) for low, high in pairwise(ends)]
    own = np.ascontiguousarray
    return [_Block(p.start, own(kernel[:, p]), [own(slot[:, p]) for slot in slots]) for p in parts]


def train(
    state: State,
    examples: Examples,
    settings: Settings,
    *,
    observers: Iterable[Observer] = (),
    n_threads: int | None = None,
) -> tuple[State, History]:
    """Train for up to ``settings.epochs`` epochs.

    Parameters
    ----------
    state : State
        Where to start; it is not changed.
    examples : Examples
    settings : Settings
    observers : iterable of Observer, default=()
        Told of every epoch; one of them may stop training.
    n_threads : int or None, default=None
        Threads that share the work; None: as many as there are cores to use. The result is the same.

    Returns
    -------
    state : State
    history : dict of str to list of float
        ``loss``, ``seconds`` and what observers added, one value per epoch.

    Raises
    ------
    ValueError
        If the loss or a weight is no longer finite.
    RuntimeError
        If the compiled kernels cannot be loaded.
    """
    jit.prepare(kernels.examples_of_calls())
    told = Observers(observers)
    with one_blas_thread() as granted, Team(n_threads or granted) as team:
        run = _Run(state, examples, settings, team)
        for epoch in range(settings.epochs):
            told.begin_epoch(epoch)
            started = perf_counter()

            def rate_at(share: float, epoch: int = epoch) -> float:
                left = 1.0 - (epoch + share) / settings.epochs
                return settings.learning_rate * (left if settings.decays else 1.0)

            loss = run.run_epoch(rate_at, told.end_batch)
            kernels_of_blocks = (block.kernel for block in run.blocks)
            check_finite(loss, settings.learning_rate, [*run.arrays.values(), *kernels_of_blocks])
            if told.end_epoch(epoch, {"loss": loss, "seconds": perf_counter() - started}, run):
                break
    return run.state(), told.history
