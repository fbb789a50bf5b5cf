"""A fitted classifier stays what it is: saved and loaded, as a Keras model, after a fit that failed."""

from __future__ import annotations

import copy
import functools
import json
import os
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sktextcnn import TextCNNClassifier, fitting, load, load_embeddings
from sktextcnn.storage import files
from sktextcnn.text.tokens import build_tokenizer, encode
from tests.examples import IS_SPORT, LABELS, TAGS, TEXTS, TOPICS, matrix_of, same_weights, tiny

VECTORS = load_embeddings(
    np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32), ["match", "budget", "soup", "Lemon"]
)
NEW_TEXTS = [
    "",
    "the match",
    "soup soup soup",
    "lemon",
    "unheard of",
    "the minister, at the match!",
    "a w1 c a",
]

WORDS = [f"w{i}" for i in range(12)]


def corpus(n=100, seed=1):
    """Return short texts, n-grams repeated, in which a word stands for each label, save for a few."""
    rng = np.random.default_rng(seed)
    tags = [[label for label in "abc" if rng.random() < 0.4] for _ in range(n)]
    texts = []
    for labels in tags:
        shown = [label for label in "abc" if (label in labels) != (rng.random() < 0.1)]
        texts.append(" ".join(rng.permutation([*rng.choice(WORDS, 4), *shown, *shown])))
    return texts, tags


MANY, THEIR_TAGS = corpus()


def blended(**parameters):
    """Return an unfitted classifier with a linear part, beside which the network has its say."""
    strong = {"epochs": 6, "learning_rate": 0.05, "filters": 8, "validation": 0.3}
    return tiny(**{"early_stopping": True, "linear": True, "validation": 0.1, **strong, **parameters})


def with_vectors(**parameters):
    return tiny(**{"embeddings": VECTORS, "embedding_mode": "static", **parameters})


def fitted_attributes(clf):
    return {name: value for name, value in vars(clf).items() if name.endswith("_")}


def assert_same_predictions(a, b, texts=NEW_TEXTS):
    assert np.array_equal(a.predict_proba(texts), b.predict_proba(texts))
    assert np.array_equal(a.decision_function(texts), b.decision_function(texts))
    first, second = a.predict(texts), b.predict(texts)
    assert type(first) is type(second)
    if sparse.issparse(first):
        first, second = first.toarray(), second.toarray()
    assert np.array_equal(first, second)
    assert a.predict_labels(texts) == b.predict_labels(texts)


