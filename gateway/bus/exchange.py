"""One exchange on a line that has one request in flight: silence, request, reply or deadline."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

from drivers.contract import DeviceRefused, Exchange, Fault, FrameError
from gateway.bus.echo import EchoFilter
from gateway.bus.quarantine import LateReply, Quarantine
from gateway.bus.sleeper import Sleeper
from gateway.links.contract import Link

BABBLE_S = 1.0
"""A line that does not fall silent for so long has somebody on it who talks all the time."""
GAP_SERIAL_S = 0.05
"""Longest pause inside a reply: USB adapters hand over every 16 ms, kernels when they like."""
GAP_NETWORK_S = 0.25
"""The same where a modem or a serial server cuts the reply into packets."""
FIFO_CHARS = 16
"""So many characters may have come already when bytes are handed over: ports collect them."""
BROADCAST_S = 0.1
"""Turnaround delay after a broadcast (Modbus over Serial Line V1.02, 2.4.1: 100 to 200 ms)."""
_EARLY_S = 0.002
"""Wake so much before a reply can be complete: the loop's timers are late by up to 1 ms."""


class Blocked(Exception):
    """The request must not be sent now: a late reply to another one could be taken for its own."""


class Babble(Exception):
    """The line never falls silent, so nothing can be asked on it."""


@dataclass(slots=True)
class Limits:
    """How an exchange has to be done, in seconds."""

    silence_s: float
    """Silence before the request."""
    timeout_s: float
    """From the last bit of the request to the first byte of the reply."""
    expected_s: float = 0.0
    """Time before which the reply does not begin; 0 while unknown."""
    gap_s: float = 0.0
    """Longest pause inside a reply that the protocol allows; 0: it names none."""


class Wire(Protocol):
    """Makes exchanges for the line; what it learnt on the way stays readable until the next."""

    begun_at: float
    """Loop time of the request's first byte; of the oldest open try when the reply may be its."""
    sent_at: float
    taken_at: float
    """Loop time of the reply's last byte, or of the deadline."""
    response_s: float
    """Response time of the last reply."""

    async def transact(self, exchange: Exchange, limits: Limits) -> Any:  # noqa: ANN401 - erased
        """Return the reply to the exchange.

        Raises:
            DriverError: no reply, a damaged one, or a refusal.
            Blocked: it must not be asked now.
            Babble: the line never falls silent.
            LinkDown: the pipe is gone.
        """
        ...


