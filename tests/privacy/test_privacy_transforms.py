"""Hash, mask and drop at the door of a sink: values, events, replies, snapshots and births."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.dialects.births import births_of
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import GOOD, Mark
from gateway.model.reading import PointColumn
from gateway.model.record import Body, Committed, EventBody, PropBody, Record, ReplyBody
from gateway.privacy.door import Door, Keys
from gateway.privacy.keyed_hash import HashKey
from gateway.privacy.mask import masked
from gateway.settings.site import Device, ValueType
from gateway.settings.site_place import Location
from gateway.settings.site_privacy import Choice, Transform
from tests.support.points import a_device, a_point
from tests.support.uplinks import a_sink

CAMERA = DeviceId("lpr-1")
COLUMN = PointColumn(tuple(map(PointId, ("passages", "plate", "card"))), ("1", None, "1"))
PLATE, CARD = "浙A12345", 4711009
DAY_MS = 86_400_000
TS_MS = 20_400 * DAY_MS + 5
"""2025-11-08, the first day of a period of 30 days."""
SITE_KEY = bytes(range(32))
NAMED = (Choice(("*",)), Choice(("plate", "card"), kind="parking.*"))


def camera() -> Device:
    """Return a camera at a home, with one plain and two personal points."""
    points = (
        a_point("passages", unit="1", personal="P0", level="L1", type=ValueType.INT),
        a_point("plate", unit=None, type=ValueType.TEXT),
        a_point("card", unit="1", type=ValueType.INT, is_cumulative=True),
    )
    device = replace(a_device(CAMERA, points), kind="parking.lpr", title={"en": "Wang's gate"})
    return replace(device, location=Location({"bldg": "3", "room": "0501"}), owner="Wang Xiaoming")


def key(sink: str = "city", **changes: Any) -> HashKey:
    return replace(HashKey(SITE_KEY, sink), **changes)


def door(*transforms: Transform, allow: Any = NAMED, level: Any = "L2", keys: Any = None) -> Door:
    sink = a_sink(1883, max_level=level, allow=allow, transforms=transforms)
    return Door(sink, (camera(),), keys or Keys(key(), key()))


def of(*points: str, by: Any = "hash", level: Any = "L2") -> Transform:
    return Transform(Choice(points), by, None if by == "drop" else level)


def record(body: Body, ts_ms: int = TS_MS, tq: TimeQuality = TimeQuality.SYNC) -> Committed:
    return Committed(Record(CAMERA, ts_ms, tq, body), 5, 10, 9)


def passed(through: Door, body: Body, **when: Any) -> Any:
    found = through.through(record(body, **when))
    return None if found is None else found.record.body


def values(*of_camera: Any, **more: Any) -> PropBody:
    return PropBody(COLUMN, of_camera, more.pop("marks", None), **more)


# --- who is let out --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "allow", [None, (), *((Choice((pattern,)),) for pattern in ("*", "*?", "[a-z]*", "[!0-9]??*"))]
)
def test_personal_points_leave_by_name_only_whatever_the_level(allow: Any) -> None:
    shown = passed(door(allow=allow, level="L4"), values(7, PLATE, CARD))
    assert shown is None or (PLATE not in shown.values and CARD not in shown.values)
    assert (shown is None) == (allow == ())


def test_a_named_personal_point_leaves_where_the_level_allows() -> None:
    assert passed(door(level="L4"), values(7, PLATE, CARD)).values == (7, PLATE, CARD)
    assert passed(door(level="L3"), values(7, PLATE, CARD)).values == (7,)


def test_with_a_list_only_what_it_names_leaves() -> None:
    by_kind = (Choice(("*",), kind="meter.*"),)
    assert passed(door(allow=by_kind), values(7, PLATE, CARD)) is None
    by_device = (Choice(("pass*",), device="lpr-?"),)
    assert passed(door(allow=by_device), values(7, PLATE, CARD)).values == (7,)


def test_a_transform_alone_lets_nothing_out() -> None:
    through = door(of("plate", "card"), allow=None)
    assert passed(through, values(7, PLATE, CARD)).values == (7,)


def test_columns_that_leave_as_they_are_are_the_same_object() -> None:
    body = PropBody(PointColumn((PointId("passages"),), ("1",)), (7,), None)
    committed = record(body)
    assert door(of("plate")).through(committed) is committed


# --- values ----------------------------------------------------------------------------------


def test_a_hash_stands_for_a_value_and_hides_its_unit() -> None:
    shown = passed(door(of("plate", "card")), values(7, PLATE, CARD))
    assert shown.values[0] == 7
    for value, raw in zip(shown.values[1:], (PLATE, CARD), strict=True):
        assert value == key().hashed(raw, TS_MS, TimeQuality.SYNC)
        assert value.startswith("20251108-")
        assert len(value) == len("20251108-") + 16
    assert shown.column.units == ("1", None, None)


def test_marks_offsets_and_missing_values_keep_their_places() -> None:
    marks: tuple[Mark, ...] = (GOOD, GOOD, GOOD)
    body = values(7, None, CARD, marks=marks, offsets_ms=(0, -5, -9), is_snapshot=True)
    shown = passed(door(of("card"), allow=(Choice(("plate", "card")),), level="L4"), body)
    assert shown.values[0] is None
    assert str(shown.values[1]).startswith("20251108-")
    assert (shown.offsets_ms, shown.is_snapshot) == ((-5, -9), True)


def test_equal_values_have_equal_hashes_within_a_period_and_others_after_it() -> None:
    one = key()
    hashes = {one.hashed(PLATE, TS_MS + day * DAY_MS, TimeQuality.SYNC) for day in range(30)}
    assert len(hashes) == 1
    assert one.hashed(PLATE, TS_MS + 30 * DAY_MS, TimeQuality.SYNC) not in hashes
    assert one.hashed("浙A12346", TS_MS, TimeQuality.SYNC) not in hashes
    rotated = key(rotate_days=1)
    assert (
        len({rotated.hashed(PLATE, TS_MS + d * DAY_MS, TimeQuality.SYNC)[9:] for d in (0, 1)}) == 2
    )


def test_hashes_of_two_sinks_and_of_two_sites_cannot_be_joined() -> None:
    tails = {
        one.hashed(PLATE, TS_MS, TimeQuality.SYNC)[9:]
        for one in (key(), key("other"), key(site_key=bytes(32)), key(algorithm="hmac-sm3"))
    }
    assert len(tails) == 4


def test_while_the_clock_is_not_synchronised_the_key_is_no_other_periods() -> None:
    unsure = key().hashed(PLATE, TS_MS, TimeQuality.UNSYNC)
    assert unsure.startswith("u20251108-")
    assert unsure[1:] != key().hashed(PLATE, TS_MS, TimeQuality.SYNC)
    held = key().hashed(PLATE, TS_MS, TimeQuality.HOLDOVER)
    assert held == key().hashed(PLATE, TS_MS, TimeQuality.SYNC)


@pytest.mark.parametrize(
    ("text", "first", "last", "shown"),
    [
        (PLATE, 2, 2, "浙A***45"),
        ("浙A12345", 2, 0, "浙A***"),
        ("浙AD12345", 2, 1, "浙A***5"),
        ("12345", 2, 2, "***"),
        ("123456", 2, 2, "12***56"),
        ("", 2, 2, "***"),
        ("abcdef", 0, 0, "***"),
    ],
)
def test_a_mask_shows_both_ends_and_no_length(text: str, first: int, last: int, shown: str) -> None:
    assert masked(text, first, last) == shown


@pytest.mark.parametrize("kind", [ValueType.BOOL, ValueType.ENUM])
def test_a_mask_of_a_few_values_shows_nothing(kind: ValueType) -> None:
    """`oc***ed` and `***` would tell occupied from free."""
    point = a_point("state", unit=None, type=kind, personal="P1", level="L2")
    sink = a_sink(1883, transforms=(Transform(Choice(("*",)), "mask", None, 1, 1),))
    through = Door(sink, (a_device(CAMERA, (point,)),))
    column = PointColumn((PointId("state"),), (None,))
    shown = {passed(through, PropBody(column, (v,), None)).values for v in (True, "occupied", "on")}
    assert shown == {("***",)}


def test_a_masked_and_a_dropped_point() -> None:
    through = door(of("plate", by="mask"), of("*", by="drop"))
    shown = passed(through, values(7, PLATE, CARD))
    assert (shown.values, shown.column.points) == (("浙A***45",), ("plate",))


def test_a_rule_lowers_the_level_to_what_it_states_and_no_further() -> None:
    assert passed(door(of("plate", level="L3"), allow=NAMED), values(7, PLATE, CARD)).values == (7,)
    assert len(passed(door(of("plate", level="L3"), level="L3"), values(7, PLATE, 1)).values) == 2


def test_without_a_key_a_hash_becomes_a_blind_mask() -> None:
    sink = a_sink(1883, allow=NAMED, transforms=(of("plate"),))
    assert passed(Door(sink, (camera(),)), values(7, PLATE, CARD)).values == (7, "***")


# --- events, replies, births -----------------------------------------------------------------


def test_events_pass_the_same_transforms_and_lose_their_words() -> None:
    event = EventBody("e", "passage", 1, "raised", "plate", PLATE, PLATE, detail=f"saw {PLATE}")
    shown = passed(door(of("plate", by="mask")), event)
    assert (shown.value, shown.threshold, shown.detail) == ("浙A***45", "浙A***45", None)
    assert passed(door(), event) is None
    assert passed(door(), replace(event, severity=4)).value is None


def test_replies_pass_the_same_transforms() -> None:
    reply = ReplyBody("r", "done", None, f"wrote {PLATE}", "plate", PLATE, values(7, PLATE, CARD))
    masked_reply = passed(door(of("plate", by="mask")), reply)
    assert (masked_reply.value, masked_reply.message) == ("浙A***45", None)
    assert masked_reply.readback.values == (7, "浙A***45")
    hidden = passed(door(), reply)
    assert (hidden.value, hidden.message, hidden.readback.values) == (None, None, (7,))


def test_births_say_what_is_done_to_a_point() -> None:
    (birth,) = births_of((camera(),), door(of("plate", "card")))
    told = {point.id: point for point in birth.points}
    assert told[PointId("passages")].transform is None
    card = told[PointId("card")]
    assert (card.type, card.unit, card.is_cumulative) == ("text", None, False)
    assert (card.transform, card.personal, card.level) == ("hash", "P3", "L2")


def test_names_of_people_are_in_no_birth_below_l3() -> None:
    (low,) = births_of((camera(),), door())
    assert (low.title, low.owner) == ({}, None)
    (high,) = births_of((camera(),), door(level="L3"))
    assert (high.title, high.owner) == ({"en": "Wang's gate"}, "Wang Xiaoming")


def test_homes_have_pseudonyms_below_l3_or_are_left_out() -> None:
    places = door().places(camera())
    assert places["bldg"] == "3"
    assert places["room"] == key().place("room", "0501")
    assert places["room"].startswith("~")
    assert door(keys=Keys(key(), None)).places(camera()) == {"bldg": "3"}
    assert door(level="L3").places(camera())["room"] == "0501"


def test_a_reload_takes_new_rules_at_once() -> None:
    through = door(of("plate"))
    sink = a_sink(1883, allow=NAMED, transforms=(of("plate", by="mask"),))
    before = passed(through, values(7, PLATE, CARD)).values[1]
    through.use(sink, (camera(),), Keys(key(), key()))
    assert before != passed(through, values(7, PLATE, CARD)).values[1] == "浙A***45"


def test_stricter_rules_count_for_devices_that_went_too() -> None:
    """Their records may still wait for the platform."""
    through = door(level="L4")
    assert passed(through, values(7, PLATE, CARD)).values == (7, PLATE, CARD)
    through.use(a_sink(1883, max_level="L4", allow=(Choice(("*",)),)), (), Keys(key(), key()))
    assert passed(through, values(7, PLATE, CARD)).values == (7,)
    through.use(a_sink(1883, max_level="L4", allow=()), (), Keys(key(), key()))
    assert passed(through, values(7, PLATE, CARD)) is None
