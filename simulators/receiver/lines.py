"""InfluxDB line protocol of records. Pure.

Measurement is the kind of the device, tags are `site`, `gw`, `dev`, fields are the points; an event
is a line of measurement `event`. A value that is not good is no field: its quality is, as
`q.<point>`. Times are milliseconds, to be written with `precision=ms`.
Syntax: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/ (names escape comma,
equals sign and space with a backslash; texts are quoted; integers end in `i`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from simulators.receiver.message import Record
from simulators.tree import branches, leaves

GOOD = 192
_NAMES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\ "})
_MEASUREMENTS = str.maketrans({",": r"\,", " ": r"\ ", "\n": r"\ "})
_TEXTS = str.maketrans({'"': r"\"", "\\": r"\\"})
_EVENT_FIELDS = ("st", "sev", "eid", "p", "val", "thr", "detail")
_LARGEST = (1 << 63) - 1


def lines(record: Record) -> Iterator[str]:
    """Yield the lines of a record; none for what is neither values nor an event."""
    if record.kind == "event":
        yield from _event(record)
    elif record.lane == "telemetry":
        yield from _values(record)


def _values(record: Record) -> Iterator[str]:
    by_time: dict[int, dict[str, str]] = {}
    is_simulated = False
    for entry in map(branches, leaves(record.fields.get("pts"))):
        at_ms = record.ts_ms + _integer(entry, "t")
        name, value = _field(entry)
        is_simulated = is_simulated or entry.get("qr") == "sim"
        if value is not None:
            by_time.setdefault(at_ms, {})[name] = value
    head = _head(str(record.fields.get("kind", "unknown")), record)
    if is_simulated:
        head += ",sim=true"  # never to be mixed with real values (guide, "Values and quality")
    for at_ms, fields in by_time.items():
        yield f"{head} {_joined(fields)} {at_ms}"


def _field(entry: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return name and text of a point's field; of one that is not good it is the quality."""
    point, quality = str(entry.get("p")), _integer(entry, "q", GOOD)
    if quality != GOOD:
        return f"q.{point}", f"{quality}i"
    return point, value_text(entry.get("v"))


def _event(record: Record) -> Iterator[str]:
    kind = str(record.fields.get("type", "unknown")).translate(_NAMES)
    texts = {name: value_text(record.fields.get(name)) for name in _EVENT_FIELDS}
    for name in ("val", "thr"):  # of a number now and a text then: one type only
        value = record.fields.get(name)
        texts[name] = None if value is None else value_text(str(value))
    fields = {name: text for name, text in texts.items() if text is not None}
    if fields:
        yield f"{_head('event', record)},type={kind} {_joined(fields)} {record.ts_ms}"


def _head(measurement: str, record: Record) -> str:
    site, gateway, _ = record.source
    tags = f"site={site.translate(_NAMES)},gw={gateway.translate(_NAMES)}"
    return f"{measurement.translate(_MEASUREMENTS)},{tags},dev={record.device.translate(_NAMES)}"


def _joined(fields: Mapping[str, str]) -> str:
    return ",".join(f"{name.translate(_NAMES)}={text}" for name, text in fields.items())


def value_text(value: object) -> str | None:
    """Return a field's value as line protocol has it; None for what it cannot hold."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value}i" if abs(value) <= _LARGEST else None
        case float():
            return repr(value) if math.isfinite(value) else None
        case str():
            return f'"{value.translate(_TEXTS)}"'
        case _:
            return None


def _integer(entry: Mapping[str, Any], name: str, default: int = 0) -> int:
    found = entry.get(name, default)
    return found if type(found) is int and abs(found) <= _LARGEST else default
