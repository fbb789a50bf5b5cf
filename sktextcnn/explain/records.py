"""What is said of a text, as values that show themselves: explanations and mistakes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, SupportsIndex, TypeVar, overload

from sktextcnn.explain import html
from sktextcnn.explain.evidence import Evidence, NgramMean
from sktextcnn.frames import import_pandas

#: Pieces of evidence that are shown one by one.
MOST_SHOWN = 8

#: What is said of a text for which no label is explained.
NO_LABEL = ("no label", "(labels= explains those that are not predicted, too)")


class Explanation(NamedTuple):
    """Whether a text gets a label, and what the label's logit is made of.

    In a notebook it is shown as the text with its words highlighted, by `print` as a sum.

    Attributes
    ----------
    label : object
        Name of the label.
    decision : bool
        Whether the label is predicted.
    probability : float
        As of `predict_proba`.
    threshold : float or None
        The probability from which on the label is predicted, unless `min_labels` or `max_labels` says
        otherwise. None for one label per text: the most probable one is predicted.
    logit : float
        `base` plus all contributions. It is what `decision_function` gives, save for two classes and one
        label per text, where that is the second's minus the first's.
    base : float
        What is left without n-grams: constants. With a hidden layer, those of the units that are active.
    evidence : list of Evidence
        The strongest first, for or against.
    text : str
    """

    label: Any
    decision: bool
    probability: float
    threshold: float | None
    logit: float
    base: float
    evidence: list[Evidence]
    text: str

    def __str__(self) -> str:
        addends = [f"  {value:+8.3f}  {_printable(name)}" for name, value in self._addends()]
        head = f"{_printable(str(self.label))}: {self.outcome}"
        return "\n".join([head, *addends, f"  {self.logit:+8.3f}  logit"])

    def _repr_html_(self) -> str:
        return self._to_html() + html.LEGEND

    def _to_html(self, remark: str = "") -> str:
        return html.show(
            f"{self.label}:",
            remark + self.outcome,
            self.text,
            self.evidence,
            [*self._addends(), ("logit", self.logit)],
        )

    @property
    def outcome(self) -> str:
        """Decision, probability and threshold in words."""
        decision = "predicted" if self.decision else "not predicted"
        threshold = "" if self.threshold is None else f", threshold {self.threshold:.3f}"
        return f"{decision}, probability {self.probability:.3f}{threshold}"

    def _addends(self) -> list[tuple[str, float]]:
        """Return what the logit is the sum of: the strongest evidence, all other, and the base."""
        shown, others = self.evidence[:MOST_SHOWN], self.evidence[MOST_SHOWN:]
        addends = [(one.ngram or "(no token)", one.contribution) for one in shown]
        if others:
            rest = sum(one.contribution for one in others)
            addends.append((f"({len(others)} more)", rest))
        return [*addends, ("(base)", self.base)]

    def to_frame(self) -> Any:
        """Return the evidence as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            A row for each piece of evidence, in the order of `evidence`, with the columns ``label`` and
            those of `Evidence`.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return _to_frame([self])


Item = TypeVar("Item")


class Shown(list[Item]):
    """A list that shows itself, as do its slices."""

    @overload
    def __getitem__(self, index: SupportsIndex) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Shown[Item]: ...
    def __getitem__(self, index: Any) -> Any:
        found: Any = super().__getitem__(index)
        return self._with(found) if isinstance(index, slice) else found

    def _with(self, items: list[Item]) -> Shown[Item]:
        """Return a list of the same type."""
        return type(self)(items)


class Explanations(Shown[Explanation]):
    """What is said of one text: a list of an `Explanation` for each label that was asked for.

    In a notebook they are shown one below the other, with the words highlighted.

    Parameters
    ----------
    text : str
    explanations : iterable of Explanation

    Attributes
    ----------
    text : str
    """

    def __init__(self, text: str, explanations: Iterable[Explanation] = ()) -> None:
        super().__init__(explanations)
        self.text = text

    def __reduce__(self) -> tuple:
        return type(self), (self.text, [*self])

    def _with(self, items: list[Explanation]) -> Explanations:
        return type(self)(self.text, items)

    def __str__(self) -> str:
        return "\n".join([_printable(self.text), *(map(str, self) if self else [" ".join(NO_LABEL)])])

    def _repr_html_(self) -> str:
        return self._to_html() + (html.LEGEND if self else "")

    def _to_html(self) -> str:
        if not self:
            return html.show(*NO_LABEL, self.text, [], [])
        return "".join(each._to_html() for each in self)

    def to_frame(self) -> Any:
        """Return the evidence for all labels as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame
            A row for each label's piece of evidence, with the columns ``label`` and those of `Evidence`.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return _to_frame(self)


class Mistake(NamedTuple):
    """A label that a text got or missed wrongly.

    Attributes
    ----------
    row : int
        Position of the text, from 0.
    text : str
    label : object
        Name of the label.
    kind : {"false positive", "miss"}
        Whether the label was predicted and not given, or given and not predicted.
    explanation : Explanation
        Of this label in this text.
    """

    row: int
    text: str
    label: Any
    kind: str
    explanation: Explanation

    def __str__(self) -> str:
        return f"{self.kind} in row {self.row}: {_printable(self.text)}\n{self.explanation}"

    def _repr_html_(self) -> str:
        return self._to_html() + html.LEGEND

    def _to_html(self) -> str:
        return self.explanation._to_html(f"{self.kind} in row {self.row}, ")


OfText = TypeVar("OfText", Explanations, Mistake)


class ExplanationList(Shown[OfText]):
    """What is said of several texts: a list that shows its items one below the other.

    `explain` returns one of `Explanations`, `explain_errors` one of `Mistake`.
    """

    def __str__(self) -> str:
        return "\n\n".join(map(str, self)) if self else "(none)"

    def _repr_html_(self) -> str:
        if not self:
            return "<div>(none)</div>"
        return "".join(each._to_html() for each in self) + html.LEGEND


class NgramMeans(Shown[NgramMean]):
    """What `top_ngrams` finds: a list of `NgramMean` that shows itself as a table."""

    def __str__(self) -> str:
        head = f"{'mean':>8}  {'texts':>7}  n-gram"
        rows = (f"{one.contribution:+8.3f}  {one.n_texts:7}  {_printable(one.ngram)}" for one in self)
        return "\n".join([head, *rows])

    def _repr_html_(self) -> str:
        rows = ((f"{one.contribution:+.3f}", str(one.n_texts), one.ngram) for one in self)
        return html.table(rows, ("mean", "texts", "n-gram"))


def _printable(text: str) -> str:
    """Return a text as it is, or as Python writes it if a terminal would not show all of it."""
    return text if text.isprintable() and text == text.strip() else repr(text)


def _to_frame(explanations: Sequence[Explanation]) -> Any:
    pd = import_pandas("to_frame")
    rows = [(each.label, *evidence) for each in explanations for evidence in each.evidence]
    frame = pd.DataFrame(rows, columns=["label", *Evidence._fields])
    integers = dict.fromkeys(["start", "stop", "char_start", "char_stop"], "Int64")
    return frame.astype({**integers, "contribution": "float64"})
