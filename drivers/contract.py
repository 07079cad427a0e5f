"""The one page for authors of a driver: what the bus asks of it, and what it may expect.

A driver is pure: it knows no port, no clock, no asyncio and no logging. Time comes in as an
argument, bytes go out as return values. Two shapes exist: a Job asks (`steps` yields one Exchange
after the other), a Session is for devices that speak by themselves or keep a dialogue.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from drivers.errors import DeviceRefused, DriverError, Fault, FrameError, NoAnswer  # noqa: F401 # pyright: ignore[reportUnusedImport]

Raw: TypeAlias = int | float | bool | str | bytes
"""A value as the device's datatype says it, before scale, enumeration and plausibility."""

Address: TypeAlias = Hashable
"""Where a point is in a device: an instance of the driver's own `address_type`."""

Quirks: TypeAlias = Hashable
"""What is peculiar to a device: an instance of the driver's own `quirks_type`."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Serial settings such as `300 7E1` on which one exchange runs, where they are not the line's.

    The line switches to `request` before it sends, to `reply` when the last bit has left, and back
    to its own when the job ends (IEC 62056-21, 4.1: the meter answers at the rate that was agreed).
    """

    request: str
    reply: str


class Exchange(Protocol):
    """One request and the recognition of its reply. Made for one use."""

    @property
    def request(self) -> bytes:
        """The bytes to send."""
        ...

    @property
    def unit(self) -> Hashable:
        """Who is asked: the key of breaker and response-time memory on this line."""
        ...

    @property
    def shape(self) -> Hashable | None:
        """What a reply looks like; None where replies carry an identifier of their request.

        Equal for two exchanges whose replies could be mistaken for each other.
        """
        ...

    @property
    def reply_chars(self) -> int:
        """Characters of an ordinary reply; 0 when none comes (broadcast)."""
        ...

    @property
    def switch(self) -> Switch | None:
        """Serial settings of this exchange; None where it runs on the line's own."""
        ...

    @property
    def reply_may_equal_request(self) -> bool:
        """Whether a correct reply can be the request's own bytes (Modbus writes).

        Then a local echo cannot be told from the reply by its bytes alone.
        """
        ...

    def feed(self, received: bytes) -> Any | None:  # noqa: ANN401 - the erased signature
        """Return the reply, or None for "more, please"; skips noise and foreign frames.

        Raises:
            DeviceRefused: the device answered with an error code.
        """
        ...

    def verdict(self) -> DriverError:
        """Return what to report at the deadline: NoAnswer, or FrameError with all that came."""
        ...


Steps: TypeAlias = Generator[Exchange, Any, Sequence[Raw | None]]
"""A running job: yields exchanges, is sent their replies, returns raw values in order of `keys`.
A value of None means that the device said "no value" for that key."""


class Job(Protocol):
    """An ordered piece of work for one unit: planned once, run many times."""

    @property
    def unit(self) -> Hashable:
        """Who is asked; equals the `unit` of its exchanges."""
        ...

    @property
    def keys(self) -> tuple[int, ...]:
        """The keys of the wanted points that its result answers, in this order; () for writes."""
        ...

    @property
    def request_chars(self) -> int:
        """Characters sent over all exchanges, for the cost of the plan."""
        ...

    @property
    def reply_chars(self) -> int:
        """Characters received over all exchanges when all goes well."""
        ...

    @property
    def exchanges(self) -> int:
        """Ordinary number of exchanges."""
        ...

    def steps(self) -> Steps:
        """Start the job anew."""
        ...

    def split(self) -> tuple[Job, ...]:
        """Return smaller jobs that together want the same keys, or () when it cannot be split.

        Called after a refusal with `is_address`.
        """
        ...

    def describe(self) -> str:
        """Return one line for `linli plan`: function, first address, count."""
        ...


