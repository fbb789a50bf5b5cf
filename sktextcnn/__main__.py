"""``sktextcnn``, and ``python -m sktextcnn``."""

from __future__ import annotations

import os

from sktextcnn.cli import main


def run() -> int:
    """Run the command line as a program; return the exit status."""
    # Before TensorFlow is imported; a program's choice, not the library's.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return main()


if __name__ == "__main__":
    raise SystemExit(run())
