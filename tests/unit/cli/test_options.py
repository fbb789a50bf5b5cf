"""Parameters written as name=value, the progress bar, and what the console prints."""

from __future__ import annotations

import io
import logging
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktextcnn.cli import progress
from sktextcnn.cli.console import Console, format_table, in_one_line, shorten
from sktextcnn.cli.options import Parser, parse_grid, parse_params, share
from sktextcnn.cli.progress import ProgressBar, format_seconds

NAMES = ["epochs", "kernel_sizes", "linear", "metric", "max_labels", "class_weight"]


# -- parameters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("9", 9), ("0.5", 0.5), ("1e-3", 0.001), ("-1", -1), ("auto", "auto"), (" a b ", "a b")),
        *(("true", True), ("False", False), ("none", None), ("None", None), ("'9'", "9")),
        *(("(2,3)", (2, 3)), ("2,3", (2, 3)), ("[2]", [2]), ("{'a': 2}", {"a": 2}), ("a=b", "a=b")),
    ],
)
def test_values_of_parameters(text, value):
    parsed = parse_params([f"epochs={text}"], NAMES)["epochs"]
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,2", [1, 2]),
        ("1", [1]),
        ("auto, 10", ["auto", 10]),
        ("(2,3),(3,4)", [(2, 3), (3, 4)]),
        ("none,[1,2],{'a': 1, 'b': 2}", [None, [1, 2], {"a": 1, "b": 2}]),
    ],
)
def test_values_of_a_grid(text, values):
    assert parse_grid([f"epochs={text}", "linear=true,false"], NAMES) == {
        "epochs": values,
        "linear": [True, False],
    }


@given(
    st.lists(st.integers() | st.booleans() | st.none() | st.sampled_from(["auto", "adam"]), min_size=1)
)
def test_a_grid_of_any_values(values):
    assert parse_grid([f"epochs={','.join(map(str, values))}"], NAMES) == {"epochs": values}


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("epochs", "--param epochs: expected a name and a value, such as epochs=10"),
        ("epochs=", "--param epochs=: expected a name and a value"),
        ("epoch=1", "there is no parameter 'epoch'; did you mean epochs?"),
        ("xyz=1", "there is no parameter 'xyz'; expected one of epochs, kernel_sizes, "),
        ("linear=1", "linear has a value already"),
    ],
)
def test_parameters_that_are_none(pair, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        parse_params(["linear=true", pair], NAMES)


@pytest.mark.parametrize("text", ["0", "1", "x", "-0.1", "nan"])
def test_shares(text):
    parser = Parser()
    parser.add_argument("--share", type=share)
    assert parser.parse_args(["--share", "0.2"]).share == 0.2
    with pytest.raises(SystemExit):
        parser.parse_args(["--share", text])


# -- progress ----------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def drawn(stream):
    return [line.replace("\x1b[K", "") for line in stream.getvalue().split("\r") if line]


def test_a_bar_grows_and_says_how_long_it_takes(clock):
    stream = Terminal()
    bar = ProgressBar(stream)
    for share_done in (0, 0.25, 0.5, 0.4, 1.0):
        bar.show(share_done, "training")
        clock(30)
    assert drawn(stream) == [
        f"training  [{'':30}]   0%",
        f"training  [{'#' * 8:30}]  25%  1:30 min left",
        f"training  [{'#' * 15:30}]  50%  1:00 min left",
        f"training  [{'#' * 15:30}]  50%  1:30 min left",
        f"training  [{'#' * 30}] 100%  0 s left",
    ]
    bar.clear()
    assert stream.getvalue().endswith("\r\x1b[K\r")
    bar.start()
    bar.show(0.1, "again", 4000)
    clock(2)
    bar.show(0.1, "again", 4000)
    assert drawn(stream)[-1].endswith("10%  1:06 h left")


def test_a_bar_is_not_drawn_more_often_than_one_sees(clock):
    stream = Terminal()
    bar = ProgressBar(stream)
    for i in range(100):
        bar.show(i / 100, "x")
        clock(0.01)
    assert len(drawn(stream)) == 10


def test_a_bar_of_unknown_length(clock):
    stream = Terminal()
    ProgressBar(stream).show(None, "tagging, 7 rows")
    assert drawn(stream) == ["tagging, 7 rows"]


def test_a_bar_is_no_wider_than_the_terminal(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    stream = Terminal()
    ProgressBar(stream).show(0.5, "x" * 50)
    assert drawn(stream) == ["x" * 19]


def test_no_bar_without_a_terminal(clock):
    for stream, enabled in [(io.StringIO(), True), (Terminal(), False)]:
        bar = ProgressBar(stream, enabled)
        bar.show(0.5, "x")
        bar.clear()
        assert stream.getvalue() == ""


def test_seconds():
    assert [*map(format_seconds, (0.4, 59.4, 59.6, 3599, 3600, 86400))] == [
        *("0 s", "59 s", "1:00 min", "59:59 min", "1:00 h", "24:00 h"),
    ]


# -- console -----------------------------------------------------------------------------------------


def test_results_and_everything_else(capsys):
    console = Console()
    console.say("a")
    console.note("b\n c")
    console.error("d")
    console.result(["e", "f"], {})
    assert capsys.readouterr() == ("e\nf\n", "a\nnote: b c\nerror: d\n")


def test_quiet_and_json(capsys):
    console = Console(quiet=True, as_json=True)
    console.say("a")
    console.note("b")
    console.error("d")
    console.result(["e", "f"], {"é": 1})
    assert capsys.readouterr() == ('{"é": 1}\n', "error: d\n")


def test_warnings_and_logs_become_notes(capsys):
    with Console().listening():
        warnings.warn("look\nhere", UserWarning, stacklevel=1)
        warnings.warn("for developers", DeprecationWarning, stacklevel=1)
        logging.getLogger("sktextcnn").warning("compiling %s", 1)
    assert capsys.readouterr().err == "note: look here\nnote: compiling 1\n"
    assert logging.getLogger("sktextcnn").handlers == []


@given(st.text())
def test_one_line_is_one_line(text):
    line = in_one_line(text)
    assert line.isprintable()
    assert line.splitlines() in ([line], [])
    assert in_one_line(line) == line


def test_long_lines_are_shortened():
    assert shorten("a\n b\tc", 10) == "a b c"
    assert shorten("abcdefgh", 6) == "abc..."


def test_tables_line_up():
    lines = format_table(["name", "n"], [["a\x1b[0m", 1], ["b" * 40, 12345]])
    assert len({*map(len, lines)}) == 1
    assert lines[1].split() == [r"a\x1b[0m", "1"]


@pytest.mark.parametrize("argv", [[], ["--lable", "x"], ["--label"], ["--label", "x", "--n", "x"]])
def test_errors_of_arguments_take_one_line(capsys, argv):
    parser = Parser("sktextcnn fit")
    parser.add_argument("--label", required=True)
    parser.add_argument("--n", type=int)
    with pytest.raises(SystemExit) as raised:
        parser.parse_args(argv)
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.endswith(" See sktextcnn fit --help.\n")
    assert error.count("\n") == 1
