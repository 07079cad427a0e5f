"""Derived devices of a loaded site, fed with readings: counts, hours, sums, and their state."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inner_sites import METERS, a_site, read

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import GOOD, Mark, Quality, bad
from gateway.model.reading import Readings, Value
from gateway.privacy.derive import Derivation
from gateway.privacy.moment import Moment
from gateway.settings.site import Site

HOUR_MS = 3_600_000
START = 1_800_000_000_000 // HOUR_MS * HOUR_MS
BAYS = """\
version: 1
gateway: {id: gw-1, site: lake, clock: trusted}
buses: {m: {memory: m}}
devices:
  - id: bay-{n:02}
    each: {n: 1..6}
    profile: generic/bay-input
    bus: m
    address: 1
    set: {input: "{n}"}
derived:
  - id: zone-1
    kind: parking.zone
    min_group: 5
    location: {zone: B1}
    points:
      total: {count: "bay-*/status", coverage: 0, min_group: 1}
      occupied: {count: "bay-*/status", equals: occupied}
      free: {count: "bay-*/status", equals: free}
"""
HOURS = (
    METERS
    + """\
derived:
  - {id: "use-{n:02}", each: {n: 1..6}, kind: meter.electricity,
     points: {ep_hour: {bin: "em-{n:02}/ep_imp", every: 1h}}}
  - {id: house, kind: meter.electricity,
     points: {ep_hour: {sum: "em-*/ep_imp", every: 1h, coverage: 50}}}
