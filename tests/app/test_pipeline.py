"""Samples in, committed records out: in time, in order, and nothing lost at a stop."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from gateway.app.field.pipeline import Pipeline
from gateway.app.site.reload import diff
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, GatewayId, LineName, PointId, SinkName, SiteId
from gateway.model.reading import Value
from gateway.model.record import EventBody, PropBody, Record, StateBody, StateChange
from gateway.model.sample import DeviceState, Raw, Samples
from gateway.rules.alarms import Alarms
from gateway.settings.site import (
    Condition,
    EventRule,
    Gateway,
    Line,
    MemoryPort,
    Site,
    Store,
    ValueType,
)
from gateway.settings.site_commands import Commands
from tests.support.points import NOWHERE, a_device, a_point

METER, DOOR = DeviceId("em-01"), DeviceId("door-1")
VOLTAGE, CONTACT = (PointId("u_a"),), (PointId("open"),)


class _Store:
    """Keeps what was appended, one list for each commit."""

    def __init__(self) -> None:
        self.commits: list[list[Record]] = []
        self.states: list[StateChange] = []

    async def append(self, records: Sequence[Record], states: Sequence[StateChange] = ()) -> None:
        self.commits.append(list(records))
        self.states.extend(states)


class _Clock:
    """Loop time, and a wall clock that is right."""

    def now_ms(self) -> int:
        return 1_800_000_000_000

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def quality(self) -> TimeQuality:
        return TimeQuality.SYNC

    def is_provisional(self) -> bool:
        return False


def _site(store: Store) -> Site:
    opened = EventRule("door_open", 1, Condition(equals=True))
    line = Line(LineName("a"), MemoryPort("a"), "modbus-rtu", NOWHERE)
    devices = [
        a_device(METER, [a_point("u_a")]),
        a_device(DOOR, [a_point("open", type=ValueType.BOOL, unit=None, events=(opened,))]),
    ]
    return Site(
        Gateway(GatewayId("gw"), SiteId("s")),
        {line.name: line},
        {device.id: device for device in devices},
        {},
        Commands(),
        store,
        (),
        "",
    )


def _samples(device: DeviceId, points: tuple[PointId, ...], *raw: Raw) -> Samples:
    return Samples(device, points, raw, None, 0, 1, TimeQuality.SYNC)


class _Run:
    """A pipeline at work, stopped at the end."""

    def __init__(self, store: Store, outbox: _Store | None = None) -> None:
        self.outbox = outbox or _Store()
        site = _site(store)
        alarms = Alarms(site.devices, {}, lambda: "e1")
        self.pipeline = Pipeline(site, self.outbox, _Clock(), alarms)
        self._stop = asyncio.Event()
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Pipeline:
        await self._tasks.__aenter__()
        self._tasks.create_task(self.pipeline.run(self._stop), name="pipeline")
        return self.pipeline

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        self.pipeline.inbox.wake()
        await self._tasks.__aexit__(None, None, None)


async def test_what_waits_at_a_stop_is_committed() -> None:
    run = _Run(Store(commit_every_s=3600.0))
    async with run as pipeline:
        pipeline.inbox.put_samples(_samples(METER, VOLTAGE, 230))
    ((record,),) = run.outbox.commits
    assert isinstance(record.body, PropBody)
    assert record.body.values == (230.0,)


async def test_a_sink_may_keep_something_when_the_pipeline_has_ended() -> None:
    run = _Run(Store())
    async with run as pipeline:
        pass
    async with asyncio.timeout(5.0):
        await pipeline.commit((), (StateChange("births", "north", ["em-01"]),))
    assert run.outbox.states == [StateChange("births", "north", ["em-01"])]


async def test_telemetry_is_committed_together_when_enough_has_come() -> None:
    run = _Run(Store(commit_every_s=3600.0, commit_readings=3))
    async with run as pipeline:
        for value in (230, 231, 232):
            pipeline.inbox.put_samples(_samples(METER, VOLTAGE, value))
        while not run.outbox.commits:
            await asyncio.sleep(0)
    assert [len(commit) for commit in run.outbox.commits] == [3]


async def test_an_event_is_committed_at_once_with_its_state() -> None:
    run = _Run(Store(commit_every_s=3600.0))
    async with run as pipeline:
        pipeline.inbox.put_samples(_samples(DOOR, CONTACT, True))
        while not run.outbox.commits:
            await asyncio.sleep(0)
    event, prop = run.outbox.commits[0]
    assert isinstance(event.body, EventBody)
    assert (event.body.state, event.body.eid) == ("raised", "e1")
    assert isinstance(prop.body, PropBody)
    assert run.outbox.states == [StateChange("alarms", "door-1/open/door_open", "e1")]


async def test_who_waits_for_the_commit_hears_of_it_after_it_and_at_once() -> None:
    class Slow(_Store):
        async def append(
            self, records: Sequence[Record], states: Sequence[StateChange] = ()
        ) -> None:
            await disk.wait()
            await super().append(records, states)

    disk, heard = asyncio.Event(), list[int]()
    run = _Run(Store(commit_every_s=3600.0), Slow())
    async with run as pipeline:
        told = replace(
            _samples(METER, VOLTAGE, 230), kept=lambda: heard.append(len(run.outbox.commits))
        )
        pipeline.inbox.put_samples(told)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not heard, "nothing is confirmed before the disk has it"
        disk.set()
        while not heard:
            await asyncio.sleep(0)
    assert heard == [1]


async def test_a_device_that_breaks_the_rules_does_not_stop_the_others() -> None:
    run = _Run(Store(commit_every_s=3600.0))
    async with run as pipeline:
        pipeline.inbox.put_samples(_samples(METER, (PointId("nobody_has_this"),), 1))
        pipeline.inbox.put_samples(_samples(METER, VOLTAGE, 230))
    assert pipeline.counters.faults == 1
    assert [len(commit) for commit in run.outbox.commits] == [1]


async def test_a_device_state_is_kept_only_when_it_changes() -> None:
    run = _Run(Store(commit_every_s=3600.0))
    async with run as pipeline:
        for is_online in (True, True, False):
            state = DeviceState(METER, is_online, "timeout", 5, TimeQuality.SYNC)
            pipeline.inbox.put_device_state(state)
    bodies = [record.body for commit in run.outbox.commits for record in commit]
    assert [body.is_online for body in bodies if isinstance(body, StateBody)] == [True, False]


async def test_a_snapshot_goes_to_the_sink_that_connected() -> None:
    run = _Run(Store(commit_every_s=3600.0))
    async with run as pipeline:
        pipeline.inbox.put_samples(_samples(METER, VOLTAGE, 230))
        pipeline.inbox.put_snapshot(SinkName("province"))
    records = [record for commit in run.outbox.commits for record in commit]
    assert [record.sink for record in records] == [None, "province"]


async def test_a_command_waits_until_its_audit_record_is_safe() -> None:
    run = _Run(Store(commit_every_s=3600.0))
    async with run as pipeline:
        record = Record(METER, 0, TimeQuality.SYNC, StateBody(True, "", 0))
        await pipeline.commit([record])
        assert run.outbox.commits == [[record]]


async def test_what_waits_at_a_reload_is_worked_on_by_the_old_rules() -> None:
    store = Store(commit_every_s=3600.0)
    run = _Run(store)
    old = _site(store)
    tenfold = a_device(METER, [a_point("u_a", scale=Decimal(10))])
    new = replace(old, devices={**old.devices, METER: tenfold})
    async with run as pipeline:
        pipeline.inbox.put_samples(_samples(METER, VOLTAGE, 230))
        pipeline.replace(new, diff(old, new))
        pipeline.inbox.put_samples(_samples(METER, VOLTAGE, 231))  # the old job's last reply
        pipeline.inbox.put_samples(_samples(METER, (PointId("u_a"),), 232))
    assert _values(run) == [(230.0,), (2320.0,)]


async def test_a_removed_device_leaves_no_state_and_no_event_behind() -> None:
    store = Store(commit_every_s=3600.0)
    run = _Run(store)
    old = _site(store)
    new = replace(old, devices={METER: old.devices[METER]})
    async with run as pipeline:
        pipeline.inbox.put_device_state(DeviceState(DOOR, True, "answers", 5, TimeQuality.SYNC))
        pipeline.inbox.put_samples(_samples(DOOR, CONTACT, True))
        pipeline.replace(new, diff(old, new))
    assert not pipeline.device_states()
    assert not pipeline.standing_events()
    events = [r.body for c in run.outbox.commits for r in c if isinstance(r.body, EventBody)]
    assert [(event.state, event.eid) for event in events] == [("raised", "e1"), ("cleared", "e1")]
    assert run.outbox.states[-1] == StateChange("alarms", "door-1/open/door_open", None)


async def test_a_sink_that_connects_is_told_the_state_of_every_device() -> None:
    run = _Run(Store(commit_every_s=3600.0))
    async with run as pipeline:
        pipeline.inbox.put_device_state(DeviceState(METER, False, "timeout", 5, TimeQuality.SYNC))
        pipeline.inbox.put_snapshot(SinkName("province"))
    records = [record for commit in run.outbox.commits for record in commit]
    assert [record.sink for record in records] == [None, "province"]
    assert records[0].body == records[1].body


async def test_a_record_that_cannot_be_stored_stops_no_other() -> None:
    class _Picky(_Store):
        async def append(
            self, records: Sequence[Record], states: Sequence[StateChange] = ()
        ) -> None:
            if any(record.ts_ms < 0 for record in records):
                raise ValueError("not storable")
            await super().append(records, states)

    run = _Run(Store(commit_every_s=3600.0), _Picky())
    async with run as pipeline:
        state = StateBody(True, "", 0)
        await pipeline.commit(
            [Record(METER, ts_ms, TimeQuality.SYNC, state) for ts_ms in (1, -1, 2)]
        )
    assert [r.ts_ms for commit in run.outbox.commits for r in commit] == [1, 2]
    assert pipeline.counters.faults == 3  # of three, of two, of one


def _values(run: _Run) -> list[tuple[Value | None, ...]]:
    return [
        record.body.values
        for commit in run.outbox.commits
        for record in commit
        if isinstance(record.body, PropBody)
    ]


async def test_a_snapshot_does_not_say_sync_of_what_was_read_before_the_clock_was() -> None:
    """The clock is right when the sink connects; it was not when the values were taken."""
    run = _Run(Store())
    async with run as pipeline:
        early = replace(_samples(METER, VOLTAGE, 230), tq=TimeQuality.UNSYNC)
        pipeline.inbox.put_samples(early)
        pipeline.inbox.put_snapshot(SinkName("province"))
    snapshots = [r for c in run.outbox.commits for r in c if r.sink == "province"]
    assert [(record.ts_ms, record.tq) for record in snapshots] == [(1, TimeQuality.UNSYNC)]


async def test_a_snapshot_has_the_real_time_of_what_was_read_without_one() -> None:
    run = _Run(Store())
    async with run as pipeline:
        pipeline.redate = lambda one: replace(one, ts_ms=5000, tq=TimeQuality.HOLDOVER)
        pipeline.inbox.put_samples(replace(_samples(METER, VOLTAGE, 230), tq=TimeQuality.UNSYNC))
        pipeline.inbox.put_snapshot(SinkName("province"))
    snapshots = [r for c in run.outbox.commits for r in c if r.sink == "province"]
    assert [(record.ts_ms, record.tq) for record in snapshots] == [(5000, TimeQuality.HOLDOVER)]
