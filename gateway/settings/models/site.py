"""The site file as models: what may stand in gateway.yaml and conf.d/*.yaml.

Descriptions, units and defaults here are the reference of the settings; it is generated from them.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from gateway.settings.fields import (
    Bytes,
    Flag,
    HostPort,
    Id,
    Name,
    Numbers,
    Packet,
    PerDevice,
    Polls,
    Seconds,
    Setting,
    Strict,
    Text,
    Title,
    Whole,
    short,
    under,
)
from gateway.settings.models.commands import CommandsEntry
from gateway.settings.models.common import (
    Basis,
    Deadband,
    PollsByGroup,
    Retention,
    SecretRef,
)
from gateway.settings.models.derived import DerivedEntry
from gateway.settings.models.historian import HistorianEntry, HistoryEntry
from gateway.settings.models.place import PositionEntry
from gateway.settings.models.privacy import PrivacyEntry
from gateway.settings.models.profile import PointOverride, QuirksEntry
from gateway.settings.models.remote import RemoteEntry
from gateway.settings.models.sink import SinkEntry
from gateway.settings.problems import BadValue, Phrase
from gateway.settings.site import Echo, Priority

LINK_KEYS = ("port", "tcp", "rtu-over-tcp", "listen", "udp", "memory")


def _timeout(value: object) -> object:
    return None if value == "auto" else value


Timeout: TypeAlias = Annotated[Seconds | None, BeforeValidator(_timeout)]
"""A duration, or `auto` (None): adapted to what each device was measured to need."""


class GatewayEntry(Strict):
    """Who we are."""

    id: Id = Field(description="Id of this gateway; part of every topic.")
    site: Id = Field(description="Id of the community; part of every topic.")
    timezone: Text = Field(
        default="Asia/Shanghai", description="Time zone of fixed read times (IANA name)."
    )
    clock: Literal["kernel", "trusted"] = Field(
        default="kernel",
        description="Who vouches for the clock: the kernel's NTP state, or the operator. "
        "Default kernel.",
    )
    title: Title = Field(default_factory=dict, description="Name for people, by language.")
    location: Annotated[dict[Id, Name], under("place")] = Field(
        default_factory=dict,
        description="Where the community is: {admin, area, lot, …}; devices inherit these parts.",
        json_schema_extra=short({"type": "string"}),
    )
    position: PositionEntry | None = Field(default=None, description="Where the cabinet stands.")
    operator: Name | None = Field(default=None, description="Who runs the devices, for platforms.")


class ListenEntry(Strict):
    """A port on which a 4G DTU dials in, or on which devices call that speak by themselves."""

    port: Whole = Field(ge=1, le=65535, description="Port to listen on.")
    transport: Literal["tcp", "udp"] = Field(
        default="tcp",
        description="tcp or udp; udp only for devices that speak by themselves. Default tcp.",
    )
    host: Text = Field(default="0.0.0.0", description="Address to listen on. Default: all.")  # noqa: S104 - a DTU dials in from outside
    registration: Packet | None = Field(
        default=None, description="What the DTU says first: text, or hex:01 02. Default: nothing."
    )
    prefix: Flag = Field(
        default=False, description="Only the beginning of the registration is fixed. Default false."
    )
    heartbeat: Packet | None = Field(
        default=None, description="What the DTU repeats: text, or hex:…."
    )


class BusEntry(Strict):
    """One line: exactly one of port, tcp, rtu-over-tcp, listen, udp and memory."""

    port: Text | None = Field(
        default=None, description="Serial port: by-path/…, by-id/… (below /dev/serial), or a path."
    )
    line: Setting | None = Field(
        default=None,
        description="Serial setting as on the label. Default: the protocol's, else 9600 8N1.",
    )
    tcp: HostPort | None = Field(default=None, description="host:port that we dial.")
    rtu_over_tcp: HostPort | None = Field(
        default=None,
        alias="rtu-over-tcp",
        description="host:port of a serial server with RTU frames.",
    )
    listen: ListenEntry | None = Field(default=None, description="Port on which a 4G DTU dials in.")
    udp: HostPort | None = Field(default=None, description="host:port of a datagram peer.")
    memory: Id | None = Field(default=None, description="A line in memory, for tests.")
    protocol: Text | None = Field(
        default=None,
        description="Such as modbus-rtu. Default: modbus-tcp on tcp and udp, else modbus-rtu.",
    )
    echo: Echo = Field(
        default=Echo.AUTO, description="Whether the line gives back what we send. Default auto."
    )
    pause: Seconds = Field(
        default=0.0, le=60, description="Extra silence before each request. Default 0s."
    )
    turnaround: Seconds = Field(
        default=0.02, le=60, description="Answer time assumed until it is measured. Default 20ms."
    )
    in_flight: Whole = Field(
        default=1,
        ge=1,
        le=32,
        description="Requests at the same time, for modbus-tcp only. Default 1.",
    )
    rs485: Flag = Field(
        default=False, description="The kernel switches the direction (TIOCSRS485). Default false."
    )
    simulated: Flag = Field(
        default=False, description="Values are marked as simulated. Default false."
    )

    @model_validator(mode="after")
    def _one_link(self) -> BusEntry:
        given = [key for key in LINK_KEYS if getattr(self, key.replace("-", "_")) is not None]
        if len(given) != 1:
            found = ", ".join(given) if given else Phrase("nothing")
            raise BadValue("LG-BUS-01", keys=", ".join(LINK_KEYS), found=found)
        for key, is_given in (("line", self.line is not None), ("rs485", self.rs485)):
            if is_given and self.port is None:
                raise BadValue("LG-BUS-12", key=key)
        return self


class DevicePatch(Strict):
    """What can be said of a device: in its entry, below `except`, and in a row of a table."""

    profile: Text | None = Field(
        default=None, description="Profile id such as acrel/adl400, or a path ending in .yaml."
    )
    variant: Text | None = Field(default=None, description="Variant of the profile.")
    bus: Text | None = Field(default=None, description="Name of the bus.")
    address: PerDevice | None = Field(
        default=None,
        description="Address on the bus as set on the device; a meter number keeps its zeros.",
    )
    protocol: Text | None = Field(default=None, description="Protocol, when it is not the bus's.")
    title: Title | None = Field(default=None, description="Name for people, by language.")
    location: Annotated[dict[Id, Name], under("place")] | None = Field(
        default=None,
        description="Where it is: {bldg, unit, floor, room, zone, space, house_code, cim_id, …}, "
        "or one text.",
        json_schema_extra=short({"type": "string"}),
    )
    position: PositionEntry | None = Field(
        default=None, description="Where it is on the map: {lon: 120.2, lat: 30.2, crs: EPSG:4490}."
    )
    operator: Name | None = Field(
        default=None, description="Who runs it, for platforms. Default: the gateway's."
    )
    duty: Name | None = Field(
        default=None, description="Who is called when it fails: grid, property, fire, energy, …"
    )
    poll: PollsByGroup | None = Field(
        default=None,
        description="Period for all groups, or by group: {power: 30s, energy: {at: 15m}}.",
    )
    variables: dict[str, PerDevice] | None = Field(
        default=None, alias="set", description="Variables of the profile: {input: 3}."
    )
    disabled: Text | None = Field(default=None, description="Switched off, with the reason.")
    deadband: dict[str, Deadband] | None = Field(
        default=None, description="Dead-band by point: {u_a: 0.5, p_tot: 1%}."
    )
    points: dict[str, PointOverride] | None = Field(default=None, description="Overrides by point.")
    retries: Whole | None = Field(
        default=None, ge=0, le=10, description="Repeats of a failed request."
    )
    offline_after: Polls | None = Field(
        default=None, description="Failed polls until it is offline."
    )
    timeout: Timeout = Field(
        default=None,
        description="Reply timeout: auto, or such as 500ms.",
        json_schema_extra=short({"const": "auto"}),
    )
    quirks: QuirksEntry | None = Field(default=None, description="Pauses and limits of the device.")
    priority: Priority | None = Field(default=None, description="Class of all its reads.")
    key: SecretRef | None = Field(
        default=None,
        description="Key of the device by name, in hex: a secure channel or AES key.",
    )
    owner: Name | None = Field(
        default=None, description="Whose device it is, and whose values: property, household, …"
    )
    basis: Basis | None = Field(
        default=None,
        description="Why its personal points may be processed (PIPL art. 13). "
        "Default: by profile and kind.",
    )
    retain: Retention | None = Field(
        default=None,
        description="How long its values may be kept at the site, in whole days: 30d. "
        "Default: by profile and kind.",
    )


class DeviceEntry(DevicePatch):
    """One device, or many alike by `each` or from a table."""

    id: Text | None = Field(default=None, description="Id, or a template such as em-{n:02}.")
    each: dict[Annotated[str, Field(pattern="^[a-z_][a-z0-9_]{0,31}$")], Numbers] | None = Field(
        default=None, description="One device for each number: {n: 1..64}."
    )
    source: Text | None = Field(
        default=None,
        alias="from",
        description="CSV file with one device a row, relative to this file.",
    )
    except_: dict[str, DevicePatch] | None = Field(
        default=None,
        alias="except",
        description="What differs, by number or device id: {17: {address: 117}}.",
    )


class DefaultsEntry(Strict):
    """What holds for all devices that say nothing else."""

    poll: PollsByGroup | None = Field(
        default=None,
        description="By group: overrides kinds and profiles. For all groups: where those say "
        "nothing. Default 60s.",
    )
    timeout: Timeout = Field(
        default=None,
        description="Reply timeout. Default auto.",
        json_schema_extra=short({"const": "auto"}),
    )
    retries: Whole = Field(
        default=2, ge=0, le=10, description="Repeats of a failed request. Default 2."
    )
    offline_after: Polls = Field(
        default=3, description="Failed polls until a device is offline. Default 3 polls."
    )
    deadband: Deadband | None = Field(
        default=None,
        description="Dead-band of points whose profile says none.",
    )


class StoreEntry(Strict):
    """The outbox on disk."""

    quota: Bytes = Field(
        default=1536 << 20,
        ge=1 << 20,
        description="Most bytes of its files, and never more than 60 % of what the disk can give. "
        "Default 1536MB: thirty days of 200 devices.",
    )
    commit_every: Seconds = Field(
        default=1.0, ge=0.01, le=60, description="Longest wait of a value. Default 1s."
    )
    commit_readings: Whole = Field(
        default=1000, ge=1, le=100_000, description="Values that do not wait longer. Default 1000."
    )
    key: SecretRef | None = Field(
        default=None,
        description="Key that seals values of class P2 and above: 64 hex digits, the newest first, "
        "older ones below it. Default: made in the state folder, which protects copies of the "
        "store but not a lost card.",
    )


class SiteFile(Strict):
    """One file of a site; several are merged."""

    version: Literal[1] = Field(description="Version of this format: 1.")
    gateway: GatewayEntry | None = Field(
        default=None, description="Who we are; in exactly one file."
    )
    sinks: dict[Id, SinkEntry] = Field(default_factory=dict, description="Platforms by name.")
    historians: dict[Id, HistorianEntry] = Field(
        default_factory=dict, description="Time-series databases by name."
    )
    history: HistoryEntry | None = Field(
        default=None, description="Keep the last days on this machine: {} for 7 days. Default: no."
    )
    privacy: PrivacyEntry | None = Field(
        default=None, description="Hashes and pseudonyms of what leaves the site."
    )
    defaults: DefaultsEntry | None = Field(default=None, description="For all devices.")
    buses: dict[Id, BusEntry] = Field(default_factory=dict, description="Lines by name.")
    devices: list[DeviceEntry] = Field(default_factory=list[DeviceEntry], description="Devices.")
    derived: list[DerivedEntry] = Field(
        default_factory=list[DerivedEntry], description="Devices made of points of others."
    )
    commands: CommandsEntry | None = Field(default=None, description="What platforms may do.")
    store: StoreEntry | None = Field(default=None, description="The outbox.")
    remote: RemoteEntry | None = Field(
        default=None, description="Who may send a site configuration. Default: nobody."
    )
