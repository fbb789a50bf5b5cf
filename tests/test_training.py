"""Training: optimizers, lazy rows, repeatability, early stopping, Keras callbacks."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.base import clone

from sktextcnn import TextCNNClassifier, training
from sktextcnn.engine import inference, network
from sktextcnn.text import TokenIds

# Keras hands its variables to NumPy 2 without the `copy` argument that NumPy asks for: whenever a
# callback reads the learning rate or saves weights.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

TEXTS = [
    "the match ended in a draw",
    "a goal in the last minute",
    "parliament votes on the budget",
    "the minister resigns",
    "the minister opens the match",
    "budget",
    "",
    "a late goal wins the match",
]
TAGS = [
    ["sport"],
    ["sport"],
    ["politics"],
    ["politics"],
    ["politics", "sport"],
    ["politics"],
    [],
    ["sport"],
]


def tiny(**params):
    defaults = {
        "min_df": 1,
        "embedding_dim": 8,
        "filters": 4,
        "kernel_sizes": (1, 2),
        "epochs": 2,
        "batch_size": 3,
        "learning_rate": 0.002,
        "learning_rate_schedule": "constant",
        "random_state": 0,
    }
    return TextCNNClassifier(**{**defaults, **params})


def same(a, b):
    """Whether two estimators, or two dicts of weights, have bit-equal weights."""
    a, b = (getattr(x, "weights_", x) for x in (a, b))
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(TEXTS, TAGS)


# -- optimizers --------------------------------------------------------------------------------------

KERAS_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adagrad": keras.optimizers.Adagrad,
    "sgd": keras.optimizers.SGD,
}


def test_every_optimizer_is_tested_here():
    assert sorted(training.OPTIMIZERS) == sorted(KERAS_OPTIMIZERS)


@pytest.mark.parametrize("name", sorted(KERAS_OPTIMIZERS))
def test_updates_match_those_of_keras(name):
    rng = np.random.default_rng(4)
    update, n_slots = training.OPTIMIZERS[name]
    optimizer = KERAS_OPTIMIZERS[name](learning_rate=0.01)
    start = getattr(optimizer, "initial_accumulator_value", 0.0)
    weight = tf.constant(rng.normal(size=(5, 3)), tf.float32)
    slots = [tf.fill(weight.shape, start) for _ in range(n_slots)]
    theirs = keras.Variable(weight)
    optimizer.build([theirs])
    for step in range(1, 7):
        gradient = tf.constant(rng.normal(0, 10.0 ** rng.integers(-3, 2), (5, 3)), tf.float32)
        weight, slots = update(weight, gradient, slots, tf.constant(0.01), tf.constant(float(step)))
        optimizer.apply([gradient], [theirs])
        np.testing.assert_allclose(weight, theirs.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(KERAS_OPTIMIZERS))
def test_training_matches_a_keras_loop(name):
    """Every token in every batch, no short texts, no dropout: where lazy updates make no difference."""
    texts = ["a b c d e", "b c a e d", "e d c b a", "c c a b d e"]
    y = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1]])
    n_steps = 4
    params = {
        "optimizer": name,
        "learning_rate": 0.02,
        "batch_size": 4,
        "embedding_dropout": 0.0,
        "dropout": 0.0,
        "hidden_units": 5,
    }
    clf = tiny(**params, epochs=n_steps).fit(texts, y)
    # The start, from a learning rate that moves nothing.
    model = tiny(**{**params, "learning_rate": 1e-30, "epochs": 1}).fit(texts, y).to_keras()
    optimizer = KERAS_OPTIMIZERS[name](learning_rate=0.02)
    optimizer.build(model.trainable_variables)
    ids = TokenIds(
        np.array([clf.vocabulary_[token] + 2 for text in texts for token in text.split()], np.int32),
        np.cumsum([0, *(len(text.split()) for text in texts)]),
    ).padded(0)
    for step in range(n_steps):
        with tf.GradientTape() as tape:
            losses = keras.losses.binary_crossentropy(y.astype(np.float32), model(ids, training=True))
            loss = 3 * tf.reduce_mean(losses)  # ours is the sum over labels, Keras' their mean
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        optimizer.apply([tf.convert_to_tensor(g) for g in gradients], model.trainable_variables)
        np.testing.assert_allclose(clf.history_["loss"][step], float(loss), rtol=1e-4)
    for weight_name, theirs in network.get_weights(model).items():
        np.testing.assert_allclose(
            clf.weights_[weight_name], theirs, rtol=1e-3, atol=2e-4, err_msg=weight_name
        )


# -- embedding rows ----------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_rows_of_tokens_that_do_not_occur_stay_as_they_are(optimizer):
    clf = tiny(optimizer=optimizer, warm_start=True).fit(TEXTS, TAGS)
    before = clf.weights_["embedding"].copy()
    clf.fit(["the match", "a goal goal"], [["sport"], ["politics"]])
    changed = (clf.weights_["embedding"] != before).any(axis=1)
    occurred = {clf.vocabulary_[token] + 2 for token in ("the", "match", "a", "goal")}
    assert set(np.flatnonzero(changed)) == occurred


def test_the_vector_of_unknown_tokens_is_trained_on_them(fitted):
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    before = clf.weights_["embedding"].copy()
    clf.fit(["zebra", "yak gnu"], [["sport"], ["politics"]])
    changed = (clf.weights_["embedding"] != before).any(axis=1)
    assert np.flatnonzero(changed).tolist() == [1]


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_the_vector_of_padding_stays_zero(optimizer):
    # Texts shorter than the kernels: padding is part of winning windows.
    clf = tiny(optimizer=optimizer, kernel_sizes=(2, 5), learning_rate=0.1, epochs=4).fit(TEXTS, TAGS)
    assert not clf.weights_["embedding"][0].any()
    assert np.isfinite(clf.weights_["embedding"]).all()


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_the_loss_falls(optimizer):
    rate = {"adam": 0.01, "adagrad": 0.05, "sgd": 0.2}[optimizer]
    clf = tiny(optimizer=optimizer, learning_rate=rate, epochs=25, dropout=0.0).fit(TEXTS, TAGS)
    assert clf.history_["loss"][-1] < 0.6 * clf.history_["loss"][0]


def test_history_and_epochs(fitted):
    assert sorted(fitted.history_) == ["loss", "seconds"]
    assert {len(values) for values in fitted.history_.values()} == {2}
    assert all(seconds > 0 for seconds in fitted.history_["seconds"])
    assert fitted.n_epochs_ == 2


def test_the_loss_in_history_is_the_mean_of_a_text():
    """With nothing moving: the same for every batch size, and what the probabilities say."""
    still = {"learning_rate": 1e-30, "dropout": 0.0, "embedding_dropout": 0.0, "epochs": 1}
    y = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 1], [0, 1], [0, 0], [1, 0]])
    clf = tiny(**still, batch_size=3).fit(TEXTS, y)
    p = clf.predict_proba(TEXTS).astype(np.float64)
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum(axis=1).mean()
    np.testing.assert_allclose(clf.history_["loss"], expected, rtol=1e-5)
    other = tiny(**still, batch_size=8).fit(TEXTS, y)
    np.testing.assert_allclose(other.history_["loss"], expected, rtol=1e-5)


# -- repeatability -----------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_weights(fitted):
    again = tiny().fit(TEXTS, TAGS)
    assert same(again, fitted)
    assert again.history_["loss"] == fitted.history_["loss"]
    assert not same(tiny(random_state=1).fit(TEXTS, TAGS), fitted)


def test_unseeded_fits_differ():
    assert not same(tiny(random_state=None).fit(TEXTS, TAGS), tiny(random_state=None).fit(TEXTS, TAGS))


@pytest.mark.parametrize("what", ["dropout", "embedding_dropout"])
def test_dropout_is_in_use(fitted, what):
    assert not same(tiny(**{what: 0.0}).fit(TEXTS, TAGS), fitted)


SCRIPT = """
import hashlib
from sktextcnn import TextCNNClassifier

