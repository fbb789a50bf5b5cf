"""Fits that are interrupted, and go on: what they end in, what they do again, and what they refuse."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import shutil
import signal
import time
from itertools import count
from threading import Thread

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sktextcnn import TextStream, as_label_matrix, callbacks, checkpoints, load
from sktextcnn.checkpoints import Checkpoint, EpochSaver
from sktextcnn.engine.compiled import _Run
from sktextcnn.engine.examples import State
from tests.examples import TAGS, TEXTS, TOPICS, fitted_attributes, same_weights, tiny

Y = as_label_matrix(TAGS)


class Killed(BaseException):
    """Stands for whatever ends a fit."""


@pytest.fixture(autouse=True)
def every_epoch(monkeypatch):
    """Store every epoch, however little time it takes."""
    monkeypatch.setattr(checkpoints, "SHARE", np.inf)


@pytest.fixture
def epochs_run(monkeypatch):
    """A list that grows by an item with every epoch that any network learns in."""
    run, plain = [], _Run.run_epoch

    def counted(self, *arguments):
        run.append(self.epoch)
        return plain(self, *arguments)

    monkeypatch.setattr(_Run, "run_epoch", counted)
    return run


def killed_after(n_writes, monkeypatch, fit, error=Killed):
    """Call `fit`, which is interrupted once so many parts are stored; tell whether it was."""
    written, plain = count(1), Checkpoint.write

    def write(self, name, values):
        plain(self, name, values)
        if next(written) >= n_writes:
            raise error

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "write", write)
        try:
            fit()
        except error:
            return True
        return False


def assert_same_fit(clf, expected):
    """All that `fit` leaves is the same, but for how long it took."""
    found, wanted = fitted_attributes(clf), fitted_attributes(expected)
    assert found.keys() == wanted.keys()
    assert same_weights(clf, expected)
    for history in (found["history_"], wanted["history_"]):
        assert len(history["seconds"]) == len(history["loss"])
    for name in ("loss", "validation_score"):
        assert found["history_"].get(name) == wanted["history_"].get(name)
    for name in ("thresholds_", "validation_score_", "validation_label_scores_"):
        np.testing.assert_array_equal(found[name], wanted[name])
    assert [found[n] for n in ("n_epochs_", "resolved_")] == [
        wanted[n] for n in ("n_epochs_", "resolved_")
    ]
    np.testing.assert_equal(found.get("optimizer_state_"), wanted.get("optimizer_state_"))
    np.testing.assert_array_equal(clf.predict_proba(TEXTS), expected.predict_proba(TEXTS))


#: Parameters, labels, and whether there is a linear part.
FITS = {
    "folds, both parts": ({"linear": True, "validation": 2, "epochs": 4}, TAGS),
    "one part held out": ({"linear": True, "validation": 0.25, "epochs": 4, "hidden_units": 3}, TAGS),
    "one label": ({"validation": 2, "epochs": 3, "optimizer": "adagrad"}, TOPICS),
    "nothing held out": ({"epochs": 4, "learning_rate_schedule": "linear"}, TAGS),
    "goes on": ({"warm_start": True, "validation": 0.25, "epochs": 4}, TAGS),
}


# -- going on ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fit", "n_jobs"), [*((fit, 1) for fit in FITS), ("folds, both parts", 2), ("one label", 2)]
)
def test_killed_after_every_part_a_fit_ends_as_if_it_were_not(
    fit, n_jobs, tmp_path, monkeypatch, epochs_run
):
    """Each attempt lives for one part, and the next goes on; no epoch is run twice."""
    options, y = FITS[fit]
    clf = tiny(**options, n_jobs=n_jobs, n_iter_no_change=2)
    expected = clone(clf).fit(TEXTS, y)
    n_epochs = len(epochs_run)
    clf.set_params(checkpoint_dir=tmp_path)
    attempts = 1
    while killed_after(1, monkeypatch, lambda: clf.fit(TEXTS, y)):
        assert not fitted_attributes(clf)
        attempts += 1
    if n_jobs == 1:
        assert len(epochs_run) == 2 * n_epochs
        assert attempts > n_epochs
    assert_same_fit(clf, expected)
    assert_same_fit(clone(clf).fit(TEXTS, y), expected)
    assert [path.name for path in tmp_path.glob("*/*")] == ["result.checkpoint"]


@pytest.mark.parametrize("fit", ["folds, both parts", "goes on"])
def test_killed_at_any_batch_a_fit_ends_as_if_it_were_not(fit, tmp_path, monkeypatch):
    """By Ctrl-C, in ever later batches."""
    options, y = FITS[fit]
    expected = tiny(**options).fit(TEXTS, y)
    seen, plain = count(1), callbacks.Progress.see

    def see(self, n_texts):
        if next(seen) % 3 == 0:
            raise KeyboardInterrupt
        plain(self, n_texts)

    clf = tiny(**options, checkpoint_dir=str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Progress, "see", see)
        for _ in range(100):
            try:
                clf.fit(TEXTS, y)
                break
            except KeyboardInterrupt:
                assert not fitted_attributes(clf)
    assert_same_fit(clf, expected)


def test_warm_starts_that_are_interrupted_go_on_from_the_fitted_model(tmp_path, monkeypatch):
    options = {"warm_start": True, "checkpoint_dir": tmp_path, "epochs": 3}
    clf = tiny(**options).fit(TEXTS, TAGS)
    expected = pickle.loads(pickle.dumps(clf)).fit(TEXTS, TAGS)
    shutil.rmtree(tmp_path)
    assert killed_after(2, monkeypatch, lambda: clf.fit(TEXTS, TAGS))
    assert clf.n_epochs_ == 3
    assert_same_fit(clf.fit(TEXTS, TAGS), expected)
    assert clf.n_epochs_ == 6


def test_a_fit_that_is_done_is_not_done_again(tmp_path, epochs_run, capsys):
    options = {"linear": True, "validation": 2, "checkpoint_dir": tmp_path}
    first = tiny(**options).fit(TEXTS, TAGS)
    epochs_run.clear()
    told = []
    with callbacks.watching(lambda share, seconds: told.append(share)):
        second = tiny(**options, verbose=1).fit(TEXTS, TAGS)
    assert_same_fit(second, first)
    assert second.history_ == first.history_
    assert not epochs_run
    assert told == [1.0]
    assert capsys.readouterr().out == "the whole fit  from the checkpoint  about 0 s left\n"


def test_progress_counts_what_is_spared(tmp_path, monkeypatch, capsys):
    clf = tiny(linear=True, validation=2, epochs=3, early_stopping=False, checkpoint_dir=tmp_path)
    # Two epochs and the whole of the first network, two linear parts, an epoch of the second network.
    assert killed_after(6, monkeypatch, lambda: clf.fit(TEXTS, TAGS))
    with callbacks.watching(lambda share, seconds: print("told", share)):
        clf.set_params(verbose=1).fit(TEXTS, TAGS)
    printed = capsys.readouterr().out.splitlines()
    told = [float(line.split()[1]) for line in printed if line.startswith("told")]
    # Nothing has been learned here yet, so nobody knows how long it takes.
    first = next(i for i, line in enumerate(printed) if not line.endswith("from the checkpoint"))
    assert first == 4
    assert printed[first].startswith("told")
    printed = [line for line in printed if not line.startswith("told")]
    assert "left" in printed[-1]
    lines = [line.split("  about")[0] for line in printed]
    spared = [line.removesuffix("  from the checkpoint") for line in lines if "checkpoint" in line]
    assert spared == [
        "network 1 of 3",
        "linear part 1 of 3",
        "linear part 2 of 3",
        "network 2 of 3  epochs 1 to 1",
    ]
    assert lines[-1].startswith("linear part 3 of 3")
    assert told[-1] == 1.0


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_the_same_fit_twice_at_the_same_time(kind, tmp_path):
    options = {"linear": True, "validation": 2, "epochs": 6, "checkpoint_dir": tmp_path}
    expected = tiny(**{**options, "checkpoint_dir": None}).fit(TEXTS, TAGS)
    classifiers = [tiny(**options) for _ in range(3)]
    context = multiprocessing.get_context("fork") if kind == "processes" else None
    start = Thread if context is None else context.Process
    side_by_side = [start(target=clf.fit, args=(TEXTS, TAGS)) for clf in classifiers]
    for one in side_by_side:
        one.start()
    for one in side_by_side:
        one.join()
    if context is None:
        for clf in classifiers:
            assert_same_fit(clf, expected)
    else:
        assert [one.exitcode for one in side_by_side] == [0, 0, 0]
    assert_same_fit(tiny(**options).fit(TEXTS, TAGS), expected)


def test_a_search_goes_on(tmp_path, monkeypatch, epochs_run):
    """What is finished is not done again, and its candidates do not get into each other's way."""
    clf = tiny()

    def search(**options):
        return GridSearchCV(clf.set_params(**options), {"filters": [3, 4]}, cv=2, scoring="f1_micro")

    expected = search().fit(TEXTS, Y)
    n_epochs = len(epochs_run)
    epochs_run.clear()
    fit = search(checkpoint_dir=tmp_path).fit
    while killed_after(4, monkeypatch, lambda: fit(TEXTS, Y)):
        pass
    assert len(epochs_run) == n_epochs
    found = search(checkpoint_dir=tmp_path).fit(TEXTS, Y)
    assert len(epochs_run) == n_epochs
    for name in ("mean_test_score", "split0_test_score", "rank_test_score"):
        np.testing.assert_array_equal(found.cv_results_[name], expected.cv_results_[name])
    assert same_weights(found.best_estimator_, expected.best_estimator_)
    assert len([*tmp_path.iterdir()]) == 2 * 2 + 1


