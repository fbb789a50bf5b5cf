"""
First fit
=========

Raw texts and tags go in, tags come out; a part of the texts is set aside to see how good they are.
"""

from sklearn.model_selection import train_test_split

from sktextcnn import TextCNNClassifier
from sktextcnn.datasets import load_news_tags
from sktextcnn.metrics import evaluate
from sktextcnn.plotting import TrainingHistoryDisplay

X, Y = load_news_tags(return_X_y=True)
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.25, random_state=0)
clf = TextCNNClassifier(embedding_dim=32, filters=32, validation=0.2, random_state=0)
clf = clf.fit(X_train, Y_train)

# %%
# New texts get as many tags as reach their thresholds:

texts = [
    "The team won the final match of the season",
    "The school children planted trees in the forest",
]
for text, labels in zip(texts, clf.predict_labels(texts), strict=True):
    print(f"{text}: {', '.join(labels)}")

# %%
# How often that is right, label by label:

evaluate(clf, X_test, Y_test)

# %%
# How training went. The score is that of the network alone, on texts that it had not learned from;
# the weights of the best epoch were kept.

TrainingHistoryDisplay.from_estimator(clf)
