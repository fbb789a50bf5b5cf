"""Tables of results as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from sktextcnn.frames import import_pandas

#: Longest cell of a table in text.
CELL_WIDTH = 32

# Nothing has a color of its own, so that the table is as readable as the page around it, dark or light.
_STYLE = (
    "border-collapse:collapse;font-variant-numeric:tabular-nums;color:inherit;background:transparent"
)
_CELL = "padding:.15em .8em;border-bottom:1px solid rgba(128,128,128,.35);text-align:"


def text_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    r"""Return lines with the first column left, the others right, floats to three places.

    Parameters
    ----------
    header : sequence of str
    rows : iterable of sequences as long as `header`

    Returns
    -------
    list of str

    Examples
    --------
    >>> from sktextcnn.metrics.tables import text_table
    >>> print("\n".join(text_table(["label", "F1"], [["news", 0.5], ["sport", 1.0]])))
    label     F1
    news   0.500
    sport  1.000
    """
    cells = [[shorten(format_cell(cell), CELL_WIDTH) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells]


def html_table(header: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """Return an HTML table without classes or scripts, all its text escaped.

    Parameters
    ----------
    header : sequence of str
    rows : iterable of sequences as long as `header`
    caption : str, default=""

    Returns
    -------
    str

    Examples
    --------
    >>> from sktextcnn.metrics.tables import html_table
    >>> "<td" in html_table(["label"], [["<b>"]]), "<b>" in html_table(["label"], [["<b>"]])
    (True, False)
    """

    def line(tag: str, row: Sequence[Any]) -> str:
        aligned = ["left", *["right"] * (len(row) - 1)]
        cells = (
            f'<{tag} style="{_CELL}{side}">{escape(format_cell(cell))}</{tag}>'
            for side, cell in zip(aligned, row, strict=True)
        )
        return f"<tr>{''.join(cells)}</tr>"

    title = f'<caption style="text-align:left">{escape(caption)}</caption>' if caption else ""
    head, body = line("th", header), "".join(line("td", row) for row in rows)
    table = f'<table style="{_STYLE}">{title}<thead>{head}</thead><tbody>{body}</tbody></table>'
    return f'<div style="overflow-x:auto">{table}</div>'  # a narrow page scrolls the table, not itself


def format_cell(cell: Any) -> str:
    """Return a cell as text: floats to three places, nothing for None and NaN."""
    if cell is None or cell != cell:
        return ""
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def shorten(text: str, width: int) -> str:
    """Return `text` in one line of at most `width` characters."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 3] + "..."


def measures_in_words(scores: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return what people read of measures: names in words, and losses as they are, not negated.

    Parameters
    ----------
    scores : mapping of str to float
        By names of scorers; the higher, the better.

    Returns
    -------
    list of (str, float)

    Examples
    --------
    >>> from sktextcnn.metrics.tables import measures_in_words
    >>> measures_in_words({"f1_micro": 0.9, "neg_hamming_loss": -0.04, "lrap": 0.8})
    [('f1 micro', 0.9), ('hamming loss', 0.04), ('label ranking average precision', 0.8)]
    """
    written_out = {"lrap": "label ranking average precision"}
    return [
        (
            written_out.get(name, name.removeprefix("neg_").replace("_", " ")),
            abs(score) if name.startswith("neg_") else score,
        )
        for name, score in scores.items()
    ]


def to_frame(columns: dict[str, Any], index: Any, name: str) -> Any:
    """Return a pandas DataFrame.

    Parameters
    ----------
    columns : dict of array-like
    index : sequence
    name : str
        Of the index.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    pd = import_pandas("to_frame")
    return pd.DataFrame(columns, index=pd.Index(index, name=name))
