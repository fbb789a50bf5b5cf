"""Tables in files: what is read is what was written, in every format; and what cannot be read."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktextcnn.tables.dialect import Dialect, format_of
from sktextcnn.tables.reader import open_table
from sktextcnn.tables.writer import create_table, replacing

#: What text files hold: any character but NUL, which CSV of Python 3.10 refuses, and half characters.
characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
fields = st.text(characters, max_size=8) | st.sampled_from(
    ["a,b", 'say "no"', "a\nb", "a\rb", "\r\n", "\t"]
)
columns = st.lists(fields.filter(bool), min_size=1, max_size=4, unique=True)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    values | fields,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=3),
    max_leaves=4,
)


@st.composite
def string_tables(draw):
    names = draw(columns)
    return names, draw(st.lists(st.fixed_dictionaries(dict.fromkeys(names, fields)), max_size=6))


def write(path, records, names=None, dialect=None):
    dialect = dialect or Dialect(format_of(str(path)))
    with create_table(str(path), dialect, names) as writer:
        writer.write(records[:2])
        writer.write(records[2:])
    return path


def read(path, **dialect):
    with open_table(str(path), Dialect(**dialect)) as table:
        return [record for _, record in table.rows]


def content(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def standard_input(monkeypatch, data):
    """Let standard input be a pipe that holds these bytes."""
    reading, writing = os.pipe()
    with open(writing, "wb") as file:
        file.write(data)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(os.fdopen(reading, "rb")))


# -- round trips -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("a.csv", "utf-8"), ("a.tsv", "utf-16"), ("b.csv.gz", "utf-16"), ("a.jsonl", "utf-16")],
)
@given(table=string_tables())
def test_strings_come_back(folder, name, encoding, table):
    names, records = table
    write(folder / name, records, names, Dialect(format_of(name), encoding=encoding))
    assert read(folder / name, encoding=encoding) == records


@given(records=st.lists(st.dictionaries(fields, anything, min_size=1), max_size=5))
def test_json_lines_keep_any_value(folder, records):
    assert read(write(folder / "a.ndjson.gz", records)) == records


@given(table=string_tables(), character=st.sampled_from(";|~"))
def test_csv_with_another_delimiter(folder, table, character):
    names, records = table
    dialect = Dialect("csv", character)
    assert read(write(folder / "b.csv", records, names, dialect), delimiter=character) == records


@given(table=string_tables())
def test_parquet_keeps_strings(folder, table):
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    names, records = table
    assert read(write(folder / "a.parquet", records, names)) == records


def test_parquet_keeps_types(tmp_path):
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    records = [
        {"n": 1, "x": 0.5, "tags": ["a"], "empty": None},
        {"n": None, "x": 1.0, "tags": [], "empty": None},
        {"n": 3, "x": 2.0, "tags": ["b", "c"], "empty": "no"},
    ]
    path = write(tmp_path / "a.parquet", records)
    assert read(path) == records
    with open_table(str(path), Dialect()) as table:
        assert (table.columns, table.unit) == (["n", "x", "tags", "empty"], "row")
        assert str(table.types["n"]) == "int64"
        assert [place for place, _ in table.rows] == [1, 2, 3]


def test_what_csv_has_no_types_for(tmp_path):
    record = {"a": None, "b": True, "c": 0.5, "d": ["x", "é"], "e": {"k": 1}}
    path = write(tmp_path / "a.csv", [record])
    assert read(path) == [{"a": "", "b": "true", "c": "0.5", "d": '["x", "é"]', "e": '{"k": 1}'}]


def test_csv_ends_lines_as_unix_does(tmp_path):
    assert write(tmp_path / "a.csv", [{"a": "x\ry"}]).read_bytes() == b'a\n"x\ry"\n'


def test_a_table_without_rows_has_its_header(tmp_path):
    assert write(tmp_path / "a.csv", [], ["a", "b"]).read_text() == "a,b\n"
    assert write(tmp_path / "b.csv", []).read_text() == ""
    assert write(tmp_path / "a.jsonl", [], ["a"]).read_text() == ""


def test_half_a_character_is_escaped_in_json(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"a": "\ud83d", "é": "é"}])
    assert read(path) == [{"a": "\ud83d", "é": "é"}]
    with pytest.raises(ValueError, match=r"'\\ud83d' cannot be written in utf-8\. Write JSON Lines"):
        write(tmp_path / "a.csv", [{"a": "\ud83d"}])
    assert not (tmp_path / "a.csv").exists()


def test_gzip_of_the_same_rows_is_the_same(tmp_path):
    a, b = (write(tmp_path / name, [{"a": "x"}]).read_bytes() for name in ("a.csv.gz", "b.csv.gz"))
    assert a == b
    assert gzip.decompress(a) == b"a\nx\n"


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_row_with_a_column_that_the_first_ones_lack(tmp_path, name):
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    with pytest.raises(ValueError, match="has a column 'b', which the first rows lack"):
        write(tmp_path / name, [{"a": 1}, {"a": 2}, {"a": 3, "b": 4}])
    assert [*tmp_path.iterdir()] == []


def test_a_value_that_does_not_fit_in_parquet(tmp_path):
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    with pytest.raises(ValueError, match=r"does not fit the first ones: .* Write JSON Lines"):
        write(tmp_path / "a.parquet", [{"a": 1}, {"a": 2}, {"a": "x"}])
    assert [*tmp_path.iterdir()] == []


# -- reading -----------------------------------------------------------------------------------------


def test_formats_by_name():
    assert [format_of(name) for name in ("a.CSV", "b.tsv.gz", "c.ndjson", "d.pq", "e.txt")] == [
        *("csv", "tsv", "jsonl", "parquet", "txt"),
    ]
    assert [format_of(name, "csv") for name in ("a", "-", "a.gz", "a.tsv")] == ["csv"] * 3 + ["tsv"]
    with pytest.raises(ValueError, match=r"unknown extension '\.dat'; .* the format: --to, one of csv"):
        format_of("a.dat", "csv", option="--to")
    for name, shown in [("a.json", "'.json'"), ("a.gz", "''"), ("a", "''")]:
        with pytest.raises(ValueError, match=rf"{name}: unknown extension {shown}; expected \.csv"):
            format_of(name)


def test_a_format_that_is_named_counts_more_than_the_extension(tmp_path):
    path = content(tmp_path / "a.csv", '{"a": "x"}\n')
    assert read(path, format="jsonl") == [{"a": "x"}]


def test_lines_are_numbered_by_their_ends(tmp_path):
    path = content(tmp_path / "a.csv", '\n\na,b\n\n"x\ny",1\n\nz\n')
    with open_table(str(path), Dialect()) as table:
        assert table.columns == ["a", "b"]
        assert [*table.rows] == [(6, {"a": "x\ny", "b": "1"}), (8, {"a": "z", "b": None})]


def test_plain_lines(tmp_path):
    path = content(tmp_path / "a.txt", '\ufeffone, two\r\n\n"three"')
    assert read(path) == [{"text": "one, two"}, {"text": ""}, {"text": '"three"'}]


def test_byte_order_mark_blank_lines_and_missing_values(tmp_path):
    path = content(tmp_path / "a.jsonl", '\ufeff{"a": NaN}\n\n{"a": "x\u2028y"}\n')
    assert read(path) == [{"a": None}, {"a": "x\u2028y"}]


def test_fields_may_be_long(tmp_path):
    import csv

    limit, long = csv.field_size_limit(), "word " * 30_000
    assert read(write(tmp_path / "a.csv", [{"a": long}])) == [{"a": long}]
    assert csv.field_size_limit() == limit


def test_quotation_marks_that_are_none(tmp_path):
    path = content(tmp_path / "a.tsv", 'a\tb\n"Yes", he said\t"1\n')
    assert read(path, quotes=False) == [{"a": '"Yes", he said', "b": '"1'}]
    with pytest.raises(ValueError, match=r"after line 1 is broken: .* doubled; .*--no-quotes"):
        read(path)


def test_a_text_that_is_never_closed_swallows_no_rows(tmp_path):
    path = content(tmp_path / "a.csv", 'a\n"x\ny\nz\n')
    with pytest.raises(ValueError, match="the row after line 1 is broken: unexpected end of data"):
        read(path)


def test_gzip_is_known_by_its_content(tmp_path):
    (tmp_path / "a.csv").write_bytes(gzip.compress(b"a\nx\n", mtime=0))
    content(tmp_path / "b.csv.gz", "a\nx\n")
    assert read(tmp_path / "a.csv") == read(tmp_path / "b.csv.gz") == [{"a": "x"}]


@pytest.mark.parametrize(
    ("data", "dialect"),
    [
        (b"a\nx\n", {}),
        (gzip.compress(b"a\nx\n", mtime=0), {}),
        (b'{"a": "x"}', {"format": "jsonl"}),
        ("a\nx\n".encode("utf-16"), {"encoding": "utf-16"}),
    ],
)
def test_standard_input(monkeypatch, data, dialect):
    standard_input(monkeypatch, data)
    with open_table("-", Dialect(**dialect)) as table:
        assert table.name == "standard input"
        assert table.share_read() is None
        assert [record for _, record in table.rows] == [{"a": "x"}]
    assert not sys.stdin.buffer.closed
    sys.stdin.close()


def test_parquet_from_a_pipe(monkeypatch, tmp_path):
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    path = write(tmp_path / "a.parquet", [{"a": "x"}])
    standard_input(monkeypatch, path.read_bytes())
    assert read("-", format="parquet") == [{"a": "x"}]
    sys.stdin.close()


def test_how_much_of_a_file_has_been_read(tmp_path):
    path = write(tmp_path / "a.csv", [{"a": "x" * 100}] * 1000)
    with open_table(str(path), Dialect()) as table:
        shares = [table.share_read() for _ in table.rows]
    assert shares == sorted(shares)
    assert shares[0] < 0.2
    assert shares[-1] == 1


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", b"a,a\n1,2\n", "a.csv: its header names the column 'a' more than once"),
        (
            "a.csv",
            b"a,b\nx, y,1\n",
            r"line 2 has 3 fields, but the header 2\. Enclose texts that",
        ),
        ("a.csv", b"a;b\nx, y;1\n", r"line 2 has 2 .* Its fields seem to end at ';': --delimiter ';'"),
        ("a.csv", "a\né\n".encode("cp1252"), r"a.csv is not in utf-8 \(0xe9\)\. .* cp1252 or utf-16"),
        ("a.csv", "a\nx\n".encode("utf-16"), "is not in utf-8"),
        ("a.jsonl", b'{"a": 1}\n\n{"a": \n', "a.jsonl: line 3 is not valid JSON: Expecting"),
        ("a.jsonl", b'["x"]\n', "line 1 is not a JSON object; expected one in each line"),
        ("a.jsonl", b"[" * 200_000, "line 1 is not valid JSON"),
        (
            "a.csv.gz",
            gzip.compress(b"a\nx\n", mtime=0)[:-4],
            "a.csv.gz cannot be read: Compressed file ended",
        ),
        ("a.csv.gz", gzip.compress(b"a" * 99, mtime=0)[:12] + b"!" * 9, "a.csv.gz cannot be read: "),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / name)


def test_encodings_that_do_not_fit(tmp_path):
    path = content(tmp_path / "a.csv", "a\nx\n")
    with pytest.raises(
        ValueError, match=r"is not in utf-16.*\. Name another, such as utf-8: --encoding"
    ):
        read(path, encoding="utf-16")
    with pytest.raises(ValueError, match=r"is not in ascii .* such as utf-8"):
        read(content(tmp_path / "b.csv", "é\n"), encoding="ascii")


def test_files_that_are_none(tmp_path):
    with pytest.raises(ValueError, match=r"x\.csv cannot be read: No such file or directory"):
        read(tmp_path / "x.csv")
    for options in ({}, {"format": "csv"}):
        with pytest.raises(ValueError, match="is a folder; expected the name of a file"):
            read(tmp_path, **options)


@pytest.mark.parametrize("cut", [slice(4), slice(200), slice(None, -2), slice(0)])
def test_broken_parquet(tmp_path, cut):
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    path = write(tmp_path / "a.parquet", [{"a": "x" * 1000}])
    path.write_bytes(path.read_bytes()[cut])
    with pytest.raises(ValueError, match=r"a\.parquet: it is broken, or not Parquet: .*[^.]\.$"):
        read(path)


def test_parquet_that_breaks_in_the_middle(tmp_path):
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    path = write(tmp_path / "a.parquet", [{"a": os.urandom(500).hex()} for _ in range(3)])
    data = bytearray(path.read_bytes())
    data[100:1500] = b"\xff" * 1400
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.parquet: it is broken after row 0"):
        read(path)


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'sktextcnn\[parquet\]'"):
        read(content(tmp_path / "a.parquet", "x"))
    with pytest.raises(ImportError, match=r"pip install 'sktextcnn\[parquet\]'"):
        write(tmp_path / "b.parquet", [])
    assert not (tmp_path / "b.parquet").exists()


def test_errors_of_others_are_not_the_tables(tmp_path):
    path = content(tmp_path / "a.csv", "a\nx\n")
    with pytest.raises(OSError, match="disk full"), open_table(str(path), Dialect()):
        raise OSError("disk full")


# -- writing -----------------------------------------------------------------------------------------


def test_a_file_is_replaced_at_the_end(tmp_path):
    path = content(tmp_path / "a.csv", "old")
    with create_table(str(path), Dialect("csv"), ["a"]) as writer:
        writer.write([{"a": "new"}])
        assert path.read_text() == "old"
    assert path.read_text() == "a\nnew\n"
    assert [*tmp_path.iterdir()] == [path]


def test_nothing_is_left_of_what_fails(tmp_path):
    path = content(tmp_path / "a.csv", "old")

    def rows():
        yield {"a": "new"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), create_table(str(path), Dialect("csv"), ["a"]) as writer:
        writer.write(rows())
    assert path.read_text() == "old"
    assert [*tmp_path.iterdir()] == [path]


def test_a_link_stays_a_link(tmp_path):
    path, link = content(tmp_path / "a.csv", "old"), tmp_path / "b.csv"
    link.symlink_to(path)
    write(link, [{"a": "new"}])
    assert link.is_symlink()
    assert path.read_text() == "a\nnew\n"


def test_devices_are_written_to_as_they_are():
    with replacing(os.devnull) as path:
        assert str(path) == os.devnull
    assert os.path.exists(os.devnull)


def test_places_that_cannot_be_written(tmp_path):
    with (
        pytest.raises(ValueError, match="is a folder; expected the name of a file"),
        replacing(tmp_path),
    ):
        pass
    with (
        pytest.raises(ValueError, match=r"cannot be written: there is no folder .*nowhere\. Make it"),
        replacing(tmp_path / "nowhere" / "a.csv"),
    ):
        pass


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_standard_output(capsysbinary, tmp_path, kind):
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    with create_table("-", Dialect(kind), ["a"]) as writer:
        writer.write([{"a": "é"}])
    (tmp_path / "a").write_bytes(capsysbinary.readouterr().out)
    assert read(tmp_path / "a", format=kind) == [{"a": "é"}]


def test_json_is_one_object_in_each_line(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"a": "x\ny"}, {"a": "é"}])
    lines = path.read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"a": "x\ny"}, {"a": "é"}]
    assert "é" in lines[1]
