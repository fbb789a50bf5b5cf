"""Observers: when early stopping ends training, and what it keeps."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from sktextcnn.engine.observers import EarlyStopping, ValidationScore


def stopped(scores, n_iter_no_change=2):
    """Early stopping that is told these (score, has_hits): it, and the epoch that it stopped in."""
    scores = [ValidationScore(*score) for score in scores]
    run, given = SimpleNamespace(open_network=lambda: None), iter(scores)
    stopping = EarlyStopping(lambda network: next(given), n_iter_no_change)
    for epoch in range(len(scores)):
        run.state = lambda epoch=epoch: epoch
        if stopping.end_epoch(epoch, {}, run):
            return stopping.memory.best, epoch
    return stopping.memory.best, None


@pytest.mark.parametrize("low", [0.0, -0.25, -np.inf])
def test_early_stopping_waits_for_a_network_that_predicts_nothing_yet(low):
    """Whatever the measure makes of that."""
    nothing, better, worse = (low, False), (low + 0.3 if low > -9 else 0.3, True), (low, True)
    assert stopped([nothing] * 9) == (8, None)
    assert stopped([nothing] * 5 + [better, worse, nothing, better]) == (5, 7)
    assert stopped([nothing, (low - 0.1, False), nothing, nothing, worse, worse]) == (3, 5)


@pytest.mark.parametrize("best", [0.0, 0.5, -3.0, -np.inf, np.inf])
def test_early_stopping_stops_on_a_plateau_at_any_score(best):
    assert stopped([(best, True)] * 9) == (0, 2)
