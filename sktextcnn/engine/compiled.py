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
from time import perf_counter

import numpy as np

from sktextcnn import jit
from sktextcnn.engine import inference, kernels
from sktextcnn.engine.examples import Examples, Settings, State, batches
from sktextcnn.engine.losses import compute_loss
from sktextcnn.engine.observers import History, Observer, Observers, check_finite
from sktextcnn.engine.weights import Weights, concatenate_kernels, split_kernels
from sktextcnn.text import TokenIds
from sktextcnn.threads import Team, one_blas_thread

#: Name -> number of the optimizer in `kernels.update`, its number of slots, and what they start from.
OPTIMIZERS = {
    "sgd": (kernels.SGD, 0, 0.0),
    "adagrad": (kernels.ADAGRAD, 1, 0.1),
    "adam": (kernels.ADAM, 2, 0.0),
}

#: Distinct tokens per text of the batch, up to which the gradient is dense enough for products.
DENSE_UP_TO = 4

#: Rows of the products that are shared among threads: fixed, since BLAS may round others otherwise.
ROWS_PER_PRODUCT = 512


class _Run:
    """The weights of one run of training, on their way from batch to batch."""

    def __init__(self, state: State, examples: Examples, settings: Settings, team: Team) -> None:
        self.settings, self.team = settings, team
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

    # -- what observers see --------------------------------------------------------------------------

    def weights(self) -> Weights:
        """Return a copy of all weights."""
        return split_kernels(self.arrays, self.settings.kernel_sizes)

    def compute_logits(self, ids: TokenIds) -> np.ndarray:
        """Return the logits of texts from the weights of now."""
        return inference.compute_logits(self.weights(), ids)

    def state(self) -> State:
        """Return a copy of all that is needed to go on later."""
        slots: dict[str, list[np.ndarray]] = {}
        for part in self.slots:
            for name, slot in split_kernels(part, self.settings.kernel_sizes).items():
                slots.setdefault(name, []).append(slot)
        return State(self.weights(), slots, self.step, self.epoch, self.settings.optimizer)

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

    @np.errstate(over="ignore", invalid="ignore")  # a loss that is not finite will show
    def learn(self, rows: np.ndarray, rate: float) -> float:
        """Learn from the texts at `rows`; return the sum of their losses."""
        arrays, rate_of_vectors = self.arrays, self.embedding_dropout
        self.step += 1
        keys = np.random.SeedSequence([self.settings.seed, self.step]).generate_state(3)
        tokens, local, starts = self._gather(rows)
        vectors = np.empty((len(tokens), arrays["embedding"].shape[1]), np.float32)
        kernels.drop(arrays["embedding"], tokens, rate_of_vectors, keys[0], vectors)
        features, winners = self._convolve(vectors, local, starts, keys[1])
        loss, upstream, gradients = self._run_head(features, rows, keys[2])
        upstream *= features > 0  # of what was dropped or not positive, nothing
        upstream /= np.float32(1 - self.dropout)
        gradients["bias"] = upstream.sum(axis=0)
        gradients["kernel"], to_vectors = self._backpropagate(upstream, winners, vectors, local, starts)
        every = np.arange(len(tokens))
        kernels.drop(to_vectors, every, rate_of_vectors, keys[0], to_vectors)
        step_size = np.float32(self._step_size(rate))
        for name, gradient in gradients.items():
            self._update(name, None, gradient, 0, step_size)
        self._update("embedding", tokens, to_vectors, self.n_static, step_size)
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

    def _convolve(
        self, vectors: np.ndarray, local: np.ndarray, starts: np.ndarray, key: np.uint32
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the features (B, widths * F), dropped out, and where their windows start."""
        kernel = self.arrays["kernel"]
        table = np.empty((len(vectors), *kernel.shape[:2]), np.float32)
        slices = kernel.reshape(-1, kernel.shape[2])
        flat = table.reshape(len(vectors), len(slices))

        def multiply(part: slice) -> None:
            _multiply(vectors[part], slices.T, flat[part])

        self.team.map(multiply, _blocks(len(vectors)))
        shape = len(starts) - 1, self.arrays["bias"].size
        features, winners = np.empty(shape, np.float32), np.empty(shape, np.int32)
        rate, bias = self.dropout, self.arrays["bias"]

        def pool(part: tuple[int, int]) -> None:
            kernels.pool(table, local, starts, self.sizes, bias, rate, key, *part, features, winners)

        self.team.share(pool, shape[0])
        return features, winners

    def _run_head(
        self, features: np.ndarray, rows: np.ndarray, key: np.uint32
    ) -> tuple[float, np.ndarray, dict[str, np.ndarray]]:
        """Return the loss, and its gradient with respect to the features and the dense layers."""
        arrays, rate = self.arrays, self.dropout
        inputs, every = features, np.arange(len(rows))
        if "hidden_kernel" in arrays:
            hidden = np.maximum(features @ arrays["hidden_kernel"] + arrays["hidden_bias"], 0)
            inputs = np.empty_like(hidden)
            kernels.drop(hidden, every, rate, key, inputs)
        logits = inputs @ arrays["output_kernel"] + arrays["output_bias"]
        targets = np.zeros_like(logits)
        kernels.densify(self.columns, self.column_starts, rows, targets)
        losses, upstream = compute_loss(self.settings.loss, logits, targets, self.label_weight)
        weight = self.sample_weight[rows]
        upstream *= (weight / np.float32(len(rows)))[:, None]
        gradients = {"output_kernel": inputs.T @ upstream, "output_bias": upstream.sum(axis=0)}
        upstream = upstream @ arrays["output_kernel"].T
        if "hidden_kernel" in arrays:
            upstream *= (inputs > 0) / np.float32(1 - rate)
            gradients |= {"hidden_kernel": features.T @ upstream, "hidden_bias": upstream.sum(axis=0)}
            upstream = upstream @ arrays["hidden_kernel"].T
        return float(losses @ weight), upstream, gradients

    def _backpropagate(
        self,
        upstream: np.ndarray,
        winners: np.ndarray,
        vectors: np.ndarray,
        local: np.ndarray,
        starts: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradients of the kernels (S, F, D) and of the distinct tokens' vectors (U, D)."""
        kernel, where = self.arrays["kernel"], (upstream, local, starts, self.sizes, winners)
        n_slices, n_filters, dim = kernel.shape
        if len(vectors) <= DENSE_UP_TO * len(upstream):
            table = np.zeros((len(vectors), n_slices, n_filters), np.float32)
            self.team.share(lambda part: kernels.scatter(*where, *part, table), n_filters)
            slices = kernel.reshape(-1, dim)
            flat = table.reshape(len(vectors), len(slices))
            products = [(flat.T, vectors), (flat, slices)]
            first, second = self.team.map(lambda factors: _multiply(*factors), products)
            return first.reshape(kernel.shape), second
        to_kernel, to_vectors = np.zeros_like(kernel), np.zeros_like(vectors)
        self.team.share(
            lambda part: kernels.slice_gradient(*where, vectors, *part, to_kernel), n_filters
        )
        self.team.share(lambda part: kernels.vector_gradient(*where, kernel, *part, to_vectors), dim)
        return to_kernel, to_vectors

    def _update(
        self, name: str, rows: np.ndarray | None, gradient: np.ndarray, column: int, rate: np.float32
    ) -> None:
        """Take a step with some rows of an array, or all of them."""
        last = gradient.shape[-1]
        weight = self.arrays[name].reshape(-1, last)
        slots = [slot[name].reshape(-1, last) for slot in self.slots]
        slots += [weight] * (2 - len(slots))  # an optimizer without slots does not look at them
        gradient = gradient.reshape(-1, last)
        every = np.arange(len(weight)) if rows is None else rows

        def update(part: tuple[int, int]) -> None:
            kernels.update(self.optimizer, weight, *slots, every, gradient, column, rate, *part)

        self.team.share(update, len(every))

    def _step_size(self, rate: float) -> float:
        """Return the rate, corrected for Adam's slots, which start from zero."""
        if self.optimizer != kernels.ADAM:
            return rate
        return rate * np.sqrt(1.0 - 0.999**self.step) / (1.0 - 0.9**self.step)


def _own(array: np.ndarray, dtype: type) -> np.ndarray:
    return np.require(array, dtype, ["C", "W"])


def _multiply(first: np.ndarray, second: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # which holds for the calling thread alone
        return np.matmul(first, second, out=out)


def _blocks(n: int) -> list[slice]:
    return [slice(start, start + ROWS_PER_PRODUCT) for start in range(0, n, ROWS_PER_PRODUCT)]


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
            check_finite(loss, settings.learning_rate, run.arrays.values())
            if told.end_epoch(epoch, {"loss": loss, "seconds": perf_counter() - started}, run):
                break
    return run.state(), told.history
