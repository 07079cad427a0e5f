"""Commands of all platforms on their one way: in turn, and never more than the house can bear."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.app.commands.asking import Keeps, Lines
from gateway.app.commands.judge import Guards, Judge, Standing
from gateway.app.commands.ledger import Ledger
from gateway.app.commands.orders import Orders
from gateway.commands import audit, limits, memory
from gateway.commands.admit import Admission
from gateway.commands.arming import Arming
from gateway.commands.flood import Flood
from gateway.commands.limits import Interlocks, Rates, Shown
from gateway.commands.waiting import Begun, Waiting
from gateway.dialects.contract import Dropped
from gateway.model.clock import Clock
from gateway.model.command import BadCommand, Command
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, SinkName
from gateway.model.record import Record, StateChange
from gateway.settings.site import Site

AT_ONCE = 8
"""Commands under way at the same time; one device never has two."""
TOLD_EVERY_S = 1.0
"""How often a flood is told."""


def _nothing_shown(_: DeviceId) -> Sequence[Any]:
    return ()


def _nothing_stands() -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Hands:
    """What commands act with, and what they look at."""

    lines: Lines
    keeps: Keeps
    clock: Clock
    new_token: Callable[[], str]
    """Makes a token that nobody can guess."""
    shown: Shown = _nothing_shown
    """Current values, for interlocks."""
    standing: Standing = _nothing_stands
    """Standing events, for those who acknowledge them."""


class Commander:
    """Takes commands from all sinks. One for the gateway."""

    def __init__(
        self, site: Site, hands: Hands, states: Callable[[str], Mapping[str, Any]]
    ) -> None:
        """Take the site, the hands, and what the store kept of each room."""
        clock, remembered = hands.clock, memory.Memory(states(memory.ROOM))
        self._site = site
        self._clock = clock
        self._keeps = hands.keeps
        self._flood = Flood()
        self._ledger = Ledger(site, clock, audit.Chain(states(audit.ROOM)))
        guards = Guards(
            Admission(site.commands, remembered),
            Arming(hands.new_token),
            Rates(states(limits.RATES_ROOM)),
            Interlocks(hands.shown),
        )
        self._judge = Judge(site, guards, hands.standing)
        self._orders = Orders(
            self._judge,
            remembered,
            self._ledger,
            lines=hands.lines,
            keeps=hands.keeps,
            clock=clock,
            flood=self._flood,
        )
        self._waiting = Waiting(self._device_of)
        self._bad: list[BadCommand] = []
        self._dropped: list[tuple[str, SinkName, Dropped]] = []
        self._wake = asyncio.Event()

    def replace(self, site: Site) -> None:
        """Take a reloaded site, its allow-list with it."""
        self._site = self._ledger.site = site
        self._judge.use(site)

    # --- what sinks tell; none of it waits

    def put(self, command: Command | BadCommand) -> None:
        """Take a command from a sink; more than can wait are refused, then counted."""
        if isinstance(command, BadCommand):
            self._turn_away(command)
        elif not self._waiting.put(command):
            text = "too many commands wait already"
            rid, device = command.rid, command.device
            self._turn_away(BadCommand(command.sink, rid, device, "busy", text))
        self._wake.set()

    def dropped(self, topic: str, sink: SinkName, dropped: Dropped) -> None:
        """Audit a message that was not obeyed; `topic` is `dropped` or `remark`."""
        if self._flood.is_told(sink, topic, self._clock.monotonic()):
            self._dropped.append((topic, sink, dropped))
            self._wake.set()

    def audited(self, fields: tuple[tuple[str, str], ...]) -> tuple[Record, StateChange]:
        """Return the next entry of the audit chain, to be committed before anything is awaited."""
        return self._ledger.audit_untold(fields)

    def unheard(self, sink: SinkName, count: int) -> None:
        """Count messages that a sink could not even look at."""
        self._flood.count(sink, "unheard", count)

    def _turn_away(self, bad: BadCommand) -> None:
        if self._flood.is_told(bad.sink, bad.code, self._clock.monotonic()):
            self._bad.append(bad)

    # --- the task

    async def run(self, stop: asyncio.Event) -> None:
        """Carry commands out until `stop`; those under way are finished, the others answered."""
        await self._orders.settle()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._wake_at(stop), name="commands:stop")
            telling = tasks.create_task(self._keep_telling(), name="commands:flood")
            while not stop.is_set():
                self._wake.clear()
                self._begin(tasks)
                await self._wake.wait()
            telling.cancel()
        await self._turn_all_away()

    async def _turn_all_away(self) -> None:
        """Answer what still waits: nothing of it was done, so that it may be asked again."""
        text = "the gateway stops: ask again"
        for one in self._waiting.left():
            self._turn_away(BadCommand(one.sink, one.rid, one.device, "stopping", text))
        bad, self._bad = self._bad, []
        dropped, self._dropped = self._dropped, []
        await self._orders.reject(bad)
        await self._tell(dropped)
        await self._tell_untold()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    def _begin(self, tasks: asyncio.TaskGroup) -> None:
        if self._bad:
            bad, self._bad = self._bad, []
            tasks.create_task(self._orders.reject(bad), name="commands:rejected")
        if self._dropped:
            dropped, self._dropped = self._dropped, []
            tasks.create_task(self._tell(dropped), name="commands:dropped")
        while self._waiting.under_way < AT_ONCE and (begun := self._waiting.begin()) is not None:
            tasks.create_task(self._one(begun), name="commands:one")

    async def _one(self, begun: Begun) -> None:
        try:
            await self._orders.carry_out(begun.command)
        finally:
            self._waiting.ended(begun)
            self._wake.set()

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY_S)
            await self._tell_untold()

    async def _tell_untold(self) -> None:
        await self._commit(
            [self._ledger.audit_untold(one.fields()) for one in self._flood.untold()]
        )

    async def _tell(self, dropped: Sequence[tuple[str, SinkName, Dropped]]) -> None:
        await self._commit([self._ledger.audit_dropped(*one) for one in dropped])

    async def _commit(self, entries: Sequence[tuple[Record, StateChange]]) -> None:
        if not entries:
            return
        await self._keeps.commit([record for record, _ in entries], [c for _, c in entries])

    def _device_of(self, command: Command) -> DeviceId:
        # A platform may name devices that are not there without end: they share one turn.
        return command.device if command.device in self._site.devices else GATEWAY_ITSELF
