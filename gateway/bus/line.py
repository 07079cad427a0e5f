"""One line of the field: one task that owns the link and does one thing after the other.

The loop is a bulkhead: whatever a driver does wrong costs the unit that it was working for, and
nobody else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import overload

from gateway.bus.answers import Answers
from gateway.bus.around import Around
from gateway.bus.asks import Answer, Ask, ReadNow, Request, WriteNow, Written
from gateway.bus.core import LineCore
from gateway.bus.cost import char_s, driver_of
from gateway.bus.echo import EchoFilter
from gateway.bus.exchange import Babble, SerialWire
from gateway.bus.polls import Polls
from gateway.bus.roster import Roster
from gateway.bus.sleeper import Sleeper, make_sleeper
from gateway.bus.stats import LineStats
from gateway.bus.unit import Read, Unit, UnitKey
from gateway.bus.window import ManyInFlight, RenewableWindow, WindowWire
from gateway.links.contract import Link, LinkDown
from gateway.model.quality import Reason
from gateway.model.sample import Samples
from gateway.settings.site import Device, Echo, Line

log = logging.getLogger(__name__)

FIRST_REOPEN_S = 0.25
LAST_REOPEN_S = 4.0
"""Longest wait before a link is tried again: a replugged adapter is back within five seconds."""
OPEN_GRACE_S = 3.0
"""How long the first try to open may take before its polls are told as failed."""
IDLE_S = 60.0
BABBLE_REST_S = 1.0
LINE_BABBLES = "babble"
"""`why` of a line on which somebody talks without end."""


class BusLine:
    """A line with its devices. Made inside the running loop; `run` is its only task."""

    def __init__(self, line: Line, devices: Sequence[Device], link: Link, around: Around) -> None:
        """Plan the devices; nothing is opened before `run`.

        Raises:
            LookupError: a device's protocol has no driver.
        """
        self.line = line
        self._link = link
        self._core = LineCore(line, around)
        self._core.character_s = char_s(line) or link.char_s
        self._roster = Roster(self._core)
        self._roster.apply(devices)
        self._update: tuple[Device, ...] | None = None
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._is_woken = False
        self._is_babbling = False
        self._busy_with: Read | Unit | None = None
        self.heartbeat = self._loop.time()
        """Loop time at which it last went round, for the watchdog; it rests a minute at most."""

    @overload
    async def submit(self, request: ReadNow) -> tuple[Samples, ...]: ...
    @overload
    async def submit(self, request: WriteNow) -> Written: ...
    async def submit(self, request: Request) -> Answer:
        """Do this before everything that is due, and return what came of it.

        Asked samples are returned, not put to the output: whoever asked decides who sees them.

        Raises:
            TimeoutError: the answer did not come within the time of the request; a write may have
                been carried out all the same when it was on the wire already.
            LookupError: the line has no such device.
            LinkDown: the line is being stopped.
        """
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._core.asks.append(Ask(request, answer, self._loop.time() + request.within_s))
        self.wake()
        async with asyncio.timeout(request.within_s):
            return await answer

    def update(self, devices: Sequence[Device]) -> None:
        """Serve these devices from the next frame on; units that did not change notice nothing."""
        self._update = tuple(devices)
        self.wake()

    def stats(self) -> LineStats:
        """Return what the line did so far."""
        return self._roster.stats()

    @property
    def units(self) -> Mapping[UnitKey, Unit]:
        """The units of this line as they are now, for those who look into it."""
        return self._core.units

    def wake(self) -> None:
        """Let the line look at once whether there is something to do."""
        self._is_woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve the line until `stop` is set; the exchange on the wire is finished first."""
        sleeper = make_sleeper()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._wake_at(stop), name=f"line:{self.line.name}:stop")
                await self._work(stop, sleeper)
        finally:
            sleeper.close()
            self._refuse_asks()
            await self._link.close()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.wake()

    async def _work(self, stop: asyncio.Event, sleeper: Sleeper) -> None:
        core = self._core
        window = self._window()
        echo = EchoFilter(Echo.OFF if self._has_reply_ids() else self.line.echo)
        serial = SerialWire(self._link, sleeper, core.quarantine, echo)
        wire = serial if window is None else WindowWire(self._link, window)
        polls = Polls(core, wire)
        many = None if window is None else ManyInFlight(core, self._link, window)
        answers = Answers(core, polls, serial.echo if window is None else None)
        while not stop.is_set():
            self.heartbeat = self._loop.time()
            if not self._link.is_open:
                await self._reopen(stop)
                serial.opened()
                if window is not None:
                    window.renew()
                continue
            self._apply_update()
            await self._turn(polls, answers, many)
            self._collect(serial)
        while many is not None and many.flights:
            await self._turn_last(many)

    def _apply_update(self) -> None:
        if self._update is not None:
            self._roster.apply(self._update)
            self._update = None

    async def _turn_last(self, many: ManyInFlight) -> None:
        """Take what is still in flight when the line is told to stop."""
        try:
            await many.turn(may_start=False)
        except LinkDown:
            many.give_up(Reason.PORT_GONE)

    def _collect(self, serial: SerialWire) -> None:
        """Take over what the wire learnt on the way."""
        if serial.late:
            for late in serial.late:
                self._core.heard_late(late.unit, late.after_s)
            serial.late.clear()
        self._core.counters.bytes_skipped = serial.skipped

    async def _turn(self, polls: Polls, answers: Answers, many: ManyInFlight | None) -> None:
        """Do one thing, and keep what goes wrong where it belongs."""
        try:
            if many is None:
                await self._next(polls, answers)
            else:
                await self._next_of_many(answers, many)
        except LinkDown as down:
            await self._link_lost(down, many)
        except Babble:
            await self._babbles()
        except Exception:  # the line's bulkhead: a driver's fault costs its unit, not the line
            log.exception("driver failed", extra={"line": self.line.name})
            self._driver_failed(many)
        else:
            self._is_quiet()
        self._busy_with = None

    async def _link_lost(self, down: LinkDown, many: ManyInFlight | None) -> None:
        self._fail_current(Reason.PORT_GONE)
        if many is not None:
            many.give_up(Reason.PORT_GONE)
        await self._link.close()
        self._down(down)

    async def _babbles(self) -> None:
        """Leave the line alone for a while: somebody talks on it without end."""
        self._fail_current(Reason.CRC)
        if not self._is_babbling:
            self._is_babbling = True
            self._core.say_line(is_up=False, why=LINE_BABBLES)
        await self._pause(self._loop.time() + BABBLE_REST_S)

    def _is_quiet(self) -> None:
        """Note that something was served, so that nobody babbles any more."""
        if self._is_babbling and self._busy_with is not None:
            self._is_babbling = False
            self._core.say_line(is_up=True, why="quiet again")

    def _driver_failed(self, many: ManyInFlight | None) -> None:
        """Give up the unit that the driver was working for."""
        if many is not None and self._busy_with is None:
            self._busy_with = many.take_current()
        current = self._busy_with
        self._fail_current(Reason.CONFIG)
        if current is not None:
            unit = current if isinstance(current, Unit) else current.unit
            self._core.broken(unit, "driver failed")

    async def _next(self, polls: Polls, answers: Answers) -> None:
        """Serve an ask, or look for a dead unit, or do what is due, or rest."""
        core = self._core
        if core.asks:
            await answers.answer(core.asks.popleft())
            return
        now = core.time()
        if core.dead and (probe := core.due_probe(now)) is not None:
            self._busy_with = probe.unit
            await polls.probe(probe)
            return
        entry = core.schedule.pop(now, core.clock.now_ms())
        if entry is None:
            await self._rest(now)
            return
        read = entry.what
        if read.unit.health.is_dead:
            # Costs no line time; but the other tasks get theirs.
            await polls.serve(read)
            await asyncio.sleep(0)
            return
        self._busy_with = read
        await polls.serve(read)

    async def _next_of_many(self, answers: Answers, many: ManyInFlight) -> None:
        """Keep several requests in flight; an ask goes alone, when the others are back."""
        core = self._core
        now = core.time()
        if core.asks and not many.flights:
            await answers.answer(core.asks.popleft())
        elif not await many.turn(may_start=not core.asks):
            await self._rest(now)

    async def _rest(self, now: float) -> None:
        """Wait until something is due."""
        core = self._core
        times = (core.schedule.next_at(now), core.next_probe_at(now))
        until = min((at for at in times if at is not None), default=now + IDLE_S)
        # Never shorter than a millisecond: rounding must not make the loop spin.
        await self._pause(max(until, now + 0.001))

    async def _pause(self, until: float) -> None:
        """Wait until then, or until somebody calls `wake`."""
        if not self._is_woken:
            waiter = self._waiter = self._loop.create_future()
            timer = self._loop.call_at(until, _finish, waiter)
            try:
                await waiter
            finally:
                timer.cancel()
                self._waiter = None
        self._is_woken = False

    # --- the link ----------------------------------------------------------------------------

    def _down(self, down: LinkDown) -> None:
        if self._core.is_up is not False:
            self._core.is_up = False
            self._core.say_line(is_up=False, why=down.why)

    def _fail_current(self, fault: str) -> None:
        """Settle what was being done when it was interrupted."""
        core = self._core
        current = self._busy_with
        now, wall_ms = core.time(), core.clock.now_ms()
        if isinstance(current, Read) and current.entry is not None:
            core.no_values(current, fault)
            core.schedule.done(current.entry, now, wall_ms)
        elif isinstance(current, Unit):
            current.health.probe_failed(now)

    async def _reopen(self, stop: asyncio.Event) -> None:
        """Open the link, for as long as it takes; meanwhile everything due is `port_gone`."""
        core = self._core
        started = core.time()
        async with asyncio.TaskGroup() as tasks:
            opener = tasks.create_task(self._open(), name=f"line:{self.line.name}:open")
            while not opener.done():
                if stop.is_set():
                    opener.cancel()
                    return
                await self._pause(self._tell_gone(started))
        now = core.time()
        for unit in core.units.values():
            unit.not_before = now + unit.connect_delay_s
        for unit in core.dead:
            unit.health.look_now(now)
        core.is_up = True
        core.say_line(is_up=True, why="open")

    def _tell_gone(self, started: float) -> float:
        """Answer what is due while there is no link; return when to look again.

        While the first try is under way nothing is lost yet: its polls wait for it a little.
        """
        core = self._core
        self._apply_update()
        now = self.heartbeat = core.time()
        if core.is_up is not False and now < started + OPEN_GRACE_S:
            return started + OPEN_GRACE_S
        while (entry := core.schedule.pop(now, core.clock.now_ms())) is not None:
            core.no_values(entry.what, Reason.PORT_GONE)
            core.schedule.done(entry, now, core.clock.now_ms())
        Answers.refuse(core, Reason.PORT_GONE)
        return max(core.schedule.next_at(now) or now + IDLE_S, now + 0.001)

    async def _open(self) -> None:
        wait_s = FIRST_REOPEN_S
        while True:
            try:
                await self._link.open()
            except LinkDown as down:
                self._down(down)
                self.wake()
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, LAST_REOPEN_S)
            else:
                self.wake()
                return

    def _refuse_asks(self) -> None:
        """Tell those who still wait that the line is gone."""
        for ask in self._core.asks:
            if not ask.answer.done():
                ask.answer.set_exception(LinkDown("the line was stopped"))
        self._core.asks.clear()

    def _has_reply_ids(self) -> bool:
        return driver_of(self.line.protocol).wire.has_reply_ids

    def _window(self) -> RenewableWindow | None:
        driver = driver_of(self.line.protocol)
        if self.line.in_flight <= 1 or driver.window() is None:
            return None
        return RenewableWindow(driver)


def _finish(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