def test_callbacks_see_the_epochs_that_are_run(tmp_path, monkeypatch):
    callback = pytest.importorskip("sklearn.callback", reason="before scikit-learn 1.9")

    def monitored():
        monitor = callback.ScoringMonitor(scoring="f1_micro")
        return tiny(epochs=4, checkpoint_dir=tmp_path).set_callbacks(monitor), monitor

    clf, _ = monitored()
    assert killed_after(2, monkeypatch, lambda: clf.fit(TEXTS, Y))
    clf, monitor = monitored()
    assert_same_fit(clf.fit(TEXTS, Y), tiny(epochs=4).fit(TEXTS, Y))
    seen = [row["task_name"] for row in monitor.get_logs().data]
    assert sorted(seen) == ["epoch 2", "epoch 3", "fit"]
    clf, monitor = monitored()
    clf.fit(TEXTS, Y)
    assert [row["task_name"] for row in monitor.get_logs().data] == ["fit"]


# -- which fits are the same -------------------------------------------------------------------------


def f1_of_first(truth, predicted):
    return float((truth[:, 0] == predicted[:, 0]).mean())


def f1_of_last(truth, predicted):
    return float((truth[:, -1] == predicted[:, -1]).mean())


BASE = {"validation": 2, "metric": f1_of_first}
OTHERS = {
    "a parameter of the network": ({"filters": 5}, TEXTS, TAGS, None),
    "a parameter of decisions": ({"max_labels": 1}, TEXTS, TAGS, None),
    "early stopping": ({"n_iter_no_change": 3}, TEXTS, TAGS, None),
    "a function": ({"metric": f1_of_last}, TEXTS, TAGS, None),
    "a tokenizer": ({"tokenizer": str.split}, TEXTS, TAGS, None),
    "the seed": ({"random_state": 1}, TEXTS, TAGS, None),
    "a text": ({}, [*TEXTS[:-1], "soup"], TAGS, None),
    "their order": ({}, TEXTS[::-1], TAGS[::-1], None),
    "a label": ({}, TEXTS, [*TAGS[:-1], ["food"]], None),
    "a weight": ({}, TEXTS, TAGS, [2.0] + [1.0] * 11),
}
SAME = {
    "nothing": {},
    "threads": {"n_jobs": 2},
    "what is printed": {"verbose": 1},
    "an instance of the same seed": {"random_state": np.random.RandomState(0)},
}


