"""From rows of a table to texts and labels: columns, forms of labels, and what a row stands for."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktextcnn.cli.dataset import count_different, find_separator, interpret
from sktextcnn.cli.rows import Places, Reading, load_reading, read_rows, save_reading
from sktextcnn.labels.parsing import group_rows
from sktextcnn.tables.dialect import Dialect
from sktextcnn.tables.reader import Table

TEXTS = [
    f"{subject} {verb} the {thing}"
    for subject, verb in [("the minister", "opens"), ("a child", "reads"), ("the team", "wins")]
    for thing in ["news", "match", "school", "vote"]
]
TAGS = [
    [tag for tag, word in [("politics", "minister"), ("sport", "match")] if word in text] or ["other"]
    for text in TEXTS
]
ONE_TAG = [tags[0] for tags in TAGS]
PAIRS = [(text, tag) for text, tags in zip(TEXTS, TAGS, strict=True) for tag in tags]


def rows_of(records, reading, columns=None):
    numbered = iter([*enumerate(records, 2)])
    return read_rows(Table("a.csv", Dialect("csv"), columns, numbered, {}, lambda: None), reading)


def understand(pairs, sep=None, kind="auto", single=None):
    reading = Reading("text", ("tags",), sep, kind)
    records = [{"text": text, "tags": tags} for text, tags in pairs]
    return interpret(rows_of(records, reading), reading, single=single)


def zipped(labels):
    return [*zip(TEXTS, labels, strict=True)]


def joined(sep):
    return zipped([sep.join(tags) for tags in TAGS])


# -- forms of labels ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sep", [",", " , ", ", "])
def test_labels_in_one_string(sep):
    data = understand(joined(sep))
    assert (data.texts, data.labels, data.single) == (TEXTS, TAGS, False)
    assert data.read_as == "several labels per text, separated by ','"
    assert data.reading == Reading("text", ("tags",), ",", "multi")
    assert data.notes == []


@pytest.mark.parametrize("dump", [json.dumps, str, list])
def test_lists_as_they_are_and_within_strings(dump):
    data = understand(zipped([dump(tags) for tags in TAGS]))
    assert data.labels == TAGS
    assert data.read_as == "several labels per text, in lists"
    assert data.reading.sep is None
    assert understand(zipped([dump(tags) for tags in TAGS]), sep="|").reading.sep == "|"


def test_labels_other_than_strings():
    values = [1, 2.5, True, None, float("nan"), "b", "", "b, a", 1, " c ", "a", "a"]
    expected = [["1"], ["2.5"], ["true"], [], [], ["b"], [], ["b", "a"], ["1"], ["c"], ["a"], ["a"]]
    assert understand(zipped(values)).labels == expected
    data = understand([("x", [1, "a", None, " ", 2.5]), ("y", [])])
    assert data.labels == [["1", "a", "2.5"], []]


def test_a_label_in_brackets_is_no_list():
    data = understand(zipped([f"[{tag}" for tag in ONE_TAG]))
    assert data.single
    assert data.labels[0] == "[politics"


def test_columns_of_flags():
    names = ("sport", "politics")
    reading = Reading("text", names)
    flags = [("1", "0"), ("0", ""), (1.0, True), (None, "TRUE")]
    records = [
        {"text": text, "sport": a, "politics": b} for text, (a, b) in zip("wxyz", flags, strict=True)
    ]
    data = interpret(rows_of(records, reading), reading)
    assert data.labels == [["sport"], [], ["sport", "politics"], ["politics"]]
    assert data.read_as == "several labels per text, in columns of 0 and 1"
    records[2]["sport"] = "maybe"
    with pytest.raises(ValueError, match=r"a\.csv: line 4 has 'maybe' in column 'sport'; .* 0 or 1"):
        rows_of(records, reading)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"y": 1}, "line 2 has a dict in the place of a label"),
        ([["y"]], "line 2 has a list in the place of a label"),
    ],
)
def test_what_is_no_label(tags, message):
    with pytest.raises(ValueError, match=f"a.csv: {message}"):
        understand([("x", tags)])


def test_lists_beside_strings_are_refused():
    message = r"a\.csv: line 3 has a list of labels, line 2 the string 'a'; expected the same form"
    with pytest.raises(ValueError, match=message):
        understand([("x", "a"), ("y", ["a", "b"]), ("z", None)])


def test_no_label_anywhere():
    with pytest.raises(ValueError, match=r"a\.csv: there is no label in column 'tags'; expected one"):
        understand([("x", ""), ("y", None)])


@given(st.lists(st.lists(st.sampled_from("abcd"), unique=True), min_size=1).filter(any))
def test_joined_labels_come_apart_again(sets):
    pairs = [(str(i), ";".join(labels)) for i, labels in enumerate(sets)]
    assert understand(pairs, sep=";", kind="multi").labels == sets


# -- separators --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sep", ["|", ";", "\t", " "])
def test_another_separator_is_noticed_before_anything_is_trained(sep):
    combinations = [[a, b] for a in "abcd" for b in "abcd" if a < b]
    pairs = [(str(i), sep.join(labels)) for i, labels in enumerate([["a"], ["b"], ["d"], *combinations])]
    with pytest.raises(ValueError, match=r"a\.csv: .* split at it, 9 labels become 4\. Pass --sep '"):
        understand(pairs)
    assert understand(pairs, sep=sep).labels[3] == ["a", "b"]
    assert understand(pairs, kind="single").notes == []


def test_a_separator_within_lists_is_pointed_out():
    (note,) = understand([("x", ["a|b", "c"]), ("y", ["b|c"]), ("z", ["a"])]).notes
    assert note.startswith("'|' seems to separate labels: split at it, 4 labels become 3.")


@pytest.mark.parametrize("wrong", [",", r"\|"])
@pytest.mark.parametrize("kind", ["auto", "multi"])
def test_a_separator_that_no_row_holds_is_refused_where_another_is_found(wrong, kind):
    pairs = [(a + b, f"{a}|{b}") for a in "abcd" for b in "abcd" if a < b]
    with pytest.raises(ValueError, match=r"Pass --sep '\|'; or --kind single, if") as raised:
        understand(pairs, sep=wrong, kind=kind)
    said = f"a.csv: no row holds {wrong!r}, but '|' seems to separate labels: split at it, 6 labels "
    assert str(raised.value).startswith(said)
    assert understand(pairs, sep=wrong, kind="single").notes == []
    assert len(understand(pairs, sep=wrong, single=False).notes) == 1  # there is a model already


def test_a_separator_that_splits_something_is_taken_although_another_is_found():
    pairs = [(a + b, f"{a}|{b}") for a in "abcd" for b in "abcd" if a < b]
    note = understand([*pairs, ("e", "e;f")], sep=";").notes[0]
    assert note == "'|' seems to separate labels: split at it, 8 labels become 6, with --sep '|'."
    with pytest.raises(ValueError, match=r"Pass --sep '\|'; or --sep ',', if they are whole labels"):
        understand([*pairs, ("e", "e,f")])
    with pytest.raises(ValueError, match=r"Pass --sep '\|'; or --kind single, if they are whole"):
        understand(pairs)


@pytest.mark.parametrize("kind", ["auto", "multi"])
def test_a_separator_that_no_row_holds_means_several_labels_and_is_noted(kind):
    data = understand(zipped(ONE_TAG), sep="|", kind=kind)
    assert data.labels == [[tag] for tag in ONE_TAG]
    assert data.reading == Reading("text", ("tags",), "|", "multi")
    assert data.notes == ["no row holds '|'. If each text has just one label: --kind single."]
    assert understand(zipped(ONE_TAG), sep="|", kind="single").notes == []
    assert understand(zipped(ONE_TAG), sep="|", single=True).single
    assert understand(PAIRS, sep="|").reading.kind == "pairs"


def test_a_comma_can_be_the_other_separator():
    combinations = [(a + b, f"{a},{b}") for a in "abc" for b in "abc" if a != b]
    with pytest.raises(ValueError, match="no row holds ';', but ',' seems to separate labels"):
        understand(combinations, sep=";")


@pytest.mark.parametrize(
    "names",
    [
        ["Data Science", "Computer Science", "Food"],
        ["New York", "Los Angeles", "San Francisco", "San Diego"],
        ["Phones|Cases", "Phones|Cables", "Phones|Bags"],
        ["a|b", "c", "d"],
        ["a"],
    ],
)
def test_names_that_hold_a_separator_are_left_alone(names):
    assert find_separator([[name] for name in names]) is None


def test_one_label_with_a_comma_is_pointed_out():
    names = ["Arts, Crafts", "Food", "Arts, Crafts", "Health, Care", "Food"] * 3
    (note,) = understand([(str(i), name) for i, name in enumerate(names)]).notes
    assert "the parts of 'Arts, Crafts' come in no other combination" in note
    assert understand(joined(",")).notes == []


def test_markup_is_pointed_out():
    (note,) = understand(zipped([f"<b>{tag}</b>" for tag in ONE_TAG])).notes
    assert note == "the label '<b>other</b>' looks like markup; labels are taken as they are."
    assert understand(zipped(["a < b", "b > c", "AT&T"] * 4)).notes == []


# -- what rows stand for -----------------------------------------------------------------------------


def test_one_label_per_text():
    data = understand(zipped(ONE_TAG))
    assert (data.single, data.labels, data.read_as) == (True, ONE_TAG, "one label per text")
    assert data.reading == Reading("text", ("tags",), None, "single")


@pytest.mark.parametrize("name", ["NA", "NaN", "None", "null", "n/a"])
def test_labels_that_stand_for_missing_ones_are_pointed_out(name):
    (note,) = understand(zipped([name, *ONE_TAG[1:]])).notes
    assert note.startswith(f"the label {name!r} is learned like any other. If it stands for a missing")


def test_labels_that_occur_once_are_refused():
    rows = [(f"a{i % 3}", f"text {i}") for i in range(30)]
    swapped = [(text, label) for text, label in rows if text == "a0"] + [
        (f"text {i}", str(i)) for i in range(30)
    ]
    with pytest.raises(
        ValueError, match=r"labels occur once, .* with --labels; or, .* pass --kind pairs\."
    ):
        understand(rows)
    with pytest.raises(ValueError, match=r"40 of 40 labels occur once, .* if it is 'tags', pass"):
        understand(swapped)
    assert understand(rows, kind="pairs").n_rows == 30
    assert understand([(f"text {i}", str(i)) for i in range(30)], single=True).single
    assert understand([(f"text {i}", str(i)) for i in range(19)]).single  # may be all there is
    # Four of five are the limit.
    often = [(f"other text {i}", f"often {i % 6}") for i in range(12)]
    assert understand([*often, *((f"text {i}", str(i)) for i in range(24))]).single
    with pytest.raises(ValueError, match=r"25 of 31 labels occur once"):
        understand([*often, *((f"text {i}", str(i)) for i in range(25))])


def test_pairs_are_recognised_and_gathered():
    data = understand(PAIRS)
    assert len(PAIRS) > len(TEXTS)
    assert (data.texts, data.labels, data.n_rows) == (TEXTS, TAGS, len(PAIRS))
    assert data.read_as == "one (text, label) pair per row"


def test_a_few_texts_that_come_twice_do_not_make_pairs():
    rows = [(f"text {i}", "ab"[i % 2]) for i in range(1000)]
    data = understand([*rows, ("text 1", "a"), ("text 3", "a"), ("text 5", "a"), ("text 7", "b")])
    assert data.single
    assert len(data.texts) == 1004
    assert data.notes == [
        "3 of 1,000 texts come more than once, with different labels. If each row is one of a text's "
        "labels: --kind pairs."
    ]
    assert understand(rows).notes == []


@pytest.mark.parametrize("n_twice", [4, 5])
def test_one_in_twenty_texts_that_come_twice_make_pairs(n_twice):
    rows = [(f"text {i}", "a") for i in range(100)] + [(f"text {i}", "b") for i in range(n_twice)]
    assert understand(rows).reading.kind == ("pairs" if n_twice == 5 else "single")


@given(
    st.lists(
        st.tuples(st.sampled_from(TEXTS[:4]), st.sampled_from(["", "x", "y", "z"])), min_size=1
    ).filter(lambda rows: any(tag for _, tag in rows))
)
def test_pairs_are_those_of_group_rows(rows):
    data = understand(rows, kind="pairs")
    texts, matrix = group_rows([text for text, _ in rows], [tag or None for _, tag in rows])
    assert data.texts == texts
    sets = [matrix.label_names[row == 1].tolist() for row in np.asarray(matrix)]
    assert [*map(sorted, data.labels)] == [*map(sorted, sets)]


def test_a_text_without_label_does_not_make_label_sets():
    rows = [("nobody reads this", ""), *zipped(ONE_TAG), ("nor this", None)]
    message = (
        r"a\.csv: 2 rows have no label \(line 2, line 15\): drop them with --skip-unlabelled, or --kind "
        r"multi if they really have none\.$"
    )
    for kind in ("auto", "single"):
        with pytest.raises(ValueError, match=message):
            understand(rows, kind=kind)
    with pytest.raises(ValueError, match=r"1 row has no label \(line 2\): .* --skip-unlabelled\.$"):
        understand(rows[:-1], single=True)
    for data in (
        understand(rows, kind="multi"),
        understand(rows, sep=";"),
        understand(rows, single=False),
    ):
        assert not data.single
        assert data.labels[0] == []
    assert understand([*rows, ("x", "a,b")]).labels[0] == []


def test_lists_of_one_label_stay_label_sets():
    rows = zipped([[tag] for tag in ONE_TAG])
    assert not understand(rows).single
    assert understand(rows, kind="single").labels == ONE_TAG


def test_the_kind_is_obeyed():
    assert understand(joined(","), kind="single").labels == [",".join(tags) for tags in TAGS]
    assert understand(zipped(ONE_TAG), kind="multi").labels == [[tag] for tag in ONE_TAG]
    assert not understand(zipped(ONE_TAG), kind="pairs").single


def test_a_model_says_what_its_texts_are():
    assert understand(zipped(ONE_TAG), single=False).labels == [[tag] for tag in ONE_TAG]
    assert understand(PAIRS, single=False).texts == TEXTS
    assert understand(PAIRS, single=True).labels == [tag for _, tag in PAIRS]


@pytest.mark.parametrize(
    ("kind", "tags", "message"),
    [
        ("single", ["a", "b"], "line 2 has 2 labels; --kind single takes one a row"),
        ("pairs", ["a", "b"], "line 2 has 2 labels; --kind pairs takes one a row"),
    ],
)
def test_rows_that_do_not_fit_the_kind(kind, tags, message):
    with pytest.raises(ValueError, match=f"a.csv: {message}"):
        understand([("x", tags), ("y", ["a"])], kind=kind)


def test_labels_are_counted():
    assert understand([("x", "b,a,a"), ("y", "b"), ("z", "c")]).count_labels() == [
        *(("b", 2), ("a", 1), ("c", 1)),
    ]
    assert count_different(["x", "x", "y", "x"], [["a"], ["b"], ["a"], ["c"]]) == 1


# -- columns -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "record", "message"),
    [
        (["body", "tags"], {"body": "x"}, r"no column 'text'; its columns are 'body', 'tags'\.$"),
        (["text", "tag"], {"text": "x"}, r"columns are 'text', 'tag'\. Did you mean 'tag'\?$"),
        (["text;tags"], {"text;tags": "x"}, r"Its fields seem to end at ';': --delimiter ';'\.$"),
        ([f"c{i}" for i in range(30)], {"c1": "x"}, r"'c18', 'c19', \.\.\.\.$"),
    ],
)
def test_missing_columns(columns, record, message):
    with pytest.raises(ValueError, match=message):
        rows_of([record], Reading("text", ("tags",)), columns)


def test_rows_of_json_may_lack_a_column_but_not_all_of_them():
    reading = Reading("text", ("tags",))
    assert len(rows_of([{"text": "x", "tags": "a"}, {"text": "y"}], reading).rows) == 2
    with pytest.raises(ValueError, match=r"a\.csv has no column 'tags'; its columns are 'text', 'tag'"):
        rows_of([{"text": "x"}, {"tag": "y"}], reading)


@pytest.mark.parametrize("columns", [None, ["text", "tags"]])
def test_empty_tables(columns):
    with pytest.raises(ValueError, match=r"a\.csv is empty; expected a row for each text"):
        rows_of([], Reading("text", ("tags",)), columns)


def test_blank_texts_are_counted():
    texts = ["x", "", " \t", None, "y"]
    found = rows_of([{"text": text, "tags": "a"} for text in texts], Reading("text", ("tags",)))
    assert [row.text for row in found.rows] == ["x", "y"]
    assert (len(found.blank), str(found.blank)) == (3, "line 3, line 4, line 5")


def test_texts_that_are_none():
    with pytest.raises(ValueError, match=r"a\.csv: line 2 has a int in the place of a text"):
        rows_of([{"text": 1, "tags": "a"}], Reading("text", ("tags",)))


def test_many_places_take_no_room():
    places = Places()
    for i in range(10_000):
        places.append(f"line {i}")
    assert str(places) == "line 0, line 1, line 2, line 3, line 4 and 9,995 more"
    assert len(vars(places)["_first"]) == 5


# -- beside a model ----------------------------------------------------------------------------------


@given(
    st.builds(
        Reading,
        st.text(min_size=1),
        st.lists(st.text(min_size=1), min_size=1).map(tuple),
        st.none() | st.text(min_size=1),
        st.sampled_from(["single", "multi", "pairs"]),
    ).filter(lambda reading: str(reading).isprintable())
)
def test_readings_come_back(tmp_path_factory, reading):
    folder = tmp_path_factory.getbasetemp()
    save_reading(folder, reading)
    assert load_reading(folder) == reading


def test_models_that_were_not_read(tmp_path):
    assert load_reading(tmp_path) is None


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"text": 1, "labels": [], "kind": "multi"}', "\xff"]
)
def test_broken_readings(tmp_path, content):
    (tmp_path / "reading.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"reading\.json is broken: .* Delete it, and pass --text"):
        load_reading(tmp_path)
