"""What a Sparkplug host says: commands to node and devices, and whether it is there. Total."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from math import isfinite
from typing import Any, cast

from gateway.dialects.asked import end_ms
from gateway.dialects.contract import Dropped, Now, Received
from gateway.dialects.sparkplug_b.metrics import EVENT, Board, Known, as_type
from gateway.dialects.sparkplug_b.wire import Metric, NotSparkplug, Payload, decode_payload
from gateway.dialects.strict_json import NotStrictJson, loads
from gateway.model.command import BadCommand, Command, Op
from gateway.model.ids import DeviceId, PointId, is_id
from gateway.model.publication import Arrival
from gateway.model.reading import Value

REBIRTH = "Node Control/Rebirth"
MAX_TEXT = 200
MAX_METRICS = 100
"""Commands in one message."""


class Wrong(Exception):
    """The message is not obeyed; the code is stable, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def dropped(arrival: Arrival, reason: str) -> Received:
    """Return that a message was not obeyed."""
    return Received(dropped=(Dropped(arrival.topic, reason),))


def read_payload(arrival: Arrival) -> Payload:
    """Return the payload of a command.

    Raises:
        Wrong: it is none, or may be from any time.
    """
    if arrival.is_retained:
        raise Wrong("retained", "retained: it may be from any time")
    try:
        payload = decode_payload(arrival.payload)
    except NotSparkplug as error:
        raise Wrong("not_sparkplug", str(error)) from error
    if len(payload.metrics) > MAX_METRICS:
        raise Wrong("too_many", f"{len(payload.metrics)} metrics; at most {MAX_METRICS}")
    return payload


def asks_rebirth(payload: Payload) -> bool:
    """Whether a command to the node asks for all births, among whatever else."""
    return any(metric.name == REBIRTH and metric.value is True for metric in payload.metrics)


def strange_orders(arrival: Arrival, payload: Payload) -> tuple[Dropped, ...]:
    """Return what a command asks of the node that it does not have."""
    names = [metric.name or f"alias {metric.alias}" for metric in payload.metrics]
    return tuple(
        Dropped(arrival.topic, f"the node has no command {name[:64]!r}")
        for name in names
        if name != REBIRTH
    )


# --- commands to devices


@dataclass(frozen=True, slots=True)
class Order:
    """A message that writes to a device."""

    arrival: Arrival
    device: DeviceId
    payload: Payload
    now: Now
    ttl_ms: int


def read_commands(order: Order, board: Board) -> tuple[Command | BadCommand, ...]:
    """Return one command for each metric of a message."""
    return tuple(_command(order, board, metric) for metric in order.payload.metrics)


def _command(order: Order, board: Board, metric: Metric) -> Command | BadCommand:
    sink = order.arrival.sink
    known = board.find(order.device, metric)
    rid = _rid(order, metric, known)
    try:
        point, value = _set(metric, known)
    except Wrong as wrong:
        return BadCommand(sink, rid, order.device, wrong.code, str(wrong))
    expires_ms = end_ms(order.now.ms, order.payload.timestamp_ms, order.ttl_ms)
    return Command(sink, rid, Op.SET, order.device, ((point, value),), (), expires_ms)


def _rid(order: Order, metric: Metric, known: Known | None) -> str:
    """Return an id that the same message has again when it comes twice: Sparkplug has none.

    A host that sends no time has no ids either: then each message is a new one.
    """
    said_ms = order.payload.timestamp_ms
    name = f"{known.name if known else metric.name or metric.alias}"
    what = sha256(f"{order.device}/{name}={metric.value!r}".encode()).hexdigest()[:16]
    return f"dcmd:{order.now.ms if said_ms is None else said_ms}:{what}"


def _set(metric: Metric, known: Known | None) -> tuple[PointId, Value]:
    name = known.name if known is not None else metric.name
    if name is None or not is_id(name) or name.startswith(EVENT):
        what = f"{metric.name!r}"[:64] if metric.name else f"alias {metric.alias}"
        raise Wrong("no_point", f"{what} is no metric that can be written")
    return PointId(name), _checked(metric.value, known)


def _checked(value: Value | None, known: Known | None) -> Value:
    if value is None:
        raise Wrong("bad_value", "null, or a type of Sparkplug that no point has")
    if isinstance(value, float) and not isfinite(value):
        raise Wrong("bad_value", "a value must be a finite number")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise Wrong("bad_value", f"a text value has at most {MAX_TEXT} characters")
    if known is None:
        return value
    try:
        typed = as_type(value, known.datatype)
    except ValueError as error:
        raise Wrong("bad_value", str(error)) from error
    assert typed is not None  # noqa: S101 - only null becomes null
    return typed


# --- the primary host


@dataclass(frozen=True, slots=True)
class HostState:
    """What `spBv1.0/STATE/{host}` says (Sparkplug 3.0, chapter 5)."""

    is_online: bool
    timestamp_ms: int


def read_state(arrival: Arrival) -> HostState:
    """Return the state of a host.

    Raises:
        Wrong: it is no birth or death certificate of a host.
    """
    try:
        found = loads(arrival.payload)
    except NotStrictJson as error:
        raise Wrong("bad_json", str(error)) from error
    if not isinstance(found, dict):
        raise Wrong("bad_json", "not a JSON object")
    fields = cast("dict[str, Any]", found)
    online, timestamp = fields.get("online"), fields.get("timestamp")
    if not isinstance(online, bool):
        raise Wrong("bad_json", "`online` must be true or false")
    if isinstance(timestamp, bool) or not isinstance(timestamp, int):
        raise Wrong("bad_json", "`timestamp` must be UTC milliseconds")
    return HostState(online, timestamp)
