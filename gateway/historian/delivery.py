"""One batch of lines on its way: halved when it is too large, searched when a line is poison. Pure.

    while (lines := delivery.next()) is not None:
        delivery.take(verdict of writing them)   # after a wait where it says so
    delivery.settled()

Lines that are sent again are no matter: the same series and moment overwrites.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.historian.answer import Fate, Verdict
from gateway.historian.schema import Line
from gateway.model.record import Lane

MOST_BYTES = 1_000_000
"""Of one request. InfluxDB Cloud and usual proxies allow more; 413 teaches less."""

MOST_HELD = 20_000
"""Lines of a batch that others joined; 2 MB."""


@dataclass(slots=True)
class Limits:
    """How much goes into one request; learned from the server."""

    lines: int
    octets: int = MOST_BYTES

    def learn(self, lines: Sequence[Line]) -> None:
        """The server found this too large."""
        self.octets = max(1, min(self.octets, _size(lines) // 2))


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one record; `refused` says why the server will never take it."""

    lane: Lane
    seq: int
    refused: str | None
    is_too_large: bool = False


class Delivery:
    """Of one batch. Nothing is lost in it: what is not settled goes again."""

    def __init__(self, lines: Sequence[Line], limits: Limits) -> None:
        """Take the lines, which need not be in order."""
        self._limits = limits
        self._lines = tuple(lines)
        self._waiting = list(reversed([*_cut(self._lines, limits)]))
        self._refused: dict[tuple[Lane, int], Settled] = {}
        self._doubtful: list[tuple[Line, str]] = []
        self._has_written = False
        self._has_searched = False
        """Every line was tried alone, and not one was taken."""

    def next(self) -> Sequence[Line] | None:
        """Return what to write now, the same until it is judged; None when all is settled."""
        if not self._waiting and self._doubtful:
            self._judge_doubtful()
        return self._waiting[-1] if self._waiting else None

    def take(self, verdict: Verdict) -> bool:
        """Take the verdict on what `next` returned; return whether to wait before the next."""
        lines = self._waiting.pop()
        match verdict.fate:
            case Fate.WRITTEN:
                self._has_written = True
            case Fate.TOO_LARGE:
                self._too_large(lines, verdict)
            case Fate.BAD_LINES if len(lines) == 1 or verdict.dropped == len(lines):
                for one in lines:
                    self._refuse(one, verdict.reason)
            case Fate.DOUBTFUL if self._has_searched and not self._has_written:
                self._waiting.append(lines)
                return True
            case Fate.DOUBTFUL if len(lines) == 1:
                self._doubtful.append((lines[0], verdict.reason))
                return not self._waiting and not self._has_written
            case Fate.BAD_LINES | Fate.DOUBTFUL:
                self._halve(lines)
            case _:
                self._waiting.append(lines)
                return True
        return False

    @property
    def is_stuck(self) -> bool:
        """Whether nobody can say if these lines are at fault or the request: others would tell."""
        is_vague = self._has_searched and not self._has_written
        return is_vague and len(self._lines) < MOST_HELD

    def join(self, lines: Sequence[Line]) -> None:
        """Take further lines into a batch that is stuck; they are written first."""
        self._lines += tuple(lines)
        self._waiting += reversed([*_cut(lines, self._limits)])

    def settled(self) -> Iterator[Settled]:
        """Yield every record once, when `next` returned None."""
        for lane, seq in dict.fromkeys((one.lane, one.seq) for one in self._lines):
            yield self._refused.get((lane, seq)) or Settled(lane, seq, None)

    def _judge_doubtful(self) -> None:
        """Lines that alone were refused beside others that were taken are at fault themselves.

        When nothing was taken the request may be: all of them wait and go together again.
        """
        doubtful, self._doubtful = self._doubtful, []
        if self._has_written:
            for one, reason in doubtful:
                self._refuse(one, reason)
        else:
            self._has_searched = True
            self._waiting = list(reversed([*_cut([one for one, _ in doubtful], self._limits)]))

    def _too_large(self, lines: Sequence[Line], verdict: Verdict) -> None:
        if len(lines) == 1:
            self._refuse(lines[0], verdict.reason, is_too_large=True)
            return
        self._limits.learn(lines)
        self._waiting = list(
            reversed([*_cut(lines, self._limits), *self._cut_again(reversed(self._waiting))])
        )

    def _cut_again(self, chunks: Iterator[Sequence[Line]]) -> Iterator[Sequence[Line]]:
        for chunk in chunks:
            yield from _cut(chunk, self._limits)

    def _halve(self, lines: Sequence[Line]) -> None:
        half = len(lines) // 2
        self._waiting += [lines[half:], lines[:half]]

    def _refuse(self, one: Line, reason: str, *, is_too_large: bool = False) -> None:
        settled = Settled(one.lane, one.seq, reason, is_too_large)
        self._refused.setdefault((one.lane, one.seq), settled)


def body_of(lines: Sequence[Line]) -> bytes:
    """Return the lines as one request."""
    return b"\n".join(one.octets for one in lines)


def _cut(lines: Sequence[Line], limits: Limits) -> Iterator[Sequence[Line]]:
    """Yield pieces within the limits; a line that alone is beyond them goes alone."""
    piece: list[Line] = []
    size = 0
    for one in lines:
        added = len(one.octets) + 1
        if piece and (len(piece) >= limits.lines or size + added > limits.octets):
            yield tuple(piece)
            piece, size = [], 0
        piece.append(one)
        size += added
    if piece:
        yield tuple(piece)


def _size(lines: Sequence[Line]) -> int:
    return sum(len(one.octets) + 1 for one in lines)
