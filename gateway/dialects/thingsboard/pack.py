"""ThingsBoard: rows of telemetry into messages that its server takes.

Facts of the server: thingsboard/thingsboard, JsonConverter.java (how a JSON number becomes a long,
a double or a text) and AbstractGatewaySessionHandler.java (one object of device names, each with a
list of rows; it is acknowledged when the rows of all its devices are queued).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite

from gateway.dialects.json_text import text
from gateway.model.publication import Publication
from gateway.model.reading import Value
from gateway.model.record import Lane

MAX_DECIMALS = 16
"""A number with more of them is kept as a text by the server (BigDecimal.scale() > 16)."""


@dataclass(frozen=True, slots=True)
class Row:
    """What was so at one time: `"key":value` texts."""

    ts_ms: int
    pairs: tuple[str, ...]

    def render(self) -> str:
        """Return the row as JSON."""
        return f'{{"ts":{self.ts_ms},"values":{{{",".join(self.pairs)}}}}}'


def json_value(value: Value) -> str:
    """Return a value as JSON that the server keeps with its type.

    A float that is whole stays a double only with a point and without an exponent
    (`isSimpleDouble`), and one of more than 16 decimals would become a text: it is rounded there.

    Raises:
        ValueError: it is not a finite number; JSON has no word for that.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        return str(value)
    if not isfinite(value):
        raise ValueError(f"{value!r} is no JSON number")
    plain = repr(value)
    if "e" in plain:
        plain = format(Decimal(plain), "f")
    whole, _, decimals = plain.partition(".")
    if len(decimals) > MAX_DECIMALS:
        whole, _, decimals = f"{value:.{MAX_DECIMALS}f}".partition(".")
        decimals = decimals.rstrip("0")
    return f"{whole}.{decimals or '0'}"


@dataclass(slots=True)
class Packer:
    """Collects rows by device into messages of at most `limit` bytes, in order.

    Without device names (`is_gateway`) the message is the list of rows of the gateway's own
    telemetry topic.
    """

    topic: str
    limit: int
    is_gateway: bool = False
    _done: list[Publication] = field(default_factory=list[Publication])
    _rows: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    _size: int = 2
    _covers: list[int] = field(default_factory=list[int])

    def add(self, device: str, rows: tuple[Row, ...], seq: int) -> None:
        """Add the rows of a record; the message that holds the last one covers it."""
        for row in rows:
            for piece in self._pieces(device, row):
                self._put(device, piece)
        self._covers.append(seq)

    def messages(self) -> tuple[Publication, ...]:
        """Return all messages, and begin anew."""
        self._close()
        done, self._done = self._done, []
        return tuple(done)

    def _pieces(self, device: str, row: Row) -> Iterator[str]:
        """Yield the row, in halves where it alone is too long."""
        rendered = row.render()
        room = self.limit - len(text(device).encode()) - len("{:[]}")
        if len(rendered.encode()) <= room or len(row.pairs) == 1:
            yield rendered
            return
        half = len(row.pairs) // 2
        yield from self._pieces(device, Row(row.ts_ms, row.pairs[:half]))
        yield from self._pieces(device, Row(row.ts_ms, row.pairs[half:]))

    def _put(self, device: str, rendered: str) -> None:
        size = self._cost(device, rendered)
        if self._rows and self._size + size > self.limit:
            self._close()
            size = self._cost(device, rendered)
        self._rows.setdefault(device, []).append(rendered)
        self._size += size

    def _cost(self, device: str, rendered: str) -> int:
        head = 0 if device in self._rows else len(text(device).encode()) + len(":[],")
        return head + len(rendered.encode()) + len(",")

    def _close(self) -> None:
        if not self._rows:
            return
        payload = _listed(self._rows.popitem()[1]) if self.is_gateway else _named(self._rows)
        covers = tuple(self._covers)
        self._done.append(Publication(self.topic, payload.encode(), Lane.TELEMETRY, covers))
        self._rows, self._size, self._covers = {}, 2, []


def _listed(rows: list[str]) -> str:
    return f"[{','.join(rows)}]"


def _named(rows: Mapping[str, list[str]]) -> str:
    return "{" + ",".join(f"{text(name)}:{_listed(found)}" for name, found in rows.items()) + "}"
