"""
Save and load
=============

A fitted classifier is a folder of JSON and arrays, without pickle. How large is it, and what takes
the room?
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import matplotlib.pyplot as plt

import sktextcnn
from sktextcnn.datasets import load_news_tags

X, Y = load_news_tags(return_X_y=True)
clf = sktextcnn.TextCNNClassifier(validation=0.2, random_state=0).fit(X, Y)

with TemporaryDirectory() as folder:
    model = Path(folder) / "model"
    clf.save(model)
    size = sum(file.stat().st_size for file in model.rglob("*") if file.is_file())
    start = perf_counter()
    loaded = sktextcnn.load(model)
    print(f"{size / 1e6:.1f} MB, loaded in {1000 * (perf_counter() - start):.0f} ms")
    print(loaded.predict_labels(["The team won the final match of the season"]))

# %%
# The arrays that take most of it:

sizes = {name: weights.nbytes / 1e6 for name, weights in clf.weights_.items()}
largest = sorted(sizes.items(), key=lambda entry: entry[1])[-8:]
_, ax = plt.subplots(layout="constrained")
ax.barh(*zip(*largest, strict=True))
_ = ax.set_xlabel("MB")
