"""
Beside a linear model, text by text
===================================

How many texts does it take? Both learn from the same ones, and are measured on the same others. The
linear model is what one should try first: SVMs on tf-idf, with thresholds tuned as ours are.
"""

from sktextcnn import TextCNNClassifier
from sktextcnn.datasets import load_news_tags
from sktextcnn.plotting import LearningCurveDisplay

X, Y = load_news_tags(return_X_y=True)
clf = TextCNNClassifier(embedding_dim=32, filters=32, validation=0.2, random_state=0)
LearningCurveDisplay.from_estimator(clf, X, Y, train_sizes=[60, 150, 400], n_splits=2)

# %%
# That is one small sample. On five real data sets: :ref:`few-texts`.
