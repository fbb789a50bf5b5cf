"""What all speed measurements share: new processes, lines of the table, versions."""

import os
import platform
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib import metadata
from multiprocessing import get_context
from statistics import median

PACKAGES = [
    *("numpy", "scikit-learn", "tensorflow", "keras", "scikeras"),
    *("torch", "libmultilabel", "fasttext-numpy2"),
]


def n_cores():
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def fresh(function, *args):
    """Call a function in a new process, so that nothing gains from, or suffers from, an earlier call."""
    # "spawn" because TensorFlow does not survive a fork.
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def installed(package):
    """Return whether a package is installed, without importing it."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


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
        What was measured, and what stands beside us ("" where a bound stands alone).
    ours, theirs : list of float
        One value per repeat; `theirs` is empty where a bound stands alone.
    unit : str
    target : float or None
        Bound on the ratio, or on our own value where a bound stands alone.
    at_least : bool
        Whether more is better: the ratio is then theirs / ours, otherwise ours / theirs.
    note : str
        For the foot of the table.
    """

    what: str
    peer: str
    ours: list
    theirs: list = field(default_factory=list)
    unit: str = "s"
    target: float | None = None
    at_least: bool = True
    note: str = ""

    def ratio(self):
        """Return the ratio of the medians, and between what the slowest and fastest runs put it."""
        if not self.theirs:
            return (median(self.ours), min(self.ours), max(self.ours))
        above, below = (self.theirs, self.ours) if self.at_least else (self.ours, self.theirs)
        return (
            median(above) / median(below),
            min(above) / max(below),
            max(above) / min(below),
        )

    def met(self):
        """Return whether the target is met, None without one."""
        if self.target is None:
            return None
        value = self.ratio()[0]
        return value >= self.target if self.at_least else value <= self.target

    def cells(self):
        """Return the cells of this line as text."""
        if self.theirs:
            ratio, low, high = (_digits(value) for value in self.ratio())
            ratio = ratio if low == high else f"{ratio} ({low} – {high})"  # noqa: RUF001
        else:
            ratio = ""
        target = ""
        if self.target is not None:
            target = f"{'≥' if self.at_least else '≤'} {self.target:g}"
            target += "" if self.theirs else f" {self.unit}"
        return [
            self.what,
            self.peer,
            self._spread(self.theirs),
            self._spread(self.ours),
            ratio,
            target,
            {True: "met", False: "**not met**", None: ""}[self.met()],
        ]

    def _spread(self, values):
        if not values:
            return ""
        middle, low, high = (_digits(f(values)) for f in (median, min, max))
        spread = f" ({low} – {high})" if low != high else ""  # noqa: RUF001
        return f"{middle}{spread} {self.unit}"


HEADER = ["what", "beside", "theirs", "ours", "ratio", "target", ""]


def _digits(value):
    """Return a number with three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 if value < 10 else 1}f}" if value >= 1 else f"{value:.3g}"
