"""What a Sparkplug host knows of us after our births: every metric with its alias and newest value.

A metric must stand in a birth before data may speak of it, and births carry current values: so
this remembers them. Aliases are unique over node and devices and are never used twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.dialects.contract import Birth, BirthPoint
from gateway.dialects.sparkplug_b.wire import DataType, Metric, encode_metric
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.quality import GOOD, Mark, Quality
from gateway.model.reading import Value

QUALITY = "Quality"
UNIT = "engUnit"
REASON = "Reason"
"""A property of our own: why a value is not good, or that it is simulated (`qr`)."""
EVENT = "Event/"
_TYPES = {
    "float": DataType.DOUBLE,
    "int": DataType.INT64,
    "bool": DataType.BOOLEAN,
    "enum": DataType.STRING,
    "text": DataType.STRING,
}
_NOT_YET = {QUALITY: Quality.STALE}
_MOST_OPEN = 1000
"""Events of one kind that stand at the same time; beyond it the oldest are forgotten."""


@dataclass(slots=True)
class Known:
    """One metric as the host knows it. A value of None is null."""

    name: str
    alias: int
    datatype: DataType
    unit: str | None = None
    value: Value | None = None
    ts_ms: int | None = None
    properties: Mapping[str, Value] = field(default_factory=lambda: _NOT_YET)
    open: dict[str, None] = field(default_factory=dict[str, None])
    """Of an event: the ids that stand."""

    def born(self, now_ms: int) -> Metric:
        """Return it for a birth: with name, alias, type, unit and its newest value."""
        unit: dict[str, Value] = {} if self.unit is None else {UNIT: self.unit}
        return Metric(
            self.value,
            now_ms if self.ts_ms is None else self.ts_ms,
            self.name,
            self.alias,
            self.datatype,
            properties={**unit, **self.properties},
        )

    def now(
        self,
        value: Value | None,
        ts_ms: int,
        properties: Mapping[str, Value],
        *,
        is_historical: bool = False,
    ) -> bytes:
        """Return a value of it for a data message; the newest one is kept for births.

        Raises:
            ValueError: the value is not of its type.
        """
        typed = as_type(value, self.datatype)
        encoded = encode_metric(
            Metric(
                typed,
                ts_ms,
                alias=self.alias,
                is_historical=is_historical,
                properties=properties,
            )
        )
        if not is_historical or self.ts_ms is None or ts_ms >= self.ts_ms:
            self.value, self.ts_ms, self.properties = typed, ts_ms, properties
        return encoded


def as_type(value: Value | None, datatype: DataType) -> Value | None:
    """Return the value as it is sent under that type.

    Raises:
        ValueError: it cannot be.
    """
    match datatype, value:
        case _, None:
            return None
        case DataType.DOUBLE, int() | float() if not isinstance(value, bool):
            return float(value)
        case ((DataType.INT64 | DataType.DATETIME), int()) if not isinstance(value, bool):
            return value
        case DataType.BOOLEAN, bool():
            return value
        case DataType.STRING, str():
            return value
        case _:
            raise ValueError(f"{value!r} is no {datatype.name}")


def marks_of(mark: Mark) -> Mapping[str, Value]:
    """Return the properties that tell of a quality: nothing for what is simply good."""
    if mark == GOOD:
        return {}
    reason: dict[str, Value] = {} if mark.reason is None else {REASON: mark.reason}
    if mark.quality is Quality.GOOD:
        return reason
    return {QUALITY: mark.quality, **reason}


class Board:
    """All metrics of the node and its devices."""

    def __init__(self) -> None:
        """Know of the node, and of no metric."""
        self._aliases: dict[tuple[DeviceId, str], int] = {}
        self._by_alias: dict[int, tuple[DeviceId, str]] = {}
        self._births: dict[DeviceId, Birth] = {}
        self._metrics: dict[DeviceId, dict[str, Known]] = {GATEWAY_ITSELF: {}}
        self._events: list[tuple[DeviceId, str]] = []
        """In the order in which they were first told of."""

    @property
    def devices(self) -> Iterable[DeviceId]:
        """The devices, in the order of their births."""
        return self._births

    def use(self, births: Sequence[Birth]) -> tuple[set[DeviceId], set[DeviceId]]:
        """Take all births of a site; return devices whose birth is new, and those that went."""
        fresh = {birth.device: birth for birth in births}
        changed = {device for device, birth in fresh.items() if self._births.get(device) != birth}
        gone = self._births.keys() - fresh.keys()
        for device in gone:
            del self._metrics[device]
        for device, birth in fresh.items():
            if device in changed:
                self._renew(birth)
        self._births = fresh
        return changed, gone

    def of(self, owner: DeviceId) -> Mapping[str, Known] | None:
        """Return the metrics of a device or of the node by name; None when it is not there."""
        return self._metrics.get(owner)

    def find(self, owner: DeviceId, metric: Metric) -> Known | None:
        """Return the metric that a command means, by alias or by name."""
        metrics = self._metrics.get(owner, {})
        if metric.name:
            return metrics.get(metric.name)
        whose, name = self._by_alias.get(metric.alias or 0, (None, ""))
        return metrics.get(name) if whose == owner else None

    def has_event(self, owner: DeviceId, kind: str) -> bool:
        """Whether the births tell of that kind of event already."""
        return EVENT + kind in self._metrics[owner]

    def of_node(self, name: str, datatype: DataType, value: Value | None = None) -> Known:
        """Return a new metric of the node; one with a value has it at every birth."""
        known = self._add(GATEWAY_ITSELF, name, datatype)
        if value is not None:
            known.value, known.properties = value, {}
        return known

    def event(self, owner: DeviceId, kind: str) -> Known:
        """Return the metric of a kind of event, made when it is new."""
        known = self._metrics[owner].get(EVENT + kind)
        if known is None:
            self._events.append((owner, EVENT + kind))
            known = self._add(owner, EVENT + kind, DataType.BOOLEAN)
        return known

    @property
    def events(self) -> int:
        """How many metrics of events there are."""
        return len(self._events)

    def forget_events(self, beyond: int) -> None:
        """Forget the metrics of events that are beyond so many; no birth has told of them."""
        for owner, name in self._events[beyond:]:
            self._metrics.get(owner, {}).pop(name, None)
        del self._events[beyond:]

    def _renew(self, birth: Birth) -> None:
        """Keep what is known of points that stay as they are, and of events."""
        before = self._metrics.get(birth.device, {})
        kept = {name: known for name, known in before.items() if name.startswith(EVENT)}
        self._metrics[birth.device] = {}
        for point in birth.points:
            known = self._add(birth.device, point.id, _TYPES[point.type], point)
            old = before.get(point.id)
            if old is not None and (old.datatype, old.unit) == (known.datatype, known.unit):
                self._metrics[birth.device][point.id] = old
        self._metrics[birth.device] |= kept

    def _add(
        self, owner: DeviceId, name: str, datatype: DataType, point: BirthPoint | None = None
    ) -> Known:
        alias = self._aliases.setdefault((owner, name), len(self._aliases) + 1)
        self._by_alias[alias] = (owner, name)
        known = Known(name, alias, datatype, None if point is None else point.unit)
        self._metrics[owner][name] = known
        return known


def stands(known: Known, eid: str, *, is_cleared: bool) -> bool:
    """Note a step of an event; return whether any of its kind stands."""
    if is_cleared:
        known.open.pop(eid, None)
    else:
        known.open[eid] = None
        while len(known.open) > _MOST_OPEN:
            del known.open[next(iter(known.open))]
    return bool(known.open)
