"""New processes: load a saved model and tag one text; fit to a few texts, save, load and tag."""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory, gettempdir
from time import perf_counter

from _data import indicator, label_names, load
from _measure import BASELINE, Result, baseline, baseline_title, fresh, missing
from _networks import DEFAULTS, Encoder, keras_network, ours

SET, N_SMALL = "goemotions", 200
TEXT = "Thank you so much, this made my day!"

SKLEARN = "import sklearn.preprocessing"
TENSORFLOW = "import tensorflow"

FIT = """
import json
import sktextcnn
with open({folder!r} + "/small.json", encoding="utf-8") as file:
    texts, labels = json.load(file)
sktextcnn.TextCNNClassifier(random_state=0).fit(texts, labels).save({model!r})
"""

TAG = """
import sktextcnn
print(sktextcnn.load({model!r}).predict_labels([{text!r}]))
"""

KERAS = """
import json, re
import keras, numpy as np
model = keras.models.load_model({folder!r} + "/model.keras")
with open({folder!r} + "/vocabulary.json", encoding="utf-8") as file:
    vocabulary = json.load(file)
tokens = re.findall(r"\\w+|[^\\w\\s]", {text!r}.lower())[: model.input_shape[1]]
ids = np.zeros((1, model.input_shape[1]), np.int32)
ids[0, : len(tokens)] = [vocabulary.get(token, 1) for token in tokens]
print(np.flatnonzero(model.predict(ids, verbose=0)[0] >= 0.5))
"""


def rows(options):
    """Return the results."""
    reasons = missing([BASELINE])
    options.skipped.update(reasons)
    versions = {"ours": None} if BASELINE in reasons else {"ours": None, "earlier": baseline()}
    with TemporaryDirectory() as folder:
        fresh(save_others, folder, options.rows)
        tasks = {"sklearn": (SKLEARN, None), "tensorflow": (TENSORFLOW, None)}
        tasks["keras"] = KERAS.format(folder=folder, text=TEXT), None
        for name, path in versions.items():
            fresh(save_ours, f"{folder}/{name}", options.rows, path=path)
            tasks[name] = TAG.format(model=f"{folder}/{name}", text=TEXT), path
            small = f"{folder}/small-{name}"
            tasks[f"fit {name}"] = FIT.format(folder=folder, model=small), path
            tasks[f"tag {name}"] = TAG.format(model=small, text=TEXT), path
        seconds = {name: [] for name in tasks}
        for repeat in range(options.repeats + 3):
            for name, (code, path) in tasks.items():
                if name.startswith("fit"):
                    rmtree(f"{folder}/small-{name.removeprefix('fit ')}", ignore_errors=True)
                took = run(code, path)
                if repeat:  # files come from the disk the first time
                    seconds[name].append(took)
    both = {
        name: [a + b for a, b in zip(seconds[f"fit {name}"], seconds[f"tag {name}"], strict=True)]
        for name in versions
    }
    small, what = f"fit to {N_SMALL} texts and save; load and tag one", "load and tag one text"
    results = [
        Result(small, "import tensorflow alone", both["ours"], seconds["tensorflow"]),
        Result(what, "plain Keras", seconds["ours"], seconds["keras"]),
        Result(
            what,
            "import sklearn.preprocessing alone",
            seconds["ours"],
            seconds["sklearn"],
            charted=False,
        ),
    ]
    if "earlier" in versions:
        title = baseline_title()
        results.insert(1, Result(small, title, both["ours"], both["earlier"], charted=False))
        results.append(Result(what, title, seconds["ours"], seconds["earlier"], charted=False))
    return results


def save_others(folder, n_rows):
    """Save the texts that a new process fits to, and a Keras model with its vocabulary."""
    texts, labels, _, _ = load(SET, n_rows=n_rows)
    small = texts[:N_SMALL], labels[:N_SMALL]
    Path(folder, "small.json").write_text(json.dumps(small), encoding="utf-8")
    encoder = Encoder(texts, DEFAULTS)
    n_labels = len(label_names(labels))
    keras_network(DEFAULTS, encoder.n_tokens, n_labels, encoder.length).save(f"{folder}/model.keras")
    Path(folder, "vocabulary.json").write_text(json.dumps(encoder.vocabulary), encoding="utf-8")


def save_ours(path, n_rows):
    """Save our classifier."""
    texts, labels, _, _ = load(SET, n_rows=n_rows)
    ours(DEFAULTS, epochs=1).fit(texts, indicator(labels, label_names(labels))).save(path)


def run(code, path):
    """Return the seconds of a new Python process."""
    env = os.environ if path is None else {**os.environ, "PYTHONPATH": path}
    start = perf_counter()
    # Not in this folder, whose package would come before that of the path.
    command = [sys.executable, "-c", code]
    subprocess.run(command, check=True, capture_output=True, env=env, cwd=gettempdir())
    return perf_counter() - start
