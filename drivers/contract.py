"""The one page for authors of a driver: what the bus asks of it, and what it may expect.

A driver is pure: it knows no port, no clock, no asyncio and no logging. Time comes in as an
argument, bytes go out as return values. Two shapes exist: a Job asks (`steps` yields one Exchange
after the other), a Session is for devices that speak by themselves or keep a dialogue.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

Raw: TypeAlias = int | float | bool | str | bytes
"""A value as the device's datatype says it, before scale, enumeration and plausibility."""

Address: TypeAlias = Hashable
"""Where a point is in a device: an instance of the driver's own `address_type`.

Everybody else keeps, compares and hands back; only the driver looks inside.
"""

Quirks: TypeAlias = Hashable
"""What is peculiar to a device: an instance of the driver's own `quirks_type`."""


class DriverError(Exception):
    """Something on the wire that the bus acts on; `received` keeps the bytes for diagnosis."""

    def __init__(self, message: str, received: bytes = b"") -> None:
        super().__init__(message)
        self.received = received


class Fault(StrEnum):
    """Why bytes were not the reply; the names are the `qr` reasons of the payload standard."""

    CRC = "crc"
    SHORT = "short"
    WRONG_UNIT = "wrong_unit"
    ECHO = "echo"


class NoAnswer(DriverError):
    """Nothing that could be the reply came before the deadline."""


class FrameError(DriverError):
    """Bytes came before the deadline, but no reply to this request was among them."""

    def __init__(self, fault: Fault, message: str, received: bytes = b"") -> None:
        super().__init__(message, received)
        self.fault = fault


class DeviceRefused(DriverError):
    """The device itself said no, with a code of its protocol.

    `is_busy` asks for a later retry; `is_address` says that the block touches something the device
    does not have, so that a merged block may be split.
    """

    def __init__(
        self,
        code: int,
        message: str,
        received: bytes = b"",
        *,
        is_busy: bool = False,
        is_address: bool = False,
    ) -> None:
        super().__init__(message, received)
        self.code = code
        self.is_busy = is_busy
        self.is_address = is_address


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
    """What a protocol needs of the line between frames.

    `silence_chars` characters of silence before every request, at least `silence_min_s` (Modbus
    over Serial Line V1.02, 2.5.1.1: 3.5 characters, 1.75 ms above 19200 baud).
    """

    silence_chars: float = 0.0
    silence_min_s: float = 0.0
    has_reply_ids: bool = False
    """Replies carry an identifier, so that several requests may be in flight."""
    serial: str | None = None
    """Usual serial setting such as `2400 8E1`, where the standard names one."""


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
class Decoded:
    """One frame taken apart, for `linli decode`.

    `frame` uses the standard's own names; `raw` holds (key, raw value) for the wanted points that
    the frame covers; `spans_secret` are byte ranges that must not be shown.
    """

    ok: bool
    error: str | None
    frame: Mapping[str, Any]
    raw: Mapping[int, Raw | None] = field(default_factory=dict[int, "Raw | None"])
    spans_secret: tuple[slice, ...] = ()


class JobDriver(Protocol):
    """One protocol of a driver, bound to nothing: all functions are pure."""

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

    def decode(
        self, frame: bytes, direction: str, wanted: Sequence[Wanted] = (), request: bytes = b""
    ) -> Decoded:
        """Take one frame apart; never raises. `direction` is request or response.

        With the request and wanted points, the raw values that the reply carries are in `raw`.
        """
        ...

    def window(self) -> Window | None:
        """Return the window for several requests in flight, or None."""
        ...


@dataclass(frozen=True, slots=True)
class SessionSample:
    """A raw value that a device sent by itself: device address, point address, value."""

    unit: Hashable
    address: str
    raw: Raw | None
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class SessionOutput:
    """What a session wants after bytes or time: bytes to send, and what it learnt."""

    send: bytes = b""
    samples: tuple[SessionSample, ...] = ()
    fault: DriverError | None = None


class Session(Protocol):
    """A dialogue that the device drives. `now` is loop time in seconds."""

    @property
    def wake_at(self) -> float | None:
        """When `wake` must be called at the latest, or None."""
        ...

    def received(self, data: bytes, now: float) -> SessionOutput:
        """Take bytes from the wire."""
        ...

    def wake(self, now: float) -> SessionOutput:
        """Let time pass: polls, supervision, answers that are due."""
        ...


@dataclass(frozen=True, slots=True)
class DriverSpec:
    """What `registry.load` finds as `DRIVER` in `drivers/<name>/__init__.py`.

    `protocols` maps the names of `linli decode` and of a bus's `protocol:` to the driver object;
    the first one is the default on serial ports, `tcp_protocol` the default on TCP.

    `address_type` and `quirks_type` are frozen slotted dataclasses, a field for each key of a
    profile. A field's metadata has its `description` and limits (`ge`, `gt`, `le`, `lt`); settings
    checks keys against both. What fits together is checked in `__post_init__`, with a ValueError
    for the technician. `complete_address` fills in keys that follow from others, before all that.
    """

    name: str
    protocols: Mapping[str, JobDriver]
    address_type: type[Address]
    quirks_type: type[Quirks]
    serial_protocol: str
    tcp_protocol: str
    complete_address: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict[str, Any]
    session: Callable[[Mapping[str, Any]], Session] | None = None
