"""`sinks:`, `gateway:` and `store:` -> what the upper rooms read."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.model.ids import GatewayId, SinkName, SiteId
from gateway.settings.checking import Spot
from gateway.settings.models.common import SecretEntry
from gateway.settings.models.place import PositionEntry
from gateway.settings.models.sink import SinkEntry, TlsEntry
from gateway.settings.models.site import GatewayEntry, StoreEntry
from gateway.settings.privacy import make_allow, make_payload, make_transforms, privacy_places
from gateway.settings.problems import Problems, shown
from gateway.settings.secret_entry import make_secret
from gateway.settings.site import Gateway, Store
from gateway.settings.site_place import Location, Position
from gateway.settings.site_sinks import Broker, Option, Sink, Tls
from gateway.settings.where import Where

MQTT_PORT = 1883
MQTTS_PORT = 8883
_URL = re.compile(
    r"(mqtts?)://(?P<user>[^/@]*@)?(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9][A-Za-z0-9._-]{0,252}))"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)
_ROOT = re.compile(r"[A-Za-z0-9_-]{1,64}(?:/[A-Za-z0-9_-]{1,64}){0,7}")


def make_gateway(entry: GatewayEntry, spot: Spot, problems: Problems) -> Gateway:
    """Return who we are."""
    try:
        zoneinfo.ZoneInfo(entry.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        place = spot.at("timezone")
        problems.add("LG-SITE-03", place.where, place.text, found=shown(entry.timezone))
    return Gateway(
        id=GatewayId(entry.id),
        site=SiteId(entry.site),
        timezone=entry.timezone,
        clock=entry.clock,
        title=entry.title,
        location=Location(entry.location, make_position(entry.position)),
        operator=entry.operator,
    )


def make_position(entry: PositionEntry | None) -> Position | None:
    """Return a point on the map."""
    return None if entry is None else Position(entry.lon, entry.lat, entry.height, entry.crs)


def make_sink(name: str, entry: SinkEntry, spot: Spot, problems: Problems) -> Sink:
    """Return one platform."""
    brokers = [_broker(url, spot.at("url", index), problems) for index, url in enumerate(entry.url)]
    known = [broker for broker in brokers if broker is not None]
    if entry.tls is not None and known and not any(broker.use_tls for broker in known):
        problems.add("LG-SITE-07", spot.at("tls").where, spot.at("tls").text)
    for index, broker in enumerate(brokers):
        if broker is not None and broker in brokers[:index]:
            place = spot.at("url", index)
            problems.add("LG-SITE-08", place.where, place.text, found=str(broker))
    first = known[0] if known else Broker("", 0)
    if not _ROOT.fullmatch(entry.root):
        at = spot.at("root")
        problems.add("LG-VAL-14", at.where, at.text, found=shown(entry.root))
    if entry.credentials is not None and entry.password is not None:
        facts = {"key": "password", "other": "credentials"}
        problems.add("LG-DEV-13", spot.at_key("password"), spot.text, **facts)
    return Sink(
        SinkName(name),
        entry.dialect,
        first.host,
        first.port,
        first.use_tls,
        spot.where,
        root=entry.root,
        tls=_tls(entry.tls),
        username=entry.username,
        password=make_secret(entry.password),
        credentials=make_secret(entry.credentials),
        client_id=entry.client_id,
        max_level=entry.max_level,
        ack=entry.ack,
        window=entry.window,
        keepalive_s=round(entry.keepalive),
        mqtt=entry.mqtt,
        others=tuple(known[1:]),
        backfill_share=entry.backfill_share,
        hold_unheard=entry.hold_unheard,
        options=_options(entry.options),
        devices={pattern: _options(given) for pattern, given in entry.devices.items()},
        places={**dict(_places(entry, spot)), **dict(privacy_places(entry, spot))},
        allow=make_allow(entry),
        transforms=make_transforms(entry),
        payload=make_payload(entry.payload),
    )


def _options(given: Mapping[str, Any]) -> dict[str, Option]:
    return {name: _option(value) for name, value in given.items()}


def _option(value: Any) -> Option:  # noqa: ANN401 - checked by its model
    return make_secret(value) if isinstance(value, SecretEntry) else value


def _places(entry: SinkEntry, spot: Spot) -> Iterator[tuple[str, Where]]:
    for name in entry.options:
        yield f"options.{name}", spot.at("options").at_key(name)
    for pattern, given in entry.devices.items():
        yield f"devices.{pattern}", spot.at("devices").at_key(pattern)
        for name in given:
            yield f"devices.{pattern}.{name}", spot.at("devices", pattern).at_key(name)


def _broker(url: str, place: Spot, problems: Problems) -> Broker | None:
    """Return where a platform is reached, None when that is no address."""
    match = _URL.fullmatch(url)
    port = int(match["port"] or 0) if match else 0
    if match is None or port > 65535 or (match["port"] and not port):  # noqa: PLR2004 - 16 bits
        problems.add("LG-SITE-04", place.where, place.text, found=_without_login(url))
        return None
    if match["user"]:
        problems.add("LG-SEC-02", place.where, place.text)
    use_tls = match[1] == "mqtts"
    host = match["v6"] or match["host"]
    return Broker(host, port or (MQTTS_PORT if use_tls else MQTT_PORT), use_tls)


def make_store(entry: StoreEntry) -> Store:
    """Return the bounds of the outbox."""
    return Store(entry.quota, entry.commit_every, entry.commit_readings, make_secret(entry.key))


def _tls(entry: TlsEntry | None) -> Tls:
    if entry is None:
        return Tls()
    key = make_secret(entry.key)
    return Tls(
        Path(entry.ca) if entry.ca else None,
        Path(entry.certificate) if entry.certificate else None,
        Path(key.name) if key and key.kind == "file" else key,
    )


def _without_login(url: str) -> str:
    return str(shown(re.sub(r"//[^/]*@", "//…@", url)))


__all__ = ["make_gateway", "make_position", "make_secret", "make_sink", "make_store"]
