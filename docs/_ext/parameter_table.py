"""Directive ``parameter-table``: the parameters of an estimator, read from its code.

Names and defaults come from the signature, ranges from ``_parameter_constraints``, meanings from the
docstring. Where the three disagree about which parameters there are, the build fails.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from numbers import Integral
from typing import Any, NamedTuple

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from docutils.statemachine import StringList
from numpydoc.docscrape import ClassDoc
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

WORDS = {
    "array-like": "array-like",
    "boolean": "bool",
    "random_state": "int, RandomState",
    "verbose": "int, bool",
    callable: "callable",
    None: "``None``",
    Mapping: "mapping",
    object: "word vectors or where they come from, ``None``",
}


class Row(NamedTuple):
    """What the table says about one parameter."""

    name: str
    default: str
    range: str
    meaning: list[str]


def describe_constraint(constraint: Any) -> str:
    """Return what a constraint allows, as reStructuredText."""
    if isinstance(constraint, StrOptions):
        options = sorted(constraint.options, key=lambda option: (option != "auto", option))
        return ", ".join(f'``"{option}"``' for option in options)
    if isinstance(constraint, Interval):
        kind = "int" if constraint.type is Integral else "float"
        low, high = constraint.left, constraint.right
        below = "≤" if constraint.closed in ("left", "both") else "<"
        above = "≤" if constraint.closed in ("right", "both") else "<"
        if low is None and high is None:
            return kind
        if high is None:
            return f"{kind} {'≥' if below == '≤' else '>'} {low}"
        return f"{kind}, {low} {below} x {above} {high}"
    if isinstance(constraint, HasMethods):
        return "splitter of scikit-learn"
    if constraint in WORDS:
        return WORDS[constraint]
    if isinstance(constraint, type):
        return constraint.__name__
    raise ValueError(f"no words for the constraint {constraint!r}")


def rows_of(estimator: type) -> list[Row]:
    """Return one row for each parameter, in the order of the signature."""
    signature = inspect.signature(estimator).parameters
    documented = {entry.name: entry.desc for entry in ClassDoc(estimator)["Parameters"]}
    constraints = estimator._parameter_constraints
    if not list(signature) == list(documented) == list(constraints):
        differing = set(signature) ^ set(documented) | set(signature) ^ set(constraints)
        raise ValueError(f"signature, docstring and constraints disagree: {differing or 'order'}")
    return [
        Row(
            name,
            repr(signature[name].default).replace("\\\\", "\\"),
            "; ".join(map(describe_constraint, constraints[name])),
            documented[name],
        )
        for name in signature
    ]


class ParameterTable(Directive):
    """Table of the parameters between two of them; all by default."""

    required_arguments = 1
    option_spec = {"first": directives.unchanged, "last": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].rpartition(".")
        rows = rows_of(getattr(import_module(module), name))
        names = [row.name for row in rows]
        start = names.index(self.options.get("first", names[0]))
        stop = names.index(self.options.get("last", names[-1])) + 1
        lines = [
            ".. list-table::",
            "   :header-rows: 1",
            "   :class: parameters",
            "   :widths: 22 14 26 38",
            "",
            "   * - Name",
            "     - Default",
            "     - Range",
            "     - Meaning",
        ]
        for row in rows[start:stop]:
            lines += [f"   * - ``{row.name}``", f"     - ``{row.default}``", f"     - {row.range}"]
            lines += [f"     {'- ' if not i else '  '}{line}" for i, line in enumerate(row.meaning)]
        node = nodes.Element()
        self.state.nested_parse(StringList(lines, self.arguments[0]), self.content_offset, node)
        return node.children


def setup(app: Any) -> dict:
    app.add_directive("parameter-table", ParameterTable)
    return {"parallel_read_safe": True}
