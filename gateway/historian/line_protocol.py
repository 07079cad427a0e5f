"""InfluxDB's line protocol, written by ourselves: one line for each series and moment. Pure.

Source: InfluxData, "Line protocol" (docs.influxdata.com/influxdb/v2, reference/syntax):
what is escaped where, the types of fields, and that a point with the same measurement, tags and
timestamp overwrites. InfluxDB 1.x and VictoriaMetrics take the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

LONGEST_TEXT = 16_000
"""Characters of a string field; InfluxDB's limit is 64 kB."""
_INT64 = range(-(1 << 63), 1 << 63)
_IN_NAMES = str.maketrans({",": "\\,", " ": "\\ ", "\n": "\\ ", "\r": "\\ ", "\\": "/"})
_IN_TAGS = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ ", "\n": "\\ ", "\r": "\\ ", "\\": "/"})
_IN_TEXTS = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": " ", "\r": " "})


def series(measurement: str, tags: Iterable[tuple[str, str]]) -> str:
    """Return measurement and tags, sorted by key as servers like it; empty tags are left out.

    A line break becomes a space and a backslash a slash: neither can be written everywhere in a
    name or tag.
    """
    parts = [measurement.translate(_IN_NAMES)]
    parts += [
        f"{key.translate(_IN_TAGS)}={value.translate(_IN_TAGS)}"
        for key, value in sorted(tags)
        if value
    ]
    return ",".join(parts)


def field(value: bool | float | str) -> str:  # noqa: FBT001 - a value, whatever its type
    """Return the value of a field: `true`, `5i`, `230.0`, `"text"`.

    Raises:
        ValueError: it is not finite, or a whole number of more than 64 bits.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            if value not in _INT64:
                raise ValueError(f"{value} does not fit into 64 bits")
            return f"{value}i"
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{value} is no number")
            return repr(value)
        case str():
            return f'"{value[:LONGEST_TEXT].translate(_IN_TEXTS)}"'


def line(series_key: str, fields: Iterable[tuple[str, str]], ts_ms: int) -> bytes:
    """Return one line without its line break; the fields are what `field` gave."""
    said = ",".join(f"{key.translate(_IN_TAGS)}={value}" for key, value in fields)
    return f"{series_key} {said} {ts_ms}".encode("utf-8", "replace")  # half a surrogate pair
