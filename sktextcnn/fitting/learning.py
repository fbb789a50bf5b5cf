"""From examples to a model: held-out texts, networks, the linear part, their blend, thresholds, refit.

Some texts are held out: one part of them once, or every part in turn. The network learns from the
others until its decisions on the held-out ones get no better; the linear part is fitted beside it. The
weights of their blend, and the thresholds, come from what both say of texts that they have not learned
from. Then the linear part is refitted to all texts, and so is the network, if texts were held out in
turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sktextcnn.callbacks import Progress
from sktextcnn.checkpoints import Checkpoint, pack_state, unpack_state
from sktextcnn.decision.evaluator import Evaluator
from sktextcnn.decision.held_out import LabelScores, row_parts
from sktextcnn.engine.engines import Engine
from sktextcnn.engine.examples import Examples, Settings, State
from sktextcnn.engine.observers import History, Observer
from sktextcnn.fitting.networks import NetworkTrainer, TrainedNetwork, held_out_logits
from sktextcnn.fitting.plan import Plan
from sktextcnn.fitting.svms import SVMs, SVMTrainer, held_out_margins, learn_features
from sktextcnn.linear.part import LinearPart, blend_logits
from sktextcnn.linear.training import fit_blend, sample_texts
from sktextcnn.text.tokens import TokenIds
from sktextcnn.threads import Jobs, Team, limit_jobs, one_blas_thread

#: From rows, a part for each fold, to what is said of their texts, some of them at a time.
Scorer = Callable[[Sequence[np.ndarray]], Iterator[np.ndarray]]


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
    features = None
    if plan.linear is not None and plan.folds:  # how to blend is seen on held-out texts alone
        features = learn_features(tokens, vocabulary, plan.linear)
    n_jobs = n_jobs if engine.in_threads else 1
    with one_blas_thread() as granted, Jobs(n_jobs := limit_jobs(n_jobs, granted)) as jobs:
        n_threads = max(1, granted // n_jobs)  # of each job
        networks = NetworkTrainer(
            *(start, examples, settings, plan, evaluator, engine, observers),
            *(progress, checkpoint, jobs.check, n_threads),
        )
        svms = None
        if features is not None:
            svms = SVMTrainer(features, examples, plan, settings.seed, progress, checkpoint, n_threads)
        trained, of_folds, of_all = _train(networks, svms, jobs)
        with Team(granted) as team:
            of_networks = partial(held_out_logits, trained[: len(plan.folds)], examples, team=team)
            of_svms = None
            if features is not None:
                of_svms = partial(held_out_margins, of_folds, features)
            found, blend = _score_held_out(of_networks, of_svms, examples, plan, evaluator, settings)
    linear_part = None
    if features is not None and of_all is not None and blend is not None:
        linear_part = LinearPart(features.ngrams, *of_all, blend.astype(np.float32))
    weight = examples.sample_weight[plan.held_out]
    thresholds = evaluator.thresholds(found, weight)
    score, label_scores = evaluator.evaluate(found, thresholds, weight)
    fitted = Fitted(trained[-1].state, linear_part, thresholds, trained[0].history, score, label_scores)
    checkpoint.finish(fitted.pack(start))
    return fitted


def _train(
    networks: NetworkTrainer, svms: SVMTrainer | None, jobs: Jobs
) -> tuple[list[TrainedNetwork], list[SVMs], SVMs | None]:
    """Train all networks, and the SVMs of each fold and of all texts, some of them side by side."""
    plan, every = networks.plan, np.arange(len(networks.examples.ids))
    parts = [*plan.folds, *([(every, every[:0])] if plan.refits else [])]
    first = jobs.submit(networks.train, 0, networks.settings.epochs, *parts[0])
    of_folds = []
    if svms is not None:
        of_folds = [jobs.submit(svms.train, i, rows) for i, (rows, _) in enumerate(plan.folds)]
    epochs = first().state.epoch - networks.start.epoch
    networks.progress.settle(epochs)
    others = [jobs.submit(networks.train, i, epochs, *parts[i]) for i in range(1, len(parts))]
    of_all = None if svms is None else jobs.submit(svms.train, len(of_folds), every)
    trained = [first(), *(network() for network in others)]
    return trained, [each() for each in of_folds], of_all and of_all()


def _score_held_out(
    logits: Scorer,
    margins: Scorer | None,
    examples: Examples,
    plan: Plan,
    evaluator: Evaluator,
    settings: Settings,
) -> tuple[LabelScores, np.ndarray | None]:
    """Return the scores of held-out texts, and the blend of logits and margins, if there are any."""
    targets, weight = examples.targets[plan.held_out], examples.sample_weight[plan.held_out]
    every = plan.held_out_parts(np.arange(len(weight)))
    if margins is None:
        return evaluator.collect(logits(every), targets), None
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
    few = row_parts(len(sample), targets.shape[1])
    pairs: Iterable[tuple[np.ndarray, np.ndarray]] = ((scores[0][part], scores[1][part]) for part in few)
    if len(sample) < len(weight):
        pairs = zip(logits(every), margins(every), strict=True)
    return evaluator.collect((blend_logits(*pair, blend) for pair in pairs), targets), blend
