"""What is kept at all, for how long, and what people are shown of it."""

from __future__ import annotations

from dataclasses import replace

from gateway.app.outward.kept import KeptPoints
from gateway.historian.point_name import PointName
from gateway.model.clock import TimeQuality
from gateway.model.ids import GATEWAY_ITSELF, DeviceId, PointId
from gateway.model.quality import GOOD, bad
from gateway.model.reading import PointColumn, Value
from gateway.model.record import Body, EventBody, GapBody, Lane, PropBody, Record, ReplyBody
from gateway.privacy.kept import KeepGate
from gateway.privacy.retention import PERSONAL_DAYS, Personal, first_sealed
from gateway.settings.site_derived import Input, Op, Recipe, Take
from tests.support.points import a_device, a_point

DAY_S = 86400.0
HOME = DeviceId("home-7")
POINTS = [
    a_point("temp", personal="P0"),
    a_point("motion", personal="P3", keep="event_only"),
    a_point("door", personal="P3", keep="none"),
    a_point("plate", personal="P2"),
    a_point("code", personal="P1", retain_days=2),
]
SITE = {HOME: a_device(HOME, POINTS)}


def record(body: Body, device: DeviceId = HOME) -> Record:
    return Record(device, 5, TimeQuality.SYNC, body)


def props(**values: Value) -> Record:
    column = PointColumn(tuple(PointId(name) for name in values), (None,) * len(values))
    return record(PropBody(column, tuple(values.values()), None))


def event(point: str | None) -> Record:
    return record(EventBody("e1", "seen", 2, "raised", point, "x", detail="x after y"))


def test_values_of_points_that_are_not_kept_are_cut_out() -> None:
    gate = KeepGate(SITE)
    assert gate.through(props(temp=1, motion=True, door=True)) == props(temp=1)
    assert gate.through(props(motion=True, door=True)) is None
    whole = props(temp=1, plate="x")
    assert gate.through(whole) is whole


def test_an_event_only_point_tells_its_events_without_the_value() -> None:
    gate = KeepGate(SITE)
    kept = gate.through(event("motion"))
    assert kept is not None
    assert kept.body == EventBody("e1", "seen", 2, "raised", "motion")
    assert gate.through(event("door")) is None
    assert gate.through(event(None)) == event(None)
    assert gate.through(event("plate")) == event("plate")


def test_what_a_command_read_back_is_cut_too() -> None:
    gate = KeepGate(SITE)
    readback = props(motion=True, temp=1).body
    assert isinstance(readback, PropBody)
    kept = gate.through(record(ReplyBody("r", "done", None, None, "motion", "x", readback)))
    left = props(temp=1).body
    assert isinstance(left, PropBody)
    assert kept == record(ReplyBody("r", "done", None, None, "motion", None, left))


def test_without_a_seal_nothing_personal_is_kept() -> None:
    gate = KeepGate(SITE, can_seal=False)
    assert gate.through(props(temp=1, plate="x", code="y")) == props(temp=1, code="y")


def test_a_site_needs_a_seal_for_what_it_keeps_of_class_p2_and_above() -> None:
    found = first_sealed(SITE)
    assert found is not None
    assert found[1].id == "motion"
    harmless = [replace(one, keep="none") if one.personal > "P1" else one for one in POINTS]
    assert first_sealed({HOME: a_device(HOME, harmless)}) is None


def test_a_counter_that_is_not_kept_needs_the_seal_as_its_last_value_is_remembered() -> None:
    flow = a_point("flow", personal="P2", keep="none")
    heat = replace(flow, id=PointId("heat"), is_cumulative=True)
    assert first_sealed({HOME: a_device(HOME, [flow])}) is None
    found = first_sealed({HOME: a_device(HOME, [flow, heat])})
    assert found is not None
    assert found[1].id == "heat"
    hour = Recipe(Op.BIN, "home-7/flow", (Input(HOME, PointId("flow"), 1.0),), take=Take.DELTA)
    made = a_device("d", [a_point("hour", personal="P0", address=hour)])
    found = first_sealed({HOME: a_device(HOME, [flow]), made.id: made})
    assert found is not None
    assert found[1].id == "flow"


def test_values_expire_each_at_its_time() -> None:
    personal = Personal(SITE)
    assert personal.spans_s() == (2 * DAY_S, PERSONAL_DAYS * DAY_S)
    whole = props(temp=1, plate="x", code="y")
    assert personal.left(whole, 2 * DAY_S - 1) is whole
    after = personal.left(whole, 2 * DAY_S)
    assert after is not None
    assert isinstance(whole.body, PropBody)
    assert after.body == replace(
        whole.body,
        values=(1, "x", None),
        marks=(GOOD, GOOD, bad("config")),
    )
    late = personal.left(whole, PERSONAL_DAYS * DAY_S)
    assert late is not None
    assert isinstance(late.body, PropBody)
    assert late.body.values == (1, None, None)
    assert personal.left(props(temp=1), 9999 * DAY_S) == props(temp=1)
    assert personal.left(props(plate="x"), PERSONAL_DAYS * DAY_S) is None


def test_an_event_stays_and_loses_its_value() -> None:
    left = Personal(SITE).left(event("plate"), 31 * DAY_S)
    assert left is not None
    assert left.body == EventBody("e1", "seen", 2, "raised", "plate")


def test_gaps_and_what_the_gateway_says_of_itself_never_expire() -> None:
    personal = Personal(SITE)
    gap = record(GapBody(Lane.EVENT, 1, 2, 2, "quota"))
    assert personal.left(gap, 9999 * DAY_S) is gap
    own = replace(props(cpu=1), device=GATEWAY_ITSELF)
    assert personal.left(own, 9999 * DAY_S) is own


def test_a_device_that_the_site_does_not_know_counts_as_personal() -> None:
    gone = replace(props(temp=1), device=DeviceId("gone"))
    personal = Personal(SITE)
    assert personal.left(gone, PERSONAL_DAYS * DAY_S) is None
    shown = personal.shown(gone).body
    assert isinstance(shown, PropBody)
    assert shown.values == (None,)


def test_people_see_no_values_of_class_p2_and_above() -> None:
    shown = Personal(SITE).shown(props(temp=1, plate="x", code="y")).body
    assert isinstance(shown, PropBody)
    assert shown.values == (1, None, "y")
    assert Personal(SITE).shown(event("plate")).body == EventBody(
        "e1", "seen", 2, "raised", "plate"
    )


def test_another_retention_is_another_policy() -> None:
    other = a_device(HOME, [*POINTS[:-1], a_point("code", personal="P1", retain_days=3)])
    assert Personal(SITE).fingerprint() != Personal({HOME: other}).fingerprint()
    assert Personal(SITE).fingerprint() == Personal(dict(SITE)).fingerprint()


def test_the_history_keeps_a_point_as_long_as_the_site_says_now() -> None:
    kept = KeptPoints(SITE.values())
    code = PointName(HOME, PointId("code"))
    assert kept.longest_days(code, 7) == 2
    for days, wanted in ((5, 5), (None, 7)):
        kept.use([a_device(HOME, [a_point("code", personal="P1", retain_days=days)])])
        assert kept.longest_days(code, 7) == wanted
    assert kept.longest_days(PointName(HOME, PointId("plate")), 7) == 0
