"""Compiled kernels: kept on disk, announced once, and none the worse for a broken or absent cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest

import sktextcnn
from sktextcnn import jit
from tests.examples import TAGS, TEXTS, tiny

PACKAGE = Path(sktextcnn.__file__).parent

FIT = """
import hashlib, json, sys
from tests.examples import TAGS, TEXTS, tiny

def digest(clf):
    arrays = [clf.weights_[name].tobytes() for name in sorted(clf.weights_)]
    return hashlib.sha256(b"".join(arrays)).hexdigest()

"""


def run_python(script, **variables):
    """Run a script in a fresh process; return the last line it prints, and what it says beside."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FIT + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=PACKAGE.parent,
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), **variables},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder in which a process has kept its kernels, and what it fitted, logged and printed."""
    folder = tmp_path_factory.mktemp("numba")
    found, said = run_python(
        """
        import logging
        from concurrent.futures import ThreadPoolExecutor
        records = []
        handler = logging.Handler()
        handler.emit = records.append
        logging.getLogger("sktextcnn").addHandler(handler)
        with ThreadPoolExecutor(2) as pool:
            digests = [*pool.map(lambda _: digest(tiny().fit(TEXTS, TAGS)), range(2))]
        print(json.dumps([digests, [[each.levelname, each.getMessage()] for each in records]]))
        """,
        NUMBA_CACHE_DIR=str(folder),
    )
    return folder, *found, said


def expected():
    import hashlib

    weights = tiny().fit(TEXTS, TAGS).weights_
    return hashlib.sha256(b"".join(weights[name].tobytes() for name in sorted(weights))).hexdigest()


@pytest.mark.slow
def test_the_first_fit_says_that_it_compiles_and_no_other_does(cache):
    """Though two begin at the same time; and to the package's own logger."""
    folder, digests, records, said = cache
    assert digests == [expected()] * 2
    ((level, message),) = records
    assert level == "WARNING"
    assert message.startswith("sktextcnn compiles its kernels for the first time on this machine")
    assert str(folder) in message
    assert said == ""
    again, said = run_python(
        "print(json.dumps(digest(tiny().fit(TEXTS, TAGS))))", NUMBA_CACHE_DIR=str(folder)
    )
    assert again == digests[0]
    assert said == ""


def broken(folder, target, suffix, how):
    """Copy a cache and break its files of one kind."""
    shutil.copytree(folder, target)
    files = [*target.rglob(f"*{suffix}")]
    assert files
    for file in files:
        data = file.read_bytes()
        file.write_bytes({"empty": b"", "half": data[: len(data) // 2], "garbled": data[::-1]}[how])


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "how"), [(".nbi", "empty"), (".nbi", "garbled"), (".nbc", "half")])
def test_a_broken_cache_is_no_riddle(cache, tmp_path, suffix, how):
    """The fit says what to do, and the estimator is as it was."""
    folder, *_ = cache
    broken(folder, tmp_path / "cache", suffix, how)
    (message, kept), _ = run_python(
        """
        clf, message = tiny(), ""
        before = dict(vars(clf))
        try:
            clf.fit(TEXTS, TAGS)
        except RuntimeError as error:
            message = str(error)
        print(json.dumps([message, vars(clf) == before]))
        """,
        NUMBA_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert kept
    assert message.startswith("The compiled kernel '")
    assert "could not be loaded or compiled" in message
    named = message.partition("Delete Numba's cache, ")[2].partition(", or name another folder")[0]
    assert Path(named).is_relative_to(tmp_path / "cache")
    assert "NUMBA_CACHE_DIR" in message


@pytest.mark.slow
def test_kernels_of_a_package_that_cannot_be_written_are_kept_in_the_users_folder(tmp_path):
    """A file in the place of the folder beside the modules: nobody, root neither, can write there."""
    copied = tmp_path / "site" / "sktextcnn"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PACKAGE.parent / "tests", tmp_path / "site" / "tests")
    for folder in [path for path in copied.rglob("*") if path.is_dir()] + [copied]:
        (folder / "__pycache__").write_text("no folder")
    variables = {
        "PYTHONPATH": str(tmp_path / "site"),
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "home" / ".cache"),
        "NUMBA_CACHE_DIR": "",
    }
    script = """
        import os, sktextcnn
        from sktextcnn.engine import kernels
        clf = tiny().fit(TEXTS, TAGS)
        print(json.dumps([sktextcnn.__file__, digest(clf), kernels.pool.stats.cache_path]))
    """
    os.makedirs(tmp_path / "home" / ".cache")
    for said_first in (True, False):
        done = subprocess.run(
            [sys.executable, "-B", "-c", FIT + textwrap.dedent(script)],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
            cwd=tmp_path / "site",
            env={**os.environ, **variables},
        )
        assert done.returncode == 0, done.stderr
        where, digest, kept = json.loads(done.stdout.splitlines()[-1])
        assert Path(where).is_relative_to(copied)
        assert digest == expected()
        assert Path(kept).is_relative_to(tmp_path / "home")
        assert ("for the first time" in done.stderr) == said_first


