"""The receiver's side of one connection: panels report, we acknowledge."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from drivers.contract import (
    DriverError,
    Fault,
    FrameError,
    Moment,
    SessionDevice,
    SessionOutput,
    SessionSample,
)
from drivers.dc09.address import Dc09Address, Dc09Quirks, Field, LengthCheck, TimeCheck
from drivers.dc09.answers import ack, duh, nak
from drivers.dc09.codec import Envelope, Length, Message, Stream, open_envelope, read_body
from drivers.dc09.content import Content, decrypt, read_content
from drivers.dc09.events import Event, read_events
from drivers.dc09.match import address_of, quirks_of, raw_of
from drivers.dc09.memory import Memory, Sealed, memory_of

REPEAT_S = 300.0
"""For so long the same number with the same data is a repetition: numbers come round again."""


@dataclass(frozen=True, slots=True)
class _Told:
    """A message that was read; equal to its repetition, which may carry another time."""

    ident: str
    sequence: str
    data: str
    time: datetime | None = field(compare=False)
    events: tuple[Event, ...] = ()


@dataclass(slots=True)
class _Panel:
    """A panel of the site, and what is remembered of it while the connection stands.

    `memory` outlives it. What was told last does not: on a new connection it is told again, for
    nobody knows whether it was committed before the old one broke.
    """

    unit: Hashable
    points: tuple[Dc09Address, ...]
    quirks: Dc09Quirks
    key: bytes | None = field(repr=False)
    memory: Memory
    heard_s: float | None = None
    is_silent: bool = False
    last: _Told | None = None
    last_s: float = 0.0

    @property
    def silent_at(self) -> float | None:
        """When it counts as silent, if nothing more is heard."""
        if self.heard_s is None or self.is_silent or not self.quirks.supervise_s:
            return None
        return self.heard_s + self.quirks.supervise_s


@dataclass(slots=True)
class _Gathered:
    """What one call of the session comes to."""

    send: list[bytes] = field(default_factory=list[bytes])
    samples: list[SessionSample] = field(default_factory=list[SessionSample])
    alive: list[Hashable] = field(default_factory=list[Hashable])
    unknown: list[str] = field(default_factory=list[str])
    fault: DriverError | None = None

    def blame(self, fault: DriverError) -> None:
        self.fault = self.fault or fault


class Dc09Session:
    """One connection, or one peer of UDP, with any number of accounts."""

    def __init__(self, devices: Sequence[SessionDevice], now: Moment) -> None:
        """Take the panels of the line; supervision of each begins when it first speaks."""
        del now
        self._stream = Stream()
        self._panels = {
            str(device.unit): _Panel(
                device.unit,
                tuple(dict.fromkeys(address_of(point) for point in device.points)),
                quirks_of(device.quirks),
                quirks_of(device.quirks).aes_key(device.key),
                memory_of(device.unit),
            )
            for device in devices
        }

    @property
    def wake_at(self) -> float | None:
        """When the next panel counts as silent."""
        moments = (p.silent_at for p in self._panels.values() if p.silent_at is not None)
        return min(moments, default=None)

    def received(self, data: bytes, now: Moment) -> SessionOutput:
        """Take bytes of a stream, or one datagram."""
        gathered = _Gathered()
        for frame in self._stream.feed(data):
            self._take(frame, gathered, now)
        return SessionOutput(
            b"".join(gathered.send),
            tuple(gathered.samples),
            tuple(dict.fromkeys(gathered.alive)),
            (),
            tuple(dict.fromkeys(gathered.unknown)),
            gathered.fault,
        )

    def wake(self, now: Moment) -> SessionOutput:
        """Say who missed its supervision."""
        silent: list[Hashable] = []
        for panel in self._panels.values():
            if panel.silent_at is not None and panel.silent_at <= now.at_s:
                panel.is_silent = True
                silent.append(panel.unit)
        return SessionOutput(silent=tuple(silent))

    def _take(self, frame: bytes, gathered: _Gathered, now: Moment) -> None:
        """Take one frame; what is damaged is not answered, so that the panel repeats it."""
        try:
            envelope = open_envelope(frame)
            message = read_body(envelope.body)
        except ValueError as why:
            gathered.blame(FrameError(Fault.SHORT, str(why), frame))
            return
        panel = self._panels.get(message.account)
        if envelope.crc.upper() != envelope.expected_crc or (
            panel is not None and not _has_right_length(envelope, panel.quirks)
        ):
            gathered.blame(FrameError(Fault.CRC, envelope.error or "", frame))
        elif panel is None:
            gathered.unknown.append(message.account or "a message without account")
        else:
            _take_message(panel, message, gathered, now)


def _take_message(panel: _Panel, message: Message, gathered: _Gathered, now: Moment) -> None:
    """Answer a whole message of a panel of the site: ACK, NAK for its time, DUH for the rest."""
    try:
        content = _content(panel, message)
    except DriverError as why:
        gathered.blame(why)
        gathered.send.append(duh(message))
        return
    except ValueError as why:
        # A wrong key gives no bracket and no time: to the standard, a time that fails.
        gathered.blame(FrameError(Fault.SHORT, str(why)))
        gathered.send.append(nak(now.utc_ms) if message.is_encrypted else duh(message))
        return
    why = _untimely(panel, message, content, now)
    if why is not None:
        gathered.blame(FrameError(Fault.SHORT, why))
        gathered.send.append(nak(now.utc_ms))
        return
    try:
        events = read_events(message.ident, content.data)
    except ValueError as why:
        gathered.blame(FrameError(Fault.SHORT, str(why)))
        gathered.send.append(duh(message))
        events = ()
    else:
        gathered.send.append(ack(message, panel.key, now.utc_ms))
    told = _Told(message.ident, message.sequence, content.data, content.time, events)
    _learn(panel, told, gathered, now)


def _learn(panel: _Panel, told: _Told, gathered: _Gathered, now: Moment) -> None:
    """Note that a panel lives, and what it told for the first time."""
    panel.heard_s, panel.is_silent = now.at_s, False
    gathered.alive.append(panel.unit)
    if not told.events or (told == panel.last and now.at_s - panel.last_s < REPEAT_S):
        return
    panel.last, panel.last_s = told, now.at_s
    for event in told.events:
        gathered.samples.extend(_samples(panel, event, told.time))


def _samples(panel: _Panel, event: Event, time: datetime | None) -> Iterator[SessionSample]:
    for point in panel.points:
        raw = raw_of(point, event, time)
        if raw is not None:
            # Who opened or closed is a person, and a text beside it may be a name.
            is_secret = point.field is Field.USER or (
                point.field is Field.TEXT and event.is_of_user
            )
            yield SessionSample(panel.unit, point, raw, is_secret)


def _content(panel: _Panel, message: Message) -> Content:
    """Return the content in plain text.

    Raises:
        ValueError: it cannot be read.
        DriverError: it is encrypted and must not be, or the other way round; or it is another's.
    """
    if not message.is_encrypted:
        if panel.key is not None:
            raise DriverError(f"account {message.account} has a key, and reports without it")
        return read_content(message.content)
    if panel.key is None:
        raise DriverError(f"account {message.account} encrypts, and the site file has no key")
    content = read_content(decrypt(message.content, panel.key), is_filled=True)
    if content.account and content.account.lstrip("0") != message.account.lstrip("0"):
        # The head is not encrypted: of panels with one key, anybody could change who reports.
        raise DriverError(f"account {message.account} carries data of {content.account}")
    return content


def _has_right_length(envelope: Envelope, quirks: Dc09Quirks) -> bool:
    match envelope.length:
        case Length.RIGHT:
            return True
        case Length.DECIMAL:
            return quirks.length is not LengthCheck.STRICT
        case Length.WRONG:
            return quirks.length is LengthCheck.ANY


def _untimely(panel: _Panel, message: Message, content: Content, now: Moment) -> str | None:
    """Return what is wrong with the time of a message, or None.

    A panel that gets NAK sends it again with a time of now: nothing is lost by refusing it.
    """
    is_checked = panel.quirks.time_check is TimeCheck.ALL or (
        panel.quirks.time_check is TimeCheck.ENCRYPTED and message.is_encrypted
    )
    if not is_checked:  # its clock may stand still, and all messages have one time
        return None
    if content.time is None or not _is_near(content.time, panel.quirks, now):
        return f"its time {content.time} is too far from ours"
    if not message.is_encrypted:
        return None
    sealed = Sealed(message.ident, content.data, content.time)
    return "it came before, and others after it" if panel.memory.is_played_back(sealed) else None


def _is_near(time: datetime, quirks: Dc09Quirks, now: Moment) -> bool:
    ours = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=now.utc_ms)
    ahead_s = (time - ours).total_seconds()
    return -quirks.time_past_s <= ahead_s <= quirks.time_future_s
