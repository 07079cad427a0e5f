"""JetLinks upwards: records as properties, events, states and replies.

Topics and fields: jetlinks-official-protocol, TopicMessageCodec.java, and the message classes of
jetlinks-core. One message carries one device at one time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.dialects.by_name import (
    Directory,
    covering_last,
    doubtful,
    event_fields,
    gap_fields,
    moments,
    replied_values,
)
from gateway.dialects.jetlinks.options import JetLinksDeviceOptions, JetLinksOptions
from gateway.dialects.json_text import json_bytes, text
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Publication
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

QUALITY_EVENT = "quality"
GAP_EVENT = "gap"
_ACCEPTED = "accepted"


class Topics:
    """`/{product}/{gateway}/…`; a child's are below `child/{id}`, its replies `child-reply/{id}`.

    The platform asks children below `child` and reads their replies below `child-reply` only:
    `child` is decoded as a message of its own, `child-reply` as the answer to one
    (TopicMessageCodec.java: child, childReply).
    """

    def __init__(self, product_id: str, device_id: str) -> None:
        """Take who we are on the platform."""
        self.base = f"/{product_id}/{device_id}"

    def of(self, child: str | None, what: str) -> str:
        """Return a topic of a child, or of the gateway itself."""
        return f"{self.base}/{what}" if child is None else f"{self.base}/child/{child}/{what}"

    def reply(self, child: str | None, what: str) -> str:
        """Return where a request is answered."""
        if child is None:
            return f"{self.base}/{what}/reply"
        return f"{self.base}/child-reply/{child}/{what}/reply"


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes the records of one sink."""

    options: JetLinksOptions
    topics: Topics
    directory: Directory[JetLinksDeviceOptions]

    def write(self, committed: Committed) -> tuple[Publication, ...]:
        """Return the messages of a record, the last of which covers it; () where there is none."""
        match committed.record.body:
            case PropBody() as body:
                found = self._prop(committed, body)
            case StateBody() as body:
                found = self._state(committed, body)
            case EventBody() as body:
                names = self.directory.entry(committed.record.device).names
                found = (self._named(committed, body.type, event_fields(body, names)),)
            case ReplyBody() as body:
                found = self._reply(committed, body)
            case GapBody() as body:
                found = (self._named(committed, GAP_EVENT, gap_fields(body, committed.ep)),)
            case LogBody() as body:
                found = self._log(committed, body)
        return found

    def child(self, device: DeviceId) -> str | None:
        """Return the platform's id of a child; None for the gateway itself."""
        return None if device == GATEWAY_ITSELF else self.directory.entry(device).id

    # --- values

    def _prop(self, committed: Committed, body: PropBody) -> tuple[Publication, ...]:
        """Return a report for each time at which values were taken."""
        record = committed.record
        names = self.directory.entry(record.device).names
        doubts = "" if self.options.bad_values == "omit" else doubtful(body, names)
        taken = [(at.ts_ms, at.values) for at in moments(body, record.ts_ms, names)]
        ahead: list[Publication] = []
        if doubts and self.options.bad_values == "property":
            newest_ms, values = taken.pop() if taken else (record.ts_ms, "")
            taken.append((newest_ms, f'{values}{"," if values else ""}"_q":{{{doubts}}}'))
        elif doubts:
            fields = {"points": json.loads(f"{{{doubts}}}")}
            ahead.append(self._named(committed, QUALITY_EVENT, fields, covers=not taken))
        reports = [
            self._report(committed, number, at_ms, values)
            for number, (at_ms, values) in enumerate(taken)
        ]
        return (*ahead, *covering_last(reports, committed.seq))

    def _report(self, committed: Committed, number: int, at_ms: int, values: str) -> Publication:
        identity = _identity(committed) + (f"-{number}" if number else "")
        payload = f'{{"messageId":"{identity}","timestamp":{at_ms},"properties":{{{values}}}}}'
        topic = self.topics.of(self.child(committed.record.device), "properties/report")
        return Publication(topic, payload.encode(), Lane.TELEMETRY)

    # --- events

    def _named(
        self, committed: Committed, name: str, fields: Mapping[str, Any], *, covers: bool = True
    ) -> Publication:
        """Return an event of the thing model."""
        record = committed.record
        message = {
            "messageId": _identity(committed) + ("-q" if name == QUALITY_EVENT else ""),
            "timestamp": record.ts_ms,
            "data": {**fields, "tq": record.tq.value},
        }
        return Publication(
            self.topics.of(self.child(record.device), f"event/{name}"),
            json_bytes(message),
            Lane.TELEMETRY if isinstance(record.body, PropBody) else Lane.EVENT,
            (committed.seq,) if covers else (),
        )

    def _state(self, committed: Committed, body: StateBody) -> tuple[Publication, ...]:
        record = committed.record
        child = self.child(record.device)
        if child is None:
            return ()  # the connection itself says it
        state = state_message(
            self.topics,
            child,
            record.ts_ms,
            is_online=body.is_online,
            identity=_identity(committed),
        )
        return covering_last([state], committed.seq)

    def _log(self, committed: Committed, body: LogBody) -> tuple[Publication, ...]:
        if not self.options.audit:
            return ()
        told = ", ".join(f"{key}={value}" for key, value in body.fields)
        message = {
            "messageId": _identity(committed),
            "timestamp": committed.record.ts_ms,
            "log": f"{body.topic}: {told}",
        }
        topic = self.topics.of(self.child(committed.record.device), "log")
        return (Publication(topic, json_bytes(message), Lane.EVENT, (committed.seq,)),)

    # --- replies

    def _reply(self, committed: Committed, body: ReplyBody) -> tuple[Publication, ...]:
        """Return the reply to a request; `rid` is `what|child|function|message id`."""
        if body.status == _ACCEPTED:
            return ()  # a request is answered once
        what, _, rest = body.rid.partition("|")
        child, _, rest = rest.partition("|")
        function, _, message_id = rest.partition("|")
        is_done = body.status == "done"
        message: dict[str, Any] = {
            "messageId": message_id,
            "timestamp": committed.record.ts_ms,
            "success": is_done,
        }
        if not is_done:
            message["code"] = body.code or body.status
            message["message"] = body.message or body.status
        names = self.directory.entry(committed.record.device).names
        values = replied_values(body, names)
        if what == "function/invoke":
            message["functionId"] = function
            output = {"status": body.status, "code": body.code, "value": body.value}
            told = {key: value for key, value in output.items() if value is not None}
            message["output"] = {**told, "values": values}
        else:
            message["properties"] = values
        topic = self.topics.reply(child or None, what)
        return (Publication(topic, json_bytes(message), Lane.EVENT, (committed.seq,)),)


def state_message(
    topics: Topics, child: str, at_ms: int, *, is_online: bool, identity: str | None = None
) -> Publication:
    """Return that a child went online or offline; without a record its id is made of the time."""
    topic = topics.of(child, "online" if is_online else "offline")
    message_id = identity or f"{child}-{at_ms}"
    payload = f'{{"messageId":{text(message_id)},"timestamp":{at_ms}}}'
    return Publication(topic, payload.encode(), Lane.EVENT)


def register_message(topics: Topics, child: str, at_ms: int) -> Publication:
    """Return the wish to bind a child to this gateway.

    jetlinks-docs, basics-guide/jetlinks-protocol-support.md.
    """
    message = {"messageId": f"{child}-{at_ms}-r", "deviceId": child, "timestamp": at_ms}
    return Publication(topics.of(child, "register"), json_bytes(message), Lane.EVENT)


def _identity(committed: Committed) -> str:
    return f"{committed.ep}-{committed.seq}"
