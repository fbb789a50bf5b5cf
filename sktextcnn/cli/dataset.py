"""What rows mean: one label or several per text, or pairs; and what looks as if it were otherwise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sktextcnn.cli.console import count
from sktextcnn.cli.rows import KINDS, Places, Reading, Row, Rows, naming

#: What people write between the labels of one text.
SEPARATORS = (",", ";", "|", "\t", " ")

#: A file holds pairs if at least this share of its texts comes with different labels: a few repeated
#: texts are found in any collection.
SHARE_OF_PAIRS = 0.05

#: Labels are no labels if there are many of them, and more than this share of them occurs once. Tried
#: on samples of 20 to 10,000 rows of eight sets with 2 to 100 labels. Of 1,163 tables that were read as
#: they should be, it stops none: at most 78 % of the labels occur once, in 20 rows; from 300 rows on,
#: 34 %. Of 245 wrong columns of each kind, it stops all texts, numbers of rows, ids and time stamps,
#: 98 % of titles of three words and 88 % of two, 80 % of scores with three decimals, 59 % of dates and
#: 40 % of lengths. What recurs as labels do passes: names of authors, and combinations at a separator
#: that nobody thought of.
MANY_LABELS, SHARE_OF_ONCE = 20, 0.8

#: What other programs write for a value that is missing.
MISSING = {"na", "n/a", "nan", "none", "null"}
MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|&[a-z]+;")


@dataclass(frozen=True)
class Dataset:
    """Labelled texts.

    Attributes
    ----------
    texts : list of str, of length n
    labels : list of str, or list of list of str, of length n
        One label for each text, or several.
    n_rows : int
        How many rows they were read from.
    reading : Reading
        How the rows were read; the kind is no longer left to guess.
    read_as : str
        The same in words.
    notes : list of str
        What looks odd.
    """

    texts: list[str]
    labels: list
    n_rows: int
    reading: Reading
    read_as: str
    notes: list[str]

    @property
    def single(self) -> bool:
        """Whether each text has exactly one label, and classes compete."""
        return self.reading.kind == "single"

    def count_labels(self) -> list[tuple[str, int]]:
        """Return the labels and the number of their texts, the most frequent first."""
        sets = ([label] for label in self.labels) if self.single else self.labels
        counts = Counter(label for labels in sets for label in dict.fromkeys(labels))
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def interpret(found: Rows, reading: Reading, *, single: bool | None = None) -> Dataset:
    """Decide what rows mean.

    Parameters
    ----------
    found : Rows
    reading : Reading
        Of kind "auto": several labels per text if a row holds a list or several labels; else pairs if
        many texts come with different labels; else several labels per text if a separator is given,
        or one label per text, which none may lack.
    single : bool or None, default=None
        Whether the texts are for a model of one label per text, or of several; None: for none yet.

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError
        If a row does not fit the kind, there is no label, some rows hold lists and others strings,
        labels look as if something else than a comma separated them; or, if there is no model yet,
        no row holds the separator that is given, but another one, or most labels occur once.
    """
    with naming(found.name):
        return _interpret(found.rows, reading, single)


def _interpret(rows: Sequence[Row], reading: Reading, single: bool | None) -> Dataset:
    if not any(row.labels for row in rows):
        columns = ", ".join(map(repr, reading.labels))
        raise ValueError(f"there is no label in column {columns}; expected one in some rows at least.")
    in_lists, sep = _are_lists(rows), "," if reading.sep is None else reading.sep
    sets = [_split(row.labels, sep) for row in rows]
    notes: list[str] = []
    if in_lists:
        notes += _look_within_lists(sets)
    elif reading.kind in ("auto", "multi"):
        is_held = any(sep in row.labels for row in rows)
        notes += _look_for_separators(sets, reading.sep, is_held, untrained=single is None)
    kind, is_guessed = reading.kind, reading.kind == "auto"
    if is_guessed:
        kind = _recognise(rows, sets, single if reading.sep is None else bool(single))
    texts, read_as = [row.text for row in rows], KINDS[kind]
    labels: list = sets
    if kind == "multi" and in_lists:
        read_as += ", in lists" if len(reading.labels) == 1 else ", in columns of 0 and 1"
    elif kind == "multi":
        notes += _look_at_combinations(rows, sep)
        read_as += f", separated by {sep!r}"
        reading = replace(reading, sep=sep)
    elif kind == "pairs":
        texts, labels = _gather(rows)
    elif kind == "single":
        _check_all_labelled(rows, single)
        labels = [_only_label(row, kind) for row in rows]
        notes += _look_for_repeated(texts, sets)
    known = replace(reading, kind=kind)
    dataset = Dataset(texts, labels, len(rows), known, read_as, notes)
    marked = [name for name, _ in dataset.count_labels() if MARKUP.search(name)]
    if marked:
        notes.append(f"the label {marked[0]!r} looks like markup; labels are taken as they are.")
    missing = [name for name, _ in dataset.count_labels() if name.lower() in MISSING]
    if missing:
        notes.append(
            f"the label {missing[0]!r} is learned like any other. If it stands for a missing one, leave "
            "the cell empty."
        )
    if is_guessed and single is None:
        _check_labels_recur(dataset)
    return dataset


def _check_labels_recur(dataset: Dataset) -> None:
    """Raise if most labels occur once, as the texts, or numbers of rows, would as labels."""
    counts = [n for _, n in dataset.count_labels()]
    if len(counts) >= MANY_LABELS and counts.count(1) > SHARE_OF_ONCE * len(counts):
        column, kind = dataset.reading.labels[0], dataset.reading.kind
        raise ValueError(
            f"{counts.count(1):,} of {len(counts):,} labels occur once, so there is nothing to learn of "
            f"them. Name their column with --labels; or, if it is {column!r}, pass --kind {kind}."
        )


def _are_lists(rows: Sequence[Row]) -> bool:
    """Return whether labels are in lists, not in strings; some in either are refused."""
    lists = next((row for row in rows if isinstance(row.labels, list)), None)
    string = next((row for row in rows if row.labels and isinstance(row.labels, str)), None)
    if lists and string:
        raise ValueError(
            f"{lists.place} has a list of labels, {string.place} the string {string.labels!r}; expected "
            "the same form in all rows."
        )
    return lists is not None


def _look_for_separators(
    sets: Sequence[list[str]], sep: str | None, is_held: bool, *, untrained: bool
) -> list[str]:
    """Return a note if something else than `sep` seems to separate labels, or if no row holds it.

    Before training, raise if another one does where `sep` is only assumed, or held by no row.
    """
    other = find_separator(sets)
    if other is None:
        if sep is None or is_held or not untrained:
            return []
        return [f"no row holds {sep!r}. If each text has just one label: --kind single."]
    found = _describe_separator(sets, other)
    whole = "--sep ','" if sep is None and is_held else "--kind single"
    if sep is None:
        raise ValueError(f"{found}. Pass --sep {other!r}; or {whole}, if they are whole labels.")
    if untrained and not is_held:
        raise ValueError(
            f"no row holds {sep!r}, but {found}. Pass --sep {other!r}; or {whole}, if they are whole "
            "labels."
        )
    return [f"{found}, with --sep {other!r}."]


def _look_within_lists(sets: Sequence[list[str]]) -> list[str]:
    """Return a note if something seems to separate labels although they are in lists."""
    sep = find_separator(sets)
    return [f"{_describe_separator(sets, sep)}. In lists, labels are taken as they are."] if sep else []


def _describe_separator(sets: Sequence[list[str]], sep: str) -> str:
    n_labels, n_pieces = len({label for labels in sets for label in labels}), _count_pieces(sets, sep)
    return f"{sep!r} seems to separate labels: split at it, {n_labels:,} labels become {n_pieces:,}"


def _look_for_repeated(texts: Sequence[str], sets: Sequence[list[str]]) -> list[str]:
    """Return a note if texts that have one label come more than once, with others."""
    different = count_different(texts, sets)
    if not different:
        return []
    return [
        f"{different:,} of {len(set(texts)):,} texts come more than once, with different labels. If "
        "each row is one of a text's labels: --kind pairs."
    ]


def _gather(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return the distinct texts of pairs, and the labels of each."""
    gathered: dict[str, list[str]] = {}
    for row in rows:
        gathered.setdefault(row.text, []).extend(filter(None, [_only_label(row, "pairs")]))
    return [*gathered], [[*dict.fromkeys(labels)] for labels in gathered.values()]


