"""What a line keeps of each unit: its reads, health, response time and counters."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace

from drivers.contract import Job, JobDriver, WireSettings
from gateway.bus.breaker import Health
from gateway.bus.cost import Timing, driver_of, line_cost, timing
from gateway.bus.plan import PlannedRead, plan_reads
from gateway.bus.response import MARGIN_S, ON_NETWORK, ON_SERIAL, Patience, ResponseTime
from gateway.bus.schedule import Entry
from gateway.model.ids import PointId
from gateway.settings.site import (
    Device,
    Line,
    PollRule,
    Priority,
)


@dataclass(frozen=True, slots=True)
class UnitKey:
    """A unit of a line; protocols that share a line may use equal addresses."""

    protocol: str
    unit: Hashable

    def __str__(self) -> str:
        """Return the unit as people read it."""
        return str(self.unit)


class Unit:
    """One unit of a line, with the devices that live in it."""

    __slots__ = ("counters_errors", "counters_replies", "counters_requests", "devices", "driver",
                 "entries", "fault", "health", "is_online", "key", "not_before", "probe",
                 "response", "retries", "said_online", "timing")  # fmt: skip

    def __init__(
        self, key: UnitKey, devices: tuple[Device, ...], times: Timing, patience: Patience
    ) -> None:
        """Take the devices that answer under this unit, in the order of the site."""
        self.key = key
        self.devices = devices
        self.driver: JobDriver = driver_of(key.protocol)
        self.timing = times
        first = devices[0]
        seed = f"{first.line}/{key}/{zlib.crc32(str(first.id).encode())}"
        self.health = Health(seed, max(d.offline_after for d in devices))
        self.response = ResponseTime(patience, _fixed_timeout_s(devices))
        self.retries = max(_retries(device) for device in devices)
        self.entries: list[Entry[Read]] = []
        self.not_before = 0.0
        """Loop time before which it must be left alone."""
        self.fault = "timeout"
        """Why its last poll failed."""
        self.said_online: bool | None = None
        """What the output was told of it last."""
        self.probe: Job | None = None
        self.counters_requests = 0
        self.counters_replies = 0
        self.counters_errors = 0

    @property
    def pause_s(self) -> float:
        """Silence after its reply before it is asked again."""
        return max(device.quirks.pause_s for device in self.devices)

    @property
    def connect_delay_s(self) -> float:
        """Silence after the connection opened before it is asked."""
        return max(device.quirks.connect_delay_s for device in self.devices)


class Read:
    """A planned read as the line runs it."""

    __slots__ = ("busy_tries", "entry", "has_answered", "pieces", "plan", "refusals", "unit")

    def __init__(self, plan: PlannedRead, unit: Unit) -> None:
        """Take a read of the plan; the schedule's entry is given to it when it is scheduled."""
        self.plan = plan
        self.unit = unit
        self.entry: Entry[Read] | None = None
        self.has_answered = False
        self.refusals = 0
        self.busy_tries = 0
        self.pieces: tuple[Read, ...] | None = None

    def answered(self) -> None:
        """Note that it brought values."""
        self.has_answered = True
        self.refusals = self.busy_tries = 0

    def split(self) -> tuple[Read, ...]:
        """Return smaller reads of the same points, the same ones every time."""
        if self.pieces is None:
            self.pieces = tuple(Read(plan, self.unit) for plan in self.plan.split())
        return self.pieces


def patience_of(character_s: float, longest_s: float = 0.0) -> Patience:
    """Return how patient a line is with units that it does not know.

    `longest_s` is the longest response time that the protocol's standard allows, 0 for none.
    """
    usual = ON_SERIAL if character_s else ON_NETWORK
    if not longest_s:
        return usual
    patient_s = longest_s + MARGIN_S
    return replace(usual, first_s=max(usual.first_s, patient_s), cap_s=max(usual.cap_s, patient_s))


def group_units(line: Line, devices: Iterable[Device], character_s: float) -> list[Unit]:
    """Return the units of a line, without reads, in the order of the site."""
    members: dict[UnitKey, list[Device]] = {}
    for device in devices:
        members.setdefault(UnitKey(device.protocol, device.unit), []).append(device)
    wires = [driver_of(protocol).wire for protocol in {key.protocol for key in members}]
    return [
        Unit(
            key,
            tuple(mine),
            timing(line, shared_wire(driver_of(key.protocol).wire, wires), character_s),
            patience_of(character_s, driver_of(key.protocol).wire.longest_response_s),
        )
        for key, mine in members.items()
    ]


def shared_wire(own: WireSettings, all_of_line: Sequence[WireSettings]) -> WireSettings:
    """Return a protocol's wire settings on a line that others share.

    The longest silence of all counts: to a Modbus device a frame of another protocol that comes
    too soon is the rest of the frame before it.
    """
    return replace(
        own,
        silence_chars=max(wire.silence_chars for wire in all_of_line),
        silence_min_s=max(wire.silence_min_s for wire in all_of_line),
    )


@dataclass(frozen=True, slots=True)
class Only:
    """Some points of one device, to be read out of turn."""

    device: Device
    points: frozenset[PointId]


def reads_of(line: Line, unit: Unit, character_s: float, only: Only | None = None) -> list[Read]:
    """Return the planned reads of a unit, or of the wanted points in it alone."""
    plans = plan_reads(
        unit.devices if only is None else _narrowed(only),
        driver_of,
        lambda protocol: line_cost(line, driver_of(protocol).wire, character_s),
    )
    return [Read(plan, unit) for plan in plans]


@dataclass(frozen=True, slots=True)
class _PointSignature:
    id: PointId
    address: object
    poll: PollRule
    priority: Priority
    is_read: bool
    source: PointId | None


@dataclass(frozen=True, slots=True)
class _Signature:
    """What the bus uses of a device; a change elsewhere does not touch the line."""

    device: tuple[object, ...]
    points: tuple[_PointSignature, ...]


def is_same(before: Sequence[Device], after: Sequence[Device]) -> bool:
    """Whether two versions of a unit's devices mean the same to the bus."""
    return [_signature(d) for d in before] == [_signature(d) for d in after]


def _signature(device: Device) -> _Signature:
    serving = {p.scale_from.point for p in device.points if p.scale_from}
    return _Signature(
        (
            device.id,
            device.protocol,
            device.unit,
            device.quirks,
            device.retries,
            device.offline_after,
            device.timeout_s,
        ),
        tuple(
            _PointSignature(
                id=p.id,
                address=p.address,
                poll=p.poll,
                priority=p.priority,
                is_read=p.is_readable and (p.is_published or p.id not in serving),
                source=p.scale_from.point if p.scale_from else None,
            )
            for p in device.points
        ),
    )


def _narrowed(only: Only) -> list[Device]:
    """Return the device with the wanted points and what those are scaled by, planned as one."""
    points = only.device.points
    sources = {p.scale_from.point for p in points if p.id in only.points and p.scale_from}
    mine = [p for p in points if p.id in only.points or p.id in sources]
    if not mine:
        return []
    alike = tuple(
        replace(p, poll=mine[0].poll, priority=mine[0].priority, is_published=p.id in only.points)
        for p in mine
    )
    return [replace(only.device, points=alike)]


def _fixed_timeout_s(devices: Iterable[Device]) -> float | None:
    fixed = [t for d in devices if (t := d.quirks.timeout_s or d.timeout_s) is not None]
    return max(fixed, default=None)


def _retries(device: Device) -> int:
    return device.retries if device.quirks.retries is None else device.quirks.retries
