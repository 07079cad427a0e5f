"""Jobs: the readout that answers all wanted points of a meter, and the shortest sign of life."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from drivers.contract import Exchange, Job, Steps, Wanted
from drivers.mbus.address import MbusQuirks
from drivers.mbus.codec import FCB, SELECTED, SND_NKE, SND_UD, long_frame, short_frame
from drivers.mbus.exchange import AckExchange, ReadExchange, Reply
from drivers.mbus.match import pick
from drivers.mbus.memory import Memory
from drivers.mbus.telegram import RESET, SELECT, Telegram
from drivers.mbus.unit import MbusUnit

_SHORT_CHARS = 5
_SELECT_CHARS = 17
_RESET_CHARS = 9

Course = Generator[Exchange, Any, None]


@dataclass(frozen=True, slots=True)
class ReadoutJob:
    """One readout of a meter: initialise or select it, then take telegrams until it has no more."""

    unit: MbusUnit
    wanted: tuple[Wanted, ...]
    quirks: MbusQuirks

    @property
    def memory(self) -> Memory:
        """The frame count bit, shared with the other jobs of the unit."""
        return self.unit.memory

    @property
    def keys(self) -> tuple[int, ...]:
        """The keys of all wanted points."""
        return tuple(want.key for want in self.wanted)

    @property
    def exchanges(self) -> int:
        """Ordinary number of exchanges."""
        selects = int(self.unit.primary is None or self.memory.has_many)
        return 1 + selects + int(self.quirks.application_reset) + int(self.memory.has_many)

    @property
    def request_chars(self) -> int:
        """Characters of all requests."""
        first = _SELECT_CHARS if self.unit.primary is None else 0
        reset = _RESET_CHARS if self.quirks.application_reset else 0
        return first + reset + _SHORT_CHARS * (1 + 2 * int(self.memory.has_many))

    @property
    def reply_chars(self) -> int:
        """Characters of all replies, from the last readout; the longest telegram before that."""
        return self.memory.chars * (1 + int(self.memory.has_many)) + self.exchanges - 1

    def steps(self) -> Steps:
        """Read the meter out once; None for points that it does not have."""
        self.memory.begin()
        yield from self._open()
        telegrams: list[Telegram] = []
        yield from self._take(telegrams)
        found = pick(telegrams, self.wanted)
        return [found.get(key) for key in self.keys]

    def split(self) -> tuple[Job, ...]:
        """Return (): one readout answers all."""
        return ()

    def describe(self) -> str:
        """Return whom it asks for how many points."""
        how = "primary" if self.unit.primary is not None else "secondary"
        return f"REQ_UD2 to {how} address {self.unit} ({len(self.wanted)} points)"

    def _open(self) -> Course:
        memory = self.memory
        if self.unit.primary is None:
            yield select(self.unit)
            if memory.wants_reset:
                memory.reset()
        elif self.quirks.initialise == "always" or (
            self.quirks.initialise == "start" and memory.wants_reset
        ):
            yield initialise(self.unit)
            memory.reset()
        if self.quirks.application_reset:
            yield AckExchange(self.unit, long_frame(SND_UD | FCB, _address(self.unit), RESET))

    def _take(self, telegrams: list[Telegram]) -> Course:
        """Take telegrams until one says that it is the last, or one comes twice."""
        memory = self.memory
        chars = 0
        marks: set[bytes] = set()
        while len(telegrams) < self.quirks.max_telegrams:
            reply: Reply = yield self._request()
            is_repeated = not telegrams and memory.may_repeat(_mark(reply.telegram))
            memory.took()
            if is_repeated:
                reply = yield self._request()
                memory.took()
                memory.is_static = _mark(reply.telegram) == memory.last
            if reply.telegram.content in marks:
                break
            marks.add(reply.telegram.content)
            telegrams.append(reply.telegram)
            chars = max(chars, reply.chars)
            memory.midway = reply.telegram.more_follow
            if not reply.telegram.more_follow:
                break
        memory.has_many = len(telegrams) > 1
        memory.done(_mark(telegrams[0]), chars)

    def _request(self) -> ReadExchange:
        request = short_frame(self.memory.request_code(), _address(self.unit))
        return ReadExchange(self.unit, request, self.memory.chars)


@dataclass(frozen=True, slots=True)
class PingJob:
    """The shortest sign of life: SND_NKE, or a selection, which E5 confirms."""

    unit: MbusUnit
    keys: tuple[int, ...] = ()
    exchanges: int = 1
    reply_chars: int = 1

    @property
    def request_chars(self) -> int:
        """Characters of the request."""
        return _SELECT_CHARS if self.unit.primary is None else _SHORT_CHARS

    def steps(self) -> Steps:
        """Ask once."""
        yield select(self.unit) if self.unit.primary is None else initialise(self.unit)
        if self.unit.primary is not None:
            self.unit.memory.reset()
        return ()

    def split(self) -> tuple[Job, ...]:
        """Return (): nothing can be split."""
        return ()

    def describe(self) -> str:
        """Return what it asks."""
        what = "select" if self.unit.primary is None else "SND_NKE to"
        return f"{what} {self.unit} (probe)"


def initialise(unit: MbusUnit) -> AckExchange:
    """Return SND_NKE to a primary address: the slave forgets FCB, and begins anew."""
    return AckExchange(unit, short_frame(SND_NKE, _address(unit)))


def select(unit: MbusUnit) -> AckExchange:
    """Return the selection of a secondary address; all other slaves deselect themselves by it."""
    return AckExchange(unit, long_frame(SND_UD | FCB, SELECTED, SELECT, unit.selection))


def deselect(unit: MbusUnit) -> AckExchange:
    """Return SND_NKE to the selected slave, whoever it is; nobody is waited for."""
    return AckExchange(unit, short_frame(SND_NKE, SELECTED), has_reply=False)


def _address(unit: MbusUnit) -> int:
    return SELECTED if unit.primary is None else unit.primary


def _mark(telegram: Telegram) -> bytes:
    """Return what is equal in a telegram and its repetition: a new one counts its access number."""
    number = telegram.header.access_no
    return bytes((number or 0,)) + telegram.content
