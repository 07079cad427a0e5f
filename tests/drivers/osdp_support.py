"""A scripted reader and a line in manual time, for tests of the OSDP session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from drivers.contract import (
    DriverError,
    Moment,
    Session,
    SessionDevice,
    SessionOutput,
    SessionSample,
)
from drivers.osdp.address import OsdpAddress, OsdpQuirks, What
from drivers.osdp.codec import Frame, Stream, encode
from drivers.osdp.driver import OsdpDriver

Answer = Callable[[Frame], bytes]
POINTS = (
    OsdpAddress(What.CARD),
    OsdpAddress(What.CARD_BITS),
    OsdpAddress(What.KEYPAD),
    OsdpAddress(What.TAMPER),
    OsdpAddress(What.POWER),
    OsdpAddress(What.INPUT, 0),
    OsdpAddress(What.OUTPUT, 1),
    OsdpAddress(What.ONLINE),
)
KEY = bytes(range(16))
CARD = Frame(0, 0, 0x50, bytes.fromhex("00001a00abcdefff"), is_reply=True)


def device(
    unit: int = 1, key: bytes | None = None, quirks: OsdpQuirks | None = None
) -> SessionDevice:
    return SessionDevice(unit, POINTS, quirks or OsdpQuirks(), key)


def reply(command: Frame, code: int = 0x40, content: bytes = b"") -> bytes:
    """Return a plain reply to a command."""
    return encode(replace(command, code=code, content=content, is_reply=True, scb=b"", mac=b""))


class Obedient:
    """A reader that answers all in plain text; `next` is what the next poll tells."""

    def __init__(self) -> None:
        self.next: list[Frame] = []
        self.heard: list[Frame] = []

    def __call__(self, command: Frame) -> bytes:
        self.heard.append(command)
        if command.code == 0x60:
            one = self.next.pop(0) if self.next else Frame(0, 0, 0x40)
            return reply(command, one.code, one.content)
        told = {
            0x61: (0x45, bytes(12)),
            0x62: (0x46, bytes(3)),
            0x64: (0x48, b"\1\0"),
            0x65: (0x49, b"\1\0"),
            0x66: (0x4A, b"\0\1"),
        }
        if command.code not in told:
            return reply(command, 0x41, b"\5")
        return reply(command, *told[command.code])


class Line:
    """A session on a line; every `answer` may say something to every command."""

    def __init__(self, devices: Sequence[SessionDevice], answers: Sequence[Answer]) -> None:
        self.now_s = 0.0
        self.session: Session = OsdpDriver(bytes).start(devices, self.moment)
        self.answers = answers
        self.samples: list[SessionSample] = []
        self.silent: list[object] = []
        self.alive: list[object] = []
        self.faults: list[DriverError] = []
        self.sent: list[tuple[float, bytes]] = []

    @property
    def moment(self) -> Moment:
        return Moment(self.now_s)

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        until_s = self.now_s + seconds
        while self.session.wake_at is not None and self.session.wake_at <= until_s:
            self.now_s = max(self.now_s, self.session.wake_at)
            said = self.session.wake(self.moment)
            self._note(said)
            if not said.send:
                continue
            self.sent.append((self.now_s, said.send))
            (command,) = Stream().feed(said.send)
            assert isinstance(command, Frame)
            for answer in self.answers:
                received = answer(command)
                if received:
                    self.now_s += 0.02
                    self._note(self.session.received(received, self.moment))
        self.now_s = until_s

    def values(self, what: What) -> list[object]:
        return [
            s.raw
            for s in self.samples
            if isinstance(s.address, OsdpAddress) and s.address.what is what
        ]

    def _note(self, output: SessionOutput) -> None:
        self.samples.extend(output.samples)
        self.silent.extend(output.silent)
        self.alive.extend(output.alive)
        if output.fault is not None:
            self.faults.append(output.fault)