def tree(folder):
    """Names and contents of all files under a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


KINDS = {
    "several labels": lambda: tiny(hidden_units=3).fit(TEXTS, TAGS),
    "one label": lambda: tiny().fit(TEXTS, TOPICS),
    "two classes": lambda: tiny().fit(TEXTS, IS_SPORT),
    "sparse matrix": lambda: tiny().fit(TEXTS, sparse.csr_matrix(matrix_of())),
    "mini-batches": lambda: tiny().partial_fit(TEXTS, TAGS),
    "linear part": lambda: blended().fit(MANY, THEIR_TAGS),
    "tuned": lambda: tiny(threshold="tune", metric="f1_macro").fit(MANY, THEIR_TAGS),
    "characters": lambda: tiny(analyzer="char", max_length=9).fit(TEXTS, TAGS),
}


@pytest.fixture(scope="module", params=KINDS)
def fitted(request):
    return KINDS[request.param]()


@pytest.fixture(scope="module")
def linear():
    return KINDS["linear part"]()


@pytest.fixture(params=[1, 1 << 20], ids=["mapped", "read"])
def map_from(request, monkeypatch):
    """Lets even the smallest array be mapped, and not."""
    monkeypatch.setattr(files, "MAP_FROM", request.param)


# -- there and back ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("map_from")
def test_a_loaded_classifier_predicts_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert type(loaded) is TextCNNClassifier
    assert loaded.get_params() == fitted.get_params()
    assert_same_predictions(loaded, fitted)
    assert loaded.history_ == fitted.history_
    assert fitted_attributes(loaded).keys() == fitted_attributes(fitted).keys() - {"optimizer_state_"}


@pytest.mark.usefixtures("map_from")
def test_a_loaded_classifier_can_do_all_that_it_could(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    files = tree(tmp_path)
    loaded = load(tmp_path / "model")
    for other in (pickle.loads(pickle.dumps(loaded)), copy.deepcopy(loaded)):
        assert_same_predictions(other, fitted)
    loaded.thresholds_[0] = 0.0
    loaded.weights_["output_bias"] += 1.0
    loaded.weights_["embedding"][1:] *= 2.0
    assert (loaded.predict_proba(NEW_TEXTS) != fitted.predict_proba(NEW_TEXTS))[1:].any(axis=1).all()
    if fitted.multilabel_:
        predicted = loaded.predict(NEW_TEXTS)
        assert (predicted.toarray() if sparse.issparse(predicted) else predicted)[:, 0].all()
    assert_same_predictions(load(tmp_path / "model"), fitted)
    assert tree(tmp_path) == files
    again = clone(loaded)
    assert not fitted_attributes(again)


@pytest.mark.usefixtures("map_from")
@pytest.mark.parametrize("include_optimizer", [False, True])
def test_learning_goes_on(include_optimizer, tmp_path):
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    clf.save(tmp_path / "model", include_optimizer=include_optimizer)
    files = tree(tmp_path)
    for go_on in (lambda c: c.fit(TEXTS, TAGS), lambda c: c.partial_fit(TEXTS, TAGS)):
        loaded, original = load(tmp_path / "model"), pickle.loads(pickle.dumps(clf))
        assert hasattr(loaded, "optimizer_state_") == include_optimizer
        # Without the optimizer's state it goes on all the same, but takes other steps.
        assert same_weights(go_on(loaded), go_on(original)) == include_optimizer
        assert loaded.n_epochs_ == original.n_epochs_ > clf.n_epochs_
    assert tree(tmp_path) == files


def test_a_linear_part_does_not_go_on_learning_after_loading_either(linear, tmp_path):
    linear.save(tmp_path / "model")
    loaded = load(tmp_path / "model").set_params(linear=False)
    with pytest.raises(ValueError, match="has a linear part, which cannot go on learning"):
        loaded.partial_fit(MANY, THEIR_TAGS)
    assert_same_predictions(loaded, linear)


def test_paths_and_overwriting(linear, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clf = tiny().fit(TEXTS, TAGS)
    assert clf.save("model") is None
    with pytest.raises(FileExistsError, match=r"model exists\. Choose another path, or pass overwrite"):
        linear.save(Path("model"))
    early = load("model")
    linear.save("model", overwrite=True)
    assert_same_predictions(load("model"), linear)
    assert_same_predictions(early, clf)
    assert os.listdir() == ["model"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_parent_folder_that_is_none(overwrite, tmp_path):
    (tmp_path / "file").touch()
    clf = tiny().fit(TEXTS, TAGS)
    for name in ("missing", "file"):
        message = (
            rf"^{re.escape(str(tmp_path / name))} does not exist, or is a file; expected the folder in"
        )
        with pytest.raises(
            FileNotFoundError, match=message + " which model is to be made. Make it first"
        ):
            clf.save(tmp_path / name / "model", overwrite=overwrite)
    assert os.listdir(tmp_path) == ["file"]


def test_attributes_of_the_user_are_left_out(tmp_path):
    """Whatever they are: they need be nothing that files can hold."""
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    fitted = fitted_attributes(clf)
    clf.note_, clf.tokens_of_, clf.note = "tried on Monday", {1: object()}, "the same"
    clf.save(tmp_path / "model", include_optimizer=True)
    loaded = load(tmp_path / "model")
    assert fitted_attributes(loaded).keys() == fitted.keys()
    assert not hasattr(loaded, "note")
    assert_same_predictions(loaded, clf)


def test_nothing_to_save(tmp_path):
    with pytest.raises(NotFittedError):
        tiny().save(tmp_path / "model")
    assert not [*tmp_path.iterdir()]


def test_nothing_to_load(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="nowhere does not exist; expected a folder with a saved"
    ):
        load(tmp_path / "nowhere")


def test_parameters_of_any_form_come_back(tmp_path):
    parameters = {
        "kernel_sizes": np.array([2, 1]),
        "vocabulary": {"match", "soup", "budget", "the"},
        "classes": ("sport", "news", "food"),
        "class_weight": {"news": np.float64(2)},
        "threshold": np.array([0.25, 0.5, 0.75]),
        "learning_rate": np.float32(0.25),
        "max_labels": np.int64(2),
    }
    clf = tiny(**parameters).fit(TEXTS, TAGS)
    clf.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    for name, value in parameters.items():
        assert type(getattr(loaded, name)) is type(value.item() if np.isscalar(value) else value)
        assert np.array_equal(getattr(loaded, name), value)
    assert_same_predictions(loaded, clf)
    assert same_weights(loaded.fit(TEXTS, TAGS), clf)


@pytest.mark.parametrize("labels", [[3, 5, 8], [0.5, 1.5, 2.5], ["\0", "a\0", "\ud800"]])
def test_labels_of_any_type_come_back(labels, tmp_path):
    y = [[labels[LABELS.index(tag)] for tag in tags] for tags in TAGS]
    clf = tiny(epochs=1, min_labels=1).fit(TEXTS, y)
    clf.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.classes_.tolist() == clf.classes_.tolist() == labels
    assert loaded.predict_labels(NEW_TEXTS) == clf.predict_labels(NEW_TEXTS)


# -- what files do not hold --------------------------------------------------------------------------


def split(text):
    return text.split()


def metric(truth, decisions):
    return float((truth == decisions).mean())


def no_callbacks():
    return []


@pytest.mark.parametrize(
    "functions",
    [
        {"tokenizer": split},
        {"analyzer": functools.partial(str.split, sep="e")},
        {"strip_accents": str.swapcase},
        {"strip_accents": str.upper, "tokenizer": split},
    ],
    ids=lambda functions: "+".join(functions),
)
def test_functions_that_make_tokens_are_passed_again(functions, tmp_path):
    clf = tiny(**functions).fit(TEXTS, TAGS)
    clf.save(tmp_path / "model")
    names = [name for name in ("analyzer", "tokenizer", "strip_accents") if name in functions]
    message = rf"saved without {'=.*, '.join(names)}=.*Pass the same again: load\(path, {names[0]}="
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "model")
    loaded = load(tmp_path / "model", **functions)
    assert_same_predictions(loaded, clf)
    assert loaded.get_params() == clf.get_params()
    with pytest.raises(TypeError, match="filters was saved with the model, or is no parameter"):
        load(tmp_path / "model", **functions, filters=3)
    with pytest.raises(TypeError, match=r"tokeniser was saved .* left out were (analyzer|strip|token)"):
        load(tmp_path / "model", tokeniser=split)


def test_what_only_training_uses_is_warned_of(tmp_path):
    pytest.importorskip("sktextcnn.engine.keras_engine")  # which trains with callbacks
    clf = tiny(
        metric=metric,
        keras_callbacks=no_callbacks,
        random_state=np.random.RandomState(0),
        tokenizer=split,
    ).fit(TEXTS, TAGS)
    message = (
        r"keras_callbacks=test_saving\.no_callbacks, "
        r"metric=test_saving\.metric, "
        r"random_state=an instance of numpy\.random\.mtrand\.RandomState cannot be saved; "
        r"a loaded classifier predicts the same, and has the default instead\. "
        r"Pass it to load to keep it\."
    )
    with pytest.warns(UserWarning, match=message) as caught:
        clf.save(tmp_path / "model")
    assert [warning.filename for warning in caught] == [__file__]
    assert "tokenizer" not in str(caught[0].message)  # load asks for it anyway
    loaded = load(tmp_path / "model", tokenizer=split)
    assert (loaded.metric, loaded.keras_callbacks) == ("f1_micro", None)
    assert loaded.random_state is None
    assert_same_predictions(loaded, clf)
    loaded = load(tmp_path / "model", tokenizer=split, metric=metric, random_state=3)
    assert loaded.metric is metric
    assert loaded.random_state == 3
    loaded.fit(TEXTS, TAGS)


@pytest.mark.parametrize("mode", ["trainable", "static", "multichannel"])
def test_word_vectors_are_not_saved_but_their_table_is(mode, tmp_path):
    clf = with_vectors(embedding_mode=mode).fit(TEXTS, TAGS)
    message = r"embeddings=an instance of sktextcnn\.embeddings\.WordVectors cannot be saved"
    with pytest.warns(UserWarning, match=message):
        clf.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.embeddings is None
    assert_same_predictions(loaded, clf)
    loaded = load(tmp_path / "model", embeddings=VECTORS)
    assert loaded.embeddings is VECTORS
    assert same_weights(loaded.fit(TEXTS, TAGS), clf)


# -- a process that only predicts --------------------------------------------------------------------

PREDICT = """
import json, sys, warnings