@dataclass(frozen=True, slots=True)
class LineCost:
    """What line time costs, for the read plan. All in seconds.

    `char_s` is the time of one character (start, data, parity and stop bits over baud), 0 on
    networks; `exchange_s` what an exchange costs beside its characters: turnaround of the device,
    the silent interval before the request, a round trip of the network.
    """

    char_s: float
    exchange_s: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """One point that a profile asks for, with the driver's own address."""

    key: int
    address: Address
    tied_to: int | None = None
    """Key of a point that must come from the same exchange (a scale-factor register)."""


@dataclass(frozen=True, slots=True)
class WireSettings:
    """What a protocol needs of the line: silence before every request, at least `silence_min_s`."""

    silence_chars: float = 0.0
    silence_min_s: float = 0.0
    has_reply_ids: bool = False
    """Replies carry an identifier, so that several requests may be in flight."""
    serial: str | None = None
    """Usual serial setting such as `2400 8E1`, where the standard names one."""
    longest_response_s: float = 0.0
    """Longest wait for the first byte of a reply that the standard allows; 0: it names none."""
    longest_gap_s: float = 0.0
    """Longest pause between two bytes of a reply that it allows; 0: it names none."""


class Window(Protocol):
    """Several exchanges in flight on one connection (protocols with `has_reply_ids`)."""

    def admit(self, exchange: Exchange) -> bytes:
        """Return the bytes to send for it, with an identifier that no pending one has."""
        ...

    def feed(self, received: bytes) -> Sequence[tuple[Exchange, Any]]:
        """Return exchanges that are done, each with its reply or a DeviceRefused (not raised)."""
        ...

    def abandon(self, exchange: Exchange) -> None:
        """Forget one whose deadline passed; its late reply is skipped and counted."""
        ...


@dataclass(frozen=True, slots=True)
class NamedValue:
    """A value that a frame names by itself: a point id of the catalogue of kinds, a UCUM unit."""

    point: str
    value: Raw | None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """One frame taken apart, for `linli decode` and for the samples of profiles.

    `frame` uses the standard's own names; `raw` holds the raw values of wanted points by key,
    `values` what the frame says by itself; `unit` is whom it is to or from, as `parse_unit` gives
    it; `spans_secret` are byte ranges that must not be shown.
    """

    ok: bool
    error: str | None
    frame: Mapping[str, Any]
    raw: Mapping[int, Raw | None] = field(default_factory=dict[int, "Raw | None"])
    spans_secret: tuple[slice, ...] = ()
    values: tuple[NamedValue, ...] = ()
    unit: Hashable | None = None


class Speaker(Protocol):
    """What every protocol can do, whoever speaks first. All functions are pure."""

    @property
    def wire(self) -> WireSettings:
        """What the protocol needs between frames."""
        ...

    def parse_unit(self, address: object) -> Hashable:
        """Return the unit key of a device's `address:` in the site file.

        Raises:
            ValueError: with what is wrong and what to write, for the technician.
        """
        ...

    def decode(
        self, frame: bytes, direction: str, wanted: Sequence[Wanted] = (), request: bytes = b""
    ) -> Decoded:
        """Take one frame apart; never raises. `direction` is request, response, or auto.

        With wanted points, and the request where the protocol needs it, the raw values that the
        frame carries are in `raw`.
        """
        ...


class JobDriver(Speaker, Protocol):
    """A protocol in which we ask: it plans jobs."""

    def plan(
        self, unit: Hashable, wanted: Sequence[Wanted], quirks: Quirks, cost: LineCost
    ) -> tuple[Job, ...]:
        """Return the jobs that read all wanted points at the least line time."""
        ...

    def plan_write(self, unit: Hashable, address: Address, raw: Raw, quirks: Quirks) -> Job:
        """Return the job that writes one raw value.

        Raises:
            ValueError: the address cannot be written, or the value does not fit its datatype.
        """
        ...

    def probe(self, unit: Hashable, job: Job) -> Job:
        """Return the shortest job that shows whether the unit lives, made from one of its jobs."""
        ...

    def window(self) -> Window | None:
        """Return the window for several requests in flight, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time as a session sees it.

    `at_s` is seconds of a clock that never steps, `utc_ms` what the wall clock says,
    `local_offset_s` what local time is ahead of UTC.
    """

    at_s: float
    utc_ms: int = 0
    local_offset_s: int = 0


