"""The gateway in virtual time: lines in memory, pipeline, outbox and dialect as they are.

Only what touches the world is replaced: the port by a line in memory with true character timing,
the store's thread by one that works at once, the broker by a reader of payloads.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.app.field.pipeline import Pipeline
from gateway.bus.line import Around, BusLine
from gateway.dialects import registry
from gateway.dialects.births import births_of
from gateway.dialects.contract import DialectSetup, Now
from gateway.model.ids import DeviceId, GatewayId, SinkName, SiteId
from gateway.model.record import Lane
from gateway.model.sample import DeviceState, LineState, Samples
from gateway.outbox.feed import Room, SinkFeed
from gateway.outbox.outbox import Outbox
from gateway.outbox.seams import Seams
from gateway.privacy.door import Door
from gateway.rules.alarms import Alarms
from gateway.settings.site import (
    Device,
    Gateway,
    Line,
    Site,
    Store,
)
from gateway.settings.site_commands import Commands
from tests.bus.modbus_line import ZONE
from tests.outbox.outbox_support import InlineExecutor
from tests.support.links import WireLink
from tests.support.uplinks import a_sink
from tests.support.virtual_time import ManualClock

SINK = SinkName("province")
ROOM = Room(1000, 1000, 1000)


@dataclass(frozen=True, slots=True)
class Bus:
    """One line with its devices and the far end of its wire."""

    line: Line
    devices: Sequence[Device]
    link: WireLink


@dataclass(frozen=True, slots=True)
class Published:
    """One message of the platform's topics, taken apart, and the loop time at which it left."""

    topic: str
    payload: bytes
    at_s: float

    @property
    def kind(self) -> str:
        """The class in its topic."""
        return self.topic.split("/")[5]

    @property
    def body(self) -> dict[str, Any]:
        """The payload."""
        return json.loads(self.payload)


@dataclass
class VirtualGateway:
    """Runs buses for a while and hands every message that would be published to `take`."""

    folder: Path
    buses: Sequence[Bus]
    take: Callable[[Published], None]
    on_samples: Callable[[Samples], None] | None = None
    """Hears what the lines hand over, before the pipeline does."""
    clock: ManualClock = field(default_factory=ManualClock)
    store: Store = field(default_factory=lambda: Store(quota_bytes=64 << 20))

    async def run(self, until: Callable[[], bool], *, look_every_s: float = 10.0) -> None:
        """Run until something holds; at the end all that was taken is published."""
        seams = Seams(executor=InlineExecutor())
        async with Outbox.open(self.folder, self.store, self.clock, (SINK,), seams=seams) as outbox:
            await self._run_rooms(outbox, until, look_every_s)

    async def _run_rooms(
        self, outbox: Outbox, until: Callable[[], bool], look_every_s: float
    ) -> None:
        site = _site(self.buses, self.store)
        alarms = Alarms(site.devices, {}, lambda: "e1")
        pipeline = Pipeline(site, outbox, self.clock, alarms)
        around = Around(self.clock, _Tee(pipeline, self.on_samples), ZONE)
        drained, stop = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as platform:
            publishing = platform.create_task(self._publish(site, outbox), name="platform")
            async with asyncio.TaskGroup() as middle:
                middle.create_task(pipeline.run(drained), name="pipeline")
                async with asyncio.TaskGroup() as lines:
                    for bus in self.buses:
                        line = BusLine(bus.line, list(bus.devices), bus.link, around)
                        lines.create_task(line.run(stop), name=f"line:{bus.line.name}")
                    while not until():
                        await asyncio.sleep(look_every_s)
                    stop.set()
                drained.set()
                pipeline.inbox.wake()
            feed = outbox.feed(SINK)
            while any(feed.progress(lane).pending for lane in Lane):
                await asyncio.sleep(0.01)
            publishing.cancel()
        assert pipeline.counters.faults == 0

    async def _publish(self, site: Site, outbox: Outbox) -> None:
        sink = a_sink(1883, name=SINK, max_level="L4")
        setup = DialectSetup(site.gateway, sink, "test", outbox.ep, None)
        dialect = registry.load("native").make(setup)
        dialect.connect_spec(self._now())
        dialect.connected(births_of(site.devices.values(), Door(sink)), (), self._now())
        feed: SinkFeed = outbox.feed(SINK)
        while (batch := await feed.next(lambda: ROOM)) is not None:
            encoded = dialect.encode(batch.items, self._now(), is_backfill=batch.is_backfill)
            assert not encoded.withheld
            for publication in encoded.publications:
                self.take(Published(publication.topic, publication.payload, self.clock.monotonic()))
                feed.done(batch.lane, publication.covers)

    def _now(self) -> Now:
        return Now(self.clock.now_ms(), self.clock.quality())


class _Tee:
    """The pipeline's inbox, with somebody who listens."""

    def __init__(self, pipeline: Pipeline, listen: Callable[[Samples], None] | None) -> None:
        self._inbox = pipeline.inbox
        self._listen = listen

    def put_samples(self, samples: Samples, /) -> None:
        if self._listen is not None:
            self._listen(samples)
        self._inbox.put_samples(samples)

    def put_device_state(self, state: DeviceState, /) -> None:
        self._inbox.put_device_state(state)

    def put_line_state(self, state: LineState, /) -> None:
        self._inbox.put_line_state(state)


def _site(buses: Sequence[Bus], store: Store) -> Site:
    devices: dict[DeviceId, Device] = {d.id: d for bus in buses for d in bus.devices}
    return Site(
        Gateway(GatewayId("gw-v"), SiteId("virtual"), clock="trusted"),
        {bus.line.name: bus.line for bus in buses},
        devices,
        {},
        Commands(),
        store,
        (),
        "",
    )
