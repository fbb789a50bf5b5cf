"""A new process: import, load a saved model, tag one text."""

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from _data import indicator, label_names, load
from _measure import Result, fresh
from _networks import DEFAULTS, Encoder, keras_network, ours

SET = "goemotions"
TEXT = "Thank you so much, this made my day!"

SKLEARN = "import sklearn.preprocessing"

OURS = """
import sktextcnn
print(sktextcnn.load({folder!r}).predict_labels([{text!r}]))
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
    with TemporaryDirectory() as folder:
        fresh(save_models, folder, options.rows)
        codes = {
            "sklearn": SKLEARN,
            "ours": OURS.format(folder=f"{folder}/ours", text=TEXT),
            "keras": KERAS.format(folder=folder, text=TEXT),
        }
        for code in codes.values():
            run(code)  # files come from the disk the first time
        seconds = {name: [] for name in codes}
        for _ in range(options.repeats + 2):
            for name, code in codes.items():
                seconds[name].append(run(code))
    what = "a new process: import, load, tag one text"
    peer = "import sklearn.preprocessing"
    return [
        Result(what, peer, seconds["ours"], seconds["sklearn"], target=1.2, at_least=False),
        Result(what, "the same with Keras", seconds["ours"], seconds["keras"]),
    ]


def save_models(folder, n_rows):
    """Save our classifier, and a Keras model with its vocabulary."""
    texts, labels, _, _ = load(SET, n_rows=n_rows)
    Y = indicator(labels, label_names(labels))
    ours(DEFAULTS, epochs=1).fit(texts, Y).save(f"{folder}/ours")
    encoder = Encoder(texts, DEFAULTS)
    keras_network(DEFAULTS, encoder.n_tokens, Y.shape[1], encoder.length).save(f"{folder}/model.keras")
    Path(folder, "vocabulary.json").write_text(json.dumps(encoder.vocabulary), encoding="utf-8")


def run(code):
    """Return the seconds of a new Python process."""
    start = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return perf_counter() - start
