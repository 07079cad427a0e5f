"""Where something went wrong, without what it was about: values of people are in no log.

The text of an exception may hold the value that it could not take (`could not convert string to
float: '…'`), and so may those that it came from.
"""

from __future__ import annotations

import traceback


def trace_of(error: BaseException) -> str:
    """Return the kind of an error and the lines of code that led to it, without its text."""
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    return f"{type(error).__name__}\n{frames}" if frames else type(error).__name__