"""
)


class Running:
    """The derived points of a site at work, by a clock that the test moves."""

    def __init__(self, site: Site, saved: Mapping[str, Any] | None = None) -> None:
        self.site = site
        self.derivation = Derivation(site.derived, _next_mark, saved or {})
        self.at_s = 0.0

    def at(self, minute: float, *readings: Readings) -> dict[str, tuple[Value | None, Mark]]:
        """Return what is derived at this minute, after these readings came."""
        self.at_s = minute * 60
        for one in readings:
            self.derivation.add(one, self.at_s)
        now = Moment(self.at_s, START + round(minute * 60_000), TimeQuality.SYNC)
        return {
            f"{found.device}/{point}": (
                found.values[index],
                GOOD if found.marks is None else found.marks[index],
            )
            for found in self.derivation.tick(now)
            for index, point in enumerate(found.column.points)
        }


def _next_mark(step_s: float, after_ms: int) -> int:
    step_ms = round(step_s * 1000)
    return (after_ms // step_ms + 1) * step_ms


def meters(minute: float, *values: float) -> list[Readings]:
    ts_ms = START + round(minute * 60_000)
    return [read(f"em-{n:02}", ts_ms, ep_imp=value) for n, value in enumerate(values, start=1)]


def bays(*states: str) -> list[Readings]:
    return [read(f"bay-{n:02}", START, status=state) for n, state in enumerate(states, start=1)]


def test_a_zone_counts_its_bays_and_says_all_of_it_at_once(tmp_path: Path) -> None:
    zone = Running(a_site(tmp_path, BAYS))
    states = ["free", "occupied", "free", "occupied", "occupied", "free"]
    assert zone.at(0) == {}, "nothing is known before the first reading"
    assert zone.at(0.1, *bays(*states)) == {
        "zone-1/total": (6, GOOD),
        "zone-1/occupied": (3, GOOD),
        "zone-1/free": (3, GOOD),
    }
    assert zone.at(0.11, *bays(*states)) == {}, "the same again is no news"
    states[0] = "occupied"
    assert zone.at(0.2, *bays(*states))["zone-1/occupied"] == (4, GOOD)


def test_a_bay_that_is_not_read_any_more_is_not_counted(tmp_path: Path) -> None:
    zone = Running(a_site(tmp_path, BAYS))
    zone.at(0, *bays(*["free"] * 6))
    found = zone.at(2, *bays(*["free"] * 4))
    assert found["zone-1/total"] == (4, Mark(Quality.STALE, "timeout"))
    assert found["zone-1/free"] == (None, bad("timeout")), "four of six are too few"


def test_one_bad_bay_leaves_the_count_stale_or_without_a_value(tmp_path: Path) -> None:
    loose = BAYS.replace("equals: free}", "equals: free, coverage: 80}")
    zone = Running(a_site(tmp_path, loose))
    broken = read("bay-06", START, {"status": bad("crc")}, status=None)
    found = zone.at(0, *bays(*["free"] * 5), broken)
    assert found["zone-1/free"] == (5, Mark(Quality.STALE, "crc"))
    assert found["zone-1/occupied"] == (None, bad("crc")), "five of six are less than 90 %"


def test_the_hour_of_every_meter_and_of_the_house(tmp_path: Path) -> None:
    house = Running(a_site(tmp_path, HOURS))
    house.at(0, *meters(0, *[10.0 * n for n in range(1, 7)]))
    house.at(30, *meters(30, *[10.0 * n + 0.1 for n in range(1, 7)]))
    found = house.at(60.1, *meters(60, *[10.0 * n + 0.3 for n in range(1, 7)]))
    assert {name: value for name, (value, _) in found.items()} == {
        **{f"use-{n:02}/ep_hour": 0.3 for n in range(1, 7)},
        "house/ep_hour": 1.8,
    }
    assert {mark for _, mark in found.values()} == {GOOD}


def test_one_meter_that_is_away_is_told_and_silences_the_house(tmp_path: Path) -> None:
    house = Running(a_site(tmp_path, HOURS))
    for hour in range(3):
        house.at(60 * hour, *meters(60 * hour, *[float(hour)] * 6))
    house.at(180, *meters(180, *[3.0] * 5))
    assert house.at(211) == {
        "use-06/ep_hour": (None, bad("timeout")),
        "house/ep_hour": (None, bad("config")),
    }


def test_a_reset_of_one_counter_is_not_energy(tmp_path: Path) -> None:
    house = Running(a_site(tmp_path, HOURS))
    house.at(0, *meters(0, *[500.0] * 6))
    house.derivation.rebased(DeviceId("em-01"), PointId("ep_imp"))
    found = house.at(60, *meters(60, 1.0, *[501.0] * 5))
    assert found["use-01/ep_hour"] == (None, bad("counter"))
    assert found["use-02/ep_hour"] == (1.0, GOOD)
    assert house.at(120, *meters(120, 3.0, *[502.0] * 5))["use-01/ep_hour"] == (2.0, GOOD)


def test_a_restart_in_the_middle_of_the_hour_loses_nothing_of_it(tmp_path: Path) -> None:
    site = a_site(tmp_path, HOURS)
    before = Running(site)
    before.at(0, *meters(0, *[10.0] * 6))
    saved = {one.key: one.value for one in before.derivation.take_changes()}
    assert set(saved) == {*(f"use-{n:02}/ep_hour" for n in range(1, 7)), "house/ep_hour"}
    after = Running(site, saved)
    found = after.at(60, *meters(60, *[10.5] * 6))
    assert found["use-03/ep_hour"] == (0.5, GOOD)
    assert found["house/ep_hour"] == (3.0, GOOD)


def test_who_was_in_the_last_value_is_remembered_over_a_restart(tmp_path: Path) -> None:
    site = a_site(tmp_path, HOURS)
    before = Running(site)
    before.at(0, *meters(0, *[1.0] * 6))
    assert before.at(60, *meters(60, *[2.0] * 6))["house/ep_hour"] == (6.0, GOOD)
    saved = {one.key: one.value for one in before.derivation.take_changes()}
    after = Running(site, saved)
    after.at(120, *meters(120, *[3.0] * 5))
    assert after.at(150)["house/ep_hour"] == (None, bad("config"))


def test_a_member_that_is_taken_out_of_the_file_is_not_the_difference_of_two_hours(
    tmp_path: Path,
) -> None:
    """Neither at once nor after further reloads and restarts, until a day later."""
    running = Running(a_site(tmp_path, HOURS))
    running.at(0, *meters(0, *[1.0] * 6))
    assert running.at(60, *meters(60, *[2.0] * 6))["house/ep_hour"] == (6.0, GOOD)
    fewer = a_site(tmp_path, HOURS.replace("em-*/ep_imp", "em-0[1-5]/ep_imp"))
    running.derivation.replace(fewer.derived, {DeviceId("house")})
    assert running.at(120, *meters(120, *[3.0] * 6))["house/ep_hour"] == (None, bad("config"))
    running.derivation.replace(fewer.derived, {DeviceId("house")})
    saved = {one.key: one.value for one in running.derivation.take_changes()}
    after = Running(fewer, saved)
    assert after.at(180, *meters(180, *[4.0] * 6))["house/ep_hour"] == (None, bad("config"))
    for hour in range(4, 25):
        assert (
            after.at(60 * hour, *meters(60 * hour, *[1.0 + hour] * 6))["house/ep_hour"][0] is None
        )
    assert after.at(1500, *meters(1500, *[26.0] * 6))["house/ep_hour"] == (5.0, GOOD)


def test_a_reload_keeps_the_hours_of_devices_that_did_not_change(tmp_path: Path) -> None:
    site = a_site(tmp_path, HOURS)
    running = Running(site)
    running.at(0, *meters(0, *[10.0] * 6))
    running.derivation.replace(site.derived, {DeviceId("use-01")})
    found = running.at(60, *meters(60, *[11.0] * 6))
    assert found["use-02/ep_hour"] == (1.0, GOOD)
    assert "use-01/ep_hour" in found, "its counter was saved, and is the same"


def test_a_device_that_is_gone_leaves_no_state(tmp_path: Path) -> None:
    site = a_site(tmp_path, HOURS)
    running = Running(site)
    running.at(0, *meters(0, *[10.0] * 6))
    running.derivation.take_changes()
    running.derivation.replace({}, set(site.derived))
    gone = {one.key for one in running.derivation.take_changes() if one.value is None}
    assert len(gone) == 7
    assert running.at(60, *meters(60, *[11.0] * 6)) == {}


def test_a_derived_point_may_be_made_of_derived_ones(tmp_path: Path) -> None:
    points = '{ep: {sum: "use-*/ep_hour", every: 1h}}'
    text = f"{HOURS}  - {{id: sum, kind: meter.electricity, points: {points}}}\n"
    site = a_site(tmp_path, text)
    running = Running(site)
    for hour in range(3):
        made = running.at(60 * hour, *meters(60 * hour, *[float(hour)] * 6))
        for name, (value, _) in made.items():
            device, _, point = name.partition("/")
            if device.startswith("use-"):
                stamped = read(device, START + 60_000 * 60 * hour, **{point: value})
                running.derivation.add(stamped, running.at_s)
    late = running.at(60 * 2 + 31)
    assert late["sum/ep"] == (6.0, GOOD)


def test_a_coarse_value_follows_its_point(tmp_path: Path) -> None:
    points = "{u_a: {bin: em-01/u_a, step: 5}}"
    text = f"{METERS}derived: [{{id: c, kind: meter.electricity, points: {points}}}]\n"
    running = Running(a_site(tmp_path, text))
    assert running.at(0, read("em-01", START, u_a=231.4)) == {"c/u_a": (230.0, GOOD)}
    assert running.at(1, read("em-01", START + 60_000, u_a=232.5)) == {"c/u_a": (235.0, GOOD)}
    lost = read("em-01", START + 120_000, {"u_a": bad("timeout")}, u_a=None)
    assert running.at(2, lost) == {"c/u_a": (None, bad("timeout"))}
