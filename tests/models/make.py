"""Makes the folders that tests load for ever: one for each pair of format and schema number.

    python -m tests.models.make

Run it when one of the numbers has been raised. It writes models of the new pair beside those there are,
with what they say of a few texts, and changes none: what was written once must be read for ever. Never
make a folder again that has been released.
"""

from __future__ import annotations

import json
from pathlib import Path

from sktextcnn import TextCNNClassifier
from sktextcnn.datasets import load_news_tags
from sktextcnn.storage.folder import FORMAT
from sktextcnn.storage.schema import SCHEMA

HERE = Path(__file__).parent
CURRENT = HERE / f"format-{FORMAT}-schema-{SCHEMA}"

TEXTS = [
    "I read machine learning news",
    "The reporter wrote about the football match.",
    "children learn to read",
    "no word of these is known, xyzzy",
    "",
]


def train() -> dict[str, TextCNNClassifier]:
    """Return small models with all that a folder may hold but a network of one's own."""
    news = load_news_tags()
    small = {"max_features": 60, "embedding_dim": 6, "filters": 4, "epochs": 8, "random_state": 0}
    topics = [tags[0] for tags in news.tags]
    return {
        "several labels": TextCNNClassifier(**small, linear_ngram_range=(1, 2), hidden_units=5).fit(
            news.data, news.target
        ),
        "one label": TextCNNClassifier(**small, linear=False, max_length=12).fit(news.data, topics),
        "goes on learning": TextCNNClassifier(
            **small, linear=False, warm_start=True, analyzer="char", kernel_sizes=(3,)
        ).fit(news.data, news.target),
    }


def make(folder: Path) -> None:
    """Write the models into a new folder, and what they say of `TEXTS`."""
    folder.mkdir()
    said = {}
    for name, clf in train().items():
        clf.save(folder / name.replace(" ", "_"), include_optimizer=True)
        said[name.replace(" ", "_")] = {
            "labels": clf.predict_labels(TEXTS),
            "probabilities": clf.predict_proba(TEXTS).tolist(),
        }
    text = json.dumps({"texts": TEXTS, "said": said}, indent=1)
    (folder / "said.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    make(CURRENT)