warnings.simplefilter("error")
import sktextcnn

folder, texts = sys.argv[1], json.loads(sys.argv[2])
scores = {}
for name in sys.argv[3:]:
    clf = sktextcnn.load(f"{folder}/{name}")
    clf.predict(texts), clf.decision_function(iter(texts)), clf.predict_labels(texts)
    clf.score(texts, clf.predict_labels(texts) if clf.multilabel_ else clf.predict(texts))
    scores[name] = clf.predict_proba(texts).tolist()
heavy = ["tensorflow", "keras", "scikeras", "sklearn.svm", "sklearn.metrics", "sklearn.model_selection"]
print(json.dumps([scores, [name for name in heavy if name in sys.modules]]))
"""


def run_python(script, *arguments, **variables):
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_process_that_only_predicts_imports_no_training_code(linear, tmp_path):
    models = {
        "linear": linear,
        "topics": KINDS["one label"](),
        "vectors": with_vectors(embedding_mode="multichannel").fit(TEXTS, TAGS),
    }
    linear.save(tmp_path / "linear")
    models["topics"].save(tmp_path / "topics")
    with pytest.warns(UserWarning, match="embeddings=.* cannot be saved"):
        models["vectors"].save(tmp_path / "vectors")
    scores, imported = json.loads(run_python(PREDICT, tmp_path, json.dumps(NEW_TEXTS), *models))
    assert imported == []
    assert scores.keys() == models.keys()
    for name, clf in models.items():
        assert np.array_equal(np.float32(scores[name]), clf.predict_proba(NEW_TEXTS))


# -- as a Keras model --------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[(1, 2), (1, 3), (3, 3)], ids=str)
def two_forms(request):
    """A classifier with a linear part, and its Keras model."""
    clf = blended(linear_ngram_range=request.param, min_df=2).fit(MANY, THEIR_TAGS)
    assert clf.linear_part_.ngrams.keys.size
    assert (clf.linear_part_.blend[:2].max(axis=1) > 0.1).all()
    return clf, clf.to_keras()


def ids_of(clf, texts, extra=0):
    return encode(texts, build_tokenizer(), clf.vocabulary_).padded(extra)


TOKENS = st.sampled_from([*"aabbc", *WORDS[:3], "unheard"])


@settings(max_examples=25)
@given(
    rows=st.lists(st.lists(TOKENS, max_size=9), min_size=1, max_size=4),
    extra=st.integers(0, 3),
)
def test_the_keras_model_of_a_linear_part_says_the_same(two_forms, rows, extra):
    clf, model = two_forms
    texts = [" ".join(row) for row in rows]
    found = np.asarray(model(ids_of(clf, texts, extra)))
    np.testing.assert_allclose(found, clf.predict_proba(texts), atol=1e-5)


def test_the_keras_model_of_a_linear_part_and_odd_texts(two_forms):
    clf, model = two_forms
    texts = ["", "a", "unheard", "a b " * 20, "a a a a a", "a unheard b", "unheard a b unheard", *MANY]
    expected = clf.predict_proba(texts)
    np.testing.assert_allclose(np.asarray(model(ids_of(clf, texts))), expected, atol=1e-5)
    # Both parts have their say.
    without = replace(clf.linear_part_, kernel=np.zeros_like(clf.linear_part_.kernel))
    silent = {**clf.weights_, "output_kernel": np.zeros_like(clf.weights_["output_kernel"])}
    for attribute, value in [("linear_part_", without), ("weights_", silent)]:
        other = copy.copy(clf)
        setattr(other, attribute, value)
        assert np.abs(other.predict_proba(texts) - expected).max() > 0.01


def test_one_label_per_text_in_keras():
    topics = ["".join(tags) or "none" for tags in THEIR_TAGS]
    clf = blended().fit(MANY, topics)
    texts = ["", "a", "unheard", "c c c b", *MANY[:20]]
    found = np.asarray(clf.to_keras()(ids_of(clf, texts, 2)))
    np.testing.assert_allclose(found, clf.predict_proba(texts), atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


LOAD = """
import sys
import keras, numpy as np
import sktextcnn.engine.network  # knows the layers

