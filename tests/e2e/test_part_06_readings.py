"""Part 6 of the issue, end to end: quality, dead-band, exact decimals, events."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.kit_gateway import until, write_profile, write_site
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_slave import Slave
from tests.support.gateway_process import Folders, GatewayProcess, running_gateway
from tests.support.mosquitto import Mosquitto, mosquitto

PROFILE = """\
version: 1
profile: e2e/readings
vendor: test
model: readings
title: {en: Test block, zh: 测试块}
kind: meter.electricity
driver: modbus
verified: true
sources: [made for the test]
groups: {power: 100ms, wet: 100ms}
defaults: {group: power, pii: P0, level: L1}
points:
  u_a: {register: 0, scale: 0.1, unit: V}
  odd: {register: 2, type: f32, unit: V, value: float}
  empty: {register: 4, unit: V, value: float, invalid: [0xFFFF]}
  wide: {register: 5, unit: V, value: float, range: [0, 500]}
  band: {register: 6, unit: V, value: float, deadband: {abs: 5, heartbeat: 1h}}
  share: {register: 7, unit: V, value: float, deadband: {percent: 10, heartbeat: 1h}}
  beat: {register: 8, unit: V, value: float, deadband: {abs: 5, heartbeat: 1s}}
  wet:
    table: discrete
    register: 0
    group: wet
    value: bool
    priority: alarm
    events: [{type: leak, severity: 3, when: {equals: true}, duty: property}]
  hot:
    register: 20
    group: wet
    unit: V
    value: float
    events: [{type: overvoltage, severity: 2, when: {above: 250, clear: 245}}]
"""


@dataclass(frozen=True, slots=True)
class Estate:
    """A slave, a broker, a platform, and the files of a gateway that is not started yet."""

    slave: Slave
    broker: Mosquitto
    platform: Platform
    site: Path
    base: Path


@pytest.fixture
def estate(tmp_path: Path) -> Iterator[Estate]:
    write_profile(tmp_path, "e2e/readings", PROFILE)
    with mosquitto(tmp_path) as broker, Slave() as slave, Platform(broker.port) as platform:
        site = write_site(
            tmp_path,
            f"""\
version: 1
gateway: {{id: gw-06, site: e2e, clock: trusted}}
store: {{commit_every: 100ms}}
defaults: {{timeout: 1s, retries: 0}}
sinks:
  platform: {{dialect: native, url: "mqtt://127.0.0.1:{broker.port}"}}
buses:
  tcp: {{tcp: "127.0.0.1:{slave.port}"}}
devices:
  - {{id: em-1, profile: e2e/readings, bus: tcp, address: 1}}
  - {{id: em-2, profile: e2e/readings, bus: tcp, address: 2}}
