"""Lines with true character timing and the devices on them, with faults by chance.

Half duplex: who talks while another talks spoils both. Replies come in pieces, as from a FIFO.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from struct import pack, unpack_from
from typing import Any

from drivers.dlt645.codec import encode, frames
from drivers.modbus.crc import with_crc
from gateway.links.contract import LinkDown
from gateway.links.inbox import Inbox
from tests.virtual.clock import SimClock
from tests.virtual.served import ServedBook

CHAR_S = 11 / 9600
JAM = 0x55
KINDS = ("silent", "late", "very_late", "noise", "bit", "cut", "unit", "echo", "busy")
"""What may become of a reply."""
FAR = 1000
LATEST_S = 4.0


@dataclass
class Device:
    """A slave whose every read gives new numbers."""

    name: str
    book: ServedBook
    clock: SimClock
    turnaround_s: float = 0.02
    is_wet: bool = False


class ModbusDevice(Device):
    """Three u32 numbers in holding registers 0 to 5, three more from FAR on, and a contact.

    The two blocks are read by requests whose replies look alike.
    """

    def answer(self, request: bytes) -> bytes | None:
        """Return the reply to a frame that is addressed to it and whole."""
        unit, function, first, count = unpack_from(">BBHH", request)
        if function == 2:
            self.book.contact(self.name, "wet", self.is_wet, self.clock.true_ms())
            return with_crc(bytes((unit, 2, 1, int(self.is_wet))))
        near = 0 if first < FAR else FAR
        if function != 3 or first % 2 or count % 2 or first - near + count > 6:
            return with_crc(bytes((unit, function | 0x80, 2)))
        base = self.book.read(self.name, self.clock.true_ms()) + (3 if near else 0)
        numbers = (
            base + index for index in range((first - near) // 2, (first - near + count) // 2)
        )
        return with_crc(pack(f">BBB{count // 2}I", unit, 3, 2 * count, *numbers))


class DltDevice(Device):
    """A DL/T 645-2007 meter with one number in 00010000, two decimals."""

    def answer(self, request: bytes) -> bytes | None:
        """Return the reply to a frame that is addressed to it and whole."""
        asked = next(frames(request), None)
        if asked is None:
            return None
        if asked.function != 0x11 or asked.content[:4] != b"\x00\x00\x01\x00":
            return encode(asked.address, asked.control | 0xC0, b"\x02", preamble=4)
        number = self.book.read(self.name, self.clock.true_ms()) % 10**8
        coded = bytes.fromhex(f"{number:08}")[::-1]
        return encode(asked.address, asked.control | 0x80, asked.content[:4] + coded, preamble=4)


AnyDevice = ModbusDevice | DltDevice


@dataclass
class Talk:
    """A reply on the wire."""

    begin: float
    frame: bytes
    heard: int = 0
    is_spoilt: bool = False


@dataclass
class FieldLine:
    """The far end of one line. `faults` is how many of a hundred replies fail, and in what ways."""

    name: str
    rng: Random
    devices: dict[bytes, AnyDevice] = field(default_factory=dict[bytes, AnyDevice])
    """By the bytes that address them."""
    chunk: int = 8
    fault_share: float = 0.0
    kinds: tuple[str, ...] = KINDS
    dead: set[str] = field(default_factory=set[str])
    is_plugged: bool = True
    near: NearEnd | None = None
    collisions: int = 0
    faults: int = 0

    def link(self) -> NearEnd:
        """Return the gateway's end."""
        self.near = NearEnd(self)
        return self.near

    def unplug(self) -> None:
        """Take the adapter away."""
        self.is_plugged = False
        if self.near is not None:
            self.near.lose("unplugged")

    def replies(self, request: bytes) -> list[tuple[float, bytes]]:
        """Return what is said to a request: delays and frames."""
        device = self._asked(request)
        if device is None or device.name in self.dead:
            return []
        frame = device.answer(request)
        if frame is None:
            return []
        if self.fault_share and self.rng.random() < self.fault_share:
            self.faults += 1
            return self._spoilt(self.rng.choice(self.kinds), request, frame, device)
        return [(device.turnaround_s, frame)]

    def _asked(self, request: bytes) -> AnyDevice | None:
        device = self.devices.get(request[:1])
        if device is not None:
            return device if with_crc(request[:-2]) == request else None
        asked = next(frames(request), None) if len(request) >= 12 else None
        return None if asked is None else self.devices.get(asked.address.encode())

    def _spoilt(  # noqa: PLR0911 - one line for each way
        self, kind: str, request: bytes, frame: bytes, device: AnyDevice
    ) -> list[tuple[float, bytes]]:
        rng, usual = self.rng, device.turnaround_s
        match kind:
            case "silent":
                return []
            case "late":
                return [(rng.uniform(0.05, 1.5), frame)]
            case "very_late":
                return [(rng.uniform(1.5, LATEST_S), frame)]
            case "noise":
                return [(usual, rng.randbytes(rng.randrange(1, 9)) + frame)]
            case "bit":
                damaged = bytearray(frame)
                damaged[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)
                return [(usual, bytes(damaged))]
            case "cut":
                return [(usual, frame[: rng.randrange(1, len(frame))])]
            case "echo":
                return [(0.0, request), (usual + len(request) * CHAR_S, frame)]
            case _:
                return [(usual, self._other(kind, frame, device))]

    def _other(self, kind: str, frame: bytes, device: AnyDevice) -> bytes:
        """Return a sound frame that says something else: of another unit, or "busy"."""
        if isinstance(device, ModbusDevice):
            if kind == "unit":
                return with_crc(bytes((frame[0] % 247 + 1,)) + frame[1:-2])
            return with_crc(bytes((frame[0], frame[1] | 0x80, 6)))
        said = next(frames(frame))
        if kind == "unit":
            return encode("000000000999", said.control, said.content, preamble=4)
        return encode(said.address, said.control | 0x40, b"\x01", preamble=4)


