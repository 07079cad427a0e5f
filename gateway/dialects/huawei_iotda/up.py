"""Huawei IoTDA upwards: records as reports, statuses, messages and responses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.dialects.by_name import (
    Directory,
    Entry,
    doubtful,
    event_fields,
    gap_fields,
    moments,
    named_values,
)
from gateway.dialects.huawei_iotda.messages import Gathered, Topics
from gateway.dialects.huawei_iotda.options import (
    HuaweiDeviceOptions,
    HuaweiOptions,
    sample_time,
)
from gateway.dialects.json_text import json_bytes, text, value_text
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Publication
from gateway.model.reading import Value
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

_ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the records of one sink."""

    options: HuaweiOptions
    topics: Topics
    directory: Directory[HuaweiDeviceOptions]

    def write(self, committed: Committed, into: Gathered) -> bool:
        """Add a record; return False where the platform has no word for it."""
        match committed.record.body:
            case PropBody() as body:
                is_said = self._prop(committed, body, into)
            case StateBody() as body:
                is_said = self._state(committed, body, into)
            case EventBody() as body:
                is_said = self._event(committed, body, into)
            case ReplyBody() as body:
                is_said = self._reply(committed, body, into)
            case GapBody() as body:
                into.message(self._message(committed, "gap", gap_fields(body, committed.ep)))
                is_said = True
            case LogBody() as body:
                is_said = self._log(committed, body, into)
        return is_said

    def service_of(self, device: DeviceId) -> str:
        """Return the service under which a device's points are known."""
        own = self.directory.entry(device).options.service_id
        return own or self.options.service_id or self.directory.kind(device)

    # --- values

    def _prop(self, committed: Committed, body: PropBody, into: Gathered) -> bool:
        record = committed.record
        names = self.directory.entry(record.device).names
        doubts = "" if self.options.bad_values == "omit" else doubtful(body, names)
        taken = [(at.ts_ms, at.values) for at in moments(body, record.ts_ms, names)]
        if doubts and self.options.bad_values == "property":
            taken = _with_last(taken, record.ts_ms, f'"_q":{{{doubts}}}')
        elif doubts:
            fields = {"points": json.loads(f"{{{doubts}}}")}
            told = self._message(committed, "quality", fields, covers=not taken)
            if not taken:
                into.message(told)
                return True
            into.ahead(told)
        if not taken:
            return False
        if self.options.sequence:
            identity = f'"_seq":"{committed.ep}-{committed.seq}"'
            taken = [(at_ms, f"{values},{identity}") for at_ms, values in taken]
        service = self.service_of(record.device)
        services = [_service(service, values, at_ms) for at_ms, values in taken]
        self._report(committed, services, Lane.TELEMETRY, into)
        return True

    def _report(
        self, committed: Committed, services: Sequence[str], lane: Lane, into: Gathered
    ) -> None:
        device = committed.record.device
        if device == GATEWAY_ITSELF:
            payload = f'{{"services":[{",".join(services)}]}}'.encode()
            into.message(Publication(self.topics.own_report, payload, lane, (committed.seq,)))
        else:
            into.report(self.directory.entry(device).id, services, committed.seq, lane)

    # --- events

    def _state(self, committed: Committed, body: StateBody, into: Gathered) -> bool:
        record = committed.record
        if record.device == GATEWAY_ITSELF:
            return False  # the connection itself says it
        theirs = self.directory.entry(record.device).id
        into.status(theirs, committed.seq, record.ts_ms, is_online=body.is_online)
        return True

    def _event(self, committed: Committed, body: EventBody, into: Gathered) -> bool:
        names = self.directory.entry(committed.record.device).names
        fields = {"eid": body.eid, "type": body.type, **event_fields(body, names)}
        if self.options.events == "message":
            into.message(self._message(committed, "event", fields))
            return True
        plain = {key: _plain(key, value) for key, value in fields.items() if value is not None}
        values = json_bytes(plain).decode()[1:-1]
        service = _service(self.options.event_service, values, committed.record.ts_ms)
        self._report(committed, [service], Lane.EVENT, into)
        return True

    def _log(self, committed: Committed, body: LogBody, into: Gathered) -> bool:
        if self.options.audit:
            fields = {"topic": body.topic, "fields": dict(body.fields)}
            into.message(self._message(committed, "log", fields))
        return self.options.audit

    def _message(
        self, committed: Committed, name: str, fields: Mapping[str, Any], *, covers: bool = True
    ) -> Publication:
        """Return a device message; the platform does not look into its content."""
        record = committed.record
        content = {**fields, "time": record.ts_ms, "tq": record.tq.value}
        payload = {
            "object_device_id": self._theirs(record.device),
            "name": name,
            "id": f"{committed.ep}-{committed.seq}",
            "content": content,
        }
        return Publication(
            self.topics.messages,
            json_bytes(payload),
            Lane.TELEMETRY if isinstance(record.body, PropBody) else Lane.EVENT,
            (committed.seq,) if covers else (),
        )

    def _theirs(self, device: DeviceId) -> str:
        if device == GATEWAY_ITSELF:
            return self.options.device_id
        return self.directory.entry(device).id

    # --- answers

    def _reply(self, committed: Committed, body: ReplyBody, into: Gathered) -> bool:
        """Add the response to a request; `rid` is `kind:request id:command name`."""
        if body.status == _ACCEPTED:
            return False  # a request is answered once
        kind, _, rest = body.rid.partition(":")
        request_id, _, name = rest.partition(":")
        entry = self.directory.entry(committed.record.device)
        topic, payload = self._answer(kind, request_id, _Answer(committed, body, entry, name))
        into.message(Publication(topic, json_bytes(payload), Lane.EVENT, (committed.seq,)))
        return True

    def _answer(self, kind: str, request_id: str, answer: _Answer) -> tuple[str, dict[str, Any]]:
        match kind:
            case "set":
                return self.topics.response("properties/set", request_id), answer.of_set()
            case "get":
                service = self.service_of(answer.committed.record.device)
                topic = self.topics.response("properties/get", request_id)
                return topic, answer.of_get(service)
            case _:
                return self.topics.response("commands", request_id), answer.of_command()


