"""Jobs: one read-out for all its points, and read commands in programming mode."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field

from drivers.contract import DeviceRefused, Exchange, Job, Steps
from drivers.iec62056.address import Iec62056Address, Iec62056Quirks
from drivers.iec62056.codec import ACK, NAK, Block
from drivers.iec62056.dialogue import (
    COMMAND_CHARS,
    IDENTIFICATION_CHARS,
    PROGRAMMING,
    READOUT,
    Dialogue,
    ask,
    begin,
)
from drivers.iec62056.exchange import Answer
from drivers.iec62056.identification import Identification, Mode
from drivers.iec62056.lines import DataSet, parse_lines
from drivers.iec62056.obis import find_set
from drivers.iec62056.reading import raw_value

BREAK = "B0"
_BREAK_CHARS = 5
_REFUSED_READ = 1
_SELECT_CHARS = 6
MOST_REFUSALS = 2


@dataclass(frozen=True, slots=True)
class Item:
    """One wanted point."""

    key: int
    address: Iec62056Address


@dataclass(frozen=True, slots=True)
class Readout:
    """Sign-on, acknowledgement, data: every wanted point comes from one message."""

    unit: str
    items: tuple[Item, ...]
    quirks: Iec62056Quirks

    @property
    def keys(self) -> tuple[int, ...]:
        """The keys of all its points."""
        return tuple(item.key for item in self.items)

    @property
    def request_chars(self) -> int:
        """Characters of sign-on and acknowledgement."""
        return len(begin(self.unit, self.quirks).sign_on().octets) + _SELECT_CHARS

    @property
    def reply_chars(self) -> int:
        """Characters of identification and data."""
        return IDENTIFICATION_CHARS + self.quirks.block_chars

    @property
    def exchanges(self) -> int:
        """Two; in mode A the data come with the identification."""
        return 1 if self.quirks.mode.value == Mode.A else 2

    def steps(self) -> Steps:
        """Read out once."""
        dialogue = begin(self.unit, self.quirks)
        answer = yield from ask(dialogue, dialogue.sign_on())
        found = answer.identification
        if found is not None and dialogue.mode(found) is not Mode.A:
            answer = yield from _readout(dialogue, found)
        sets = _sets(answer)
        return tuple(raw_value(sets, item.address) for item in self.items)

    def split(self) -> tuple[Job, ...]:
        """Return (): a read-out cannot be had in parts."""
        return ()

    def describe(self) -> str:
        """Return what it reads."""
        return f"read-out of {self.unit}: {len(self.items)} points"


@dataclass(slots=True)
class Passwords:
    """How often in a row a meter refused the password: the third wrong one locks some meters."""

    refused: int = 0


@dataclass(frozen=True, slots=True)
class Programming:
    """A session of programming mode that reads codes one by one and breaks off at its end."""

    unit: str
    items: tuple[Item, ...]
    quirks: Iec62056Quirks
    passwords: Passwords = field(default_factory=Passwords, compare=False)

    @property
    def keys(self) -> tuple[int, ...]:
        """The keys of all its points."""
        return tuple(item.key for item in self.items)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes that are read, each once."""
        return tuple(dict.fromkeys(item.address.obis for item in self.items))

    @property
    def request_chars(self) -> int:
        """Characters of all messages."""
        dialogue = begin(self.unit, self.quirks)
        messages = [dialogue.sign_on(), dialogue.break_off()]
        messages += [dialogue.read(code, _any_block) for code in self.codes]
        messages += [dialogue.password()] * bool(self.quirks.password)
        return sum(len(message.octets) for message in messages) + _SELECT_CHARS

    @property
    def reply_chars(self) -> int:
        """Characters of identification, operand and values."""
        return IDENTIFICATION_CHARS + COMMAND_CHARS * (1 + len(self.codes))

    @property
    def exchanges(self) -> int:
        """Sign-on, acknowledgement, break, the password if there is one, and a read for each."""
        return 3 + bool(self.quirks.password) + len(self.codes)

    def steps(self) -> Steps:
        """Read all codes in one session; the break is sent whatever the meter refused.

        After two refusals of the password in a row, nothing is sent any more.
        """
        if self.passwords.refused >= MOST_REFUSALS:
            raise DeviceRefused(NAK[0], "the meter refused the password, so it is not sent again")
        dialogue = begin(self.unit, self.quirks)
        found = (yield from ask(dialogue, dialogue.sign_on())).identification
        if found is None or dialogue.mode(found) is not Mode.C:
            raise DeviceRefused(0, "the meter has no programming mode: it does not speak mode C")
        there = dialogue.agreed(found)
        yield from ask(there, dialogue.select(found, PROGRAMMING))
        refusal = yield from _log_in(there)
        self.passwords.refused = 0 if refusal is None else self.passwords.refused + 1
        sets: list[DataSet] = []
        for code in self.codes if refusal is None else ():
            one = yield from _read(there, code)
            sets.extend(one)
        if refusal is None or refusal.block is None or refusal.block.command != BREAK:
            yield there.break_off().exchange()
        if refusal is not None or not sets:
            raise _refused(refusal, len(self.codes))
        return tuple(raw_value(sets, item.address) for item in self.items)

    def split(self) -> tuple[Job, ...]:
        """Return (): what the meter refuses is a missing value, and loses no other."""
        return ()

    def describe(self) -> str:
        """Return what it reads."""
        return f"programming mode of {self.unit}: R1 {', '.join(self.codes)}"


