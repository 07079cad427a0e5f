"""Part 3, the inner half: what is made before the store, what is kept, and what the disk shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kit_gateway import asked, linli, status, until, write_profile, write_site
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_slave import Slave
from tests.support.gateway_process import running_gateway
from tests.support.mosquitto import Mosquitto, mosquitto

CANARY = "CANARY8K"
BAYS = 6
HOME = """\
version: 1
profile: e2e/home
vendor: test
model: home
title: {en: Home, zh: 住户}
kind: security.pir
driver: modbus
verified: true
sources: [made for the test]
groups: {state: 100ms}
defaults: {group: state}
points:
  active:
    table: discrete
    register: 100
    type: bool
    value: bool
    pii: P0
    level: L1
    keep: event_only
    events: [{type: motion, severity: 1, when: {equals: true}}]
  lux: {register: 50, type: u16, value: int, unit: lx, pii: P0, level: L1}
"""
CAMERA = """\
version: 1
profile: e2e/lpr-inner
vendor: test
model: camera
title: {en: Camera, zh: 相机}
kind: parking.lpr
driver: modbus
verified: true
sources: [made for the test]
groups: {state: 100ms}
points: {plate: {register: 0, type: str, length: 4}}
"""


@dataclass(frozen=True, slots=True)
class Lot:
    """A car park with a home beside it, and the broker of its platform."""

    slave: Slave
    broker: Mosquitto
    base: Path

    def site(self, *, more: str = "") -> Path:
        """Write the site file."""
        return write_site(
            self.base,
            f"""\
version: 1
gateway: {{id: gw-03, site: e2e, clock: trusted}}
store: {{commit_every: 50ms{more}}}
defaults: {{timeout: 1s, retries: 0}}
sinks: {{platform: {{url: "mqtt://127.0.0.1:{self.broker.port}", max_level: L1}}}}
buses: {{net: {{tcp: "127.0.0.1:{self.slave.port}"}}}}
devices:
  - id: bay-{{n}}
    each: {{n: 1..{BAYS}}}
    profile: generic/bay-input
    bus: net
    address: 1
    set: {{input: "{{n}}"}}
    poll: 100ms
  - {{id: home-1, profile: e2e/home, bus: net, address: 1}}
  - {{id: lpr-1, profile: e2e/lpr-inner, bus: net, address: 2}}
derived:
  - id: zone-1
    kind: parking.zone
    location: {{zone: B1}}
    min_group: 5
    points:
      occupied: {{count: "bay-*/status", equals: occupied}}
      free:
        count: "bay-*/status"
        equals: free
        events: [{{type: full, when: {{below: 1}}}}]
""",
        )

    def park(self, *taken: int) -> None:
        """Let these bays be taken, and no others."""
        for bay in range(1, BAYS + 1):
            self.slave.put_bit(1, bay - 1, is_on=bay in taken)


@pytest.fixture
def lot(tmp_path: Path) -> Iterator[Lot]:
    write_profile(tmp_path, "e2e/home", HOME)
    write_profile(tmp_path, "e2e/lpr-inner", CAMERA)
    with Slave() as slave, mosquitto(tmp_path) as broker:
        slave.put(2, 0, *(int.from_bytes(CANARY.encode()[n : n + 2]) for n in (0, 2, 4, 6)))
        yield Lot(slave, broker, tmp_path)


def points(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a message says of points: value, or None where it has none."""
    return {entry["p"]: entry["v"] for entry in body.get("pts", ())}


