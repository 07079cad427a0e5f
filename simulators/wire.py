"""A two-wire line in time, as a pure machine: who talks when, and who talks over whom.

`received` takes what the master put on the line, `wake` gives what the master hears; times are
seconds of one clock that never steps. Characters take their time, a frame ends after 3.5
characters of silence (MODBUS over Serial Line V1.02, 2.5.1.1: 1.75 ms above 19200 baud), a reply
begins after the turnaround. Bytes reach the master in pieces of `chunk_chars`, as from a FIFO.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from simulators.units import Outgoing

SILENCE_CHARS = 3.5
FAST_BAUD = 19200
FAST_SILENCE_S = 0.00175
EARLY_SLACK_S = 20e-6  # what a clock reading costs; no more is forgiven
KEPT_IDLE_TIMES = 20_000
JAM = 0xA5

Respond: TypeAlias = Callable[[bytes], "Outgoing | None"]
"""From a request frame to its reply; None for silence."""


@dataclass(frozen=True, slots=True)
class LineTiming:
    """How fast a line is. `is_timed` is False for protocols whose frames end by a character."""

    baud: int = 9600
    bits_per_char: int = 10
    chunk_chars: int = 8
    has_echo: bool = False
    is_strict: bool = True
    is_timed: bool = True
    end: bytes = b"\n"

    @property
    def char_s(self) -> float:
        """Seconds of one character."""
        return self.bits_per_char / self.baud

    @property
    def silence_s(self) -> float:
        """Seconds of silence that end a frame."""
        return FAST_SILENCE_S if self.baud > FAST_BAUD else SILENCE_CHARS * self.char_s


@dataclass(slots=True)
class Books:
    """What the line itself has seen."""

    requests: int = 0
    replies: int = 0
    early: int = 0
    """Requests less than 3.5 characters after the last byte on the line."""
    collisions: int = 0
    damaged: int = 0
    """Frames that were garbled or early and thus ignored."""
    busy_s: float = 0.0
    idle_least_s: float | None = None
    idle_s: deque[float] = field(default_factory=lambda: deque[float](maxlen=KEPT_IDLE_TIMES))
    """Silence before each request."""

    def note_idle(self, seconds: float) -> None:
        """Note the silence before a request."""
        self.idle_s.append(seconds)
        if self.idle_least_s is None or seconds < self.idle_least_s:
            self.idle_least_s = seconds


@dataclass(slots=True)
class _Asking:
    """What the master is saying."""

    begin: float
    end: float
    frame: bytearray
    is_garbled: bool = False


@dataclass(slots=True)
class _Talk:
    """What a slave is saying."""

    begin: float
    frame: bytes
    heard: int = 0
    is_garbled: bool = False


class Wire:
    """The line. Not safe for several threads."""

    def __init__(self, timing: LineTiming, respond: Respond) -> None:
        self.timing = timing
        self.books = Books()
        self._respond = respond
        self._asking: _Asking | None = None
        self._talk: _Talk | None = None
        self._pending: list[tuple[float, int, bytes]] = []
        self._echoes: deque[tuple[float, bytes]] = deque()
        self._quiet_since: float | None = None
        self._count = 0

    @property
    def wake_at(self) -> float | None:
        """When `wake` has something to do, or None."""
        times = [self._echoes[0][0]] if self._echoes else []
        if self._asking is not None:
            times.append(self._frame_is_over_at(self._asking))
        if self._talk is not None:
            times.append(self._next_piece_at(self._talk))
        elif self._pending:
            times.append(self._pending[0][0])
        return min(times, default=None)

    def received(self, sent: bytes, now: float) -> None:
        """Take what the master wrote at this moment: it is on the line from now on."""
        duration = len(sent) * self.timing.char_s
        self.books.busy_s += duration
        if self._talk is not None:
            self.books.collisions += 1
            self._talk.is_garbled = True
        asking = self._asking
        if asking is None:
            asking = self._asking = _Asking(now, now, bytearray(), self._talk is not None)
            self._check_silence(asking, now)
        asking.frame += sent
        asking.end = max(now, asking.end) + duration
        if self.timing.has_echo:
            self._echoes.append((asking.end, sent))

    def wake(self, now: float) -> bytes:
        """Let time pass until now; return what the master hears."""
        heard = bytearray()
        while (due := self.wake_at) is not None and due <= now:
            heard += self._act(due, now)
        return bytes(heard)

    def _act(self, due: float, now: float) -> bytes:
        if self._echoes and self._echoes[0][0] <= due:
            return self._echoes.popleft()[1]
        if self._asking is not None and self._frame_is_over_at(self._asking) <= due:
            self._take_frame(self._asking)
            return b""
        if self._talk is None:
            self._begin_talk()
            return b""
        return self._say_piece(self._talk, now)

    def _check_silence(self, asking: _Asking, now: float) -> None:
        if self._quiet_since is None or not self.timing.is_timed or self._talk is not None:
            return
        idle_s = now - self._quiet_since
        self.books.note_idle(idle_s)
        if idle_s < self.timing.silence_s - EARLY_SLACK_S:
            self.books.early += 1
            asking.is_garbled = asking.is_garbled or self.timing.is_strict

    def _frame_is_over_at(self, asking: _Asking) -> float:
        if not self.timing.is_timed and asking.frame.endswith(self.timing.end):
            return asking.end
        return asking.end + self.timing.silence_s

    def _take_frame(self, asking: _Asking) -> None:
        self._asking = None
        self._quiet_since = asking.end
        self.books.requests += 1
        if asking.is_garbled:
            self.books.damaged += 1
            return
        reply = self._respond(bytes(asking.frame))
        if reply is None or not reply.frame:
            return
        silence_s = self.timing.silence_s if self.timing.is_timed else 0.0
        begin = asking.end + max(reply.after_s, silence_s)
        self._count += 1
        heapq.heappush(self._pending, (begin, self._count, reply.frame))

    def _begin_talk(self) -> None:
        begin, _, frame = heapq.heappop(self._pending)
        self._talk = _Talk(begin, frame)
        if self._asking is not None:
            self.books.collisions += 1
            self._talk.is_garbled = True
            self._asking.is_garbled = True

    def _next_piece_at(self, talk: _Talk) -> float:
        chars = min(talk.heard + self.timing.chunk_chars, len(talk.frame))
        return talk.begin + chars * self.timing.char_s

    def _say_piece(self, talk: _Talk, now: float) -> bytes:
        piece = talk.frame[talk.heard : talk.heard + self.timing.chunk_chars]
        talk.heard += len(piece)
        self.books.busy_s += len(piece) * self.timing.char_s
        if talk.heard == len(talk.frame):
            self._talk = None
            # The master hears the last byte now, not when it should have: its silence counts
            # from here.
            self._quiet_since = now
            self.books.replies += 1
        return bytes(byte ^ JAM for byte in piece) if talk.is_garbled else piece
