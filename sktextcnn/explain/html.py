"""Evidence -> words highlighted in their text, as HTML.

Background and underline tell sign and strength, the latter without colors, too: an unbroken line is for
the label and a dashed one against it, the thicker the stronger. Styles are inline, as pages that show
notebooks keep nothing else, and text has the color of its surroundings, dark or light.
"""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from sktextcnn.explain.evidence import Evidence

#: Red, green, blue and line of what is for and what is against a label: a blue and an orange that people
#: who do not see all colors tell apart.
FOR, AGAINST = ("0,114,178", "solid"), ("213,94,0", "dashed")

#: Share of the strongest stretch of a text below which a stretch is not highlighted.
WEAKEST = 0.05


def highlight(text: str, evidence: Iterable[Evidence]) -> str:
    """Return a text with the words highlighted that speak for or against a label.

    What an n-gram adds is shared evenly among its tokens, and what several add to a word is summed up.

    Parameters
    ----------
    text : str
    evidence : iterable of Evidence
        Of one label in this text. What has no position among the characters is not shown.

    Returns
    -------
    str
        HTML of a single element, everything in it escaped.

    Examples
    --------
    >>> from sktextcnn.explain import Evidence, highlight
    >>> html = highlight("a <late> goal", [Evidence("goal", 3, 4, 1.5, char_start=9, char_stop=13)])
    >>> "a &lt;late&gt; <mark " in html, "goal</mark>" in html
    (True, True)
    """
    stretches = [*_sum_up(text, evidence)]
    strongest = max((abs(added) for _, added in stretches), default=0.0)
    marked = "".join(_mark(part, added, strongest) for part, added in stretches)
    style = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.9"
    return f'<span class="sktextcnn-text" dir="auto" style="{style}">{marked}</span>'


def _sum_up(text: str, evidence: Iterable[Evidence]) -> Iterator[tuple[str, float]]:
    """Yield the stretches of a text that make it up, and what is added at each of their tokens."""
    changes: dict[int, float] = defaultdict(float, {0: 0.0, len(text): 0.0})
    for one in evidence:
        if one.char_start is not None and one.char_stop is not None and one.stop > one.start:
            share = one.contribution / (one.stop - one.start)
            changes[one.char_start] += share
            changes[one.char_stop] -= share
    borders, added = sorted(changes), 0.0
    for start, stop in pairwise(borders):
        added += changes[start]
        yield text[start:stop], added


def _mark(part: str, added: float, strongest: float) -> str:
    if not part.strip() or abs(added) <= WEAKEST * strongest:
        return escape(part)
    strength = abs(added) / strongest
    color, line = FOR if added > 0 else AGAINST
    style = (
        f"color:inherit;background:rgba({color},{0.08 + 0.37 * strength:.2f});padding:0;"
        f"border-bottom:{1 + round(3 * strength)}px {line} rgb({color})"
    )
    return f'<mark style="{style}" title="{added:+.3f}">{escape(part)}</mark>'


def show(
    head: str,
    outcome: str,
    text: str,
    evidence: Sequence[Evidence],
    addends: Iterable[tuple[str, float]],
) -> str:
    """Return a heading, a text with its evidence highlighted, and a table to unfold.

    Parameters
    ----------
    head : str
        What to print in bold, such as the label.
    outcome : str
        What to say behind it.
    text : str
    evidence : sequence of Evidence
    addends : iterable of (str, float)
        The table's rows.

    Returns
    -------
    str
        HTML of a single element, everything in it escaped.
    """
    rows = [(f"{value:+.3f}", name) for name, value in addends]
    # What cannot be highlighted is seen in the table alone.
    details = "<details open>" if any(one.char_start is None for one in evidence) else "<details>"
    sums = f"{details}<summary>What adds up to the logit</summary>{table(rows)}</details>"
    return (
        '<div class="sktextcnn-explanation" style="margin-bottom:1em">'
        f'<div><strong dir="auto">{escape(head)}</strong> {escape(outcome)}</div>'
        f"<div>{highlight(text, evidence)}</div>{sums if rows else ''}</div>"
    )


def table(rows: Iterable[Sequence[str]], header: Sequence[str] = ()) -> str:
    """Return a table whose columns hold numbers, save for the last, which holds names.

    Parameters
    ----------
    rows : iterable of sequences of str
    header : sequence of str, default=()
        None is shown if it is empty.

    Returns
    -------
    str
        HTML of a single element, everything in it escaped.
    """

    def line(tag: str, cells: Sequence[str]) -> str:
        number = "text-align:right;font-variant-numeric:tabular-nums"
        name = "text-align:left;white-space:pre-wrap"
        styles = [*[number] * (len(cells) - 1), name]
        written = (
            f'<{tag} style="{style}">{escape(cell)}</{tag}>'
            for style, cell in zip(styles, cells, strict=True)
        )
        return f"<tr>{''.join(written)}</tr>"

    head = line("th", header) if header else ""
    return f"<table>{head}{''.join(line('td', row) for row in rows)}</table>"


def escape(text: str) -> str:
    """Return what stands for a text in HTML; for a lone surrogate, which no file can hold, a "?"."""
    return html.escape(text.encode("utf-8", "replace").decode("utf-8"))


LEGEND = (
    '<div style="font-size:smaller;margin-bottom:1em">'
    f"{_mark('unbroken line', 1.0, 1.0)}: for the label, "
    f"{_mark('dashed line', -1.0, 1.0)}: against it; the thicker, the more.</div>"
)
