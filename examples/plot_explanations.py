"""
Why this label?
===============

A filter's largest response comes from one n-gram of the text, and from there on everything is a sum:
so the score of each label can be taken apart into the n-grams that it came from, exactly.
"""

import matplotlib.pyplot as plt

from sktextcnn import TextCNNClassifier
from sktextcnn.datasets import load_news_tags

X, Y = load_news_tags(return_X_y=True)
clf = TextCNNClassifier(embedding_dim=32, filters=32, validation=0.2, random_state=0).fit(X, Y)
(explanations,) = clf.explain(["The school children planted trees in the forest"])
explanations

# %%
# A label that was not predicted can be asked for, and says what spoke against it:

(explanations,) = clf.explain(["The school children planted trees in the forest"], labels=["Sport"])
explanations

# %%
# What a label is recognised by, over many texts:

top = clf.top_ngrams(X, "Environment", n=12)[::-1]
_, ax = plt.subplots(layout="constrained")
ax.barh([entry.ngram for entry in top], [entry.contribution for entry in top])
_ = ax.set(title="Environment", xlabel="what an n-gram adds to the logit, on average")
