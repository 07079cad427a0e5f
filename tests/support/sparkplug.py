"""Sparkplug B as a host sees it, apart from our own encoder: Google's protobuf and a scripted host.

The message types of Sparkplug 3.0, chapter 6, are described here field by field: numbers and types
are facts of the wire; the schema file itself is not part of this repository.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

WAIT_S = 60.0
_Type = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "uint64": _Type.TYPE_UINT64,
    "uint32": _Type.TYPE_UINT32,
    "string": _Type.TYPE_STRING,
    "bytes": _Type.TYPE_BYTES,
    "bool": _Type.TYPE_BOOL,
    "float": _Type.TYPE_FLOAT,
    "double": _Type.TYPE_DOUBLE,
}
MESSAGES: Mapping[str, str] = {
    "Payload": "1 uint64 timestamp; 2 *Metric metrics; 3 uint64 seq; 4 string uuid; 5 bytes body",
    "Metric": "1 string name; 2 uint64 alias; 3 uint64 timestamp; 4 uint32 datatype; "
    "5 bool is_historical; 6 bool is_transient; 7 bool is_null; 9 PropertySet properties; "
    "10 uint32 int_value|; 11 uint64 long_value|; 12 float float_value|; 13 double double_value|; "
    "14 bool boolean_value|; 15 string string_value|; 16 bytes bytes_value|",
    "PropertySet": "1 *string keys; 2 *PropertyValue values",
    "PropertyValue": "1 uint32 type; 2 bool is_null; 3 uint32 int_value|; 4 uint64 long_value|; "
    "5 float float_value|; 6 double double_value|; 7 bool boolean_value|; 8 string string_value|; "
    "9 PropertySet propertyset_value|",
}
"""`number type name`; `*` is repeated, `|` one of `oneof value`. Fields that nobody here uses are
left out: a parser skips them."""


def _described() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="sparkplug_facts.proto", package="facts", syntax="proto2"
    )
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for text in fields.split("; "):
            number, kind, field_name = text.split(" ")
            is_repeated, kind = kind.startswith("*"), kind.removeprefix("*")
            one = message.field.add(
                name=field_name.removesuffix("|"),
                number=int(number),
                label=_Type.LABEL_REPEATED if is_repeated else _Type.LABEL_OPTIONAL,
            )
            if kind in _SCALARS:
                one.type = _SCALARS[kind]
            else:
                one.type, one.type_name = _Type.TYPE_MESSAGE, f".facts.{kind}"
            if field_name.endswith("|"):
                one.oneof_index = 0
        if "|" in fields:
            message.oneof_decl.add(name="value")
    return file


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_described())
_CLASSES = message_factory.GetMessageClassesForFiles(["sparkplug_facts.proto"], _POOL)
REBIRTH = {"name": "Node Control/Rebirth", "datatype": 11, "boolean_value": True}
ProtoPayload: Any = _CLASSES["facts.Payload"]
"""The class of payloads, made by Google's protobuf."""


# --- what a payload says, for people and for golden files


def shown(payload: bytes) -> dict[str, Any]:
    """Return a payload as readable JSON, by Google's parser."""
    proto = ProtoPayload.FromString(payload)
    found: dict[str, Any] = {"timestamp": proto.timestamp}
    if proto.HasField("seq"):
        found["seq"] = proto.seq
    found["metrics"] = [_metric(metric) for metric in proto.metrics]
    return found


def _metric(metric: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: getattr(metric, name)
        for name in ("name", "alias", "timestamp", "datatype", "is_historical", "is_null")
        if metric.HasField(name)
    }
    value = metric.WhichOneof("value")
    if value is not None:
        found[value] = getattr(metric, value)
    if metric.HasField("properties"):
        assert len(metric.properties.keys) == len(metric.properties.values)
        found["properties"] = {
            key: {"type": one.type, one.WhichOneof("value"): getattr(one, one.WhichOneof("value"))}
            for key, one in zip(metric.properties.keys, metric.properties.values, strict=True)
        }
    return found


def property_of(metric: Mapping[str, Any], key: str) -> Any:
    """Return a property's value, None when there is none."""
    found = metric.get("properties", {}).get(key)
    return None if found is None else next(v for k, v in found.items() if k != "type")


def value_of(metric: Mapping[str, Any]) -> Any:
    """Return a metric's value, whole numbers with their sign; None for null."""
    for name, value in metric.items():
        if name.endswith("_value"):
            is_signed = name == "long_value" and value >= 1 << 63
            return value - (1 << 64) if is_signed else value
    return None


