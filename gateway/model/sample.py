"""What a line hands to the pipeline: raw values as the device sent them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, LineName, PointId

Raw: TypeAlias = int | float | bool | str | bytes


@dataclass(frozen=True, slots=True)
class Samples:
    """The raw values that one job brought for one device, in columns of equal length.

    `points` is the same tuple object at every poll of that job, so that the receiver may compile
    once by its identity. When the job failed, `raw` is empty and `fault` has the reason for all
    its points. A raw value of None means that the device itself said "no value".
    """

    device: DeviceId
    points: tuple[PointId, ...]
    raw: tuple[Raw | None, ...]
    fault: str | None
    begun_ms: int
    """UTC ms of the request's first byte."""
    taken_ms: int
    """UTC ms of the reply's last byte; of the deadline when the job failed."""
    tq: TimeQuality
    asked: bool = False
    """A command or a technician asked for it: published without dead-band."""
    kept: Callable[[], None] | None = None
    """Called when all that comes of it is committed: the device forgets it once we confirm it, so
    that the confirmation waits for this."""


@dataclass(frozen=True, slots=True)
class LineState:
    """A line went up or down."""

    line: LineName
    is_up: bool
    why: str
    at_ms: int
    tq: TimeQuality


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A device went online or offline (its breaker opened or closed)."""

    device: DeviceId
    is_online: bool
    why: str
    at_ms: int
    tq: TimeQuality
