"""The commands of ``sktextcnn``, from files to models, tables, numbers and messages."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sktextcnn
from sktextcnn import TextCNNClassifier, cli
from sktextcnn.cli import prediction, training
from sktextcnn.datasets import load_news_tags

TEXTS = [
    f"{subject} {verb} the {thing}"
    for subject, verb in [("the minister", "opens"), ("a child", "reads"), ("the team", "wins")]
    for thing in ["news", "match", "school", "vote"]
]
TAGS = [
    [tag for tag, word in [("politics", "minister"), ("sport", "match")] if word in text] or ["other"]
    for text in TEXTS
]
SINGLE = [tags[0] for tags in TAGS]
SMALL = "min_df=1 embedding_dim=8 kernel_sizes=1,2 filters=4 epochs=2 validation=none linear=false"
SMALL = [option for pair in SMALL.split() for option in ("--param", pair)]
COLUMNS = ["--text", "text", "--labels", "tags"]


def write_csv(path, rows, header=("text", "tags")):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


def read_csv(text):
    return [*csv.DictReader(io.StringIO(text))]


def labelled(path, tags=TAGS):
    rows = zip(TEXTS, (";".join(own) if isinstance(own, list) else own for own in tags), strict=True)
    return write_csv(path, rows)


def fit(path, model, *options):
    return cli.main(["fit", path, *COLUMNS, "--sep", ";", "--model", str(model), *SMALL, *options])


def fails(capsys, status, message):
    """Whether the command ended with status 2, one line on stderr, and nothing on stdout."""
    captured = capsys.readouterr()
    assert (status, captured.out) == (2, "")
    error = captured.err.splitlines()[-1]
    assert error.startswith("error: ")
    assert captured.err.count("error: ") == 1
    assert re.search(message, error), error
    return True


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of several labels per text."""
    folder = tmp_path_factory.mktemp("models")
    assert fit(labelled(folder / "a.csv"), folder / "model") == 0
    return folder / "model"


@pytest.fixture(scope="module")
def single_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    assert fit(labelled(folder / "a.csv", SINGLE), folder / "model", "--kind", "single") == 0
    return folder / "model"


# -- fit ---------------------------------------------------------------------------------------------


def test_fit_says_what_it_read_and_saves_a_model(tmp_path, capsys):
    path = labelled(tmp_path / "a.csv", [*TAGS[:-1], []])
    assert fit(path, tmp_path / "model", "--seed", "3") == 0
    out, err = capsys.readouterr()
    said = [line for line in err.splitlines() if "compiles its kernels" not in line]
    assert said == [
        f"{path}: 12 rows, read as several labels per text, separated by ';'",
        "  12 texts, 3 labels, 1.00 labels per text, 1 text without label",
        "  most frequent: 'other' 5, 'politics' 4, 'sport' 3",
    ]
    assert re.fullmatch(rf"trained on 12 texts in \d+ s; saved in {tmp_path / 'model'}\n", out)
    expected = TextCNNClassifier(
        min_df=1, embedding_dim=8, kernel_sizes=(1, 2), filters=4, epochs=2, validation=None,
        linear=False, random_state=3,
    ).fit(TEXTS, [*TAGS[:-1], []])  # fmt: skip
    loaded = sktextcnn.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), expected.predict_proba(TEXTS))


def test_what_the_command_line_says_is_not_said_in_terms_of_python_as_well(tmp_path, capsys):
    twice = write_csv(tmp_path / "a.csv", [(f"{text} {i}", "sport") for text in TEXTS for i in "ab"])
    with open(twice, "a", encoding="utf-8") as file:
        file.write(f"{TEXTS[0]} a,politics\n")
    joined = labelled(tmp_path / "b.csv", ["a", "b", "a|b", "b|a"] * 3)
    for path, options in [(twice, []), (joined, ["--kind", "single"])]:
        command = ["fit", path, *COLUMNS, "--model", str(tmp_path / "model"), "--overwrite", *SMALL]
        assert cli.main([*command, *options]) == 0
        err = capsys.readouterr().err
        assert err.count("come more than once, with different labels") == (path is twice)
        assert not re.search(r"group_rows|split\(", err)


def test_fit_evaluates_on_another_file(tmp_path, capsys):
    path, test = labelled(tmp_path / "a.csv"), labelled(tmp_path / "b.csv", [["sport"]] * 12)
    assert fit(path, tmp_path / "model", "--test", test, "--json") == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["model"] == str(tmp_path / "model")
    assert document["labels"] == {"other": 6, "politics": 4, "sport": 3}
    assert (document["n_rows"], document["n_texts"], document["validation_score"]) == (12, 12, None)
    supports = {row["label"]: row["support"] for row in document["evaluation"]["labels"]}
    assert supports == {"other": 0, "politics": 0, "sport": 12}
    assert "note: 12 of the texts to evaluate on are among those to learn from, too." in err


