"""The messages of a dialogue, each with the rates on which it runs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TypeAlias

from drivers.contract import DeviceRefused, Exchange, Fault, FrameError, Switch
from drivers.iec62056.address import Iec62056Quirks, ModeChoice
from drivers.iec62056.codec import (
    ACK,
    NAK,
    Bcc,
    Block,
    command_message,
    option_select,
    sign_on,
)
from drivers.iec62056.exchange import (
    Answer,
    Message,
    Recognise,
    wants_readout,
    wants_reply,
    wants_sign_on,
)
from drivers.iec62056.identification import (
    Identification,
    Mode,
    agreed_baud_character,
    baud_of,
)

ANYBODY = "-"
"""Unit key of a meter that is asked without an address."""
REPEATS = 2
"""So often a damaged message is asked for again, and a message sent again after a NAK."""
IDENTIFICATION_CHARS = 16
"""Characters of an ordinary identification; one that is longer is waited for all the same."""
COMMAND_CHARS = 24
READOUT, PROGRAMMING = 0, 1
_REFUSED = 0x15

Asking: TypeAlias = Generator[Exchange, Answer, Answer]


@dataclass(frozen=True, slots=True)
class Dialogue:
    """How one meter is spoken to. `baud` is the rate that was agreed."""

    unit: str
    quirks: Iec62056Quirks
    baud: int

    @property
    def bcc(self) -> Bcc:
        """The check character that counts in what the meter sends."""
        return self.quirks.bcc

    def mode(self, found: Identification | None = None) -> Mode | None:
        """Return how the meter goes on: as the quirk says, else as it says itself."""
        if self.quirks.mode is ModeChoice.AUTO:
            return None if found is None else found.mode
        return Mode(self.quirks.mode.value)

    def sign_on(self) -> Message:
        """Return the request message."""
        address = "" if self.unit == ANYBODY else self.unit
        chars = IDENTIFICATION_CHARS
        if self.quirks.mode is ModeChoice.A:
            chars += self.quirks.block_chars
        recognise = wants_sign_on(self.bcc, self.mode())
        return self.message(sign_on(address), chars, recognise, "sign-on")

    def listen(self, found: Identification) -> Message:
        """Return the message of mode B: nothing is sent, data come at the rate it named."""
        there = replace(self, baud=found.baud)
        recognise = wants_readout(self.bcc)
        hint = f"read-out of mode B at {found.baud} baud"
        return there.message(b"", self.quirks.block_chars, recognise, hint)

    def select(self, found: Identification, option: int) -> Message:
        """Return the acknowledgement, sent at the first rate and answered at the agreed one."""
        there = self.agreed(found)
        character = found.baud_character
        if self.quirks.switch_baud:
            character = agreed_baud_character(character, self.quirks.max_baud)
        chars = COMMAND_CHARS if option == PROGRAMMING else self.quirks.block_chars
        is_it = _is_data if option == READOUT else _is_command
        hint = f"{found.line} proposed {found.baud} baud; after the acknowledgement"
        message = self.message(
            option_select(character, option), chars, wants_reply(self.bcc, is_it), hint
        )
        return replace(message, switch=there.switch(self.baud))

    def agreed(self, found: Identification) -> Dialogue:
        """Return the dialogue as it goes on at the agreed rate."""
        character = agreed_baud_character(found.baud_character, self.quirks.max_baud)
        return replace(self, baud=baud_of(character))

    def again(self, message: Message) -> Message:
        """Return the request to repeat what answered a message."""
        return self.message(NAK, message.reply_chars, message.recognise, message.hint)

    def password(self) -> Message:
        """Return the password command."""
        operand = f"({self.quirks.password})".encode("ascii")
        octets = command_message("P1", operand, self._own_bcc)
        message = self.message(octets, 1, wants_reply(self.bcc, _is_any, ACK + NAK), "password")
        return replace(message, secret=operand)

    def read(self, code: str, fits: Callable[[Block], bool]) -> Message:
        """Return the read command of one code."""
        octets = command_message("R1", f"{code}()".encode("ascii"), self._own_bcc)
        return self.message(octets, COMMAND_CHARS, wants_reply(self.bcc, fits), f"read {code}")

    def break_off(self) -> Message:
        """Return the break, which nobody answers."""
        octets = command_message("B0", None, self._own_bcc)
        return self.message(octets, 0, wants_reply(self.bcc, _is_any), "break")

    def switch(self, sent_at: int | None = None) -> Switch | None:
        """Return the settings of an exchange; None where the line stays as it is."""
        if not self.quirks.switch_baud:
            return None
        framing = self.quirks.framing
        return Switch(f"{sent_at or self.baud} {framing}", f"{self.baud} {framing}")

    @property
    def _own_bcc(self) -> Bcc:
        return Bcc.SUM if self.bcc is Bcc.SUM else Bcc.XOR

    def message(self, octets: bytes, chars: int, recognise: Recognise, hint: str) -> Message:
        """Return a message at this rate; `hint` is what errors call the step."""
        has_parity = self.quirks.framing == "8N1"
        return Message(self.unit, octets, chars, recognise, self.switch(), has_parity, hint)


def begin(unit: str, quirks: Iec62056Quirks) -> Dialogue:
    """Return the dialogue at the rate of the sign-on."""
    return Dialogue(unit, quirks, quirks.first_baud)


def ask(dialogue: Dialogue, message: Message) -> Asking:
    """Send a message until a right answer comes; `dialogue` is at the rate of the answer.

    Raises:
        FrameError: the answer was damaged three times.
        DeviceRefused: the meter did not understand three times (NAK).
    """
    sent = message
    answer = Answer()
    for _ in range(1 + REPEATS):
        answer = yield sent.exchange()
        if answer.sign == NAK:
            sent = message
        elif answer.block is not None and not answer.block.is_right:
            sent = dialogue.again(message)
        else:
            return answer
    if answer.block is None:
        raise DeviceRefused(_REFUSED, f"{message.hint}: the meter says NAK")
    fault = f"{message.hint}: the check character was wrong {1 + REPEATS} times; see quirk bcc"
    raise FrameError(Fault.CRC, fault, answer.block.body)


def _is_data(block: Block) -> bool:
    return not block.command


def _is_command(block: Block) -> bool:
    return bool(block.command)


def _is_any(_: Block) -> bool:
    return True
