"""Texts that come as a stream: the same model as from lists, in bounded memory, and what goes wrong."""

from __future__ import annotations

import errno
import gzip
import json
import sys
import tempfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktextcnn import TextStream
from sktextcnn.text import numbering
from tests.examples import TAGS, TEXTS, TOPICS, corpus, fitted_attributes, same_weights, tiny
from tests.processes import run_python
from tests.strategies import examples_up_to

MANY, MATRIX = corpus(60)
MANY_TAGS = [[name for name, has in zip("abc", row, strict=True) if has] for row in MATRIX]


def stream_of(texts, labels, **options):
    return TextStream(lambda: zip(texts, labels, strict=True), **options)


def same_models(first, second):
    """Whether two fitted classifiers are the same to the last bit, but for the time they took."""
    a, b = fitted_attributes(first), fitted_attributes(second)
    names = ("classes_", "thresholds_", "validation_label_scores_")
    assert all(np.array_equal(a[name], b[name], equal_nan=a[name].dtype.kind == "f") for name in names)
    assert a["vocabulary_"] == b["vocabulary_"]
    assert a["resolved_"] == b["resolved_"]
    assert a["history_"]["loss"] == b["history_"]["loss"]
    return same_weights(first, second)


# -- the same model ----------------------------------------------------------------------------------

SETTINGS = {
    "network alone": {},
    "early stopping": {"validation": 0.2, "epochs": 4},
    "folds, with a linear part": {"validation": 3, "linear": True},
    "one split, with a linear part": {"validation": 0.3, "linear": True},
    "truncated": {"max_length": 3, "validation": 2, "linear": True},
    "a vocabulary": {"vocabulary": [f"w{i}" for i in range(9)]},
    "rare tokens left out": {"min_df": 0.05, "max_features": 12, "validation": 2, "linear": True},
    "in threads": {"validation": 3, "linear": True, "n_jobs": 2},
}


@pytest.mark.parametrize("parameters", SETTINGS.values(), ids=SETTINGS)
def test_a_stream_gives_the_model_of_its_lists(parameters):
    whole = tiny(**parameters).fit(list(MANY), MANY_TAGS)
    streamed = tiny(**parameters).fit(stream_of(MANY, MANY_TAGS, chunk_size=7))
    assert same_models(whole, streamed)


def test_one_label_per_text_comes_as_a_stream():
    whole, streamed = tiny().fit(TEXTS, TOPICS), tiny().fit(stream_of(TEXTS, TOPICS))
    assert same_models(whole, streamed)
    assert not streamed.multilabel_


@examples_up_to(8)
@given(
    rows=st.lists(st.sampled_from(range(60)), min_size=12, max_size=60, unique=True),
    chunk_size=st.integers(1, 70),
    several=st.booleans(),
)
def test_chunks_change_nothing(rows, chunk_size, several):
    texts = [MANY[row] for row in rows]
    labels = [MANY_TAGS[row] if several else "ab"["a" in MANY_TAGS[row]] for row in rows]
    if len({*map(str, labels)}) < 2:
        return
    model = tiny(validation=2, linear=True, epochs=1)
    whole = model.fit(texts, labels)
    streamed = tiny(validation=2, linear=True, epochs=1)
    assert same_models(whole, streamed.fit(stream_of(texts, labels, chunk_size=chunk_size)))


def test_texts_on_disk_are_worked_on_in_parts(monkeypatch):
    whole = tiny(validation=2, linear=True, max_length=4).fit(list(MANY), MANY_TAGS)
    monkeypatch.setattr("sktextcnn.text.tokens.TOKENS_PER_PART", 16)
    monkeypatch.setattr("sktextcnn.engine.inference.TEXTS_PER_PART", 5)
    streamed = tiny(validation=2, linear=True, max_length=4).fit(stream_of(MANY, MANY_TAGS))
    assert same_models(whole, streamed)


def test_classes_fix_the_labels_of_a_stream():
    clf = tiny(classes=["sport", "news", "food", "art"]).fit(stream_of(TEXTS, TAGS))
    assert clf.classes_.tolist() == ["sport", "news", "food", "art"]


def test_fit_goes_on_from_a_stream():
    whole, streamed = tiny(warm_start=True), tiny(warm_start=True)
    for _ in range(2):
        whole.fit(TEXTS, TAGS)
        streamed.fit(stream_of(TEXTS, TAGS))
    assert same_models(whole, streamed)