clf = TextCNNClassifier(**{params!r}).fit({texts!r}, {tags!r})
digest = hashlib.sha256()
for name in sorted(clf.weights_):
    digest.update(clf.weights_[name].tobytes())
print(digest.hexdigest())
"""


def test_another_process_gives_the_same_weights(fitted):
    digest = hashlib.sha256()
    for name in sorted(fitted.weights_):
        digest.update(fitted.weights_[name].tobytes())
    params = {
        name: value
        for name, value in tiny().get_params().items()
        if value != TextCNNClassifier().get_params()[name]
    }
    script = SCRIPT.format(params=params, texts=TEXTS, tags=TAGS)
    # Sets of str are ordered otherwise in that process.
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    run = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.stdout.strip() == digest.hexdigest()


def test_random_state_instances_are_drawn_from():
    rng = np.random.RandomState(5)
    first, second = tiny(random_state=rng).fit(TEXTS, TAGS), tiny(random_state=rng).fit(TEXTS, TAGS)
    assert not same(first, second)
    rng = np.random.RandomState(5)
    assert same(tiny(random_state=rng).fit(TEXTS, TAGS), first)
    assert same(tiny(random_state=rng).fit(TEXTS, TAGS), second)


def test_simultaneous_fits_do_not_disturb_each_other(fitted):
    other = tiny(random_state=1, filters=3).fit(TEXTS, TAGS)

    def fit(number):
        params = {"random_state": 1, "filters": 3} if number % 2 else {}
        return tiny(**params).fit(TEXTS, TAGS)

    with ThreadPoolExecutor(4) as pool:
        for number, clf in enumerate(pool.map(fit, range(6))):
            assert same(clf, other if number % 2 else fitted)


def test_epochs_in_one_fit_or_in_several_are_the_same():
    whole = tiny(warm_start=True, epochs=3).fit(TEXTS, TAGS)
    parts = tiny(warm_start=True, epochs=1)
    for _ in range(3):
        parts.fit(TEXTS, TAGS)
    assert same(parts, whole)
    assert parts.n_epochs_ == whole.n_epochs_ == 3
    assert parts.history_["loss"] == whole.history_["loss"]


@pytest.mark.parametrize("optimizer", ["adam", "adagrad", "sgd"])
def test_learning_resumed_from_a_pickle_equals_uninterrupted_learning(optimizer):
    batches = [(TEXTS[:4], TAGS[:4]), (TEXTS[4:], TAGS[4:]), (TEXTS[::2], TAGS[::2])]
    classes = ["politics", "sport"]
    whole, resumed = tiny(optimizer=optimizer), tiny(optimizer=optimizer)
    for texts, tags in batches:
        whole.partial_fit(texts, tags, classes=classes)
        resumed = pickle.loads(pickle.dumps(resumed.partial_fit(texts, tags, classes=classes)))
    assert same(whole, resumed)
    assert whole.history_["loss"] == resumed.history_["loss"]
    assert len(whole.history_["loss"]) == whole.n_epochs_ == 3


def test_every_call_draws_anew():
    """Two passes over the same batch drop other entries: draws depend on epoch and step."""
    still = tiny(learning_rate=1e-30, dropout=0.5, batch_size=8)
    for _ in range(3):
        still.partial_fit(TEXTS, TAGS)
    assert len(set(still.history_["loss"])) == 3


# -- one compiled step for all fits ------------------------------------------------------------------


def test_fits_of_other_sizes_share_the_compiled_step(monkeypatch):
    traces = []
    plain = network.LOSSES["asymmetric"]

    def counted(*arguments):
        traces.append(1)
        return plain(*arguments)

    monkeypatch.setitem(network.LOSSES, "asymmetric", counted)
    structure = {"loss": "asymmetric", "kernel_sizes": (1, 6)}  # no other test's
    tiny(**structure).fit(TEXTS, TAGS)
    n_traces = len(traces)
    assert n_traces >= 1
    for sizes in (
        {"filters": 5, "embedding_dim": 6},
        {"learning_rate": 0.05},
        {"dropout": 0.0, "embedding_dropout": 0.0},
        {"batch_size": 5},
        {"batch_size": 1},
        {"max_features": 3},
        {"class_weight": "balanced"},
        {"random_state": 9},
    ):
        tiny(**structure, **sizes).fit(TEXTS, TAGS)
    tiny(**structure).fit([*TEXTS, "many words that nobody has seen before " * 5], [*TAGS, ["a", "b"]])
    assert len(traces) == n_traces


# -- early stopping ----------------------------------------------------------------------------------


def scripted(*scores):
    """A metric that returns these values, one after the other."""
    values = iter(scores)
    return lambda truth, predicted: next(values)


def stopping(metric, **params):
    params = {"early_stopping": True, "validation_fraction": 0.25, "n_iter_no_change": 2, **params}
    return tiny(threshold_metric=metric, **{"epochs": 9, **params}).fit(TEXTS, TAGS)


def test_early_stopping_gives_back_the_best_epoch():
    clf = stopping(scripted(0.1, 0.5, 0.4, 0.5))
    assert clf.history_["validation_score"] == [0.1, 0.5, 0.4, 0.5]
    assert {len(values) for values in clf.history_.values()} == {4}
    assert clf.n_epochs_ == 2
    assert same(clf, stopping(scripted(0.1, 0.5), epochs=2))


def test_early_stopping_keeps_the_best_of_all_epochs():
    clf = stopping(scripted(0.1, 0.2, 0.9, 0.3), epochs=4)
    assert clf.n_epochs_ == 3
    assert same(clf, stopping(scripted(0.1, 0.2, 0.9), epochs=3))


def test_early_stopping_waits_for_a_network_that_predicts_nothing_yet():
    clf = stopping(scripted(0.0, 0.0, 0.0, 0.0, 0.3, 0.2, 0.2))
    assert len(clf.history_["loss"]) == 7
    assert clf.n_epochs_ == 5


def test_early_stopping_resumes_from_the_best_epoch():
    clf = stopping(scripted(0.1, 0.5, 0.4, 0.3, 0.6), warm_start=True)
    assert clf.n_epochs_ == 2
    clf.set_params(epochs=1).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == 3
    assert same(clf, stopping(scripted(0.1, 0.2, 0.3), epochs=3))


def test_early_stopping_validates_on_texts_it_does_not_learn_from():
    seen = []

    def metric(truth, predicted):
        assert truth.shape == predicted.shape
        seen.append(truth)
        return 0.5

    clf = stopping(metric)
    assert {len(truth) for truth in seen} == {2}
    assert all(np.array_equal(truth, seen[0]) for truth in seen)
    assert len(clf.history_["loss"]) == 3


# -- Keras callbacks ---------------------------------------------------------------------------------


class Recorder(keras.callbacks.Callback):
    """Writes down what it is told, and the network's weights then."""

    def __init__(self):
        super().__init__()
        self.events, self.weights = [], []

    def on_train_begin(self, logs=None):
        self.events.append(("train_begin",))
        self.weights.append(network.get_weights(self.model))

    def on_epoch_begin(self, epoch, logs=None):
        self.events.append(("epoch_begin", epoch))

    def on_train_batch_end(self, batch, logs=None):
        self.events.append(("batch_end", batch, *logs))

    def on_epoch_end(self, epoch, logs=None):
        self.events.append(("epoch_end", epoch, *logs))
        self.weights.append(network.get_weights(self.model))

    def on_train_end(self, logs=None):
        self.events.append(("train_end",))


