"""The loop's side of a server: a write in a thread of its own, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from gateway.historian.answer import Fate, NotUsable, ServerAway, Verdict, judge
from gateway.historian.delivery import body_of
from gateway.historian.schema import Line
from gateway.historian.thread import DaemonThread, Unfinished
from gateway.historian.transport import ReadSecret, Transport
from gateway.settings.site_historians import Historian

GRACE_S = 5.0
"""Beyond the request's own timeout: names, TLS and a server that answers drop by drop."""


def open_transport(historian: Historian, read_secret: ReadSecret) -> Transport:
    """Return the way to this server; nothing is sent yet, and secrets are read now.

    Raises:
        NotUsable: a secret, a certificate or the client library is not there.
    """
    if historian.version == 1:
        from gateway.historian.http_v1 import V1Write  # noqa: PLC0415 - only what the site uses

        return V1Write(historian, read_secret)
    from gateway.historian.client_v2 import V2Write  # noqa: PLC0415 - 30 MB that few sites need

    return V2Write(historian, read_secret)


class Writer:
    """Of one historian."""

    def __init__(
        self, historian: Historian, read_secret: ReadSecret, now_ms: Callable[[], int]
    ) -> None:
        """Take where to write; nothing is opened before the first write."""
        self._historian = historian
        self._read_secret = read_secret
        self._now_ms = now_ms
        self._thread = DaemonThread(f"historian-{historian.name}")
        self._transport: Transport | None = None

    async def write(self, lines: Sequence[Line]) -> Verdict:
        """Return what became of these lines; always in time.

        A write that is late may still happen: the lines go again, and overwrite.
        """
        deadline_s = self._historian.timeout_s + GRACE_S
        if self._thread.is_held_up:  # another one behind it would only wait with its lines
            return Verdict(Fate.AWAY, "the write before this one still hangs")
        try:
            async with asyncio.timeout(deadline_s):
                return await self._thread.run(lambda: self._write(body_of(lines)))
        except TimeoutError:
            return Verdict(Fate.AWAY, f"no answer in {deadline_s:g} s")
        except Unfinished as error:
            return Verdict(Fate.AWAY, f"the write failed: {error}")

    def close(self) -> None:
        """End the thread; a write that hangs in it is left to its own timeout."""
        self._thread.end(self._forget)

    # --- in the thread -------------------------------------------------------------------------

    def _write(self, body: bytes) -> Verdict:
        try:
            if self._transport is None:
                self._transport = open_transport(self._historian, self._read_secret)
            verdict = judge(self._transport.write(body), self._now_ms())
        except NotUsable as why:
            return Verdict(Fate.DENIED, str(why))
        except ServerAway as why:
            return Verdict(Fate.AWAY, str(why))
        if verdict.fate is Fate.DENIED:
            self._forget()  # whoever mends a token expects that it is read again
        return verdict

    def _forget(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()
