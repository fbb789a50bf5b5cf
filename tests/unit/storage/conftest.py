"""A folder with the values that the tests of this room start from."""

import pytest

from sktextcnn.storage.folder import write_folder
from tests.folders import STATE


@pytest.fixture
def model(tmp_path):
    """A folder with `STATE`."""
    path = tmp_path / "model"
    write_folder(path, STATE)
    return path