def test_callbacks_are_told_of_every_event_and_see_the_weights(fitted):
    recorder = Recorder()
    clf = tiny(keras_callbacks=lambda: [recorder], epochs=2).fit(TEXTS, TAGS)
    epochs = [
        [
            ("epoch_begin", epoch),
            *[("batch_end", batch, "loss") for batch in range(3)],
            ("epoch_end", epoch, "loss", "seconds"),
        ]
        for epoch in range(2)
    ]
    assert recorder.events == [("train_begin",), *epochs[0], *epochs[1], ("train_end",)]
    start, first, second = recorder.weights
    assert not same(start, first)
    assert same(first, tiny(epochs=1).fit(TEXTS, TAGS))
    assert same(second, clf)
    assert same(clf, fitted)  # watching changes nothing
    assert recorder.model.name == "textcnn"


def test_callbacks_are_told_of_the_beginning_of_a_batch():
    begun = []
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: begun.append(batch)
    )
    tiny(keras_callbacks=lambda: [callback], epochs=1).fit(TEXTS, TAGS)
    assert begun == [0, 1, 2]


def test_the_validation_score_is_in_the_logs_and_can_be_watched():
    def callbacks():
        return [keras.callbacks.EarlyStopping(monitor="validation_score", mode="max", patience=0)]

    clf = stopping(scripted(0.3, 0.4, 0.4, 0.5), keras_callbacks=callbacks, n_iter_no_change=9)
    assert clf.history_["validation_score"] == [0.3, 0.4, 0.4]
    assert clf.n_epochs_ == 2


