"""For platforms that know devices and properties by names of their own: both directions.

Their readings are one JSON object of name and value, which holds no quality: good values go there,
what is not good is told apart from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from gateway.dialects.contract import Birth
from gateway.dialects.json_text import text, value_text
from gateway.dialects.options import made, options_of
from gateway.model.ids import DeviceId, PointId, is_id
from gateway.model.publication import Publication
from gateway.model.quality import GOOD, Mark, Quality
from gateway.model.reading import Value
from gateway.model.record import EventBody, GapBody, PropBody, ReplyBody
from gateway.settings.site_sinks import Option

OptionsT = TypeVar("OptionsT")
UNKNOWN_KIND = "device"
"""Kind of a device that is on the site no more, while records of it still wait."""


def covering_last(found: Sequence[Publication], seq: int) -> tuple[Publication, ...]:
    """Return messages of which the last one covers the record: then all of it is there."""
    return (*found[:-1], *(replace(last, covers=(seq,)) for last in found[-1:]))


class PointNames:
    """Our point ids and the platform's property names; what is not listed has the same."""

    def __init__(self, theirs: Mapping[str, str]) -> None:
        """Take their name by our id."""
        self._theirs = theirs
        self._ours = {name: point for point, name in theirs.items()}

    def theirs(self, point: str) -> str:
        """Return the platform's name."""
        return self._theirs.get(point, point)

    def ours(self, name: str) -> PointId | None:
        """Return our id; None for what cannot be one."""
        point = self._ours.get(name, name)
        return PointId(point) if is_id(point) else None


@dataclass(frozen=True, slots=True)
class Entry(Generic[OptionsT]):
    """One device as the platform knows it."""

    id: str
    options: OptionsT
    names: PointNames


class Directory(Generic[OptionsT]):
    """The devices of a sink by both names."""

    def __init__(
        self,
        plain: type[OptionsT],
        by_pattern: Mapping[str, Mapping[str, Option]],
        entry_of: Callable[[DeviceId, OptionsT], Entry[OptionsT]],
    ) -> None:
        """Take the dataclass of a device's options, `devices:` of the sink, and what it makes."""
        self._plain = plain
        self._by_pattern = by_pattern
        self._entry_of = entry_of
        self._entries: dict[DeviceId, Entry[OptionsT]] = {}
        self._kinds: dict[DeviceId, str] = {}
        self._ours: dict[str, DeviceId] = {}
        self.devices: tuple[DeviceId, ...] = ()
        """Those of the site now."""

    def use(self, births: Sequence[Birth]) -> None:
        """Take the devices of the site."""
        self.devices = tuple(birth.device for birth in births)
        self._kinds.update((birth.device, birth.kind) for birth in births)
        self._ours = {}
        for device in self.devices:
            self._ours.setdefault(self.entry(device).id, device)

    def entry(self, device: DeviceId) -> Entry[OptionsT]:
        """Return how the platform knows a device, also one that has gone."""
        known = self._entries.get(device)
        if known is None:
            options = made(self._plain, options_of(device, self._by_pattern))
            known = self._entries[device] = self._entry_of(device, options)
        return known

    def kind(self, device: DeviceId) -> str:
        """Return the kind of a device."""
        return self._kinds.get(device, UNKNOWN_KIND)

    def ours(self, theirs: str) -> DeviceId | None:
        """Return our id of a device of the site; None where the platform means another one."""
        return self._ours.get(theirs)

    def why_not_alone(self, device: DeviceId) -> str | None:
        """Return why nothing may be said of a device, None when its id there is its own.

        The values of two devices under one id would be taken for those of one.
        """
        theirs = self.entry(device).id
        first = self._ours.get(theirs, device)
        if first == device:
            return None
        return f"{theirs!r} is {first} on the platform already: give {device} a name of its own"

    def rename(self, device: DeviceId, theirs: str) -> None:
        """Take the id that the platform gave a device."""
        known = self.entry(device)
        self._ours.pop(known.id, None)
        self._ours[theirs] = device
        self._entries[device] = Entry(theirs, known.options, known.names)


@dataclass(frozen=True, slots=True)
class Moment:
    """The good values of one time of a record, as the inside of a JSON object."""

    ts_ms: int
    values: str


def moments(body: PropBody, ts_ms: int, names: PointNames) -> tuple[Moment, ...]:
    """Return the good values of a record by the time at which they were taken, oldest first.

    Raises:
        ValueError: a value is not a finite number.
    """
    found: dict[int, list[str]] = {}
    for index, point in enumerate(body.column.points):
        value = body.values[index]
        if value is None or _mark(body, index).quality is not Quality.GOOD:
            continue
        offset_ms = 0 if body.offsets_ms is None else body.offsets_ms[index]
        found.setdefault(ts_ms + offset_ms, []).append(
            f"{text(names.theirs(point))}:{value_text(value)}"
        )
    return tuple(Moment(at, ",".join(found[at])) for at in sorted(found))


def named_values(body: PropBody, names: PointNames) -> dict[str, Value]:
    """Return the good values of a record by the platform's names."""
    return {
        names.theirs(point): value
        for index, point in enumerate(body.column.points)
        if (value := body.values[index]) is not None and _mark(body, index).quality is Quality.GOOD
    }


def event_fields(body: EventBody, names: PointNames) -> dict[str, Any]:
    """Return what an event says, less its type, which such platforms have in the topic."""
    return {
        "eid": body.eid,
        "severity": body.severity,
        "state": body.state,
        "point": None if body.point is None else names.theirs(body.point),
        "value": body.value,
        "threshold": body.threshold,
        "duty": body.duty,
        "detail": body.detail,
    }


def gap_fields(body: GapBody, ep: int) -> dict[str, Any]:
    """Return what is known of records that will never come; `ep` is that of the record itself."""
    return {
        "lane": body.lane.value,
        "of_ep": ep if body.ep is None else body.ep,
        "from": body.from_seq,
        "to": body.to_seq,
        "count": body.count,
        "cause": body.cause,
        "from_time": body.from_ms,
        "to_time": body.to_ms,
    }


def replied_values(body: ReplyBody, names: PointNames) -> dict[str, Value]:
    """Return what was read, or what was set where it cannot be read."""
    if body.readback is not None:
        return named_values(body.readback, names)
    if body.status == "done" and body.point is not None and body.value is not None:
        return {names.theirs(body.point): body.value}
    return {}


def doubtful(body: PropBody, names: PointNames) -> str:
    """Return names and reasons of what is not plainly good, as the inside of a JSON object.

    Simulated values are among them (`sim`): nobody shall take them for measured ones.
    """
    return ",".join(
        f"{text(names.theirs(point))}:{text(_word(_mark(body, index)))}"
        for index, point in enumerate(body.column.points)
        if _mark(body, index) != GOOD
    )


def _mark(body: PropBody, index: int) -> Mark:
    return GOOD if body.marks is None else body.marks[index]


def _word(mark: Mark) -> str:
    return mark.reason or mark.quality.name.lower()
