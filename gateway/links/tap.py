"""The flight recorder of a line: the last frames with time and direction, in memory.

A tap stands between a bus and its link and costs the line one list entry per piece. Pieces become
frames when somebody looks. A tap file is text, one frame a line, so that it can go into a mail:

    # linli tap 1; line meters; serial port by-path/usb-1.2 (9600 8E1)
    1767225600.123456 > 01 03 00 00 00 02 C4 0B
    1767225600.151230 < 01 03 04 ** ** ** ** 2A 10

`>` is what the gateway sent, `<` what came, `**` a byte that was secret.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gateway.links.contract import Link
from gateway.model.clock import Clock

HEADING = "# linli tap 1"
PIECES = 512
"""Pieces kept per line: some minutes of an ordinary line, at most 2 MiB."""
PIECE_LIMIT_BYTES = 4096
JOIN_WITHIN_S = 0.02
"""Pieces of one direction that follow each other so closely are one frame: adapters cut frames."""


class Direction(StrEnum):
    """Who spoke."""

    SENT = ">"
    CAME = "<"


@dataclass(frozen=True, slots=True)
class TapFrame:
    """Bytes of one direction."""

    number: int
    """Grows with time; that of the frame's last piece."""
    at_s: float
    """UTC seconds: when sending began, or when the first piece had come."""
    direction: Direction
    octets: bytes
    secret: tuple[slice, ...] = ()
    """Bytes that were blanked: they are zeros here."""


Blank = Callable[[TapFrame], Sequence[slice]]
"""Tells which bytes of a frame are secret."""


@dataclass(slots=True)
class _Piece:
    """Not frozen: one is made per send and receive, and frozen ones cost three times as much."""

    at_s: float
    direction: Direction
    octets: bytes


class Tap:
    """A Link (see contract) that remembers what passes through another one."""

    __slots__ = ("_clock", "_link", "_monotonic", "_passed", "_pieces")

    def __init__(self, link: Link, clock: Clock, pieces: int = PIECES) -> None:
        self._link = link
        self._clock = clock
        self._monotonic = clock.monotonic
        self._pieces: deque[_Piece] = deque(maxlen=pieces)
        self._passed = 0

    @property
    def char_s(self) -> float:
        """Seconds of one character of the link."""
        return self._link.char_s

    @property
    def is_open(self) -> bool:
        """Whether the link is open."""
        return self._link.is_open

    def describe(self) -> str:
        """Return the link's name."""
        return self._link.describe()

    async def open(self) -> None:
        """Open the link."""
        await self._link.open()

    async def close(self) -> None:
        """Close the link; what was recorded stays."""
        await self._link.close()

    def send(self, data: bytes, /) -> float:
        """Send through the link, and remember it."""
        ends_at = self._link.send(data)
        self._keep(Direction.SENT, data)
        return ends_at

    async def receive(self, until: float, /) -> bytes:
        """Receive through the link, and remember what came."""
        octets = await self._link.receive(until)
        if octets:
            self._keep(Direction.CAME, octets)
        return octets

    def switch(self, setting: str | None, /) -> None:
        """Switch the link."""
        self._link.switch(setting)

    def drop_input(self) -> int:
        """Discard what the link holds; it is not remembered."""
        return self._link.drop_input()

    def frames(self, after: int = 0, blank: Blank | None = None) -> tuple[TapFrame, ...]:
        """Return what is remembered and newer than frame number `after`, oldest first.

        Ask again with the last number to follow a line; `blank` marks what is secret.
        """
        first = self._passed - len(self._pieces)
        monotonic_to_utc = self._clock.now_ms() / 1000 - self._clock.monotonic()
        frames: list[TapFrame] = []
        previous: _Piece | None = None
        for number, piece in enumerate(self._pieces, start=first + 1):
            if number <= after:
                continue
            if previous is not None and _continues(previous, piece):
                last = frames.pop()
                frames.append(
                    TapFrame(number, last.at_s, last.direction, last.octets + piece.octets)
                )
            else:
                at_s = piece.at_s + monotonic_to_utc
                frames.append(TapFrame(number, at_s, piece.direction, piece.octets))
            previous = piece
        if blank is None:
            return tuple(frames)
        return tuple(_blanked(frame, blank) for frame in frames)

    def write(self, path: Path, line: str, blank: Blank | None = None) -> int:
        """Write what is remembered to a tap file; return the number of frames."""
        frames = self.frames(blank=blank)
        text = tap_text(frames, f"line {line}; {self.describe()}")
        path.write_text(text, encoding="utf-8")
        return len(frames)

    def _keep(self, direction: Direction, octets: bytes) -> None:
        self._passed += 1
        self._pieces.append(_Piece(self._monotonic(), direction, octets[:PIECE_LIMIT_BYTES]))


def tap_line(frame: TapFrame) -> str:
    """Return one frame as a line of a tap file."""
    octets = [f"{one:02X}" for one in frame.octets]
    for span in frame.secret:
        for at in range(*span.indices(len(octets))):
            octets[at] = "**"
    return f"{frame.at_s:.6f} {frame.direction} {' '.join(octets)}"


def tap_text(frames: Iterable[TapFrame], title: str) -> str:
    """Return the text of a tap file."""
    lines = [f"{HEADING}; {title}", *map(tap_line, frames)]
    return "\n".join(lines) + "\n"


def parse_tap(text: str) -> tuple[TapFrame, ...]:
    """Return the frames of a tap file; secret bytes come back as zeros with their spans.

    Raises:
        ValueError: with the line that is none.
    """
    frames: list[TapFrame] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            at, direction, *octets = line.split()
            secret = tuple(slice(i, i + 1) for i, one in enumerate(octets) if one == "**")
            values = bytes(0 if one == "**" else int(one, 16) for one in octets)
            frame = TapFrame(len(frames) + 1, float(at), Direction(direction), values, secret)
        except ValueError as error:
            raise ValueError(f"line {number} is no frame of a tap file: {line[:60]}") from error
        frames.append(frame)
    return tuple(frames)


def _continues(previous: _Piece, piece: _Piece) -> bool:
    return (
        piece.direction is previous.direction is Direction.CAME
        and piece.at_s - previous.at_s <= JOIN_WITHIN_S
    )


def _blanked(frame: TapFrame, blank: Blank) -> TapFrame:
    spans = tuple(blank(frame))
    octets = bytearray(frame.octets)
    for span in spans:
        for at in range(*span.indices(len(octets))):
            octets[at] = 0
    return TapFrame(frame.number, frame.at_s, frame.direction, bytes(octets), spans)
