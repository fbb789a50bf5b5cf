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
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, train_size=200, random_state=0)

# %%
# Vectors of all texts, without their labels:

vectors = learn_embeddings(X, dim=64, random_state=0)
print(vectors)

# %%
# The same classifier, with the network's vectors from there or from nowhere, alone or beside the
# linear part:

scores = {"at random": [], "from all texts": []}
for linear in (False, True):
    for name, embeddings in zip(scores, (None, vectors), strict=True):
        clf = TextCNNClassifier(
            embeddings=embeddings,
            embedding_dim=64,
            filters=32,
            linear=linear,
            validation=0.2,
            random_state=0,
        ).fit(X_train, Y_train)
        scores[name].append(f1_score(Y_test, clf.predict(X_test), average="micro"))

_, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for shift, (name, f1) in zip((-0.2, 0.2), scores.items(), strict=True):
    ax.bar_label(ax.bar([shift, 1 + shift], f1, width=0.4, label=name), fmt="%.2f")
ax.set_xticks([0, 1], ["the network alone", "with the linear part"])
ax.set_ylabel("micro-F1, 200 labelled texts")
_ = ax.legend(title="the vectors start", loc="upper left")

# %%
# The network alone gains. Beside the linear part, which does most of the work on so few texts, there
# is little left to gain. Four larger data sets: :doc:`/embeddings`.
