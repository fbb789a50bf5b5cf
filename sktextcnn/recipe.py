"""From examples to a model: held-out texts, networks, the linear part, their blend, thresholds, refit.

Some texts are held out: one part of them once, or every part in turn. The network learns from the
others until its decisions on the held-out ones get no better; the linear part is fitted beside it. How
much each of the two counts, and from which probability on a label is predicted, is decided by what both
say of texts that they have not learned from. Then the linear part, and if wanted the network, are
fitted again to all texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sktextcnn.engine.examples import Examples, Settings, State
from sktextcnn.engine.inference import compute_logits
from sktextcnn.linear import fit_blend, fit_linear
from sktextcnn.ngrams import blend_logits, learn_ngrams, pack
from sktextcnn.training import History, train
from sktextcnn.validation import Judge

Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class Plan:
    """What happens to which texts.

    Attributes
    ----------
    folds : list of (train, held_out)
        Rows to learn from and rows to hold out, for each time that texts are held out.
    n_iter_no_change : int or None
        Epochs to wait for an improvement on held-out texts; None to train for all epochs.
    refit : bool
        Whether the network is fitted again to all texts. It always is if there are several folds.
    ngram_range : tuple of (int, int) or None
        N-grams of the linear part, if there is one.
    """

    folds: list[tuple[np.ndarray, np.ndarray]]
    n_iter_no_change: int | None
    refit: bool
    ngram_range: tuple[int, int] | None

    @property
    def refits(self) -> bool:
        """Whether the network that stays is another than the first."""
        return self.refit or len(self.folds) > 1


def learn(
    start: State,
    examples: Examples,
    settings: Settings,
    *,
    plan: Plan,
    judge: Judge,
    report: Callable[[int, Mapping[str, float]], None],
    **hooks: Any,
) -> tuple[State, Weights, np.ndarray, History]:
    """Follow the plan.

    Parameters
    ----------
    start : State
        Where every network starts; it is not changed.
    examples : Examples of n texts
    settings : Settings
    plan : Plan
    judge : Judge
    report : callable
        Called with every epoch (from 0) of every network, and its logs.
    **hooks : dict
        ``on_epoch_begin``, ``on_epoch_end`` and ``keras_callbacks`` of `training.train`, for the
        network that stays.

    Returns
    -------
    state : State
        Of the network.
    weights : dict of str to ndarray
        Its weights, and those of the linear part.
    thresholds : ndarray of shape (k,)
    history : dict of str to list of float
        Of the first network, whose epochs were validated if any were.
    """
    history: History = {}
    state, epochs = start, settings.epochs
    held = np.concatenate([rows for _, rows in plan.folds] or [np.zeros(0, np.int64)])
    logits = np.empty((len(held), examples.targets.shape[1]), np.float32)
    truth = examples.targets[held].toarray()
    margins = np.zeros_like(logits)
    is_linear = plan.ngram_range is not None
    if plan.ngram_range is not None:
        ngrams, features = learn_ngrams(
            examples.ids,
            plan.ngram_range,
            base=len(start.weights["embedding"]),
            n_labels=truth.shape[1],
        )
        is_linear = features.shape[1] > 0  # texts that share no n-gram leave nothing to fit

    def fit_margins(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        part = examples.take(rows)
        return fit_linear(
            features[rows], part.targets, part.sample_weight, part.label_weight, settings.seed
        )

    first = 0
    for rows, held_out in plan.folds:
        part, own = examples.ids.take(held_out), slice(first, first + len(held_out))

        def validate(weights: Mapping, part: Any = part, own: slice = own) -> float:
            return judge.score(compute_logits(weights, part), truth[own])

        # The first network finds out how many epochs are best; the others take as many.
        waits = plan.n_iter_no_change is not None and not history
        state, its_history = train(
            start,
            examples.take(rows),
            replace(settings, epochs=epochs),
            validate=validate if waits else None,
            n_iter_no_change=plan.n_iter_no_change or 1,
            report=report,
            **({} if plan.refits else hooks),
        )
        epochs = state.epoch - start.epoch
        history = history or its_history
        logits[own] = compute_logits(state.weights, part)
        if is_linear:
            kernel, bias = fit_margins(rows)
            margins[own] = features[held_out] @ kernel + bias
        first += len(held_out)
    if plan.refits or not plan.folds:
        state, its_history = train(
            start, examples, replace(settings, epochs=epochs), report=report, **hooks
        )
        history = history or its_history
    if not is_linear:
        return state, state.weights, judge.thresholds(logits, truth), history
    blend = fit_blend(
        logits,
        margins,
        truth,
        examples.sample_weight[held],
        counts=examples.targets.getnnz(axis=0),
        exclusive=settings.exclusive,
    )
    thresholds = judge.thresholds(blend_logits(logits, margins, blend), truth)
    linear = pack(ngrams, *fit_margins(np.arange(len(examples.ids))), blend)
    return state, {**state.weights, **linear}, thresholds, history


def join_histories(first: History, second: History) -> History:
    """Append one history to another; what an epoch did not record is NaN."""
    lengths = len(first["loss"]), len(second["loss"])
    return {
        name: first.get(name, [np.nan] * lengths[0]) + second.get(name, [np.nan] * lengths[1])
        for name in {**first, **second}
    }