def _split(labels: list[str] | str, sep: str) -> list[str]:
    return labels if isinstance(labels, list) else [*filter(None, map(str.strip, labels.split(sep)))]


def _recognise(rows: Sequence[Row], sets: Sequence[list[str]], single: bool | None) -> str:
    if single:
        return "single"
    if any(isinstance(row.labels, list) for row in rows) or max(map(len, sets)) > 1:
        return "multi"
    texts = [row.text for row in rows]
    if count_different(texts, sets) >= max(1, SHARE_OF_PAIRS * len(set(texts))):
        return "pairs"
    return "single" if single is None else "multi"


def count_different(texts: Sequence[str], sets: Sequence[list[str]]) -> int:
    """Return how many texts come more than once, with different labels.

    Parameters
    ----------
    texts : sequence of str, of length n
    sets : sequence of list of str, of length n
        Their labels.

    Returns
    -------
    int
    """
    first: dict[str, list[str]] = {}
    return len(
        {
            text
            for text, labels in zip(texts, sets, strict=True)
            if first.setdefault(text, labels) != labels
        }
    )


def find_separator(sets: Sequence[list[str]]) -> str | None:
    """Return what seems to separate labels within the names of labels.

    Parameters
    ----------
    sets : sequence of list of str

    Returns
    -------
    str or None
        That of `SEPARATORS` which at least two names hold, and which leaves no more labels than there
        are names: joined labels come in many combinations of few. For a blank, which is found in many
        names, no more than half as many.

    Examples
    --------
    >>> from sktextcnn.cli.dataset import find_separator
    >>> find_separator([["a|b"], ["b|c"], ["a"], ["c"]])
    '|'
    >>> find_separator([["Data Science"], ["Computer Science"], ["Food"]]) is None
    True
    """
    names = {label for labels in sets for label in labels}
    for sep in SEPARATORS:
        if sum(len(_split(name, sep)) > 1 for name in names) < 2:
            continue
        if _count_pieces(sets, sep) * (2 if sep == " " else 1) <= len(names):
            return sep
    return None


