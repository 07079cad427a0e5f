"""Births of the native dialect: what a platform must know before it understands the rest."""

from __future__ import annotations

import json
from typing import Any

from gateway.dialects.contract import Birth, BirthPoint, DialectSetup


def birth_body(birth: Birth) -> str:
    """Return the fields of a device's birth as the inside of a JSON object."""
    return _inside(
        {
            "vendor": birth.vendor,
            "model": birth.model,
            "title": dict(birth.title),
            "loc": dict(birth.location),
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
            "sw": setup.software,
            "prev_ep": setup.previous_ep,
            "level": setup.sink.max_level,
            "ack": setup.sink.ack,
            "devices": devices,
        }
    )


def _point(point: BirthPoint) -> dict[str, Any]:
    found: dict[str, Any] = {
        "p": point.id,
        "t": point.type,
        "u": point.unit,
        "res": point.resolution,
        "pii": point.personal,
        "level": point.level,
    }
    if point.values:
        found["enum"] = list(point.values)
    if point.is_writable:
        found["w"] = True
    if point.is_cumulative:
        found["cum"] = True
    if point.title:
        found["title"] = dict(point.title)
    return found


def _inside(fields: dict[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)[1:-1]
