"""The inner door in the pipeline: derived readings are kept, what may not be kept is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from inner_sites import a_site

from gateway.app.field.inner import Inner
from gateway.app.field.pipeline import Pipeline
from gateway.app.site.reload import diff
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.model.record import PropBody, Record, StateChange
from gateway.model.sample import Raw, Samples
from gateway.rules.alarms import Alarms
from gateway.settings.site import Site

SITE = """\
version: 1
gateway: {id: gw-1, site: lake, clock: trusted}
store: {commit_every: 10ms}
buses: {m: {memory: m}}
devices:
  - {id: em-01, profile: eastron/sdm120, bus: m, address: 1, points: {i_a: {keep: none}}}
derived: [{id: c, kind: meter.electricity, points: {u_a: {bin: em-01/u_a, step: 5}}}]
"""
POINTS = (PointId("u_a"), PointId("i_a"))
MORE = SITE.replace("step: 5}", "step: 10, pii: P2}")


class Store:
    """Keeps what was appended."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.news = asyncio.Event()

    async def append(
        self,
        records: Sequence[Record],
        states: Sequence[StateChange] = (),  # noqa: ARG002 - not looked at
    ) -> None:
        self.records += records
        self.news.set()

    def values(self, device: str) -> list[dict[str, object]]:
        """Return what was kept of a device, record by record."""
        return [
            dict(zip(record.body.column.points, record.body.values, strict=True))
            for record in self.records
            if record.device == device and isinstance(record.body, PropBody)
        ]


class Clock:
    """Loop time, and a wall clock that is right."""

    def now_ms(self) -> int:
        return 1_800_000_000_000

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def quality(self) -> TimeQuality:
        return TimeQuality.SYNC

    def is_provisional(self) -> bool:
        return False


def samples(*raw: Raw) -> Samples:
    return Samples(DeviceId("em-01"), POINTS, raw, None, 0, 1, TimeQuality.SYNC)


class Run:
    """A pipeline at work."""

    def __init__(self, site: Site) -> None:
        self.store, self._stop, self._tasks = Store(), asyncio.Event(), asyncio.TaskGroup()
        self.pipeline = Pipeline(
            site, self.store, Clock(), Alarms(site.all_devices, {}, lambda: "e1")
        )

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._tasks.create_task(self.pipeline.run(self._stop), name="pipeline")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        self.pipeline.inbox.wake()
        await self._tasks.__aexit__(None, None, None)

    async def until_kept(self, device: str, count: int) -> list[dict[str, object]]:
        """Return what was kept of a device once there are so many records of it."""
        async with asyncio.timeout(20.0):
            while len(self.store.values(device)) < count:
                self.store.news.clear()
                await self.store.news.wait()
        return self.store.values(device)


async def test_a_derived_reading_is_kept_and_a_point_to_keep_nothing_of_is_not(
    tmp_path: Path,
) -> None:
    async with Run(a_site(tmp_path, SITE)) as run:
        run.pipeline.inbox.put_samples(samples(231.4, 5.0))
        assert await run.until_kept("c", 1) == [{"u_a": 230.0}]
        assert run.store.values("em-01") == [{"u_a": 231.4}]


async def test_a_sink_that_connects_gets_derived_values_too(tmp_path: Path) -> None:
    async with Run(a_site(tmp_path, SITE)) as run:
        run.pipeline.inbox.put_samples(samples(231.4, 5.0))
        await run.until_kept("c", 1)
        run.pipeline.inbox.put_snapshot(SinkName("city"))
        await run.until_kept("c", 2)
    sent = [record for record in run.store.records if record.sink == "city"]
    assert {record.device for record in sent} == {"c", "em-01"}
    for record in sent:
        assert isinstance(record.body, PropBody)
        assert record.body.column.points == ("u_a",)


async def test_a_reload_makes_a_changed_recipe_anew_and_touches_no_line(tmp_path: Path) -> None:
    old, new = a_site(tmp_path, SITE), a_site(tmp_path, MORE)
    change = diff(old, new)
    assert change.derived_changed == {"c"}
    assert not change.is_empty
    assert not change.devices_changed
    assert not change.lines_touched
    assert any("personal values are not kept" in why for why in change.needs_restart)
    async with Run(old) as run:
        run.pipeline.inbox.put_samples(samples(231.4, 5.0))
        await run.until_kept("c", 1)
        run.pipeline.replace(new, change)
        run.pipeline.inbox.put_samples(samples(236.0, 5.0))
        assert (await run.until_kept("c", 2))[1] == {"u_a": 240.0}


async def test_where_the_store_has_no_seal_personal_values_are_not_kept(tmp_path: Path) -> None:
    site = a_site(tmp_path, MORE)
    async with Run(site) as run:
        run.pipeline.inner = Inner(site, Clock(), can_seal=False)
        run.pipeline.inbox.put_samples(samples(231.4, 5.0))
        await run.until_kept("em-01", 1)
    assert run.store.values("c") == []
    assert run.store.values("em-01") == [{"u_a": 231.4}]
