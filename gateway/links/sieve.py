"""Takes a DTU's heartbeats and repeated registrations out of the stream. Pure.

A DTU says its heartbeat on the same connection as the frames of its serial side, whenever that
side is quiet, so TCP may glue it before or behind a reply and cut it anywhere. The link does not
know frames. A heartbeat of four bytes or more is taken out wherever it stands: that a frame holds
these bytes by accident is a matter of one in 2**32 positions. A shorter one would be found inside
frames too often; it is taken out only where a reply begins, between a request and the first other
byte. Behind a complete reply it harms nobody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

ANYWHERE_FROM = 4
"""Length from which a pattern is taken out wherever it stands."""


class Sieve:
    """Feed it what came; it gives back what is not heartbeat.

    It holds back an end that could be the beginning of a pattern, until more comes or `release`
    is called: the caller bounds that time.
    """

    __slots__ = ("_all", "_is_beginning", "_long", "_long_found", "held")

    def __init__(self, patterns: Sequence[bytes]) -> None:
        """Take the patterns; empty ones are ignored."""
        by_length = sorted({bytes(one) for one in patterns if one}, key=len, reverse=True)
        self._all = tuple(by_length)
        self._long = tuple(one for one in by_length if len(one) >= ANYWHERE_FROM)
        self._long_found = re.compile(b"|".join(map(re.escape, self._long)), re.DOTALL)
        self._is_beginning = True
        self.held = b""

    def begin_reply(self) -> None:
        """Note that a request went out: what comes next is the beginning of a reply."""
        self._is_beginning = True

    def feed(self, octets: bytes) -> bytes:
        """Return what of the stream may pass now."""
        stream = self.held + octets
        self.held = b""
        if self._is_beginning:
            stream = self._strip_beginning(stream)
        if not self._long or not stream:
            return stream
        return self._strip_anywhere(stream)

    def release(self) -> bytes:
        """Return what was held back: it was no heartbeat after all."""
        held, self.held = self.held, b""
        return held

    def _strip_beginning(self, stream: bytes) -> bytes:
        at = 0
        while True:
            if _is_beginning_of(self._all, stream[at:]):
                self.held = stream[at:]
                return b""
            found = next((one for one in self._all if stream.startswith(one, at)), None)
            if found is None:
                break
            at += len(found)
        self._is_beginning = at == len(stream)
        return stream[at:]

    def _strip_anywhere(self, stream: bytes) -> bytes:
        kept: list[bytes] = []
        at = 0
        while True:
            found = self._long_found.search(stream, at)
            tail = _tail(self._long, stream, at)
            if found is None or tail <= found.start():
                kept.append(stream[at:tail])
                self.held = stream[tail:]
                return b"".join(kept)
            kept.append(stream[at : found.start()])
            at = found.end()


def _is_beginning_of(patterns: Sequence[bytes], octets: bytes) -> bool:
    """Whether more bytes could make these the beginning of a (longer) pattern."""
    return bool(octets) and any(
        len(one) > len(octets) and one.startswith(octets) for one in patterns
    )


def _tail(patterns: Sequence[bytes], stream: bytes, at: int) -> int:
    """Return where the end begins that could become a pattern; the length when there is none."""
    longest = max(map(len, patterns))
    for start in range(max(at, len(stream) - longest + 1), len(stream)):
        if _is_beginning_of(patterns, stream[start:]):
            return start
    return len(stream)
