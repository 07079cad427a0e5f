"""One message to a meter and the recognition of its answer, among noise and our own echo."""

from __future__ import annotations

from collections.abc import Callable
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
    next_block,
    plain,
    with_parity,
)
from drivers.iec62056.identification import (
    MOST_LINE,
    Identification,
    Mode,
    find_identification,
)

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


Recognise: TypeAlias = Callable[[bytes, int], "tuple[Answer | None, int]"]
"""Returns the answer among all seven-bit characters that came; None for "more, please". The number
says how many of them are judged, and need not be looked at again; it is given at the next call."""


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

    __slots__ = ("_buffer", "_judged", "_message")

    def __init__(self, message: Message) -> None:
        self._message = message
        self._buffer = bytearray()
        self._judged = 0

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
        too_many = max(0, len(self._buffer) - MOST_BLOCK)
        del self._buffer[:too_many]
        octets = plain(bytes(self._buffer))
        echo, begin = self._message.octets, 0
        if echo and echo in octets:  # an optical head gives back what it is told
            begin = octets.find(echo) + len(echo)
        judged = max(0, self._judged - too_many - begin)
        answer, judged = self._message.recognise(octets[begin:], judged)
        self._judged = begin + judged
        return answer

    def verdict(self) -> DriverError:
        """Return NoAnswer, or FrameError that says what of the dialogue went wrong."""
        message = self._message
        octets = plain(bytes(self._buffer))
        # A damaged echo is not recognised, and may hold all of a password but one character.
        received = b"" if message.secret else bytes(self._buffer[-KEPT:])
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

    def recognise(octets: bytes, judged: int) -> tuple[Answer | None, int]:
        found = find_identification(octets, judged)
        if found is None:
            return None, max(judged, len(octets) - MOST_LINE)
        if (mode or found.mode) is not Mode.A:
            return Answer(identification=found), judged
        answer, _ = readout(octets[found.end :], 0)
        return None if answer is None else replace(answer, identification=found), judged

    return recognise


def wants_readout(bcc: Bcc) -> Recognise:
    """Recognise a data message of modes A and B, which may have no STX and no check character."""

    def recognise(octets: bytes, judged: int) -> tuple[Answer | None, int]:
        if STX in octets:
            found = _search(octets, bcc, judged, lambda b: b.is_right and not b.command)
            answer = None if found.block is None else Answer(block=found.block)
            return answer, found.judged
        text, end, _ = octets.partition(b"!\r\n")
        return Answer(text=text) if end and b"(" in text else None, judged

    return recognise


def wants_reply(bcc: Bcc, fits: Callable[[Block], bool], signs: bytes = NAK) -> Recognise:
    """Recognise a message that fits, right or not, or a single character.

    A damaged message is an answer, too: it is asked for again. Our own commands never are.
    """

    def answers(block: Block) -> bool:
        return block.command in METER_COMMANDS and (not block.is_right or fits(block))

    def recognise(octets: bytes, judged: int) -> tuple[Answer | None, int]:
        found = _search(octets, bcc, judged, answers)
        if found.block is not None:
            return Answer(block=found.block), found.judged
        return _sign(octets[found.rest :], signs), found.judged

    return recognise


@dataclass(frozen=True, slots=True)
class _Found:
    """The message that was looked for, if it came; `rest` is where the last whole one ends."""

    block: Block | None
    rest: int
    judged: int


def _search(octets: bytes, bcc: Bcc, judged: int, is_it: Callable[[Block], bool]) -> _Found:
    rest = judged
    while True:
        block, judged = next_block(octets, bcc, judged)
        if block is None or is_it(block):
            return _Found(block, rest, judged)
        rest = judged


def _sign(octets: bytes, signs: bytes) -> Answer | None:
    """Return the single character of an answer; inside a message it would be none."""
    if SOH in octets or STX in octets:
        return None
    places = [at for sign in signs if (at := octets.find(sign)) >= 0]
    return Answer(sign=octets[min(places) :][:1]) if places else None


def _is_text(octets: bytes) -> bool:
    """Whether all characters are such as messages have."""
    return all(0x20 <= octet < 0x7F or octet in b"\x00\x02\x03\r\n" for octet in octets)  # noqa: PLR2004
