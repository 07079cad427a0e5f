"""The one page for authors of a dialect: what a sink's task asks of it, and what it may expect.

A dialect is a machine for one sink. It does no I/O and knows no clock: time comes in as an
argument, messages go out as return values. A module or package of this folder that defines
`DIALECT = DialectSpec(...)` is one; its name is the name in the site file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.model.clock import TimeQuality
from gateway.model.command import BadCommand, Command
from gateway.model.ids import DeviceId, PointId
from gateway.model.letter import Letter
from gateway.model.publication import Arrival, ConnectSpec, Publication, Subscription
from gateway.model.record import Committed, Lane
from gateway.settings.site import Gateway
from gateway.settings.site_place import Position
from gateway.settings.site_sinks import Secret, Sink


class CannotConnect(Exception):
    """There is no connecting now; the text says why, and what it waits for."""


@dataclass(frozen=True, slots=True)
class Now:
    """The moment of a call: UTC milliseconds, and how far they can be believed."""

    ms: int
    tq: TimeQuality


@dataclass(frozen=True, slots=True)
class Configuration:
    """The site configuration that runs, as platforms are told of it."""

    hash: str
    """SHA-256 over its files, in hex (`remote.files.hash_of`)."""
    state: str
    """local, applied, trying, rolled_back, superseded, damaged, fallback."""
    version: str | None = None
    """What the platform that sent it calls it."""


def _none() -> Configuration | None:
    return None


def _no_secrets(secret: Secret) -> str:
    raise LookupError(f"nobody can read {secret}")


@dataclass(frozen=True, slots=True)
class DialectSetup:
    """What a dialect is made with. `ep` names the store, `previous_ep` the one before it."""

    gateway: Gateway
    sink: Sink
    software: str
    """Name and version of this program."""
    ep: int
    previous_ep: int | None = None
    secret: Callable[[Secret], str] = _no_secrets
    """Reads a secret by name; asked again at every use, so that a changed file counts at once.

    Raises SettingsError when it is not there.
    """
    configuration: Callable[[], Configuration | None] = _none
    """Tells which site configuration runs now; None where that is not known."""


@dataclass(frozen=True, slots=True)
class BirthPoint:
    """One point as a platform may know it."""

    id: PointId
    type: str
    """float, int, bool, enum, text."""
    unit: str | None
    resolution: float | None
    personal: str
    level: str
    values: tuple[str, ...] = ()
    """Names of an enumeration."""
    is_writable: bool = False
    is_cumulative: bool = False
    title: Mapping[str, str] = field(default_factory=dict[str, str])
    derived_from: tuple[str, ...] = ()
    """What a derived point is made of: `DEVICE/POINT`, or a pattern over devices."""
    basis: str | None = None
    """Why it may be processed, by PIPL art. 13."""
    retain_days: int | None = None
    transform: str | None = None
    """`hash` or `mask`, where values do not leave as they are."""


@dataclass(frozen=True, slots=True)
class Birth:
    """One device as a platform may know it: only points and places that its level allows."""

    device: DeviceId
    kind: str
    vendor: str | None
    model: str | None
    points: tuple[BirthPoint, ...]
    title: Mapping[str, str] = field(default_factory=dict[str, str])
    location: Mapping[str, str] = field(default_factory=dict[str, str])
    is_verified: bool = True
    """False where the facts of its profile were not seen on a device or in a document."""
    position: Position | None = None
    operator: str | None = None
    duty: str | None = None
    """Who is called when it fails."""
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class RefusedRecords:
    """Records of one lane that the platform does not take, with the reason for people."""

    lane: Lane
    seqs: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """Messages for a batch of records.

    Every seq of the batch is in the `covers` of at least one message, in `withheld` or in
    `refused`. A record that became several messages is done when all of them are: only the last
    of them covers it.
    """

    publications: tuple[Publication, ...]
    withheld: tuple[int, ...] = ()
    """Records for which this platform has no word: done without being sent."""
    refused: tuple[RefusedRecords, ...] = ()
    """What the platform would not take (a device that it let not log in); kept and shown."""


@dataclass(frozen=True, slots=True)
class SeqRange:
    """Records by seq, both ends included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Ranges:
    """Records of one store epoch that the platform speaks of."""

    ep: int
    ranges: tuple[SeqRange, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A message of the platform that was not obeyed, for the audit."""

    topic: str
    reason: str


@dataclass(frozen=True, slots=True)
class Received:
    """What a message of the platform means."""

    commands: tuple[Command | BadCommand, ...] = ()
    acknowledged: tuple[Ranges, ...] = ()
    """Confirmed by the platform itself (`ack: app`)."""
    wanted: tuple[Ranges, ...] = ()
    """To be sent again, with the identity they have."""
    platform_ms: int | None = None
    """The platform's clock, when it told it."""
    letters: tuple[Letter, ...] = ()
    """Signed letters, none of them opened yet."""
    dropped: tuple[Dropped, ...] = ()
    publications: tuple[Publication, ...] = ()
    """What is answered at once, or said next: a login, a reply that is no record."""
    subscriptions: tuple[Subscription, ...] = ()
    """Topics to listen to from now on, on this connection: what a login has opened."""
    refused: tuple[RefusedRecords, ...] = ()
    """Records that the platform took from the broker and refused by a code of its own."""
    remarks: tuple[Dropped, ...] = ()
    """What the platform complained of without refusing records: audited, and nothing else."""
    leaves: str | None = None
    """Why this connection is to be ended, after `publications`, and the next broker to be tried."""


def not_obeyed(arrival: Arrival, reason: str) -> Received:
    """Return that nothing is done for a message, and why: it is audited."""
    return Received(dropped=(Dropped(arrival.topic, reason),))


class Dialect(Protocol):
    """One platform's way to speak."""

    def connect_spec(self, now: Now) -> ConnectSpec:
        """Return how to connect; asked for at every attempt (credentials may hold the time).

        Raises:
            CannotConnect: not now, say while the time of day is not known; asked again later.
            SettingsError: a secret is not there.
        """
        ...

    def connected(
        self, births: Sequence[Birth], gone: Sequence[DeviceId], now: Now
    ) -> tuple[Publication, ...]:
        """Return what is said first on a new connection.

        `gone` are devices that were born on this platform once and are no more.
        """
        ...

    def reloaded(self, births: Sequence[Birth], now: Now) -> tuple[Publication, ...]:
        """Return births that changed, and what clears devices that went, on a standing link."""
        ...

    def encode(self, batch: Sequence[Committed], now: Now, *, is_backfill: bool) -> Encoded:
        """Return the messages for these records, in order within each lane."""
        ...

    def is_ready(self, now: Now) -> bool:
        """Return whether records may be handed out: false while the platform is still greeting.

        Asked after every message of the platform and once a second. A dialect gives up waiting
        by itself.
        """
        ...

    def tick(self, now: Now) -> tuple[Publication, ...]:
        """Return what is due by time: a login tried again, a question for the time.

        Asked about once a second while connected.
        """
        ...

    def echo(self, now: Now) -> Publication:
        """Return a message to the topic `ConnectSpec.echo` that differs from the last one.

        Asked for only when ready, where nothing else shows what arrives (MQTT 3.1.1,
        `ConnectSpec.needs_echo`), and where the spec names such a topic.
        """
        ...

    def received(self, arrival: Arrival, now: Now) -> Received:
        """Return what a message means; never raises, whatever came."""
        ...

    def goodbye(self, now: Now) -> tuple[Publication, ...]:
        """Return what is said before an orderly end."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent where, for people: `{word}` in a topic stands for one level of it."""

    what: str
    topic: str
    form: str = ""


@dataclass(frozen=True, slots=True)
class NoOptions:
    """A dialect without settings of its own."""


OLD_STATES = (
    "Where more than 200 events waited, a state that is older than the last one said of its device."
)
"""What those lose that are given no old states (`DialectSpec.says_old_states`)."""


@dataclass(frozen=True, slots=True)
class DialectSpec:
    """What `registry.load` finds as `DIALECT` in a module of this folder."""

    make: Callable[[DialectSetup], Dialect]
    has_app_ack: bool = False
    """Whether the platform can confirm records itself (`ack: app` in the site file)."""
    keepalive_s: tuple[int, int] = (1, 3600)
    """Least and most keep-alive that the platform takes, in seconds."""
    options: type[object] = NoOptions
    """The dataclass of `options:` in the site file (`dialects.options`)."""
    device_options: type[object] = NoOptions
    """The dataclass of each entry below `devices:`."""
    losses: tuple[str, ...] = ()
    """What of our records this platform has no word for, one sentence each."""
    says_old_states: bool = False
    """Whether it may be given a state after a newer one of the device. Where many events waited,
    newer ones go first (`gateway.outbox.feed`); a platform that keeps one state of a device would
    end with an old one."""
    sent: tuple[Sent, ...] = ()
    """What is sent where; every topic that is published is among them."""
