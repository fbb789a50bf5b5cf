"""Threads, forks, workers and Ctrl-C: what a fit shares cores with, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import joblib
import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor
from joblib.parallel import BACKENDS, ThreadingBackend
from threadpoolctl import threadpool_info, threadpool_limits

from sktextcnn import callbacks, threads
from sktextcnn.engine import compiled
from sktextcnn.engine.observers import Observer
from sktextcnn.fitting import learning
from sktextcnn.threads import CancelledError, Jobs, Team, divide, one_blas_thread
from tests.examples import TAGS, TEXTS, same_weights, tiny
from tests.processes import run_python


def blas_threads():
    """How many threads each BLAS may use, now."""
    return [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]


@pytest.fixture
def leaves_nothing_behind():
    """Limits of BLAS as they were, and no thread more than before."""
    limits, alive = blas_threads(), {*threading.enumerate()}
    yield
    assert blas_threads() == limits
    assert {*threading.enumerate()} <= alive
    assert threads._one_blas_thread._n_users == 0


pytestmark = pytest.mark.usefixtures("leaves_nothing_behind")


def corpus(n, seed=0):
    rng = np.random.default_rng(seed)
    texts = [" ".join(f"w{i}" for i in rng.integers(0, 60, rng.integers(1, 12))) for _ in range(n)]
    return texts, (rng.random((n, 3)) < 0.4).astype(int)


# -- BLAS on one thread ------------------------------------------------------------------------------


def test_blas_has_one_thread_until_the_last_block_ends():
    before = blas_threads()
    assert before
    with one_blas_thread() as granted:
        assert set(blas_threads()) == {1}
        with one_blas_thread() as again:
            assert again == granted
        assert set(blas_threads()) == {1}
    assert blas_threads() == before
    assert 1 <= granted <= max(before)


def test_what_blas_was_granted_is_what_there_is():
    with threadpool_limits(1, user_api="blas"):
        with one_blas_thread() as granted:
            assert granted == 1
        assert set(blas_threads()) == {1}
        tiny().fit(TEXTS, TAGS)
        assert set(blas_threads()) == {1}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_limits_are_put_back_whatever_happens(error):
    before = blas_threads()
    with pytest.raises(error), one_blas_thread():
        raise error
    assert blas_threads() == before


def test_limits_of_others_hold_before_and_after():
    """Whoever set a limit before, in this thread or in another, or sets one afterwards."""
    before = blas_threads()
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(1) as pool:
        for run in (lambda function: function(), lambda function: pool.submit(function).result()):
            with threadpool_limits(2, user_api="blas"):
                run(lambda: tiny().fit(TEXTS, TAGS))
                assert set(blas_threads()) == {2}
            assert set(blas_threads()) == {1}
    assert blas_threads() == before


@pytest.mark.parametrize("thread", ["main", "another"])
def test_fits_in_any_thread_hold_blas_to_one(thread, monkeypatch):
    seen = []

    class Looks(Observer):
        def end_batch(self, n_texts):
            seen.extend(blas_threads())

    monkeypatch.setattr(callbacks.Progress, "network", lambda *_: Looks())
    with threadpool_limits(2, user_api="blas"), ThreadPoolExecutor(1) as pool:
        tiny().fit(TEXTS, TAGS) if thread == "main" else pool.submit(tiny().fit, TEXTS, TAGS).result()
    assert set(seen) == {1}


def test_fits_that_overlap_put_limits_back():
    """The first to begin is the first to end; the second must not take its limit for what was there."""
    before, begun, may_end = blas_threads(), threading.Event(), threading.Event()

    def first():
        with one_blas_thread():
            begun.set()
            may_end.wait(30)

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(30)
    with one_blas_thread():
        may_end.set()
        thread.join(30)
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


# -- a team, and jobs --------------------------------------------------------------------------------


@pytest.mark.parametrize("n_threads", [1, 2, 3, 7])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 10])
def test_a_team_does_all_the_work_once(n_threads, n):
    with Team(n_threads) as team:
        assert team.map(lambda i: i * i, range(n)) == [i * i for i in range(n)]
        done = team.map(lambda part: [*range(n)[part]], divide(n, n_threads))
    assert len(done) == n_threads
    assert [row for part in done for row in part] == [*range(n)]


@pytest.mark.parametrize("n_threads", [1, 3])
def test_errors_of_a_team_are_raised(n_threads):
    def fail(i):
        if i == 2:
            raise ZeroDivisionError(i)
        return i

    with Team(n_threads) as team:
        with pytest.raises(ZeroDivisionError, match="2"):
            team.map(fail, range(4))
        assert team.map(abs, [-1, -2]) == [1, 2]  # it can go on


def test_jobs_whose_results_nobody_waits_for_end():
    begun, ended = threading.Event(), []

    def work():
        begun.set()
        try:
            for _ in range(3000):
                sleep(0.01)
                jobs.check()
        except CancelledError:
            ended.append("told")
            raise

    jobs = Jobs(2)
    jobs.submit(work)
    assert begun.wait(30)
    with pytest.raises(ZeroDivisionError), jobs:
        raise ZeroDivisionError
    assert ended == ["told"]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_results_and_errors_of_jobs(n_jobs):
    with Jobs(n_jobs) as jobs:
        results = [jobs.submit(pow, 2, exponent) for exponent in range(4)]
        assert [result() for result in results] == [1, 2, 4, 8]
    with pytest.raises(ZeroDivisionError), Jobs(n_jobs) as jobs:
        jobs.submit(divmod, 1, 0)()


# -- how many threads --------------------------------------------------------------------------------


@pytest.fixture
def recorded(monkeypatch):
    """How many jobs and threads of one network fits ask for."""
    found = []

    class Recorded(Jobs):
        def __init__(self, n_jobs):
            found.append(n_jobs)
            super().__init__(n_jobs)

    monkeypatch.setattr(learning, "Jobs", Recorded)
    return found


def test_jobs_are_those_of_the_parameter_or_of_joblib(recorded):
    tiny().fit(TEXTS, TAGS)
    tiny(n_jobs=2).fit(TEXTS, TAGS)
    tiny(n_jobs=-1).fit(TEXTS, TAGS)
    with joblib.parallel_config(n_jobs=2):
        tiny().fit(TEXTS, TAGS)
        tiny(n_jobs=1).fit(TEXTS, TAGS)
    with joblib.parallel_config(backend="threading", n_jobs=3):
        tiny().fit(TEXTS, TAGS)
    assert recorded == [1, 2, joblib.cpu_count(), 2, 1, 3]


def test_cores_are_shared_among_jobs(monkeypatch):
    asked = []
    train = compiled.train

    def recorded_train(*arguments, n_threads, **named):
        asked.append(n_threads)
        return train(*arguments, n_threads=n_threads, **named)

    monkeypatch.setattr(compiled, "train", recorded_train)
    with one_blas_thread() as granted:
        for n_jobs in (1, 2, 64):
            tiny(n_jobs=n_jobs).fit(TEXTS, TAGS)
    assert asked == [granted, max(1, granted // 2), max(1, granted // 64)]


def fit_in_worker(n_jobs):
    """Return how many jobs and threads a fit uses, and how many BLAS was granted."""
    from sktextcnn.engine import compiled
    from sktextcnn.fitting import learning

    asked = []
    plain, plain_train = learning.Jobs, compiled.train

    class Recorded(plain):
        def __init__(self, n_jobs):
            asked.append(n_jobs)
            super().__init__(n_jobs)

    def train(*arguments, n_threads, **named):
        asked.append(n_threads)
        return plain_train(*arguments, n_threads=n_threads, **named)

    granted = max(blas_threads())
    learning.Jobs, compiled.train = Recorded, train
    try:
        tiny(n_jobs=n_jobs).fit(TEXTS, TAGS)
    finally:
        learning.Jobs, compiled.train = plain, plain_train
    return granted, *asked


@pytest.mark.slow
def test_a_worker_of_joblib_uses_no_more_threads_than_granted():
    asked_for = [None, 1, 2, -1, 8]
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        results = joblib.Parallel(n_jobs=2)(joblib.delayed(fit_in_worker)(n) for n in asked_for)
    get_reusable_executor().shutdown(wait=True)
    assert results == [(1, 1, 1)] * len(asked_for)


# -- fits in threads ---------------------------------------------------------------------------------


def test_fits_in_two_threads_are_those_of_one_after_the_other():
    """Large enough that texts are held out, in several networks."""
    options = {"epochs": 2, "batch_size": 128, "validation": "auto", "n_jobs": 2}
    data = [corpus(1500, seed) for seed in (0, 1)]
    alone = [tiny(**options).fit(*part) for part in data]
    with ThreadPoolExecutor(2) as pool:
        together = [*pool.map(lambda part: tiny(**options).fit(*part), data)]
    for one, other in zip(alone, together, strict=True):
        assert one.history_["validation_score"]
        assert same_weights(one, other)
        np.testing.assert_array_equal(one.thresholds_, other.thresholds_)


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
@pytest.mark.parametrize("number", [0, 2, 3])
def test_ctrl_c_in_one_of_the_networks(number, n_jobs, monkeypatch):
    """Whichever thread it reaches: limits of BLAS and threads are checked by the module's fixture."""

    class Interrupts(Observer):
        def end_batch(self, n_texts):
            raise KeyboardInterrupt

    plain = callbacks.Progress.network
    options = {"threshold": "tune", "validation": 3, "n_jobs": n_jobs}
    clf = tiny(**options).fit(TEXTS, TAGS)
    before = dict(vars(clf))
    monkeypatch.setattr(
        callbacks.Progress,
        "network",
        lambda self, at, *rest: Interrupts() if at == number else plain(self, at, *rest),
    )
    with pytest.raises(KeyboardInterrupt):
        clf.fit(TEXTS[::-1], TAGS[::-1])
    assert vars(clf).keys() == before.keys()
    assert all(value is before[name] for name, value in vars(clf).items())


