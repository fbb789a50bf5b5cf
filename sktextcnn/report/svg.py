"""A matplotlib figure -> SVG that can stand in a page: in the page's colors and fonts."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Drawn in place of the page's text color, which matplotlib cannot name.
_INK = "#010203"

_COLORS = (
    *("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"),
    *("patch.edgecolor", "legend.edgecolor"),
)
_GROUNDS = ("figure.facecolor", "axes.facecolor", "legend.facecolor", "savefig.facecolor")


@contextmanager
def page_style() -> Iterator[None]:
    """Let matplotlib draw for a page: text as text, on no ground, in one color that `to_svg` replaces.

    The user's own styles play no part: reports look alike.
    """
    from matplotlib import rc_context, rcParamsDefault

    style: dict[Any, Any] = {
        **{name: value for name, value in rcParamsDefault.items() if not name.startswith("backend")},
        **dict.fromkeys(_COLORS, _INK),
        **dict.fromkeys(_GROUNDS, "none"),
        "svg.fonttype": "none",
        "svg.hashsalt": "sktextcnn",
        "font.size": 9,
    }
    with rc_context(style), warnings.catch_warnings():
        # The browser writes the letters, and has more of them than matplotlib's font.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        yield


def to_svg(figure: Figure, name: str, description: str) -> str:
    """Return a figure as an SVG element for the inside of an HTML page.

    Everything that matplotlib writes is parsed and written anew, so that it is whole and escaped.

    Parameters
    ----------
    figure : Figure
        Drawn under `page_style`.
    name : str
        Of letters and digits, another one for each figure of a page: ids begin with it.
    description : str
        What is read out to those who do not see it.

    Returns
    -------
    str
        HTML, without namespaces, ids that nothing refers to, styles of the whole page and metadata.
    """
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    root = ElementTree.fromstring(file.getvalue())
    used = set()
    for element in root.iter():
        element.tag = _local(element.tag)
        attributes = {_local(key): value for key, value in element.attrib.items()}
        element.attrib.clear()
        for key, value in attributes.items():
            if key == "style":
                value = _page_style_of(value)
            elif key == "href":
                used.add(value[1:])
                value = f"#{name}-{value[1:]}"
            elif key == "clip-path":
                used.add(value[len("url(#") : -1])
                value = f"url(#{name}-{value[len('url(#') :]}"
            element.set(key, value)
    for element in [*root.iter()]:
        found = element.attrib.pop("id", None)
        if found in used:
            element.set("id", f"{name}-{found}")
        for child in [*element]:
            if child.tag == "style":
                element.remove(child)
    size = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update({"viewBox": size, "role": "img", "aria-label": description})
    return ElementTree.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    """Return a name without its namespace."""
    return name.rpartition("}")[2]


def _page_style_of(style: str) -> str:
    """Return what an element says of its style, in the page's color and without fonts of its own."""
    rules = style.replace(_INK, "currentColor").split(";")
    return ";".join(rule.strip() for rule in rules if not rule.strip().startswith("font-family"))