class SerialWire:
    """The hand on a link that carries one request at a time."""

    def __init__(
        self, link: Link, sleeper: Sleeper, quarantine: Quarantine, echo: EchoFilter
    ) -> None:
        """Take a link that is or will be open."""
        self._link = link
        self._sleeper = sleeper
        self._quarantine = quarantine
        self.echo = echo
        self._time = asyncio.get_running_loop().time
        self._heard_at = 0.0
        self._left_at = 0.0
        self.begun_at = self.sent_at = self.taken_at = 0.0
        self.response_s = 0.0
        self._setting: str | None = None
        """The serial setting where it is not the line's own; an open link begins with its own."""
        self.skipped = 0
        """Bytes that came between exchanges."""
        self.late: list[LateReply] = []
        """Late replies that were caught; the line takes them out."""

    def opened(self) -> None:
        """Note that the link was opened: silence counts from now, an echo must be found anew."""
        self._heard_at = self._time()
        self._setting = None
        self.echo.forget()

    async def transact(self, exchange: Exchange, limits: Limits) -> Any:  # noqa: ANN401 - erased
        """Return the reply; see Wire."""
        await self._await_silence(limits.silence_s)
        now = self._time()
        self.sent_at = self.begun_at = self.taken_at = now
        if self._quarantine and self._quarantine.blocks(exchange, now):
            raise Blocked
        request, switch = exchange.request, exchange.switch
        self._set(None if switch is None else switch.request)
        self._left_at = left_at = self._link.send(request)
        if switch is not None and switch.reply != switch.request:
            await self._sleeper.until(left_at)
            self._set(switch.reply)
        if exchange.reply_chars == 0:
            await self._sleeper.until(left_at + BROADCAST_S)
            self.taken_at = self._time()
            return exchange.feed(b"")
        self.echo.begin(request, may_equal=exchange.reply_may_equal_request)
        reply = await self._listen(exchange, limits)
        if self._quarantine:
            self.begun_at = self._quarantine.begun_at(exchange, self.sent_at)
        return reply

    def _set(self, setting: str | None) -> None:
        """Put the line on the setting of an exchange; None: on its own again."""
        if setting != self._setting:
            self._link.switch(setting)
            self._setting = setting

    async def _listen(self, exchange: Exchange, limits: Limits) -> Any:  # noqa: ANN401 - erased
        """Return the reply, or raise at the deadline what there was in its place."""
        char_s = self._link.char_s
        span_s = exchange.reply_chars * char_s
        gap_s = max(GAP_SERIAL_S if char_s else GAP_NETWORK_S, limits.gap_s)
        give_up_at = until = self._left_at + limits.timeout_s
        last_call = give_up_at + 1.1 * span_s + gap_s
        if char_s:
            # Nothing is lost by reading late: the kernel keeps what comes meanwhile.
            complete_at = self._left_at + limits.expected_s + span_s
            await self._nap(min(complete_at, give_up_at) - _EARLY_S)
        came = 0
        while True:
            received = await self._link.receive(until)
            now = self._time()
            if received:
                self._heard_at = now
                came += len(received)
                reply = self._take(exchange, received, now, span_s)
                if reply is not None:
                    return reply
                until = min(last_call, max(give_up_at, now + gap_s))
                if char_s:
                    missing = exchange.reply_chars - came - FIFO_CHARS
                    await self._nap(min(now + missing * char_s, until) - _EARLY_S)
            elif now >= until:
                return await self._end(exchange, came, now)

    async def _nap(self, until: float) -> None:
        if until - self._time() > _EARLY_S:
            await asyncio.sleep(until - self._time())

    def _take(self, exchange: Exchange, received: bytes, now: float, span_s: float) -> Any | None:  # noqa: ANN401 - erased
        """Feed what came, less the echo; return the reply when it is complete."""
        if self._quarantine:
            self._quarantine.hear(received, now, exchange)
        mine = self.echo.strip(received)
        if not mine:
            return None
        try:
            reply = exchange.feed(mine)
        except DeviceRefused:
            self._found(now, 0.0)
            if self._quarantine:
                self._quarantine.was_refused(exchange, self.sent_at, now)
            raise
        if reply is not None:
            self._found(now, span_s)
        return reply

    def _found(self, now: float, span_s: float) -> None:
        self.taken_at = now
        self.response_s = now - self._left_at - span_s
        self.echo.learn()
        if self._quarantine:
            self.late.extend(self._quarantine.settle(is_believed=True))

    async def _end(self, exchange: Exchange, came: int, now: float) -> Any:  # noqa: ANN401 - erased
        """Settle the exchange at its deadline: the last chance of a reply, or its verdict."""
        self.taken_at = now
        rest = self.echo.remainder()
        if rest and (reply := exchange.feed(rest)) is not None:
            return reply
        verdict = exchange.verdict()
        if self.echo.learn_alone():
            verdict = FrameError(Fault.ECHO, "only the local echo came", exchange.request)
        self._quarantine.settle(is_believed=False)
        self._quarantine.gave_up(exchange, self.sent_at, now)
        if came:
            await self._drain()
        raise verdict

    async def _drain(self) -> None:
        """Listen until the line is quiet, so that the rest of this is not the next one's noise."""
        quiet_s = max(20 * self._link.char_s, 0.02)
        stop_at = self._time() + BABBLE_S
        while self._time() < stop_at:
            received = await self._link.receive(self._heard_at + quiet_s)
            if not received:
                return
            # It may belong to the failed exchange, so nobody takes it for a late reply.
            self._heard_at = self._time()
            self.skipped += len(received)

    async def _await_silence(self, silence_s: float) -> None:
        """Return when the line has been silent for so long, counted from the last byte seen."""
        await self._swallow()
        quiet_at = max(self._heard_at, self._left_at) + silence_s
        stop_at = self._time() + silence_s + BABBLE_S
        while self._time() < quiet_at:
            await self._sleeper.until(quiet_at)
            await self._swallow()
            quiet_at = max(self._heard_at, self._left_at) + silence_s
            if self._time() > stop_at:
                raise Babble

    async def _swallow(self) -> None:
        """Take off the line what came unasked."""
        if self._quarantine:
            received = await self._link.receive(self._time())
            count = len(received)
            if count:
                self._quarantine.hear(received, self._time())
                self.late.extend(self._quarantine.settle(is_believed=True))
        else:
            count = self._link.drop_input()
        if count:
            self._heard_at = self._time()
            self.skipped += count
