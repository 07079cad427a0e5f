"""The end of a stop that does not come to its end by itself.

Every stage of the stop has a bound of its own. What no bound can reach is a thread that waits for a
disk: it cannot be cancelled, and the interpreter would wait for it. What is committed is as safe as
before a power cut, so the process may go.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

STOP_S = 4.7
"""A stop has five seconds; the rest is the interpreter's own way out."""
HUNG_STATUS = 1

_log = logging.getLogger("linli")


def _end_process() -> None:
    os._exit(HUNG_STATUS)


@dataclass(frozen=True, slots=True)
class LastResort:
    """Ends the process some seconds after a stop began, from a thread: the loop may hang."""

    after_s: float = STOP_S
    end: Callable[[], None] = _end_process

    def begin(self, what_runs: Callable[[], str]) -> None:
        """Start the count; a process that ends earlier never hears of it."""

        def give_up() -> None:
            _log.error("the stop does not end, given up: %s", what_runs())
            self.end()

        timer = threading.Timer(self.after_s, give_up)
        timer.daemon = True
        timer.start()
