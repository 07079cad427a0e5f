"""The dialogue with transmitters on one connection: they speak, we confirm or deny."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from drivers.contract import (
    DeviceRefused,
    DriverError,
    Fault,
    FrameError,
    Moment,
    SessionDevice,
    SessionOutput,
    SessionSample,
)
from drivers.gbt26875.address import Field, Gbt26875Address, Gbt26875Quirks
from drivers.gbt26875.ask import Ask
from drivers.gbt26875.clock import local_time, write_clock
from drivers.gbt26875.codec import STANDARD, Command, Damaged, Frame, Stream, encode
from drivers.gbt26875.match import (
    Reading,
    address_of,
    is_of,
    needs_component,
    quirks_of,
    raw_of,
)
from drivers.gbt26875.objects import Report, read_reports
from drivers.gbt26875.units import Place, parse_place, shown_source

REPEATED_FOR_S = 60.0
"""Three repeats of what is not confirmed within ten seconds (6.5.4, 6.5.5), and some more."""
MOST_TOLD = 64


@dataclass(frozen=True, slots=True)
class _Listener:
    """A device of the site with the points that reports may be about."""

    unit: Hashable
    place: Place
    points: tuple[Gbt26875Address, ...]


@dataclass(frozen=True, slots=True)
class _Told:
    """A report as its repetition has it: the head may carry the time of its own sending.

    The time of each state stands in the application part.
    """

    serial: int
    command: int
    application: bytes
    at_s: float = field(compare=False)


@dataclass(slots=True)
class _Peer:
    """A transmitter of the site: who listens to it, when it was heard, what we ask of it."""

    quirks: Gbt26875Quirks
    listeners: list[_Listener]
    heard_s: float | None = None
    is_silent: bool = False
    told: deque[_Told] = field(default_factory=lambda: deque[_Told](maxlen=MOST_TOLD))
    """Its last reports, the newest at the end."""
    ask: Ask | None = None

    @property
    def units(self) -> tuple[Hashable, ...]:
        return tuple(listener.unit for listener in self.listeners)

    @property
    def silent_at(self) -> float | None:
        """When it counts as silent, if nothing more is heard."""
        if self.heard_s is None or self.is_silent or not self.quirks.silent_after_s:
            return None
        return self.heard_s + self.quirks.silent_after_s


@dataclass(slots=True)
class _Gathered:
    """What one call of the session comes to."""

    send: list[bytes] = field(default_factory=list[bytes])
    samples: list[SessionSample] = field(default_factory=list[SessionSample])
    alive: list[Hashable] = field(default_factory=list[Hashable])
    silent: list[Hashable] = field(default_factory=list[Hashable])
    unknown: list[str] = field(default_factory=list[str])
    fault: DriverError | None = None

    def output(self) -> SessionOutput:
        return SessionOutput(
            b"".join(self.send),
            tuple(self.samples),
            tuple(dict.fromkeys(self.alive)),
            tuple(self.silent),
            tuple(dict.fromkeys(self.unknown)),
            self.fault,
        )

    def blame(self, fault: DriverError | None) -> None:
        self.fault = self.fault or fault


class Gbt26875Session:
    """One connection, or one peer of UDP, with any number of transmitters."""

    def __init__(self, devices: Sequence[SessionDevice], now: Moment) -> None:
        """Take the devices of the line; supervision of each begins when it first speaks."""
        del now
        self._peers = _peers(devices)
        framings = [peer.quirks.framing for peer in self._peers.values()]
        self._stream = Stream(tuple(dict.fromkeys([*framings, STANDARD])))

    @property
    def wake_at(self) -> float | None:
        """When the next transmitter counts as silent, or an answer to us is overdue."""
        moments = (
            moment
            for peer in self._peers.values()
            for moment in (peer.silent_at, peer.ask.due_s if peer.ask else None)
            if moment is not None
        )
        return min(moments, default=None)

    def received(self, data: bytes, now: Moment) -> SessionOutput:
        """Take bytes of a stream, or one datagram."""
        gathered = _Gathered()
        for one in self._stream.feed(data):
            frame = one.frame if isinstance(one, Damaged) else one
            peer = self._peers.get(frame.source)
            if peer is None:
                if frame.command not in {Command.CONFIRM, Command.DENY}:
                    gathered.unknown.append(shown_source(frame.source))
            elif isinstance(one, Damaged):
                _take_damaged(peer, one, gathered, now)
            else:
                _take(peer, frame, gathered, now)
        return gathered.output()

    def wake(self, now: Moment) -> SessionOutput:
        """Say who is silent, repeat what nobody answered, set clocks that are due."""
        gathered = _Gathered()
        for peer in self._peers.values():
            if peer.silent_at is not None and peer.silent_at <= now.at_s:
                peer.is_silent, peer.ask = True, None
                gathered.silent.extend(peer.units)
            if peer.ask is not None and peer.ask.due_s <= now.at_s:
                sent, fault = peer.ask.wake(now)
                gathered.send.append(sent)
                gathered.blame(fault)
        return gathered.output()


def _take(peer: _Peer, frame: Frame, gathered: _Gathered, now: Moment) -> None:
    """Take a good frame of a transmitter of the site."""
    peer.heard_s, peer.is_silent = now.at_s, False
    gathered.alive.extend(peer.units)
    if frame.command in {Command.SEND, Command.ANSWER}:
        _take_reports(peer, frame, gathered, now)
    elif peer.ask is not None and peer.ask.serial == frame.serial:
        if frame.command == Command.CONFIRM:
            peer.ask.rest(now)
        elif frame.command == Command.DENY:
            peer.ask.rest(now)
            gathered.blame(DeviceRefused(Command.DENY, "it denied to set its clock"))
    if peer.quirks.set_clock_every_s and peer.ask is None:
        peer.ask = Ask(peer.quirks, frame.target, frame.source, now)
        gathered.send.append(peer.ask.wake(now)[0])


def _take_reports(peer: _Peer, frame: Frame, gathered: _Gathered, now: Moment) -> None:
    try:
        reports = read_reports(frame.application)
    except ValueError as why:
        gathered.blame(FrameError(Fault.SHORT, str(why), frame.application))
        gathered.send.append(_reply(peer, frame, Command.DENY, now))
        return
    if frame.command == Command.SEND:
        gathered.send.append(_reply(peer, frame, Command.CONFIRM, now))
    told = _Told(frame.serial, frame.command, frame.application, now.at_s)
    if not _is_repeated(peer, told):
        peer.told.append(told)
        reading = Reading(peer.quirks.clock, local_time(now.utc_ms, now.local_offset_s))
        for report in reports:
            gathered.samples.extend(_samples(peer, report, reading))


def _is_repeated(peer: _Peer, told: _Told) -> bool:
    """Whether a report came before; an old one must not undo what was told since.

    A transmitter that never counts its serial number is believed whenever it says another thing
    than the last time.
    """
    newest = peer.told[-1] if peer.told else None
    if newest is None or told == newest:
        return newest is not None
    recent = (one for one in peer.told if told.at_s - one.at_s <= REPEATED_FOR_S)
    return told.serial != newest.serial and told in recent


def _take_damaged(peer: _Peer, damaged: Damaged, gathered: _Gathered, now: Moment) -> None:
    """Deny what has a wrong sum, where it wants an answer; it proves no life."""
    octets = damaged.octets
    message = f"sum {octets[-3]:02X} is wrong, {damaged.expected:02X} would be right"
    gathered.blame(FrameError(Fault.CRC, message, octets))
    if damaged.frame.command in {Command.CONTROL, Command.SEND}:
        gathered.send.append(_reply(peer, damaged.frame, Command.DENY, now))


def _reply(peer: _Peer, frame: Frame, command: Command, now: Moment) -> bytes:
    """Return the answer: same serial number and versions, the addresses change places."""
    clock = write_clock(local_time(now.utc_ms, now.local_offset_s), peer.quirks.clock)
    answer = replace(
        frame,
        command=int(command),
        source=frame.target,
        target=frame.source,
        clock=clock,
        application=b"",
    )
    return encode(answer, peer.quirks.framing)


def _samples(peer: _Peer, report: Report, reading: Reading) -> Iterator[SessionSample]:
    for listener in peer.listeners:
        if not _concerns(listener.place, report):
            continue
        for point in listener.points:
            if not is_of(point, report):
                continue
            if listener.place.component is None and needs_component(point):
                continue
            raw = raw_of(point, report, reading)
            # Who operated a panel is a person.
            yield SessionSample(listener.unit, point, raw, point.field is Field.OPERATOR)


def _concerns(place: Place, report: Report) -> bool:
    wanted = (place.component, place.system_type, place.system_address)
    said = (report.component, report.system_type, report.system_address)
    return all(want in {None, have} for want, have in zip(wanted, said, strict=True))


def _peers(devices: Sequence[SessionDevice]) -> dict[bytes, _Peer]:
    """Return the transmitters; the quirks of one are those of its own device, if it has one."""
    peers: dict[bytes, _Peer] = {}
    for device in devices:
        place = parse_place(device.unit)
        points = tuple(dict.fromkeys(address_of(point) for point in device.points))
        quirks = quirks_of(device.quirks)
        peer = peers.setdefault(place.source, _Peer(quirks, []))
        peer.listeners.append(_Listener(device.unit, place, points))
        if place.component is None:
            peer.quirks = quirks
    return peers