def test_fit_holds_a_share_out(tmp_path, capsys):
    path = labelled(tmp_path / "a.csv")
    assert fit(path, tmp_path / "model", "--test-size", "0.25", "--quiet") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "trained on 9 texts" in out
    assert "3 texts, 3 labels: f1_micro" in out


def test_fit_tells_the_score_on_held_out_texts(tmp_path, capsys):
    path = write_csv(tmp_path / "a.csv", [*zip(TEXTS, SINGLE, strict=True)] * 2)
    assert fit(path, tmp_path / "model", "--param", "validation=3") == 2
    assert "--param validation=3: validation has a value already" in capsys.readouterr().err
    options = ["--param", "epochs=1", "--param", "validation=2", "--param", "min_df=1"]
    assert cli.main(["fit", path, *COLUMNS, "--model", str(tmp_path / "model"), *options]) == 0
    assert re.search(
        r"^on texts held out while training: accuracy \d\.\d{3}$", capsys.readouterr().out, re.M
    )


def test_fit_reads_standard_input(tmp_path, monkeypatch):
    with open(labelled(tmp_path / "a.csv"), encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert fit("-", tmp_path / "model") == 0
    assert sktextcnn.load(tmp_path / "model").classes_.tolist() == ["other", "politics", "sport"]


def test_blank_texts_are_named_or_skipped(tmp_path, capsys):
    path = write_csv(tmp_path / "a.csv", [*zip(TEXTS, SINGLE, strict=True), ("", "sport"), (" ", "a")])
    status = fit(path, tmp_path / "model", "--kind", "single")
    assert fails(
        capsys, status, r"no text in column 'text' in 2 rows \(line 14, line 15\)\. .*--skip-blank"
    )
    assert not (tmp_path / "model").exists()
    assert fit(path, tmp_path / "model", "--skip-blank", "--kind", "single") == 0
    assert ": 12 rows; 2 without text skipped, read as one label per text" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fit", "search", "demo"])
def test_texts_without_label_are_named_or_skipped(tmp_path, capsys, command):
    rows = [*zip(TEXTS, SINGLE, strict=True), ("a vote", ""), ("", "a")]
    path = write_csv(tmp_path / "a.csv", rows)
    options = {
        "fit": ["--model", str(tmp_path / "model"), *SMALL],
        "search": ["--cv", "2", *_without(SMALL, "kernel_sizes")],
        "demo": ["--epochs", "1", "--test-size", "0.5"],
    }[command]
    command = [command, path, *COLUMNS, *options, "--skip-blank"]
    message = r"1 row has no label \(line 14\): drop them with --skip-unlabelled, or --kind multi if"
    assert fails(capsys, cli.main(command), message)
    assert not (tmp_path / "model").exists()
    assert cli.main([*command, "--skip-unlabelled"]) == 0
    said = f"{path}: 12 rows; 1 without text and 1 without label skipped, read as one label per text\n"
    assert said in capsys.readouterr().err


def test_a_wrong_separator_is_told_before_training(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(TextCNNClassifier, "fit", lambda *_: pytest.fail("trains"))
    pairs = [(f"text {a}{b}", f"{a}|{b}") for a in "abcd" for b in "abcd" if a < b]
    path = write_csv(tmp_path / "a.csv", pairs)
    status = cli.main(["fit", path, *COLUMNS, "--model", str(tmp_path / "model")])
    assert fails(capsys, status, r"'\|' seems to separate labels: .* Pass --sep '\|'")
    for sep in (";", r"\|"):
        for command in (["fit", path, "--model", str(tmp_path / "model")], ["search", path]):
            status = cli.main([*command, *COLUMNS, "--sep", sep])
            assert fails(capsys, status, r"no row holds '.*', but '\|' seems to separate labels")
    assert [*tmp_path.iterdir()] == [tmp_path / "a.csv"]


def test_a_model_is_replaced_only_if_asked_to(tmp_path, capsys, model):
    path = labelled(tmp_path / "a.csv", [["new"], ["old"]] * 6)
    assert fit(path, tmp_path / "model") == 0
    capsys.readouterr()
    assert fails(capsys, fit(path, tmp_path / "model"), "model exists. .*: --overwrite")
    assert fit(labelled(path, SINGLE), tmp_path / "model", "--overwrite", "--kind", "single") == 0
    assert sktextcnn.load(tmp_path / "model").classes_.tolist() == ["other", "politics", "sport"]
    assert json.loads((tmp_path / "model" / "reading.json").read_text())["kind"] == "single"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.csv", "a.csv is a file; name another folder"),
        ("nowhere/model", "there is no folder .*nowhere. Make it first"),
        ("others", "others holds other files than a model; name another"),
    ],
)
def test_places_where_no_model_can_be_saved(tmp_path, capsys, monkeypatch, name, message):
    monkeypatch.setattr(training, "read_dataset", lambda *_, **__: pytest.fail("reads the table"))
    path = labelled(tmp_path / "a.csv")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "a.txt").write_text("x")
    status = fit(path, tmp_path / "model", "--test", "nowhere.csv")
    assert fails(capsys, status, r"--test nowhere\.csv: there is no such file")
    for options in ([], ["--overwrite"]):
        assert fails(capsys, fit(path, tmp_path / name, *options), message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--param", "epoch=1"], r"there is no parameter 'epoch'; did you mean epochs\?"),
        (["--param", "dropout=2"], "The 'dropout' parameter of TextCNNClassifier must be"),
        (["--text", "body"], "no column 'body'; its columns are 'text', 'tags'"),
        (["--labels", "tag"], "no column 'tag'; its columns are 'text', 'tags'"),
        (["--labels", "tags", "--labels", "text"], "in column 'text'; .* hold 0 or 1"),
        (["--sep", ""], "--sep is empty; expected"),
        (["--delimiter", "::"], r"--delimiter '::': expected a single character"),
        (["--test-size", "0.999"], "12 texts with 3 labels cannot be divided: every label needs a text"),
    ],
)
def test_options_of_fit_that_cannot_be_used(tmp_path, capsys, options, message):
    path = labelled(tmp_path / "a.csv", [[f"{i % 3}"] for i in range(12)])
    status = fit(path, tmp_path / "model", *options)
    assert fails(capsys, status, message)
    assert not (tmp_path / "model").exists()