def bd_seq_of(payload: Mapping[str, Any]) -> int:
    """Return the bdSeq of an NBIRTH or NDEATH, as `shown` gives it."""
    return value_of(next(metric for metric in payload["metrics"] if metric["name"] == "bdSeq"))


def command(*metrics: Mapping[str, Any], timestamp: int | None = 1_763_888_400_000) -> bytes:
    """Return the payload of a command, written by Google's protobuf."""
    proto = ProtoPayload()
    if timestamp is not None:
        proto.timestamp = timestamp
    for fields in metrics:
        proto.metrics.add(**fields)
    return proto.SerializeToString()


# --- a host


@dataclass(frozen=True, slots=True)
class Heard:
    """One message."""

    kind: str
    device: str | None
    payload: dict[str, Any]
    qos: int
    is_retained: bool


@dataclass(frozen=True, slots=True)
class Told:
    """One value."""

    device: str
    metric: str
    value: Any
    timestamp: int
    is_historical: bool


@dataclass(slots=True)
class Twin:
    """A device, or the node itself, as its births and data show it."""

    is_alive: bool = False
    names: dict[int, str] = field(default_factory=dict[int, str])
    """By alias."""
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """The newest of each that is no history."""


@dataclass(slots=True)
class HostRules:
    """What a host holds against the standard."""

    wrong: list[str] = field(default_factory=list[str])
    seq: int | None = None
    bd_seq: int | None = None
    is_alive: bool = False


class HostBook:
    """What a host keeps: twins of node and devices, and every breach that it saw."""

    def __init__(self) -> None:
        self.messages: list[Heard] = []
        self.told: list[Told] = []
        """All values, but nulls."""
        self.twins: dict[str, Twin] = {"": Twin()}
        self.rules = HostRules()

    def hear(self, topic: str, payload: bytes, *, qos: int = 0, is_retained: bool = False) -> None:
        """Take a message of the node; commands of other hosts are nothing to us."""
        words = topic.split("/")
        if words[2] in {"NCMD", "DCMD"}:
            return
        device = words[4] if len(words) > 4 else None
        heard = Heard(words[2], device, shown(payload), qos, is_retained)
        self._judge(heard)
        self._take(heard)
        self.messages.append(heard)

    def twin(self, device: str = "") -> Twin:
        """Return what is known of a device; "" is the node."""
        return self.twins.get(device, Twin())

    def value(self, device: str, metric: str) -> Any:
        """Return the newest value of a metric."""
        return value_of(self.twin(device).metrics.get(metric, {}))

    def seen(self, device: str, metric: str) -> list[Any]:
        """Return all values of a metric that came, in order; without nulls."""
        return [t.value for t in list(self.told) if (t.device, t.metric) == (device, metric)]

    def count(self, kind: str, device: str | None = None) -> int:
        """Return how many messages of a kind have come, of one device when it is named."""
        return sum(m.kind == kind and device in (None, m.device) for m in list(self.messages))

    def _judge(self, heard: Heard) -> None:
        """Hold a message against the standard (chapters 5 and 6)."""
        wrong = self.rules.wrong
        if heard.is_retained:
            wrong.append(f"{heard.kind} retained")
        if heard.kind == "NDEATH":
            wrong += ["NDEATH with seq"] if "seq" in heard.payload else []
            return
        if heard.qos != 0:
            wrong.append(f"{heard.kind} at QoS {heard.qos}")
        self._judge_order(heard)
        if heard.kind in {"DDATA", "DDEATH"} and not self.twin(heard.device or "").is_alive:
            wrong.append(f"{heard.kind} of {heard.device}, which is not alive")
        self._judge_metrics(heard)

    def _judge_order(self, heard: Heard) -> None:
        rules, seq = self.rules, heard.payload["seq"]
        if heard.kind == "NBIRTH":
            if seq != 0:
                rules.wrong.append(f"NBIRTH with seq {seq}")
        elif not rules.is_alive:
            rules.wrong.append(f"{heard.kind} before NBIRTH")
        elif seq != ((rules.seq or 0) + 1) % 256:
            rules.wrong.append(f"{heard.kind} has seq {seq} after {rules.seq}")
        rules.seq = seq

    def _judge_metrics(self, heard: Heard) -> None:
        is_birth = heard.kind.endswith("BIRTH")
        for metric in heard.payload["metrics"]:
            if not metric.get("timestamp"):
                self.rules.wrong.append(f"{heard.kind}: {metric} without a time")
            if is_birth and not ("name" in metric and "datatype" in metric):
                self.rules.wrong.append(f"{heard.kind}: {metric} without name or type")
            if not is_birth and ("name" in metric or "datatype" in metric):
                self.rules.wrong.append(f"{heard.kind}: {metric} with name or type")
            quality = metric.get("properties", {}).get("Quality")
            if quality is not None and quality not in (
                {"type": 3, "int_value": 0},
                {"type": 3, "int_value": 500},
                {"type": 3, "int_value": 192},
            ):
                self.rules.wrong.append(f"quality {quality}")

    def _take(self, heard: Heard) -> None:
        rules = self.rules
        match heard.kind:
            case "NBIRTH":
                rules.is_alive = True
                rules.bd_seq = bd_seq_of(heard.payload)
                for twin in self.twins.values():
                    twin.is_alive = False
                self._born("", heard)
            case "DBIRTH":
                self._born(heard.device or "", heard)
            case "DDEATH":
                self.twin(heard.device or "").is_alive = False
            case "NDEATH":
                if bd_seq_of(heard.payload) == rules.bd_seq:
                    rules.is_alive = False
                    for twin in self.twins.values():
                        twin.is_alive = False
            case _:
                self._told(heard.device or "", heard)

    def _born(self, device: str, heard: Heard) -> None:
        twin = self.twins.setdefault(device, Twin())
        metrics = heard.payload["metrics"]
        twin.is_alive = True
        twin.names = {m["alias"]: m["name"] for m in metrics if "alias" in m}
        twin.metrics = {m["name"]: m for m in metrics}
        for metric in metrics:
            self._note(device, metric["name"], metric)

    def _told(self, device: str, heard: Heard) -> None:
        twin = self.twins.setdefault(device, Twin())
        for metric in heard.payload["metrics"]:
            name = twin.names.get(metric["alias"])
            if name is None:
                self.rules.wrong.append(f"{heard.kind}: alias {metric['alias']} of no birth")
                continue
            self._note(device, name, metric)
            if not metric.get("is_historical"):
                twin.metrics[name] = metric

    def _note(self, device: str, name: str, metric: Mapping[str, Any]) -> None:
        value = value_of(metric)
        if value is not None:
            is_old = bool(metric.get("is_historical"))
            self.told.append(Told(device, name, value, metric["timestamp"], is_old))


