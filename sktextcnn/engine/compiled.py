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

5. With `negative_samples`, k is not the number of all labels but of those that the batch's texts carry,
   and of some others that stand for the rest. Labels are then rows of the output kernel, so that what a
   step reads and changes lies together, as with tokens.

Work is shared among threads in parts that change nothing in the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from sktextcnn import jit
from sktextcnn.engine import inference, kernels
from sktextcnn.engine.examples import Examples, Settings, State, batches, draw_negatives
from sktextcnn.engine.losses import compute_loss
from sktextcnn.engine.observers import History, Observer, Observers, check_finite
from sktextcnn.engine.weights import concatenate_kernels, grow_slot, split_kernels
from sktextcnn.text.tokens import TokenIds
from sktextcnn.threads import Team, divide, one_blas_thread

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

#: Logits whose losses are computed together: what is made of them stays in the processor's cache.
LOGITS_TOGETHER = 2**15

#: Of `numpy.errstate`: what is not finite is found at the end of an epoch, without warnings.
QUIET: dict[str, Any] = {"over": "ignore", "invalid": "ignore"}


class _Block(NamedTuple):
    """Some filters of every width: what one thread works on.

    Attributes
    ----------
    first : int
        Number of the first filter.
    arrays : tuple of three ndarray of shape (S, F, D)
        Their part of the kernels, and of what the optimizer remembers.
    """

    first: int
    arrays: tuple[np.ndarray, ...]


class _Batch(NamedTuple):
    """What a step works with.

    Attributes
    ----------
    vectors : ndarray of shape (U, D)
        Those of the distinct tokens, dropped out.
    windows : tuple of three ndarray
        See `sktextcnn.engine.kernels`.
    features : ndarray of shape (B, widths * F)
        The largest windows, dropped out.
    winners : ndarray of shape (B, widths * F)
        Where they start.
    """

    vectors: np.ndarray
    windows: tuple[np.ndarray, np.ndarray, np.ndarray]
    features: np.ndarray
    winners: np.ndarray


