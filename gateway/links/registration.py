"""Who is it that dials in? Decided from the first bytes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from gateway.model.link import TcpListener

LIMIT_BYTES = 512
"""A registration packet longer than this is none."""


class Undecided(Enum):
    """What may come instead of a line."""

    WAIT = "more bytes may tell"
    NOBODY = "no line expects this"


@dataclass(frozen=True, slots=True)
class Identified:
    """The line that the caller belongs to; the first `used` bytes told it and are used up."""

    line: TcpListener
    used: int
    registration: bytes
    """The registration packet among them, b"" for a line without one."""


def identify(
    received: bytes, lines: Sequence[TcpListener], *, is_settled: bool
) -> Identified | Undecided:
    """Return the line whose registration this is.

    The longest registration wins. `is_settled` says that the caller has paused: then a shorter
    match counts although a longer one was possible, and a registration of which only the
    beginning is known ends here. A line without registration takes whom no other line can take.
    """
    anonymous = next((one for one in lines if one.registration is None), None)
    named = [one for one in lines if one.registration]
    skipped = _heartbeats_before(received, named)
    rest = received[skipped:]
    match = max(
        (one for one in named if rest.startswith(one.registration or b"")),
        key=lambda one: (len(one.registration or b""), not one.is_prefix),
        default=None,
    )
    if not is_settled and _may_become_more(rest, named, match):
        return Undecided.WAIT
    if match is not None:
        packet = rest if match.is_prefix else rest[: len(match.registration or b"")]
        return Identified(match, skipped + len(packet), packet)
    if anonymous is not None:
        return Identified(anonymous, 0, b"")
    return Undecided.NOBODY


def _may_become_more(rest: bytes, named: Sequence[TcpListener], match: TcpListener | None) -> bool:
    if len(rest) >= LIMIT_BYTES:
        return False
    if match is not None and match.is_prefix:
        return True
    known = len(match.registration or b"") if match is not None else -1
    words = [one.registration or b"" for one in named]
    words += [one.heartbeat for one in named if one.heartbeat and match is None]
    return any(len(word) > max(known, len(rest)) and word.startswith(rest) for word in words)


def _heartbeats_before(received: bytes, named: Sequence[TcpListener]) -> int:
    """Return how many bytes of whole heartbeats stand before the registration."""
    heartbeats = {one.heartbeat for one in named if one.heartbeat}
    registrations = [one.registration or b"" for one in named]
    at = 0
    while at < len(received):
        if any(
            received.startswith(word, at) or word.startswith(received[at:])
            for word in registrations
        ):
            break
        found = next((beat for beat in heartbeats if received.startswith(beat, at)), None)
        if found is None:
            break
        at += len(found)
    return at
