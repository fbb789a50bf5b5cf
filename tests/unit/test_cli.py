"""``python -m sktextcnn``: reading files, telling what rows mean, and the demo from end to end."""

import csv
import gzip
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

import sktextcnn
from sktextcnn import cli

TEXTS = [
    f"{subject} {verb} the {thing}"
    for subject, verb in [("the minister", "opens"), ("a child", "reads"), ("the team", "wins")]
    for thing in ["news", "match", "school", "vote"]
]
TAGS = [
    [
        tag
        for tag, word in [("politics", "minister"), ("sport", "match"), ("child", "child")]
        if word in text
    ]
    or ["other"]
    for text in TEXTS
]
ONE_TAG = [tags[0] for tags in TAGS]
PAIRS = [(text, tag) for text, tags in zip(TEXTS, TAGS, strict=True) for tag in tags]


def write_csv(path, rows, header=("text", "tags"), delimiter=","):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    return path


def write_json(path, rows):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as file:
        for text, tags in rows:
            file.write(json.dumps({"text": text, "tags": tags}) + "\n")
    return path


def write_text(path, content):
    path.write_text(content, encoding="utf-8")
    return path


def joined(sep):
    return [(text, sep.join(tags)) for text, tags in zip(TEXTS, TAGS, strict=True)]


def run(path, *options):
    """Return the exit status of a short demo on a file."""
    arguments = ["--text", "text", "--labels", "tags", "--epochs", "1"]
    return cli.main(["demo", "--data", str(path), *arguments, *options])


def read(path, kind="auto", sep=","):
    return cli.interpret(cli.read_rows(path, "text", "tags"), kind, sep)


def label_sets(data):
    names = data.target.label_names
    return [sorted(names[np.asarray(row, bool)]) for row in np.asarray(data.target)]


# -- files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.CSV", "a.csv.gz", "a.tsv.gz"])
def test_csv_with_labels_in_one_string(tmp_path, name):
    delimiter = "\t" if "tsv" in name else ","
    data = read(write_csv(tmp_path / name, joined(" , "), delimiter=delimiter))
    assert data.texts == TEXTS
    assert label_sets(data) == [sorted(tags) for tags in TAGS]
    assert not data.single
    assert "several labels per text" in data.reading


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.jsonl.gz"])
def test_json_lines_with_lists(tmp_path, name):
    data = read(write_json(tmp_path / name, zip(TEXTS, TAGS, strict=True)))
    assert data.texts == TEXTS
    assert label_sets(data) == [sorted(tags) for tags in TAGS]


def test_json_lines_with_strings_and_another_separator(tmp_path):
    data = read(write_json(tmp_path / "a.jsonl", joined(";")), sep=";")
    assert label_sets(data) == [sorted(tags) for tags in TAGS]


@pytest.mark.parametrize("dump", [json.dumps, str])
def test_lists_within_csv(tmp_path, dump):
    rows = [(text, dump(tags)) for text, tags in zip(TEXTS, TAGS, strict=True)]
    assert label_sets(read(write_csv(tmp_path / "a.csv", rows))) == [sorted(tags) for tags in TAGS]


def test_a_label_in_brackets_is_no_list(tmp_path):
    rows = [(text, f"[{tag}") for text, tag in zip(TEXTS, ONE_TAG, strict=True)]
    data = read(write_csv(tmp_path / "a.csv", rows))
    assert data.single
    assert "[child" in data.target.label_names


def test_labels_other_than_strings(tmp_path):
    values = [1, 2.5, True, [1, "a", None, ""], None, float("nan"), "b", [], ["a"], "", "b, a", 1]
    data = read(write_json(tmp_path / "a.jsonl", zip(TEXTS, values, strict=True)))
    expected = [["1"], ["2.5"], ["true"], ["1", "a"], [], [], ["b"], [], ["a"], [], ["a", "b"], ["1"]]
    assert label_sets(data) == expected


