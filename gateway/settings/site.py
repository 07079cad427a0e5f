"""A loaded site: everything resolved, nothing left to look up. Frozen, so that a reload is a diff.

`gateway.settings.load` makes it from YAML; every other room reads it. Times are seconds unless
the name says ms; registers and frames are the driver's business (`address` is of its own type).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Literal, TypeAlias

from drivers.contract import Address, Quirks
from gateway.model.ids import DeviceId, GatewayId, LineName, PointId, SinkName, SiteId
from gateway.model.link import (
    CallersPort,
    MemoryPort,
    SerialPort,
    TcpClient,
    TcpListener,
    UdpPeer,
)
from gateway.model.reading import Value
from gateway.settings.site_commands import Commands
from gateway.settings.site_historians import Historian, LocalHistory
from gateway.settings.site_place import NOWHERE, Location
from gateway.settings.site_privacy import USUAL_PRIVACY, Privacy
from gateway.settings.site_remote import Remote
from gateway.settings.site_sinks import Secret, Sink
from gateway.settings.where import Where

# --- lines -----------------------------------------------------------------------------------

LinkSettings: TypeAlias = SerialPort | TcpClient | TcpListener | CallersPort | UdpPeer | MemoryPort


class Echo(StrEnum):
    """Whether the line gives back what we send."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Line:
    """One bus of the site file: a pipe, its protocol, and how it is treated."""

    name: LineName
    link: LinkSettings
    protocol: str
    """Protocol of devices that do not say otherwise (`modbus-rtu`, …)."""
    where: Where
    echo: Echo = Echo.AUTO
    pause_s: float = 0.0
    """Extra silence before every request, beside the protocol's own."""
    turnaround_s: float = 0.02
    """Expected time a device takes to answer, for plan and load until it is measured."""
    in_flight: int = 1
    """Requests at the same time; more than 1 only for protocols with reply identifiers."""
    is_simulated: bool = False


# --- points ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Every:
    """A fixed period."""

    seconds: float


@dataclass(frozen=True, slots=True)
class At:
    """Fixed wall-clock times: every `seconds` from local midnight, on the mark."""

    seconds: float


PollRule: TypeAlias = Every | At


class Priority(StrEnum):
    """Class of a read; writes go before all of them."""

    ALARM = "alarm"
    NORMAL = "normal"
    ENERGY = "energy"


@dataclass(frozen=True, slots=True)
class Deadband:
    """When a changed value is worth a record.

    Both limits may be given; either one passes it.
    `heartbeat_s` sends it after that time even when unchanged.
    """

    absolute: float | None = None
    percent: float | None = None
    heartbeat_s: float | None = None


@dataclass(frozen=True, slots=True)
class ScaleFrom:
    """The value is scaled by another point of the same device, read in the same exchange.

    `exponent`: value * 10**factor (SunSpec); `factor`: value * factor.
    """

    point: PointId
    kind: Literal["exponent", "factor"]


@dataclass(frozen=True, slots=True)
class Condition:
    """When an event is raised: equal to, above, or below; cleared past `clear` (hysteresis).

    `for_s` seconds of the condition before raising.
    """

    equals: Value | None = None
    above: float | None = None
    below: float | None = None
    clear: float | None = None
    for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EventRule:
    """An event that a profile declares on a point."""

    type: str
    severity: int
    when: Condition
    duty: str | None = None


@dataclass(frozen=True, slots=True)
class WriteRule:
    """How a point may be written.

    `raw_or` is OR-ed into the raw value before it is sent (magic
    prefixes); `readback` names the point to read afterwards, itself by default, None for none.
    """

    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[Value, ...] = ()
    raw_or: int = 0
    readback: PointId | None = None
    is_dangerous: bool = False


class ValueType(StrEnum):
    """Type of a published value."""

    FLOAT = "float"
    INT = "int"
    BOOL = "bool"
    ENUM = "enum"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Point:
    """One point of one device, with everything from register to topic."""

    id: PointId
    address: Address
    """The driver's own address, templates filled in."""
    type: ValueType
    unit: str | None
    """UCUM code; None for booleans, enumerations and texts."""
    poll: PollRule
    group: str
    priority: Priority
    where: Where
    scale: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)
    """value = raw * scale + offset, in exact decimal arithmetic."""
    scale_from: ScaleFrom | None = None
    is_inverted: bool = False
    enum: Mapping[int, str] = field(default_factory=dict[int, str])
    invalid: tuple[int | float, ...] = ()
    """Raw values that mean "no value"."""
    minimum: float | None = None
    maximum: float | None = None
    """Plausible range of the value; outside it is bad with reason `range`."""
    resolution: float | None = None
    deadband: Deadband = Deadband()
    events: tuple[EventRule, ...] = ()
    write: WriteRule | None = None
    is_command: bool = False
    """Its kind calls it a command: what the device is made to do (`op: call`)."""
    is_readable: bool = True
    is_published: bool = True
    """False for points that only serve others (scale factors)."""
    is_cumulative: bool = False
    rate_per_s: float | None = None
    """Greatest plausible change of the value in one second; None: nobody knows one."""
    rollover: float | None = None
    """Where a cumulative register begins again at 0; None: unknown, or never."""
    stuck_s: float | None = None
    """A value that always moves and has not for so long is stale; None: it may rest."""
    drift_s: float | None = None
    """How far a meter's clock may be from ours; None: as usual (`rules/meter_clock.py`)."""
    is_identity: bool = False
    """It tells this device from another one: a meter number."""
    personal: Literal["P0", "P1", "P2", "P3"] = "P3"
    level: Literal["L1", "L2", "L3", "L4"] = "L4"
    basis: str | None = None
    """Why it may be processed, by PIPL art. 13: `consent`, `contract`, …; None: nobody said."""
    retain_days: int | None = None
    """How long its values may be kept here; None: as long as the store has room."""
    keep: Literal["all", "event_only", "none"] = "all"
    """What the inner door lets through to the store: `event_only` no values but the events that
    its rules raise, `none` nothing at all; it then only serves derived points.
    """
    derived_from: tuple[str, ...] = ()
    """What a derived point is made of, for audit: `DEVICE/POINT`, or a pattern over devices."""
    title: Mapping[str, str] = field(default_factory=dict[str, str])
    sim: Mapping[str, float | str] = field(default_factory=dict[str, "float | str"])
    """Hints for simulators; the gateway never reads them."""