def _count_pieces(sets: Sequence[list[str]], sep: str) -> int:
    return len({piece for labels in sets for label in labels for piece in _split(label, sep)})


def _look_at_combinations(rows: Sequence[Row], sep: str) -> list[str]:
    """Return a note where each label with a separator may be a single one, such as "Arts, Crafts"."""
    strings = {row.labels for row in rows if isinstance(row.labels, str)}
    joined = sorted(string for string in strings if len(_split(string, sep)) > 1)
    used = Counter(piece for string in strings for piece in _split(string, sep))
    if not joined or any(used[piece] > 1 for string in joined for piece in _split(string, sep)):
        return []
    return [
        f"the parts of {joined[0]!r} come in no other combination, and neither do those of others. If "
        "that is one label: --kind single."
    ]


def _check_all_labelled(rows: Sequence[Row], single: bool | None) -> None:
    """Raise if a row has no label; texts of a model of one label per text cannot do without."""
    unlabelled = Places()
    for row in rows:
        if not row.labels:
            unlabelled.append(row.place)
    if unlabelled:
        otherwise = "" if single else ", or --kind multi if they really have none"
        raise ValueError(
            f"{count(len(unlabelled), 'row')} {'has' if len(unlabelled) == 1 else 'have'} no label "
            f"({unlabelled}): drop them with --skip-unlabelled{otherwise}."
        )


def _only_label(row: Row, kind: str) -> str:
    labels = row.labels if isinstance(row.labels, list) else [row.labels]
    if len(labels) > 1:
        raise ValueError(f"{row.place} has {len(labels)} labels; --kind {kind} takes one a row.")
    return labels[0] if labels else ""
