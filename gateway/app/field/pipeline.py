"""Steps 6 to 8 of the life of a reading: samples to readings to records to the outbox."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gateway.app.field.inbox import Due, Inbox, Item, Ready, SnapshotWanted
from gateway.app.field.inner import Inner
from gateway.app.site.reload import SiteDiff
from gateway.model.clock import Clock, TimeQuality
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, PointId, SinkName
from gateway.model.reading import Readings
from gateway.model.record import Keep, LogBody, Record, StateBody, StateChange
from gateway.model.sample import DeviceState, LineState, Samples
from gateway.normalise.readings import Normaliser
from gateway.ops.traces import trace_of
from gateway.rules.contract import Orphan, Raised
from gateway.rules.report import Reporter, is_billing, snapshots
from gateway.settings.site import (
    Device,
    Priority,
    Site,
    Store,
)

_log = logging.getLogger("linli.pipeline")


class Appends(Protocol):
    """The outbox, as far as the pipeline needs it."""

    async def append(self, records: Sequence[Record], states: Sequence[StateChange] = ()) -> object:
        """Commit records and states in one transaction."""
        ...


class Judges(Protocol):
    """The rules, as far as the pipeline needs them: all of `gateway.rules`, or some."""

    def step(self, readings: Readings, now: float) -> Raised:
        """Return events, state and marks that these readings give."""
        ...

    def replace(self, devices: Mapping[DeviceId, Device], touched: Collection[DeviceId]) -> None:
        """Take a reloaded site; `touched` devices are gone or changed."""
        ...

    def orphans(self) -> tuple[Orphan, ...]:
        """End the events that nothing in the site watches any more."""
        ...

    def standing(self) -> Mapping[str, str]:
        """Return the events that stand: `device/point/type` to event id."""
        ...


@dataclass(slots=True)
class Counters:
    """What went through, for status and the watchdog."""

    samples: int = 0
    readings: int = 0
    records: int = 0
    commits: int = 0
    faults: int = 0


class Pipeline:
    """One task. A device whose samples cannot be worked on does not stop the others."""

    def __init__(self, site: Site, outbox: Appends, clock: Clock, rules: Judges) -> None:
        """Take the site, the store, the clock, and the rules as the last run left them."""
        self._outbox = outbox
        self._clock = clock
        self._rules = rules
        self.reporter = Reporter(site.all_devices)
        self.inner = Inner(site, clock)
        """What is derived before the store, and what is kept at all."""
        self._store: Store = site.store
        self._use(site)
        self.inbox = Inbox(self._is_urgent, site.store.commit_readings)
        self.counters = Counters()
        self.listeners: set[Callable[[Readings], None]] = set()
        """Who watches live readings (`linli monitor`)."""
        self.redate: Callable[[Readings], Readings] = _as_it_is
        """Puts the time of readings right that were taken before the time was known."""
        self._records: list[Record] = []
        self._changes: list[StateChange] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._has_ended = False
        self._kept: list[Callable[[], None]] = []
        """Who confirms to its device once the next commit is done."""
        self._tick = 0.0
        self.heartbeat = clock.monotonic()
        """Loop time at which it last went round, for the watchdog."""
        self._commit_at: float | None = None
        self._is_event_pending = False
        self._readings_pending = 0
        self._since: dict[DeviceId, DeviceState] = {}
        self._outdated: list[tuple[PointId, ...]] = []
        """Jobs of devices that the last reload changed; held, so that no other has their id."""

    def replace(self, site: Site, change: SiteDiff) -> None:
        """Take a reloaded site; unchanged devices keep their memory.

        What was read by the old rules is worked on by them: what waits now, and never again what
        a changed device's old jobs still bring.
        """
        for item in self.inbox.take_all():
            self._digest(item)
        touched = change.devices_gone | change.devices_changed
        self._outdated = self.normaliser.columns_of(touched)
        touched |= change.derived_changed
        self.reporter.replace(site.all_devices, touched)
        self._rules.replace(site.all_devices, touched)
        self.inner.replace(site, touched)
        for device in change.devices_gone:
            self._since.pop(device, None)
        self._use(site)
        self._end_orphans()
        self.inbox.wake()

    def _end_orphans(self) -> None:
        """End the events that nothing in the site watches any more."""
        for orphan in self._rules.orphans():
            at_ms, tq = self._clock.now_ms(), self._clock.quality()
            self._keep(Record(orphan.device, at_ms, tq, orphan.event))
            self._changes.append(orphan.change)

    def _use(self, site: Site) -> None:
        simulated = {
            device.id for device in site.devices.values() if site.lines[device.line].is_simulated
        }
        self._site = site
        self.normaliser = Normaliser(site.devices, simulated)
        self._urgency: dict[tuple[DeviceId, tuple[PointId, ...]], bool] = {}

    def standing_events(self) -> Mapping[str, str]:
        """Return the events that stand: `device/point/type` to event id."""
        return self._rules.standing()

    def device_states(self) -> dict[DeviceId, DeviceState]:
        """Return the newest state of every device that had one."""
        return self._since

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set and nothing is left."""
        self._end_orphans()
        while not (stop.is_set() and self.inbox.is_empty):
            now = self.heartbeat = self._clock.monotonic()
            if self._commit_at is None:
                self._tick = now + self._store.commit_every_s
            for item in await self.inbox.take(now if stop.is_set() else self._tick):
                self._digest(item)
            self._digest(Due())
            if self._is_commit_due():
                await self._commit()
        self._has_ended = True
        for item in self.inbox.take_all():
            self._digest(item)
        await self._commit()

    async def commit(self, records: Sequence[Record], changes: Sequence[StateChange] = ()) -> None:
        """Return when these records are safe. For commands: audited before they act.

        Sinks still have something to keep when the pipeline has ended.
        """
        if self._has_ended:
            kept = [one for record in records if (one := self.inner.kept(record)) is not None]
            await self._append(kept, changes)
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.inbox.put(Ready(tuple(records), tuple(changes), done))
        await done

    def _is_urgent(self, samples: Samples) -> bool:
        key = (samples.device, samples.points)
        known = self._urgency.get(key)
        if known is None:
            device = self._site.devices.get(samples.device)
            known = self._urgency[key] = device is not None and any(
                point.priority is Priority.ALARM or bool(point.events) or is_billing(point)
                for point in device.points
                if point.id in samples.points
            )
        return known

    def _digest(self, item: Item) -> None:
        try:
            self._take(item)
        except Exception as exc:  # noqa: BLE001 - the pipeline's bulkhead: one bad batch stops no other
            self.counters.faults += 1
            _log.error("could not work on %s: %s", type(item).__name__, trace_of(exc))

    def _take(self, item: Item) -> None:
        match item:
            case Samples():
                self._take_samples(item)
                if item.kept is not None:
                    self._kept.append(item.kept)
                    self._is_event_pending = True
            case DeviceState():
                self._take_device_state(item)
            case LineState():
                self._take_line_state(item)
            case SnapshotWanted():
                self._take_snapshot(item.sink)
            case Ready():
                self._take_ready(item)
            case Due():
                self._take_derived()

    def _take_samples(self, samples: Samples) -> None:
        if samples.device not in self._site.devices:
            return  # taken just before a reload removed the device
        if any(samples.points is points for points in self._outdated):
            return  # read by the rules from before the reload
        self.counters.samples += 1
        readings = self.normaliser.to_readings(samples)
        if readings is not None:
            self.counters.readings += len(readings.values)
            self._take_readings(readings)

    def _take_derived(self) -> None:
        for readings in self.inner.tick():
            self._take_readings(readings)
        self._changes.extend(self.inner.take_changes())

    def _take_readings(self, readings: Readings) -> None:
        now = self._clock.monotonic()
        raised = self._rules.step(readings, now)
        if raised.marks is not None:
            readings = replace(readings, marks=raised.marks)
        self.inner.add(readings, raised.events, now)
        for listener in self.listeners:
            listener(readings)
        for event in raised.events:
            self._keep(Record(readings.device, readings.ts_ms, readings.tq, event))
        self._changes.extend(raised.changes)
        body = self.reporter.report(readings, now)
        if body is not None:
            self._keep(Record(readings.device, readings.ts_ms, readings.tq, body))
            self._readings_pending += len(body.values)

    def _take_device_state(self, state: DeviceState) -> None:
        known = self._since.get(state.device)
        if state.device not in self._site.devices:
            return  # told just before a reload removed the device
        if known is not None and known.is_online == state.is_online:
            return
        self._since[state.device] = state
        self._keep(_state_record(state, None))

    def _take_line_state(self, state: LineState) -> None:
        fields = (("line", str(state.line)), ("up", str(state.is_up).lower()), ("why", state.why))
        self._keep(Record(GATEWAY_ITSELF, state.at_ms, state.tq, LogBody("line", fields)))

    def _take_snapshot(self, sink: SinkName) -> None:
        # A broker that was restarted may have lost what it retained, and a new sink never had it.
        for state in self._since.values():
            self._keep(_state_record(state, sink))
        latest = [self.redate(readings) for readings in self.reporter.latest()]
        worth: dict[DeviceId, TimeQuality] = {}
        for one in latest:  # the clock may be right now, and was not when this was read
            worth[one.device] = one.tq.worse(worth.get(one.device, one.tq))
        for device, ts_ms, body in snapshots(latest):
            self._keep(Record(device, ts_ms, worth[device], body, sink))
        self._commit_at = self._clock.monotonic()

    def _take_ready(self, ready: Ready) -> None:
        for record in ready.records:
            self._keep(record)
        self._changes.extend(ready.changes)
        self._is_event_pending = True
        if ready.committed is not None:
            self._waiting.append(ready.committed)

    def _keep(self, whole: Record) -> None:
        record = self.inner.kept(whole)
        if record is None:
            return
        self._records.append(record)
        if record.keep is not Keep.TELEMETRY:  # events, and what people are billed on
            self._is_event_pending = True
        # What waited in the inbox counts too: no reading stays uncommitted beyond the tick.
        if self._commit_at is None:
            self._commit_at = self._tick

    def _is_commit_due(self) -> bool:
        return (
            self._is_event_pending
            or self._readings_pending >= self._store.commit_readings
            or (self._commit_at is not None and self._clock.monotonic() >= self._commit_at)
        )

    async def _commit(self) -> None:
        records, changes, waiting = self._records, self._changes, self._waiting
        kept = self._kept
        self._records, self._changes, self._waiting, self._kept = [], [], [], []
        self._commit_at, self._is_event_pending, self._readings_pending = None, False, 0
        if records or changes:
            await self._append(records, changes)
            self.counters.records += len(records)
            self.counters.commits += 1
        for future in waiting:
            if not future.done():
                future.set_result(None)
        for confirm in kept:
            confirm()

    async def _append(self, records: Sequence[Record], changes: Sequence[StateChange]) -> None:
        """Append them; one that cannot be stored is left out and does not stop the others."""
        try:
            await self._outbox.append(records, changes)
        except (ValueError, TypeError) as exc:
            self.counters.faults += 1
            if len(records) <= 1:
                _log.error("a record cannot be stored: %s", trace_of(exc))
                return
            half = len(records) // 2
            await self._append(records[:half], changes)
            await self._append(records[half:], ())


def _as_it_is(readings: Readings) -> Readings:
    return readings


def _state_record(state: DeviceState, sink: SinkName | None) -> Record:
    body = StateBody(state.is_online, state.why, state.at_ms)
    return Record(state.device, state.at_ms, state.tq, body, sink)