def schedule(*rates):
    def callbacks():
        return [keras.callbacks.LearningRateScheduler(lambda epoch, rate: rates[epoch])]

    return callbacks


def test_a_learning_rate_schedule_is_followed(fitted):
    slower = tiny(keras_callbacks=schedule(0.002, 0.0005)).fit(TEXTS, TAGS)
    assert not same(slower, fitted)
    frozen = tiny(keras_callbacks=schedule(0.002, 0.0), optimizer="sgd").fit(TEXTS, TAGS)
    assert same(frozen, tiny(epochs=1, optimizer="sgd").fit(TEXTS, TAGS))
    assert same(tiny(keras_callbacks=schedule(0.002, 0.002)).fit(TEXTS, TAGS), fitted)


def test_the_learning_rate_falls_in_a_straight_line():
    """Set by hand before each batch, it gives the same weights."""

    class ByHand(keras.callbacks.Callback):
        done = 0

        def on_train_batch_begin(self, batch, logs=None):
            # Three epochs of two batches; each step of a line from 0.05 to 0.
            self.model.optimizer.learning_rate = 0.05 * (1 - self.done / 6)
            self.done += 1

    options = {"epochs": 3, "batch_size": 6}
    falling = tiny(learning_rate=0.05, learning_rate_schedule="linear", **options).fit(TEXTS, TAGS)
    by_hand = tiny(keras_callbacks=lambda: [ByHand()], **options).fit(TEXTS, TAGS)
    for name, weight in by_hand.weights_.items():
        np.testing.assert_allclose(falling.weights_[name], weight, rtol=1e-4, atol=1e-6)
    assert not same(falling, tiny(learning_rate=0.05, **options).fit(TEXTS, TAGS))


