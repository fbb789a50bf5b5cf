"""Write the highlighted explanations of the page on explanations: python docs/show_explanations.py.

They are kept, as training takes a while and the build of the documentation should not.
"""

from __future__ import annotations

from pathlib import Path

from sktextcnn import TextCNNClassifier
from sktextcnn.datasets import load_news_tags

HERE = Path(__file__).parent / "_pictures"

if __name__ == "__main__":
    texts, Y = load_news_tags(return_X_y=True)
    clf = TextCNNClassifier(random_state=5).fit(texts[:600], Y[:600])
    shown = {
        "explanation": clf.explain(["I read machine learning news"])[0],
        "mistake": clf.explain_errors(texts[600:], Y[600:], labels="Food", n=2)[0],
    }
    for name, value in shown.items():
        (HERE / f"{name}.html").write_text(value._repr_html_() + "\n", "utf-8")
        print(value)
