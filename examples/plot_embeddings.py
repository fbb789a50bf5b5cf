"""
Vectors from your own texts
===========================

Unlabelled texts are often at hand where labelled ones are few. What their tokens have in common becomes vectors, in seconds,
from which the network starts: tokens that stand among the same neighbours lie close to each other.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from sktextcnn import TextCNNClassifier, learn_embeddings
from sktextcnn.datasets import load_news_tags

X, Y = load_news_tags(return_X_y=True)
vectors = learn_embeddings(X, dim=32, random_state=0)
vectors

# %%
# Some words of four topics, and where their vectors lie:

topics = {
    "Health": ["doctor", "hospital", "vaccines", "patients"],
    "Sport": ["team", "match", "goalkeeper", "season"],
    "Politics": ["minister", "election", "parliament", "vote"],
    "Food": ["recipe", "bread", "restaurant", "cheese"],
}
words = [word for row in topics.values() for word in row if word in vectors.words]
table = np.array([vectors[word] for word in words])
x, y = PCA(2).fit_transform(table / np.linalg.norm(table, axis=1, keepdims=True)).T
_, ax = plt.subplots(layout="constrained")
for topic, row in topics.items():
    shown = [i for i, word in enumerate(words) if word in row]
    ax.scatter(x[shown], y[shown], label=topic)
for word, *point in zip(words, x, y, strict=True):
    ax.annotate(word, point, (5, 3), textcoords="offset points")
ax.legend()

# %%
# A classifier takes them as they are:

clf = TextCNNClassifier(embeddings=vectors, filters=32, validation=0.2, random_state=0)
clf.fit(X[:150], Y[:150]).predict_labels(["The doctor treats patients in the hospital"])