folder = sys.argv[1]
ids = np.load(folder + "/ids.npy")
for path in sys.argv[2:]:
    np.save(path + ".npy", np.asarray(keras.saving.load_model(path)(ids)))
"""


# Keras hands its variables to NumPy 2 without the `copy` argument that NumPy asks for.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_a_keras_model_in_another_process(linear, tmp_path):
    models = [linear, blended(linear_ngram_range=(1, 3)).fit(MANY, THEIR_TAGS)]
    texts = ["", "a b c", "unheard a", "a a a a", *MANY[:10]]
    assert linear.vocabulary_ == models[1].vocabulary_
    np.save(tmp_path / "ids.npy", ids_of(linear, texts))
    paths = [str(tmp_path / f"{i}.keras") for i in range(2)]
    for clf, path in zip(models, paths, strict=True):
        clf.to_keras().save(path)
    run_python(LOAD, tmp_path, *paths, TF_CPP_MIN_LOG_LEVEL="2")
    for clf, path in zip(models, paths, strict=True):
        np.testing.assert_allclose(np.load(path + ".npy"), clf.predict_proba(texts), atol=1e-5)


# -- after a fit that failed -------------------------------------------------------------------------


class Error(Exception):
    """One that nobody else raises."""


def let_fail(monkeypatch, step, error, first=1):
    """Let a step of the recipe raise an error from a certain call on."""
    real, calls = getattr(fitting, step), []

    def failing_step(*arguments, **options):
        calls.append(step)
        if len(calls) >= first:
            raise error
        return real(*arguments, **options)

    monkeypatch.setattr(fitting, step, failing_step)


@pytest.mark.parametrize("before", ["nothing", "network", "linear part"])
@pytest.mark.parametrize(
    ("step", "first", "error"),
    [
        ("fit_linear", 1, Error("no")),  # beside the network
        ("fit_blend", 1, KeyboardInterrupt()),
        ("fit_linear", 2, Error("no")),  # to all texts
        ("fit_linear", 2, KeyboardInterrupt()),
    ],
    ids=["first", "blend", "last", "last interrupted"],
)
def test_a_fit_whose_linear_part_fails_leaves_all_as_it_was(step, first, error, before, monkeypatch):
    clf = blended(epochs=1)
    if before == "network":
        clf.set_params(linear=False).fit(TEXTS, TAGS).set_params(linear=True, validation=0.1)
    elif before == "linear part":
        clf.fit(MANY[:30], THEIR_TAGS[:30])
    objects = dict(vars(clf))
    contents = pickle.dumps(fitted_attributes(clf))
    let_fail(monkeypatch, step, error, first)
    with pytest.raises(type(error)):
        clf.fit(MANY[20:60], THEIR_TAGS[20:60])
    assert vars(clf).keys() == objects.keys()
    assert all(vars(clf)[name] is value for name, value in objects.items())
    assert pickle.dumps(fitted_attributes(clf)) == contents


def test_nothing_is_broken_after_a_fit_that_failed(linear, monkeypatch, tmp_path):
    clf = pickle.loads(pickle.dumps(linear))
    with monkeypatch.context() as patch:
        let_fail(patch, "fit_linear", Error("no"))
        with pytest.raises(Error):
            clf.fit(TEXTS * 3, TAGS * 3)
    clf.save(tmp_path / "model")
    assert_same_predictions(load(tmp_path / "model"), linear)
    assert same_weights(clf.fit(MANY, THEIR_TAGS), linear)
