"""The last log lines, kept in memory for whoever asks from afar; without what was quoted in them.

What a log line quotes is a text that somebody wrote: a name, a value, a part of a file. It helps
nobody far away, and it may be personal. A problem of a file keeps its place and its code.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from datetime import UTC, datetime

MOST_LINES = 1000
MOST_CHARACTERS = 300
_LOGGERS = ("linli", "gateway")
_FIELDS = frozenset({"device", "line", "sink", "count", "unit"})
"""What lines carry beside their text: ids and numbers."""
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|“[^”]*”")
_PROBLEM = re.compile(r"(?P<place>\S+:\d+:\d+): .*(?P<code>\[LG-[A-Z]+-\d+\])")


class Recall(logging.Handler):
    """Remembers lines; `install` lets it hear the loggers of the gateway."""

    def __init__(self) -> None:
        """Begin with nothing remembered."""
        super().__init__(logging.INFO)
        self._lines: deque[str] = deque(maxlen=MOST_LINES)

    def install(self) -> None:
        """Hear what the gateway logs from now on."""
        for name in _LOGGERS:
            logging.getLogger(name).addHandler(self)

    def remove(self) -> None:
        """Hear nothing more."""
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Remember one line: its first line only, and no traceback."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = [f" {key}={value}" for key, value in vars(record).items() if key in _FIELDS]
        told = _told(record.getMessage() + "".join(fields))
        self._lines.append(f"{moment} {record.levelname} {told}")

    def lines(self) -> tuple[str, ...]:
        """Return what is remembered, oldest first."""
        return tuple(self._lines)


def _told(message: str) -> str:
    first = message.partition("\n")[0]
    problem = _PROBLEM.search(first)
    if problem is not None:
        first = f"{first[: problem.start()]}{problem['place']} {problem['code']}"
    return _QUOTED.sub("'***'", first)[:MOST_CHARACTERS]
