"""Part 10 of the issue, end to end: a service that says how it is, and stops as it should."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from gateway.app.field.pipeline import Pipeline
from gateway.app.watchdog import STALL_S, Watchdog
from gateway.model.ids import GATEWAY_ITSELF, GatewayId, SiteId
from gateway.model.record import LogBody, Record, StateChange
from gateway.ops.notify import ServiceManager
from gateway.rules.alarms import Alarms
from gateway.settings.site import Gateway, Site, Store
from gateway.settings.site_commands import Commands
from tests.e2e.kit_gateway import TEST_ROOM, linli, sink_status, status, until, write_profile
from tests.e2e.kit_gateway import write_site as write
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_slave import Slave
from tests.e2e.kit_store import stored_records
from tests.support.gateway_process import Folders, GatewayProcess, running_gateway
from tests.support.mosquitto import mosquitto
from tests.support.virtual_time import ManualClock, in_virtual_time

UNIT = TEST_ROOM / "deploy" / "systemd" / "linli-gateway.service"
CONFIGURATION_REFUSED = 78
PROFILE = """\
version: 1
profile: e2e/plain
vendor: test
model: plain
title: {en: Plain, zh: 普通}
kind: meter.electricity
driver: modbus
verified: true
sources: [made for the test]
groups: {power: 100ms}
defaults: {group: power, pii: P0, level: L1}
points:
  v1: {register: 0, unit: V, value: int}
"""


@dataclass(frozen=True, slots=True)
class Field:
    """The field side of a gateway, and its folder."""

    slave: Slave
    base: Path

    def site(self, broker_port: int = 9, store: str = "{commit_every: 100ms}") -> Path:
        """Write the site; without a broker its platform is never reached."""
        return write(
            self.base,
            f"""\
version: 1
gateway: {{id: gw-10, site: e2e, clock: trusted}}
store: {store}
defaults: {{timeout: 1s, retries: 0}}
sinks:
  platform: {{url: "mqtt://127.0.0.1:{broker_port}"}}
buses:
  tcp: {{tcp: "127.0.0.1:{self.slave.port}"}}
devices:
  - {{id: "em-{{n}}", each: {{n: 1..3}}, profile: e2e/plain, bus: tcp, address: "{{n}}"}}
""",
        )


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    write_profile(tmp_path, "e2e/plain", PROFILE)
    with Slave() as slave:
        yield Field(slave, tmp_path)


def stop_bound_s() -> float:
    """Return how long systemd waits for a stop."""
    found = re.search(r"^TimeoutStopSec=(\d+)s$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return float(found[1])


# --- notifications -------------------------------------------------------------------------------


def test_it_says_ready_reloading_ready_and_stopping(field: Field) -> None:
    site = field.site()
    with GatewayProcess(site, Folders(field.base)) as gateway:
        ready = gateway.wait_for(b"READY=1")
        assert b"STATUS=3 devices on 1 lines" in ready
        assert status(gateway)["devices"] == 3, "ready means that it can be asked"
        site.write_text(site.read_text(encoding="utf-8").replace("1..3", "1..2"), encoding="utf-8")
        gateway.process.send_signal(signal.SIGHUP)
        reloading = gateway.wait_for(b"RELOADING=1")
        assert re.search(rb"^MONOTONIC_USEC=\d+$", reloading, re.MULTILINE)
        gateway.wait_for(b"READY=1")
        assert status(gateway)["devices"] == 2
        site.write_text("version: 1\n", encoding="utf-8")
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_for(b"RELOADING=1")
        gateway.wait_for(b"READY=1")
        assert status(gateway)["devices"] == 2, "a bad file leaves the old site running"
        gateway.process.send_signal(signal.SIGTERM)
        gateway.wait_for(b"STOPPING=1")
        assert gateway.process.wait(stop_bound_s()) == 0


def test_the_watchdog_is_fed_while_it_runs(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    with running_gateway(field.site(), field.base) as gateway:
        for _ in range(5):
            gateway.wait_for(b"WATCHDOG=1")
        shown = gateway.wait_for(b"STATUS=")
        assert b"devices online" in shown


class HangingStore:
    """A disk that takes so many commits and then never answers."""

    def __init__(self, good: int) -> None:
        self._good = good

    async def append(self, records: Sequence[Record], states: Sequence[StateChange] = ()) -> None:
        del records, states
        self._good -= 1
        if self._good < 0:
            await asyncio.Event().wait()


class Manager:
    """systemd's end of the socket; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        path = folder / "notify"
        self._socket.bind(str(path))
        self.service = ServiceManager({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "15000000"})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._socket.close()

    def said(self) -> list[bytes]:
        """Return what was said since the last time."""
        said: list[bytes] = []
        while True:
            try:
                said.append(self._socket.recv(4096))
            except BlockingIOError:
                return said