class NearEnd:
    """The gateway's end: a `Link`."""

    def __init__(self, line: FieldLine) -> None:
        self._line = line
        self._inbox = Inbox(self)
        self._loop = asyncio.get_running_loop()
        self._free_at = 0.0
        self._talks: list[Talk] = []
        self._is_open = False
        self.is_off = False
        """Whether the machine lost its power."""

    @property
    def char_s(self) -> float:
        return CHAR_S

    @property
    def is_open(self) -> bool:
        return self._is_open

    def describe(self) -> str:
        return f"simulated line {self._line.name}"

    async def open(self) -> None:
        if not self._line.is_plugged or self.is_off:
            raise LinkDown("unplugged")
        if not self._is_open:
            self._is_open = True
            self._inbox.start()

    async def close(self) -> None:
        self.lose("closed")

    def lose(self, why: str) -> None:
        """End here."""
        if self._is_open:
            self._is_open = False
            self._inbox.stop(LinkDown(why))

    def send(self, data: bytes, /) -> float:
        self._inbox.check()
        begin = max(self._loop.time(), self._free_at)
        self._free_at = end = begin + len(data) * CHAR_S
        is_spoilt = False
        for talk in self._talks:
            if talk.begin < end and talk.begin + len(talk.frame) * CHAR_S > begin:
                self._line.collisions += 1
                talk.is_spoilt = is_spoilt = True
        self._loop.call_at(end, self._reached, data, is_spoilt)
        return end

    def receive(self, until: float, /) -> Coroutine[Any, Any, bytes]:
        return self._inbox.take(until)

    def switch(self, setting: str | None, /) -> None:
        del setting

    def drop_input(self) -> int:
        return self._inbox.drop()

    def pull(self) -> None:
        """Do nothing: nothing is held back (for the inbox)."""

    def resume(self) -> None:
        """Do nothing (for the inbox)."""

    def _reached(self, data: bytes, is_spoilt: bool) -> None:  # noqa: FBT001
        if is_spoilt or not self._line.is_plugged or self.is_off:
            return
        now = self._loop.time()
        for delay_s, frame in self._line.replies(data):
            talk = Talk(now + delay_s, frame)
            self._talks.append(talk)
            self._next_piece(talk)

    def _next_piece(self, talk: Talk) -> None:
        chars = min(talk.heard + self._line.chunk, len(talk.frame))
        self._loop.call_at(talk.begin + chars * CHAR_S, self._piece, talk, chars)

    def _piece(self, talk: Talk, chars: int) -> None:
        piece = talk.frame[talk.heard : chars]
        talk.heard = chars
        if self._is_open and self._line.is_plugged:
            self._inbox.put(bytes(b ^ JAM for b in piece) if talk.is_spoilt else piece)
        if chars < len(talk.frame):
            self._next_piece(talk)
        else:
            self._talks.remove(talk)


Make = Callable[[str], NearEnd]
