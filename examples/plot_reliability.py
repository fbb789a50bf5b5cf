"""
Are probabilities probabilities?
================================

Of all labels that were given a probability of about 0.8, about 80 percent should be right. The curve
shows how far that holds, on texts that were not learned from.
"""

from sklearn.model_selection import train_test_split

from sktextcnn import TextCNNClassifier
from sktextcnn.datasets import load_news_tags
from sktextcnn.plotting import ReliabilityDisplay

X, Y = load_news_tags(return_X_y=True)
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.25, random_state=0)
clf = TextCNNClassifier(embedding_dim=32, filters=32, validation=0.2, random_state=0)
clf = clf.fit(X_train, Y_train)

display = ReliabilityDisplay.from_estimator(clf, X_test, Y_test)

# %%
# In a number, the mean distance between the two:

print(f"{display.expected_calibration_error:.3f}")
