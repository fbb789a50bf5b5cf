"""
F1 of each label
================

One F1 for all labels together hides those that the classifier does not know. The display shows every
label, with the number of texts that carry it.
"""

from sklearn.model_selection import train_test_split

from sktextcnn import TextCNNClassifier
from sktextcnn.datasets import load_news_tags
from sktextcnn.plotting import LabelScoresDisplay

X, Y = load_news_tags(return_X_y=True)
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.25, random_state=0)
clf = TextCNNClassifier(embedding_dim=32, filters=32, validation=0.2, random_state=0)
clf = clf.fit(X_train, Y_train)

# %%
# What stands at the bottom deserves a look at :doc:`its mistakes <plot_mistakes>`.

LabelScoresDisplay.from_estimator(clf, X_test, Y_test)
