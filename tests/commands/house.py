"""A house that takes commands and notes what comes of them: the real path from dialect to receipt.

house = House(a_site())
await house.take(dialect, arrivals)
assert house.did == []
after = House(a_site(), saved=house.saved)  # the gateway was started again
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.app.commands.commander import Commander, Hands
from gateway.commands.audit import Entry
from gateway.dialects.births import births_of
from gateway.dialects.contract import Birth, Dialect, Now
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, GatewayId, LineName, PointId, SiteId
from gateway.model.publication import Arrival
from gateway.model.quality import GOOD
from gateway.model.reading import Reading, Value
from gateway.model.record import LogBody, Record, ReplyBody, StateChange
from gateway.model.sample import Raw
from gateway.privacy.door import Door
from gateway.settings.site import Gateway, Line, MemoryPort, Site, Store, ValueType, WriteRule
from gateway.settings.site_commands import Allow, Commands
from gateway.settings.site_privacy import Choice
from tests.support.points import NOWHERE, a_device, a_point
from tests.support.uplinks import a_sink

NOW_MS = 1_800_000_000_000
BATCH = 40
BATCH_S = 80.0
"""So much later comes the next batch: refusals are told one by one again."""


def a_site() -> Site:
    """Return a site with a pump whose speed may be set from 10 to 50, and a gate that is armed."""
    number = WriteRule(minimum=0, maximum=100)
    speed = a_point("speed", unit="Hz", write=number, personal="P0", level="L2")
    shown = a_point("flow")
    secret = a_point("limit", unit="Hz", write=number)
    gate = a_point(
        "pos_cmd",
        type=ValueType.ENUM,
        unit=None,
        enum={1: "open", 2: "close"},
        write=WriteRule(is_dangerous=True),
        is_command=True,
    )
    line = Line(LineName("a"), MemoryPort("a"), "modbus-rtu", NOWHERE)
    devices = [a_device("pump-1", [speed, shown, secret]), a_device("gate-1", [gate], unit=2)]
    allow = (
        Allow("pump-*", ("speed", "flow"), ("set",), minimum=10, maximum=50, step=0.5),
        Allow("gate-*", ("*",), ("set", "call"), is_dangerous=True),
    )
    return Site(
        Gateway(GatewayId("gw-03"), SiteId("hz-fc-001")),
        {line.name: line},
        {device.id: device for device in devices},
        {},
        Commands(allow, max_per_minute=1000),
        Store(),
        (),
        "",
    )


def births() -> tuple[Birth, ...]:
    """Return the devices of the site, all points of which the platform may know."""
    devices = tuple(a_site().devices.values())
    names = tuple(point.id for device in devices for point in device.points)
    allow = (Choice(("*",)), Choice(names))
    return births_of(devices, Door(a_sink(1883, max_level="L4", allow=allow), devices))


class _Clock:
    def __init__(self, now_ms: int) -> None:
        self.now = 0.0
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.now

    def quality(self) -> TimeQuality:
        return TimeQuality.SYNC

    def is_provisional(self) -> bool:
        return False


class House:
    """A store that notes, lines that note, and the real path of commands between them."""

    def __init__(
        self,
        site: Site,
        *,
        saved: Mapping[str, Mapping[str, Any]] | None = None,
        now_ms: int = NOW_MS,
    ) -> None:
        self.did: list[str] = []
        """What reached a device."""
        self.audits: list[Entry] = []
        self.replies: dict[str, list[ReplyBody]] = {}
        self.receipts: list[Record] = []
        """The records that the replies stand in."""
        self.asked: set[str] = set()
        """Ids of what the dialect understood as a command, or as a bad one."""
        self.ignored: list[Arrival] = []
        """Of which the dialect made nothing at all."""
        self.saved = {room: dict(kept) for room, kept in (saved or {}).items()}
        """What the store keeps of each room."""
        self.at_least = 0
        """Audit entries that must have come of what was taken."""
        self._values: dict[str, Value] = {}
        self._clock = _Clock(now_ms)
        hands = Hands(self, self, self._clock, lambda: "5ecret", self._shown)
        self.commander = Commander(site, hands, lambda room: self.saved.get(room, {}))

    async def take(self, dialect: Dialect, arrivals: Sequence[Arrival]) -> None:
        """Let these messages come, a few at a time, and return when all are dealt with."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.commander.run(stop), name="commands")
            for first in range(0, len(arrivals), BATCH):
                for one in arrivals[first : first + BATCH]:
                    self._put(dialect, one)
                for _ in range(1000):
                    if len(self.audits) >= self.at_least:
                        break
                    await asyncio.sleep(0)
                self._clock.now += BATCH_S
            for _ in range(10):
                await asyncio.sleep(0)
            stop.set()

    def _put(self, dialect: Dialect, arrival: Arrival) -> None:
        received = dialect.received(arrival, Now(self._clock.ms, TimeQuality.SYNC))
        told = len(received.commands) + len(received.dropped)
        self.at_least += told
        if not told:
            self.ignored.append(arrival)
        for command in received.commands:
            if command.rid is not None:
                self.asked.add(command.rid)
            self.commander.put(command)
        for dropped in received.dropped:
            self.commander.dropped("dropped", arrival.sink, dropped)

    @property
    def written(self) -> list[str]:
        """What was written to a device."""
        return [did for did in self.did if did.startswith("write")]

    async def read(
        self, device: DeviceId, points: tuple[PointId, ...], *, within_s: float
    ) -> Sequence[Reading]:
        assert within_s > 0
        self.did.append(f"read {device}/{','.join(points)}")
        return [self._reading(device, p, self._values.get(f"{device}/{p}")) for p in points]

    async def write(self, device: DeviceId, point: PointId, raw: Raw, *, within_s: float) -> None:
        assert within_s > 0
        self.did.append(f"write {device}/{point}={raw}")
        if isinstance(raw, int | float):
            self._values[f"{device}/{point}"] = float(raw)

    async def commit(self, records: Sequence[Record], changes: Sequence[StateChange] = ()) -> None:
        for change in changes:
            self.saved.setdefault(change.room, {})[change.key] = change.value
        for record in records:
            if isinstance(record.body, LogBody):
                told = Entry(str(record.device), record.body.topic, dict(record.body.fields))
                self.audits.append(told)
            elif isinstance(record.body, ReplyBody):
                self.replies.setdefault(record.body.rid, []).append(record.body)
                self.receipts.append(record)

    def _shown(self, device: DeviceId) -> Sequence[Reading]:
        return [
            self._reading(device, PointId(key.split("/")[1]), value)
            for key, value in self._values.items()
            if key.startswith(f"{device}/")
        ]

    def _reading(self, device: DeviceId, point: PointId, value: Value | None) -> Reading:
        return Reading(device, point, value, None, GOOD, self._clock.ms, TimeQuality.SYNC)
