"""Births of the native dialect: what a platform must know before it understands the rest."""

from __future__ import annotations

import json
from typing import Any

from gateway.dialects.contract import Birth, BirthPoint, Configuration, DialectSetup
from gateway.settings.site_place import Position


def birth_body(birth: Birth) -> str:
    """Return the fields of a device's birth as the inside of a JSON object."""
    return _inside(
        {
            "vendor": birth.vendor,
            "model": birth.model,
            "title": dict(birth.title),
            "loc": dict(birth.location),
            **_position(birth.position),
            **_said(owner=birth.owner, operator=birth.operator, duty=birth.duty),
            "verified": birth.is_verified,
            "pts": [_point(point) for point in birth.points],
        }
    )


def gateway_birth_body(setup: DialectSetup, devices: int) -> str:
    """Return the fields of the gateway's own birth; `prev_ep` links to the store before."""
    return _inside(
        {
            "site": setup.gateway.site,
            "tz": setup.gateway.timezone,
            "title": dict(setup.gateway.title),
            **_said(loc=dict(setup.gateway.location.parts), operator=setup.gateway.operator),
            **_position(setup.gateway.location.position),
            "sw": setup.software,
            "prev_ep": setup.previous_ep,
            "level": setup.sink.max_level,
            "ack": setup.sink.ack,
            "devices": devices,
            **_configuration(setup.configuration()),
        }
    )


def _configuration(found: Configuration | None) -> dict[str, Any]:
    if found is None:
        return {}
    return {"cfg": {"hash": found.hash, "version": found.version, "state": found.state}}


def _said(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return those of which the site says something."""
    return {name: value for name, value in fields.items() if value}


def _position(position: Position | None) -> dict[str, Any]:
    if position is None:
        return {}
    height = [] if position.height is None else [position.height]
    return {"pos": [position.lon, position.lat, *height], "crs": position.crs}


def _point(point: BirthPoint) -> dict[str, Any]:
    found: dict[str, Any] = {
        "p": point.id,
        "t": point.type,
        "u": point.unit,
        "res": point.resolution,
        "pii": point.personal,
        "level": point.level,
        **_said(basis=point.basis, retain_d=point.retain_days, tf=point.transform),
    }
    if point.values:
        found["enum"] = list(point.values)
    if point.is_writable:
        found["w"] = True
    if point.is_cumulative:
        found["cum"] = True
    if point.derived_from:
        found["derived_from"] = list(point.derived_from)
    if point.title:
        found["title"] = dict(point.title)
    return found


def _inside(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)[1:-1]
