"""ThingsBoard upwards: records as telemetry, attributes, connects and replies.

Topics and fields: thingsboard.io, docs/reference/gateway-api/{overview,telemetry,rpc} and
docs/reference/mqtt-api; the server's own reading of them in AbstractGatewaySessionHandler.java and
JsonConverter.java.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.dialects.by_name import Directory, covering_last, gap_fields, replied_values
from gateway.dialects.contract import Birth
from gateway.dialects.json_text import json_bytes, text
from gateway.dialects.newest import Newest
from gateway.dialects.thingsboard.options import ThingsBoardDeviceOptions, ThingsBoardOptions
from gateway.dialects.thingsboard.pack import Row, json_value
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Publication
from gateway.model.quality import GOOD, Quality
from gateway.model.record import (
    Committed,
    EventBody,
    GapBody,
    Lane,
    LogBody,
    PropBody,
    ReplyBody,
    StateBody,
)

CONNECT, DISCONNECT = "v1/gateway/connect", "v1/gateway/disconnect"
TELEMETRY, ATTRIBUTES, RPC = "v1/gateway/telemetry", "v1/gateway/attributes", "v1/gateway/rpc"
OWN_TELEMETRY, OWN_ATTRIBUTES = "v1/devices/me/telemetry", "v1/devices/me/attributes"
OWN_REQUEST, OWN_RESPONSE = "v1/devices/me/rpc/request/", "v1/devices/me/rpc/response/"
SEVERITIES = ("INDETERMINATE", "WARNING", "MINOR", "MAJOR", "CRITICAL")
"""Ours, 0 to 4, in the words of AlarmSeverity.java."""
OWN = "me"
"""First part of the `rid` of what the gateway itself is asked; `rpc` for a device."""
_QUALITY = "__q"
_ACCEPTED = "accepted"


@dataclass(slots=True)
class Told:
    """Which quality the platform has of each point, so that only changes are sent.

    Forgotten at every connect: what was on its way then is sent again, perhaps after other values.
    A record that told one tells it again when it is encoded once more: its message may not have
    been taken.
    """

    _words: dict[tuple[DeviceId, str], tuple[str, int]] = field(
        default_factory=dict[tuple[DeviceId, str], tuple[str, int]]
    )

    def is_news(self, device: DeviceId, point: str, word: str, seq: int) -> bool:
        """Whether a word differs from what other records have told last of this point."""
        known, told_by = self._words.get((device, point), ("", seq))
        if known == word and told_by != seq:
            return False
        self._words[device, point] = word, seq
        return True

    def forget(self) -> None:
        """Take it that the platform knows nothing."""
        self._words.clear()


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the records of one sink."""

    options: ThingsBoardOptions
    directory: Directory[ThingsBoardDeviceOptions]
    steps: Newest = field(default_factory=Newest)
    """Of each alarm that stands as an attribute."""

    def name(self, device: DeviceId) -> str | None:
        """Return the platform's name of a device; None for the gateway itself."""
        return None if device == GATEWAY_ITSELF else self.directory.entry(device).id

    def rows(self, committed: Committed, body: PropBody, told: Told) -> tuple[Row, ...]:
        """Return the values of a record by the time at which they were taken, oldest first.

        Raises:
            ValueError: a value is not a finite number.
        """
        record = committed.record
        names = self.directory.entry(record.device).names
        found: dict[int, list[str]] = {}
        for index, point in enumerate(body.column.points):
            mark = GOOD if body.marks is None else body.marks[index]
            offset_ms = 0 if body.offsets_ms is None else body.offsets_ms[index]
            value, name = body.values[index], names.theirs(point)
            pairs = found.setdefault(record.ts_ms + offset_ms, [])
            if value is not None and mark.quality is Quality.GOOD:
                pairs.append(f"{text(name)}:{json_value(value)}")
            word = mark.reason or mark.quality.name.lower()
            if self.options.quality == "key" and told.is_news(
                record.device, point, word, committed.seq
            ):
                pairs.append(f"{text(name + _QUALITY)}:{text(word)}")
        return tuple(Row(at, tuple(found[at])) for at in sorted(found) if found[at])

    def write(self, committed: Committed) -> tuple[Publication, ...]:
        """Return the messages of anything but values, the last of which covers it."""
        match committed.record.body:
            case StateBody() as body:
                found = self._state(committed, body)
            case EventBody() as body:
                found = self._event(committed, body)
            case ReplyBody() as body:
                found = self._reply(committed, body)
            case GapBody() as body:
                found = (self._named(committed, "gap", gap_fields(body, committed.ep)),)
            case LogBody() as body:
                found = self._log(committed, body)
            case PropBody():
                found = ()  # rows, of many records in one message
        return covering_last(found, committed.seq)

    # --- devices

    def connect(self, device: DeviceId) -> Publication:
        """Return that a device is behind this gateway.

        Said before its first telemetry: the platform would make a device that it does not know
        with the profile `default` (GatewaySessionHandler).
        """
        entry = self.directory.entry(device)
        kind = entry.options.type or self.directory.kind(device)
        return _publication(CONNECT, {"device": entry.id, "type": kind})

    def gone(self, device: DeviceId) -> Publication:
        """Return that a device is behind this gateway no more; the platform keeps what it had."""
        return _publication(DISCONNECT, {"device": self.directory.entry(device).id})

    def offline(self, device: DeviceId, told: Mapping[str, Any]) -> tuple[Publication, ...]:
        """Return that a device does not answer; in this order, as attributes connect it anew."""
        return (self._attributes(device, {**told, "online": False}), self.gone(device))

    def birth(self, birth: Birth, limit: int) -> tuple[Publication, ...]:
        """Return what the platform may know of a device, as client attributes.

        Beyond `limit` bytes each of them alone, and without the one that is still too long: the
        platform would end the connection, and hear the same on the next.
        """
        names = self.directory.entry(birth.device).names
        told: dict[str, Any] = {
            "kind": birth.kind,
            "vendor": birth.vendor,
            "model": birth.model,
            "title": dict(birth.title) or None,
            "place": dict(birth.location) or None,
            "operator": birth.operator,
            "duty": birth.duty,
            "owner": birth.owner,
            "units": {names.theirs(one.id): one.unit for one in birth.points if one.unit} or None,
        }
        if birth.position is not None:
            told["longitude"], told["latitude"] = birth.position.lon, birth.position.lat
            told["position_system"] = birth.position.crs
        known = {key: value for key, value in told.items() if value is not None}
        whole = self._attributes(birth.device, known)
        if len(whole.payload) <= limit:
            return (whole,)
        single = (self._attributes(birth.device, {key: known[key]}) for key in known)
        return tuple(one for one in single if len(one.payload) <= limit)

    def _attributes(self, device: DeviceId, told: Mapping[str, Any]) -> Publication:
        name = self.name(device)
        if name is None:
            return _publication(OWN_ATTRIBUTES, told)
        return _publication(ATTRIBUTES, {name: told})

    # --- records

    def _state(self, committed: Committed, body: StateBody) -> Sequence[Publication]:
        device = committed.record.device
        if device == GATEWAY_ITSELF:
            return ()  # the connection itself says it
        told = {"online": True, "state_reason": body.reason, "state_since": body.since_ms}
        if not body.is_online:
            return self.offline(device, told)
        return (self.connect(device), self._attributes(device, told))

    def _event(self, committed: Committed, body: EventBody) -> Sequence[Publication]:
        """Return a step as telemetry, and whether it stands as an attribute for alarm rules.

        Two points of a device may raise the same type, so each has an attribute of its own.
        """
        device = committed.record.device
        names = self.directory.entry(device).names
        point = None if body.point is None else names.theirs(body.point)
        severity = SEVERITIES[body.severity]
        step = {
            "eid": body.eid,
            "severity": severity,
            "state": body.state,
            "point": point,
            "value": body.value,
            "threshold": body.threshold,
            "duty": body.duty,
            "detail": body.detail,
        }
        key = f"alarm_{body.type}" if point is None else f"alarm_{body.type}_{point}"
        stands = {key: body.state != "cleared", f"{key}_severity": severity}
        row = self._named(committed, f"event_{body.type}", step)
        if not self.steps.takes((device, key), committed):
            return (row,)
        return (row, self._attributes(device, stands))

    def _log(self, committed: Committed, body: LogBody) -> Sequence[Publication]:
        if not self.options.audit:
            return ()
        return (self._named(committed, "log", {"topic": body.topic, **dict(body.fields)}),)

    def _named(self, committed: Committed, key: str, told: Mapping[str, Any]) -> Publication:
        """Return one row of telemetry whose value is an object; nulls are left out."""
        record = committed.record
        plain = {k: v for k, v in told.items() if v is not None}
        row = {"ts": record.ts_ms, "values": {key: {**plain, "tq": record.tq.value}}}
        name = self.name(record.device)
        if name is None:
            return _publication(OWN_TELEMETRY, [row])
        return _publication(TELEMETRY, {name: [row]})

    # --- replies

    def _reply(self, committed: Committed, body: ReplyBody) -> Sequence[Publication]:
        """Return the reply to a request; `rid` is `rpc|id|digest|name`, or `me|id|digest|`."""
        if body.status == _ACCEPTED:
            return ()  # a request is answered once
        whose, _, rest = body.rid.partition("|")
        request_id, _, rest = rest.partition("|")
        _digest, _, name = rest.partition("|")
        names = self.directory.entry(committed.record.device).names
        told: dict[str, Any] = {
            "success": body.status == "done",
            "status": body.status,
            "code": body.code,
            "message": body.message,
            "value": body.value,
            "values": replied_values(body, names) or None,
        }
        data = {key: value for key, value in told.items() if value is not None}
        if whose == OWN:
            return (_publication(OWN_RESPONSE + request_id, data),)
        return (_publication(RPC, {"device": name, "id": int(request_id), "data": data}),)


def _publication(topic: str, message: object) -> Publication:
    return Publication(topic, json_bytes(message), Lane.EVENT)
