"""What all displays share: where they draw, in which colors, and how they write labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Told apart on a light and on a dark ground, also where red and green look alike.
BLUE, ORANGE, GREEN = "#2f86c1", "#d9782d", "#2e9e73"

#: Longer names of labels are cut off.
LONGEST_NAME = 28


class Display:
    """A picture that is computed once and drawn as often as one likes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What `plot` has drawn on.
    figure_ : matplotlib Figure
        Its figure.
    """

    ax_: Axes
    figure_: Any

    def _open(self, ax: Axes | None, *, width: float = 6.4, height: float = 4.8) -> Axes:
        """Return the axes to draw on, of a new figure of that size in inches unless they are given."""
        try:
            from matplotlib import pyplot as plt
        except ImportError as error:
            raise ImportError(
                f"{type(self).__name__} draws with matplotlib, which is not installed: "
                "pip install 'sktextcnn[plot]'."
            ) from error
        if ax is None:
            _, ax = plt.subplots(figsize=(width, height), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        return ax


def neutral_color() -> str:
    """Return the color of what is there for comparison: that of the axes, in any style."""
    from matplotlib import rcParams

    return rcParams["axes.edgecolor"]


def draw_legend(ax: Axes, **options: Any) -> None:
    """Draw a legend above the axes, where it hides nothing, and no name of a label as a formula."""
    above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "frameon": False, "ncols": 2}
    for text in ax.legend(**{**above, **options}).get_texts():
        text.set_parse_math(False)


def name_of(label: Any) -> str:
    r"""Return how a label is written into a picture: on one line, of printable characters, not too long.

    Parameters
    ----------
    label : label

    Returns
    -------
    str

    Examples
    --------
    >>> name_of("two\nlines"), name_of(3), name_of("")
    ('two lines', '3', "''")
    """
    words = "".join(c if c.isprintable() or c.isspace() else "\ufffd" for c in str(label)).split()
    name = " ".join(words)
    if len(name) > LONGEST_NAME:
        name = name[: LONGEST_NAME - 1] + "\u2026"
    return name or repr(str(label)[:LONGEST_NAME])


def find_column(label: Any, labels: Any) -> int:
    """Return the position of a label.

    Parameters
    ----------
    label : label
    labels : ndarray of shape (k,)

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If it is not there.
    """
    names = np.asarray(labels).tolist()
    if label not in names:
        shown = ", ".join(map(repr, names[:8])) + ", ..." * (len(names) > 8)
        raise ValueError(f"label={label!r:.60}; expected one of {shown}.")
    return names.index(label)


def check_probabilities(evaluation: Any, display: str) -> np.ndarray:
    """Return the probabilities of an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
    display : str
        Who asks.

    Returns
    -------
    ndarray of shape (n, k)

    Raises
    ------
    ValueError
        If it has none.
    """
    if evaluation.probabilities is None:
        raise ValueError(
            f"{display} needs probabilities, and the evaluated estimator gives none; expected one with "
            "predict_proba."
        )
    return evaluation.probabilities