@in_virtual_time
async def test_the_watchdog_starves_when_the_store_hangs(tmp_path: Path) -> None:
    clock = ManualClock()
    site = Site(Gateway(GatewayId("g"), SiteId("s")), {}, {}, {}, Commands(), Store(), (), "")
    pipeline = Pipeline(site, HangingStore(good=20), clock, Alarms({}, {}, lambda: "e"))
    record = Record(GATEWAY_ITSELF, 0, clock.quality(), LogBody("test", ()))
    stop = asyncio.Event()
    with Manager(tmp_path) as manager:
        beats = {"pipeline": lambda: pipeline.heartbeat}
        watchdog = Watchdog(manager.service, beats, clock.monotonic)
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(pipeline.run(asyncio.Event()))
            tasks.create_task(watchdog.run(stop, lambda: "well"))
            fed = 0
            for _ in range(20):
                await pipeline.commit([record])
                await asyncio.sleep(1.0)
                fed += manager.said().count(b"WATCHDOG=1")
            assert fed >= 4
            hanging = tasks.create_task(pipeline.commit([record]))
            await asyncio.sleep(STALL_S + manager.service.watchdog_s)
            manager.said()
            await asyncio.sleep(600.0)
            said = manager.said()
            assert said
            assert set(said) == {b"STATUS=stalled: pipeline"}
            stop.set()
            hanging.cancel()
            working.cancel()


def test_a_manager_that_does_not_listen_holds_nothing_up(tmp_path: Path) -> None:
    with Manager(tmp_path) as manager:
        for _ in range(1000):
            manager.service.feed_watchdog()
        assert manager.said()


# --- the end -------------------------------------------------------------------------------------


def test_sigterm_commits_what_was_taken_and_ends_in_time(field: Field) -> None:
    field.slave.put(1, 0, 4711)
    site = field.site(store="{commit_every: 60s, commit_readings: 100000}")
    with GatewayProcess(site, Folders(field.base)) as gateway:
        gateway.wait_ready()
        until(lambda: field.slave.polls[1] >= 20, "20 readings of each")
        taken = field.slave.polls[1] - 1  # the last one may still be on its way
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(stop_bound_s()) == 0
    values = [r for r in stored_records(field.base / "state") if r["kind"] == "prop"]
    assert sum(r["dev"] == "em-1" for r in values) >= taken
    assert {r["pts"]["v1"]["v"] for r in values if r["dev"] == "em-1"} == {4711}
    assert not (field.base / "run" / "control.sock").exists()


def test_sigterm_with_a_frozen_broker_and_silent_devices_ends_in_time_and_keeps_all(
    field: Field,
) -> None:
    with mosquitto(field.base) as broker, Platform(broker.port) as platform:
        site = field.site(broker.port)
        with GatewayProcess(site, Folders(field.base)) as gateway:
            gateway.wait_ready()
            platform.wait(lambda: platform.auditor.received >= 10, "records")
            broker.freeze()
            committed = status(gateway)["committed"]
            until(lambda: status(gateway)["committed"] > committed + 20, "records that wait")
            field.slave.silent.update((1, 2, 3))
            gateway.process.send_signal(signal.SIGTERM)
            assert gateway.process.wait(stop_bound_s()) == 0
        broker.thaw()
        stored = {(r["ep"], r["seq"]) for r in stored_records(field.base / "state")}
        with running_gateway(site, field.base):
            platform.wait(
                lambda: stored <= {(r["ep"], r["seq"]) for r in platform.records()}, "all of it"
            )
        assert (platform.auditor.lost, platform.auditor.conflicts) == (0, 0)


def test_what_is_committed_at_a_stop_is_delivered_before_the_goodbye(field: Field) -> None:
    with mosquitto(field.base) as broker, Platform(broker.port) as platform:
        with running_gateway(field.site(broker.port), field.base) as gateway:
            platform.wait(lambda: platform.auditor.received >= 10, "records")
            assert sink_status(gateway)["connected"]
        goodbye = platform.wait_for("state", lambda s: s["reason"] == "stopped", device="_")
        stored = {(r["ep"], r["seq"]) for r in stored_records(field.base / "state")}
        before = platform.so_far().index(goodbye)
        assert not [m for m in platform.so_far()[before + 1 :] if m.kind in ("prop", "hist")]
        assert {(r["ep"], r["seq"]) for r in platform.records()} == stored


# --- the configuration ---------------------------------------------------------------------------


def test_a_bad_file_without_a_last_good_one_exits_78_with_its_line(field: Field) -> None:
    site = write(field.base, field.site().read_text(encoding="utf-8").replace("tcp: {", "tcp: ["))
    refused = linli(field.base, "run", "-c", str(site))
    assert refused.returncode == CONFIGURATION_REFUSED
    assert re.search(rf"{re.escape(str(site))}:\d+:\d+: ", refused.stderr)
    assert "Traceback" not in refused.stderr


def test_strict_exits_78_even_with_a_last_good_site(field: Field) -> None:
    site = field.site()
    with running_gateway(site, field.base):
        pass
    site.write_text("version: 1\ngateway: 7\n", encoding="utf-8")
    refused = linli(field.base, "run", "-c", str(site), "--strict")
    assert refused.returncode == CONFIGURATION_REFUSED
    with running_gateway(site, field.base) as gateway:
        shown = status(gateway)
        assert shown["devices"] == 3
        assert shown["fallback"]


# --- the unit ------------------------------------------------------------------------------------


def test_the_unit_is_notified_watched_hardened_and_does_not_restart_on_78() -> None:
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    assert {"Type=notify", "Restart=always", "RestartPreventExitStatus=78"} <= set(lines)
    assert any(line.startswith("WatchdogSec=") for line in lines)
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=13", UNIT],
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin", "SYSTEMD_COLORS": "0"},
    )
    assert judged.returncode == 0, judged.stdout[-400:]
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", judged.stdout)
    assert found is not None
    assert float(found[1]) <= 1.3
