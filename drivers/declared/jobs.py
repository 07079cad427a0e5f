"""Jobs that ask with declared frames: one exchange each."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from drivers.contract import Job, Raw, Steps, Wanted
from drivers.declared.address import DeclaredAddress, declared_address
from drivers.declared.exchange import Question
from drivers.declared.points import Message, raw_of

Cell = tuple[int, DeclaredAddress]
"""A key, and where its value is."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One exchange; its result are the values of `cells`."""

    question: Question
    name: str
    cells: tuple[Cell, ...] = ()

    @property
    def unit(self) -> Hashable:
        """Whom it asks."""
        return self.question.unit

    @property
    def keys(self) -> tuple[int, ...]:
        """Keys of the points that it reads."""
        return tuple(key for key, _ in self.cells)

    @property
    def request_chars(self) -> int:
        """Characters of the request."""
        return len(self.question.request)

    @property
    def reply_chars(self) -> int:
        """Characters of the reply."""
        return self.question.reply_chars

    @property
    def exchanges(self) -> int:
        """One."""
        return 1

    def steps(self) -> Steps:
        """Ask once."""
        message: Message = yield self.question.exchange()
        return tuple(raw_of(address, message) for _, address in self.cells)

    def split(self) -> tuple[Job, ...]:
        """Return (): a frame is asked for as a whole."""
        return ()

    def describe(self) -> str:
        """Return framing, frame and number of points."""
        return f"{self.question.declaration.name} {self.name} ({len(self.cells)} points)"


def plan_reads(unit: Hashable, wanted: Sequence[Wanted]) -> tuple[Job, ...]:
    """Return one job for all points that one frame brings.

    Raises:
        ValueError: a point has no request, its frame does not fit the unit's address, or tied
            points are in different frames.
    """
    groups: dict[Hashable, list[Cell]] = {}
    group_of: dict[int, Hashable] = {}
    for want in wanted:
        address = declared_address(want.address)
        if address.request is None:
            raise ValueError("a point that is asked for needs `request`, its frame by name")
        group = (address.declaration.key, address.request, address.reply_name, address.given)
        groups.setdefault(group, []).append((want.key, address))
        group_of[want.key] = group
    for want in wanted:
        if want.tied_to is not None and group_of.get(want.tied_to) != group_of[want.key]:
            raise ValueError("a point and the one that scales it must come in the same frame")
    return tuple(_read(unit, tuple(cells)) for cells in groups.values())


def plan_write(unit: Hashable, address: DeclaredAddress, raw: Raw) -> Ask:
    """Return the job that writes one value.

    Raises:
        ValueError: the point has no `write_request`, or the value does not fit its field.
    """
    name = address.write_request
    if name is None:
        raise ValueError("the point has no `write_request`: it can only be read")
    fields = address.constants
    if address.write_field is None:
        if raw != 1:
            raise ValueError("this frame carries no value: it does one thing, so write true")
    else:
        fields[address.write_field] = raw
    return Ask(_question(unit, address, name, (address.confirmation, fields)), f"writes {name}")


def _read(unit: Hashable, cells: tuple[Cell, ...]) -> Ask:
    address = cells[0][1]
    name = str(address.request)
    question = _question(unit, address, name, (address.reply_name, address.constants))
    return Ask(question, f"asks {name}", cells)


def _question(
    unit: Hashable,
    address: DeclaredAddress,
    name: str,
    answer: tuple[str | None, dict[str, Raw]],
) -> Question:
    declaration, (reply, fields) = address.declaration, answer
    template = declaration.requests[name]
    values = {**fields, **declaration.address_fields(unit)}
    declaration.check_unicast(template, values)
    return Question(unit, declaration, template.write(values), reply, values)
