"""The same seed gives the same model: in any process, on any number of threads, beside other fits."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone

from sktextcnn import TextCNNClassifier
from tests.examples import TAGS, TEXTS, TOPICS, corpus, every_engine, same_weights, tiny
from tests.processes import run_python

VECTORS = {word: np.random.default_rng(i).normal(size=5) for i, word in enumerate(["match", "striker"])}
BOTH = {"linear": True, "validation": 0.1}
KINDS = {
    "network": ({}, TAGS),
    "hidden units": ({"hidden_units": 3}, TAGS),
    "one label": ({}, TOPICS),
    "sgd": ({"optimizer": "sgd"}, TAGS),
    "both parts": (BOTH, TAGS),
    "folds": ({"linear": True, "validation": 3, "metric": "f1_macro"}, TAGS),
    "trainable vectors": ({"embeddings": VECTORS, "embedding_mode": "trainable"}, TAGS),
    "static vectors": ({"embeddings": VECTORS, "embedding_mode": "static"}, TAGS),
    "multichannel vectors": ({"embeddings": VECTORS, "embedding_mode": "multichannel"}, TAGS),
}


def assert_same(a, b):
    assert same_weights(a, b)
    np.testing.assert_array_equal(a.thresholds_, b.thresholds_)
    for name in ("loss", "validation_score"):
        assert a.history_.get(name) == b.history_.get(name)


@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        *(("compiled", kind) for kind in KINDS),
        *(
            pytest.param("keras", kind, marks=pytest.mark.slow)
            for kind in ("network", "one label", "multichannel vectors")
        ),
    ],
)
def test_the_same_seed_gives_the_same_model(engine, kind):
    options, y = KINDS[kind]
    clf = tiny(engine=engine, **options).fit(TEXTS, y)
    assert_same(clone(clf).fit(TEXTS, y), clf)
    other = clone(clf).set_params(random_state=1).fit(TEXTS, y)
    assert not np.array_equal(other.weights_["output_kernel"], clf.weights_["output_kernel"])
    if clf.linear_part_ is not None:
        assert not np.array_equal(other.linear_part_.blend, clf.linear_part_.blend)
    if kind == "static vectors":  # which the seed does not touch; those of other tokens it does
        row = clf.vocabulary_["striker"] + 2
        np.testing.assert_array_equal(other.weights_["embedding"][row], VECTORS["striker"].astype("f4"))
        assert (other.weights_["embedding"][1] != clf.weights_["embedding"][1]).all()
    assert_same(clf.fit(TEXTS, y), clone(clf).fit(TEXTS, y))  # a second fit forgets the first


@pytest.mark.slow
def test_a_network_of_ones_own():
    import keras

    def network(n_tokens, n_labels):
        layers = keras.layers
        return keras.Sequential(
            [layers.Embedding(n_tokens, 4), layers.GlobalMaxPooling1D(), layers.Dense(n_labels)]
        )

    one, again = (tiny(network=network).fit(TEXTS, TAGS) for _ in range(2))
    other = tiny(network=network, random_state=1).fit(TEXTS, TAGS)
    # Not so the archive, in which Keras numbers the layers of a process.
    for i in range(3):
        assert np.array_equal(one.weights_[f"network_{i}"], again.weights_[f"network_{i}"])
        assert not np.array_equal(one.weights_[f"network_{i}"], other.weights_[f"network_{i}"])


# -- where the seed comes from -----------------------------------------------------------------------


@every_engine
def test_generators_are_drawn_from():
    rng = np.random.RandomState(5)
    first, second = tiny(random_state=rng).fit(TEXTS, TAGS), tiny(random_state=rng).fit(TEXTS, TAGS)
    assert not same_weights(first, second)
    rng = np.random.RandomState(5)
    assert same_weights(tiny(random_state=rng).fit(TEXTS, TAGS), first)
    assert same_weights(tiny(random_state=rng).fit(TEXTS, TAGS), second)


@every_engine
def test_a_fit_without_seed_draws_from_numpys_global_state():
    """As any estimator with random_state=None."""
    state = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(3)  # noqa: NPY002
        first = tiny(random_state=None).fit(TEXTS, TAGS)
        second = tiny(random_state=None).fit(TEXTS, TAGS)
        np.random.seed(3)  # noqa: NPY002
        assert same_weights(tiny(random_state=None).fit(TEXTS, TAGS), first)
        assert not same_weights(first, second)
    finally:
        np.random.set_state(state)  # noqa: NPY002


@every_engine
def test_a_global_seed_of_tensorflow_changes_nothing():
    tf = pytest.importorskip("tensorflow")
    first = tiny().fit(TEXTS, TAGS)
    tf.random.set_seed(99)
    assert same_weights(tiny().fit(TEXTS, TAGS), first)


@pytest.mark.parametrize("what", ["dropout", "embedding_dropout"])
def test_dropout_is_drawn(what):
    assert not same_weights(tiny(**{what: 0.0}).fit(TEXTS, TAGS), tiny().fit(TEXTS, TAGS))


def test_every_call_draws_anew():
    """Two passes over the same batch drop other entries: draws depend on epoch and step."""
    still = tiny(learning_rate=1e-30, dropout=0.5, batch_size=12)
    for _ in range(3):
        still.partial_fit(TEXTS, TAGS)
    assert len(set(still.history_["loss"])) == 3


# -- wherever it is fitted ---------------------------------------------------------------------------


def digest(clf):
    part = clf.linear_part_.to_arrays() if clf.linear_part_ is not None else {}
    arrays = [array.tobytes() for array in [*clf.weights_.values(), *part.values()]]
    return hashlib.sha256(b"".join(arrays)).hexdigest()


@pytest.mark.slow
def test_another_process_gives_the_same_model():
    """In which sets of str are ordered otherwise."""
    script = """
        from tests.behaviour.test_same_seed import KINDS, TEXTS, digest, tiny

        for options, y in KINDS.values():
            print(digest(tiny(**options).fit(TEXTS, y)))
    """
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    printed = run_python(script, PYTHONHASHSEED=seed).stdout.split()
    assert printed == [digest(tiny(**options).fit(TEXTS, y)) for options, y in KINDS.values()]


def test_fits_at_the_same_time_do_not_disturb_each_other():
    options = [{}, {"random_state": 1, "filters": 3}]
    alone = [tiny(**each).fit(TEXTS, TAGS) for each in options]
    with ThreadPoolExecutor(4) as pool:
        fits = pool.map(lambda number: tiny(**options[number % 2]).fit(TEXTS, TAGS), range(6))
        for number, clf in enumerate(fits):
            assert_same(clf, alone[number % 2])


@pytest.mark.parametrize("n_jobs", [2, 4, -1])
@pytest.mark.parametrize("linear", [False, True], ids=["network", "both parts"])
def test_the_number_of_jobs_changes_no_bit(linear, n_jobs):
    options = {"validation": 3, "linear": linear, "epochs": 3}
    first = tiny(**options).fit(*corpus(90))
    assert_same(tiny(**options, n_jobs=n_jobs).fit(*corpus(90)), first)


def test_a_copy_of_the_parameters_is_enough():
    clf = tiny(**BOTH).fit(TEXTS, TAGS)
    assert_same(TextCNNClassifier(**clf.get_params()).fit(TEXTS, TAGS), clf)