@pytest.fixture(scope="module")
def one_fit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    tiny(**BASE, checkpoint_dir=folder).fit(TEXTS, TAGS)
    return folder


def folders_after(one_fit, tmp_path, options, texts=TEXTS, tags=TAGS, weight=None):
    folder = shutil.copytree(one_fit, tmp_path / "copy")
    tiny(**{**BASE, "checkpoint_dir": folder, **options}).fit(texts, tags, sample_weight=weight)
    return len([*folder.iterdir()])


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_fit_has_a_checkpoint_of_its_own(other, one_fit, tmp_path):
    assert folders_after(one_fit, tmp_path, *other) == 2


@pytest.mark.parametrize("options", SAME.values(), ids=SAME)
def test_the_same_fit_has_the_same_checkpoint(options, one_fit, tmp_path):
    assert folders_after(one_fit, tmp_path, options) == 1


def test_the_same_texts_as_a_stream_have_the_same_checkpoint(one_fit, tmp_path, epochs_run):
    folder = shutil.copytree(one_fit, tmp_path / "copy")
    stream = TextStream(lambda: zip(TEXTS, TAGS, strict=True))
    tiny(**BASE, checkpoint_dir=folder).fit(stream)
    assert len([*folder.iterdir()]) == 1
    assert not epochs_run