class SparkplugHost(HostBook):
    """A host application in a thread.

        with SparkplugHost(broker.port, "hz", "gw-1") as host:
            host.wait(lambda: host.twin("em-1").is_alive, "em-1 born")

    It has a name when it is a primary host: then it says its state.
    """

    def __init__(self, port: int, group: str, node: str, *, name: str | None = None) -> None:
        super().__init__()
        self._group, self._node, self._name = group, node, name
        self._port = port
        self._state = b""
        self._news = threading.Condition()
        self._ready = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, client_id=""
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        """Connect, and return when the subscription stands."""
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._ready.wait(WAIT_S), "no subscription"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None
        del self._client  # paho closes its wake-up sockets only when it is collected

    # --- what is said

    def say_state(self, timestamp: int, *, is_online: bool) -> None:
        """Publish the state of this host, retained; again at every new connection."""
        self._state = json.dumps({"online": is_online, "timestamp": timestamp}).encode()
        self._say(f"spBv1.0/STATE/{self._name}", self._state, is_retained=True)

    def ask_rebirth(self) -> None:
        """Ask the node for all births."""
        self._say(f"spBv1.0/{self._group}/NCMD/{self._node}", command(REBIRTH))

    def write(self, device: str, metric: str, timestamp: int, **value: Any) -> None:
        """Write to a metric of a device, by its alias."""
        aliases = {name: alias for alias, name in self.twin(device).names.items()}
        payload = command({"alias": aliases[metric], **value}, timestamp=timestamp)
        self._say(f"spBv1.0/{self._group}/DCMD/{self._node}/{device}", payload)

    def _say(self, topic: str, payload: bytes, *, is_retained: bool = False) -> None:
        sent = self._client.publish(topic, payload, qos=1, retain=is_retained)
        sent.wait_for_publish(WAIT_S)
        assert sent.is_published()

    # --- what was heard

    def wait(self, is_true: Callable[[], object], what: str) -> None:
        """Return when something holds; looked at after every message."""
        with self._news:
            found = self._news.wait_for(is_true, WAIT_S)
            assert found, f"never: {what}; {[(m.kind, m.device) for m in self.messages][-20:]}"

    # --- paho's thread

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe(f"spBv1.0/{self._group}/#", qos=1)

    def _on_subscribe(self, *_: object) -> None:
        if self._state:
            self._client.publish(f"spBv1.0/STATE/{self._name}", self._state, 1, retain=True)
        self._ready.set()

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        payload = bytes(message.payload)
        with self._news:
            self.hear(message.topic, payload, qos=message.qos, is_retained=message.retain)
            self._news.notify_all()