def disk(folder: Path) -> bytes:
    """Return every byte below a folder."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_zone_is_counted_and_the_bays_events_and_births_say_so(lot: Lot) -> None:
    lot.park(1, 2)
    with Platform(lot.broker.port) as platform, running_gateway(lot.site(), lot.base) as gateway:
        birth = platform.wait_for("birth", lambda body: body.get("dev") == "zone-1").body
        made_of = {point["p"]: point["derived_from"] for point in birth["pts"]}
        assert made_of["free"] == [f"bay-{n}/status" for n in range(1, BAYS + 1)]
        assert (birth["kind"], birth["loc"]["zone"]) == ("parking.zone", "B1")
        platform.wait_for("prop", lambda body: points(body) == {"occupied": 2, "free": 4})
        lot.park(*range(1, BAYS + 1))
        platform.wait_for("prop", lambda body: points(body) == {"occupied": 6, "free": 0})
        full = platform.wait_for("event", lambda body: body.get("type") == "full").body
        assert (full["dev"], full["p"], full["st"]) == ("zone-1", "free", "raised")
        assert status(gateway)["derived"] == 1
        with Platform(lot.broker.port, root="fc") as second:
            assert second.wait_for("birth", lambda body: body.get("dev") == "zone-1")
    shown = linli(lot.base, "explain", str(lot.base / "site.yaml"), "zone-1/free")
    assert shown.returncode == 0
    assert "bay-1/status, bay-2/status" in shown.stdout
    assert "at least 5 of 6 members" in shown.stdout


def test_of_an_event_only_point_nothing_but_its_events_is_kept_or_sent(lot: Lot) -> None:
    lot.park()
    with Platform(lot.broker.port) as platform, running_gateway(lot.site(), lot.base) as gateway:
        platform.wait_for("prop", lambda body: "lux" in points(body))
        lot.slave.put_bit(1, 100, is_on=True)
        raised = platform.wait_for("event", lambda body: body.get("type") == "motion").body
        assert (raised["dev"], raised["st"], raised["val"]) == ("home-1", "raised", None)
        lot.slave.put_bit(1, 100, is_on=False)
        platform.wait_for("event", lambda b: (b.get("type"), b["st"]) == ("motion", "cleared"))
        stored = [
            json.loads(line)
            for lane in ("telemetry", "event")
            for line in asked(gateway, "outbox", what="show", lane=lane, most=10_000, personal=True)
        ]
        sent = [message.body for message in platform.of("prop", "home-1")]
        birth = next(message.body for message in platform.of("birth", "home-1") if message.body)
    kept = [record for record in stored if record["dev"] == "home-1" and "pts" in record]
    assert kept
    assert sent
    assert not any("active" in record["pts"] for record in kept)
    assert not any("active" in points(body) for body in sent)
    assert [point["p"] for point in birth["pts"]] == ["lux"]


def test_a_plate_is_nowhere_on_the_disk_and_comes_back_with_the_key(lot: Lot) -> None:
    lot.park()
    state = lot.base / "state"

    def shown(gateway: Any, *, personal: bool) -> str:
        lines = asked(
            gateway, "outbox", what="show", lane="telemetry", most=10_000, personal=personal
        )
        return "\n".join(line for line in lines if '"lpr-1"' in line)

    with running_gateway(lot.site(), lot.base) as gateway:
        until(lambda: CANARY in shown(gateway, personal=True), "the plate is stored")
        assert shown(gateway, personal=False)
        assert CANARY not in shown(gateway, personal=False)
        assert CANARY.encode() not in disk(state)
        gateway.process.kill()
        gateway.process.wait()
    assert CANARY.encode() not in disk(state)
    assert (state / "outbox.key").stat().st_mode & 0o777 == 0o600
    salvaged = linli(lot.base, "outbox", "salvage", str(state / "outbox"))
    assert CANARY in salvaged.stdout, "the search would see it"
    (state / "outbox.key").rename(lot.base / "outbox.key")
    blind = linli(lot.base, "outbox", "salvage", str(state / "outbox"))
    assert CANARY not in blind.stdout
    assert "sealed: give their key" in blind.stderr
    again = linli(
        lot.base, "outbox", "salvage", str(state / "outbox"), "--key", str(lot.base / "outbox.key")
    )
    assert CANARY in again.stdout
    assert CANARY.encode() not in (lot.base / "gateway.log").read_bytes()


def test_a_wrong_key_is_told_and_the_right_one_finds_all(lot: Lot) -> None:
    lot.park()
    keys = lot.base / "credentials"
    keys.mkdir()
    site = lot.site(more=", key: {credential: store}")
    missing = linli(lot.base, "run", "-c", str(site))
    assert (missing.returncode, "LG-SEC-03" in missing.stderr) == (78, True)
    (keys / "store").write_text("11" * 32, encoding="ascii")
    with running_gateway(site, lot.base) as gateway:
        until(lambda: status(gateway)["committed"] > 0, "something is stored")
    (keys / "store").write_text("22" * 32, encoding="ascii")
    with running_gateway(site, lot.base) as gateway:
        assert "sealed with key" in str(status(gateway)["outbox"]["refusing"])
    assert not list((lot.base / "state" / "outbox").glob("*.corrupt-*"))
    (keys / "store").write_text("22" * 32 + "\n" + "11" * 32, encoding="ascii")
    with running_gateway(site, lot.base) as gateway:
        found = asked(gateway, "outbox", what="status")
        assert (found["refusing"], found["lost"]) == (None, 0)
        assert not (lot.base / "state" / "outbox.key").exists()
