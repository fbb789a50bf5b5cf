"""Fixtures for all tests: a corpus small enough to fit in no time."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

from sktextcnn.storage import files
from tests import examples

settings.register_profile("thorough", deadline=None, max_examples=40, derandomize=True, database=None)
settings.register_profile("fast", settings.get_profile("thorough"), max_examples=12)


def pytest_configure(config: pytest.Config) -> None:
    """Look at fewer examples of each property where slow tests are left out, too."""
    settings.load_profile("fast" if config.option.markexpr == "not slow" else "thorough")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Spare the garbage collector what stays for good: TensorFlow's modules, thousands of tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


_ROWS = [
    ("the match ended in a draw", ["sport"]),
    ("a late goal won the match", ["sport"]),
    ("parliament votes on the budget", ["politics"]),
    ("the minister resigns at last", ["politics"]),
    ("the minister opens the match", ["politics", "sport"]),
    ("rain is expected all week", ["weather"]),
    ("storm delays the late match", ["sport", "weather"]),
    ("budget for storm damage approved", ["politics", "weather"]),
    ("the team signs a goalkeeper", ["sport"]),
    ("snow closes parliament", ["politics", "weather"]),
    ("sunny until the weekend", ["weather"]),
    ("nothing happened today", []),
]


@pytest.fixture(
    params=[
        # Keras takes a second for what the compiled engine does in a hundredth.
        pytest.param(engine, marks=pytest.mark.slow if engine == "keras" else ())
        for engine in examples.ENGINES
    ]
)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who trains the classifiers of a test of behaviour: each engine in turn."""
    monkeypatch.setattr(examples, "ENGINE", request.param)
    return request.param


@pytest.fixture
def texts() -> list[str]:
    """Twelve texts; a fresh list for every test."""
    return [text for text, _ in _ROWS]


@pytest.fixture
def tags() -> list[list[str]]:
    """The label sets of `texts`: three labels, one text without any."""
    return [list(labels) for _, labels in _ROWS]


@pytest.fixture(params=[1, 1 << 20], ids=["mapped", "read"])
def map_from(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let even the smallest array of a saved model be mapped, and not."""
    monkeypatch.setattr(files, "MAP_FROM", request.param)
