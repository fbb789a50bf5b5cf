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
    way, folder, texts, names, heavy = sys.argv[1], sys.argv[2], *map(json.loads, sys.argv[3:])

    def read(name):
        if way == "load":
            import sktextcnn
            return sktextcnn.load(f"{folder}/{name}")
        if way == "joblib":
            import joblib
            return joblib.load(f"{folder}/{name}.joblib")
        with open(f"{folder}/{name}.pickle", "rb") as file:
            return pickle.load(file)

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


@pytest.mark.parametrize("way", ["load", "pickle", "joblib"])
def test_a_process_that_only_predicts(folder, way):
    heavy = [*HEAVY, *(OF_TRAINING if way == "load" else [])]
    done = run_python(PREDICT, way, folder, *map(json.dumps, (NEW_TEXTS, [*MODELS], heavy)))
    said, imported = json.loads(done.stdout)
    assert imported == []
    assert said.keys() == MODELS.keys()
    for name, (logits, probabilities) in said.items():
        clf = pickle.loads((folder / f"{name}.pickle").read_bytes())
        np.testing.assert_array_equal(np.float32(logits), clf.decision_function(NEW_TEXTS))
        np.testing.assert_array_equal(np.float32(probabilities), clf.predict_proba(NEW_TEXTS))


def test_a_process_that_tags_one_text_compiles_nothing_either(folder):
    script = """
        import json, sys
        import sktextcnn

        clf = sktextcnn.load(sys.argv[1])
        clf.predict(["the match"]), clf.predict_proba(["the match"]), clf.predict_labels(["the match"])
        print(json.dumps(sorted({"numba", "llvmlite"} & {*sys.modules})))
    """
    assert json.loads(run_python(script, folder / "several labels").stdout) == []