def test_a_rate_that_a_callback_sets_falls_too():
    linear = {"learning_rate_schedule": "linear", "epochs": 2}
    faster = tiny(keras_callbacks=schedule(0.05, 0.05), **linear).fit(TEXTS, TAGS)
    plain = tiny(learning_rate=0.05, **linear).fit(TEXTS, TAGS)
    for name, weight in plain.weights_.items():
        np.testing.assert_allclose(faster.weights_[name], weight, rtol=1e-4, atol=1e-6)


AUTOMATIC = {"learning_rate": "auto", "learning_rate_schedule": "auto"}


@pytest.mark.parametrize(
    ("automatic", "explicit"),
    [
        (AUTOMATIC, {"learning_rate": 0.006, "learning_rate_schedule": "linear"}),
        (
            {**AUTOMATIC, "warm_start": True},
            {"learning_rate": 0.002, "learning_rate_schedule": "constant"},
        ),
        (
            {**AUTOMATIC, "learning_rate_schedule": "constant"},
            {"learning_rate": 0.002, "learning_rate_schedule": "constant"},
        ),
    ],
    ids=["falls", "warm start", "stays"],
)
def test_automatic_learning_rate(automatic, explicit):
    assert same(tiny(**automatic).fit(TEXTS, TAGS), tiny(**explicit).fit(TEXTS, TAGS))


def test_partial_fit_learns_at_a_rate_that_stays():
    by_hand = tiny(learning_rate=0.002, learning_rate_schedule="constant").partial_fit(TEXTS, TAGS)
    assert same(tiny(**AUTOMATIC).partial_fit(TEXTS, TAGS), by_hand)
    with pytest.raises(ValueError, match="partial_fit does not know which call is the last"):
        tiny(learning_rate_schedule="linear").partial_fit(TEXTS, TAGS)


@pytest.mark.parametrize(
    ("n", "batch_size", "epochs"), [(12, 6, 40), (40, 1, 25), (270, 1, 4), (12, "auto", 40)]
)
def test_automatic_epochs_make_up_a_number_of_steps(n, batch_size, epochs):
    texts, tags = (TEXTS * n)[:n], (TAGS * n)[:n]
    clf = tiny(epochs="auto", batch_size=batch_size).fit(texts, tags)
    assert clf.n_epochs_ == epochs