""",
        )
        yield Estate(slave, broker, platform, site, tmp_path)


def polled(slave: Slave, times: int, unit: int = 1) -> None:
    """Return when the unit was asked so many times more."""
    target = slave.polls[unit] + times
    until(lambda: slave.polls[unit] >= target, f"{times} more polls")


def test_a_failed_read_is_bad_with_its_reason_and_never_a_zero(estate: Estate) -> None:
    slave, platform = estate.slave, estate.platform
    slave.put(1, 0, 2301)
    slave.put(2, 0, 2302)
    with running_gateway(estate.site, estate.base):
        platform.wait_for_point("em-1", "u_a", lambda e: e.get("v") == 230.1)
        slave.silent.add(1)
        bad = platform.wait_for_point("em-1", "u_a", lambda e: e.get("q") == 0)
        assert (bad.get("v"), bad["qr"]) == (None, "timeout")
        slave.silent.discard(1)
        slave.refusing[1] = 4
        refused = platform.wait_for_point("em-1", "u_a", lambda e: e.get("qr") == "exception:4")
        assert (refused.get("v"), refused["q"]) == (None, 0)
        del slave.refusing[1]
        slave.put(1, 0, 2299)
        platform.wait_for_point("em-1", "u_a", lambda e: e.get("v") == 229.9)
        good = {e["v"] for e in platform.points("em-1", "u_a") if e.get("q", 192) == 192}
        assert good == {230.1, 229.9}
        beside = platform.points("em-2", "u_a")
        assert {(e["v"], e.get("q", 192)) for e in beside} == {(230.2, 192)}


def test_a_device_that_never_answered_is_told_as_bad_and_offline(estate: Estate) -> None:
    estate.slave.silent.add(2)
    with running_gateway(estate.site, estate.base):
        bad = estate.platform.wait_for_point("em-2", "u_a", lambda e: e.get("q") == 0)
        assert (bad.get("v"), bad["qr"]) == (None, "timeout")
        state = estate.platform.wait_for("state", lambda s: not s["online"], device="em-2")
        assert state.body["reason"]


def test_nan_sentinels_and_the_implausible_are_bad(estate: Estate) -> None:
    slave, platform = estate.slave, estate.platform
    slave.put_float(1, 2, math.nan)
    slave.put(1, 4, 0xFFFF)
    slave.put(1, 5, 501)
    with running_gateway(estate.site, estate.base):
        for point in ("odd", "empty", "wide"):
            bad = platform.wait_for_point("em-1", point, lambda e: e.get("q") == 0)
            assert (bad.get("v"), bad["qr"]) == (None, "range"), point
        slave.put_float(1, 2, 1.5)
        slave.put(1, 4, 0xFFFE)
        slave.put(1, 5, 500)
        for point, value in (("odd", 1.5), ("empty", 65534), ("wide", 500)):
            platform.wait_for_point("em-1", point, lambda e, v=value: e.get("v") == v)
            assert {e.get("v") for e in platform.points("em-1", point)} == {None, value}


def test_a_decimal_scale_leaves_no_binary_dust_in_the_payload(estate: Estate) -> None:
    estate.slave.put(1, 0, 2301)
    with running_gateway(estate.site, estate.base):
        estate.platform.wait_for_point("em-1", "u_a", lambda e: e.get("v") == 230.1)
    texts = [m.payload for m in estate.platform.of("prop", "em-1")]
    shown = {number for text in texts for number in re.findall(rb'"v":(230[.0-9]*)', text)}
    assert shown == {b"230.1"}
    unit = estate.platform.points("em-1", "u_a")[-1]
    assert unit["u"] == "V"


def test_the_dead_band_holds_small_changes_back(estate: Estate) -> None:
    slave, platform = estate.slave, estate.platform
    slave.put(1, 6, 100)
    slave.put(1, 7, 100)
    with running_gateway(estate.site, estate.base):
        platform.wait_for_point("em-1", "band", lambda e: e.get("v") == 100)
        for band, share in ((104, 109), (96, 91), (105, 110), (109, 120), (100, 121)):
            slave.put(1, 6, band)
            slave.put(1, 7, share)
            polled(slave, 4)
        platform.wait_for_point("em-1", "share", lambda e: e.get("v") == 121)
    assert [e["v"] for e in platform.points("em-1", "band")] == [100, 105, 100]
    assert [e["v"] for e in platform.points("em-1", "share")] == [100, 110, 121]


def test_the_heartbeat_repeats_what_does_not_change(estate: Estate) -> None:
    estate.slave.put(1, 8, 7)
    with running_gateway(estate.site, estate.base):
        estate.platform.wait(
            lambda: len(estate.platform.points("em-1", "beat")) >= 3, "three heartbeats"
        )
        polls = estate.slave.polls[1]
        beats = estate.platform.points("em-1", "beat")
    assert {e["v"] for e in beats} == {7}
    assert len(beats) < polls, "not every poll is sent"
    assert len(estate.platform.points("em-1", "band")) == 1, "this one's heartbeat is an hour"


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_an_event_keeps_its_eid_from_raised_to_cleared_over_a_restart(
    estate: Estate, end: str
) -> None:
    slave, platform = estate.slave, estate.platform
    with GatewayProcess(estate.site, Folders(estate.base)) as gateway:
        gateway.wait_ready()
        platform.wait_for_point("em-1", "wet", lambda e: e.get("v") is False)
        slave.put_bit(1, 0, is_on=True)
        slave.put(1, 20, 251)
        raised = platform.wait_for("event", lambda e: e["type"] == "leak").body
        assert (raised["st"], raised["sev"], raised["p"], raised["val"]) == (
            "raised",
            3,
            "wet",
            True,
        )
        assert raised["duty"] == "property"
        high = platform.wait_for("event", lambda e: e["type"] == "overvoltage").body
        assert (high["st"], high["thr"], high["val"]) == ("raised", 250, 251)
        if end == "kill":
            gateway.kill()
        else:
            gateway.stop()
    slave.put(1, 20, 248)  # below the limit, within the hysteresis
    with running_gateway(estate.site, estate.base):
        polled(slave, 6)
        slave.put_bit(1, 0, is_on=False)
        slave.put(1, 20, 245)
        cleared = platform.wait_for("event", lambda e: e["st"] == "cleared" and e["p"] == "wet")
        platform.wait_for("event", lambda e: e["st"] == "cleared" and e["p"] == "hot")
    assert cleared.body["eid"] == raised["eid"]
    steps = {(m.body["type"], m.body["st"], m.body["eid"]) for m in platform.of("event", "em-1")}
    assert steps == {
        ("leak", "raised", raised["eid"]),
        ("leak", "cleared", raised["eid"]),
        ("overvoltage", "raised", high["eid"]),
        ("overvoltage", "cleared", high["eid"]),
    }
