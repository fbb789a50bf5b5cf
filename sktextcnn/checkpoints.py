"""What is stored of a fit on its way, so that the next one goes on where it was interrupted.

A fit consists of parts: its networks, and the linear part of each fold and of all texts. Each of them is
stored when it is done, and a network at the end of some of its epochs, too. As all randomness is drawn
from the seed and the numbers of epoch and step, training that goes on from there ends in the same bits.
"""

from __future__ import annotations

import os
import platform
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

from sktextcnn import __version__
from sktextcnn.engine.examples import State
from sktextcnn.engine.observers import EarlyStopping, History, Memory, Observer, Run
from sktextcnn.storage.archive import UNFINISHED, read_archive, write_archive
from sktextcnn.storage.fingerprint import fingerprint

#: Share of a network's time that may be spent on storing epochs. How often that is depends on the disk.
SHARE = 0.02

#: Packages whose versions decide about bits; of those below, if Keras trains.
_PACKAGES, _KERAS = ("numpy", "scipy", "numba", "scikit-learn"), ("keras", "tensorflow")

#: The name of what a fit has come to, and the end of the names of all files.
_RESULT, _SUFFIX = "result", ".checkpoint"


class Checkpoint:
    """The parts of one fit that are done, in a folder; or nothing, and nothing is stored.

    Parameters
    ----------
    folder : Path or None, default=None
        Of this fit alone; see `open_checkpoint`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @property
    def is_open(self) -> bool:
        """Whether anything is stored."""
        return self._folder is not None

    def read(self, name: str) -> Any:
        """Return what was stored of a part, or None if there is nothing.

        Parameters
        ----------
        name : str
            Of the part.

        Returns
        -------
        dict or None

        Warns
        -----
        UserWarning
            If what was stored is damaged, and is not there for that.
        """
        if self._folder is None:
            return None
        path = self._path(name)
        try:
            stored = read_archive(path)
            if stored["fit"] != self._folder.name or stored["part"] != name:
                raise ValueError("it is of another fit")
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, LookupError):
            warnings.warn(
                f"The checkpoint {path} is damaged: it was cut off or changed after it was written. It "
                "is not used, and this part of the fit is done again.",
                stacklevel=2,
            )
            return None
        return stored["values"]

    def write(self, name: str, values: Mapping[str, Any]) -> None:
        """Store a part.

        Parameters
        ----------
        name : str
            Of the part.
        values : mapping of str to object
            Plain values and arrays.

        Raises
        ------
        OSError
            If they cannot be written; the message says what to do. What was stored before is whole.
        """
        if self._folder is None:
            return
        path = self._path(name)
        try:
            write_archive(path, {"fit": self._folder.name, "part": name, "values": values})
        except OSError as error:
            if isinstance(error, FileNotFoundError) and self._path(_RESULT).exists():
                return  # another process, which fits the same, has ended and cleared up meanwhile
            raise OSError(
                error.errno,
                f"The checkpoint {path} cannot be written ({error.strerror}). What is in the folder so "
                "far is whole: make room, or move the folder and set checkpoint_dir to its new place, "
                "and the same fit goes on from it",
            ) from error

    def finish(self, values: Mapping[str, Any]) -> None:
        """Store what the fit has come to, in the place of its parts."""
        self.write(_RESULT, values)
        self._remove_parts()

    def result(self) -> Any:
        """Return what the fit has come to, or None if it has not ended."""
        values = self.read(_RESULT)
        if values is not None:
            self._remove_parts()  # if the one that ended was killed before it did
        return values

    def _remove_parts(self) -> None:
        if self._folder is None:
            return
        for path in self._folder.iterdir():
            if path.name.endswith((_SUFFIX, UNFINISHED)) and path != self._path(_RESULT):
                with suppress(OSError):  # another process may clear up as well
                    path.unlink()

    def _path(self, name: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{name.replace(' ', '-')}{_SUFFIX}"


def check_checkpoint_dir(checkpoint_dir: str | os.PathLike | None, random_state: Any) -> None:
    """Refuse, before any work is done, what no checkpoint can be stored in or gone on from.

    Parameters
    ----------
    checkpoint_dir : str, path or None
    random_state : int, RandomState instance or None

    Raises
    ------
    ValueError
        If there is no seed.
    OSError
        If there is no such folder and none can be made, or it cannot be written to.
    """
    if checkpoint_dir is None:
        return
    if random_state is None:
        raise ValueError(
            "checkpoint_dir with random_state=None: every fit would draw another seed, so none could go "
            "on where another was interrupted. Set random_state to an int."
        )
    folder = Path(checkpoint_dir)
    what = f"checkpoint_dir={os.fspath(checkpoint_dir)!r}"
    if not folder.exists():
        if not folder.parent.is_dir():
            raise FileNotFoundError(
                f"{what}: the folder {folder.parent.absolute()}, in which it is to be made, does not "
                "exist. Make it first."
            )
        folder.mkdir(exist_ok=True)
    elif not folder.is_dir():
        raise NotADirectoryError(f"{what} is a file; expected a folder, or a path where none is yet.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(
            f"{what} cannot be written to; choose another folder, or ask for permission to write there."
        )


def open_checkpoint(
    checkpoint_dir: str | os.PathLike | None, values: Sequence, *, engine: str
) -> Checkpoint:
    """Return the checkpoint of the fit of these values, with these versions of what computes.

    Parameters
    ----------
    checkpoint_dir : str, path or None
        The folder in which each fit gets one of its own, named by its fingerprint; None: nothing is
        stored.
    values : sequence
        All that the outcome depends on.
    engine : {"compiled", "keras"}

    Returns
    -------
    Checkpoint

    Raises
    ------
    TypeError
        If a value cannot be recognised in another process.
    OSError
        If the folder cannot be made.
    """
    if checkpoint_dir is None:
        return Checkpoint()
    packages = (*_PACKAGES, *(_KERAS if engine == "keras" else ()))
    versions = {name: version(name) for name in packages}
    versions |= {"sktextcnn": __version__, "python": platform.python_version()}
    try:
        name = fingerprint([versions, engine, *values])
    except TypeError as error:
        raise TypeError(f"checkpoint_dir is for fits that can be recognised: {error}") from error
    folder = Path(checkpoint_dir) / name
    folder.mkdir(exist_ok=True)
    return Checkpoint(folder)


@dataclass(frozen=True)
class UnfinishedNetwork:
    """A network between two epochs.

    Attributes
    ----------
    state : State
    history : dict of str to list of float
        Of the epochs that it has learned in.
    memory : Memory or None, default=None
        What early stopping remembers of them.
    """

    state: State
    history: History = field(default_factory=dict)
    memory: Memory | None = None

    @property
    def n_epochs(self) -> int:
        """How many epochs it has learned in."""
        return len(self.history["loss"])

    def pack(self, start: State, *, goes_on: bool) -> dict[str, Any]:
        """Return plain values.

        Parameters
        ----------
        start : State
            Where all networks started.
        goes_on : bool
            Whether another fit may go on from the best epoch, and needs what the optimizer remembered.

        Returns
        -------
        dict
        """
        memory = None
        if self.memory is not None:
            best = self.memory.best
            if best is not None and not goes_on:
                best = replace(best, slots={})
            memory = {**vars(self.memory), "best": best and pack_state(best, start)}
        return {"state": pack_state(self.state, start), "history": self.history, "memory": memory}

    @classmethod
    def unpack(cls, values: Mapping[str, Any], start: State) -> UnfinishedNetwork:
        """Undo `pack`."""
        memory = values["memory"]
        if memory is not None:
            best = memory["best"] and unpack_state(memory["best"], start)
            memory = Memory(**{**memory, "best": best})
        return cls(unpack_state(values["state"], start), values["history"], memory)


class EpochSaver(Observer):
    """Stores a network between two of its epochs, as often as `SHARE` allows.

    It is the last of the observers, so that it sees what the others add to the logs, and it writes when
    the next epoch begins: an epoch after which training stops is stored with the network that is done.

    Parameters
    ----------
    write : callable
        Stores plain values.
    start : State
        What training started from; what it leaves alone of that is not stored.
    history : dict of str to list of float
        Of the epochs that were run before an interruption.
    stopping : EarlyStopping or None
    goes_on : bool
        See `UnfinishedNetwork.pack`.
    """

    def __init__(
        self,
        write: Callable[[dict[str, Any]], None],
        start: State,
        history: History,
        stopping: EarlyStopping | None,
        *,
        goes_on: bool,
    ) -> None:
        self._write, self._start, self._stopping, self._goes_on = write, start, stopping, goes_on
        self._history = {name: [*values] for name, values in history.items()}
        self._run: Run | None = None
        self._last, self._cost = perf_counter(), 0.0

    def begin_epoch(self, epoch: int) -> None:
        """Store the state after the epoch before, if it is time."""
        began = perf_counter()
        if self._run is None or self._cost > SHARE * (began - self._last):
            return
        memory = None if self._stopping is None else self._stopping.memory
        unfinished = UnfinishedNetwork(self._run.state(), self._history, memory)
        self._write(unfinished.pack(self._start, goes_on=self._goes_on))
        self._last = perf_counter()
        self._cost = self._last - began

    def end_epoch(self, epoch: int, logs: dict[str, float], run: Run) -> bool:
        """Take note of the epoch."""
        self._run = run
        for name, value in logs.items():
            self._history.setdefault(name, []).append(value)
        return False


def pack_state(state: State, start: State) -> dict[str, Any]:
    """Return a state of training as plain values, without what it shares with where it started.

    Parameters
    ----------
    state, start : State

    Returns
    -------
    dict
    """
    changed = {n: w for n, w in state.weights.items() if w is not start.weights.get(n)}
    return {**vars(state), "weights": changed}


def unpack_state(values: Mapping[str, Any], start: State) -> State:
    """Undo `pack_state`.

    Parameters
    ----------
    values : mapping of str to object
    start : State

    Returns
    -------
    State
    """
    return State(**{**values, "weights": {**start.weights, **values["weights"]}})
