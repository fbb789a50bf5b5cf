"""From examples to a model: held-out texts, networks, the linear part, their blend, thresholds, refit.

Some texts are held out: one part of them once, or every part in turn. The network learns from the
others until its decisions on the held-out ones get no better; the linear part is fitted beside it. The
weights of their blend, and the thresholds, come from what both say of texts that they have not learned
from. Then the linear part is refitted to all texts, and so is the network, if texts were held out in
turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from scipy import sparse

from sktextcnn.callbacks import Progress
from sktextcnn.checkpoints import Checkpoint, EpochSaver, UnfinishedNetwork, pack_state, unpack_state
from sktextcnn.decision.evaluator import Evaluator
from sktextcnn.decision.held_out import in_parts, row_parts
from sktextcnn.engine.engines import Engine, open_network
from sktextcnn.engine.examples import Examples, Settings, State
from sktextcnn.engine.observers import EarlyStopping, EpochLimit, History, Observer, ValidationScore
from sktextcnn.linear.features import learn_ngrams, ngram_features
from sktextcnn.linear.part import LinearPart, blend_logits, multiply
from sktextcnn.linear.training import fit_blend, fit_linear, sample_texts
from sktextcnn.text.tokens import TokenIds
from sktextcnn.threads import Jobs, Team, limit_jobs, one_blas_thread


@dataclass(frozen=True)
class LinearSettings:
    """How to fit the linear part.

    Attributes
    ----------
    ngram_range : tuple of (int, int)
        Fewest and most tokens of an n-gram.
    char_ngram_range : tuple of (int, int) or None
        Fewest and most characters of an n-gram within a token, if there are to be any.
    C : float
        Inverse of the regularization strength.
    rows : ndarray or None, default=None
        The texts that it learns from, if not from all of them.
    """

    ngram_range: tuple[int, int]
    char_ngram_range: tuple[int, int] | None
    C: float
    rows: np.ndarray | None = None


@dataclass(frozen=True)
class Plan:
    """What happens to which texts.

    Attributes
    ----------
    folds : list of (train, held_out)
        Rows to learn from and rows to hold out, for each time that texts are held out.
    n_iter_no_change : int or None
        Epochs to wait for an improvement on held-out texts; None to train for all epochs.
    linear : LinearSettings or None
        Of the linear part, if there is to be one.
    goes_on : bool, default=False
        Whether another fit may go on from the final network, and needs what its optimizer remembers.
    """

    folds: list[tuple[np.ndarray, np.ndarray]]
    n_iter_no_change: int | None
    linear: LinearSettings | None
    goes_on: bool = False

    @property
    def refits(self) -> bool:
        """Whether the network is refitted, to all texts."""
        return len(self.folds) != 1

    @property
    def n_networks(self) -> int:
        """How many networks are trained."""
        return len(self.folds) + self.refits

    @property
    def held_out(self) -> np.ndarray:
        """The rows that are held out, fold after fold."""
        return np.concatenate([rows for _, rows in self.folds] or [np.zeros(0, np.int64)])

    def held_out_parts(self, positions: np.ndarray) -> list[np.ndarray]:
        """Return the rows at ascending positions in `held_out`, a part for each fold."""
        ends = np.cumsum([len(rows) for _, rows in self.folds])
        parts = np.split(self.held_out[positions], np.searchsorted(positions, ends[:-1]))
        return parts[: len(self.folds)]


@dataclass(frozen=True)
class Fitted:
    """What came of it.

    Attributes
    ----------
    state : State
        Of the final network.
    linear_part : LinearPart or None
    thresholds : ndarray of shape (k,)
    history : dict of str to list of float
        Of the first network, whose epochs were validated if any were.
    score : float
        Of the decisions on held-out texts, network and linear part together; NaN if there are none.
    label_scores : ndarray of shape (k,)
        F1 of each label there, NaN where no held-out text carries it.
    """

    state: State
    linear_part: LinearPart | None
    thresholds: np.ndarray
    history: History
    score: float
    label_scores: np.ndarray

    def pack(self, start: State) -> dict[str, Any]:
        """Return plain values; `start` is where all networks started."""
        linear_part = None if self.linear_part is None else self.linear_part.to_arrays()
        return {**vars(self), "state": pack_state(self.state, start), "linear_part": linear_part}

    @classmethod
    def unpack(cls, values: Mapping[str, Any], start: State) -> Fitted:
        """Undo `pack`."""
        arrays = values["linear_part"]
        linear_part = None if arrays is None else LinearPart.from_arrays(arrays)
        state = unpack_state(values["state"], start)
        return cls(**{**values, "state": state, "linear_part": linear_part})


@dataclass(frozen=True)
class _TrainedNetwork:
    """A network that has learned.

    Attributes
    ----------
    state : State
    history : dict of str to list of float
    """

    state: State
    history: History

    def pack(self, start: State) -> dict[str, Any]:
        """Return plain values; `start` is where all networks started."""
        return {**vars(self), "state": pack_state(self.state, start)}

    @classmethod
    def unpack(cls, values: Mapping[str, Any], start: State) -> _TrainedNetwork:
        """Undo `pack`."""
        return cls(**{**values, "state": unpack_state(values["state"], start)})


def learn(
    start: State,
    examples: Examples,
    settings: Settings,
    *,
    tokens: TokenIds,
    vocabulary: Sequence[str],
    plan: Plan,
    evaluator: Evaluator,
    engine: Engine,
    observers: Sequence[Observer] = (),
    progress: Progress,
    checkpoint: Checkpoint,
    n_jobs: int = 1,
) -> Fitted:
    """Cross-fit network and linear part, blend them, tune thresholds, and refit to all texts.

    Parameters
    ----------
    start : State
        Where every network starts; it is not changed.
    examples : Examples of n texts
    settings : Settings
    tokens : TokenIds of the same n texts
        Tokens outside the vocabulary told apart, for the linear part.
    vocabulary : sequence of str
    plan : Plan
    evaluator : Evaluator
    engine : Engine
    observers : sequence of Observer, default=()
        Of the final network.
    progress : Progress
    checkpoint : Checkpoint
        Of this fit: what is in it is not done again, and what is done is stored in it.
    n_jobs : int, default=1
        Networks and linear parts that are fitted at the same time, in threads. The result is the same.

    Returns
    -------
    Fitted
    """
    stored = checkpoint.result()
    if stored is not None:
        progress.restore_all()
        return Fitted.unpack(stored, start)
    every = np.arange(len(examples.ids))
    targets, weight = examples.targets[plan.held_out], examples.sample_weight[plan.held_out]
    # How the two parts are to be blended is seen on held-out texts alone.
    is_linear = plan.linear is not None and len(weight) > 0
    if plan.linear is not None and is_linear:
        sampled = plan.linear.rows
        ngrams, features = learn_ngrams(
            tokens if sampled is None else tokens.take(sampled),
            plan.linear.ngram_range,
            plan.linear.char_ngram_range,
            vocabulary=vocabulary,
        )
        is_linear = features.shape[1] > 0  # texts that share no n-gram leave nothing to fit

    n_jobs = n_jobs if engine.in_threads else 1
    with one_blas_thread() as granted, Jobs(n_jobs := limit_jobs(n_jobs, granted)) as jobs:
        n_threads = max(1, granted // n_jobs)  # of each job

        def fit_network(
            number: int, epochs: int, rows: np.ndarray, held_out: np.ndarray
        ) -> _TrainedNetwork:
            is_final = number == plan.n_networks - 1
            goes_on = is_final and plan.goes_on
            name = f"network {number + 1} of {plan.n_networks}"
            stored = checkpoint.read(name)
            if stored is not None and "memory" not in stored:
                progress.restore(name, n_texts=len(rows) * epochs)
                return _TrainedNetwork.unpack(stored, start)
            begun = UnfinishedNetwork(start)
            if stored is not None:
                begun = UnfinishedNetwork.unpack(stored, start)
                done = begun.n_epochs
                progress.restore(f"{name}  epochs 1 to {done}", n_texts=len(rows) * done)
            watching: list[Observer] = [progress.network(number, len(rows), epochs, jobs.check)]
            # The first network finds out how many epochs are best; the others take as many, at the
            # learning rates that it had in them.
            watching.append(EpochLimit(epochs))
            stopping = None
            if number == 0 and plan.n_iter_no_change is not None and len(held_out):
                validate = partial(_validate, evaluator, examples.take(held_out))
                stopping = EarlyStopping(validate, plan.n_iter_no_change, begun.memory)
                watching.insert(0, stopping)
            watching += observers if is_final else ()
            # Callbacks of Keras remember what they have seen, and such a network begins anew.
            if checkpoint.is_open and not (is_final and engine.has_callbacks):
                write = partial(checkpoint.write, name)
                watching.append(EpochSaver(write, start, begun.history, stopping, goes_on=goes_on))
            state, history = (engine.train_final if is_final else engine.train)(
                begun.state,
                examples.take(rows),
                settings,
                observers=watching,
                history=begun.history,
                n_threads=n_threads,
            )
            if stopping is not None and stopping.memory.best is not None:
                state = stopping.memory.best
            if not goes_on:
                state = replace(state, slots={})
            trained = _TrainedNetwork(state, history)
            checkpoint.write(name, trained.pack(start))
            return trained

        def fit_svms(number: int, rows: np.ndarray) -> tuple[sparse.csr_matrix, np.ndarray]:
            name = f"linear part {number + 1} of {len(plan.folds) + 1}"
            stored = checkpoint.read(name)
            if stored is not None:
                progress.restore(name, n_linear=1)
                return sparse.csr_matrix(stored["kernel"], stored["shape"]), stored["bias"]
            started, places = perf_counter(), rows
            if sampled is not None:
                rows = rows[np.isin(rows, sampled)]
                places = np.searchsorted(sampled, rows)
            kernel, bias = fit_linear(
                features[places],
                examples.targets[rows],
                examples.sample_weight[rows],
                examples.label_weight,
                settings.seed,
                C=plan.linear.C,  # type: ignore[union-attr]
                n_threads=n_threads,
            )
            progress.end_linear(perf_counter() - started)
            arrays = kernel.data, kernel.indices, kernel.indptr
            checkpoint.write(name, {"kernel": arrays, "shape": kernel.shape, "bias": bias})
            return kernel, bias

        def features_of(rows: np.ndarray) -> Iterable[sparse.csr_matrix]:
            if sampled is None:
                return [features[rows]]
            return (ngram_features(part, ngrams) for part in tokens.take(rows).parts())

        none = np.zeros(0, np.int64)
        parts = [*plan.folds, *([(every, none)] if plan.refits else [])]
        first = jobs.submit(fit_network, 0, settings.epochs, *parts[0])
        svms = []
        if is_linear:
            svms = [jobs.submit(fit_svms, i, rows) for i, (rows, _) in enumerate(plan.folds)]
        epochs = first().state.epoch - start.epoch
        progress.settle(epochs)
        networks = [
            first,
            *(jobs.submit(fit_network, i, epochs, *parts[i]) for i in range(1, len(parts))),
        ]
        final_svms = jobs.submit(fit_svms, len(svms), every) if is_linear else None
        trained = [network() for network in networks]
        state, history = trained[-1].state, trained[0].history
        linear_part = None
        with Team(granted) as team:
            cross_fitted = [
                open_network(each.state.weights, team) for each in trained[: len(plan.folds)]
            ]
            every_part = plan.held_out_parts(np.arange(len(weight)))
            logits = partial(_logits, cross_fitted, examples)
            if final_svms is None:
                found = evaluator.collect(logits(every_part), targets)
            else:
                margins = partial(_margins, [svm() for svm in svms], features_of)
                sample = sample_texts(len(weight), targets.shape[1], settings.seed)
                some = plan.held_out_parts(sample)
                scores = np.concatenate([*logits(some)]), np.concatenate([*margins(some)])
                blend = fit_blend(
                    *scores,
                    targets[sample].toarray(),
                    weight[sample],
                    examples.label_weight,
                    counts=examples.targets.getnnz(axis=0),
                    exclusive=settings.exclusive,
                )
                pairs: Iterable[tuple[np.ndarray, np.ndarray]] = [scores]
                if len(sample) < len(weight):
                    pairs = zip(logits(every_part), margins(every_part), strict=True)
                found = evaluator.collect((blend_logits(*pair, blend) for pair in pairs), targets)
                linear_part = LinearPart(ngrams, *final_svms(), blend.astype(np.float32))
    thresholds = evaluator.thresholds(found, weight)
    score, label_scores = evaluator.evaluate(found, thresholds, weight)
    fitted = Fitted(state, linear_part, thresholds, history, score, label_scores)
    checkpoint.finish(fitted.pack(start))
    return fitted


def _validate(
    evaluator: Evaluator, held_out: Examples, network: Callable[[TokenIds], np.ndarray]
) -> ValidationScore:
    """Return what held-out texts say of a network."""
    logits = in_parts(network, held_out.ids, held_out.targets.shape[1])
    return evaluator.validate(evaluator.collect(logits, held_out.targets), held_out.sample_weight)


def _logits(
    networks: Sequence[Callable[[TokenIds], np.ndarray]],
    examples: Examples,
    parts: Sequence[np.ndarray],
) -> Iterator[np.ndarray]:
    """Yield the logits of held-out texts, a few at a time, each part of them by a network of its own."""
    for network, rows in zip(networks, parts, strict=True):
        yield from in_parts(network, examples.ids.take(rows), examples.targets.shape[1])


def _margins(
    svms: Sequence[tuple[sparse.csr_matrix, np.ndarray]],
    features_of: Callable[[np.ndarray], Iterable[sparse.csr_matrix]],
    parts: Sequence[np.ndarray],
) -> Iterator[np.ndarray]:
    """Yield the margins of the same texts, each part of them by SVMs of its own."""
    for (kernel, bias), rows in zip(svms, parts, strict=True):
        for part in row_parts(len(rows), len(bias)):
            margins = [multiply(features, kernel) + bias for features in features_of(rows[part])]
            yield np.concatenate(margins)
