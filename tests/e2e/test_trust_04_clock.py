"""Part 4 of the trust issue, end to end: a box without the time, and meters without it.

That values wait and are dated, and that steps of the clock disturb nothing, is shown by the rows P4
and P5 of the fault matrix.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.app.clock.timekeeping import FLOOR_NAME
from simulators.clock import WallClock
from tests.e2e.kit_gateway import linli, status, until, write_profile, write_site
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_slave import Slave
from tests.e2e.support_stage import Stage, stage
from tests.e2e.support_stage import until as until_so
from tests.support.certificates import Authority, Pair
from tests.support.faketime import FakeTime
from tests.support.gateway_process import Folders, GatewayProcess
from tests.support.mosquitto import free_port, mosquitto

HOST = "127.0.0.1"
DAY_S = 86400
PROFILE = """\
version: 1
profile: e2e/cellar
vendor: test
model: cellar
title: {en: Cellar, zh: 地下室}
kind: io.module
driver: modbus
verified: true
sources: [made for the test]
groups: {state: 200ms}
defaults: {group: state, pii: P0, level: L1}
points:
  level: {register: 0, scale: 0.1, unit: V, value: float, access: rw, write: {min: 0, max: 100}}
  wet:
    table: discrete
    register: 0
    value: bool
    priority: alarm
    events: [{type: leak, severity: 3, when: {equals: true}}]
"""


@dataclass(slots=True)
class Cellar:
    """A slave with an alarm, and a gateway whose wall clock the test sets."""

    base: Path
    slave: Slave
    clock: FakeTime

    def gateway(self, sinks: Sequence[str], more: str = "") -> GatewayProcess:
        """Start the gateway, with these sinks."""
        listed = "\n".join(f"  {sink}" for sink in sinks)
        site = write_site(
            self.base,
            f"""\
version: 1
gateway: {{id: gw-04, site: e2e, clock: trusted}}
store: {{commit_every: 100ms}}
defaults: {{timeout: 1s, retries: 0}}
sinks:
{listed}
buses:
  tcp: {{tcp: "127.0.0.1:{self.slave.port}"}}
devices:
  - {{id: cellar-1, profile: e2e/cellar, bus: tcp, address: 1}}
{more}""",
        )
        environment = self.clock.environment()
        return GatewayProcess(
            site, Folders(self.base), module=FakeTime.MODULE, environment=environment
        )


@pytest.fixture
def cellar(tmp_path: Path) -> Iterator[Cellar]:
    assert FakeTime.library() is not None, "libfaketime is missing: deploy/test-packages.sh"
    write_profile(tmp_path, "e2e/cellar", PROFILE)
    with Slave() as slave:
        slave.put_bit(1, 0, is_on=True)
        yield Cellar(tmp_path, slave, FakeTime(tmp_path, -(WallClock().now_ms() // 1000)))


def _now() -> datetime:
    return datetime.fromtimestamp(WallClock().now_ms() / 1000, UTC)


def _in_days(days: float) -> str:
    return f"{_now() + timedelta(days):%Y%m%d%H%M%SZ}"


def _tls(name: str, port: int, authority: Authority) -> str:
    return f'{name}: {{url: "mqtts://{HOST}:{port}", tls: {{ca: "{authority.certificate}"}}}}'


def _listener(port: int, pair: Pair) -> tuple[str, ...]:
    return (
        f"listener {port} {HOST}",
        "allow_anonymous true",
        f"certfile {pair.certificate}",
        f"keyfile {pair.key}",
    )


def _said(gateway: GatewayProcess) -> dict[str, str]:
    return {sink["name"]: sink["why"] for sink in status(gateway)["sinks"]}


# --- (a) TLS -------------------------------------------------------------------------------------


def test_trust_04_a_box_in_1970_connects_by_tls_and_its_alarms_arrive(cellar: Cellar) -> None:
    ours, theirs = Authority(cellar.base, "ours"), Authority(cellar.base, "theirs")
    pairs = {
        "good": ours.issue(HOST),
        "stranger": theirs.issue(HOST),
        "other_host": ours.issue("elsewhere.example"),
    }
    ports = {name: free_port() for name in pairs}
    lines = [line for name, pair in pairs.items() for line in _listener(ports[name], pair)]
    sinks = [_tls(name, port, ours) for name, port in ports.items()]
    with (
        mosquitto(cellar.base, *lines) as broker,
        Platform(broker.port) as platform,
        cellar.gateway(sinks) as gateway,
    ):
        gateway.wait_ready()
        alarm = platform.wait_for("event", lambda event: event["type"] == "leak").body
        assert (alarm["tq"], alarm["st"]) == ("unsync", "raised")
        # Without the time names and signatures are checked as ever.
        until(lambda: "signed by" in _said(gateway)["stranger"], "a stranger is refused")
        until(lambda: "is for another" in _said(gateway)["other_host"], "another host is refused")
        assert _said(gateway)["good"] == "connected"
        assert not platform.of("prop"), "a value was published before anyone knew the time"
        cellar.clock.set(0)
        platform.wait(
            lambda: any(record["tq"] == "sync" for record in platform.records()),
            "with the time come values",
        )
        assert gateway.stop() == 0


def test_trust_04_a_certificate_from_before_the_floor_is_refused_also_in_1970(
    cellar: Cellar,
) -> None:
    """The box was on the network yesterday; the broker's certificate had ended the day before."""
    ours = Authority(cellar.base, "ours")
    old = ours.issue(HOST, not_before=_in_days(-30), not_after=_in_days(-2))
    state = cellar.base / "state"
    state.mkdir()
    yesterday_ms = WallClock().now_ms() - DAY_S * 1000
    (state / FLOOR_NAME).write_text(str(yesterday_ms), encoding="ascii")
    port = free_port()
    with (
        mosquitto(cellar.base, *_listener(port, old)) as broker,
        cellar.gateway([_tls("platform", port, ours)]) as gateway,
    ):
        gateway.wait_ready()
        until(lambda: "expired on" in _said(gateway)["platform"], "refused with its reason")
        shown = linli(cellar.base, "status")
        assert shown.returncode == 0, shown.stderr
        assert "the broker's certificate expired on" in shown.stdout
        assert "clock unsync" in shown.stdout
        assert gateway.stop() == 0
        assert "gw-04" not in broker.read_log(), "CONNECT came through"


