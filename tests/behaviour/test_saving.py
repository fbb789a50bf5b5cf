"""A saved classifier, loaded, is the one that it was."""

from __future__ import annotations

import copy
import functools
import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sktextcnn import TextCNNClassifier, load, load_embeddings
from tests.examples import (
    IS_SPORT,
    LABELS,
    TAGS,
    TEXTS,
    TOPICS,
    corpus,
    fitted_attributes,
    matrix_of,
    same_weights,
    tiny,
)
from tests.folders import assert_same_values, tree

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
    "a0 w1 c2 a0",
]

MANY, THEIR_TAGS = corpus(100)


def blended(**parameters):
    """Return an unfitted classifier with a linear part, beside which the network has its say."""
    strong = {"epochs": 6, "learning_rate": 0.05, "filters": 8, "validation": 0.3}
    return tiny(**{"early_stopping": True, "linear": True, "validation": 0.1, **strong, **parameters})


def with_vectors(**parameters):
    return tiny(**{"embeddings": VECTORS, "embedding_mode": "static", **parameters})


def assert_same_predictions(a, b, texts=NEW_TEXTS):
    assert np.array_equal(a.predict_proba(texts), b.predict_proba(texts))
    assert np.array_equal(a.decision_function(texts), b.decision_function(texts))
    first, second = a.predict(texts), b.predict(texts)
    assert type(first) is type(second)
    if sparse.issparse(first):
        first, second = first.toarray(), second.toarray()
    assert np.array_equal(first, second)
    assert a.predict_labels(texts) == b.predict_labels(texts)


KINDS = {
    "several labels": lambda: tiny(hidden_units=3).fit(TEXTS, TAGS),
    "one label": lambda: tiny().fit(TEXTS, TOPICS),
    "two classes": lambda: tiny().fit(TEXTS, IS_SPORT),
    "sparse matrix": lambda: tiny().fit(TEXTS, sparse.csr_matrix(matrix_of())),
    "mini-batches": lambda: tiny().partial_fit(TEXTS, TAGS),
    "linear part": lambda: blended().fit(MANY, THEIR_TAGS),
    "tuned": lambda: tiny(threshold="tune", metric="f1_macro", validation=0.3).fit(MANY, THEIR_TAGS),
    "characters": lambda: tiny(analyzer="char", max_length=9).fit(TEXTS, TAGS),
}


@pytest.fixture(scope="module", params=KINDS)
def fitted(request):
    return KINDS[request.param]()


@pytest.fixture(scope="module")
def linear():
    return KINDS["linear part"]()


# -- there and back ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("map_from")
def test_a_loaded_classifier_predicts_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert type(loaded) is TextCNNClassifier
    assert loaded.get_params() == fitted.get_params()
    assert_same_predictions(loaded, fitted)
    kept = fitted_attributes(fitted)
    kept.pop("optimizer_state_", None)
    assert_same_values(fitted_attributes(loaded), kept)


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
def test_a_pickle_of_a_loaded_classifier_needs_no_folder(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    pickled = pickle.dumps(load(tmp_path / "model"))
    shutil.rmtree(tmp_path / "model")
    assert_same_predictions(pickle.loads(pickled), fitted)


@pytest.mark.usefixtures("map_from")
@pytest.mark.parametrize("include_optimizer", [False, True])
def test_learning_goes_on(include_optimizer, tmp_path):
    clf = tiny(warm_start=True).fit(TEXTS, TAGS)
    clf.save(tmp_path / "model", include_optimizer=include_optimizer)
    files = tree(tmp_path)
    for go_on in (lambda c: c.fit(TEXTS, TAGS), lambda c: c.partial_fit(TEXTS, TAGS)):
        loaded, original = load(tmp_path / "model"), pickle.loads(pickle.dumps(clf))
        assert hasattr(loaded, "optimizer_state_") == include_optimizer
        if include_optimizer:
            assert_same_values(vars(loaded), vars(original))
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


# -- what files do not hold -------------------------------------------------------------------------


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
