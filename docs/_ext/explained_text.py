"""Directive ``explained-text``: words highlighted in a text by a classifier fitted to the sample."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive


class ExplainedText(Directive):
    """The explanations of a text's predicted labels, as notebooks show them."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        from sktextcnn import TextCNNClassifier
        from sktextcnn.datasets import load_news_tags

        clf = TextCNNClassifier(validation=0.2, random_state=0).fit(*load_news_tags(return_X_y=True))
        (explanations,) = clf.explain([self.arguments[0]])
        return [nodes.raw("", explanations._repr_html_(), format="html")]


def setup(app: Any) -> dict:
    app.add_directive("explained-text", ExplainedText)
    return {"parallel_read_safe": True}
