"""A serial line on a pty, in true time: a thread of its own drives the `Wire`.

The port's path is a symbolic link that stays when the adapter is unplugged and comes back under
another number. A pty cannot hold parity; it counts as one more bit per character.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import threading
import time
import tty
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from simulators.frames import Asked
from simulators.mixed import Answering
from simulators.units import Outgoing
from simulators.wire import Books, LineTiming, Wire

READ_SIZE = 4096
IDLE_WAIT_S = 5.0
JOIN_WAIT_S = 5.0
PR_SET_TIMERSLACK = 29
TIMER_SLACK_NS = 1


@dataclass(frozen=True, slots=True)
class _Port:
    """Both ends of a pty. Our own hold on the far end keeps it alive while nobody has it open."""

    near: int
    far: int
    path: str

    def close(self) -> None:
        """Take it out of the machine: whoever holds the far end reads an error."""
        os.close(self.near)
        os.close(self.far)


class SerialLine:
    """One simulated port with its devices; `path` is what goes into a site file as `port:`."""

    def __init__(self, path: Path, timing: LineTiming, units: Answering) -> None:
        self.path = path
        self.units = units
        self._wire = Wire(timing, self._respond)
        self._port: _Port | None = None
        self._next_port: _Port | None = None
        self._stopping = False
        self._changed = threading.Lock()
        self._bell = -1
        self._bell_far = -1
        self._looked_away = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def books(self) -> Books:
        """What the line has seen so far."""
        return self._wire.books

    @property
    def is_plugged(self) -> bool:
        """Whether the port is there."""
        return self._port is not None

    def __enter__(self) -> Self:
        """Plug the port in and start the line's thread."""
        self._bell, self._bell_far = os.pipe()
        self.plug()
        self._thread = threading.Thread(target=self._run, name=f"line:{self.path.name}")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Stop the thread and take the port away."""
        self._stopping = True
        self._ring()
        if self._thread is not None:
            self._thread.join(JOIN_WAIT_S)
        self.unplug()
        if self._next_port is not None:
            self._next_port.close()
        os.close(self._bell)
        os.close(self._bell_far)

    def plug(self) -> None:
        """Let the adapter appear."""
        with self._changed:
            if self._port is not None:
                return
            self._port = self._next_port or _open_port()
            self._next_port = None
            _point(self.path, self._port.path)
        self._ring()

    def unplug(self) -> None:
        """Pull the adapter out; the next `plug` gives it another number."""
        with self._changed:
            if self._port is None:
                return
            if not self._stopping:
                self._next_port = _open_port()  # taken before the old number becomes free
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
            port, self._port = self._port, None
            self._looked_away.clear()
        # While the thread waits on it, a closed port would live on: let it look away first.
        self._ring()
        if self._thread is not None and self._thread.is_alive():
            self._looked_away.wait(JOIN_WAIT_S)
        port.close()

    def _respond(self, frame: bytes) -> Outgoing | None:
        asked: Asked | None = self.units.framing.parse(frame)
        if asked is None:
            self._wire.books.damaged += 1
            return None
        return self.units.respond(asked)

    def _ring(self) -> None:
        os.write(self._bell_far, b"!")

    def _run(self) -> None:
        _sharpen_timer()
        while not self._stopping:
            with self._changed:
                near = None if self._port is None else self._port.near
                if near is None:
                    self._looked_away.set()
            due = self._wire.wake_at
            wait_s = IDLE_WAIT_S if due is None else max(0.0, due - time.monotonic())
            with contextlib.suppress(OSError, ValueError):  # unplugged while we looked
                watched = [self._bell] if near is None else [self._bell, near]
                ready, _, _ = select.select(watched, (), (), wait_s)
                if self._bell in ready:
                    os.read(self._bell, READ_SIZE)
                    continue
                self._serve(near, has_sent=near in ready)

    def _serve(self, near: int | None, *, has_sent: bool) -> None:
        with self._changed:
            if near is None or self._port is None or self._port.near != near:
                self._wire.wake(time.monotonic())
                return
            if has_sent:
                self._wire.received(os.read(near, READ_SIZE), time.monotonic())
            heard = self._wire.wake(time.monotonic())
            if heard:
                with contextlib.suppress(BlockingIOError):  # nobody reads: the bytes are lost
                    os.write(near, heard)


def _sharpen_timer() -> None:
    """Let this thread wake when it asked to: Linux adds 50 us of slack otherwise (prctl 29)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0)


def _open_port() -> _Port:
    near, far = os.openpty()
    tty.setraw(far)
    os.set_blocking(near, False)
    return _Port(near, far, os.ttyname(far))


def _point(link: Path, target: str) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        link.unlink()
    link.symlink_to(target)