@dataclass(frozen=True, slots=True)
class SessionDevice:
    """A device of the site as its session knows it; `key` is the secret that the site names."""

    unit: Hashable
    points: tuple[Address, ...]
    quirks: Quirks
    key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SessionSample:
    """A raw value that a device sent by itself, None for "no value", of one of its points.

    What is secret (card numbers, codes) is made a pseudonym before it is stored or logged.
    """

    unit: Hashable
    address: Address
    raw: Raw | None
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class SessionOutput:
    """What a session wants after bytes or time: bytes to send, and what it learnt.

    `alive` are units that were heard, `silent` those that missed their supervision; `unknown` says
    of whom the site knows nothing, for the audit. With `is_over` the connection is closed.
    """

    send: bytes = b""
    samples: tuple[SessionSample, ...] = ()
    alive: tuple[Hashable, ...] = ()
    silent: tuple[Hashable, ...] = ()
    unknown: tuple[str, ...] = ()
    fault: DriverError | None = None
    is_over: bool = False


class Session(Protocol):
    """A dialogue that the device drives, or that never rests; one for each connection."""

    @property
    def wake_at(self) -> float | None:
        """The `at_s` at which `wake` must be called at the latest, or None."""
        ...

    def received(self, data: bytes, now: Moment) -> SessionOutput:
        """Take bytes from the wire; of UDP, one whole datagram."""
        ...

    def wake(self, now: Moment) -> SessionOutput:
        """Let time pass: polls, supervision, answers that are due."""
        ...


class SessionDriver(Speaker, Protocol):
    """A protocol in which devices speak by themselves, or in which a dialogue never rests."""

    def start(self, devices: Sequence[SessionDevice], now: Moment) -> Session:
        """Return the session of a new connection with the devices of its line."""
        ...

    def silent_after_s(self, quirks: Quirks) -> float | None:
        """Return how long a device may be silent; None: as long as its connection lives."""
        ...


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a protocol is looked for, and how it behaves on a line that others share.

    `settings` are the serial settings to try in a scan, the likeliest first. `scan` gives the jobs
    that find its devices. `never` are rules that its jobs keep on a shared line, `dangerous` names
    its writes that move, lock or erase something; both are sentences for people.
    """

    settings: tuple[str, ...]
    scan: Callable[[], Iterable[Job]]
    never: tuple[str, ...]
    dangerous: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DriverSpec:
    """What `registry.load` finds as `DRIVER` in `drivers/<name>/__init__.py`.

    `protocols` maps the names of `linli decode` and of a bus's `protocol:` to the object that plans
    jobs for it, `sessions` to the one that starts sessions. `serial_protocol` is the default on
    serial ports, `tcp_protocol` on networks.

    `address_type` and `quirks_type` are frozen slotted dataclasses, a field for each key of a
    profile. A field's metadata has its `description` and limits (`ge`, `gt`, `le`, `lt`), against
    which settings checks. What fits together is checked in `__post_init__`, with a ValueError for
    the technician. `complete_address` fills in keys that follow from others, before all that.
    """

    name: str
    address_type: type[Address]
    quirks_type: type[Quirks]
    serial_protocol: str
    tcp_protocol: str
    protocols: Mapping[str, JobDriver] = field(default_factory=dict[str, "JobDriver"])
    sessions: Mapping[str, SessionDriver] = field(default_factory=dict[str, "SessionDriver"])
    complete_address: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict[str, Any]
    conduct: Conduct = field(default_factory=lambda: Conduct((), tuple, (), ()))

    @property
    def speakers(self) -> Mapping[str, Speaker]:
        """All protocols of the driver, of both shapes."""
        return {**self.protocols, **self.sessions}
