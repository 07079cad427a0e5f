"""The audit chain, floods that are told by a count, and whose turn it is."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.app.commands.ledger import MOST_TEXT, Ledger
from gateway.commands.audit import NOTHING_BEFORE, ROOM, Chain, Entry, faults, hash_of
from gateway.commands.flood import AT_ONCE, Flood
from gateway.commands.waiting import MOST_OF_SINK, Waiting
from gateway.dialects.contract import Dropped
from gateway.model.clock import TimeQuality
from gateway.model.command import Command, Op
from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.model.reading import Value
from gateway.model.record import LogBody
from gateway.settings.site import Point, WriteRule
from gateway.settings.site_privacy import Choice, Transform
from gateway.settings.site_sinks import Sink
from tests.commands.house import NOW_MS, a_site
from tests.support.points import NOWHERE, a_device, a_point

PROVINCE, CITY = SinkName("province"), SinkName("city")
PUMP = DeviceId("pump-1")


# --- the chain


def _entries(chain: Chain, count: int) -> list[Entry]:
    made = [chain.entry(PUMP, (("rid", f"命令{n}"),))[0] for n in range(count)]
    return [Entry(str(PUMP), body.topic, dict(body.fields)) for body in made]


def test_the_chain_goes_on_over_a_restart() -> None:
    before = Chain({})
    body, change = before.entry(PUMP, (("rid", "a"),))
    assert dict(body.fields)["prev"] == NOTHING_BEFORE
    first = Entry(str(PUMP), body.topic, dict(body.fields))
    assert change.room == ROOM
    after = _entries(Chain({change.key: change.value}), 3)
    assert [entry.fields["n"] for entry in after] == ["2", "3", "4"]
    assert faults([first, *after]) == []


def test_a_missing_or_changed_entry_is_seen() -> None:
    entries = _entries(Chain({}), 5)
    assert faults(entries) == []
    assert "3 is missing" in faults([*entries[:2], *entries[3:]])[0]
    changed = replace(entries[1], fields={**entries[1].fields, "rid": "else"})
    assert "2 was changed" in faults([entries[0], changed, *entries[2:]])[0]
    moved = replace(entries[3], device="pump-2")
    assert "4 was changed" in faults([*entries[:3], moved, entries[4]])[0]


def test_the_hash_of_an_entry_is_what_the_page_says() -> None:
    entry = Entry("gate-1", "command", {"n": "1", "prev": NOTHING_BEFORE, "rid": 'é"7'})
    # By sha256sum, with all 64 zeros, of:
    # {"dev":"gate-1","fields":{"n":"1","prev":"000…","rid":"é\\"7"},"topic":"command"}
    assert hash_of(entry) == "12e3e73d06d19b062483bd34f9fc2cb5796a3ec5acdd7bfff831fe4c9a7f61cb"


def test_a_platform_that_does_as_the_guide_says_gets_the_same_hash() -> None:
    guide = Path(__file__).parents[2] / "docs" / "platform" / "guide.md"
    blocks = re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    (shown,) = (block for block in blocks if "def hash_of" in block)
    names: dict[str, Any] = {}
    exec(shown, names)  # noqa: S102 - our own page
    for entry in _entries(Chain({}), 3):
        log = {"dev": entry.device, "topic": entry.topic, "fields": entry.fields}
        assert names["hash_of"](log) == hash_of(entry)


# --- what stands in an entry


def test_what_a_stranger_writes_at_length_is_cut() -> None:
    ledger = Ledger(a_site(), _Clock(), Chain({}))
    record, _ = ledger.audit_dropped("dropped", PROVINCE, Dropped("x" * 60_000, "not of ours"))
    assert isinstance(record.body, LogBody)
    fields = dict(record.body.fields)
    assert len(fields["topic"]) == MOST_TEXT
    assert fields["topic"].endswith("x…")
    assert fields["reason"] == "not of ours"


class _Clock:
    def now_ms(self) -> int:
        return NOW_MS

    def monotonic(self) -> float:
        return 0.0

    def quality(self) -> TimeQuality:
        return TimeQuality.SYNC

    def is_provisional(self) -> bool:
        return False


def _detail(
    point: Point, value: Value, level: str, op: Op = Op.SET, hides: tuple[Transform, ...] = ()
) -> str:
    sink = Sink(PROVINCE, "native", "h", 1, use_tls=False, where=NOWHERE, max_level=level)  # type: ignore[arg-type]
    site = replace(
        a_site(),
        devices={PUMP: a_device(PUMP, [point])},
        sinks={PROVINCE: sink, CITY: replace(sink, name=CITY, max_level="L4", transforms=hides)},
    )
    ledger = Ledger(site, _Clock(), Chain({}))
    called = op is Op.CALL
    command = Command(
        PROVINCE,
        "r",
        op,
        PUMP,
        () if called else ((point.id, value),),
        (),
        None,
        "Wang Xiaoming 王小明",
        function=str(value) if called else None,
    )
    record, _ = ledger.audit(command, "done", None)
    assert isinstance(record.body, LogBody)
    assert dict(record.body.fields)["by"] == "***"
    return dict(record.body.fields)["detail"]


@pytest.mark.parametrize(
    ("personal", "level", "seen_by", "shown"),
    [
        ("P0", "L1", "L1", "CANARY"),
        ("P1", "L2", "L2", "CANARY"),
        ("P2", "L1", "L4", "***"),
        ("P3", "L1", "L4", "***"),
        ("P0", "L2", "L1", "***"),
    ],
)
def test_a_value_that_is_personal_or_not_for_all_platforms_is_blank_in_the_audit(
    personal: str, level: str, seen_by: str, shown: str
) -> None:
    point = a_point("name", write=WriteRule(), is_command=True, personal=personal, level=level)
    assert _detail(point, "CANARY", seen_by) == f"name={shown}"
    assert _detail(point, "CANARY", seen_by, Op.CALL) == f"{shown}()"


@pytest.mark.parametrize("by", ["drop", "hash", "mask"])
def test_a_value_that_one_platform_sees_changed_is_blank_in_the_audit(by: str) -> None:
    point = a_point("name", write=WriteRule(), is_command=True, personal="P0", level="L1")
    hidden = Transform(Choice(("*",)), by)  # type: ignore[arg-type]
    assert _detail(point, "CANARY", "L4") == "name=CANARY"
    assert _detail(point, "CANARY", "L4", hides=(hidden,)) == "name=***"


# --- floods


def test_a_flood_is_told_by_a_count() -> None:
    flood = Flood()
    told = [flood.is_told(PROVINCE, "range", 0.0) for _ in range(10_000)]
    assert sum(told) == AT_ONCE
    assert flood.is_told(CITY, "range", 0.0)
    flood.count(PROVINCE, "unheard", 7)
    (untold,) = flood.untold()
    assert (untold.sink, untold.count) == (PROVINCE, 10_000 - AT_ONCE + 7)
    assert dict(untold.fields())["detail"] == f"range {10_000 - AT_ONCE}, unheard 7"
    assert flood.untold() == []


def test_after_a_flood_refusals_are_told_again_one_by_one() -> None:
    flood = Flood()
    for _ in range(500):
        flood.is_told(PROVINCE, "range", 0.0)
    assert not flood.is_told(PROVINCE, "range", 0.5)
    assert flood.is_told(PROVINCE, "range", 2.0)
    assert all(flood.is_told(PROVINCE, "range", 1000.0) for _ in range(AT_ONCE))


# --- turns


def _command(rid: str, device: str = "pump-1", sink: SinkName = PROVINCE) -> Command:
    values = ((PointId("speed"), 1.0),)
    return Command(sink, rid, Op.SET, DeviceId(device), values, (), None)


def _begun(waiting: Waiting) -> list[str]:
    found: list[str] = []
    while (begun := waiting.begin()) is not None:
        found.append(begun.command.rid)
    return found


def test_a_device_and_a_rid_have_one_command_at_a_time_and_others_pass() -> None:
    waiting = Waiting(lambda command: command.device)
    for command in (
        _command("a"),
        _command("b"),
        _command("a", "pump-2"),
        _command("a", "pump-3", CITY),
        _command("c", "pump-4"),
    ):
        assert waiting.put(command)
    first = waiting.begin()
    assert first is not None
    assert first.command.rid == "a"
    assert _begun(waiting) == ["a", "c"]  # of the other sink, and of the other device
    assert waiting.under_way == 3
    waiting.ended(first)
    assert _begun(waiting) == ["b", "a"]


def test_one_sink_takes_no_room_from_another() -> None:
    waiting = Waiting(lambda command: command.device)
    taken = [waiting.put(_command(f"r{n}")) for n in range(2 * MOST_OF_SINK)]
    assert sum(taken) == MOST_OF_SINK
    assert waiting.put(_command("x", sink=CITY))
    waiting.begin()
    assert waiting.put(_command("y"))
