"""
Thresholds
==========

A label is predicted from a probability on. Where that threshold lies decides between labels that are
missed and labels that are wrong. By default each label has one of its own, the best for micro-F1 on
texts that were held out of training.
"""

import matplotlib.pyplot as plt
from sklearn.model_selection import train_test_split

from sktextcnn import TextCNNClassifier
from sktextcnn.datasets import load_news_tags
from sktextcnn.metrics import evaluate
from sktextcnn.plotting import ThresholdCurveDisplay

X, Y = load_news_tags(return_X_y=True)
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.25, random_state=0)
clf = TextCNNClassifier(embedding_dim=32, filters=32, validation=0.2, random_state=0)
evaluation = evaluate(clf.fit(X_train, Y_train), X_test, Y_test)

# %%
# All labels together: the curves are those of one threshold for all, the marks show where the
# classifier's own thresholds lie.

ThresholdCurveDisplay.from_evaluation(evaluation)

# %%
# Two of the labels:

_, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for ax, label in zip(axes, ["Science", "Travel"], strict=True):
    ThresholdCurveDisplay.from_evaluation(evaluation, label=label, ax=ax)

# %%
# Thresholds are an attribute. Where a missed label costs more than a wrong one, lower them and see:

clf.thresholds_ = clf.thresholds_ / 4
print(f"recall {evaluation.scores['recall_micro']:.2f} before")
print(f"recall {evaluate(clf, X_test, Y_test).scores['recall_micro']:.2f} after")
