"""What others may ask of a line at once, before everything that is merely due."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TypeAlias

from drivers.contract import Address
from gateway.model.ids import DeviceId, PointId
from gateway.model.sample import Raw, Samples


@dataclass(frozen=True, slots=True)
class ReadNow:
    """Read points of a device now; () means all of them."""

    device: DeviceId
    points: tuple[PointId, ...] = ()
    within_s: float = 10.0


@dataclass(frozen=True, slots=True)
class WriteNow:
    """Write one raw value to a point of a device."""

    device: DeviceId
    address: Address
    raw: Raw
    within_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a write. `fault` is None when the device confirmed it; `text` is for people.

    `is_sure` is False when the device may have acted though it did not confirm.
    """

    fault: str | None
    text: str
    begun_ms: int
    taken_ms: int
    is_sure: bool = True


Request: TypeAlias = ReadNow | WriteNow
Answer: TypeAlias = tuple[Samples, ...] | Written


@dataclass(slots=True, eq=False)
class Ask:
    """A request that waits in the priority slot."""

    request: Request
    answer: asyncio.Future[Answer]
    expires_at: float
