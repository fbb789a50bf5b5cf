"""
Sigmoid or softmax?
===================

For several labels per text, the output may give each label a probability of its own (sigmoid), or
divide one unit among them (softmax with a shared target). What that means can be seen in the
probabilities of the labels that texts do carry: those of softmax fall with the number of labels to
share with.
"""

import matplotlib.pyplot as plt
from sklearn.model_selection import train_test_split

from sktextcnn import TextCNNClassifier
from sktextcnn.datasets import load_news_tags

X, Y = load_news_tags(return_X_y=True)
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.4, random_state=0)
n_labels = Y_test.sum(axis=1)
_, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for ax, loss in zip(axes, ["binary_crossentropy", "kl_divergence"], strict=True):
    clf = TextCNNClassifier(loss=loss, embedding_dim=32, filters=32, validation=0.2, random_state=0)
    probabilities = clf.fit(X_train, Y_train).predict_proba(X_test)
    groups = [probabilities[n_labels == m][Y_test[n_labels == m] == 1] for m in (1, 2, 3)]
    ax.boxplot(groups, tick_labels=["1", "2", "3"])
    ax.set(title=f'loss="{loss}"', xlabel="labels that a text carries")
_ = axes[0].set_ylabel("probabilities of its labels")

# %%
# Either way thresholds are tuned on held-out texts, so that decisions can be equally good:
# :doc:`/sigmoid_or_softmax`.