@dataclass(frozen=True, slots=True)
class Probe:
    """Sign-on and break: a meter that is there says who it is.

    Without the break it would begin a read-out at 300 baud after 1.5 to 2.2 s.
    """

    unit: str
    quirks: Iec62056Quirks

    keys: tuple[int, ...] = ()
    exchanges: int = 2
    reply_chars: int = IDENTIFICATION_CHARS

    @property
    def request_chars(self) -> int:
        """Characters of sign-on and break."""
        return len(begin(self.unit, self.quirks).sign_on().octets) + _BREAK_CHARS

    def steps(self) -> Steps:
        """Ask who is there, and send it back to rest."""
        dialogue = begin(self.unit, self.quirks)
        yield dialogue.sign_on().exchange()
        yield dialogue.break_off().exchange()
        return ()

    def split(self) -> tuple[Job, ...]:
        """Return ()."""
        return ()

    def describe(self) -> str:
        """Return what it does."""
        return f"sign-on of {self.unit} and break (probe)"


def _readout(dialogue: Dialogue, found: Identification) -> Generator[Exchange, Answer, Answer]:
    if dialogue.mode(found) is Mode.B:
        return (yield from ask(dialogue, dialogue.listen(found)))
    there = dialogue.agreed(found)
    return (yield from ask(there, dialogue.select(found, READOUT)))


def _log_in(there: Dialogue) -> Generator[Exchange, Answer, Answer | None]:
    """Send the password if there is one, and only once; return what the meter refused it with."""
    if not there.quirks.password:
        return None
    message = there.password()
    answer = yield message.exchange()
    if answer.block is not None and not answer.block.is_right:
        answer = yield from ask(there, there.again(message))
    return None if answer.sign == ACK else answer


def _read(there: Dialogue, code: str) -> Generator[Exchange, Answer, tuple[DataSet, ...]]:
    """Return the data sets of one code; none where the meter answers with an error or NAK."""
    try:
        answer = yield from ask(there, there.read(code, _answers(code)))
    except DeviceRefused:
        return ()
    if answer.block is not None and answer.block.command:
        raise DeviceRefused(0, f"read {code}: the meter ended the session", answer.block.body)
    sets = _sets(answer)
    if any(_is_error(one) for one in sets):
        return ()
    return tuple(DataSet(one.address or code, one.groups) for one in sets)


def _answers(code: str) -> Callable[[Block], bool]:
    """Whether a message answers the read of a code: it names it, or no code at all."""

    def fits(block: Block) -> bool:
        if block.command:
            return block.command == BREAK
        sets = parse_lines(block.body).sets
        return bool(sets) and (not sets[0].address or find_set(sets, code) is not None)

    return fits


def _is_error(one: DataSet) -> bool:
    """Whether it is an error message: parentheses without a code that begin with ER."""
    return not one.address and one.groups[0].upper().startswith("ER")


def _sets(answer: Answer) -> Sequence[DataSet]:
    body = answer.text if answer.block is None else answer.block.body
    return parse_lines(body or b"").sets


def _refused(refusal: Answer | None, reads: int) -> DeviceRefused:
    if refusal is None:
        return DeviceRefused(_REFUSED_READ, f"the meter refused all {reads} read commands")
    said = b"" if refusal.block is None else refusal.block.body
    return DeviceRefused(NAK[0], "the meter refused the password", said)


def _any_block(_: Block) -> bool:
    return True