@pytest.mark.parametrize("package", ["numpy", "numba", "scikit-learn"])
def test_other_versions_have_a_checkpoint_of_their_own(package, one_fit, tmp_path, monkeypatch):
    plain = checkpoints.version
    monkeypatch.setattr(checkpoints, "version", lambda name: "0.0" if name == package else plain(name))
    assert folders_after(one_fit, tmp_path, {}) == 2


def test_no_checkpoint_without_a_seed(tmp_path):
    clf = tiny(random_state=None, checkpoint_dir=tmp_path)
    with pytest.raises(ValueError, match=r"checkpoint_dir with random_state=None.*Set random_state"):
        clf.fit(TEXTS, TAGS)


def test_a_metric_that_cannot_be_recognised_is_refused(tmp_path):
    class Metric:
        def __call__(self, truth, predicted):
            return 0.0

    clf = tiny(metric=Metric(), checkpoint_dir=tmp_path)
    with pytest.raises(TypeError, match=r"recognised: .*Metric.*cannot be pickled.*use a function"):
        clf.fit(TEXTS, TAGS)


def test_partial_fit_stores_nothing(tmp_path):
    tiny(checkpoint_dir=tmp_path / "none").partial_fit(TEXTS, TAGS)
    assert not [*tmp_path.iterdir()]


def test_a_saved_model_holds_the_path_as_str(tmp_path):
    clf = tiny(checkpoint_dir=tmp_path / "checkpoints").fit(TEXTS, TAGS)
    clf.save(tmp_path / "model")
    assert load(tmp_path / "model").checkpoint_dir == str(tmp_path / "checkpoints")
    assert clone(clf).checkpoint_dir == tmp_path / "checkpoints"


# -- disks -------------------------------------------------------------------------------------------


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-9])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 16
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b"")