def test_blank_lines_byte_order_mark_and_quoted_newlines(tmp_path):
    lines = "\n\n".join(json.dumps({"text": t, "tags": g}) for t, g in zip(TEXTS, TAGS, strict=True))
    assert read(write_text(tmp_path / "a.jsonl", "\ufeff" + lines)).texts == TEXTS
    quoted = "\ufefftext,tags\n" + "".join(f'"{t},\nagain",{g}\n' for t, g in joined(";"))
    data = read(write_text(tmp_path / "a.csv", quoted), sep=";")
    assert data.texts == [f"{text},\nagain" for text in TEXTS]


def test_long_fields(tmp_path):
    limit = csv.field_size_limit()
    texts = ["word " * 30_000, *TEXTS[1:]]
    assert read(write_csv(tmp_path / "a.csv", zip(texts, ONE_TAG, strict=True))).texts == texts
    assert csv.field_size_limit() == limit


# -- what the rows mean ------------------------------------------------------------------------------


def test_one_label_per_text_is_recognised(tmp_path):
    data = read(write_csv(tmp_path / "a.csv", zip(TEXTS, ONE_TAG, strict=True)))
    assert data.single
    assert data.reading == "one label per text (recognised; --kind can say otherwise)"
    assert label_sets(data) == [[tag] for tag in ONE_TAG]


def test_pairs_are_recognised_and_grouped(tmp_path):
    data = read(write_csv(tmp_path / "a.csv", PAIRS))
    assert len(PAIRS) > len(TEXTS)
    assert data.texts == TEXTS
    assert not data.single
    assert "pair per row" in data.reading
    assert label_sets(data) == [sorted(tags) for tags in TAGS]


def test_a_row_that_comes_twice_does_not_make_pairs(tmp_path):
    rows = [*zip(TEXTS, ONE_TAG, strict=True)]
    data = read(write_csv(tmp_path / "a.csv", [*rows, rows[0]]))
    assert data.single
    assert len(data.texts) == len(TEXTS) + 1


def test_pairs_may_lack_a_label(tmp_path):
    data = read(write_csv(tmp_path / "a.csv", [*PAIRS, ("nobody reads this", "")]))
    assert data.texts[-1] == "nobody reads this"
    assert label_sets(data)[-1] == []


def test_a_text_without_label_makes_label_sets(tmp_path):
    rows = [("nobody reads this", ""), *zip(TEXTS, ONE_TAG, strict=True)]
    data = read(write_csv(tmp_path / "a.csv", rows))
    assert not data.single
    assert label_sets(data)[0] == []


def test_lists_of_one_label_stay_label_sets(tmp_path):
    rows = [(text, [tag]) for text, tag in zip(TEXTS, ONE_TAG, strict=True)]
    path = write_json(tmp_path / "a.jsonl", rows)
    assert not read(path).single
    assert read(path, "single").single


def test_kind_is_obeyed(tmp_path):
    comma = write_csv(tmp_path / "a.csv", joined(","))
    assert label_sets(read(comma, "single")) == [[",".join(tags)] for tags in TAGS]
    one = write_csv(tmp_path / "b.csv", zip(TEXTS, ONE_TAG, strict=True))
    data = read(one, "multi")
    assert not data.single
    assert data.reading == "several labels per text (as --kind says)"
    assert not read(one, "pairs").single


# -- errors ------------------------------------------------------------------------------------------


def fails(capsys, status, message):
    """Whether the command ended with status 2 and one line on stderr."""
    captured = capsys.readouterr()
    assert (status, captured.out) == (2, "")
    assert captured.err.count("\n") == 1
    assert re.search(message, captured.err), captured.err
    return True


