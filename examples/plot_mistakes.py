"""
Look at the mistakes
====================

The worst mistakes on texts that were not learned from, with what the classifier saw in them: a way to
find labels that are given wrongly, words that mislead, and texts of which there should be more.
"""

import matplotlib.pyplot as plt
from sklearn.model_selection import train_test_split

from sktextcnn import TextCNNClassifier
from sktextcnn.datasets import load_news_tags

X, Y = load_news_tags(return_X_y=True)
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.25, random_state=0)
clf = TextCNNClassifier(embedding_dim=32, filters=32, validation=0.2, random_state=0)
clf = clf.fit(X_train, Y_train)

# %%
# The worst one:

mistakes = clf.explain_errors(X_test, Y_test, n=2)
mistakes[0]

# %%
# And the next:

mistakes[1]

# %%
# How many there are of each kind:

kinds = {"miss": (Y_test == 1) & (clf.predict(X_test) == 0)}
kinds["false positive"] = (Y_test == 0) & (clf.predict(X_test) == 1)
_, ax = plt.subplots(layout="constrained")
left = 0
for kind, wrong in kinds.items():
    ax.barh(clf.classes_, wrong.sum(axis=0), left=left, label=kind)
    left = wrong.sum(axis=0)
ax.set_xlabel("labels of held-out texts")
_ = ax.legend()
