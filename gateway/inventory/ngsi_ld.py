"""NGSI-LD entities after the smart data models: a Device for each device, and what it watches.

Sources: ETSI GS CIM 009 (Property, Relationship, GeoProperty, `unitCode`), and
smart-data-models: dataModel.Device/Device (`category`, `controlledProperty`, both closed lists),
dataModel.Parking/ParkingSpot (required: location, status, category, refParkingSite) and
OffStreetParking (required: location). A parking space without a location that GeoJSON knows is a
Device and no ParkingSpot; it counts in its zone all the same. `kind`, `place` and `duty` are ours.
GeoJSON knows WGS 84 only (RFC 7946): CGCS2000 differs from it by less than a
metre; positions in GCJ-02 and BD-09 are left out of `location`, not converted.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from gateway.inventory.contract import Form, Inventory, Thing
from gateway.settings.site_place import Position

_CONTEXT = [
    "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
    "https://raw.githubusercontent.com/smart-data-models/data-models/master/context.jsonld",
]
_GEOJSON_SYSTEMS = frozenset({"EPSG:4326", "EPSG:4490"})
_METERS = "meter."
_SPACE = "parking.space"
WATCHED = {
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
    zones: dict[str, list[Thing]] = {}
    for thing in inventory.things:
        if thing.device.kind in WATCHED:
            entities.append(_device(inventory, thing))
        if thing.device.kind == _SPACE:
            zones.setdefault(_zone(inventory, thing), []).append(thing)
    for zone, spaces in sorted(zones.items()):
        placed = [space for space in spaces if _location(space.position)]
        entities.extend(_spot(inventory, space) for space in placed)
        where = inventory.gateway.location.position
        location = _location(where) or (_location(placed[0].position) if placed else {})
        if location:
            entities.append(_site(inventory, zone, len(spaces)) | location)
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
        "controlledProperty": _property([WATCHED[device.kind]]),
        "supportedProtocol": _property(["mqtt"]),
        "kind": _property(device.kind),
    }
    if topic := inventory.topic("+", thing):
        entity["source"] = _property(topic)
    if device.duty:
        entity["duty"] = _property(device.duty)
    if device.owner:
        entity["owner"] = _property([device.owner])
    if device.operator:
        entity["provider"] = _property(device.operator)
    if thing.places:
        entity["place"] = _property(dict(thing.places))
    return {**entity, **_location(thing.position), "@context": _CONTEXT}


def _spot(inventory: Inventory, thing: Thing) -> dict[str, Any]:
    return {
        "id": _urn(inventory, "ParkingSpot", thing.device.id),
        "type": "ParkingSpot",
        "name": _property(thing.title("zh")),
        "status": _property("unknown"),
        "category": _property(["offStreet"]),
        "refDevice": _relation(_urn(inventory, "Device", thing.device.id)),
        "refParkingSite": _relation(_urn(inventory, "OffStreetParking", _zone(inventory, thing))),
        **_location(thing.position),
        "@context": _CONTEXT,
    }


def _site(inventory: Inventory, zone: str, spots: int) -> dict[str, Any]:
    return {
        "id": _urn(inventory, "OffStreetParking", zone),
        "type": "OffStreetParking",
        "name": _property(zone),
        "occupancyDetectionType": _property(["singleSpaceDetection"]),
        "totalSpotNumber": _property(spots),
        "@context": _CONTEXT,
    }


def _zone(inventory: Inventory, thing: Thing) -> str:
    """Return the zone of a parking space, else the whole site."""
    return thing.places.get("zone", inventory.gateway.site)


def _urn(inventory: Inventory, kind: str, name: str) -> str:
    """Return the id of an entity: a URI, whatever the site calls a zone."""
    gateway = inventory.gateway
    return f"urn:ngsi-ld:{kind}:{gateway.site}:{gateway.id}:{quote(name, safe='')}"


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