# -- predict -----------------------------------------------------------------------------------------


def predict(model, *options):
    return cli.main(["predict", *map(str, options), "--model", str(model)])


def test_predict_keeps_columns_and_adds_labels(tmp_path, capsys, model):
    path = write_csv(
        tmp_path / "a.csv", [(i, text, "é") for i, text in enumerate(TEXTS)], ("n", "text", "x")
    )
    assert predict(model, path) == 0
    out, err = capsys.readouterr()
    expected = sktextcnn.load(model).predict_labels(TEXTS)
    assert read_csv(out) == [
        {"n": str(i), "text": text, "x": "é", "predicted": ";".join(labels)}
        for i, (text, labels) in enumerate(zip(TEXTS, expected, strict=True))
    ]
    assert re.fullmatch(r"12 rows tagged in \d+ s\n", err)


def test_predict_adds_probabilities(tmp_path, capsys, model):
    path = labelled(tmp_path / "a.csv")
    assert predict(model, path, "--proba", "--column", "found", "--quiet") == 0
    out, err = capsys.readouterr()
    assert err == ""
    rows = read_csv(out)
    assert [*rows[0]] == ["text", "tags", "found", "proba_other", "proba_politics", "proba_sport"]
    found = [[float(row[name]) for name in [*row][3:]] for row in rows]
    np.testing.assert_allclose(found, sktextcnn.load(model).predict_proba(TEXTS), atol=1e-4)
    assert predict(model, path, "--proba", "--json") == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [[*record["proba"].values()] for record in records] == found
    assert [";".join(record["predicted"]) for record in records] == [row["found"] for row in rows]


def test_predict_with_one_label_per_text(tmp_path, capsys, single_model):
    path = write_csv(tmp_path / "a.csv", [[text] for text in TEXTS], ["text"])
    expected = [labels[0] for labels in sktextcnn.load(single_model).predict_labels(TEXTS)]
    assert predict(single_model, path) == 0
    assert [row["predicted"] for row in read_csv(capsys.readouterr().out)] == expected
    assert predict(single_model, path, "--output", tmp_path / "b.jsonl.gz") == 0
    assert predict(single_model, tmp_path / "b.jsonl.gz", "--column", "again") == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["predicted"], row["again"]) for row in records] == [(name, name) for name in expected]


def test_predict_to_a_file_whose_name_tells_no_format(tmp_path, model):
    path = labelled(tmp_path / "a.csv")
    assert predict(model, path, "--output", tmp_path / "b.dat", "--output-format", "csv") == 0
    assert predict(model, path, "--output", tmp_path / "b") == 0
    assert (tmp_path / "b").read_bytes() == (tmp_path / "b.dat").read_bytes()


