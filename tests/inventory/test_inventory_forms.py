"""What the published models and schemas demand, and what the dialects then send."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from gateway.dialects.alink.profile import AlinkProfile
from gateway.dialects.alink.text import Writer
from gateway.dialects.by_name import PointNames, event_fields
from gateway.inventory import ngsi_ld
from gateway.model.record import EventBody
from tests.inventory.inventory_site import OPEN, TWIN, an_inventory, made

EVENT = EventBody(
    "e-1", "under_voltage", 2, "raised", "u_a", 170.0, 180.0, "energy", "below its limit"
)
KINDS = Path("config/kinds")
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
"""RFC 3986, 2: no other character stands in a URI."""

# smart-data-models/dataModel.Device, Device/model.yaml
CATEGORIES = frozenset(
    [
        "actuator",
        "beacon",
        "endgun",
        "HVAC",
        "implement",
        "irrSection",
        "irrSystem",
        "meter",
        "multimedia",
        "network",
        "sensor",
    ]
)
CONTROLLED = frozenset(
    [
        "airPollution",
        "atmosphericPressure",
        "averageVelocity",
        "batteryLife",
        "batterySupply",
        "cdom",
        "conductance",
        "conductivity",
        "depth",
        "eatingActivity",
        "electricityConsumption",
        "energy",
        "fillingLevel",
        "freeChlorine",
        "gasConsumption",
        "gateOpening",
        "heading",
        "humidity",
        "light",
        "location",
        "milking",
        "motion",
        "movementActivity",
        "noiseLevel",
        "occupancy",
        "orp",
        "pH",
        "power",
        "precipitation",
        "pressure",
        "refractiveIndex",
        "salinity",
        "smoke",
        "soilMoisture",
        "solarRadiation",
        "speed",
        "tds",
        "temperature",
        "trafficFlow",
        "tss",
        "turbidity",
        "waterConsumption",
        "waterFlow",
        "waterLevel",
        "waterPollution",
        "weatherConditions",
        "weight",
        "windDirection",
        "windSpeed",
    ]
)
REQUIRED = {
    "Device": {"id", "type", "category", "controlledProperty"},
    "ParkingSpot": {"id", "type", "location", "status", "category", "refParkingSite"},
    "OffStreetParking": {"id", "type", "location"},
}


# --- NGSI-LD


@pytest.mark.parametrize("sink", [OPEN, TWIN])
def test_every_entity_has_what_its_model_requires(sink: str) -> None:
    for entity in made("ngsi_ld", sink):
        assert REQUIRED[entity["type"]] <= entity.keys(), entity["id"]
        assert URI.fullmatch(entity["id"]), entity["id"]
        for name, attribute in entity.items():
            if name in {"id", "type", "@context"}:
                continue
            assert attribute["type"] in {"Property", "Relationship", "GeoProperty"}, name
            assert ("object" in attribute) is (attribute["type"] == "Relationship"), name


def test_every_word_of_a_device_is_one_of_the_model() -> None:
    devices = [one for one in made("ngsi_ld", TWIN) if one["type"] == "Device"]
    assert devices
    for device in devices:
        assert CATEGORIES.issuperset(device["category"]["value"])
        assert CONTROLLED.issuperset(device["controlledProperty"]["value"])
    assert CONTROLLED.issuperset(ngsi_ld.WATCHED.values())
    assert all((KINDS / f"{kind}.yaml").is_file() for kind in ngsi_ld.WATCHED)


def test_a_space_without_location_is_no_spot_and_counts_all_the_same() -> None:
    entities = {one["id"]: one for one in made("ngsi_ld", TWIN)}
    spots = [one for one in entities.values() if one["type"] == "ParkingSpot"]
    (spot,) = spots
    assert spot["refDevice"]["object"] in entities
    site = entities[spot["refParkingSite"]["object"]]
    assert site["name"]["value"] == "地下一层:东"
    assert site["totalSpotNumber"]["value"] == 2
    assert "urn:ngsi-ld:Device:hz-fc-003:gw-3:bay-018" in entities


def test_positions_of_other_systems_are_not_taken_for_wgs_84() -> None:
    entities = {one["id"]: one for one in made("ngsi_ld", TWIN)}
    assert "location" not in entities["urn:ngsi-ld:Device:hz-fc-003:gw-3:flat-501"]


# --- W3C Thing Descriptions: td-json-schema-validation.json of version 1.1


def test_every_description_has_what_the_schema_of_1_1_requires() -> None:
    for thing in made("wot", TWIN):
        assert thing["@context"][0] == "https://www.w3.org/2022/wot/td/v1.1"
        assert {"title", "security", "securityDefinitions", "@context"} <= thing.keys()
        assert set(thing["security"]) <= thing["securityDefinitions"].keys()
        assert URI.fullmatch(thing["id"])
        for found in thing["properties"].values():
            assert found["type"] in {"boolean", "integer", "number", "string"}
            values = found.get("enum", ["any"])
            assert values, "minItems 1"
            assert len(values) == len(set(values)), "uniqueItems"
            _check_forms(found["forms"], {"observeproperty", "unobserveproperty", "readproperty"})
        for found in thing["events"].values():
            _check_forms(found["forms"], {"subscribeevent", "unsubscribeevent"})


def _check_forms(forms: list[dict[str, Any]], operations: set[str]) -> None:
    assert forms
    for form in forms:
        assert operations.issuperset(form["op"])
        assert re.fullmatch(r"[A-Za-z0-9_/-]+", form["href"]), "a relative reference, no wildcard"


def test_what_can_only_be_written_is_not_observed() -> None:
    house = next(one for one in made("wot", TWIN) if one["id"].endswith(":house-3"))
    assert list(house["properties"]) == ["p_tot", "pulses"]
    assert house["properties"]["pulses"]["type"] == "integer"


def test_a_description_says_how_one_logs_in() -> None:
    schemes = {
        sink: made("wot", sink)[0]["securityDefinitions"]["login"]["scheme"]
        for sink in (OPEN, TWIN)
    }
    assert schemes == {OPEN: "nosec", TWIN: "basic"}
    assert made("wot", TWIN)[0]["base"] == "mqtts://platform.example:8883/"


# --- thing models, and what the dialects send


@pytest.mark.parametrize("profile", ["aliyun", "onenet"])
def test_an_alink_event_has_the_outputs_of_its_model(profile: str) -> None:
    model = next(one for one in made("alink", TWIN) if one["product"] == "meter.electricity")
    (event,) = model["events"]
    outputs = {one["identifier"]: one["dataType"]["type"] for one in event["outputData"]}
    sent = json.loads(Writer(_profile(profile), in_seconds=False).event(EVENT, 0).json)
    assert sent.keys() <= outputs.keys()
    assert len(sent) == len(outputs)
    for name, value in sent.items():
        if profile == "aliyun":
            assert isinstance(value, {"text": str, "int": int, "double": float}[outputs[name]])


def _profile(name: str) -> AlinkProfile:
    module = import_module(f"gateway.dialects.alink.profiles.{name}")
    return next(one for one in vars(module).values() if isinstance(one, AlinkProfile))


def test_a_counter_is_no_int_of_32_bits() -> None:
    model = next(one for one in made("alink", TWIN) if one["product"] == "meter.electricity~2")
    types = {one["identifier"]: one["dataType"]["type"] for one in model["properties"]}
    assert types == {"p_tot": "double", "pulses": "double"}


def test_an_enumeration_is_a_text_of_tsl_as_we_send_its_names() -> None:
    model = next(one for one in made("alink", TWIN) if one["product"] == "parking.space")
    (status,) = model["properties"]
    assert status["dataType"]["type"] == "text"
    assert status["desc"] == "free | occupied"


def test_a_jetlinks_event_has_the_fields_of_its_metadata() -> None:
    product = next(one for one in made("jetlinks", TWIN) if one["name"] == "meter.electricity")
    (event,) = product["metadata"]["events"]
    fields = {one["id"] for one in event["valueType"]["properties"]}
    assert fields == set(event_fields(EVENT, PointNames({})))


def test_ids_of_jetlinks_products_are_plain() -> None:
    ids = [one["id"] for one in made("jetlinks", TWIN)]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", id_) for id_ in ids)


def test_tags_say_the_place_with_its_reference_system() -> None:
    (flat, *_) = an_inventory(TWIN).things
    assert (flat.tags["pos"], flat.tags["crs"]) == ("120.0512,30.2805,18.5", "GCJ-02")
    (hidden, *_) = an_inventory(OPEN).things
    assert hidden.tags == {
        "admin": "330106",
        "bldg": "3",
        "unit": "2",
        "floor": "5",
        "operator": "某物业",
        "duty": "energy",
    }
