"""``sktextcnn`` as a program: its name, its exit status, signals, pipes, and what TensorFlow prints."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

import sktextcnn
from tests.examples import TEXTS, TOPICS, tiny

COMMAND = [sys.executable, "-m", "sktextcnn"]
COLUMNS = ["--text", "text", "--labels", "topic"]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "a.csv"
    rows = [f'"{text}",{topic}' for text, topic in zip(TEXTS, TOPICS, strict=True)]
    path.write_text("\n".join(["text,topic", *rows * 50]) + "\n", "utf-8")
    return path


def run(*arguments, **options):
    options = {"capture_output": True, "text": True, "check": False, "timeout": 120, **options}
    return subprocess.run([*COMMAND, *map(str, arguments)], **options)


def test_the_package_is_a_program():
    result = run("--version")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"sktextcnn {sktextcnn.__version__}\n"


def test_errors_of_arguments_take_no_time():
    code = (
        "import sys\nfrom sktextcnn.cli import main\n"
        "try:\n    main(['explain', 'x', '--model', 'z', '--bad'])\n"
        "except SystemExit:\n    print({'numpy', 'sklearn', 'tensorflow'} & {*sys.modules})"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr.count("\n")) == ("set()\n", 1), result.stderr


def test_ctrl_c_while_modules_are_imported_ends_with_one_line():
    code = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'sktextcnn.cli.console':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "from sktextcnn.__main__ import run\n"
        "sys.exit(run())"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (130, "error: interrupted.\n")


@pytest.mark.slow
def test_a_reader_that_has_enough_ends_the_command_in_silence(tmp_path, table):
    model = tmp_path / "model"
    tiny().fit(TEXTS, TOPICS).save(model)
    long = tmp_path / "long.csv"
    long.write_text(table.read_text() + table.read_text().split("\n", 1)[1] * 10)
    with subprocess.Popen(
        [*COMMAND, "predict", str(long), "--text", "text", "--model", str(model)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"text,topic,predicted\n"
        process.stdout.close()
        error = process.stderr.read()
        assert process.wait(60) == 141
    assert error == b""


@pytest.mark.slow
def test_tensorflow_prints_nothing(tmp_path, table):
    options = ["--param", "engine=keras", "--param", "epochs=1", "--param", "filters=4"]
    options += ["--param", "validation=none"]
    result = run("fit", table, *COLUMNS, "--model", tmp_path / "model", *options)
    assert result.returncode == 0
    assert all(
        line.startswith((f"{table}: ", "  ", "note: sktextcnn compiles"))
        for line in result.stderr.splitlines()
    ), result.stderr


def read_until_closed(terminal):
    """What the other side writes next; nothing once nobody has it any more."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ctrl_c_in_a_terminal_ends_with_one_line(tmp_path, table, jobs):
    """The progress bar is drawn, taken away again, and no thread goes on."""
    ours, theirs = pty.openpty()
    options = ["--param", "epochs=100000", "--param", "early_stopping=false", "--jobs", str(jobs)]
    options += ["--param", "filters=4", "--param", "embedding_dim=8"]
    with subprocess.Popen(
        [*COMMAND, "fit", str(table), *COLUMNS, "--model", str(tmp_path / "model"), *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
        # Who runs the tests in the background has Ctrl-C ignored, in all processes that they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        os.close(theirs)
        try:
            # Kernels may have to be compiled first.
            shown, end = b"", time.monotonic() + 300
            while b"1%" not in shown.split(b"training")[-1] and shown.count(b"training") < 8:
                assert time.monotonic() < end, shown
                if select.select([ours], [], [], 1)[0]:
                    shown += os.read(ours, 4096)
            process.send_signal(signal.SIGINT)
            end = time.monotonic() + 60
            # Read on, or the process would wait for room in the terminal.
            while part := read_until_closed(ours):
                shown += part
                assert time.monotonic() < end, shown[-300:]
            assert process.wait(60) == 130
            assert process.stdout.read() == b""
        finally:
            process.kill()  # a process that goes on would be waited for without end
    os.close(ours)
    assert b"training  [" in shown
    assert shown.endswith(b"\r\x1b[K\rerror: interrupted.\r\n"), shown[-300:]
    assert b"Traceback" not in shown
    assert not (tmp_path / "model").exists()