GOOD = "text,tags\n" + "".join(f"{text},{tag}\n" for text, tag in zip(TEXTS, ONE_TAG, strict=True))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", r"a\.csv: the file is empty"),
        ("a.csv", "text,tags\n", r"a\.csv: the file is empty"),
        ("a.jsonl", "\n\n", r"a\.jsonl: the file is empty"),
        ("a.csv", "body,tag\nx,y\n", r"no column 'text', only 'body', 'tag'\."),
        ("a.jsonl", '{"text": "x", "tag": "y"}\n', r"no column 'tags', only 'text', 'tag'\."),
        ("a.jsonl", '{"text": "x", "tags": "y"}\n\n{"text": \n', "line 3 is not valid JSON: Expecting"),
        ("a.jsonl", '["x", "y"]\n', "line 1 is not a JSON object"),
        ("a.jsonl", "[" * 200_000, "line 1 is not valid JSON"),
        ("a.json", "{}", r"unknown extension '\.json'; expected \.csv, \.tsv, .* \+ \.gz\."),
        ("a.gz", "x", "unknown extension ''; expected"),
        ("a.csv", GOOD + ",sport\n", "line 14 has no text in column 'text'; fill it in or drop"),
        ("a.jsonl", '{"text": null, "tags": "y"}\n', "line 1 has no text in column 'text'"),
        ("a.jsonl", '{"text": "x", "tags": {"y": 1}}\n', "line 1 has a dict in the place of a label"),
        ("a.jsonl", '{"text": "x", "tags": [["y"]]}\n', "line 1 has a list in the place of a label"),
        ("a.csv", "text,tags\na, b,c\n", "line 2 has more fields than the header"),
        ("a.csv", "text,tags\nx,a\ny,b\n", "2 texts are too few; at least 8 are needed"),
        ("a.csv", re.sub(r",\w+\n", ",\n", GOOD).replace(",\n", ",tags\n", 1), "holds no label"),
        ("a.csv", re.sub(r",\w+\n", ",x\n", GOOD).replace(",x\n", ",tags\n", 1), "holds a single class"),
        (
            "a.csv",
            "text,tags\n" + "".join(f"a {i},b {i}\n" for i in range(8)),
            "too few texts for 8 labels: none is left to test on",
        ),
        (
            "a.csv",
            "text,tags\n" + "".join(f"x{i},{i % 2}\n" for i in range(8)),
            "No token occurs in min_df",
        ),
        ("a.csv.gz", GOOD, "a.csv.gz cannot be read: Not a gzipped file"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, capsys, name, content, message):
    assert fails(capsys, run(write_text(tmp_path / name, content)), message)


def test_a_missing_file(tmp_path, capsys):
    assert fails(capsys, run(tmp_path / "a.csv"), r"a\.csv cannot be read: No such file")


def test_bytes_that_are_not_utf_8(tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_bytes(GOOD.encode("utf-16"))
    assert fails(capsys, run(path), "cannot be read: 'utf-8' codec can't decode")


def test_a_truncated_archive(tmp_path, capsys):
    path = write_csv(tmp_path / "a.csv.gz", PAIRS)
    path.write_bytes(path.read_bytes()[:-12])
    assert fails(capsys, run(path), "cannot be read: Compressed file ended")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kind", "single"], "line 2 has 2 labels; --kind single takes one a row"),
        (["--kind", "pairs"], "line 2 has 2 labels; --kind pairs takes one a row"),
        (["--test-size", "1.5"], "--test-size must be between 0 and 1"),
        (["--seed", "-1"], "--seed 0 or more"),
        (["--sep", ""], "--sep not empty"),
        (["--epochs", "0"], "'epochs' parameter of TextCNNClassifier must be"),
    ],
)
def test_options_that_cannot_be_used(tmp_path, capsys, options, message):
    rows = [(TEXTS[0], ["politics"]), (TEXTS[1], ["politics", "sport"]), *zip(TEXTS, TAGS, strict=True)]
    assert fails(capsys, run(write_json(tmp_path / "a.jsonl", rows), *options), message)


def test_one_label_per_text_needs_one_in_each_row(tmp_path, capsys):
    path = write_text(tmp_path / "a.csv", GOOD + "a text,\n")
    message = "line 14 has no label; drop the row, or choose --kind multi"
    assert fails(capsys, run(path, "--kind", "single"), message)


@pytest.mark.parametrize(
    "options", [["--text", "text"], ["--data", "a.csv"], ["--data", "a.csv", "--text", "text"]]
)
def test_file_and_columns_go_together(capsys, options):
    assert fails(capsys, cli.main(["demo", *options]), "--labels COLUMN go together")


def test_an_unknown_option(capsys):
    with pytest.raises(SystemExit) as raised:
        cli.main(["demo", "--label", "x", "--kinds", "y"])
    assert raised.value.code == 2
    assert "unrecognized arguments: --kinds" in capsys.readouterr().err