@pytest.mark.slow
def test_without_any_folder_every_process_compiles_for_itself():
    found, said = run_python(
        """
        from numba.core import caching
        for locators in (caching.CacheImpl._locator_classes,):
            locators.clear()
        from sktextcnn.engine import kernels
        clf = tiny().fit(TEXTS, TAGS)
        print(json.dumps(digest(clf)))
        """
    )
    assert found == expected()
    assert said.count("in every process anew") == said.count("sktextcnn compiles") == 1
    assert "Name one in the environment variable NUMBA_CACHE_DIR" in said


@pytest.mark.slow
def test_without_compiling_kernels_do_the_same():
    """As functions of Python, in the debugger, say: slow, and without a warning."""
    found, said = run_python(
        """
        clf = tiny(n_jobs=2).fit(TEXTS, TAGS)
        diverged = ""
        try:
            tiny(learning_rate=1e30).fit(TEXTS, TAGS)
        except ValueError as error:
            diverged = str(error)
        print(json.dumps([{name: w.tolist() for name, w in clf.weights_.items()}, diverged]))
        """,
        NUMBA_DISABLE_JIT="1",
    )
    weights, diverged = found
    assert said == ""
    assert "training has diverged" in diverged
    for name, weight in tiny().fit(TEXTS, TAGS).weights_.items():
        np.testing.assert_allclose(weights[name], weight, rtol=1e-4, atol=1e-6)


# -- without a process of its own --------------------------------------------------------------------


def test_kernels_are_prepared_once(monkeypatch):
    monkeypatch.setattr(jit, "_ready", set())
    calls = []

    def one(number):
        calls.append(number)

    for _ in range(2):
        jit.prepare([(one, (1,))])
    with ThreadPoolExecutor(4) as pool:
        [*pool.map(lambda _: jit.prepare([(one, (1,))]), range(8))]
    assert calls == [1]


def test_kernels_of_all_rooms_are_announced_once(monkeypatch, caplog):
    for name in ("_ready", "_compiled"):
        monkeypatch.setattr(jit, name, set())
    monkeypatch.setattr(jit, "_was_compiled", lambda function: True)
    monkeypatch.setattr(jit, "_folder", lambda function: function.__name__)

    def engine():
        pass

    def linear():
        pass

    for function in (engine, linear):
        jit.prepare([(function, ())])
    (message,) = caplog.messages
    assert message.endswith("they are kept in folders such as engine.")


def test_a_kernel_that_fails_is_named(monkeypatch, caplog):
    monkeypatch.setattr(jit, "_ready", set())

    def pool_maxima():
        raise ZeroDivisionError("broken")

    with pytest.raises(
        RuntimeError, match=r"kernel 'pool_maxima' could .*ZeroDivisionError\('broken'\)"
    ):
        jit.prepare([(pool_maxima, ())])
    assert not jit._ready
    assert not caplog.records


def test_kernels_neither_hide_what_is_not_finite_nor_take_threads():
    from sktextcnn.engine import kernels

    options = [
        function.targetoptions for function in vars(kernels).values() if hasattr(function, "signatures")
    ]
    assert bool(options) == (not numba.config.DISABLE_JIT)
    for option in options:
        assert not option.get("fastmath")
        assert not option.get("parallel")
        assert option["nogil"]
        assert option["error_model"] == "numpy"