@pytest.mark.parametrize("optimizer", sorted(KERAS_OPTIMIZERS))
def test_compiled_by_xla_the_network_learns_the_same(optimizer):
    options = {"optimizer": optimizer, "learning_rate": 0.05, "kernel_sizes": (1, 3), "batch_size": 4}
    sure = {**options, "embedding_dropout": 0.0, "dropout": 0.0}  # the draws are others
    plain = tiny(**sure, jit_compile=False).fit(TEXTS, TAGS)
    compiled = tiny(**sure, jit_compile=True).fit(TEXTS, TAGS)
    for name, weight in plain.weights_.items():
        np.testing.assert_allclose(compiled.weights_[name], weight, rtol=1e-3, atol=1e-4)
    compiled = tiny(**options, jit_compile=True).fit(TEXTS, TAGS)
    assert same(compiled, tiny(**options, jit_compile=True).fit(TEXTS, TAGS))


def test_xla_sees_few_sizes_of_batches():
    sizes = {training.round_up(size) for size in range(1, 1025)}
    assert len(sizes) == 36
    assert all(size <= training.round_up(size) < 1.25 * size + 1 for size in range(1, 5000))


def test_xla_compiles_fits_of_many_steps(monkeypatch):
    options = {"learning_rate": 0.05, "epochs": 3}
    n_steps = 3 * -(-len(TEXTS) // 3)
    monkeypatch.setattr("sktextcnn.parameters.STEPS_WORTH_COMPILING", n_steps)
    large = tiny(**options).fit(TEXTS, TAGS)
    monkeypatch.setattr("sktextcnn.parameters.STEPS_WORTH_COMPILING", n_steps + 1)
    small = tiny(**options).fit(TEXTS, TAGS)
    assert same(large, tiny(**options, jit_compile=True).fit(TEXTS, TAGS))
    assert same(small, tiny(**options, jit_compile=False).fit(TEXTS, TAGS))
    assert not same(large, small)


def test_reduce_on_plateau_is_followed(fitted):
    rates = []

    def callbacks():
        watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: rates.append(dict(logs)))
        plateau = keras.callbacks.ReduceLROnPlateau(
            monitor="loss", mode="min", min_delta=10.0, patience=1, factor=0.5
        )
        return [plateau, watch]

    slower = tiny(keras_callbacks=callbacks, epochs=3).fit(TEXTS, TAGS)
    np.testing.assert_allclose([logs["learning_rate"] for logs in rates], [0.002, 0.002, 0.001])
    assert not same(slower, tiny(epochs=3).fit(TEXTS, TAGS))


def test_restore_best_weights_is_honoured():
    def callbacks():
        # The third epoch learns with a rate that ruins it, which the loss of the fourth shows.
        return [
            *schedule(0.002, 0.002, 5.0, 5.0, 5.0, 5.0)(),
            keras.callbacks.EarlyStopping(
                monitor="loss", mode="min", patience=2, restore_best_weights=True
            ),
        ]

    quiet = {"dropout": 0.0, "embedding_dropout": 0.0, "optimizer": "sgd", "batch_size": 2}
    clf = tiny(**quiet, epochs=6, keras_callbacks=callbacks).fit(TEXTS, TAGS)
    losses = clf.history_["loss"]
    assert len(losses) < 6
    best = int(np.argmin(losses)) + 1
    assert best == len(losses) - 2
    assert same(
        clf,
        tiny(**quiet, epochs=best, keras_callbacks=schedule(*[0.002] * 2, *[5.0] * 4)).fit(TEXTS, TAGS),
    )


def test_stop_training_is_honoured():
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    clf = tiny(epochs=9, keras_callbacks=lambda: [Stop()]).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == len(clf.history_["loss"]) == 2
    assert same(clf, tiny(epochs=2).fit(TEXTS, TAGS))


class Zero(keras.callbacks.Callback):
    """Sets every weight to zero at one event."""

    def __init__(self, event):
        super().__init__()
        setattr(self, event, self.zero)

    def zero(self, epoch=None, logs=None):
        if epoch in (None, 0, {}):
            self.model.set_weights([np.zeros_like(weight) for weight in self.model.get_weights()])


def test_weights_set_at_the_end_of_training_are_kept():
    clf = tiny(keras_callbacks=lambda: [Zero("on_train_end")]).fit(TEXTS, TAGS)
    assert not any(weight.any() for weight in clf.weights_.values())