@dataclass(frozen=True, slots=True)
class _Answer:
    """A receipt as the three responses of the platform."""

    committed: Committed
    body: ReplyBody
    entry: Entry[HuaweiDeviceOptions]
    name: str

    def of_set(self) -> dict[str, Any]:
        """iot_06_v5_3008.html: 0 is success, everything else is not."""
        return {"result_code": self._code(), "result_desc": self._text()}

    def of_get(self, service: str) -> dict[str, Any]:
        """iot_06_v5_3011.html: services only; it has no word for a failure."""
        values = self._values()
        at = sample_time(self.committed.record.ts_ms)
        one = {"service_id": service, "properties": values, "event_time": at}
        return {"services": [one] if values else []}

    def of_command(self) -> dict[str, Any]:
        """iot_06_v5_3014.html; the parameters are ours, as the product model must define them."""
        body = self.body
        told = {"status": body.status, "code": body.code, "message": body.message}
        paras: dict[str, Any] = {key: value for key, value in told.items() if value is not None}
        if body.point is not None:
            paras["point"] = self.entry.names.theirs(body.point)
        if body.value is not None:  # also the token that `arm` is answered with
            paras["value"] = body.value
        values = self._values()
        if values:
            paras["values"] = values
        name = f"{self.name}_response" if self.name else "response"
        return {"result_code": self._code(), "response_name": name, "paras": paras}

    def _code(self) -> int:
        return 0 if self.body.status == "done" else 1

    def _text(self) -> str:
        parts = (self.body.status, self.body.code, self.body.message)
        return ": ".join(part for part in parts if part)

    def _values(self) -> dict[str, Any]:
        readback = self.body.readback
        return {} if readback is None else named_values(readback, self.entry.names)


def _service(service: str, values: str, at_ms: int) -> str:
    return (
        f'{{"service_id":{text(service)},"properties":{{{values}}},'
        f'"event_time":"{sample_time(at_ms)}"}}'
    )


def _with_last(taken: Sequence[tuple[int, str]], at_ms: int, more: str) -> list[tuple[int, str]]:
    """Return the moments with a property more in the newest, or in one of its own."""
    if not taken:
        return [(at_ms, more)]
    newest_ms, values = taken[-1]
    return [*taken[:-1], (newest_ms, f"{values},{more}")]


def _plain(key: str, value: Value) -> Value:
    """Return an event's field as a property of one type: values of points are texts there."""
    if key == "severity" or isinstance(value, str):
        return value
    return value_text(value)
