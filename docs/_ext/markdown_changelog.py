"""Shows CHANGELOG.md as the page ``changelog``: headings, lists, links and code are all it uses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
UNDERLINES = {1: "=", 2: "-", 3: "~"}


def to_rst(markdown: str) -> str:
    """Return simple Markdown as reStructuredText."""
    text = re.sub(r"`([^`]+)`", r"``\1``", markdown)
    text = re.sub(r"\[([^\]]+)\]\(([^)]+)\)", r"`\1 <\2>`__", text)

    def heading(match: re.Match) -> str:
        title = match[2].replace("[", "").replace("]", "")
        return f"{title}\n{UNDERLINES[len(match[1])] * len(title)}"

    return re.sub(r"^(#{1,3}) (.+)$", heading, text, flags=re.MULTILINE)


def replace_page(app: Any, name: str, source: list[str]) -> None:
    if name == "changelog":
        app.env.note_dependency(str(CHANGELOG))
        source[0] = to_rst(CHANGELOG.read_text("utf-8"))


def setup(app: Any) -> dict:
    app.connect("source-read", replace_page)
    return {"parallel_read_safe": True}
