"""``sktextcnn``, and ``python -m sktextcnn``."""

from __future__ import annotations

import faulthandler
import os
import sys


def run() -> int:
    """Run the command line as a program; return the exit status."""
    try:
        from sktextcnn.cli import main  # here, as Ctrl-C may come while it is imported

        _silence_libraries()
        return main()
    except KeyboardInterrupt:
        print("error: interrupted.", file=sys.stderr)
        return 130


def _silence_libraries() -> None:
    """Keep off the screen what TensorFlow prints from C++, a choice for programs, not for libraries.

    Python's standard error goes on under another number.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if sys.stderr is None or sys.stderr.fileno() != 2:
        return
    encoding = sys.stderr.encoding
    sys.stderr = os.fdopen(os.dup(2), "w", 1, encoding=encoding, errors="backslashreplace")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    faulthandler.enable(sys.stderr)  # a crash in compiled code is to be seen all the same


if __name__ == "__main__":
    raise SystemExit(run())
