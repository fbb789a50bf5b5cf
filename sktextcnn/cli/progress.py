"""A progress bar: one line at the bottom of a terminal."""

from __future__ import annotations

import shutil
from threading import RLock
from time import monotonic
from typing import TextIO

WIDTH = 30
SECONDS_BETWEEN = 0.1


class ProgressBar:
    """Shows what share of the work is done, and the time left; nothing where there is no terminal.

    Parameters
    ----------
    stream : file
        Drawn on if it is a terminal.
    enabled : bool, default=True
        False: draws nothing.
    """

    def __init__(self, stream: TextIO, enabled: bool = True) -> None:
        self._stream, self._enabled = stream, enabled and stream.isatty()
        self._started, self._drawn_at, self._is_drawn = monotonic(), 0.0, False
        self._share, self._lock = 0.0, RLock()

    def start(self) -> None:
        """Begin with other work."""
        self._started, self._share = monotonic(), 0.0

    def show(self, share: float | None, what: str, seconds_left: float | None = None) -> None:
        """Draw the bar, unless it was drawn a moment ago.

        Parameters
        ----------
        share : float or None
            From 0 to 1; never drawn as less than before. None: nobody knows.
        what : str
            What is being done.
        seconds_left : float or None, default=None
            None: as the time so far suggests.
        """
        with self._lock:
            now = monotonic()
            if not self._enabled or now - self._drawn_at < SECONDS_BETWEEN:
                return
            self._drawn_at, line = now, what
            if share is not None:
                share = self._share = max(self._share, min(share, 1.0))
                spent = now - self._started
                if seconds_left is None and share > 0:
                    seconds_left = spent * (1 - share) / share
                filled = "#" * round(share * WIDTH)
                line = f"{what}  [{filled:<{WIDTH}}] {share:4.0%}"
                # What the first moments suggest is no more than a guess.
                if seconds_left is not None and spent > 1 and share >= 0.03:
                    line += f"  {format_seconds(seconds_left)} left"
            self._draw(line)

    def clear(self) -> None:
        """Take the bar away, to make room for a line."""
        with self._lock:
            if self._is_drawn:
                self._draw("")
                self._is_drawn = False

    def _draw(self, line: str) -> None:
        columns = shutil.get_terminal_size().columns - 1
        self._stream.write(f"\r{line[:columns]}\x1b[K\r")
        self._stream.flush()
        self._is_drawn = True


def format_seconds(seconds: float) -> str:
    """Return a time as one would say it.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str

    Examples
    --------
    >>> from sktextcnn.cli.progress import format_seconds
    >>> [format_seconds(seconds) for seconds in (3.2, 75, 4000)]
    ['3 s', '1:15 min', '1:06 h']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    large, small, unit = (*divmod(whole, 60), "min") if whole < 3600 else (*divmod(whole // 60, 60), "h")
    return f"{large}:{small:02} {unit}"