@pytest.mark.parametrize(("offset_days", "cause"), [(30, "has expired"), (-30, "is not valid yet")])
def test_trust_04_a_clock_that_is_plausible_and_wrong_is_named_as_the_cause(
    cellar: Cellar, offset_days: int, cause: str
) -> None:
    """No rule can tell it from a right one; a technician can, who reads what the box believes."""
    ours = Authority(cellar.base, "ours")
    pair = ours.issue(HOST, not_before=_in_days(-2), not_after=_in_days(2))
    port = free_port()
    cellar.clock.set(offset_days * DAY_S)
    with (
        mosquitto(cellar.base, *_listener(port, pair)),
        cellar.gateway([_tls("platform", port, ours)]) as gateway,
    ):
        gateway.wait_ready()
        until(lambda: cause in _said(gateway)["platform"], "refused with its reason")
        believed = _now() + timedelta(offset_days)
        shown = linli(cellar.base, "status").stdout
        assert "the clock of this box says" in shown
        assert f"{believed:%Y-%m}" in shown
        assert gateway.stop() == 0


# --- (b) commands --------------------------------------------------------------------------------

ALLOW = """\
commands:
  allow:
    - {device: "cellar-*", points: [level], ops: [set, read]}
"""


def test_trust_04_a_box_without_the_time_reads_and_switches_nothing(cellar: Cellar) -> None:
    numbers = count(1)
    with ExitStack() as stack:
        broker = stack.enter_context(mosquitto(cellar.base))
        platform = stack.enter_context(Platform(broker.port))
        sink = f'platform: {{url: "mqtt://{HOST}:{broker.port}"}}'
        gateway = stack.enter_context(cellar.gateway([sink], ALLOW))
        gateway.wait_ready()
        platform.wait_for("event", lambda event: event["type"] == "leak")

        def told(**fields: Any) -> dict[str, Any]:
            after, rid = len(platform.so_far()), f"r{next(numbers)}"
            command = {"rid": rid, "exp": WallClock().now_ms() + 3_600_000, **fields}
            platform.publish("fc/1/e2e/gw-04/dn/cmd/cellar-1", json.dumps(command))
            return platform.wait_for("reply", lambda r: r["rid"] == rid, after=after).body

        refused = told(op="set", p={"level": 23.4})
        assert (refused["st"], refused["code"], refused["tq"]) == ("rejected", "clock", "unsync")
        assert told(op="read", p=["level"])["st"] == "done"
        assert cellar.slave.writes == []
        cellar.clock.set(0)
        # The kernel is asked again within ten seconds.
        until(lambda: told(op="set", p={"level": 23.4})["st"] == "done", "it switches with time")
        assert len(cellar.slave.writes) == 1
        assert gateway.stop() == 0


# --- (c) meters ----------------------------------------------------------------------------------

METERS = """\
$HEAD
buses:
  meters: {port: $PORTS/meters, line: 9600 8E1, protocol: dlt645-2007}
devices:
  - {id: em-1, profile: generic/dlt645-2007-1p, bus: meters, address: "000012345678", poll: 1s}
  - {id: em-2, profile: generic/dlt645-1997, bus: meters, address: "201708176934", poll: 1s}
"""


def _drifts(on: Stage, device: str) -> list[dict[str, Any]]:
    return [
        message.body
        for message in on.platform.messages
        if (message.kind, message.device) == ("event", device)
        and message.body["type"] == "clock_drift"
    ]


async def test_trust_04_a_meter_with_a_wrong_clock_is_told_and_one_that_is_right_is_not(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path, METERS) as on:
        await on.platform.until_good("em-1", "clock_time")
        await on.platform.until_good("em-2", "clock_time")
        meter = on.community.twins["em-1"]
        shown = _now() + timedelta(hours=8, days=-3)
        meter.hold("clock_date", f"{shown:%Y-%m-%d}", WallClock().now_ms())
        await until_so(lambda: len(_drifts(on, "em-1")) == 1, "the drift is told")
        (raised,) = _drifts(on, "em-1")
        assert (raised["st"], raised["p"], raised["sev"]) == ("raised", "clock_time", 1)
        assert -4.1 * DAY_S < raised["val"] < -2.9 * DAY_S  # one more where midnight has passed
        assert raised["detail"].endswith("behind")
        meter.hold("clock_date", "", WallClock().now_ms())
        await until_so(lambda: len(_drifts(on, "em-1")) == 2, "that it is set is told")
        cleared = _drifts(on, "em-1")[1]
        assert (cleared["st"], cleared["eid"]) == ("cleared", raised["eid"])
        assert abs(cleared["val"]) < 60
        assert not _drifts(on, "em-2")
        on.platform.nothing_false()
