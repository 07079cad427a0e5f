"""Records of one lane to one compressed block of bytes, in columns, and back.

Most records of a batch share their point column, device and time quality, so those are written
once; values stay tuples that one call of the C encoder writes. Kinds of values (whole number,
decimal, truth, text) come back as they were. The first byte is the version of the layout.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.model.quality import Mark, Quality
from gateway.model.reading import PointColumn
from gateway.model.record import (
    Body,
    EventBody,
    GapBody,
    Lane,
    LogBody,
    PropBody,
    Record,
    ReplyBody,
    StateBody,
)

VERSION = b"\x02"
_READABLE = frozenset({b"\x01", VERSION})
"""Version 1 knew no billing values."""
LEVEL = 1
"""zlib level: 6 saves some ten percent and costs three times as much."""

_BODIES: dict[str, type[Body]] = {
    "event": EventBody,
    "state": StateBody,
    "reply": ReplyBody,
    "gap": GapBody,
    "log": LogBody,
}
_TAGS: dict[type[Body], str] = {body: tag for tag, body in _BODIES.items()}
_write = json.JSONEncoder(allow_nan=False, check_circular=False, separators=(",", ":")).encode


class Unreadable(Exception):
    """Stored bytes are not what was written; the row is lost."""


def encode_records(records: Sequence[Record]) -> bytes:
    """Return the block for these records of one lane, at least one.

    Raises:
        ValueError: a value is NaN or infinite.
        TypeError: a value is none that JSON has.
    """
    devices: dict[str, int] = {}
    first_ms = records[0].ts_ms
    document: dict[str, Any] = {
        "i": [devices.setdefault(record.device, len(devices)) for record in records],
        "d": list(devices),
        "z": first_ms,
        "t": [record.ts_ms - first_ms for record in records],
    }
    qualities = [record.tq for record in records]
    is_uniform = qualities.count(qualities[0]) == len(qualities)
    document["q"] = qualities[0] if is_uniform else qualities
    document["k"] = [
        (position, record.sink) for position, record in enumerate(records) if record.sink
    ]
    bodies = [record.body for record in records]
    props = [body for body in bodies if isinstance(body, PropBody)]
    if len(props) == len(bodies):
        document["p"] = _props(props)
    else:
        document["b"] = [_plain(body) for body in bodies]
    return VERSION + zlib.compress(_write(document).encode("ascii"), LEVEL)


def _props(bodies: Sequence[PropBody]) -> dict[str, Any]:
    columns: dict[int, int] = {}
    definitions: list[Any] = []
    which: list[int] = []
    for body in bodies:
        # By identity: hashing twenty names for every record costs more than a column twice.
        number = columns.setdefault(id(body.column), len(columns))
        if number == len(definitions):
            definitions.append((body.column.points, body.column.units))
        which.append(number)
    marks: dict[Mark, int] = {}
    return {
        "c": definitions,
        "w": which,
        "v": [body.values for body in bodies],
        "m": [
            (position, [marks.setdefault(mark, len(marks)) for mark in body.marks])
            for position, body in enumerate(bodies)
            if body.marks is not None
        ],
        "n": [(int(mark.quality), mark.reason) for mark in marks],
        "o": [
            (position, body.offsets_ms)
            for position, body in enumerate(bodies)
            if body.offsets_ms is not None
        ],
        "s": [position for position, body in enumerate(bodies) if body.is_snapshot],
        "f": [position for position, body in enumerate(bodies) if body.is_billing],
    }


def _plain(body: Body) -> list[Any]:
    if isinstance(body, PropBody):
        return ["prop", _props((body,))]
    values = [getattr(body, column.name) for column in fields(body)]
    if isinstance(body, ReplyBody):
        values[-1] = None if body.readback is None else _props((body.readback,))
    return [_TAGS[type(body)], *values]


def decode_records(block: bytes) -> tuple[Record, ...]:
    """Return the records that `encode_records` was given.

    Raises:
        Unreadable: another version wrote it, or it is damaged.
    """
    if block[:1] not in _READABLE:
        raise Unreadable(f"layout version {block[:1].hex()} is not known")
    try:
        return _records(json.loads(zlib.decompress(block[1:])))
    except (LookupError, TypeError, ValueError, zlib.error) as damage:
        raise Unreadable(f"block is damaged: {damage}") from damage


def _records(document: dict[str, Any]) -> tuple[Record, ...]:
    bodies: Sequence[Body]
    if "p" in document:
        bodies = _prop_bodies(document["p"])
    else:
        bodies = [_body(plain) for plain in document["b"]]
    devices: list[DeviceId] = document["d"]
    first_ms: int = document["z"]
    quality: str | list[str] = document["q"]
    qualities = (
        [TimeQuality(quality)] * len(bodies)
        if isinstance(quality, str)
        else [TimeQuality(each) for each in quality]
    )
    addressed: list[tuple[int, SinkName]] = document["k"]
    sinks = dict(addressed)
    device_of: list[int] = document["i"]
    after_ms: list[int] = document["t"]
    return tuple(
        Record(devices[device], first_ms + delta_ms, qualities[position], body, sinks.get(position))
        for position, (device, delta_ms, body) in enumerate(
            zip(device_of, after_ms, bodies, strict=True)
        )
    )


def _prop_bodies(stored: dict[str, Any]) -> list[PropBody]:
    definitions: list[tuple[list[PointId], list[str | None]]] = stored["c"]
    columns = [PointColumn(tuple(points), tuple(units)) for points, units in definitions]
    known = [Mark(Quality(quality), reason) for quality, reason in stored["n"]]
    marked: list[tuple[int, list[int]]] = stored["m"]
    marks = {position: tuple(known[mark] for mark in which) for position, which in marked}
    shifted: list[tuple[int, list[int]]] = stored["o"]
    offsets = {position: tuple(offsets_ms) for position, offsets_ms in shifted}
    snapshots: set[int] = set(stored["s"])
    billing: set[int] = set(stored.get("f", ()))
    which: list[int] = stored["w"]
    return [
        PropBody(
            columns[column],
            tuple(values),
            marks.get(position),
            offsets.get(position),
            position in snapshots,
            position in billing,
        )
        for position, (column, values) in enumerate(zip(which, stored["v"], strict=True))
    ]


def _body(plain: list[Any]) -> Body:
    tag, *values = plain
    if tag == "prop":
        return _prop_bodies(values[0])[0]
    body = _BODIES[tag]
    if body is LogBody:
        values[1] = tuple((name, text) for name, text in values[1])
    elif body is GapBody:
        values[0] = Lane(values[0])
    elif body is ReplyBody and values[-1] is not None:
        values[-1] = _prop_bodies(values[-1])[0]
    return body(*values)