class _Run:
    """The weights of one run of training, on their way from batch to batch."""

    def __init__(self, state: State, examples: Examples, settings: Settings, team: Team) -> None:
        self.settings = settings
        self.team, self.everyone, self.alone = team, team, Team(1)
        self.step, self.epoch = state.step, state.epoch
        # Kernels are compiled for one kind of arguments, so everything is made of that kind.
        self.ids = TokenIds(_own(examples.ids.flat, np.int32), _own(examples.ids.offsets, np.int64))
        targets = examples.targets
        self.targets = _own(targets.indices, np.int32), _own(targets.indptr, np.int64)
        self.soft_targets = examples.soft_targets
        self.sample_weight, self.label_weight = examples.sample_weight, examples.label_weight
        self.dropout, self.embedding_dropout = float(settings.dropout), float(settings.embedding_dropout)
        self.sizes = np.array(settings.kernel_sizes, np.int64)
        self.optimizer, self.n_slots, start = OPTIMIZERS[settings.optimizer]
        slots = state.slots if state.optimizer == settings.optimizer else {}
        parts = [state.weights] + [
            {
                name: grow_slot(slots[name][i], fresh) if slots else fresh
                for name, w in state.weights.items()
                for fresh in [np.full_like(w, start)]
            }
            for i in range(self.n_slots)
        ]
        parts = [concatenate_kernels(part, settings.kernel_sizes) for part in parts]
        parts += parts[:1] * (3 - len(parts))  # slots that the optimizer does not look at
        self.arrays = {name: tuple(part[name] for part in parts) for name in parts[0]}
        if settings.negative_samples is not None:
            transposed = tuple(np.ascontiguousarray(a.T) for a in self.arrays["output_kernel"])
            self.arrays["output_kernel"] = transposed
        kernel = self.arrays.pop("kernel")
        self.n_weights, n_filters = kernel[0].size, kernel[0].shape[1]
        self.blocks = [
            _Block(f.start, tuple(np.ascontiguousarray(array[:, f]) for array in kernel))
            for f in divide(n_filters, -(-n_filters // FILTERS_PER_BLOCK))
        ]
        n_tokens, dim = self.arrays["embedding"][0].shape
        n_static = {"trainable": 0.0, "static": 1.0, "multichannel": 0.5}[settings.embedding_mode]
        self.n_static = int(n_static * dim)
        self.position = np.full(n_tokens, -1)
        self.label_position = np.full(self.label_weight.shape[1], -1)

    # -- what observers see --------------------------------------------------------------------------

    def part(self, number: int) -> dict[str, np.ndarray]:
        """Return a copy of all weights (0), or of what the optimizer remembers of them (1, 2)."""
        kernel = np.concatenate([block.arrays[number] for block in self.blocks], axis=1)
        arrays = {name: arrays[number] for name, arrays in self.arrays.items()}
        if self.settings.negative_samples is not None:
            arrays["output_kernel"] = arrays["output_kernel"].T
        return split_kernels({**arrays, "kernel": kernel}, self.settings.kernel_sizes)

    def open_network(self) -> Callable[[TokenIds], np.ndarray]:
        """Return the network of now, from texts to logits."""
        return inference.Network(self.part(0), self.everyone).compute_logits

    def state(self) -> State:
        """Return a copy of all that is needed to go on later."""
        weights, slots = self.part(0), [self.part(i + 1) for i in range(self.n_slots)]
        by_name = {name: [slot[name] for slot in slots] for name in weights} if slots else {}
        return State(weights, by_name, self.step, self.epoch, self.settings.optimizer)

    # -- an epoch ------------------------------------------------------------------------------------

    def run_epoch(self, rate_at: Callable[[float], float], end_batch: Callable[[int], None]) -> float:
        """Learn from all texts once, at a rate for each share of the epoch; return their mean loss."""
        lengths, settings = self.ids.lengths, self.settings
        n_batches = -(-len(lengths) // settings.batch_size)
        total = 0.0
        for i, rows in enumerate(batches(lengths, settings.batch_size, settings.seed, self.epoch)):
            with np.errstate(**QUIET):
                total += self.learn(rows, rate_at(i / n_batches))
            end_batch(len(rows))
        self.epoch += 1
        return total / len(lengths)

    def learn(self, rows: np.ndarray, rate: float) -> float:
        """Learn from the texts at `rows`; return the sum of their losses."""
        self.step += 1
        self.rate = np.float32(self._corrected(rate))
        self.keys = np.random.SeedSequence([self.settings.seed, self.step]).generate_state(3)
        tokens, *texts = kernels.gather(self.ids.flat, self.ids.offsets, rows, self.position)
        self.team = self.everyone if len(tokens) * self.n_weights >= WORTH_A_TEAM else self.alone

        embedding, shape = self.arrays["embedding"][0], (len(rows), self.arrays["bias"][0].size)
        vectors = np.empty((len(tokens), embedding.shape[1]), np.float32)
        kernels.drop(embedding, tokens, self.embedding_dropout, self.keys[0], 0, vectors)
        features, winners = np.empty(shape, np.float32), np.empty(shape, np.int32)
        batch = _Batch(vectors, (*texts, self.sizes), features, winners)
        self.team.map(partial(self._convolve, batch), self.blocks)
        loss, upstream, updates = self._run_head(features, rows)
        upstream *= features > 0  # of what was dropped or not positive, nothing
        upstream /= np.float32(1 - self.dropout)
        updates += self._updates(self.arrays["bias"], upstream.sum(axis=0))
        to_vectors = self.team.map(partial(self._backpropagate, batch, upstream), self.blocks)
        tasks: list[Callable[[], None]] = [
            partial(self._update_vectors, tokens, to_vectors, part) for part in self._parts(vectors)
        ]
        (self.team if vectors.size >= WORTH_SHARING else self.alone).run(tasks + updates)
        return loss

    def _convolve(self, batch: _Batch, block: _Block) -> None:
        """Fill in a block's features (B, widths * F), dropped out, and where their windows start."""
        n_slices, n_filters, dim = block.arrays[0].shape
        table = np.matmul(batch.vectors, block.arrays[0].reshape(-1, dim).T)
        table = table.reshape(-1, n_slices, n_filters)
        bias, out = self.arrays["bias"][0], (batch.features, batch.winners)
        kernels.pool(table, batch.windows, bias, *out, block.first, self.dropout, self.keys[1])

    def _run_head(
        self, features: np.ndarray, rows: np.ndarray
    ) -> tuple[float, np.ndarray, list[Callable[[], None]]]:
        """Return the loss, its gradient of the features, and what lets the dense layers take a step."""
        run_output = self._run_output if self.settings.negative_samples is None else self._run_sampled
        if "hidden_kernel" not in self.arrays:
            return run_output(features, rows)
        kernel, bias = self.arrays["hidden_kernel"], self.arrays["hidden_bias"]
        hidden = np.maximum(self._multiply(features, kernel[0]) + bias[0], 0)
        inputs = np.empty_like(hidden)
        kernels.drop(hidden, np.arange(len(rows)), self.dropout, self.keys[2], 0, inputs)
        loss, upstream, updates = run_output(inputs, rows)
        upstream *= (inputs > 0) / np.float32(1 - self.dropout)
        updates += self._updates(kernel, self._multiply(features.T, upstream))
        updates += self._updates(bias, upstream.sum(axis=0))
        return loss, self._multiply(upstream, kernel[0].T), updates

    def _run_output(
        self, inputs: np.ndarray, rows: np.ndarray
    ) -> tuple[float, np.ndarray, list[Callable[[], None]]]:
        """Return what `_run_head` does, of the output layer and all labels."""
        kernel, bias = self.arrays["output_kernel"], self.arrays["output_bias"]
        logits = self._multiply(inputs, kernel[0]) + bias[0]
        carried, local, starts = self._gather_labels(rows)
        loss, upstream = self._compute_loss(
            logits, carried[local], starts, rows, slice(None), self.label_weight
        )
        updates = self._updates(kernel, self._multiply(inputs.T, upstream))
        updates += self._updates(bias, upstream.sum(axis=0))
        return loss, self._multiply(upstream, kernel[0].T), updates

    def _run_sampled(
        self, inputs: np.ndarray, rows: np.ndarray
    ) -> tuple[float, np.ndarray, list[Callable[[], None]]]:
        """Return the same of the labels that some text of the batch carries, and of a sample of others.

        Each label drawn stands for several: so many times it counts in the sum over labels or, where
        labels exclude each other, in the sum below the softmax. An expected gradient is then that of all
        labels, or, with the softmax, close to it: Bengio and Senécal (2008),
        https://doi.org/10.1109/TNN.2007.912312.
        """
        kernel, bias = self.arrays["output_kernel"], self.arrays["output_bias"]
        carried, local, starts = self._gather_labels(rows)
        drawn, times = draw_negatives(carried, self.settings, bias[0].size, self.epoch, self.step)
        labels = np.concatenate([carried, drawn])
        own_kernel, weight = kernel[0][labels], self.label_weight[:, labels]
        logits = self._multiply(inputs, own_kernel.T) + bias[0][labels]
        if self.settings.exclusive:
            logits[:, len(carried) :] += np.log(times)
        else:
            weight[:, len(carried) :] *= times
        loss, upstream = self._compute_loss(logits, local, starts, rows, labels, weight)
        updates = self._updates(kernel, self._multiply(upstream.T, inputs), labels)
        updates += self._updates(bias, upstream.sum(axis=0)[:, None], labels)
        return loss, self._multiply(upstream, own_kernel), updates

    def _gather_labels(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the labels that texts carry, each text's as positions among them, and its first one."""
        return kernels.gather(*self.targets, rows, self.label_position)

    def _compute_loss(
        self,
        logits: np.ndarray,
        columns: np.ndarray,
        starts: np.ndarray,
        rows: np.ndarray,
        labels: np.ndarray | slice,
        label_weight: np.ndarray,
    ) -> tuple[float, np.ndarray]:
        """Return the sum of the losses of texts, whose labels are in `columns`, and what comes back.

        That is the gradient of the logits, those of `labels`; of the mean loss, unlike the first.
        """
        targets, upstream = np.zeros_like(logits), np.empty_like(logits)
        if self.soft_targets is None:
            kernels.densify(columns, starts, np.arange(len(rows)), targets)
        else:
            targets[:] = self.soft_targets[rows][:, labels]
        losses, weight = np.empty(len(rows), np.float32), self.sample_weight[rows]

        def work(part: slice) -> None:
            for low in range(part.start, part.stop, step):
                few = slice(low, min(low + step, part.stop))
                losses[few], upstream[few] = compute_loss(
                    self.settings.loss, logits[few], targets[few], label_weight
                )

        step = max(LOGITS_TOGETHER // logits.shape[1], 1)
        self.team.map(work, self._parts(logits))
        upstream *= (weight / np.float32(len(rows)))[:, None]
        return float(losses @ weight), upstream

    def _multiply(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return a product, its columns divided by its size alone: BLAS may round others otherwise."""
        n = first.shape[0] * second.size
        n_blocks = 1 if n < 2 * WORTH_DIVIDING else 2 if n < 4 * WORTH_DIVIDING else 4
        out = np.empty((first.shape[0], second.shape[1]), np.float32)
        self.team.run(
            partial(np.matmul, first, second[:, columns], out=out[:, columns])
            for columns in divide(second.shape[1], n_blocks)
        )
        return out

    def _backpropagate(self, batch: _Batch, upstream: np.ndarray, block: _Block) -> np.ndarray:
        """Let a block's kernels take a step; return what it adds to the gradient of `vectors` (U, D)."""
        vectors, kernel = batch.vectors, block.arrays[0]
        where = upstream, batch.windows, batch.winners, block.first
        n_slices, n_filters, dim = kernel.shape
        if len(vectors) <= DENSE_UP_TO * len(upstream):
            table = np.zeros((len(vectors), n_slices, n_filters), np.float32)
            kernels.scatter(*where, table)
            flat = table.reshape(len(vectors), n_slices * n_filters)
            to_kernel, to_vectors = flat.T @ vectors, flat @ kernel.reshape(-1, dim)
        else:
            to_kernel, to_vectors = np.zeros_like(kernel), np.zeros_like(vectors)
            kernels.spread(*where, vectors, kernel, to_kernel, to_vectors)
        for update in self._updates(block.arrays, to_kernel, parts=[slice(None)]):
            update()
        return to_vectors

    def _update_vectors(self, tokens: np.ndarray, gradients: list[np.ndarray], part: slice) -> None:
        """Let the vectors of a part of the distinct tokens take a step."""
        first, *others = (gradient[part] for gradient in gradients)
        summed = sum(others, start=first)  # in the order of the blocks, whichever was ready first
        rows, gradient = np.arange(len(summed)), np.empty_like(summed)
        kernels.drop(summed, rows, self.embedding_dropout, self.keys[0], part.start, gradient)
        arrays = self.arrays["embedding"]
        kernels.update(self.optimizer, arrays, tokens[part], gradient, self.n_static, self.rate)

    def _updates(
        self,
        arrays: tuple[np.ndarray, ...],
        gradient: np.ndarray,
        rows: np.ndarray | None = None,
        parts: list[slice] | None = None,
    ) -> list[Callable[[], None]]:
        """Return the tasks that let rows of an array, or all, take a step: parts worth a thread each."""
        gradient = gradient.reshape(-1, gradient.shape[-1])
        arrays = tuple(array.reshape(-1, gradient.shape[1]) for array in arrays)
        rows = np.arange(len(gradient)) if rows is None else rows
        parts = parts or self._parts(gradient)
        return [
            partial(kernels.update, self.optimizer, arrays, rows[p], gradient[p], 0, self.rate)
            for p in parts
        ]

    def _parts(self, array: np.ndarray) -> list[slice]:
        """Return the parts of an array's rows that are worth a thread each."""
        return divide(len(array), self.team.n_threads if array.size >= WORTH_SHARING else 1)

    def _corrected(self, rate: float) -> float:
        """Return the rate, corrected for Adam's slots, which start from zero."""
        if self.optimizer != kernels.ADAM:
            return rate
        return rate * np.sqrt(1.0 - 0.999**self.step) / (1.0 - 0.9**self.step)


def _own(array: np.ndarray, dtype: type) -> np.ndarray:
    return np.require(array, dtype, ["C", "W"])


def train(
    state: State,
    examples: Examples,
    settings: Settings,
    *,
    observers: Iterable[Observer] = (),
    history: History | None = None,
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
    history : dict of str to list of float or None, default=None
        Of the epochs of this run that led to `state`, if it was interrupted and goes on from there.
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
    jit.prepare(kernels.examples_of_calls().items())
    told = Observers(observers, history)
    with one_blas_thread() as granted, Team(n_threads or granted, **QUIET) as team:
        run = _Run(state, examples, settings, team)
        for epoch in range(told.n_epochs, settings.epochs):
            told.begin_epoch(epoch)
            started = perf_counter()

            def rate_at(share: float, epoch: int = epoch) -> float:
                left = 1.0 - (epoch + share) / settings.epochs
                return settings.learning_rate * (left if settings.decays else 1.0)

            loss = run.run_epoch(rate_at, told.end_batch)
            weights = [*run.arrays.values(), *(block.arrays for block in run.blocks)]
            check_finite(loss, settings.learning_rate, (arrays[0] for arrays in weights))
            if told.end_epoch(epoch, {"loss": loss, "seconds": perf_counter() - started}, run):
                break
    return run.state(), told.history
