"""A process that only predicts loads neither TensorFlow nor anything else that only training needs."""

from __future__ import annotations

import json
import pickle

import joblib
import numpy as np
import pytest

from tests.examples import IS_SPORT, TAGS, TEXTS, TOPICS, corpus, tiny
from tests.processes import run_python

MANY, Y = corpus(100)
NEW_TEXTS = ["", "the match", "soup soup soup", "unheard of", "a0 w1 c2 a0", " ".join(TEXTS)]
VECTORS = {"match": [1.0, 2.0], "striker": [0.5, -1.0]}
MODELS = {
    "several labels": lambda: tiny(hidden_units=5).fit(TEXTS, TAGS),
    "one label": lambda: tiny().fit(TEXTS, TOPICS),
    "two classes": lambda: tiny().fit(TEXTS, IS_SPORT),
    "both parts": lambda: tiny(linear=True, validation=0.3).fit(MANY, Y),
    "vectors": lambda: tiny(embeddings=VECTORS, embedding_mode="multichannel").fit(TEXTS, TAGS),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every model in a folder of its own, as a pickle, and as joblib writes it."""
    folder = tmp_path_factory.mktemp("models")
    for name, make in MODELS.items():
        clf = make()
        if name == "vectors":
            with pytest.warns(UserWarning, match="embeddings=.* cannot be saved"):
                clf.save(folder / name)
        else:
            clf.save(folder / name)
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(clf))
        joblib.dump(clf, folder / f"{name}.joblib")
    return folder


PREDICT = """
    import json, pickle, sys, warnings

    warnings.simplefilter("error")
    folder, texts, names, heavy = sys.argv[1], *map(json.loads, sys.argv[2:])

    def load(name):
        import sktextcnn
        return sktextcnn.load(f"{folder}/{name}")

    def unpickle(name):
        with open(f"{folder}/{name}.pickle", "rb") as file:
            return pickle.load(file)

    def read_joblib(name):
        import joblib
        return joblib.load(f"{folder}/{name}.joblib")

    for read in (load, unpickle, read_joblib):
        said = {}
        for name in names:
            clf = read(name)
            clf.predict(texts), clf.predict_labels(texts), clf.decision_function(iter(texts))
            clf.explain(texts)
            clf.score(texts, clf.predict_labels(texts) if clf.multilabel_ else clf.predict(texts))
            said[name] = [clf.decision_function(texts).tolist(), clf.predict_proba(texts).tolist()]
        print(json.dumps([said, [name for name in heavy if name in sys.modules]]))
"""

HEAVY = ["tensorflow", "keras", "scikeras", "torch", "jax"]
#: What only training uses; a pickle may name more of scikit-learn.
OF_TRAINING = ["sklearn.svm", "sklearn.metrics", "sklearn.model_selection"]
WAYS = ["load", "pickle", "joblib"]


@pytest.fixture(scope="module")
def predicted(folder):
    """For each way of reading, one after the other: what the models say, and what is imported then."""
    arguments = map(json.dumps, (NEW_TEXTS, [*MODELS], HEAVY + OF_TRAINING))
    lines = run_python(PREDICT, folder, *arguments).stdout.splitlines()
    return dict(zip(WAYS, map(json.loads, lines), strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_a_process_that_only_predicts(folder, predicted, way):
    said, imported = predicted[way]
    assert not {*imported} & {*HEAVY, *(OF_TRAINING if way == "load" else [])}
    assert said.keys() == MODELS.keys()
    for name, (logits, probabilities) in said.items():
        clf = pickle.loads((folder / f"{name}.pickle").read_bytes())
        np.testing.assert_array_equal(np.float32(logits), clf.decision_function(NEW_TEXTS))
        np.testing.assert_array_equal(np.float32(probabilities), clf.predict_proba(NEW_TEXTS))