# -- other processes ---------------------------------------------------------------------------------

START = """
import hashlib, json, os, sys, threading, time
import numpy as np
from threadpoolctl import threadpool_info
from sktextcnn import TextCNNClassifier

rng = np.random.default_rng(0)
texts = [" ".join(f"w{i}" for i in rng.integers(0, 60, rng.integers(1, 12))) for _ in range(300)]
tags = (rng.random((300, 3)) < 0.4).astype(int)

def make(**options):
    small = dict(filters=8, embedding_dim=8, kernel_sizes=(1, 2), epochs=2, random_state=0)
    small.update(linear=False, validation=None)
    return TextCNNClassifier(**{**small, **options})

def digest(clf):
    arrays = [clf.weights_[name].tobytes() for name in sorted(clf.weights_)]
    return hashlib.sha256(b"".join(arrays)).hexdigest()

def blas():
    return [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]

def in_child(function):
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, json.dumps(function()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    for _ in range(600):
        if os.waitpid(child, os.WNOHANG)[0]:
            return json.loads(os.read(reading, 10000) or "null")
        time.sleep(0.1)
    os.kill(child, 9)
    return "hangs"
"""


def fit_elsewhere(script, *arguments, **variables):
    """Run a script that begins with `START` in a new process; return what its last line says."""
    done = run_python(START + textwrap.dedent(script), *arguments, **variables)
    return json.loads(done.stdout.splitlines()[-1])


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", ["1", "2"])
def test_a_fit_in_a_forked_child(n_jobs):
    """After a fit in the parent; by os.fork and by multiprocessing; and the parent goes on."""
    found = fit_elsewhere(
        """
        import multiprocessing
        options = {"n_jobs": int(sys.argv[1]), "threshold": "tune", "validation": 2}
        before = blas()
        parent = digest(make(**options).fit(texts, tags))
        child = in_child(lambda: [digest(make(**options).fit(texts, tags)), blas()])
        def work(queue):
            queue.put(digest(make(**options).fit(texts, tags)))
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        process = context.Process(target=work, args=(queue,))
        process.start()
        other = queue.get(timeout=60)
        process.join(60)
        again = digest(make(**options).fit(texts, tags))
        print(json.dumps([parent, before, *child, other, again, blas()]))
        """,
        n_jobs,
    )
    parent, before, child, limits_of_child, other, again, limits = found
    assert child == other == again == parent
    assert limits == limits_of_child == before


