"""Tables of pandas, where it is installed: nothing needs it but the methods that return them."""

from __future__ import annotations

from typing import Any


def import_pandas(wanted_by: str) -> Any:
    """Return the module `pandas`, or say how to get it.

    Parameters
    ----------
    wanted_by : str
        What cannot be done without it, for the message.

    Returns
    -------
    module

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise ImportError(
            f"{wanted_by} needs pandas, which is not installed: pip install pandas."
        ) from None
    return pandas
