"""Replays a tap file: a link that answers as the line did when it was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from gateway.links.contract import Link, LinkDown
from gateway.links.inbox import Inbox
from gateway.links.tap import Direction, TapFrame, parse_tap


def replay_link(path: Path, char_s: float = 0.0) -> Link:
    """Return a link that replays the file; it is read at `open`."""
    return ReplayLink(path, char_s)


class ReplayLink:
    """A Link (see contract) from a recording.

    A sent frame is looked for behind the place where the recording stands, then from its start;
    what had come after it comes again, with the pauses of then. A frame that is not in the
    recording gets no answer and is counted in `unknown`. What had come before the first sent
    frame comes after `open`.
    """

    def __init__(self, path: Path, char_s: float = 0.0) -> None:
        self._path = path
        self.char_s = char_s
        self.unknown = 0
        self._frames: Sequence[TapFrame] = ()
        self._place = 0
        self._inbox = Inbox(self)
        self._is_open = False
        self._pending: list[asyncio.TimerHandle] = []

    @property
    def is_open(self) -> bool:
        """Whether it was opened and not closed since."""
        return self._is_open

    def describe(self) -> str:
        """Return `replay file`."""
        return f"replay {self._path}"

    async def open(self) -> None:
        """Read the recording, and stand at its start."""
        if self._is_open:
            return
        try:
            self._frames = parse_tap(self._path.read_text(encoding="utf-8"))
        except OSError as error:
            raise LinkDown(f"cannot read {self._path}: {error.strerror}") from error
        except ValueError as error:
            raise LinkDown(
                f"{self._path} is no tap file: {error}", "record one with `linli monitor --raw`"
            ) from error
        self._is_open = True
        self._place = 0
        self._inbox.start()
        if self._frames:
            self._answer(0, self._frames[0].at_s)

    async def close(self) -> None:
        """Stop; what had not come yet does not come."""
        self._is_open = False
        self._stop_pending()
        self._inbox.stop(LinkDown(f"{self.describe()} was closed"))

    def send(self, data: bytes, /) -> float:
        """Look the frame up, and let come what came then."""
        self._inbox.check()
        ends_at = asyncio.get_running_loop().time() + len(data) * self.char_s
        count = len(self._frames)
        for step in range(count):
            place = (self._place + step) % count
            frame = self._frames[place]
            if frame.direction is Direction.SENT and frame.octets == data:
                self._stop_pending()
                self._answer(place + 1, frame.at_s)
                return ends_at
        self.unknown += 1
        return ends_at

    def receive(self, until: float, /) -> Coroutine[Any, Any, bytes]:
        """Await bytes as soon as any are there; b"" at loop time `until`."""
        return self._inbox.take(until)

    def switch(self, setting: str | None, /) -> None:
        """Do nothing: bytes in memory have no serial setting."""

    def drop_input(self) -> int:
        """Discard what has arrived; return how many bytes that were."""
        return self._inbox.drop()

    def pull(self) -> None:
        """Do nothing: nothing is held back (for the inbox)."""

    def resume(self) -> None:
        """Do nothing: it never pauses (for the inbox)."""

    def _answer(self, place: int, sent_at_s: float) -> None:
        """Let come what came from `place` to the next sent frame, and stand there."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        while place < len(self._frames) and self._frames[place].direction is Direction.CAME:
            frame = self._frames[place]
            at = now + max(frame.at_s - sent_at_s, 0.0)
            self._pending.append(loop.call_at(at, self._inbox.put, frame.octets))
            place += 1
        self._place = place

    def _stop_pending(self) -> None:
        for timer in self._pending:
            timer.cancel()
        self._pending.clear()