@needs_fork
@pytest.mark.slow
@pytest.mark.parametrize("begun", ["fit", "compiling"])
def test_forking_while_another_thread_fits(begun, tmp_path):
    """The child has neither that thread nor its locks, limits or half-compiled kernels."""
    found = fit_elsewhere(
        """
        from sktextcnn.engine import compiled  # a process that forks during an import is on its own
        before = blas()
        if sys.argv[1] == "fit":
            make().fit(texts, tags)
        long = make(epochs=10**6, learning_rate=1e-9, learning_rate_schedule="constant")
        running = threading.Thread(target=long.fit, args=(texts, tags), daemon=True)
        running.start()
        time.sleep(1.0)
        children = [in_child(lambda: [digest(make().fit(texts, tags)), blas()]) for _ in range(3)]
        alive = running.is_alive()
        beside = digest(make().fit(texts, tags))
        print(json.dumps([before, alive, beside, children]), flush=True)
        os._exit(0)
        """,
        begun,
        # An empty cache, where kernels are to be compiled while the process forks.
        **({"NUMBA_CACHE_DIR": str(tmp_path)} if begun == "compiling" else {}),
    )
    before, alive, beside, children = found
    assert alive
    assert children == [[beside, before]] * 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_ends_a_fit_soon(n_jobs):
    """A real signal to a process whose fit would take hours; it comes somewhere in a batch."""
    script = f"""
    options = {{"threshold": "tune", "validation": 2, "n_jobs": {n_jobs}}}
    clf = make(**options).fit(texts, tags)
    before, limits, alive = dict(vars(clf)), blas(), threading.active_count()
    endless = dict(epochs=10**6, learning_rate=1e-9, learning_rate_schedule="constant", verbose=1)
    params = clf.get_params()
    clf.set_params(**endless)
    try:
        clf.fit(texts, tags)
    except KeyboardInterrupt:
        clf.set_params(**params)
        same = vars(clf).keys() == before.keys() and all(
            vars(clf)[name] is before[name] for name in before if name.endswith("_")
        )
        weights = digest(clf) == digest(clf.fit(texts, tags))
        print(json.dumps([same, weights, blas() == limits, threading.active_count() == alive]))
    """
    process = subprocess.Popen(
        [sys.executable, "-c", START + textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        # Who runs the tests in the background has Ctrl-C ignored, in all processes that they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        for _ in range(3):
            assert process.stdout.readline().startswith("network 1 of 3  epoch")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, errors
    assert json.loads(output.splitlines()[-1]) == [True] * 4


# -- a cluster ---------------------------------------------------------------------------------------


class OfACluster(ThreadingBackend):
    """A backend of joblib that counts the processors of other machines."""

    def effective_n_jobs(self, n_jobs):
        return 200


def test_jobs_of_a_fit_are_not_those_of_a_cluster(monkeypatch):
    seen = []
    monkeypatch.setattr(learning, "Jobs", lambda n_jobs: seen.append(n_jobs) or Jobs(n_jobs))
    monkeypatch.setitem(BACKENDS, "of a cluster", OfACluster)
    with joblib.parallel_config("of a cluster"), threadpool_limits(1, user_api="blas"):
        tiny().fit(TEXTS, TAGS)
    with threadpool_limits(1, user_api="blas"):
        tiny(n_jobs=2).fit(TEXTS, TAGS)
    assert seen == [1, 2]  # one's own n_jobs holds outside of workers
