"""Links that keep the contract of gateway.links.contract.Link, without a port.

ScriptedLink says what a test tells it to; WireLink is a line in memory with true character
timing, half duplex and collisions, on which simulated devices live.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from gateway.links.contract import LinkDown


class ScriptedLink:
    """Answers every request with the next item of its script.

    An item is one chunk, a sequence of chunks, or a function of the request. Chunks come one
    after the other, `delay_s` apart.
    """

    def __init__(
        self,
        *script: bytes | Iterable[bytes] | Callable[[bytes], bytes],
        char_s: float = 0.0,
        delay_s: float = 0.01,
    ) -> None:
        self._script = deque(script)
        self._char_s = char_s
        self._delay_s = delay_s
        self._coming: deque[tuple[float, bytes]] = deque()
        self._is_open = False
        self.sent: list[bytes] = []
        self.switched: list[str | None] = []

    @property
    def char_s(self) -> float:
        return self._char_s

    @property
    def is_open(self) -> bool:
        return self._is_open

    def describe(self) -> str:
        return "script"

    async def open(self) -> None:
        self._is_open = True

    async def close(self) -> None:
        self._is_open = False

    def say(self, data: bytes, after_s: float = 0.0) -> None:
        """Let bytes come unasked."""
        self._coming.append((_now() + after_s, data))

    def send(self, data: bytes, /) -> float:
        if not self._is_open:
            raise LinkDown("closed")
        self.sent.append(data)
        left_at = _now() + len(data) * self._char_s
        if self._script:
            item = self._script.popleft()
            chunks = item(data) if callable(item) else item
            at = left_at
            for chunk in [chunks] if isinstance(chunks, bytes) else chunks:
                at += self._delay_s
                self._coming.append((at, chunk))
        return left_at

    async def receive(self, until: float, /) -> bytes:
        if not self._is_open:
            raise LinkDown("closed")
        if self._coming and self._coming[0][0] <= max(until, _now()):
            at, chunk = self._coming.popleft()
            await asyncio.sleep(max(0.0, at - _now()))
            return chunk
        await asyncio.sleep(max(0.0, until - _now()))
        return b""

    def switch(self, setting: str | None, /) -> None:
        self.switched.append(setting)

    def drop_input(self) -> int:
        count = 0
        while self._coming and self._coming[0][0] <= _now():
            count += len(self._coming.popleft()[1])
        return count


@dataclass(frozen=True, slots=True)
class Answer:
    """What a simulated device sends: `delay_s` after the last bit of the request."""

    delay_s: float
    frame: bytes
    on_sent: Callable[[float, float], None] | None = None
    """Called with the times of the frame's first and last bit."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request on the wire; times of its first and last bit, and the silence before it."""

    frame: bytes
    begun_at: float
    left_at: float
    silence_s: float


@dataclass(slots=True)
class _Burst:
    starts_at: float
    frame: bytes
    taken: int = 0


Device = Callable[[bytes, float], Iterable[Answer]]
"""Gets a request and the time of its last bit; every device on the line hears every request."""


@dataclass(slots=True)
class WireStats:
    """What happened on the wire."""

    sent: list[Sent] = field(default_factory=list[Sent])
    collisions: int = 0


class WireLink:
    """One end of a line in memory: the gateway's. Time is the loop's."""

    def __init__(self, char_s: float, *devices: Device, chunk: int = 8, echo: bool = False) -> None:
        self._char_s = char_s
        self.devices: list[Device] = list(devices)
        self._chunk = chunk
        self._echo = echo
        self._bursts: list[tuple[float, int, _Burst]] = []
        self._count = 0
        self._busy_until = 0.0
        self._is_open = False
        self.is_plugged = True
        self.opens = 0
        self.stats = WireStats()
        self.switched: list[str | None] = []

    @property
    def char_s(self) -> float:
        return self._char_s

    @property
    def is_open(self) -> bool:
        return self._is_open

    def describe(self) -> str:
        return "wire in memory"

    async def open(self) -> None:
        if not self.is_plugged:
            raise LinkDown("unplugged")
        self._is_open = True
        self.opens += 1

    async def close(self) -> None:
        self._is_open = False

    def unplug(self) -> None:
        """Take the adapter away."""
        self.is_plugged = False

    def send(self, data: bytes, /) -> float:
        self._check()
        now = _now()
        begins = max(now, 0.0)
        left_at = begins + len(data) * self._char_s
        self.stats.sent.append(Sent(data, begins, left_at, begins - self._busy_until))
        self._collide(begins, left_at)
        self._busy_until = max(self._busy_until, left_at)
        if self._echo:
            self._put(begins, data)
        for device in self.devices:
            for answer in device(data, left_at):
                self.transmit(left_at + answer.delay_s, answer)
        return left_at

    def transmit(self, at: float, answer: Answer) -> None:
        """Let a frame come at a time."""
        ends = at + len(answer.frame) * self._char_s
        self._put(at, answer.frame)
        if answer.on_sent is not None:
            answer.on_sent(at, ends)

    async def receive(self, until: float, /) -> bytes:
        while True:
            self._check()
            received = self._ripe(_now())
            if received:
                return received
            wake_at = min(until, self._next_at())
            if _now() >= until:
                return b""
            await asyncio.sleep(max(wake_at - _now(), 1e-9))

    def switch(self, setting: str | None, /) -> None:
        self.switched.append(setting)

    def drop_input(self) -> int:
        return len(self._ripe(_now()))

    def _check(self) -> None:
        if not self.is_plugged or not self._is_open:
            self._is_open = False
            raise LinkDown("unplugged")

    def _put(self, at: float, frame: bytes) -> None:
        self._count += 1
        heapq.heappush(self._bursts, (at, self._count, _Burst(at, frame)))

    def _collide(self, begins: float, ends: float) -> None:
        """Spoil frames that are on the wire while we talk."""
        for index, (at, count, burst) in enumerate(self._bursts):
            frame_ends = at + len(burst.frame) * self._char_s
            if at < ends and frame_ends > begins and self._char_s > 0:
                self.stats.collisions += 1
                spoilt = bytes(byte ^ 0x55 for byte in burst.frame)
                self._bursts[index] = (at, count, _Burst(burst.starts_at, spoilt, burst.taken))

    def _chars_at(self, burst: _Burst, now: float) -> int:
        if self._char_s == 0:
            return len(burst.frame)
        return min(len(burst.frame), int((now - burst.starts_at) / self._char_s + 1e-6))

    def _ripe(self, now: float) -> bytes:
        """Take the bytes that have arrived by now, in order of their bursts."""
        found = bytearray()
        while self._bursts and self._bursts[0][0] <= now:
            at, _, burst = self._bursts[0]
            here = self._chars_at(burst, now)
            found += burst.frame[burst.taken : here]
            burst.taken = max(burst.taken, here)
            if here:
                self._busy_until = max(self._busy_until, at + here * self._char_s)
            if here < len(burst.frame):
                break
            heapq.heappop(self._bursts)
        return bytes(found)

    def _next_at(self) -> float:
        """Return when the next chunk will be there."""
        if not self._bursts:
            return float("inf")
        at, _, burst = self._bursts[0]
        wanted = min(len(burst.frame), burst.taken + self._chunk)
        return at + wanted * self._char_s


def _now() -> float:
    return asyncio.get_running_loop().time()