# -- evaluating and formatting -----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(40, 5), (40, 1), (3, 4)])
def test_measures_are_those_of_scikit_learn(shape):
    rng = np.random.default_rng(0)
    truth, decisions = (rng.random((2, *shape)) < [0, *[0.4] * (shape[1] - 1)]).astype(int)
    if shape[1] == 1:
        truth, decisions = (rng.random((2, *shape)) < 0.4).astype(int)
    overall, per_label = cli.evaluate(truth, decisions)
    wide = [np.column_stack([y, np.zeros_like(y)]) for y in (truth, decisions)]  # also for one label
    assert overall[0] == pytest.approx(f1_score(*wide, average="micro"))
    expected = precision_recall_fscore_support(*wide, zero_division=0)[:3]
    np.testing.assert_allclose(per_label, np.transpose(expected)[: shape[1]])
    assert overall[1] == pytest.approx(expected[2][: shape[1]].mean())
    assert overall[2] == pytest.approx(accuracy_score(*wide))


def test_split_is_seeded_and_leaves_every_label_to_learn_from():
    target = np.eye(4, dtype=int)[[0, 1, 1, 1, 2, 2, 2, 3, 3, 3]]
    train, test = cli.split(target, 0.4, 0)
    assert sorted([*train, *test]) == [*range(10)]
    assert len(test) == 4
    assert target[train].any(axis=0).all()
    np.testing.assert_array_equal(test, cli.split(target, 0.4, 0)[1])
    assert any([*test] != [*cli.split(target, 0.4, seed)[1]] for seed in range(1, 5))


def test_many_labels_are_truncated():
    support = np.arange(20)
    lines = cli.format_labels([f"label {i}" for i in range(20)], np.zeros((20, 3)), support)
    assert len(lines) == 17
    assert lines[1].split() == ["label", "19", "0.000", "0.000", "0.000", "19"]
    assert lines[-1] == "... and 5 labels with fewer texts"
    assert len({*map(len, lines[:-1])}) == 1


def test_tags_come_by_probability_decided_ones_alone():
    names, scores = ["a", "b", "c"], np.array([0.4, 0.9, 0.6])
    assert cli.format_tags(names, scores, np.array([1, 0, 1])) == "c 0.60, a 0.40"
    assert cli.format_tags(names, scores, np.array([0, 0, 0])) == "no label (nearest: b 0.90)"


def test_long_and_broken_lines_are_shortened():
    assert cli.shorten("a\n b\tc", 10) == "a b c"
    assert cli.shorten("abcdefgh", 6) == "abc..."


# -- from end to end ---------------------------------------------------------------------------------


