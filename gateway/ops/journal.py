"""Logs to stderr: with journal priorities under systemd, with time and level for people."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import TypeAlias

from gateway.ops.traces import trace_of

_log = logging.getLogger("linli")

_PRIORITY = {
    logging.DEBUG: 7,
    logging.INFO: 6,
    logging.WARNING: 4,
    logging.ERROR: 3,
    logging.CRITICAL: 2,
}


Raised: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)
"""What `sys.exc_info` gives."""
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class _FieldFormatter(logging.Formatter):
    """The message, and behind it the fields that were given with `extra`.

    Of an exception its kind and where it happened: its text may hold a value.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        fields = [f"{key}={value}" for key, value in vars(record).items() if key not in _OWN]
        return " ".join([super().formatMessage(record), *fields])

    def formatException(self, ei: Raised) -> str:  # noqa: N802 - as above
        return "" if ei[1] is None else trace_of(ei[1])


class _JournalFormatter(_FieldFormatter):
    """`<N>` before every line, so that journald keeps the level (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{_PRIORITY.get(record.levelno, 6)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines())


def set_up(*, verbose: bool = False, environment: Mapping[str, str] = os.environ) -> None:
    """Send all logs of the process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    if "JOURNAL_STREAM" in environment:
        handler.setFormatter(_JournalFormatter("%(name)s: %(message)s"))
    else:
        handler.setFormatter(_FieldFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True
    )
    sys.excepthook = _last_words
    threading.excepthook = _words_of_thread


def _last_words(_kind: object, error: BaseException, _trace: object) -> None:
    """Log what ends the process as everything else is logged."""
    _log.critical("ended by %s", trace_of(error))


def _words_of_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        _log.critical("a thread ended by %s", trace_of(ended.exc_value))
