"""What the three framings have in common, as seen by jobs and by `decode`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from drivers.contract import (
    DriverError,
    Exchange,
    Fault,
    FrameError,
    NoAnswer,
    Window,
    WireSettings,
)
from drivers.modbus.pdu import Request, reply_length, request_length

KEPT = 512
"""Bytes that an exchange keeps: two of the longest frames."""


class Prepared(Protocol):
    """A request with its frame made once, for all the exchanges to come."""

    @property
    def unit(self) -> int:
        """Whom it asks."""
        ...

    @property
    def request_chars(self) -> int:
        """Characters of the request frame."""
        ...

    @property
    def reply_chars(self) -> int:
        """Characters of an ordinary reply frame."""
        ...

    def exchange(self) -> Exchange:
        """Start one exchange."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """A frame without its envelope; `error` says what its framing forbids."""

    unit: int
    pdu: bytes
    error: str | None = None
    fields: Mapping[str, int | str] = field(default_factory=dict[str, "int | str"])


class Framing(Protocol):
    """One way of putting PDUs on a line."""

    @property
    def name(self) -> str:
        """The protocol's name."""
        ...

    @property
    def wire(self) -> WireSettings:
        """What it needs between frames."""
        ...

    @property
    def extra_units(self) -> frozenset[int]:
        """Unit numbers that it allows beside 1 to 247."""
        ...

    def chars(self, pdu_length: int) -> int:
        """Return the characters of a frame that carries a PDU of that length."""
        ...

    def prepare(self, unit: int, request: Request) -> Prepared:
        """Return the request made ready for sending."""
        ...

    def take_apart(self, frame: bytes) -> Sequence[Taken]:
        """Return what may be the frame, best first and at least one; noise before it is skipped."""
        ...

    def window(self) -> Window | None:
        """Return a window for several requests in flight, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Foreign:
    """A well-formed frame that is not the reply: of which unit, with which function code."""

    unit: int
    pdu: bytes


def frame_lengths(pdu: bytes) -> tuple[int, ...]:
    """Return the lengths that a PDU with these first bytes can have, as a reply or as a request."""
    return tuple({length for length in (reply_length(pdu), request_length(pdu)) if length})


def ordinary_reply_length(request: Request) -> int:
    """Return the length of an ordinary reply PDU; a guess of 32 bytes where only it can tell."""
    return 32 if request.reply_length is None else request.reply_length


def verdict(
    unit: int, request: Request, received: bytes, foreign: Sequence[Foreign], *, is_whole: bool
) -> DriverError:
    """Return what to report when the deadline passes without the reply.

    `is_whole` says that as many bytes came as the reply has.
    """
    if not received:
        return NoAnswer("no byte came")
    fault, why = _fault(unit, request, foreign)
    if fault is None and not is_whole:
        return FrameError(Fault.SHORT, f"only {len(received)} bytes came", received)
    return FrameError(fault or Fault.CRC, why, received)


def _fault(unit: int, request: Request, foreign: Sequence[Foreign]) -> tuple[Fault | None, str]:
    """Return what well-formed frames that are not the reply tell of the fault."""
    others = [f for f in foreign if f.unit != unit or f.pdu[0] & 0x7F != request.function]
    ours = [f for f in foreign if f not in others]
    if any(f.pdu == request.pdu for f in ours):
        return Fault.ECHO, "only the request itself came back"
    if ours:
        came, asked = len(ours[-1].pdu), ordinary_reply_length(request)
        return Fault.SHORT, f"a reply of {came} bytes came where {asked} were asked for"
    if others:
        last = others[-1]
        function = last.pdu[0] & 0x7F
        return Fault.WRONG_UNIT, f"a frame of unit {last.unit}, function {function} came instead"
    return None, "no frame with a right checksum came"