def swap(path):
    other = max(path.parent.iterdir(), key=lambda each: each.name if each != path else "")
    shutil.copy(other, path)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A fit that was killed in its second network, and what it would have ended in."""
    clf = tiny(linear=True, validation=2, epochs=3, checkpoint_dir=tmp_path_factory.mktemp("killed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "SHARE", np.inf)
        assert killed_after(6, patch, lambda: clf.fit(TEXTS, TAGS))
    return clf, clone(clf).set_params(checkpoint_dir=None).fit(TEXTS, TAGS)


def copied(killed, tmp_path):
    """Return the same, with a folder of its own."""
    clf, expected = killed
    folder = shutil.copytree(clf.checkpoint_dir, tmp_path / "copy")
    return clone(clf).set_params(checkpoint_dir=folder), expected, folder


@pytest.mark.parametrize("damage", [cut_off, flip_a_bit, empty, swap])
def test_damaged_parts_are_named_and_done_again(damage, killed, tmp_path):
    clf, expected, folder = copied(killed, tmp_path)
    paths = sorted(folder.glob("*/*"))
    assert len(paths) == 4
    for path in paths:
        damage(path)
    with pytest.warns(UserWarning, match="is damaged") as caught:
        clf.fit(TEXTS, TAGS)
    named = {path for path in paths for each in caught if str(path) in str(each.message)}
    assert len(named) >= len(paths) - 1  # a swap leaves one of them what it is
    assert_same_fit(clf, expected)
    (result,) = folder.glob("*/*")
    if damage is not swap:
        damage(result)
        with pytest.warns(UserWarning, match="is damaged"):
            assert_same_fit(clf.fit(TEXTS, TAGS), expected)


def test_a_full_disk(killed, tmp_path, epochs_run):
    """The system refuses files of more than so many bytes, which no network fits in."""
    resource = pytest.importorskip("resource", reason="there are no such limits on Windows")
    clf, expected, folder = copied(killed, tmp_path)
    clf.fit(TEXTS[:8], TAGS[:8])
    before = dict(vars(clf))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"cannot be written .* make room") as caught:
            clf.fit(TEXTS, TAGS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(folder) in str(caught.value)
    assert vars(clf) == before
    assert not [*folder.glob("*/*.part")]
    epochs_run.clear()
    assert_same_fit(clf.fit(TEXTS, TAGS), expected)
    assert len(epochs_run) == 2 * expected.n_epochs_ - 1  # the first network was done, and an epoch


def test_folders_that_checkpoints_cannot_be_in(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")

    def fit(folder):
        return tiny(checkpoint_dir=folder).fit(TEXTS, TAGS)

    with pytest.raises(NotADirectoryError, match=r"checkpoint_dir='.*file' is a file; expected"):
        fit(file)
    with pytest.raises(FileNotFoundError, match=r"away, in which it is to be made, .*Make it first"):
        fit(tmp_path / "far" / "away" / "folder")
    monkeypatch.setattr(checkpoints.os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(PermissionError, match="cannot be written to; choose another folder"):
        fit(tmp_path)
    assert [*tmp_path.iterdir()] == [file]


def test_epochs_are_stored_as_often_as_their_share_allows(monkeypatch):
    """Epochs of ten seconds, and a disk that takes one second for each, of which a hundredth may be."""
    now, stored = [0.0], []
    monkeypatch.setattr(checkpoints, "SHARE", 0.01)
    monkeypatch.setattr(checkpoints, "perf_counter", lambda: now[0])

    def write(values):
        stored.append(len(values["history"]["loss"]))
        now[0] += 1.0

    class Run:
        def state(self):
            return State({})

    saver = EpochSaver(write, State({}), {}, None, goes_on=False)
    for epoch in range(30):
        saver.begin_epoch(epoch)
        now[0] += 10.0
        saver.end_epoch(epoch, {"loss": 0.0}, Run())
    assert stored == [1, 11, 21]


# -- SIGKILL -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows forks no processes")
def test_a_hundred_sigkills(tmp_path):
    """At random moments of fits in processes of their own: none is lost, all end in the same bits."""
    clf = tiny(linear=True, validation=2, epochs=6, early_stopping=False)
    expected = clone(clf).fit(TEXTS, TAGS)
    context = multiprocessing.get_context("fork")
    rng, whole, n_goes_on = random.Random(0), 0.0, 0
    for trial in range(-1, 100):
        folder = tmp_path / str(trial)
        child = context.Process(target=clf.set_params(checkpoint_dir=folder).fit, args=(TEXTS, TAGS))
        started = time.perf_counter()
        child.start()
        if trial < 0:  # how long it takes if it is left alone
            child.join()
            whole = time.perf_counter() - started
            continue
        time.sleep(rng.uniform(0, whole))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        n_goes_on += any(folder.glob("*/*.checkpoint"))
        assert_same_fit(clone(clf).fit(TEXTS, TAGS), expected)
        assert [path.name for path in folder.glob("*/*")] == ["result.checkpoint"]
    assert n_goes_on > 20


# -- Keras -------------------------------------------------------------------------------------------


def own_network(n_tokens, n_labels):
    """Return a network with weights that are not trained, too."""
    import keras

    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(n_tokens, 4),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(n_labels),
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("network", [None, own_network])
def test_keras_goes_on(network, tmp_path, monkeypatch):
    """At the epochs of the rate's linear decay, with Adam's memory."""
    options = {"engine": "keras", "network": network, "validation": 0.25, "epochs": 2}
    clf = tiny(**options, learning_rate_schedule="linear")
    expected = clone(clf).fit(TEXTS, TAGS)
    clf.set_params(checkpoint_dir=tmp_path)
    attempts = 1
    while killed_after(1, monkeypatch, lambda: clf.fit(TEXTS, TAGS)):
        attempts += 1
    assert attempts == len(expected.history_["loss"]) - 1 + 3
    archive = expected.weights_.pop("network", None)
    clf.weights_.pop("network", None)  # it says when it was made
    if archive is not None:
        expected.weights_ = {**expected.weights_, "network": archive}
        clf.weights_ = {**clf.weights_, "network": archive}
    assert_same_fit(clf, expected)


@pytest.mark.slow
def test_networks_that_callbacks_of_keras_watch_begin_anew(tmp_path, monkeypatch):
    seen = []

    def watchers():
        import keras

        class Watcher(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                seen.append(epoch)
                if len(seen) == 2:
                    raise Killed

        return [Watcher()]

    clf = tiny(keras_callbacks=watchers, checkpoint_dir=tmp_path)
    with pytest.raises(Killed):
        clf.fit(TEXTS, TAGS)
    assert not [*tmp_path.glob("*/*.checkpoint")]
    clf.fit(TEXTS, TAGS)
    assert seen == [0, 1, 0, 1]
    assert [path.name for path in tmp_path.glob("*/*")] == ["result.checkpoint"]
