"""What all speed measurements share: new processes, lines of the table, versions."""

import os
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from statistics import median

PACKAGES = [
    *("numpy", "numba", "scikit-learn", "tensorflow", "keras", "scikeras"),
    *("torch", "libmultilabel", "fasttext-numpy2", "napkinxc"),
]
#: Contestant -> the packages without which it cannot be measured.
NEEDS = {
    "PyTorch": "torch",
    "LibMultiLabel's KimCNN": "libmultilabel",
    "fastText": "fasttext-numpy2",
}


def n_cores():
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def fresh(function, *args, path=None):
    """Call a function in a new process, so that nothing gains from, or suffers from, an earlier call.

    With `path`, a checkout of another version, that version of sktextcnn is the one it imports.
    """
    # "spawn" because TensorFlow does not survive a fork.
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_prefer, initargs=(path,)) as pool:
        return pool.submit(function, *args).result()


def _prefer(path):
    if path is not None:
        sys.path.insert(0, str(path))
        os.environ["PYTHONPATH"] = str(path)  # for workers of this process
        import sktextcnn

        assert Path(sktextcnn.__file__).is_relative_to(path), sktextcnn.__file__


def alternate(contestants, repeats):
    """Call several functions in turn, each time in a new process; return the results of each.

    Parameters
    ----------
    contestants : dict of str to (function, arguments, path)
    repeats : int or dict of str to int
        How often each is called, 1 where not named.

    Returns
    -------
    dict of str to list
    """
    times = repeats if isinstance(repeats, dict) else dict.fromkeys(contestants, repeats)
    results = {name: [] for name in contestants}
    for i in range(max(times.get(name, 1) for name in contestants)):
        for name, (function, args, path) in contestants.items():
            if i < times.get(name, 1):
                results[name].append(fresh(function, *args, path=path))
    return results


def installed(package):
    """Return whether a package is installed, without importing it."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def missing(names):
    """Return those of some contestants that cannot be measured here, and why, as dict."""
    reasons = {}
    for name in names:
        if name in NEEDS and not installed(NEEDS[name]):
            reasons[name] = f"{NEEDS[name]} is not installed"
        elif name == KERAS_ENGINE and find_spec("sktextcnn.engine.keras_engine") is None:
            reasons[name] = "this version has no such engine"
        elif name == BASELINE and baseline() is None:
            reasons[name] = "SKTEXTCNN_BASELINE names no checkout of it"
    return reasons


#: What our other engine and an earlier version are called.
KERAS_ENGINE, BASELINE = 'ours, engine="keras"', "an earlier version"


def baseline():
    """Return the checkout of an earlier version that SKTEXTCNN_BASELINE names, or None."""
    folder = os.environ.get("SKTEXTCNN_BASELINE")
    if not folder:
        return None
    if not Path(folder, "sktextcnn", "__init__.py").is_file():
        raise SystemExit(f"SKTEXTCNN_BASELINE is {folder!r}, which holds no folder sktextcnn.")
    return str(Path(folder).resolve())


def baseline_title():
    """Return what the table calls the checkout that SKTEXTCNN_BASELINE names."""
    import sktextcnn

    theirs = fresh(_version, path=baseline())
    return BASELINE if theirs == sktextcnn.__version__ else f"version {theirs}"


def _version():
    import sktextcnn

    return sktextcnn.__version__


def environment():
    """Return one line on machine and versions."""
    import sktextcnn

    versions = [f"{name} {metadata.version(name)}" for name in PACKAGES if installed(name)]
    return (
        f"{n_cores()} cores ({platform.machine()}, {platform.system()}); "
        f"Python {platform.python_version()}, sktextcnn {sktextcnn.__version__}, {', '.join(versions)}."
    )


@dataclass
class Result:
    """One line of the table.

    Attributes
    ----------
    what, peer : str
        What was measured, and what stands beside us.
    ours, theirs : list of float
        One value per repeat; less is better. `theirs` is empty where we stand alone.
    unit : str
    note : str
        For the foot of the table.
    charted : bool
        Whether the chart shows it.
    """

    what: str
    peer: str
    ours: list
    theirs: list = field(default_factory=list)
    unit: str = "s"
    note: str = ""
    charted: bool = True

    def ratio(self):
        """Return theirs / ours: of the medians, and of the least and most favourable pair of runs."""
        return (
            median(self.theirs) / median(self.ours),
            min(self.theirs) / max(self.ours),
            max(self.theirs) / min(self.ours),
        )

    def cells(self):
        """Return the cells of this line as text."""
        ratio = ""
        if self.theirs and self.ours:
            ratio, low, high = (_digits(value) for value in self.ratio())
            ratio = ratio if low == high else f"{ratio} ({low} – {high})"  # noqa: RUF001
        return [self.what, self._spread(self.ours), self.peer, self._spread(self.theirs), ratio]

    def _spread(self, values):
        if not values:
            return ""
        middle, low, high = (_digits(f(values)) for f in (median, min, max))
        spread = f" ({low} – {high})" if low != high else ""  # noqa: RUF001
        return f"{middle}{spread} {self.unit}"


HEADER = ["what", "ours", "beside", "theirs", "theirs / ours"]


def _digits(value):
    """Return a number with three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 if value < 10 else 1}f}" if value >= 1 else f"{value:.3g}"
