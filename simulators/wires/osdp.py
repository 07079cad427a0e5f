"""Readers (PD) of OSDP: they answer polls with what changed, in plain text or secure channel.

Values are encoded here with code of its own; frames and the secure channel are the driver's, which
vectors and libosdp prove. A card is read when the twin's point gets another text of hexadecimal
digits, keys are pressed when the keypad's point gets another one of digits.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from drivers.contract import FrameError
from drivers.osdp.address import OsdpAddress
from drivers.osdp.codec import Frame, Stream, encode
from drivers.osdp.secure import NONCE, Channel, derive
from gateway.model.reading import Value
from gateway.settings.site import Point, ValueType
from simulators.contract import Callers, Simulated, Slaves

POLL, ID, CAP, CHLNG, SCRYPT = 0x60, 0x61, 0x62, 0x76, 0x77
ACK, NAK, PDID, PDCAP, RAW, KEYPAD, CCRYPT, RMAC_I = (
    0x40, 0x41, 0x45, 0x46, 0x50, 0x53, 0x76, 0x78,
)  # fmt: skip
UNKNOWN, WRONG_SEQUENCE, NO_SECURE, NEEDS_SECURE, CANNOT = 3, 4, 5, 6, 9
STATUS_OF = {0x64: 0x48, 0x65: 0x49, 0x66: 0x4A, 0x67: 0x4B}
"""Which reply belongs to which status command."""
PLACE = {
    "tamper": (0x48, 0),
    "power": (0x48, 1),
    "input": (0x49, None),
    "output": (0x4A, None),
    "reader_tamper": (0x4B, None),
}
"""Status reply and byte of what a point is; None: by number or reader."""
OPEN_SCS = frozenset({0x15, 0x17})
HEX_DIGITS = frozenset("0123456789ABCDEF")
CLIENT = bytes.fromhex("0000000000000001")


class Reader:
    """One device."""

    def __init__(self, simulated: Simulated, key: bytes | None) -> None:
        """Take the device; with a key it says nothing in plain text but who it is."""
        self._simulated = simulated
        self._key = key
        self._last: Frame | None = None
        self._said = b""
        self._channel: Channel | None = None
        self._nonces = (b"", b"")
        self._is_open = False
        self._told: dict[int, bytes] = {}
        self._texts: dict[str, str] = {}
        self._events: deque[tuple[int, bytes]] = deque()

    def answer(self, command: Frame, now_ms: int) -> bytes:
        """Return the reply; what is asked again is answered as before."""
        if command == self._last:
            return self._said
        last, self._last = self._last, command
        if command.sequence == 0:
            self._is_open, self._channel = False, None
        elif last is None or command.sequence != last.sequence % 3 + 1:
            self._said = encode(self._frame(command, NAK, bytes((WRONG_SEQUENCE,))))
            return self._said
        self._said = encode(self._reply(command, now_ms))
        return self._said

    def _reply(self, command: Frame, now_ms: int) -> Frame:
        if command.scs in OPEN_SCS and self._channel is not None and self._is_open:
            try:
                plain = self._channel.unseal(command)
            except FrameError:
                self._is_open = False
                return self._frame(command, NAK, bytes((NEEDS_SECURE,)))
            code, content = self._say(plain, now_ms)
            return self._channel.seal(self._frame(command, code, content))
        if command.code in {CHLNG, SCRYPT}:
            return self._prove(command, now_ms)
        if self._key is not None and command.code not in {ID, CAP}:
            return self._frame(command, NAK, bytes((NEEDS_SECURE,)))
        return self._frame(command, *self._say(command, now_ms))

    def _prove(self, command: Frame, now_ms: int) -> Frame:
        if self._key is None or (command.code == CHLNG and len(command.content) != NONCE):
            return self._frame(command, NAK, bytes((NO_SECURE,)))
        if command.code == CHLNG:
            ours = hashlib.blake2b(f"{now_ms}".encode(), digest_size=8).digest()
            self._nonces = (command.content, ours)
            self._channel = derive(self._key, command.content)
            content = CLIENT + ours + self._channel.client_cryptogram(*self._nonces)
            return replace(self._frame(command, CCRYPT, content), scb=b"\x03\x12\x01")
        channel = self._channel
        if channel is None or command.content != channel.server_cryptogram(*self._nonces):
            return self._frame(command, NAK, bytes((CANNOT,)))
        channel.reply_mac, self._is_open = channel.first_mac(command.content), True
        return replace(self._frame(command, RMAC_I, channel.reply_mac), scb=b"\x03\x14\x01")

    @staticmethod
    def _frame(command: Frame, code: int, content: bytes) -> Frame:
        return Frame(
            command.address,
            command.sequence,
            code,
            content,
            is_reply=True,
            has_crc=command.has_crc,
        )

    def _say(self, command: Frame, now_ms: int) -> tuple[int, bytes]:
        values = self._simulated.twin.values(now_ms)
        fixed = {
            ID: (PDID, b"\0\0\0\1\1\0\0\0\1\1\0\0"),
            CAP: (PDCAP, b"\1\1\x08\2\1\x08\3\1\0"),
        }
        if command.code in fixed:
            return fixed[command.code]
        if command.code in STATUS_OF:
            code = STATUS_OF[command.code]
            states = self._states(values, code)
            return self._tell(code, states, now_ms) if states else (NAK, bytes((CANNOT,)))
        return self._poll(values, now_ms) if command.code == POLL else (NAK, bytes((UNKNOWN,)))

    def _poll(self, values: Mapping[str, Value], now_ms: int) -> tuple[int, bytes]:
        for code, told in self._told.items():
            states = self._states(values, code)
            if states != told:
                return self._tell(code, states, now_ms)
        self._look(values)
        if not self._events:
            return ACK, b""
        code, content = self._events.popleft()
        self._note_event(code, content, now_ms)
        return code, content

    def _look(self, values: Mapping[str, Value]) -> None:
        """Queue a card or digits that are new."""
        for point in self._simulated.device.points:
            what, text = str(_address(point).what), str(values.get(str(point.id), ""))
            if what not in {"card", "keypad"} or text == self._texts.get(str(point.id), ""):
                continue
            self._texts[str(point.id)] = text
            reader = _address(point).reader or 0
            if what == "keypad" and text.isdecimal():
                self._events.append((KEYPAD, bytes((reader, len(text))) + text.encode()))
            if what == "card" and text and len(text) % 2 == 0 and set(text) <= HEX_DIGITS:
                bits = (4 * len(text)).to_bytes(2, "little")
                self._events.append((RAW, bytes((reader, 0)) + bits + bytes.fromhex(text)))

    def _states(self, values: Mapping[str, Value], code: int) -> bytes:
        """Return the bytes of a status reply; tamper and power are always there."""
        states = {0: 0, 1: 0} if code == STATUS_OF[0x64] else {}
        for point in self._simulated.device.points:
            at = _place(point, code)
            if at is not None:
                states[at] = int(_is_on(point, values.get(str(point.id))))
        return bytes(states.get(at, 0) for at in range(max(states, default=-1) + 1))

    def _tell(self, code: int, states: bytes, now_ms: int) -> tuple[int, bytes]:
        self._told[code] = states
        for point in self._simulated.device.points:
            at = _place(point, code)
            if at is None:
                continue
            value: Value = bool(states[at]) != point.is_inverted
            if point.type is ValueType.ENUM:
                value = point.enum[states[at]]
            self._simulated.twin.serve(str(point.id), value, now_ms)
        return code, states

    def _note_event(self, code: int, content: bytes, now_ms: int) -> None:
        card = {
            "card": content[4:].hex().upper(),
            "card_bits": int.from_bytes(content[2:4], "little"),
        }
        said: Mapping[str, Value] = card if code == RAW else {"keypad": content[2:].decode()}
        for point in self._simulated.device.points:
            what, reader = str(_address(point).what), _address(point).reader
            if what in said and reader in {None, content[0]}:
                self._simulated.twin.serve(str(point.id), said[what], now_ms)


def _place(point: Point, code: int) -> int | None:
    """Return which byte of a status reply a point is, None for none."""
    a = _address(point)
    reply, at = PLACE.get(str(a.what), (0, None))
    if reply != code:
        return None
    return at if at is not None else (a.number or a.reader or 0)


def _is_on(point: Point, value: Value | None) -> bool:
    if point.type is ValueType.ENUM:
        return any(bool(raw) for raw, name in point.enum.items() if name == value)
    return value is not None and bool(value) != point.is_inverted


def _address(point: Point) -> OsdpAddress:
    if not isinstance(point.address, OsdpAddress):
        raise TypeError(f"{point.id} has no address of OSDP")
    return point.address


class Readers:
    """All readers of one line."""

    def __init__(
        self, devices: Sequence[Simulated], keys: Mapping[int, bytes] | None = None
    ) -> None:
        """Take the devices; `keys` are keys by address, for readers in the secure channel."""
        self._readers = {
            one.device.unit: Reader(one, (keys or {}).get(int(str(one.device.unit))))
            for one in devices
        }
        self._stream = Stream()

    @property
    def wake_at_ms(self) -> None:
        """None: they speak only when polled."""
        return

    def opened(self, now_ms: int) -> bytes:  # noqa: ARG002 - Callers
        """Return nothing."""
        return b""

    def wake(self, now_ms: int) -> bytes:  # noqa: ARG002 - Callers
        """Return nothing."""
        return b""

    def received(self, data: bytes, now_ms: int) -> bytes:
        """Return the reply of the reader that is asked; damaged commands are not answered."""
        said: list[bytes] = []
        for command in self._stream.feed(data):
            if not isinstance(command, Frame) or command.is_reply:
                continue
            reader = self._readers.get(command.address)
            if reader is not None:
                said.append(reader.answer(command, now_ms))
        return b"".join(said)


class OsdpSimulator:
    """See `simulators.contract.Simulator`."""

    def slaves(self, protocol: str, devices: Sequence[Simulated]) -> Slaves | None:  # noqa: ARG002
        """Return None: readers keep a dialogue."""
        return None

    def callers(self, protocol: str, devices: Sequence[Simulated]) -> Callers | None:  # noqa: ARG002
        """Return the readers of one line, all in plain text."""
        return Readers(devices)


SIMULATOR = OsdpSimulator()