def test_demo_on_the_embedded_sample(capsys):
    assert cli.main(["demo", "--epochs", "1"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 100
    assert out.isascii()
    assert "722 texts, 12 labels" in out
    assert "Trained on 542 texts, tested on 180 held out" in out
    table = re.findall(r"^(TextCNNClassifier|tf-idf \+ LinearSVC at 0) +(0\.\d+)", out, re.M)
    assert [name for name, _ in table] == ["TextCNNClassifier", "tf-idf + LinearSVC at 0"]
    assert float(table[1][1]) > 0.6
    assert re.search(r"^Data Science( +\d\.\d{3}){3} +\d+$", out, re.M)
    for sentence in cli.SENTENCES:
        assert f"  {sentence}" in out
    assert re.search(r"-> .*[A-Z]\w+ \d\.\d\d", out)
    assert "epoch 1/1" in err
    assert "epoch" not in out


def test_sentences_of_the_training_part_are_marked(capsys):
    learned = cli.load_news_tags().data[:20]
    tags = [option for text in [*learned, "never seen before"] for option in ("--tag", text)]
    assert cli.main(["demo", "--epochs", "1", *tags]) == 0
    out = capsys.readouterr().out
    assert 0 < out.count("(trained on)") < 20
    assert re.search(r"^  never seen before$", out, re.M)
    assert cli.SENTENCES[2] not in out


def test_demo_on_label_sets(tmp_path, capsys):
    path = write_json(tmp_path / "a.jsonl.gz", zip(TEXTS, TAGS, strict=True))
    assert run(path, "--test-size", "0.5", "--tag", "a child reads", "--tag", "the match") == 0
    out = capsys.readouterr().out
    assert f"Data: {path}" in out
    assert "Read as: several labels per text (recognised" in out
    assert "12 texts, 4 labels" in out
    assert "Trained on 6 texts, tested on 6 held out" in out
    assert "subset accuracy" in out
    assert "New sentences" in out
    assert len(re.findall(r"^  (a child reads|the match)$", out, re.M)) == 2


def test_demo_on_pairs(tmp_path, capsys):
    assert run(write_csv(tmp_path / "a.csv", PAIRS)) == 0
    out = capsys.readouterr().out
    assert "Read as: one (text, label) pair per row (recognised" in out
    assert "12 texts, 4 labels" in out
    assert "Held-out sentences" in out
    assert sum(f"  {text}\n" in out for text in TEXTS) == 3


def test_demo_on_one_label_per_text(tmp_path, capsys):
    path = write_csv(tmp_path / "a.csv", zip(TEXTS, ONE_TAG, strict=True))
    assert run(path, "--seed", "3") == 0
    out = capsys.readouterr().out
    assert "Read as: one label per text" in out
    assert "(seed 3)" in out
    rows = re.findall(r"^(?:TextCNNClassifier|tf-idf \+ LinearSVC) +(\S+) +\S+ +(\S+)$", out, re.M)
    assert len(rows) == 2
    for micro, accuracy in rows:  # the same thing where each text has exactly one label
        assert micro == accuracy
    assert "subset" not in out
    for line in re.findall(r"-> (.*)", out):
        assert re.fullmatch(r"\w+ \d\.\d\d", line)


def test_demo_on_two_classes(tmp_path, capsys):
    rows = [(text, "child" if "child" in text else "grown-up") for text in TEXTS]
    assert run(write_csv(tmp_path / "a.csv", rows)) == 0
    assert "12 texts, 2 labels, 1.00 labels a text" in capsys.readouterr().out


def test_demo_on_a_single_tag(tmp_path, capsys):
    rows = [(text, "child" if "child" in text else "") for text in TEXTS]
    assert run(write_csv(tmp_path / "a.csv", rows)) == 0
    out = capsys.readouterr().out
    assert "12 texts, 1 labels, 0.33 labels a text" in out
    assert re.search(r"^tf-idf \+ LinearSVC at 0( +\d\.\d{3}){3}$", out, re.M)


def test_texts_on_both_sides_are_told(tmp_path, capsys):
    path = write_csv(tmp_path / "a.csv", [*zip(TEXTS, ONE_TAG, strict=True)] * 3)
    assert run(path) == 0
    assert re.search(r"Note: \d of the held-out texts are among the training", capsys.readouterr().out)


def test_the_same_seed_gives_the_same_output(tmp_path, capsys):
    path = write_csv(tmp_path / "a.csv", PAIRS)
    outputs = []
    for seed in ("0", "0", "1"):
        assert run(path, "--seed", seed) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] != outputs[2]


def test_what_the_terminal_cannot_show_is_escaped(tmp_path, monkeypatch):
    path = tmp_path / "out.txt"
    rows = [(text, "\u65b0\u805e" if "child" in text else "\ud83d") for text in TEXTS]
    data = write_json(tmp_path / "a.jsonl", rows)
    with path.open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert run(data) == 0
        monkeypatch.undo()
    assert r"\u65b0\u805e" in path.read_text("ascii")
    assert r"\ud83d" in path.read_text("ascii")


def test_the_environment_is_left_alone(tmp_path):
    before = dict(os.environ)
    assert run(write_csv(tmp_path / "a.csv", PAIRS)) == 0
    added = {name for name in os.environ if name not in before}
    assert "TF_CPP_MIN_LOG_LEVEL" not in added


# -- the program -------------------------------------------------------------------------------------


def test_no_argument_prints_help(capsys):
    assert cli.main([]) == 2
    assert "usage: python -m sktextcnn" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [["--help"], ["demo", "--help"]])
def test_help(capsys, argv):
    with pytest.raises(SystemExit) as raised:
        cli.main(argv)
    assert raised.value.code == 0
    assert "demo" in capsys.readouterr().out


def test_the_package_is_a_program():
    command = [sys.executable, "-m", "sktextcnn", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"sktextcnn {sktextcnn.__version__}\n"
