"""A command is audited before it acts, read back after, and answered once."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.app.commands.asking import LineFailed
from gateway.app.commands.commander import Commander, Hands
from gateway.app.commands.ledger import Ledger
from gateway.commands import memory
from gateway.commands.audit import Chain
from gateway.commands.flood import AT_ONCE
from gateway.commands.waiting import MOST_OF_SINK
from gateway.model.clock import TimeQuality
from gateway.model.command import BadCommand, Command, Op
from gateway.model.ids import DeviceId, GatewayId, LineName, PointId, SinkName, SiteId
from gateway.model.quality import GOOD, Mark, Quality, bad
from gateway.model.reading import Reading, Value
from gateway.model.record import LogBody, Record, ReplyBody, StateChange
from gateway.model.sample import Raw
from gateway.settings.site import (
    Gateway,
    Line,
    MemoryPort,
    Site,
    Store,
    ValueType,
    WriteRule,
)
from gateway.settings.site_commands import Allow, Commands
from tests.support.points import NOWHERE, a_device, a_point

NOW = 1_800_000_000_000
GATE, PLACE, POS = DeviceId("gate-1"), SinkName("property"), PointId("pos")


class _Clock:
    def __init__(self) -> None:
        self.ms = NOW

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return 0.0

    def quality(self) -> TimeQuality:
        return TimeQuality.SYNC

    def is_provisional(self) -> bool:
        return False


class _House:
    """A line with one gate on it, and a store; notes what happened in which order."""

    def __init__(self, *, shows: Value = "open", fails: bool = False) -> None:
        self.did: list[str] = []
        self.replies: list[ReplyBody] = []
        self.saved: dict[str, object] = {}
        self.told: list[str] = []
        self._shows = shows
        self._fails = fails

    async def read(
        self, device: DeviceId, points: tuple[PointId, ...], *, within_s: float
    ) -> Sequence[Reading]:
        assert within_s > 0
        self.did.append(f"read {','.join(points)}")
        return [Reading(device, p, self._shows, None, GOOD, NOW, TimeQuality.SYNC) for p in points]

    async def write(self, device: DeviceId, point: PointId, raw: Raw, *, within_s: float) -> None:
        assert within_s > 0
        self.did.append(f"write {device}/{point}={raw}")
        if self._fails:
            raise LineFailed("timeout", "no answer")

    async def commit(self, records: Sequence[Record], changes: Sequence[StateChange] = ()) -> None:
        for record in records:
            if isinstance(record.body, LogBody):
                fields = dict(record.body.fields)
                self.did.append(f"audit {fields['status']}")
                if fields["status"] == "flood":
                    self.told.append(fields["detail"])
            if isinstance(record.body, ReplyBody):
                self.replies.append(record.body)
        of_commands = (change for change in changes if change.room == memory.ROOM)
        self.saved.update((change.key, change.value) for change in of_commands)


def _site() -> Site:
    position = a_point(
        POS,
        type=ValueType.ENUM,
        unit=None,
        enum={1: "open", 2: "closed"},
        write=WriteRule(),
        personal="P1",
    )
    line = Line(LineName("a"), MemoryPort("a"), "modbus-rtu", NOWHERE)
    return Site(
        Gateway(GatewayId("gw"), SiteId("s")),
        {line.name: line},
        {GATE: a_device(GATE, [position])},
        {},
        Commands((Allow("gate-*", ("*",), ("set", "read")),)),
        Store(),
        (),
        "",
    )


def _set(rid: str, value: Value) -> Command:
    return Command(PLACE, rid, Op.SET, GATE, ((POS, value),), (), NOW + 1000)


async def _run(
    house: _House,
    *commands: Command | BadCommand,
    saved: dict[str, object] | None = None,
    clock: _Clock | None = None,
    replies: int | None = None,
    site: Site | None = None,
) -> None:
    hands = Hands(house, house, clock or _Clock(), lambda: "token")
    states = {memory.ROOM: saved or {}}
    commander = Commander(site or _site(), hands, lambda room: states.get(room, {}))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(commander.run(stop), name="commands")
        for command in commands:
            commander.put(command)
        while len(house.replies) < (replies or len(commands)):
            await asyncio.sleep(0)
        stop.set()


async def test_the_audit_record_is_safe_before_anything_moves() -> None:
    house = _House()
    await _run(house, _set("r1", "open"))
    assert house.did == ["audit accepted", "write gate-1/pos=1", "read pos", "audit done"]
    (reply,) = house.replies
    assert (reply.status, reply.value) == ("done", "open")
    assert reply.readback is not None
    assert reply.readback.values == ("open",)


async def test_a_device_that_shows_another_value_is_not_done() -> None:
    house = _House(shows="closed")
    await _run(house, _set("r1", "open"))
    assert (house.replies[0].status, house.replies[0].code) == ("failed", "readback")


async def test_a_device_that_does_not_answer_is_not_done() -> None:
    house = _House(fails=True)
    await _run(house, _set("r1", "open"))
    assert (house.replies[0].status, house.replies[0].code) == ("failed", "timeout")


@pytest.mark.parametrize(
    ("marks", "status", "code"),
    [
        ((bad("timeout"), bad("crc")), "failed", "timeout"),
        ((GOOD, bad("timeout")), "done", None),
        ((Mark(Quality.STALE, "leased"), bad("timeout")), "done", None),
    ],
)
async def test_a_read_of_which_nothing_came_is_not_done(
    marks: tuple[Mark, ...], status: str, code: str | None
) -> None:
    class _Partly(_House):
        async def read(
            self, device: DeviceId, points: tuple[PointId, ...], *, within_s: float
        ) -> Sequence[Reading]:
            good = await super().read(device, points, within_s=within_s)
            return [replace(good[0], mark=mark) for mark in marks]

    house = _Partly()
    await _run(house, Command(PLACE, "r1", Op.READ, GATE, (), (POS,), None))
    (reply,) = house.replies
    assert (reply.status, reply.code) == (status, code)
    assert reply.readback is not None
    assert reply.readback.marks == marks


async def test_the_same_command_twice_moves_the_gate_once() -> None:
    house = _House()
    await _run(house, _set("r1", "open"), _set("r1", "open"))
    assert sum(did.startswith("write") for did in house.did) == 1
    assert [reply.status for reply in house.replies] == ["done", "done"]


async def test_a_cut_while_it_acted_is_told_and_not_repeated() -> None:
    before = _House(fails=True)
    await _run(before, _set("r1", "open"))
    saved: dict[str, object] = {
        "property/r1": ["failed", "interrupted", "the gateway stopped", NOW]
    }
    house = _House()
    await _run(house, _set("r1", "open"), saved=saved)
    assert not any(did.startswith("write") for did in house.did)
    assert house.replies[0].code == "interrupted"


async def test_who_asked_before_a_cut_is_told_after_it_and_only_once() -> None:
    class _Cut(Exception):
        pass

    class _Dark(_House):
        async def write(
            self, device: DeviceId, point: PointId, raw: Raw, *, within_s: float
        ) -> None:
            await super().write(device, point, raw, within_s=within_s)
            raise _Cut

    before = _Dark()
    with pytest.raises(ExceptionGroup):
        await _run(before, _set("r1", "open"))
    assert before.replies == []
    house = _House()
    await _run(house, saved=dict(before.saved), replies=1)
    (reply,) = house.replies
    assert (reply.rid, reply.status, reply.code) == ("r1", "failed", "interrupted")
    assert house.did == ["audit failed"]
    after = _House()
    await _run(after, _set("r1", "open"), saved={**before.saved, **house.saved})
    assert [(reply.status, reply.code) for reply in after.replies] == [("failed", "interrupted")]
    assert after.did == ["audit repeated"]


async def test_what_is_refused_touches_nothing_and_is_answered() -> None:
    house = _House()
    unknown = Command(PLACE, "r2", Op.SET, DeviceId("gate-9"), ((POS, "open"),), (), NOW + 1000)
    bad = BadCommand(PLACE, "r3", GATE, "shape", "no `op`")
    await _run(house, _set("r1", "sideways"), unknown, bad)
    assert not any(did.startswith(("write", "read")) for did in house.did)
    codes = {reply.rid: (reply.status, reply.code) for reply in house.replies}
    assert codes == {
        "r1": ("rejected", "type"),
        "r2": ("rejected", "no_device"),
        "r3": ("rejected", "shape"),
    }


@pytest.mark.parametrize(("personal", "is_told"), [("P1", True), ("P2", False)])
async def test_a_value_that_is_personal_is_kept_nowhere_when_it_is_refused(
    personal: str, *, is_told: bool
) -> None:
    house, site = _House(), _site()
    (point,) = site.devices[GATE].points
    gate = a_device(GATE, [replace(point, personal=personal)])
    await _run(house, _set("r1", "sideways"), site=replace(site, devices={GATE: gate}))
    (reply,) = house.replies
    assert (reply.status, reply.code) == ("rejected", "type")
    assert ("sideways" in str(reply.message)) is is_told
    assert ("sideways" in str(house.saved)) is is_told


async def test_a_command_that_expires_while_it_is_audited_does_not_act() -> None:
    clock = _Clock()

    class _SlowStore(_House):
        async def commit(
            self, records: Sequence[Record], changes: Sequence[StateChange] = ()
        ) -> None:
            clock.ms += 2000
            await super().commit(records, changes)

    house = _SlowStore()
    await _run(house, _set("r1", "open"), clock=clock)
    assert not [did for did in house.did if did.startswith("write")]
    assert [reply.status for reply in house.replies] == ["expired"]


async def test_a_command_waits_for_its_line_no_longer_than_it_is_valid() -> None:
    waits: list[float] = []

    class _Line(_House):
        async def write(
            self, device: DeviceId, point: PointId, raw: Raw, *, within_s: float
        ) -> None:
            waits.append(within_s)
            await super().write(device, point, raw, within_s=within_s)

    await _run(_Line(), _set("r1", "open"))
    assert waits == [1.0]


async def test_one_rid_in_flight_for_two_devices_acts_once() -> None:
    house = _House()
    first = _set("r1", "open")
    other = replace(first, device=DeviceId("gate-9"), values=((POS, "closed"),))
    await _run(house, first, other)
    assert [did for did in house.did if did.startswith("write")] == ["write gate-1/pos=1"]
    codes = [(reply.status, reply.code) for reply in house.replies]
    assert codes == [("done", None), ("rejected", "rid_used")]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, None),
        ({"expires_ms": NOW + 5000, "by": "desk", "why": "again", "token": "t"}, None),
        ({"values": ((POS, "closed"),)}, "rid_used"),
        ({"op": Op.READ, "values": (), "points": (POS,)}, "rid_used"),
        ({"is_dry": True}, "rid_used"),
    ],
)
async def test_who_uses_an_id_for_something_else_is_told_so_over_a_restart_too(
    change: dict[str, Any], code: str | None
) -> None:
    before, after = _House(), _House()
    await _run(before, _set("r1", "open"))
    other = replace(_set("r1", "open"), **change)
    await _run(after, other, _set("r1", "open"), saved=dict(before.saved))
    assert after.did == (["audit rejected"] if code else ["audit repeated"]) + ["audit repeated"]
    assert [reply.code for reply in after.replies] == [code, None]
    assert after.saved == {}, "what was remembered stays"


@pytest.mark.parametrize(("personal", "different"), [("P0", 4), ("P1", 4), ("P2", 1), ("P3", 1)])
def test_a_number_is_the_same_whatever_its_type_and_what_is_personal_leaves_no_trace(
    personal: str, different: int
) -> None:
    point = a_point(POS, write=WriteRule(), is_command=True, personal=personal)
    ledger = Ledger(replace(_site(), devices={GATE: a_device(GATE, [point])}), _Clock(), Chain({}))
    values: list[Value] = [20, 20.0, 21, True, "20.0"]
    sets = [_set("r", value) for value in values]
    calls = [
        replace(one, op=Op.CALL, values=(), function=str(POS), arguments=(("value", value),))
        for one, value in zip(sets, values, strict=True)
    ]
    for commands in (sets, calls):
        marks = [ledger.mark(one) for one in commands]
        assert marks[0] == marks[1]
        assert len(set(marks)) == different
    words = {ledger.mark(replace(calls[0], function=word)) for word in ("open", "close")}
    assert len(words) == min(2, different)


async def test_what_takes_longer_is_answered_accepted_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.app.commands.orders.ANSWER_WITHIN_S", 0.0)

    class _Slow(_House):
        async def write(
            self, device: DeviceId, point: PointId, raw: Raw, *, within_s: float
        ) -> None:
            while not self.replies:
                await asyncio.sleep(0)
            await super().write(device, point, raw, within_s=within_s)

    house = _Slow()
    await _run(house, _set("r1", "open"), replies=2)
    assert [(reply.status, reply.code) for reply in house.replies] == [
        ("accepted", "under_way"),
        ("done", None),
    ]


async def test_a_dry_command_is_judged_and_moves_nothing() -> None:
    house = _House()
    good = replace(_set("r1", "open"), is_dry=True)
    await _run(house, good, replace(good, rid="r2", values=((POS, "sideways"),)))
    assert not [did for did in house.did if did.startswith(("write", "read"))]
    assert [(reply.status, reply.code) for reply in house.replies] == [
        ("done", "dry"),
        ("rejected", "type"),
    ]


async def test_more_than_can_wait_is_refused_and_a_flood_of_it_is_counted() -> None:
    house = _House()
    hands = Hands(house, house, _Clock(), lambda: "token")
    commander = Commander(_site(), hands, lambda _: {})
    for number in range(1000):
        commander.put(_set(f"r{number}", "sideways"))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(commander.run(stop), name="commands")
        while "audit flood" not in house.did:
            await asyncio.sleep(0.01)
        stop.set()
    codes = Counter(reply.code for reply in house.replies)
    assert codes == {"busy": AT_ONCE}
    assert house.told == [f"busy {1000 - MOST_OF_SINK - AT_ONCE}, type {MOST_OF_SINK}"]


async def test_what_waits_at_the_stop_is_answered_and_nothing_is_done() -> None:
    let_go, stop = asyncio.Event(), asyncio.Event()

    class _Slow(_House):
        async def write(
            self, device: DeviceId, point: PointId, raw: Raw, *, within_s: float
        ) -> None:
            stop.set()
            await let_go.wait()
            await super().write(device, point, raw, within_s=within_s)

    house = _Slow()
    commander = Commander(_site(), Hands(house, house, _Clock(), lambda: "token"), lambda _: {})
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(commander.run(stop), name="commands")
        for rid in ("r1", "r2", "r3"):
            commander.put(_set(rid, "open"))
        await stop.wait()
        commander.put(BadCommand(PLACE, "r4", GATE, "shape", "no `op`"))
        let_go.set()
    answered = {reply.rid: (reply.status, reply.code) for reply in house.replies}
    assert answered == {
        "r1": ("done", None),
        "r2": ("rejected", "stopping"),
        "r3": ("rejected", "stopping"),
        "r4": ("rejected", "shape"),
    }
    assert "property/r2" not in house.saved, "it may be asked again"


async def test_a_flood_of_the_last_second_is_told_at_the_stop() -> None:
    house, stop = _House(), asyncio.Event()
    commander = Commander(_site(), Hands(house, house, _Clock(), lambda: "token"), lambda _: {})
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(commander.run(stop), name="commands")
        commander.unheard(PLACE, 7)
        await asyncio.sleep(0)
        stop.set()
    assert house.told == ["unheard 7"]
