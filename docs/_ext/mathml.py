"""Formulas as MathML, made at build time by docutils: browsers draw it themselves, without a script."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml


def visit_inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(tex2mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def visit_block(writer: Any, node: nodes.math_block) -> None:
    # A box for each formula, in which it scrolls if it is wider than the screen; blank lines part them.
    for formula in node.astext().split("\n\n"):
        writer.body.append(f'<div class="formula">{tex2mathml(formula, as_block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Any) -> dict:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
