"""``python -m sktextcnn``."""

from __future__ import annotations

import os

from sktextcnn.cli import main

if __name__ == "__main__":
    # Before TensorFlow is imported; a program's choice, not the library's.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    raise SystemExit(main())
