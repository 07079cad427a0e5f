"""What is done to the values of one point at the door of one sink."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from gateway.model.clock import TimeQuality
from gateway.model.reading import Value
from gateway.privacy.keyed_hash import HashKey, plain
from gateway.privacy.mask import masked
from gateway.settings.site import Device, Point, ValueType
from gateway.settings.site_privacy import Transform, is_personal
from gateway.settings.site_sinks import Sink

FEW_VALUES = frozenset({ValueType.BOOL, ValueType.ENUM})
"""A first and a last letter tell which of a few values it is."""
Change: TypeAlias = Callable[[Value, int, TimeQuality], Value]
"""A value, and the moment (UTC ms) and clock of its record -> what leaves instead."""


def transform_of(sink: Sink, device: Device, point: Point) -> Transform | None:
    """Return the first line of the sink that names a point; None: it leaves as it is."""
    found = (t for t in sink.transforms if t.of.names(device.id, device.kind, point.id))
    return next(found, None)


def change_of(transform: Transform | None, point: Point, key: HashKey | None) -> Change | None:
    """Return what is done to values of a point; None: nothing.

    Without a key a hash becomes a mask that shows nothing, and so does a mask of a few values.
    """
    if transform is None or transform.by == "drop":
        return None
    if transform.by == "mask":
        is_blind = point.type in FEW_VALUES
        return (
            partial(_masked, 0, 0)
            if is_blind
            else partial(_masked, transform.first, transform.last)
        )
    return partial(_masked, 0, 0) if key is None else key.hashed


def shown_level(transform: Transform | None, point: Point) -> str:
    """Return the level that a point's values have when they leave: L1 to L4."""
    return (transform.level if transform else None) or point.level


def is_let_out(sink: Sink, device: Device, point: Point) -> bool:
    """Whether the sink's allow list lets a point out: personal ones (P2, P3) by name only."""
    if sink.allow is None:
        return not is_personal(point.personal)
    is_own = is_personal(point.personal)
    return any(
        choice.names(device.id, device.kind, point.id, is_personal=is_own) for choice in sink.allow
    )


def _masked(first: int, last: int, value: Value, _ts_ms: int, _tq: TimeQuality) -> str:
    text = plain(value)
    return masked(text, first, last) if first or last else masked("")
