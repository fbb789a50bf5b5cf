"""Directive ``command-help``: what a command of ``sktextcnn`` prints as its help."""

from __future__ import annotations

import contextlib
import io
import os
from typing import Any
from unittest import mock

from docutils import nodes
from docutils.parsers.rst import Directive


class CommandHelp(Directive):
    """Literal block with the help of a command."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        from sktextcnn.cli import build_parser

        printed = io.StringIO()
        with (
            mock.patch.dict(os.environ, {"COLUMNS": "80"}),
            contextlib.redirect_stdout(printed),
            contextlib.suppress(SystemExit),
        ):
            build_parser().parse_args([self.arguments[0], "--help"])
        block = nodes.literal_block(printed.getvalue(), printed.getvalue())
        block["language"] = "text"
        return [block]


def setup(app: Any) -> dict:
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True}
