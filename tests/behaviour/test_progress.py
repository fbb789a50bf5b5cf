"""What a fit prints at verbose=1: its networks and linear parts, and the time left of all of it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sktextcnn import callbacks
from sktextcnn.callbacks import Progress
from tests.examples import TAGS, TEXTS, every_engine, tiny

NUMBER = r"\d+\.\d{4}"
LEFT = r"  about (\d+) s left"


def lines_of(capsys, **options):
    clf = tiny(verbose=1, **options).fit(TEXTS * 3, TAGS * 3)
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.endswith("\n")
    return clf, captured.out.splitlines()


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when the test says so."""
    now = [1000.0]
    monkeypatch.setattr(callbacks, "perf_counter", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_lines_of_a_whole_fit(capsys, n_jobs):
    """Three folds and the final network, four fits of the linear part; lines are whole in any order."""
    options = {"threshold": "tune", "validation": 3, "linear": True, "epochs": 3}
    clf, lines = lines_of(capsys, **options, early_stopping=True, n_iter_no_change=9, n_jobs=n_jobs)
    of_networks = [line for line in lines if line.startswith("network")]
    of_svms = [line for line in lines if line.startswith("linear part")]
    assert len(of_networks) + len(of_svms) == len(lines)
    assert len(of_svms) == 4
    for number, line in enumerate(of_svms, 1):
        assert re.fullmatch(rf"linear part {number} of 4  \d+\.\d s{LEFT}", line)
    first = [line for line in of_networks if line.startswith("network 1 ")]
    for epoch, line in enumerate(first):
        loss, score = (clf.history_[name][epoch] for name in ("loss", "validation_score"))
        expected = (
            f"network 1 of 4  epoch {epoch + 1}/3  loss {loss:.4f}  validation f1_micro {score:.4f}"
        )
        assert re.fullmatch(re.escape(expected) + LEFT, line)
    assert len(first) == 3
    # The others take as many epochs as were best, and are not validated.
    for number in (2, 3, 4):
        theirs = [line for line in of_networks if line.startswith(f"network {number} ")]
        for epoch, line in enumerate(theirs, 1):
            beginning = rf"network {number} of 4  epoch {epoch}/{clf.n_epochs_}  loss {NUMBER}"
            assert re.fullmatch(beginning + LEFT, line)
        assert len(theirs) == clf.n_epochs_
    if n_jobs == 1:
        assert lines[-1].endswith("about 0 s left")


def test_epochs_stand_below_each_other(capsys):
    _, lines = lines_of(capsys, epochs=10)
    assert "epoch  9/10  " in lines[8]
    assert "epoch 10/10  " in lines[9]


def test_a_metric_of_ones_own_is_named(capsys):
    def as_good_as_it_gets(truth, predicted):
        return 1.0

    options = {"validation": 0.1, "metric": as_good_as_it_gets, "epochs": 1}
    _, lines = lines_of(capsys, **options)
    assert "  validation as_good_as_it_gets 1.0000  " in lines[0]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_nothing_is_printed_unless_asked_for(capsys, n_jobs):
    tiny(threshold="tune", linear=True, validation=0.1, n_jobs=n_jobs).fit(TEXTS, TAGS)
    tiny(verbose=1).partial_fit(TEXTS, TAGS)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def time_left(capsys):
    return int(re.search(LEFT, capsys.readouterr().out).group(1))


def run_network(progress, clock, number, n_texts, epochs, seconds, capsys):
    """Let a network learn, each epoch in so many seconds; return the time left after each."""
    observer = progress.network(number, n_texts, epochs, lambda: None)
    left = []
    for epoch in range(epochs):
        clock(seconds)
        observer.end_batch(n_texts // 2)
        observer.end_batch(n_texts - n_texts // 2)
        observer.end_epoch(epoch, {"loss": 1.0}, None)
        left.append(time_left(capsys))
    return left


def test_the_time_left_is_right_where_every_epoch_takes_as_long(capsys, clock):
    """Two networks on 80 texts and one on 120: an epoch takes 2, 2 and 3 seconds."""
    progress = Progress(1, [(80, 5), (80, 5), (120, 5)], 0, "f1_micro")
    assert run_network(progress, clock, 0, 80, 5, 2.0, capsys) == [33, 31, 29, 27, 25]
    progress.settle(5)
    assert run_network(progress, clock, 1, 80, 5, 2.0, capsys) == [23, 21, 19, 17, 15]
    assert run_network(progress, clock, 2, 120, 5, 3.0, capsys) == [12, 9, 6, 3, 0]


def test_the_time_left_after_an_early_stop(capsys, clock):
    """The first network waits in vain for five epochs: the pace is that of all that it learned."""
    progress = Progress(1, [(80, 10), (120, 10)], 0, "f1_micro")
    observer = progress.network(0, 80, 10, lambda: None)
    for epoch in range(8):
        clock(2.0)
        observer.end_batch(80)
        observer.end_epoch(epoch, {"loss": 1.0, "validation_score": 0.5}, None)
        assert time_left(capsys) == 2 * (9 - epoch) + 30
    progress.settle(3)  # the third was best
    assert run_network(progress, clock, 1, 120, 3, 3.0, capsys) == [6, 3, 0]


def test_the_linear_part_has_its_share_of_the_time_left(capsys, clock):
    progress = Progress(1, [(100, 2), (100, 2)], 2, "f1_micro")
    assert run_network(progress, clock, 0, 100, 2, 1.0, capsys) == [3, 2]
    progress.settle(2)
    clock(5.0)
    progress.end_linear(5.0)
    assert time_left(capsys) == 7
    assert run_network(progress, clock, 1, 100, 2, 1.0, capsys) == [6, 5]
    clock(5.0)
    progress.end_linear(5.0)
    assert time_left(capsys) == 0


def test_the_time_left_is_never_negative(capsys, clock):
    """Networks side by side: more seconds of the linear part than there were, epochs of no time."""
    rng = np.random.default_rng(0)
    progress = Progress(1, [(100, 5)] * 3, 2, "f1_micro")
    for _ in range(30):
        clock(float(rng.choice([0.0, 0.1, 3.0])))
        observer = progress.network(int(rng.integers(3)), 100, 5, lambda: None)
        observer.end_batch(int(rng.integers(0, 200)))
        if rng.random() < 0.3:
            progress.end_linear(4.0)
        else:
            observer.end_epoch(0, {"loss": 1.0}, None)
        assert time_left(capsys) >= 0


@every_engine
def test_progress_without_validation(capsys):
    tiny(verbose=1, epochs=3).fit(TEXTS, TAGS)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for number, line in enumerate(lines, 1):
        assert re.fullmatch(rf"network 1 of 1  epoch {number}/3  loss \d+\.\d+  about \d+ s left", line)
    assert lines[-1].endswith("  about 0 s left")


@every_engine
def test_progress_with_validation(capsys):
    clf = tiny(verbose=1, epochs=2, early_stopping=True, validation=0.3).fit(TEXTS, TAGS)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    for number, line in enumerate(lines, 1):
        assert re.fullmatch(
            rf"network 1 of 1  epoch {number}/2  loss \d+\.\d+  validation f1_micro \d\.\d+"
            r"  about \d+ s left",
            line,
        )
    assert f"{clf.history_['validation_score'][0]:.4f}" in lines[0]


@every_engine
def test_silence_by_default(capsys):
    tiny().fit(TEXTS, TAGS)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_who_watches_is_told_of_every_batch_and_linear_part(n_jobs):
    told = []
    options = {"validation": 3, "linear": True, "early_stopping": False, "n_jobs": n_jobs}
    with callbacks.watching(lambda share, seconds_left: told.append((share, seconds_left))):
        clf = tiny(**options).fit(TEXTS, TAGS)
    # Batches of 6 texts: two in each epoch of three networks on 8 of 12 texts, and in those on all.
    assert len(told) == 4 + 3 * 2 * 2 + 2 * 2
    assert all(0 <= share <= 1 and seconds_left >= 0 for share, seconds_left in told)
    assert max(told)[0] == 1
    np.testing.assert_array_equal(tiny(**options).fit(TEXTS, TAGS).predict(TEXTS), clf.predict(TEXTS))
    assert len(told) == 4 + 3 * 2 * 2 + 2 * 2  # nobody watches any more
