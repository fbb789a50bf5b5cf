"""Search over two parameters of TextCNNClassifier with GridSearchCV, on multi-label texts."""

import argparse
from time import perf_counter

from _data import label_names, load
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV

from sktextcnn import TextCNNClassifier, as_label_matrix


def main():
    """Run the search and print what it found and how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=6000, help="first training rows to use")
    rows = parser.parse_args().rows

    train_texts, train_labels, test_texts, test_labels = load("stackoverflow30k")
    train_texts, train_labels = train_texts[:rows], train_labels[:rows]
    classes = label_names(train_labels)
    search = GridSearchCV(
        TextCNNClassifier(random_state=0, linear=False, validation=0.1),
        {"filters": [64, 128], "learning_rate": [3e-3, 6e-3]},
        cv=3,
        scoring="f1_micro",
    )
    start = perf_counter()
    search.fit(train_texts, as_label_matrix(train_labels, classes=classes))
    seconds = perf_counter() - start

    test_Y = as_label_matrix(test_labels, classes=classes, unseen="ignore")
    predicted = search.predict(test_texts)
    print(f"training rows      {len(train_texts)}")
    print(f"best parameters    {search.best_params_}")
    print(f"micro-F1, 3 folds  {search.best_score_:.3f}")
    print(f"micro-F1, test     {f1_score(test_Y, predicted, average='micro', zero_division=0):.3f}")
    print(f"search seconds     {seconds:.1f}, 12 fits and the final one")


if __name__ == "__main__":
    main()
