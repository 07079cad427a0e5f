"""Where something went wrong, without what it was about: values of people are in no log.

The text of an exception may hold the value that it could not take (`could not convert string to
float: '…'`), and so may those that it came from.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import cast


def trace_of(error: BaseException) -> str:
    """Return the kind of an error and the lines of code that led to it, without its text.

    Of a group, and of what an error came from, the same behind it.
    """
    return "\n".join(_traces(error, set()))


def _traces(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    yield f"{type(error).__name__}\n{frames}" if frames else type(error).__name__
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    inside: list[BaseException] = [] if before is None else [before]
    if isinstance(error, BaseExceptionGroup):
        inside[:0] = cast("BaseExceptionGroup[BaseException]", error).exceptions
    for each in inside:
        if id(each) not in seen:
            yield from _traces(each, seen)
