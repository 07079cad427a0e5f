"""Two serial ports in software, joined like the two ends of a cable."""

from __future__ import annotations

import os
import select
import threading
import tty
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PtyPair:
    """The paths of both ends."""

    ours: str
    theirs: str


@contextmanager
def pty_pair() -> Generator[PtyPair]:
    """Join two ptys until the block ends; bytes go through as they come."""
    left, left_end = os.openpty()
    right, right_end = os.openpty()
    for end in (left_end, right_end):
        tty.setraw(end)
    wake_read, wake_write = os.pipe()
    pump = threading.Thread(target=_pump, args=(left, right, wake_read), name="pty-pair")
    pump.start()
    try:
        yield PtyPair(os.ttyname(left_end), os.ttyname(right_end))
    finally:
        os.write(wake_write, b"x")
        pump.join()
        for descriptor in (left, left_end, right, right_end, wake_read, wake_write):
            os.close(descriptor)


def _pump(left: int, right: int, wake: int) -> None:
    other = {left: right, right: left}
    while True:
        ready, _, _ = select.select([left, right, wake], [], [])
        if wake in ready:
            return
        for end in ready:
            os.write(other[end], os.read(end, 4096))
