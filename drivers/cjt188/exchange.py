"""One request to a meter and the recognition of its reply."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from drivers.cjt188.address import DiOrder, is_same_meter
from drivers.cjt188.codec import (
    ENVELOPE,
    ERROR_BITS,
    REPLY_BIT,
    VENDOR_VALVE_REPLY,
    Broken,
    Frame,
    Receiver,
    encode,
    frame_at,
    starts,
)
from drivers.cjt188.fields import HEAD
from drivers.contract import DeviceRefused, DriverError, Fault, FrameError, NoAnswer

REFUSAL_SIZE = 3
_REPLY_PREAMBLES = 2
"""FE before an ordinary reply: captures have none to four, one has thirteen."""
ORDERS: dict[DiOrder, tuple[DiOrder, ...]] = {
    DiOrder.AUTO: (DiOrder.HIGH_FIRST, DiOrder.LOW_FIRST),
    DiOrder.HIGH_FIRST: (DiOrder.HIGH_FIRST,),
    DiOrder.LOW_FIRST: (DiOrder.LOW_FIRST,),
}
"""Orders to try of a data identifier. More than half of all captures have the high byte first."""


def on_wire(di: int, order: DiOrder) -> bytes:
    """Return the two bytes of a data identifier."""
    return di.to_bytes(2, "little" if order is DiOrder.LOW_FIRST else "big")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and what its reply must be.

    `orders` are those of the data identifier that the reply may have, `sizes` the bytes that may
    stand behind DI and SER, the ordinary one first. With `is_echoed` SER must come back.
    """

    meter: str
    type: int
    control: int
    di: int
    order: DiOrder
    orders: tuple[DiOrder, ...]
    ser: int
    sizes: tuple[int, ...]
    is_echoed: bool = True
    preambles: int = 3
    payload: bytes = b""
    is_valve: bool = False

    @property
    def frame(self) -> bytes:
        """The bytes to send."""
        content = on_wire(self.di, self.order) + bytes((self.ser,)) + self.payload
        return encode(Frame(self.type, self.meter, self.control, content), self.preambles)

    @property
    def request_chars(self) -> int:
        """Characters of the request."""
        return self.preambles + ENVELOPE + HEAD + len(self.payload)

    @property
    def reply_chars(self) -> int:
        """Characters of an ordinary reply."""
        return _REPLY_PREAMBLES + ENVELOPE + HEAD + self.sizes[0]

    def is_from_meter(self, frame: Frame) -> bool:
        """Whether it is a reply of the meter that was asked; the type byte may differ."""
        return frame.is_reply and is_same_meter(self.meter, frame.address)

    def is_refusal(self, frame: Frame) -> bool:
        """Whether the meter says no to this request."""
        return (
            frame.control == self.control | ERROR_BITS
            and len(frame.content) == REFUSAL_SIZE
            and (not self.is_echoed or frame.content[0] == self.ser)
        )

    def is_answer(self, frame: Frame) -> bool:
        """Whether control, data identifier and serial number are those of the answer."""
        usual = frame.control == self.control | REPLY_BIT
        if not usual and not (self.is_valve and frame.control == VENDOR_VALVE_REPLY):
            return False
        content = frame.content
        if content[:2] not in {on_wire(self.di, order) for order in self.orders}:
            return False
        return len(content) >= HEAD and (not self.is_echoed or content[2] == self.ser)

    def is_right_size(self, frame: Frame) -> bool:
        """Whether an answer is as long as such answers are."""
        return len(frame.content) - HEAD in self.sizes


class Cjt188Exchange:
    """Finds the reply of one meter among preambles, noise and frames of others."""

    __slots__ = ("_asked", "_foreign", "_frame", "_receiver")

    switch = None
    reply_may_equal_request = False

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._frame = asked.frame
        self._receiver = Receiver()
        self._foreign: Frame | None = None

    @property
    def request(self) -> bytes:
        """The request frame behind its preambles."""
        return self._frame

    @property
    def unit(self) -> str:
        """The meter asked."""
        return self._asked.meter

    @property
    def shape(self) -> Hashable:
        """Control, data identifier and its order: a reply says no more of its request."""
        return self._asked.control, on_wire(self._asked.di, self._asked.order)

    @property
    def reply_chars(self) -> int:
        """Characters of an ordinary reply."""
        return self._asked.reply_chars

    def feed(self, received: bytes) -> Frame | None:
        """Return the reply, or None for "more, please".

        Raises:
            DeviceRefused: the meter answered with an error; the code is its status.
        """
        asked = self._asked
        for frame in self._receiver.feed(received):
            if asked.is_from_meter(frame):
                if asked.is_refusal(frame):
                    raise _refused(frame, self._receiver.received)
                if asked.is_answer(frame) and asked.is_right_size(frame):
                    return frame
            self._foreign = frame
        return None

    def verdict(self) -> DriverError:
        """Return NoAnswer, or FrameError with the last bytes that came."""
        received = self._receiver.received
        if not received:
            return NoAnswer("no byte came")
        if self._foreign is not None:
            return self._of_foreign(self._foreign, received)
        return _of_noise(received, self._asked.reply_chars)

    def _of_foreign(self, frame: Frame, received: bytes) -> DriverError:
        asked = self._asked
        if not frame.is_reply:
            return FrameError(Fault.ECHO, "only a request came back", received)
        if not asked.is_from_meter(frame):
            why = f"meter {frame.address} answered in its place"
            return FrameError(Fault.WRONG_UNIT, why, received)
        if asked.is_answer(frame):
            sizes = " or ".join(str(size + HEAD) for size in asked.sizes)
            why = f"its length is {len(frame.content)} where {sizes} is right"
            return FrameError(Fault.SHORT, why, received)
        # Bytes of an earlier request, or a meter that does not mirror SER (quirk `ser: any`).
        return NoAnswer(
            f"only replies to other requests came: {frame.content[:HEAD].hex(' ').upper()} where "
            f"{asked.di:04X} with SER {asked.ser:02X} was asked",
            received,
        )


def _refused(frame: Frame, received: bytes) -> DeviceRefused:
    ser, status = frame.content[0], frame.content[1:]
    why = f"the meter refused (control {frame.control:02X}, SER {ser:02X}, status {status.hex()})"
    return DeviceRefused(int.from_bytes(status, "big"), why, received)


def _of_noise(received: bytes, ordinary: int) -> FrameError:
    tried = [frame_at(received, start) for start in starts(received)]
    spoilt = next((one for one in tried if isinstance(one, Broken) and one.frame), None)
    if spoilt is not None:
        return FrameError(spoilt.fault, spoilt.why, received)
    if len(received) < ordinary:
        return FrameError(Fault.SHORT, f"only {len(received)} bytes came", received)
    return FrameError(Fault.CRC, "no frame with a right checksum came", received)
