"""The platforms of the site at work: one task group each, started, stopped and changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Any

from gateway.app.history.historians import cursors
from gateway.app.outward.around import Around, Census
from gateway.app.outward.doors import Doors, Passage
from gateway.app.outward.standing import ROOM as EVENTS_ROOM
from gateway.app.outward.standing import Standing, known_of
from gateway.app.sinks.sealed import in_seal
from gateway.app.sinks.sink import ROOM, SinkTask
from gateway.app.site.reload import SiteDiff
from gateway.app.software import SOFTWARE
from gateway.dialects import registry
from gateway.dialects.births import births_of
from gateway.dialects.contract import CannotConnect, Dialect, DialectSetup
from gateway.model.ids import DeviceId, SinkName
from gateway.model.publication import ConnectSpec
from gateway.outbox.outbox import Outbox
from gateway.settings.problems import SettingsError
from gateway.settings.secrets import read_secret
from gateway.settings.site import Site
from gateway.settings.site_sinks import Sink
from gateway.uplink.errors import UplinkDown
from gateway.uplink.owner import MakeSession
from gateway.uplink.session import Session
from gateway.uplink.uplink import Uplink


@dataclass(frozen=True, slots=True)
class _Running:
    """One platform with its task."""

    sink: SinkTask
    stop: asyncio.Event
    task: asyncio.Task[None]


class Platforms:
    """All sinks. Their tasks live in the group that `start` is given."""

    def __init__(
        self,
        outbox: Outbox,
        around: Around,
        doors: Doors,
        *,
        make_session: MakeSession = Session,
        rng: Random | None = None,
    ) -> None:
        """Take the store, what every sink is given, the doors; `make_session` connects."""
        self._make_session = make_session
        self._rng = rng or SystemRandom()
        self._outbox = outbox
        self._around = around
        self._doors = doors
        self._running: dict[SinkName, _Running] = {}

    def start(self, site: Site, tasks: asyncio.TaskGroup) -> None:
        """Start every sink of the site."""
        for sink in site.sinks.values():
            self._start(site, sink, tasks)

    async def apply(self, site: Site, diff: SiteDiff, tasks: asyncio.TaskGroup) -> None:
        """Change to a reloaded site; every platform gets the births that changed."""
        await self._stop(diff.sinks_gone)
        self._outbox.use_sinks(cursors(site))
        for running in self._running.values():
            await running.sink.use(self._census(site, running.sink.sink), self._around)
        for name in sorted(diff.sinks_new):
            self._start(site, site.sinks[name], tasks)

    async def tell(self) -> None:
        """Let every platform know of the site configuration that runs now."""
        for running in list(self._running.values()):
            await running.sink.use(running.sink.census, self._around)

    def stop(self) -> None:
        """Let every sink send its last words and end."""
        for running in self._running.values():
            running.stop.set()

    def heartbeat(self) -> float:
        """Return when the sink that is furthest behind last moved, or had nothing to move."""
        now = self._around.clock.monotonic()
        if self._outbox.is_refusing:
            return now  # arrears cannot be read, and a restart would lose what memory holds
        return min((one.sink.heartbeat(now) for one in self._running.values()), default=now)

    def status(self) -> list[dict[str, Any]]:
        """Return how every platform is reached."""
        return [_status(running.sink) for running in self._running.values()]

    def _start(self, site: Site, sink: Sink, tasks: asyncio.TaskGroup) -> None:
        outbox, around = self._outbox, self._around
        setup = DialectSetup(
            site.gateway,
            sink,
            SOFTWARE,
            outbox.ep,
            outbox.previous_ep,
            read_secret,
            lambda: around.post.configuration,
        )
        spec = registry.load(sink.dialect)
        dialect = in_seal(spec.make(setup), sink.payload, read_secret)
        uplink = Uplink(
            sink,
            lambda: connect_spec(dialect, around),
            around.clock,
            self._rng,
            make_session=self._make_session,
        )
        running = SinkTask(
            dialect,
            outbox.feed(sink.name),
            uplink,
            sink=sink,
            spec=spec,
            census=self._census(site, sink),
            passage=Passage(self._doors.of(sink.name)),
            standing=Standing(sink.name, known_of(sink.name, outbox.states(EVENTS_ROOM))),
        )
        stop = asyncio.Event()
        task = tasks.create_task(running.run(around, stop), name=f"sink:{sink.name}")
        self._running[sink.name] = _Running(running, stop, task)

    def _census(self, site: Site, sink: Sink) -> Census:
        births = births_of(site.all_devices.values(), self._doors.of(sink.name))
        known: set[DeviceId] = set(self._outbox.states(ROOM).get(sink.name) or ())
        return Census(births, frozenset(known - {birth.device for birth in births}))

    async def _stop(self, names: Iterable[SinkName]) -> None:
        gone = [self._running.pop(name) for name in names]
        for running in gone:
            running.stop.set()
        if gone:
            await asyncio.wait([running.task for running in gone])


def connect_spec(dialect: Dialect, around: Around) -> ConnectSpec:
    """Return how the dialect wants to connect now.

    Raises:
        UplinkDown: it cannot now, and why; final where a secret is missing.
    """
    try:
        return dialect.connect_spec(around.now())
    except CannotConnect as exc:
        raise UplinkDown(str(exc)) from exc
    except SettingsError as exc:  # a secret that was there when the site was checked
        raise UplinkDown(str(exc), is_final=True) from exc


def _status(sink: SinkTask) -> dict[str, Any]:
    state, counters = sink.uplink.state, sink.uplink.counters
    return {
        "name": sink.sink.name,
        "dialect": sink.sink.dialect,
        "connected": state.is_connected,
        "why": state.why,
        "since": state.since_ms,
        "protocol": state.protocol,
        "window": state.window,
        "in_flight": sink.uplink.in_flight,
        "published": counters.published,
        "delivered": counters.delivered,
        "refused": counters.refused,
        "too_large": counters.too_large,
        "nobody_listens": sink.doubts.nobody_listens,
        "is_unheard": sink.doubts.unheard.is_so,
        "broker": state.broker,
        "brokers": list(sink.uplink.brokers),
        "refused_streams": sink.doubts.streams.shown(),
        "refused_stream_count": len(sink.doubts.streams),
        "refused_filters": list(sink.uplink.refused_filters),
        "dead_letters": sink.doubts.dead_letters,
        "duplicate_client_id": sink.uplink.is_taken_over,
        "refusal_proof": sink.doubts.canary.proof,
        "bytes_limit": sink.uplink.bytes_limit,
        "connects": counters.connects,
        "arrivals": counters.arrivals,
        "arrivals_dropped": counters.arrivals_dropped,
    }
