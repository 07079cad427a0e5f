"""JSON text for the hot path: the fixed parts of a message are rendered once, values by `%s`.

Integers stay integers, floats keep their point, nothing becomes NaN. `json.dumps` would walk
dictionaries that have to be built first; this is five times as fast for a meter's record.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from math import isfinite
from typing import Any

from gateway.model.quality import GOOD, Mark, Quality
from gateway.model.reading import PointColumn, Value
from gateway.model.record import PropBody

_NUMBERS = frozenset({int, float})


def text(value: str | None) -> str:
    """Return a JSON string, or null."""
    return "null" if value is None else json.dumps(value, ensure_ascii=False)


def json_bytes(message: Any) -> bytes:  # noqa: ANN401 - JSON
    """Return a message as JSON in UTF-8, without spaces.

    Raises:
        ValueError: it holds a number that is not finite; JSON has no word for that.
    """
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def value_text(value: Value | None) -> str:
    """Return a value as JSON.

    Raises:
        ValueError: it is not a finite number; JSON has no word for that.
    """
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if not isfinite(value):
        raise ValueError(f"{value!r} is no JSON number")
    return repr(value)


class ColumnText:
    """The readings of one column as JSON objects."""

    def __init__(self, column: PointColumn) -> None:
        """Render what is fixed: point ids and units."""
        self.count = len(column.points)
        self._heads = tuple(_head(column, index) for index in range(self.count))
        self._templates = {GOOD: self._template(GOOD)}

    def _template(self, mark: Mark) -> str:
        tail = "%s" + _mark_text(mark).replace("%", "%%") + "}"
        return ",".join(head.replace("%", "%%") + tail for head in self._heads)

    def render(self, body: PropBody) -> str:
        """Return the objects of `pts`, joined by commas.

        Raises:
            ValueError: a value is not a finite number, or the columns are not equally long.
        """
        values = body.values
        if len(values) != self.count:
            raise ValueError(f"{len(values)} values in a column of {self.count}")
        mark = _one_mark(body.marks)
        if mark is None or body.offsets_ms is not None:
            return ",".join(self._marked(body))
        template = self._templates.get(mark)
        if template is None:
            template = self._templates[mark] = self._template(mark)
        if _NUMBERS.issuperset(map(type, values)) and isfinite(sum(values)):  # pyright: ignore[reportArgumentType, reportCallIssue, reportUnknownArgumentType] - all are numbers, as just seen
            return template % values
        return template % tuple(map(value_text, values))

    def _marked(self, body: PropBody) -> Sequence[str]:
        values, marks, offsets = body.values, body.marks, body.offsets_ms
        parts: list[str] = []
        for index, head in enumerate(self._heads):
            part = head + value_text(values[index])
            if marks is not None:
                part += _mark_text(marks[index])
            if offsets is not None and offsets[index]:
                part += f',"t":{offsets[index]}'
            parts.append(part + "}")
        return parts


def _head(column: PointColumn, index: int) -> str:
    unit = column.units[index]
    unit_text = "" if unit is None else f'"u":{text(unit)},'
    return f'{{"p":{text(column.points[index])},{unit_text}"v":'


def _one_mark(marks: tuple[Mark, ...] | None) -> Mark | None:
    """Return the mark that all values share, None when they differ."""
    if marks is None:
        return GOOD
    first = marks[0] if marks else GOOD
    return first if marks.count(first) == len(marks) else None


@lru_cache(maxsize=1024)
def _mark_text(mark: Mark) -> str:
    quality = "" if mark.quality is Quality.GOOD else f',"q":{mark.quality.value}'
    return quality if mark.reason is None else f'{quality},"qr":{text(mark.reason)}'