def test_predict_from_plain_lines(tmp_path, capsys, model):
    (tmp_path / "a.txt").write_text("the match\n\nthe vote\n", "utf-8")
    assert predict(model, tmp_path / "a.txt", "--text", "any") == 0
    out, err = capsys.readouterr()
    rows = read_csv(out)
    assert [row["text"] for row in rows] == ["the match", "", "the vote"]
    assert rows[1]["predicted"] == ""
    assert "note: 1 row without text got no labels (line 2)." in err


def test_the_delimiter_of_csv_is_remembered(tmp_path, capsys):
    rows = [f"{text};{label}" for text, label in zip(TEXTS, SINGLE, strict=True)]
    path, model = tmp_path / "a.csv", tmp_path / "model"
    path.write_text("\n".join(["text;tags", *rows]), "utf-8")
    command = ["fit", str(path), *COLUMNS, "--delimiter", ";", "--model", str(model), *SMALL]
    assert cli.main(command) == 0
    assert cli.main(["evaluate", str(path), "--model", str(model), "--quiet"]) == 0
    capsys.readouterr()
    assert predict(model, path, "--quiet") == 0
    written = capsys.readouterr().out.splitlines()
    assert written[0] == "text;tags;predicted"
    # Other formats have their own, and so may other tables.
    tabs = tmp_path / "a.tsv"
    tabs.write_text(path.read_text("utf-8").replace(";", "\t"), "utf-8")
    assert predict(model, tabs, "--quiet") == 0
    assert capsys.readouterr().out.replace("\t", ";").splitlines() == written
    commas = labelled(tmp_path / "b.csv", SINGLE)
    assert fails(capsys, predict(model, commas), "Its fields seem to end at ',': --delimiter ','")
    assert predict(model, commas, "--delimiter", ",", "--quiet") == 0
    assert capsys.readouterr().out.replace(",", ";").splitlines() == written


def test_probabilities_take_no_second_reading_of_texts(tmp_path, capsys, model, monkeypatch):
    n_scored, score = 0, TextCNNClassifier._logits_of

    def count(self, ids, network):
        nonlocal n_scored
        logits = score(self, ids, network)
        n_scored += len(logits)
        return logits

    monkeypatch.setattr(TextCNNClassifier, "_logits_of", count)
    assert predict(model, labelled(tmp_path / "a.csv"), "--proba") == 0
    assert n_scored == len(TEXTS)
    clf, rows = sktextcnn.load(model), read_csv(capsys.readouterr().out)
    assert [row["predicted"] for row in rows] == [*map(";".join, clf.predict_labels(TEXTS))]
    proba = [[float(row[f"proba_{name}"]) for name in clf.classes_] for row in rows]
    np.testing.assert_allclose(proba, clf.predict_proba(TEXTS), atol=1e-4)


@pytest.mark.parametrize("name", ["b.parquet", "b.csv", "b.tsv.gz", "b.jsonl"])
def test_predict_to_any_format(tmp_path, model, name):
    pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    path, texts = tmp_path / "a.jsonl", ["the match", None, "the vote"]
    path.write_text("".join(json.dumps({"text": text, "n": 1}) + "\n" for text in texts))
    assert predict(model, path, "--output", tmp_path / name, "--proba") == 0
    again = tmp_path / "again.parquet"
    assert predict(model, tmp_path / name, "--output", again, "--column", "again") == 0
    from pyarrow import parquet

    rows = parquet.read_table(again).to_pylist()
    labels = sktextcnn.load(model).predict_labels(["the match", "the vote"])
    assert [row["again"] for row in rows] == [[*labels[0]], [], [*labels[1]]]
    assert str(parquet.read_schema(again).field("again").type) in (
        "list<element: string>",
        "list<item: string>",
    )
    if name == "b.parquet":
        assert [row["predicted"] for row in rows] == [row["again"] for row in rows]
        assert rows[1]["proba_sport"] is None


def test_predict_names_what_its_texts_are_called_unless_the_model_knows(tmp_path, capsys, model):
    path = write_csv(tmp_path / "a.csv", [["the match"]], ["body"])
    assert fails(capsys, predict(model, path), r"no column 'text'; its columns are 'body'")
    assert predict(model, path, "--text", "body") == 0
    capsys.readouterr()
    sktextcnn.load(model).save(tmp_path / "model")
    status = predict(tmp_path / "model", path)
    assert fails(capsys, status, "does not say which columns texts were in; pass --text COLUMN")