@pytest.mark.parametrize("event", ["on_train_begin", "on_epoch_end"])
def test_weights_set_during_training_are_gone_on_from(event):
    epochs = 1 if event == "on_train_begin" else 2
    clf = tiny(keras_callbacks=lambda: [Zero(event)], optimizer="sgd", epochs=epochs).fit(TEXTS, TAGS)
    # From all zeros, every feature is 0 and stays 0: nothing but the output's bias learns.
    assert not clf.weights_["embedding"].any()
    assert clf.weights_["output_bias"].any()


def test_a_checkpoint_callback_writes_the_network(tmp_path):
    path = tmp_path / "best.weights.h5"

    def callbacks():
        return [keras.callbacks.ModelCheckpoint(path, save_weights_only=True)]

    clf = tiny(keras_callbacks=callbacks).fit(TEXTS, TAGS)
    model = tiny(random_state=3).fit(TEXTS, TAGS).to_keras()
    model.load_weights(path)
    assert same(network.get_weights(model), clf)


def test_fit_leaves_the_factory_alone_and_calls_it_once():
    calls = []

    def factory():
        calls.append(1)
        return [Recorder()]

    clf = tiny(keras_callbacks=factory, epochs=1)
    assert clf.fit(TEXTS, TAGS).keras_callbacks is factory
    assert len(calls) == 1
    copy = clone(clf)
    assert copy.keras_callbacks is factory
    copy.fit(TEXTS, TAGS)
    assert len(calls) == 2
    assert same(copy, clf)


def test_an_empty_list_of_callbacks_is_fine(fitted):
    assert same(tiny(keras_callbacks=list).fit(TEXTS, TAGS), fitted)


@pytest.mark.parametrize(
    "rubbish",
    [None, 3, "ab", [3], [None], keras.callbacks.TerminateOnNaN(), [keras.callbacks.TerminateOnNaN]],
    ids=["None", "a number", "a str", "a list of numbers", "a list of None", "no list", "a class"],
)
def test_a_factory_of_rubbish_is_refused(rubbish):
    with pytest.raises(TypeError, match=r"keras_callbacks\(\) returned .*; expected a list of"):
        tiny(keras_callbacks=lambda: rubbish).fit(TEXTS, TAGS)


def test_training_leaves_its_start_alone():
    """The state that training starts from belongs to the caller."""
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    weights, state = clf.weights_, clf.optimizer_state_
    before = pickle.dumps((weights, state))
    clf.fit(TEXTS, TAGS)
    assert pickle.dumps((weights, state)) == before
    assert not same(weights, clf)
    assert inference.kernel_sizes_of(weights) == [1, 2]


@pytest.mark.parametrize(
    ("name", "value"),
    [("filters", 5), ("embedding_dim", 9), ("kernel_sizes", (1, 3)), ("hidden_units", 4)],
)
def test_a_model_that_goes_on_learning_keeps_its_shape(name, value):
    clf = tiny(warm_start=True, epochs=1).fit(TEXTS, TAGS)
    weights = clf.weights_
    with pytest.raises(ValueError, match=f"{name} changed from .* to .*; a model that goes on"):
        clf.set_params(**{name: value}).fit(TEXTS, TAGS)
    assert clf.weights_ is weights


@pytest.mark.parametrize("sizes", [[1, 2], (2, 1), np.array([1, 2])], ids=str)
def test_the_form_of_kernel_sizes_is_no_change_of_shape(sizes):
    clf = tiny(warm_start=True, epochs=1).fit(TEXTS, TAGS)
    assert clf.set_params(kernel_sizes=sizes).fit(TEXTS, TAGS).n_epochs_ == 2


def test_an_epoch_that_a_callback_cuts_short_is_counted():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    clf = tiny(keras_callbacks=lambda: [Stop()], batch_size=2, epochs=3).fit(TEXTS, TAGS)
    assert clf.n_epochs_ == len(clf.history_["loss"]) == 1


def test_keras_own_early_stopping_can_watch_the_validation_score():
    def callbacks():
        return [keras.callbacks.EarlyStopping(monitor="validation_score", mode="max", patience=1)]

    def constant(truth, predicted):
        return 0.5

    clf = tiny(early_stopping=True, validation_fraction=0.3, epochs=9, n_iter_no_change=9)
    clf.set_params(threshold_metric=constant, keras_callbacks=callbacks).fit(TEXTS, TAGS)
    assert clf.history_["validation_score"] == [0.5, 0.5]