def test_a_stream_goes_on_from_a_checkpoint(tmp_path):
    parameters = {"validation": 2, "linear": True}
    whole = tiny(**parameters).fit(stream_of(MANY, MANY_TAGS))
    for chunk_size in (50, 9):
        streamed = tiny(**parameters, checkpoint_dir=tmp_path)
        assert same_models(whole, streamed.fit(stream_of(MANY, MANY_TAGS, chunk_size=chunk_size)))
    assert len([*tmp_path.iterdir()]) == 1  # known by its texts, not by how they came


@pytest.mark.slow
def test_the_keras_engine_takes_streams():
    whole = tiny(engine="keras", validation=0.3).fit(TEXTS, TAGS)
    streamed = tiny(engine="keras", validation=0.3).fit(stream_of(TEXTS, TAGS, chunk_size=5))
    assert same_models(whole, streamed)


# -- what does not fit -------------------------------------------------------------------------------


def test_rare_tokens_go_where_there_are_too_many(monkeypatch):
    monkeypatch.setattr(numbering, "MOST_TOKENS", 20)
    texts = [f"often also once{i}" for i in range(40)]
    tags = [["a"], ["b"]] * 20
    clf = tiny(max_features=None).fit(stream_of(texts, tags, chunk_size=4))
    assert {*clf.vocabulary_} >= {"often", "also"}
    assert len(clf.vocabulary_) <= 24
    assert [*clf.vocabulary_][:2] == ["also", "often"]
    whole = tiny(min_df=2).fit(texts, tags)
    streamed = tiny(min_df=2).fit(stream_of(texts, tags, chunk_size=4))
    assert same_models(whole, streamed)  # what was dropped would not have counted


def test_tokens_of_a_vocabulary_are_never_dropped(monkeypatch):
    monkeypatch.setattr(numbering, "MOST_TOKENS", 8)
    vocabulary = ["once3", "once30"]
    texts = [f"often also once{i}" for i in range(40)]
    tags = [["a"], ["b"]] * 20
    whole = tiny(vocabulary=vocabulary).fit(texts, tags)
    assert same_models(whole, tiny(vocabulary=vocabulary).fit(stream_of(texts, tags, chunk_size=4)))


def test_the_linear_part_learns_from_a_sample_of_too_many(monkeypatch):
    monkeypatch.setattr("sktextcnn.resolved.MOST_LINEAR_TOKENS", 200)
    parameters = {"validation": 2, "linear": True}
    with pytest.warns(UserWarning, match=r"learns from \d+ of the 60 texts of the stream"):
        first = tiny(**parameters).fit(stream_of(MANY, MANY_TAGS))
    with pytest.warns(UserWarning, match="linear=False"):
        second = tiny(**parameters).fit(stream_of(MANY, MANY_TAGS, chunk_size=9))
    assert same_models(first, second)
    assert not same_weights(first, tiny(**parameters).fit(list(MANY), MANY_TAGS))


# -- a few texts after the other ---------------------------------------------------------------------


def test_partial_fit_learns_a_chunk_at_a_time():
    names = ["food", "news", "sport"]
    one_by_one = tiny()
    for start in range(0, 12, 4):
        rows = slice(start, start + 4)
        one_by_one.partial_fit(TEXTS[rows], TAGS[rows], names)
    streamed = tiny().partial_fit(stream_of(TEXTS, TAGS, chunk_size=4), classes=names)
    assert same_models(one_by_one, streamed)
    assert streamed.n_epochs_ == 3


def test_partial_fit_needs_the_labels_of_later_chunks():
    stream = stream_of(TEXTS, TAGS, chunk_size=2)
    clf = tiny()
    place = r"the chunk of the stream that begins with text \d*[2468] \(from 0\): y\[[01]\]"
    with pytest.raises(ValueError, match=rf"{place} holds 'food', which is not among classes="):
        clf.partial_fit(stream)
    assert not fitted_attributes(clf)  # as before the first chunk


# -- what goes wrong ---------------------------------------------------------------------------------


class BrokenError(Exception):
    """One that nobody else raises."""


def breaks_after(n):
    def read():
        yield from zip(TEXTS[:n], TAGS[:n], strict=True)
        raise BrokenError

    return TextStream(read, chunk_size=2)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where temporary files go; not a single one is to be left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_stream_that_fails_midway_changes_nothing(method, folder):
    clf = tiny().partial_fit(TEXTS, TAGS)
    before = dict(vars(clf))
    with pytest.raises(BrokenError):
        getattr(clf, method)(breaks_after(7))
    assert vars(clf).keys() == before.keys()
    assert all(vars(clf)[name] is value for name, value in before.items())


def test_nothing_is_left_on_the_disk(folder):
    tiny(validation=2, linear=True).fit(stream_of(TEXTS, TAGS))


def test_a_full_disk_is_said(monkeypatch, folder):
    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            """Has nothing to close."""

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **options: Full())
    with pytest.raises(OSError, match=r"no space left in .* TMPDIR"):
        tiny().fit(stream_of(TEXTS, TAGS))