@dataclass(frozen=True, slots=True)
class DeviceQuirks:
    """What the bus must respect for this device; the driver's own quirks are `driver`."""

    driver: Quirks
    pause_s: float = 0.0
    """Silence after its reply before it is asked again."""
    timeout_s: float | None = None
    """Fixed reply timeout; None: adapted to what was measured."""
    retries: int | None = None
    connect_delay_s: float = 0.0
    """Silence after the connection opened, before the first request to it."""


@dataclass(frozen=True, slots=True)
class Device:
    """One device of the site, with its points resolved from profile, kind and site file."""

    id: DeviceId
    profile: str
    kind: str
    line: LineName
    protocol: str
    """Protocol name; its driver is `registry.driver_of_protocol`."""
    unit: Hashable
    """The driver's unit key of its address."""
    address_text: str
    """The address as written, for people."""
    points: tuple[Point, ...]
    quirks: DeviceQuirks
    where: Where
    vendor: str | None = None
    model: str | None = None
    title: Mapping[str, str] = field(default_factory=dict[str, str])
    location: Location = NOWHERE
    operator: str | None = None
    """Who runs it, for platforms; the gateway's own where it says nothing."""
    duty: str | None = None
    """Who is called when it fails: grid, property, fire, energy or the site's own word."""
    retries: int = 2
    offline_after: int = 3
    """Failed polls in a row until it is called offline."""
    timeout_s: float | None = None
    """`timeout:` of the site; None means auto."""
    is_verified: bool = True
    """The profile's facts were seen on a device or in its maker's document."""
    key: Secret | None = None
    """Its secure channel or AES key, by name; hex."""
    owner: str | None = None
    """Whose device and whose values they are, as the site names them."""


@dataclass(frozen=True, slots=True)
class Store:
    """The outbox. `quota_bytes` bounds its files."""

    quota_bytes: int = 1536 * 1024 * 1024
    commit_every_s: float = 1.0
    commit_readings: int = 1000
    key: Secret | None = None
    """Seals values of class P2 and above; None: a key made in the state folder."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Who we are."""

    id: GatewayId
    site: SiteId
    timezone: str = "Asia/Shanghai"
    clock: Literal["kernel", "trusted"] = "kernel"
    """Who vouches for the clock: the kernel's NTP state, or the operator (`trusted`) where the
    host keeps it by means that the kernel does not see.
    """
    title: Mapping[str, str] = field(default_factory=dict[str, str])
    location: Location = NOWHERE
    """Of the cabinet; its parts are also those of devices that do not say otherwise."""
    operator: str | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """The whole loaded site."""

    gateway: Gateway
    lines: Mapping[LineName, Line]
    devices: Mapping[DeviceId, Device]
    sinks: Mapping[SinkName, Sink]
    commands: Commands
    store: Store
    files: tuple[Path, ...]
    digest: str
    """Hash over all files that made it."""
    disabled: Mapping[DeviceId, str] = field(default_factory=dict[DeviceId, str])
    """Devices that the file switches off, with the reason given."""
    historians: Mapping[SinkName, Historian] = field(default_factory=dict[SinkName, Historian])
    """Time-series databases; their names are none of a sink."""
    history: LocalHistory | None = None
    derived: Mapping[DeviceId, Device] = field(default_factory=dict[DeviceId, Device])
    """Devices that no line has: their points are made of others (`site_derived`)."""
    privacy: Privacy = USUAL_PRIVACY
    remote: Remote | None = None
    """Whose signed letters are obeyed; None: nobody's."""

    @property
    def all_devices(self) -> Mapping[DeviceId, Device]:
        """Devices of lines and derived ones: all that platforms may hear of."""
        return {**self.devices, **self.derived} if self.derived else self.devices
