"""One message to a meter and the recognition of its answer, among noise and our own echo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from drivers.contract import DriverError, Fault, FrameError, NoAnswer, Switch
from drivers.iec62056.codec import (
    MOST_BLOCK,
    NAK,
    SOH,
    STX,
    Bcc,
    Block,
    find_block,
    plain,
    with_parity,
)
from drivers.iec62056.identification import Identification, Mode, find_identification

METER_COMMANDS = frozenset({"", "P0", "B0"})
"""What a meter sends: data, the operand for a password, a break."""
KEPT = 512
"""Last bytes that an error carries."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: an identification, a data or command message, or a single character.

    `sign` is ACK or NAK alone. A data message without check character (modes A and B) is `text`.
    """

    identification: Identification | None = None
    block: Block | None = None
    text: bytes | None = None
    sign: bytes = b""


Recognise: TypeAlias = Callable[[bytes], Answer | None]
"""Returns the answer among all seven-bit characters that came; None for "more, please"."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message ready to send, made once and sent often."""

    unit: str
    octets: bytes
    reply_chars: int
    recognise: Recognise
    switch: Switch | None
    has_parity: bool
    hint: str
    """What an error says of the step, for the person on the ladder."""
    secret: bytes = b""
    """What of the message no error may show, should it be echoed."""

    def exchange(self) -> MeterExchange:
        """Start one exchange."""
        return MeterExchange(self)


class MeterExchange:
    """One exchange with one meter. The reply is an Answer."""

    __slots__ = ("_buffer", "_message")

    def __init__(self, message: Message) -> None:
        self._message = message
        self._buffer = bytearray()

    @property
    def request(self) -> bytes:
        """The message, with parity in bit 7 where the port has none; empty where we only listen."""
        octets = self._message.octets
        return with_parity(octets) if self._message.has_parity else octets

    @property
    def unit(self) -> str:
        """The meter asked."""
        return self._message.unit

    @property
    def shape(self) -> tuple[str, bytes]:
        """Meter and kind of message: an answer need not name the code that was asked for."""
        return self._message.unit, self._message.octets[:3]

    @property
    def reply_chars(self) -> int:
        """Characters of an ordinary answer; 0 when none comes."""
        return self._message.reply_chars

    @property
    def switch(self) -> Switch | None:
        """The settings of this step."""
        return self._message.switch

    @property
    def reply_may_equal_request(self) -> bool:
        """False: no message of a meter is one of ours."""
        return False

    def feed(self, received: bytes) -> Answer | None:
        """Return the answer, or None for "more, please"."""
        if not self._message.reply_chars:
            return Answer()
        self._buffer += received
        if len(self._buffer) > MOST_BLOCK:
            del self._buffer[: len(self._buffer) - MOST_BLOCK]
        octets = plain(bytes(self._buffer))
        echo = self._message.octets
        if echo and echo in octets:  # an optical head gives back what it is told
            octets = octets[octets.find(echo) + len(echo) :]
        return self._message.recognise(octets)

    def verdict(self) -> DriverError:
        """Return NoAnswer, or FrameError that says what of the dialogue went wrong."""
        message = self._message
        octets = plain(bytes(self._buffer))
        received = bytes(self._buffer[-KEPT:])
        if message.secret and message.secret in octets:
            hidden = b"*" * len(message.secret)
            received = octets.replace(message.secret, hidden)[-KEPT:]
        if not octets:
            return NoAnswer(f"{message.hint}: nothing came")
        if message.octets and octets == message.octets:
            return FrameError(Fault.ECHO, f"{message.hint}: only our own echo came", received)
        fault, why = self._fault(octets)
        return FrameError(fault, f"{message.hint}: {why}", received)

    def _fault(self, octets: bytes) -> tuple[Fault, str]:
        block = find_block(octets, Bcc.AUTO)
        if block is not None and not block.is_right:
            return Fault.CRC, "the check character is wrong"
        if block is not None:
            check = f" with check {block.check}"
            return Fault.CRC, f"a message{check} came that is not the answer; see quirk bcc"
        switch = self._message.switch
        has_begun = STX in octets and _is_text(octets[octets.find(STX) + 1 :])
        if switch is not None and switch.reply != switch.request and not has_begun:
            return Fault.SHORT, (
                f"{len(octets)} characters that are no message at {switch.reply}; the meter may "
                f"have stayed at {switch.request} and not followed its own proposal: set quirk "
                "max_baud: 300, or switch_baud: false"
            )
        if find_identification(octets) is not None:
            return Fault.SHORT, "the message did not end; a meter of mode A needs quirk mode: A"
        return Fault.SHORT, f"{len(octets)} characters came, and no whole message"


def wants_sign_on(bcc: Bcc, mode: Mode | None) -> Recognise:
    """Recognise the identification; in mode A with the read-out that follows it at once.

    Without a mode the identification says it.
    """
    readout = wants_readout(bcc)

    def recognise(octets: bytes) -> Answer | None:
        found = find_identification(octets)
        if found is None or (mode or found.mode) is not Mode.A:
            return None if found is None else Answer(identification=found)
        answer = readout(octets[found.end :])
        return None if answer is None else replace(answer, identification=found)

    return recognise


def wants_readout(bcc: Bcc) -> Recognise:
    """Recognise a data message of modes A and B, which may have no STX and no check character."""

    def recognise(octets: bytes) -> Answer | None:
        if STX in octets:
            found = (b for b in _blocks(octets, bcc) if b.is_right and not b.command)
            block = next(found, None)
            return None if block is None else Answer(block=block)
        text, end, _ = octets.partition(b"!\r\n")
        return Answer(text=text) if end and b"(" in text else None

    return recognise


def wants_reply(bcc: Bcc, fits: Callable[[Block], bool], signs: bytes = NAK) -> Recognise:
    """Recognise a message that fits, right or not, or a single character.

    A damaged message is an answer, too: it is asked for again. Our own commands never are.
    """

    def recognise(octets: bytes) -> Answer | None:
        rest = octets
        while (block := find_block(rest, bcc)) is not None:
            is_ours = block.command not in METER_COMMANDS
            if not is_ours and (not block.is_right or fits(block)):
                return Answer(block=block)
            rest = rest[block.end :]
        return _sign(rest, signs)

    return recognise


def _blocks(octets: bytes, bcc: Bcc) -> Iterator[Block]:
    rest = octets
    while (block := find_block(rest, bcc)) is not None:
        yield block
        rest = rest[block.end :]


def _sign(octets: bytes, signs: bytes) -> Answer | None:
    """Return the single character of an answer; inside a message it would be none."""
    if SOH in octets or STX in octets:
        return None
    found = next((octets[at : at + 1] for at in range(len(octets)) if octets[at] in signs), b"")
    return Answer(sign=found) if found else None


def _is_text(octets: bytes) -> bool:
    """Whether all characters are such as messages have."""
    return all(0x20 <= octet < 0x7F or octet in b"\x00\x02\x03\r\n" for octet in octets)  # noqa: PLR2004
