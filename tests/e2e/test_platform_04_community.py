"""Part 4: a twin is bound to devices by births and inventory alone; no home is named below L3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.kit_gateway import write_profile, write_site
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_slave import Slave
from tests.e2e.support_cli import linli
from tests.support.gateway_process import running_gateway
from tests.support.mosquitto import mosquitto

FLAT = """\
version: 1
profile: e2e/flat-meter
vendor: test
model: flat
title: {en: Meter of a flat, zh: 户表}
kind: meter.electricity
driver: modbus
verified: true
sources: [made for the test]
groups: {power: 200ms}
defaults: {group: power}
points:
  p_tot: {register: 0, type: u16, unit: W, value: float}
  relay: {table: coil, type: bool, register: 1, value: bool, access: rw, write: {}}
"""
BAY = """\
version: 1
profile: e2e/bay
vendor: test
model: bay
title: {en: Bay, zh: 车位}
kind: parking.space
driver: modbus
verified: true
sources: [made for the test]
groups: {state: 200ms}
points:
  status:
    register: 4
    type: u16
    value: enum
    enum: {0: free, 1: occupied}
    group: state
    events: [{type: state_changed, severity: 0, when: {equals: occupied}}]
"""
SITE = """\
version: 1
gateway:
  id: gw-4
  site: hz-fc-004
  clock: trusted
  title: {zh: 四号网关}
  location: {admin: "330106", area: "west"}
  position: {lon: 120.05, lat: 30.28, crs: "EPSG:4490"}
  operator: property co
sinks:
  open: {url: "mqtt://127.0.0.1:$PORT", root: open, client_id: a, max_level: L2}
  police: {url: "mqtt://127.0.0.1:$PORT", root: police, client_id: b, max_level: L4}
buses:
  net: {tcp: "127.0.0.1:$SLAVE"}
devices:
  - id: flat-501
    profile: e2e/flat-meter
    bus: net
    address: 1
    owner: grid co
    duty: energy
    location: {bldg: "3", floor: "5", room: "501", house_code: HC-501, cim_id: CIM-77}
    position: {lon: 120.0512, lat: 30.2805, height: 18.5, crs: GCJ-02}
  - id: bay-017
    profile: e2e/bay
    bus: net
    address: 2
    location: {zone: B1}
    position: {lon: 120.0501, lat: 30.2801, crs: "EPSG:4326"}
"""


def test_platform_04_a_twin_is_bound_by_births_and_by_the_inventory(tmp_path: Path) -> None:
    for name, text in (("e2e/flat-meter", FLAT), ("e2e/bay", BAY)):
        write_profile(tmp_path, name, text)
    with Slave() as slave, mosquitto(tmp_path) as broker:
        text = SITE.replace("$PORT", str(broker.port)).replace("$SLAVE", str(slave.port))
        site = write_site(tmp_path, text)
        births: dict[str, dict[str, Any]] = {}
        for root in ("open", "police"):
            with Platform(broker.port, root=root) as platform:
                with running_gateway(site, tmp_path):
                    for device in ("_", "flat-501", "bay-017"):
                        platform.wait_for("birth", device=device)
                births[root] = {one.device: one.body for one in platform.of("birth")}
    _check_gateway(births["open"]["_"])
    _check_what_a_level_hides(births)
    for sink in ("open", "police"):
        _check_inventory(tmp_path, site, sink, births[sink])


def _check_gateway(birth: dict[str, Any]) -> None:
    assert birth["loc"] == {"admin": "330106", "area": "west"}
    assert (birth["pos"], birth["crs"]) == ([120.05, 30.28], "EPSG:4490")
    assert birth["operator"] == "property co"


def _check_what_a_level_hides(births: dict[str, dict[str, Any]]) -> None:
    flat, bay = births["police"]["flat-501"], births["police"]["bay-017"]
    assert flat["loc"] == {
        "admin": "330106",
        "area": "west",
        "bldg": "3",
        "floor": "5",
        "room": "501",
        "house_code": "HC-501",
        "cim_id": "CIM-77",
    }
    assert (flat["pos"], flat["crs"]) == ([120.0512, 30.2805, 18.5], "GCJ-02")
    assert (flat["owner"], flat["operator"], flat["duty"]) == ("grid co", "property co", "energy")
    hidden = births["open"]["flat-501"]
    told = json.dumps(hidden)
    assert not any(secret in told for secret in ("HC-501", "CIM-77", "120.0512", '"501"'))
    assert "pos" not in hidden
    assert births["open"]["bay-017"]["pos"] == bay["pos"] == [120.0501, 30.2801]


def _check_inventory(base: Path, site: Path, sink: str, births: dict[str, Any]) -> None:
    def form(name: str) -> Any:
        return linli("inventory", site, "--for", sink, "--as", name, base=base).json()

    listed = {one["dev"]: one for one in form("native")["devices"]}
    for device in ("flat-501", "bay-017"):
        birth, entry = births[device], listed[device]
        for key in ("kind", "vendor", "model", "title", "loc"):
            assert entry[key] == birth[key], key
        assert entry.get("pos") == birth.get("pos")
        assert [p["p"] for p in entry["pts"]] == [p["p"] for p in birth["pts"]]
    entities = {one["id"]: one for one in form("ngsi_ld")}
    spot = entities["urn:ngsi-ld:ParkingSpot:hz-fc-004:gw-4:bay-017"]
    assert spot["location"]["value"] == {"type": "Point", "coordinates": [120.0501, 30.2801]}
    assert spot["refDevice"]["object"] in entities
    assert entities[spot["refParkingSite"]["object"]]["totalSpotNumber"]["value"] == 1
    assert "location" not in entities["urn:ngsi-ld:Device:hz-fc-004:gw-4:flat-501"]  # GCJ-02
    things = {one["id"]: one for one in form("wot")}
    bay = things["urn:linli:hz-fc-004:gw-4:bay-017"]
    assert bay["properties"]["status"]["enum"] == ["free", "occupied"]
    assert bay["events"]["state_changed"]["forms"][0]["href"].endswith("/up/event/bay-017")
    models = {one["product"]: one for one in form("alink")}
    identifiers = {p["identifier"]: p for p in models["meter.electricity"]["properties"]}
    assert identifiers["p_tot"]["dataType"]["type"] == "double"
    assert identifiers["relay"]["accessMode"] == "rw"
    (event,) = models["parking.space"]["events"]
    assert (event["identifier"], event["type"]) == ("state_changed", "info")
    products = {one["name"]: one["metadata"] for one in form("jetlinks")}
    (status,) = products["parking.space"]["properties"]
    assert [e["value"] for e in status["valueType"]["elements"]] == ["free", "occupied"]
