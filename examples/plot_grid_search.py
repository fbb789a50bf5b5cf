"""
Grid search
===========

A label matrix goes through all of scikit-learn's model selection, and the classifier's parameters are
flat. Here two of them are searched, by the F1 of decisions on texts that a candidate has not learned
from.
"""

import matplotlib.pyplot as plt
from sklearn.model_selection import GridSearchCV, KFold

from sktextcnn import TextCNNClassifier
from sktextcnn.datasets import load_news_tags

X, Y = load_news_tags(return_X_y=True)
clf = TextCNNClassifier(embedding_dim=32, validation=0.2, random_state=0)
grid = {"filters": [8, 32], "linear_C": [0.1, 1, 10]}
folds = KFold(2, shuffle=True, random_state=0)
search = GridSearchCV(clf, grid, cv=folds, scoring="f1_micro").fit(X, Y)

# %%
# Candidates are in the order of the grid, so that their scores are a table:

scores = search.cv_results_["mean_test_score"].reshape(len(grid["filters"]), -1)
_, ax = plt.subplots(figsize=(5.5, 3), layout="constrained")
ax.imshow(scores, cmap="Blues", vmin=scores.min() - 0.02, vmax=scores.max() + 0.02)
ax.set(xlabel="linear_C", ylabel="filters", title="Micro-F1, mean of two folds")
ax.set_xticks(range(len(grid["linear_C"])), grid["linear_C"])
ax.set_yticks(range(len(grid["filters"])), grid["filters"])
for (i, j), score in zip(((i, j) for i in range(2) for j in range(3)), scores.flat, strict=True):
    ax.text(j, i, f"{score:.2f}", ha="center", va="center")

# %%
# The best one was fitted again, on all texts, and knows the labels by their names:

print(search.best_params_)
print(search.best_estimator_.predict_labels(["The team won the final match"]))
