"""NGSI-LD entities after the smart data models: a Device for each device, and what it watches.

Sources: ETSI GS CIM 009 (Property, Relationship, GeoProperty, `unitCode`), and
smart-data-models: dataModel.Device/Device (`category`, `controlledProperty`, both closed lists),
dataModel.Parking/ParkingSpot (required: location, status, category, refParkingSite) and
OffStreetParking. GeoJSON knows WGS 84 only (RFC 7946): CGCS2000 differs from it by less than a
metre; positions in GCJ-02 and BD-09 are left out of `location`, not converted.
"""

from __future__ import annotations

from typing import Any

from gateway.inventory.contract import Form, Inventory, Thing
from gateway.settings.site_place import Position

_CONTEXT = [
    "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
    "https://raw.githubusercontent.com/smart-data-models/data-models/master/context.jsonld",
]
_GEOJSON_SYSTEMS = frozenset({"EPSG:4326", "EPSG:4490"})
_METERS = "meter."
_WATCHED = {
    "meter.electricity": "electricityConsumption",
    "meter.water": "waterConsumption",
    "meter.gas": "gasConsumption",
    "meter.heat": "energy",
    "pv.inverter": "power",
    "charger.ev": "electricityConsumption",
    "charger.ebike": "electricityConsumption",
    "parking.space": "occupancy",
    "parking.zone": "occupancy",
    "parking.barrier": "gateOpening",
    "security.door": "gateOpening",
    "security.pir": "motion",
    "security.smoke": "smoke",
    "fire.detector": "smoke",
    "fire.water": "pressure",
    "level.tank": "waterLevel",
    "manhole": "waterLevel",
    "bin.smart": "fillingLevel",
    "env.climate": "temperature",
    "env.weather": "weatherConditions",
    "env.soil": "soilMoisture",
    "light.street": "light",
}
"""`controlledProperty` by our kind: only words of the model's list, and kinds that one fits."""


def make(inventory: Inventory) -> list[dict[str, Any]]:
    """Return the entities; kinds for which the model has no word become no Device."""
    entities: list[dict[str, Any]] = []
    for thing in inventory.things:
        if thing.device.kind in _WATCHED:
            entities.append(_device(inventory, thing))
        if thing.device.kind == "parking.space":
            entities.append(_spot(inventory, thing))
    sites = {str(e["refParkingSite"]["object"]) for e in entities if e["type"] == "ParkingSpot"}
    entities.extend(_site(inventory, urn) for urn in sorted(sites))
    return entities


def _device(inventory: Inventory, thing: Thing) -> dict[str, Any]:
    device = thing.device
    is_driven = any(point.write for point in thing.points)
    category = "meter" if device.kind.startswith(_METERS) else "sensor"
    entity = {
        "id": _urn(inventory, "Device", device.id),
        "type": "Device",
        "name": _property(thing.title("zh")),
        "category": _property([category, "actuator"] if is_driven else [category]),
        "controlledProperty": _property([_WATCHED[device.kind]]),
        "supportedProtocol": _property(["mqtt"]),
        "source": _property(f"{inventory.topics}/up/+/{device.id}"),
        "kind": _property(device.kind),
    }
    if device.owner:
        entity["owner"] = _property([device.owner])
    if device.operator:
        entity["provider"] = _property(device.operator)
    if thing.places:
        entity["place"] = _property(dict(thing.places))
    return {**entity, **_location(thing.position), "@context": _CONTEXT}


def _spot(inventory: Inventory, thing: Thing) -> dict[str, Any]:
    zone = thing.places.get("zone", inventory.gateway.site)
    return {
        "id": _urn(inventory, "ParkingSpot", thing.device.id),
        "type": "ParkingSpot",
        "name": _property(thing.title("zh")),
        "status": _property("unknown"),
        "category": _property(["offStreet"]),
        "refDevice": _relation(_urn(inventory, "Device", thing.device.id)),
        "refParkingSite": _relation(_urn(inventory, "OffStreetParking", zone)),
        **_location(thing.position),
        "@context": _CONTEXT,
    }


def _site(inventory: Inventory, urn: str) -> dict[str, Any]:
    spots = sum(
        thing.device.kind == "parking.space"
        and urn
        == _urn(inventory, "OffStreetParking", thing.places.get("zone", inventory.gateway.site))
        for thing in inventory.things
    )
    return {
        "id": urn,
        "type": "OffStreetParking",
        "name": _property(urn.rpartition(":")[2]),
        "occupancyDetectionType": _property(["singleSpaceDetection"]),
        "totalSpotNumber": _property(spots),
        **_location(inventory.gateway.location.position),
        "@context": _CONTEXT,
    }


def _urn(inventory: Inventory, kind: str, name: str) -> str:
    return f"urn:ngsi-ld:{kind}:{inventory.gateway.site}:{inventory.gateway.id}:{name}"


def _property(value: object) -> dict[str, Any]:
    return {"type": "Property", "value": value}


def _relation(urn: str) -> dict[str, Any]:
    return {"type": "Relationship", "object": urn}


def _location(position: Position | None) -> dict[str, Any]:
    if position is None or position.crs not in _GEOJSON_SYSTEMS:
        return {}
    height = [] if position.height is None else [position.height]
    point = {"type": "Point", "coordinates": [position.lon, position.lat, *height]}
    return {"location": {"type": "GeoProperty", "value": point}}


FORM = Form(make, "NGSI-LD entities after the smart data models")