ROWS = {
    "a str": ("ab", TypeError, r"Row 1 of the stream is 'ab'; expected a pair"),
    "three": (("a", ["b"], 1), TypeError, r"Row 1 .* expected a pair"),
    "no text": ((None, ["b"]), TypeError, r"Row 1 .* None of type NoneType in the place of a text"),
    "a str of labels": (("a", "b"), TypeError, r"y\[1\] is the str 'b' among label sets"),
    "missing": (("a", None), ValueError, r"y\[1\] is None; write \[\]"),
    "a label that is none": (("a", [{}]), TypeError, r"y\[1\] holds a dict"),
    "numbers": (("a", [1]), TypeError, "mixes str labels with numbers"),
}


@pytest.mark.parametrize(("row", "error", "message"), ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("chunk_size", [1, 5])
def test_rows_that_are_none_are_named(row, error, message, chunk_size):
    with pytest.raises(error, match=message):
        tiny().fit(TextStream([("first", ["a"]), row, ("last", ["c"])], chunk_size=chunk_size))


def test_labels_outside_of_classes_are_named():
    with pytest.raises(ValueError, match=r"y\[3\] holds 'news', which is not among"):
        tiny(classes=["sport", "food"]).fit(stream_of("aaab", [["sport"]] * 3 + [["news"]]))


def test_rows_of_a_matrix_are_refused_in_the_end():
    with pytest.raises(ValueError, match="equal-length rows of 0 and 1"):
        tiny().fit(stream_of(TEXTS, [[0, 1]] * 12, chunk_size=5))
    several = [[0, 1]] * 11 + [[2]]
    assert tiny().fit(stream_of(TEXTS, several, chunk_size=5)).classes_.tolist() == [0, 1, 2]


SOURCES = {
    "nothing": ([], ValueError, "The stream holds no texts: at least one is needed.$"),
    "exhausted": (iter([]), ValueError, "made of an iterator, which can be read once"),
    "returns None": (lambda: None, TypeError, "returned a NoneType; expected an iterable"),
}


@pytest.mark.parametrize(("source", "error", "message"), SOURCES.values(), ids=SOURCES)
def test_sources_without_texts_are_refused(source, error, message):
    with pytest.raises(error, match=message):
        tiny().fit(TextStream(source))


def test_an_iterator_is_of_use_once():
    stream = TextStream(zip(TEXTS, TAGS, strict=True))
    tiny().fit(stream)
    with pytest.raises(ValueError, match="can be read once"):
        tiny().fit(stream)


@pytest.mark.parametrize("source", ["a text", b"a", {"a": 1}, 3])
def test_what_is_no_source_is_refused(source):
    with pytest.raises(TypeError, match="pass an iterable of"):
        TextStream(source)


@pytest.mark.parametrize("chunk_size", [0, 1.5, True])
def test_odd_sizes_of_chunks_are_refused(chunk_size):
    with pytest.raises(ValueError, match=r"chunk_size=.*; expected a positive int"):
        TextStream([], chunk_size=chunk_size)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(("name", "message"), [("y", "leave y out"), ("sample_weight", "same weight")])
def test_nothing_stands_beside_a_stream(method, name, message):
    with pytest.raises(ValueError, match=f"X is a TextStream, .*{message}"):
        getattr(tiny(), method)(stream_of(TEXTS, TAGS), **{name: TAGS})


def test_lists_need_a_y():
    with pytest.raises(ValueError, match="y is None"):
        tiny().fit(TEXTS)


# -- files -------------------------------------------------------------------------------------------


def write_lines(path, rows):
    open_file = gzip.open if path.suffix == ".gz" else open
    with open_file(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def rows_of(texts, tags):
    return [{"n": 1, "words": text, "tags": row} for text, row in zip(texts, tags, strict=True)]


def test_files_of_any_kind_are_read_one_after_the_other(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    import pyarrow

    paths = [
        write_lines(tmp_path / "a.jsonl", rows_of(TEXTS[:5], TAGS[:5])),
        write_lines(tmp_path / "b.ndjson.gz", rows_of(TEXTS[5:8], TAGS[5:8])),
        tmp_path / "c.parquet",
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows_of(TEXTS[8:], TAGS[8:])), paths[2])
    stream = TextStream.from_files(map(str, paths), text="words", labels="tags", chunk_size=4)
    assert [*stream] == [*zip(TEXTS, TAGS, strict=True)]
    assert same_models(tiny().fit(stream), tiny().fit(TEXTS, TAGS))


def test_labels_in_strings_are_split(tmp_path):
    rows = [{"text": "a", "labels": labels} for labels in (" x; y;", None, "")]
    stream = TextStream.from_files(write_lines(tmp_path / "a.jsonl", rows), sep=";")
    assert [labels for _, labels in stream] == [["x", "y"], [], []]


FILES = {
    "a missing column": ([{"text": "a", "label": "x"}], "line 1 has no column 'labels'.*mean 'label'"),
    "no text": (
        [{"text": "a", "labels": "x"}, {"text": None, "labels": "x"}],
        "line 2 has None in 'text'",
    ),
    "a number": ([{"text": 3, "labels": "x"}], "line 1 has 3 in 'text', the place of a text"),
    "no label": ([{"text": "a", "labels": None}], r"line 1 has, in 'labels', no label; write \[\]"),
    "a dict": ([{"text": "a", "labels": {}}], r"line 1 has, in 'labels', {} of type dict"),
    "null in a list": ([{"text": "a", "labels": [None]}], "line 1 has, in 'labels', a list with None"),
}


@pytest.mark.parametrize(("rows", "message"), FILES.values(), ids=FILES)
def test_rows_of_files_are_named(rows, message, tmp_path):
    path = write_lines(tmp_path / "train.jsonl", rows)
    with pytest.raises(ValueError, match=rf"train\.jsonl: {message}"):
        tiny().fit(TextStream.from_files(path))


def test_a_column_that_parquet_lacks_is_named(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra parquet")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"text": ["a"], "tags": [["x"]]}), path)
    with pytest.raises(
        ValueError, match=r"a\.parquet has no column 'labels'; its columns are 'text', 'tags'"
    ):
        [*TextStream.from_files(path)]


def test_a_file_that_was_cut_off_changes_nothing(tmp_path):
    path = write_lines(tmp_path / "a.jsonl.gz", rows_of(TEXTS * 50, TAGS * 50))
    path.write_bytes(path.read_bytes()[:-20])
    clf = tiny()
    with pytest.raises(ValueError, match=r"a\.jsonl\.gz cannot be read"):
        clf.fit(TextStream.from_files(path, text="words", labels="tags", chunk_size=10))
    assert not fitted_attributes(clf)


def test_files_are_looked_at_before_they_are_read(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl is no file"):
        TextStream.from_files(tmp_path / "none.jsonl")
    (tmp_path / "a.csv").write_text("text,labels\n")
    with pytest.raises(ValueError, match=r"neither JSON Lines .* nor Parquet"):
        TextStream.from_files(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="paths is empty"):
        TextStream.from_files([])
    with pytest.raises(ValueError, match="sep is empty"):
        TextStream.from_files(tmp_path / "a.csv", sep="")


def test_another_encoding_is_named(tmp_path):
    (tmp_path / "a.jsonl").write_bytes('{"text": "é", "labels": "x"}'.encode("cp1252"))
    with pytest.raises(ValueError, match=r"not in utf-8 .* utf-16: encoding="):
        [*TextStream.from_files(tmp_path / "a.jsonl")]
    assert [*TextStream.from_files(tmp_path / "a.jsonl", encoding="cp1252")] == [("é", "x")]


# -- memory ------------------------------------------------------------------------------------------

LIMITED = """
import resource, sys
import numpy as np
from sktextcnn import TextCNNClassifier, TextStream

LIMIT = 40 << 20  # bytes of memory beyond those at the start

def read(n=12_000):
    rng = np.random.default_rng(0)
    words = np.array([f"word{i}" for i in range(3_000)])
    for number in range(n):
        chosen = rng.integers(0, len(words), 1_000)
        yield " ".join(words[chosen]), ["low" if chosen[0] < 1_500 else "high"]

small = {"embedding_dim": 8, "filters": 8, "kernel_sizes": (2,), "epochs": 1, "linear": False}
clf = TextCNNClassifier(**small, max_length=None, random_state=0)
clf.fit(TextStream(lambda: read(200)))  # loads all that is needed
used = 1024 * int(open("/proc/self/status").read().partition("VmData:")[2].split()[0])
resource.setrlimit(resource.RLIMIT_DATA, (used + LIMIT, used + LIMIT))
n_characters = 0

def counted():
    global n_characters
    for text, labels in read():
        n_characters += len(text)
        yield text, labels

clf.fit(TextStream(counted, chunk_size=500))
assert n_characters > 2 * LIMIT, n_characters
try:
    held = [text for text, _ in read()]
except MemoryError:
    print("too many to hold")
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
def test_texts_that_do_not_fit_into_memory_are_learned():
    """The texts, and their token ids, take more than the limit."""
    assert run_python(LIMITED).stdout == "too many to hold\n"
