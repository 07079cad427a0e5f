"""Issue 5, part 1, dialect `homeassistant`: discovery, states, commands, on a real mosquitto."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kit_gateway import sink_status, until
from tests.support.gateway_process import running_gateway
from tests.support.home_assistant import UNAVAILABLE, HomeAssistant
from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.plant import CountingSlave, Plant

ONE_DEVICE = "{n: 1..1}"
QUICK = ("timeout: 1s,", "timeout: 300ms, offline_after: 2 polls,")
"""So that a device is offline soon."""


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    with CountingSlave() as slave:
        yield Plant(slave, tmp_path)


def site(plant: Plant, broker: Mosquitto, devices: str = "{n: 1..2}") -> Path:
    """Write the site, for the first of two devices or for both."""
    file = plant.site(
        f"""\
    dialect: homeassistant
    url: "mqtt://127.0.0.1:{broker.port}"
    options: {{language: zh}}
    devices:
      p-1: {{name: Plant, area: Cellar, ranges: {{level: 0..100}}}}
"""
    )
    text = file.read_text(encoding="utf-8").replace("{n: 1..2}", devices)
    file.write_text(text.replace(*QUICK), encoding="utf-8")
    return file


def test_homeassistant_finds_entities_sees_states_and_switches_one(plant: Plant) -> None:
    plant.slave.put(1, 0, 230)
    with mosquitto(plant.base) as broker, HomeAssistant(broker.port) as home:
        with running_gateway(site(plant, broker), plant.base) as gateway:
            home.until(home.shows("p-1", "level", "23.0"), "a number")
            home.until(home.shows("p-2", "wet", "OFF"), "a binary sensor")
            it_announces_what_it_has(home)
            it_obeys(home, plant)
            an_event_is_told_and_a_device_goes_and_comes(home, plant)
            with HomeAssistant(broker.port) as anew:
                anew.until(anew.shows("p-1", "level", "45.6"), "what the broker kept")
                assert anew.devices() == home.devices()
            gateway.kill()
            home.until(home.shows("p-1", "level", UNAVAILABLE), "the will")
            assert home.state("_", "online") == "offline"
        what_is_no_more_is_cleared(home, plant, broker)


def it_announces_what_it_has(home: HomeAssistant) -> None:
    level = home.entity("p-1", "level")
    assert (level["component"], level["unit_of_measurement"]) == ("number", "V")
    assert (level["min"], level["max"], level["device_class"]) == (0.0, 100.0, "voltage")
    assert level["device"]["suggested_area"] == "Cellar"
    assert level["device"]["via_device"] in home.entity("_", "online")["device"]["identifiers"]
    components = {
        point: home.entity("p-2", point)["component"] for point in ("count", "out_1", "wet")
    }
    assert components == {"count": "sensor", "out_1": "switch", "wet": "binary_sensor"}
    assert "command_topic" not in home.entity("p-2", "count")
    assert home.devices() == {"gw-20", "Plant", "机房 p-2"}
    assert home.state("_", "online") == "online"


def it_obeys(home: HomeAssistant, plant: Plant) -> None:
    home.set("p-2", "out_1", "ON")
    home.until(home.shows("p-2", "out_1", "ON"), "the switch is on")
    assert plant.slave.bit(2, 1)
    home.set("p-2", "out_1", "OFF")
    home.until(home.shows("p-2", "out_1", "OFF"), "the switch is off")
    assert not plant.slave.bit(2, 1)
    home.set("p-1", "level", "45.6")
    home.until(home.shows("p-1", "level", "45.6"), "the number is set")
    assert plant.slave.register(1, 0) == 456
    home.set("p-1", "level", "1000")
    home.until(lambda: failures(home), "a refusal is told")
    assert (failures(home)[0]["point"], failures(home)[0]["status"]) == ("level", "rejected")
    assert plant.slave.register(1, 0) == 456


def failures(home: HomeAssistant) -> list[dict[str, object]]:
    return [one for one in home.events if one["event_type"] == "command_failed"]


def an_event_is_told_and_a_device_goes_and_comes(home: HomeAssistant, plant: Plant) -> None:
    plant.slave.put_bit(2, 0, is_on=True)
    home.until(home.shows("p-2", "wet", "ON"), "it is wet")
    home.until(lambda: any(one.get("type") == "leak" for one in home.events), "the leak is told")
    leak = next(one for one in home.events if one.get("type") == "leak")
    assert (leak["event_type"], leak["severity"]) == ("raised", 3)
    plant.slave.silent.add(2)
    home.until(home.shows("p-2", "wet", UNAVAILABLE), "it goes")
    assert home.state("p-1", "level") == "45.6", "the other one stays"
    plant.slave.silent.discard(2)
    home.until(home.shows("p-2", "wet", "ON"), "it comes")


def what_is_no_more_is_cleared(home: HomeAssistant, plant: Plant, broker: Mosquitto) -> None:
    """A device leaves the site while the gateway is down."""
    with running_gateway(site(plant, broker, ONE_DEVICE), plant.base) as gateway:
        home.until(lambda: home.devices() == {"gw-20", "Plant"}, "its entities are gone")
        until(lambda: sink_status(gateway)["connected"], "connected")
        home.until(home.shows("p-1", "level", "45.6"), "it is back")
        assert gateway.stop() == 0
    home.until(home.shows("p-1", "level", UNAVAILABLE), "a goodbye")
    with HomeAssistant(broker.port) as anew:
        anew.until(lambda: anew.devices() == {"gw-20", "Plant"}, "nothing of it is kept")
