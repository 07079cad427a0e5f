"""Values of records as the JSON that Alink platforms read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from gateway.dialects.alink.profile import AlinkProfile, EventForm
from gateway.dialects.json_text import text, value_text
from gateway.model.reading import Value
from gateway.model.record import EventBody, GapBody, StateBody

LEVELS = ("info", "alert", "alert", "error", "error")
"""Our severities 0 to 4 as the kinds of event of Alink's model (domain.md §5.3)."""


@dataclass(frozen=True, slots=True)
class Property:
    """One value of a device, as JSON, and when it was taken."""

    name: str
    json: str
    ms: int


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of a device: its outputs as a JSON object, and when it was."""

    name: str
    json: str
    ms: int


class Writer:
    """Writes values the way one platform reads them."""

    def __init__(self, profile: AlinkProfile, *, in_seconds: bool) -> None:
        """Take the profile, and whether its `time` counts seconds."""
        self._profile = profile
        self._in_seconds = in_seconds

    def value(self, value: Value | None) -> str:
        """Return a value as JSON: floats with a point, integers without.

        Raises:
            ValueError: it is not a finite number.
        """
        if isinstance(value, bool) and self._profile.bools_are_numbers:
            return str(int(value))
        written = value_text(value)
        if isinstance(value, float) and "e" in written:  # 1e+16 has no point (domain.md §2.3)
            plain = f"{Decimal(written):f}"
            return plain if "." in plain else f"{plain}.0"
        return written

    def time(self, ms: int) -> int:
        """Return a moment (UTC milliseconds) in the unit of the platform."""
        return ms // 1000 if self._in_seconds else ms

    def properties(self, found: Mapping[str, Property]) -> str:
        """Return properties as a JSON object, each with its time where the platform takes one."""
        if not self._profile.is_timed:
            return _object({name: each.json for name, each in found.items()})
        return _object({name: self.timed(each) for name, each in found.items()})

    def bare(self, found: Mapping[str, Property]) -> str:
        """Return properties as a JSON object of values alone."""
        return _object({name: each.json for name, each in found.items()})

    def events(self, found: Mapping[str, Happening]) -> str:
        """Return events as a JSON object."""
        return _object({name: self.timed(each) for name, each in found.items()})

    def timed(self, each: Property | Happening) -> str:
        """Return `{value, time}`."""
        return f'{{"value":{each.json},"time":{self.time(each.ms)}}}'

    def event_alone(self, event: Happening) -> str:
        """Return the params of one event in a message of its own."""
        match self._profile.event_form:
            case EventForm.PLAIN:
                return self.timed(event)
            case EventForm.NAMED:
                return f'{{"identifier":{text(event.name)},{self.timed(event)[1:]}'
            case EventForm.KEYED:
                return f"{{{text(event.name)}:{self.timed(event)}}}"
            case EventForm.ENOS:
                return f'{{"events":{event.json},"time":{self.time(event.ms)}}}'

    def outputs(self, fields: Mapping[str, Value | None]) -> str:
        """Return the outputs of an event; what is None is left out."""
        given = {key: value for key, value in fields.items() if value is not None}
        if self._profile.events_are_text:
            return _object({key: text(_plain(self.value(v))) for key, v in given.items()})
        return _object({key: self.value(value) for key, value in given.items()})

    def event(self, body: EventBody, ms: int) -> Happening:
        """Return an event of a device."""
        level = LEVELS[max(0, min(body.severity, len(LEVELS) - 1))]
        fields: dict[str, Value | None] = {
            "eid": body.eid,
            "sev": body.severity,
            "level": level,
            "st": body.state,
            "p": body.point,
            "val": body.value,
            "thr": body.threshold,
            "duty": body.duty,
            "detail": body.detail,
        }
        return Happening(body.type, self.outputs(fields), ms)

    def state(self, name: str, body: StateBody, ms: int) -> Happening:
        """Return online or offline as an event."""
        fields: dict[str, Value | None] = {
            "online": body.is_online,
            "reason": body.reason,
            "since": str(body.since_ms),
        }
        return Happening(name, self.outputs(fields), ms)

    def gap(self, name: str, body: GapBody, ep: int, ms: int) -> Happening:
        """Return what was lost as an event of the gateway; an Alink `int` has 32 bits only."""
        fields: dict[str, Value | None] = {
            "lane": body.lane.value,
            "of_ep": str(ep if body.ep is None else body.ep),
            "from": _long(body.from_seq),
            "to": _long(body.to_seq),
            "count": body.count,
            "cause": body.cause,
            "from_ts": _long(body.from_ms),
            "to_ts": _long(body.to_ms),
        }
        return Happening(name, self.outputs(fields), ms)


def _object(found: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{text(name)}:{written}" for name, written in found.items()) + "}"


def _long(number: int | None) -> str | None:
    return None if number is None else str(number)


def _plain(written: str) -> str:
    return str(json.loads(written)) if written.startswith('"') else written
