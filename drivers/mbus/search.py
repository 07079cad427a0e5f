"""Search for slaves by their secondary addresses: a tree over the eight digits of the number.

Numbers are BCD, so ten branches at each digit. Maker, version and medium stay wildcards; the
telegram of a slave that is alone in its branch tells them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from drivers.contract import DriverError, Job, NoAnswer, Steps
from drivers.mbus.codec import FCB, MAX_FRAME, REQ_UD2, SELECTED, short_frame
from drivers.mbus.exchange import ReadExchange, Reply
from drivers.mbus.jobs import deselect, select
from drivers.mbus.unit import MbusUnit, parse_unit

_DIGITS = "0123456789"
_ANY = "F"
_SELECT_CHARS, _SHORT_CHARS = 17, 5


class Outcome(StrEnum):
    """What came of asking a branch."""

    REPLY = "reply"
    COLLISION = "collision"
    SILENCE = "silence"


def outcome_of(error: DriverError) -> Outcome:
    """Return what an error of a search job says: nobody is there, or more than one."""
    return Outcome.SILENCE if isinstance(error, NoAnswer) else Outcome.COLLISION


@dataclass(frozen=True, slots=True)
class SearchJob:
    """Selects all slaves of a branch and asks them; key 0 of its result is the text of the one."""

    unit: MbusUnit
    keys: tuple[int, ...] = (0,)
    request_chars: int = _SELECT_CHARS + 2 * _SHORT_CHARS
    reply_chars: int = MAX_FRAME + 1
    exchanges: int = 3

    def steps(self) -> Steps:
        """Deselect all, select the branch, ask for data."""
        yield deselect(self.unit)
        yield select(self.unit)
        request = short_frame(REQ_UD2 | FCB, SELECTED)
        reply: Reply = yield ReadExchange(self.unit, request, MAX_FRAME)
        found = reply.telegram.header.unit
        return [None if found is None else str(found)]

    def split(self) -> tuple[Job, ...]:
        """Return (): the search itself goes deeper."""
        return ()

    def describe(self) -> str:
        """Return which branch it asks."""
        return f"search for secondary addresses {self.unit}"


class SecondarySearch:
    """Walks the tree: gives the next job, is told its outcome, goes deeper where slaves collide.

    `found` are the slaves, each once; `unresolved` whole numbers under which several slaves answer
    at once, so that only their makers, versions or media differ, and branches in which one answers
    with a number that is no decimal digits, under which nobody can be asked. At most 10 jobs a
    digit and slave.
    """

    def __init__(self, first: MbusUnit | None = None) -> None:
        """Search below a branch; below none of them is everywhere."""
        self.found: list[MbusUnit] = []
        self.unresolved: list[MbusUnit] = []
        self._branches = [MbusUnit() if first is None else first]
        self._asked: MbusUnit | None = None

    def next_job(self) -> SearchJob | None:
        """Return the next job, or None when all branches were asked.

        Raises:
            RuntimeError: the outcome of the last one was not told.
        """
        if self._asked is not None:
            raise RuntimeError(f"the outcome of {self._asked} was not told")
        if not self._branches:
            return None
        self._asked = self._branches.pop()
        return SearchJob(self._asked)

    def told(self, outcome: Outcome, name: object = None) -> None:
        """Take the outcome of the job; `name` is its result, where there was a reply.

        Raises:
            RuntimeError: no job is open.
        """
        branch, self._asked = self._asked, None
        if branch is None:
            raise RuntimeError("no job of the search is open")
        if outcome is Outcome.COLLISION:
            self._descend(branch)
        elif outcome is Outcome.REPLY and name is not None:
            self._keep(branch, str(name))

    def _keep(self, branch: MbusUnit, name: str) -> None:
        if not name.partition(".")[0].isdecimal():
            self.unresolved.append(branch)
        elif (unit := parse_unit(name)) not in self.found:
            self.found.append(unit)

    def _descend(self, branch: MbusUnit) -> None:
        place = branch.number.find(_ANY)
        if place < 0:
            self.unresolved.append(branch)
            return
        head, tail = branch.number[:place], branch.number[place + 1 :]
        for digit in reversed(_DIGITS):
            number = head + digit + tail
            self._branches.append(
                MbusUnit(None, number, branch.manufacturer, branch.version, branch.medium)
            )
