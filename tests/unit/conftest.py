"""What tests of word vectors share."""

from __future__ import annotations

import pytest

from sktextcnn.embeddings import load_embeddings
from tests.vector_files import ARRAY, WORDS


@pytest.fixture
def write(tmp_path):
    def write(content, name="vectors"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def vectors():
    return load_embeddings(ARRAY, WORDS)
