"""
Vectors from your own texts
===========================

Unlabelled texts are often at hand where labelled ones are few. The company that their tokens keep
becomes vectors, in seconds, from which the network starts. Does it help?
"""

import matplotlib.pyplot as plt
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

from sktextcnn import TextCNNClassifier, learn_embeddings
from sktextcnn.datasets import load_news_tags

X, Y = load_news_tags(return_X_y=True)

# %%
# Vectors of all texts, without their labels:

vectors = learn_embeddings(X, dim=64, random_state=0)
print(vectors)

# %%
# The network alone, fitted to 200 labelled texts, with vectors that start there or at random. Four
# draws of these texts:

starts = {"at random": None, "from all texts": vectors}
scores = []
for seed in range(4):
    X_train, X_test, Y_train, Y_test = train_test_split(X, Y, train_size=200, random_state=seed)
    for embeddings in starts.values():
        clf = TextCNNClassifier(
            embeddings=embeddings,
            embedding_dim=64,
            filters=32,
            linear=False,
            validation=0.2,
            random_state=seed,
        ).fit(X_train, Y_train)
        scores.append(f1_score(Y_test, clf.predict(X_test), average="micro"))

_, ax = plt.subplots(figsize=(5, 4), layout="constrained")
for pair in zip(scores[::2], scores[1::2], strict=True):
    ax.plot(list(starts), pair, "o-")
ax.margins(x=0.3)
_ = ax.set(xlabel="where vectors start", ylabel="micro-F1 on the other texts")

# %%
# Beside the linear part, which does most of the work on so few texts, there is less left to gain.
# Four larger data sets: :doc:`/embeddings`.