def test_a_label_that_holds_the_separator(tmp_path, capsys):
    rows = [(text, ["a,b"] if "the match" in text else ["c"]) for text in TEXTS]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": text, "tags": tags}) + "\n" for text, tags in rows))
    options = [str(path), *COLUMNS, "--model", str(tmp_path / "model"), *SMALL]
    assert cli.main(["fit", *options]) == 0
    capsys.readouterr()
    new = write_csv(tmp_path / "b.csv", [["the match"]], ["text"])
    message = "the label 'a,b' holds ',', which would separate labels. Pass another --sep"
    assert fails(capsys, predict(tmp_path / "model", new), message)
    assert predict(tmp_path / "model", new, "--sep", "|") == 0
    assert predict(tmp_path / "model", new, "--json") == 0


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (["text", "predicted"], [], "has a column 'predicted' already. Name another .*: --column"),
        (["text", "proba_sport"], ["--proba"], "has a column 'proba_sport' already"),
        (["text"], ["--output", "nowhere/b.csv"], "there is no folder .*nowhere"),
        (["text"], ["--output", "b.txt"], "plain lines have no columns; write CSV"),
        (["text"], ["--output", "b.xlsx"], r"unknown extension '\.xlsx'; .* --output-format, one of"),
        (["text"], ["--encoding", "ascii"], "is not in ascii"),
    ],
)
def test_predictions_that_cannot_be_written(tmp_path, capsys, model, columns, options, message):
    path = write_csv(tmp_path / "a.csv", [["thé match"] * len(columns)], columns)
    assert fails(capsys, predict(model, path, *options), message)
    assert [*tmp_path.iterdir()] == [tmp_path / "a.csv"]


def test_nothing_is_left_of_predictions_that_fail_half_way(tmp_path, capsys, model, monkeypatch):
    monkeypatch.setattr(prediction, "ROWS_PER_BATCH", 2)
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "x"}\n' * 5 + '{"text": 7}\n')
    status = predict(model, path, "--output", tmp_path / "b.csv")
    assert fails(capsys, status, r"a\.jsonl: line 6 has a int in the place of a text")
    assert [*tmp_path.iterdir()] == [path]


@given(
    texts=st.lists(
        st.sampled_from(["", " ", "the match", "a vote", 'a school, a "team"\nwins']), max_size=9
    ),
    size=st.integers(1, 4),
    characters=st.integers(1, 30),
)
def test_a_stream_is_tagged_as_the_whole(tmp_path_factory, model, texts, size, characters):
    folder = tmp_path_factory.getbasetemp()
    path = write_csv(folder / "stream.csv", [[text] for text in texts], ["text"])
    with pytest.MonkeyPatch.context() as patch:
        whole = folder / "whole.csv"
        assert predict(model, path, "--proba", "--quiet", "--output", whole) == 0
        patch.setattr(prediction, "ROWS_PER_BATCH", size)
        patch.setattr(prediction, "CHARACTERS_PER_BATCH", characters)
        assert predict(model, path, "--proba", "--quiet", "--output", folder / "parts.csv") == 0
    assert (folder / "parts.csv").read_bytes() == whole.read_bytes()
    filled = [text for text in texts if text.strip()]
    found = [row["predicted"] for row in read_csv(whole.read_text()) if row["text"].strip()]
    expected = sktextcnn.load(model).predict_labels(filled) if filled else []
    assert found == [";".join(labels) for labels in expected]


class Rows(io.RawIOBase):
    """Endless rows of CSV, made as they are read, up to some number."""

    def __init__(self, n_rows, text):
        self._rows = iter([b"text\n", *[f"{text} {i % 7}\n".encode() for i in range(7)]])
        self._lines = (b"text\n" if i == 0 else f"{text} {i}\n".encode() for i in range(n_rows + 1))

    def readable(self):
        return True

    def readinto(self, buffer):
        line = next(self._lines, b"")
        buffer[: len(line)] = line
        return len(line)


@pytest.mark.parametrize(("n_rows", "text"), [(2000, "the match"), (150, "the match " * 700)])
def test_memory_does_not_grow_with_the_length_of_a_stream(tmp_path, model, monkeypatch, n_rows, text):
    monkeypatch.setattr(prediction, "ROWS_PER_BATCH", 100)
    monkeypatch.setattr(prediction, "CHARACTERS_PER_BATCH", 50_000)

    def peak(n):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Rows(n, text), 1 << 16)))
        tracemalloc.start()
        assert predict(model, "-", "--proba", "--output", tmp_path / "b.csv", "--quiet") == 0
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(n_rows // 10)  # what is loaded once
    short, long = peak(n_rows // 10), peak(n_rows)
    assert (tmp_path / "b.csv").read_text().count("\n") == n_rows + 1
    assert long < 1.2 * short + 100_000


# -- evaluate, report, explain, search ----------------------------------------------------------------


def test_evaluate_prints_a_table(tmp_path, capsys, model):
    path = labelled(tmp_path / "a.csv")
    assert cli.main(["evaluate", path, "--model", str(model)]) == 0
    out, err = capsys.readouterr()
    assert "read as several labels per text, separated by ';'" in err
    evaluation = sktextcnn.metrics.evaluate(sktextcnn.load(model), TEXTS, TAGS)
    assert out == f"{evaluation}\n"
    assert cli.main(["evaluate", path, "--model", str(model), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(evaluation.to_dict()))


def test_labels_that_the_model_does_not_know_are_named(tmp_path, capsys, model):
    path = labelled(tmp_path / "a.csv", [["new", "sport"], ["odd"], *TAGS[2:]])
    assert cli.main(["evaluate", path, "--model", str(model), "--json"]) == 0
    out, err = capsys.readouterr()
    assert "note: the model does not know 2 labels: 'new' 1, 'odd' 1." in err
    assert {"new", "odd"} < {row["label"] for row in json.loads(out)["labels"]}


def test_report_writes_a_page(tmp_path, capsys, model):
    pytest.importorskip("jinja2", reason="the extra report is not installed")
    pytest.importorskip("matplotlib", reason="the extra report is not installed")
    path, page = labelled(tmp_path / "<b>.csv"), tmp_path / "page.html"
    command = ["report", path, "--model", str(model), "--output", str(page)]
    assert cli.main(command) == 0
    assert capsys.readouterr().out == f"written to {page}\n"
    assert "model on &lt;b&gt;.csv</h1>" in page.read_text("utf-8")
    assert cli.main([*command, "--title", "Mine", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out) == {"report": str(page)}
    assert "Mine</h1>" in page.read_text("utf-8")
    status = cli.main(["report", "nowhere.csv", *command[2:-1], str(tmp_path)])
    assert fails(capsys, status, "is a folder; expected the name of a file")
    command[-1] = str(tmp_path / "nowhere" / "page.html")
    assert fails(capsys, cli.main(command), "nowhere does not exist")


def test_evaluate_on_a_table_of_another_form(tmp_path, capsys, model):
    pairs = [(text, tag) for text, tags in zip(TEXTS, TAGS, strict=True) for tag in tags]
    path = write_csv(tmp_path / "a.csv", pairs, ("body", "tag"))
    options = ["--text", "body", "--labels", "tag", "--json"]
    assert cli.main(["evaluate", path, "--model", str(model), *options]) == 0
    out, err = capsys.readouterr()
    assert "one (text, label) pair per row" in err
    assert json.loads(out)["n_texts"] == 12


def test_evaluate_with_labels_that_are_numbers(tmp_path, capsys):
    numbers = [len(text) % 2 for text in TEXTS]
    clf = TextCNNClassifier(min_df=1, filters=4, epochs=1, validation=None).fit(TEXTS, numbers)
    clf.save(tmp_path / "model")
    path = write_csv(tmp_path / "a.csv", zip(TEXTS, numbers, strict=True))
    assert cli.main(["evaluate", path, *COLUMNS, "--model", str(tmp_path / "model"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["scores"]["accuracy"] == pytest.approx(clf.score(TEXTS, numbers))
    assert predict(tmp_path / "model", path, "--text", "text") == 0
    assert {row["predicted"] for row in read_csv(capsys.readouterr().out)} <= {"0", "1"}
    status = cli.main(["explain", "the match", "--model", str(tmp_path / "model"), "--label", "1"])
    assert status == 0


def test_explain_names_n_grams(capsys, model):
    assert (
        cli.main(["explain", "the match", "--model", str(model), "--label", "sport", "--top", "2"]) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "the match"
    (explained,) = sktextcnn.load(model).explain(["the match"], labels="sport")[0]
    assert lines[1] == f"  sport: {explained.outcome}"
    assert re.fullmatch(r"  sport: (not )?predicted, probability 0\.\d+, threshold 0\.500", lines[1])
    assert len(lines) == 4
    for line in lines[2:]:
        assert re.fullmatch(r"    +[+-]\d+\.\d\d  (the|match|the match)", line)


def test_explain_as_json(capsys, model, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"the match\n\nthe vote\n")))
    assert cli.main(["explain", "a school", "-", "--model", str(model), "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == "note: 1 empty text skipped.\n"
    documents = json.loads(out)
    assert [document["text"] for document in documents] == ["a school", "the match", "the vote"]
    clf = sktextcnn.load(model)
    for document in documents:
        (proba,), (labels,) = (f([document["text"]]) for f in (clf.predict_proba, clf.predict_labels))
        for found in document["labels"]:
            column = clf.classes_.tolist().index(found["label"])
            assert found["probability"] == pytest.approx(proba[column], abs=1e-4)
            assert found["decision"] == (found["label"] in labels)
        if not labels:  # the nearest one
            assert [found["label"] for found in document["labels"]] == [clf.classes_[proba.argmax()]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["x", "--label", "nope"],
            "--label nope: the model has no such label, but other, politics, sport",
        ),
        (["x", "--top", "0"], "--top 0: expected a number of n-grams"),
        ([" "], "there is no text to explain"),
    ],
)
def test_explanations_that_cannot_be_had(capsys, model, options, message):
    assert fails(capsys, cli.main(["explain", *options, "--model", str(model)]), message)


def test_search_tries_every_candidate_and_saves_the_best(tmp_path, capsys):
    path = write_csv(tmp_path / "a.csv", [*zip(TEXTS, SINGLE, strict=True)] * 2)
    options = ["--param", "filters=2,8", "--param", "min_df=1", "--param", "validation=none"]
    command = ["search", path, *COLUMNS, *options, "--cv", "2", "--model", str(tmp_path / "model")]
    assert cli.main([*command, "--param", "epochs=1"]) == 0
    out, err = capsys.readouterr()
    assert "2 candidates, 2 parts each: 5 trainings" in err
    lines = out.splitlines()
    assert lines[0].split() == [
        "accuracy",
        "std",
        "seconds",
        "filters",
        "min_df",
        "validation",
        "epochs",
    ]
    assert sorted(line.split()[3] for line in lines[1:3]) == ["2", "8"]
    assert float(lines[1].split()[0]) >= float(lines[2].split()[0])
    assert lines[-1] == f"trained on all texts with the best parameters; saved in {tmp_path / 'model'}"
    best = sktextcnn.load(tmp_path / "model")
    assert best.filters == int(lines[1].split()[3])
    assert predict(tmp_path / "model", path) == 0


def test_search_over_label_sets_as_json(tmp_path, capsys):
    path = labelled(tmp_path / "a.csv", TAGS)
    options = [*SMALL, "--param", "dropout=0,0.5", "--cv", "2", "--metric", "f1_macro", "--json"]
    assert cli.main(["search", path, *COLUMNS, "--sep", ";", *_without(options, "kernel_sizes")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["metric"], document["model"]) == ("f1_macro", None)
    assert sorted(one["params"]["dropout"] for one in document["candidates"]) == [0, 0.5]
    means = [one["mean"] for one in document["candidates"]]
    assert means == sorted(means, reverse=True)


def _without(options, name):
    """Leave out a parameter whose value would be a list of values in a grid."""
    kept = [pair for pair in options if not pair.startswith(name)]
    return [a for i, a in enumerate(kept) if not (a == "--param" and kept[i + 1 : i + 2] == ["--param"])]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--param", "filters=2,x"], "The 'filters' parameter of TextCNNClassifier must be"),
        (["--metric", "f2"], "'f2'"),
    ],
)
def test_searches_that_cannot_be_made(tmp_path, capsys, options, message):
    path = labelled(tmp_path / "a.csv")
    assert fails(capsys, cli.main(["search", path, *COLUMNS, "--sep", ";", *options]), message)


# -- demo --------------------------------------------------------------------------------------------


def test_demo_on_the_embedded_sample(capsys):
    assert cli.main(["demo", "--epochs", "1"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 100
    assert out.isascii()
    assert "  722 texts, 12 labels" in err
    assert "  541 texts to learn from, 181 held out (seed 0)" in err
    table = re.findall(r"^(TextCNNClassifier|tuned linear SVM) +(0\.\d+)", out, re.M)
    assert [name for name, _ in table] == ["TextCNNClassifier", "tuned linear SVM"]
    assert float(table[1][1]) > 0.6
    assert re.search(r"^Data Science( +\d\.\d{3}){3} +\d+$", out, re.M)
    for sentence in cli.demo.SENTENCES:
        assert f"  {sentence}" in out
    assert re.search(r"-> .*[A-Z]\w+ \d\.\d\d", out)


def test_demo_marks_sentences_that_were_learned_from(capsys):
    learned = load_news_tags().data[:20]
    tags = [option for text in [*learned, "never seen before"] for option in ("--tag", text)]
    assert cli.main(["demo", "--epochs", "1", *tags]) == 0
    out = capsys.readouterr().out
    assert 0 < out.count("(learned from)") < 20
    assert re.search(r"^  never seen before$", out, re.M)


@pytest.mark.parametrize("tags", [TAGS, SINGLE])
def test_demo_on_a_file(tmp_path, capsys, tags):
    path = labelled(tmp_path / "a.csv", tags)
    command = ["demo", path, *COLUMNS, "--epochs", "1", "--test-size", "0.5"]
    if tags is TAGS:
        command += ["--sep", ";"]
    outputs = []
    for seed in ("0", "0", "1"):
        assert cli.main([*command, "--seed", seed]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] != outputs[2]
    measure = " accuracy" if tags is SINGLE else "subset accuracy"
    assert measure in outputs[0].splitlines()[0]
    assert ("subset" in outputs[0]) == (tags is TAGS)
    assert "Held-out sentences" in outputs[0]
    assert cli.main([*command, "--tag", "the match", "--json"]) == 0
    assert [*json.loads(capsys.readouterr().out)["tagged"]] == ["the match"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--text", "text"], "FILE, --text COLUMN and --labels COLUMN go together"),
        (["a.csv"], "--labels COLUMN go together"),
        (["--data", "a.csv", "--text", "text"], "--labels COLUMN go together"),
    ],
)
def test_demo_on_half_a_file(capsys, options, message):
    assert fails(capsys, cli.main(["demo", *options]), message)


def test_texts_that_cannot_be_divided(tmp_path, capsys):
    path = labelled(tmp_path / "a.csv", [f"label {i}" for i in range(12)])
    message = "12 texts with 12 labels cannot be divided"
    assert fails(capsys, fit(path, tmp_path / "model", "--test-size", "0.5"), message)
    assert fails(capsys, cli.main(["demo", "--data", path, *COLUMNS]), message)


def test_demo_on_too_few_texts(tmp_path, capsys):
    path = write_csv(tmp_path / "a.csv", [("x", "a"), ("y", "b")])
    assert fails(capsys, cli.main(["demo", "--data", path, *COLUMNS]), "2 texts are too few; at least 8")


# -- all commands ------------------------------------------------------------------------------------


def test_a_folder_that_is_no_model(tmp_path, capsys):
    path = labelled(tmp_path / "a.csv")
    for command in (["predict", path], ["evaluate", path], ["explain", "the match"]):
        for folder in (tmp_path, tmp_path / "nowhere"):
            assert fails(capsys, cli.main([*command, "--model", str(folder)]), str(folder))


def test_an_interrupted_command_ends_with_one_line(tmp_path, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(TextCNNClassifier, "fit", interrupt)
    assert fit(labelled(tmp_path / "a.csv"), tmp_path / "model") == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == "error: interrupted."
    assert not (tmp_path / "model").exists()


def test_what_the_terminal_cannot_show_is_escaped(tmp_path, monkeypatch, capsys):
    rows = [(text, "\u65b0\u805e" if "child" in text else "\x1b[31mred") for text in TEXTS]
    path = write_csv(tmp_path / "a.csv", rows)
    with (tmp_path / "out.txt").open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert fit(path, tmp_path / "model", "--test", path) == 0
        monkeypatch.undo()
    shown = (tmp_path / "out.txt").read_text("ascii")
    assert r"\u65b0\u805e" in shown
    assert "\x1b" not in shown + capsys.readouterr().err


def test_the_environment_is_left_alone(tmp_path):
    before = dict(os.environ)
    assert fit(labelled(tmp_path / "a.csv"), tmp_path / "model") == 0
    assert dict(os.environ) == before


def test_no_argument_prints_help(capsys):
    assert cli.main([]) == 2
    assert "usage: sktextcnn" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--help"], *([name, "--help"] for name in cli.COMMANDS)])
def test_every_command_has_help(capsys, argv):
    with pytest.raises(SystemExit) as raised:
        cli.main(argv)
    assert raised.value.code == 0
    assert "usage: sktextcnn" in capsys.readouterr().out


def test_options_are_not_guessed(capsys):
    with pytest.raises(SystemExit) as raised:
        cli.main(["explain", "a goal", "--model", "m", "--to", "--tops=3"])
    assert raised.value.code == 2
    said = "error: unrecognized arguments: --to --tops=3. See sktextcnn explain --help.\n"
    assert capsys.readouterr().err == said


def test_ctrl_c_while_arguments_are_read_ends_with_one_line(capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "build_parser", interrupt)
    assert cli.main([]) == 130
    assert capsys.readouterr().err == "error: interrupted.\n"
