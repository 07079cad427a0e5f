"""The two DL/T 645 drivers: one set of jobs, two editions."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

from drivers.contract import (
    Address,
    Conduct,
    Decoded,
    Job,
    LineCost,
    Quirks,
    Raw,
    Wanted,
    WireSettings,
)
from drivers.dlt645.address import COMMANDS, Dlt645Address, Dlt645Quirks
from drivers.dlt645.codec import BROADCAST, WILDCARD, Frame, address_text
from drivers.dlt645.decode import decode
from drivers.dlt645.edition import EDITION_1997, EDITION_2007, Edition
from drivers.dlt645.exchange import Question
from drivers.dlt645.jobs import OneQuestion, ReadItem, plan_reads
from drivers.dlt645.write import write_job

_DIGITS = 12
_WILD = {WILDCARD, BROADCAST}


class Dlt645Driver:
    """One edition; see `drivers.contract.JobDriver`."""

    # The silence is no rule of the standard: transceivers need time to turn the line round.
    wire = WireSettings(
        silence_chars=3.5, serial="2400 8E1", longest_response_s=0.5, longest_gap_s=0.5
    )
    """Response delay 20 to 500 ms (LaoYutang/go-dlt645, fdxxw/go-dlt645), as much between two bytes
    (greensea/dlt645 dlt645.c)."""

    def __init__(self, edition: Edition) -> None:
        self.edition = edition

    def parse_unit(self, address: object) -> str:
        """Return the twelve digits of a meter's address.

        Raises:
            ValueError: it is no address, and what to write.
        """
        text = str(address).strip().upper()
        if text in _WILD:
            return text
        if isinstance(address, bool | float) or not (text.isascii() and text.isdecimal()):
            raise ValueError(
                f'{address!r} is no meter address; write the 12 digits on the meter: "000012345678"'
            )
        if len(text) != _DIGITS:
            raise ValueError(
                f"{text} has {len(text)} digits, a DL/T 645 address has 12; "
                "fill up with zeros on the left, and write it in quotes"
            )
        return text

    def plan(
        self,
        unit: Hashable,
        wanted: Sequence[Wanted],
        quirks: Quirks,
        cost: LineCost,  # noqa: ARG002 - a block of two is cheaper at every rate
    ) -> tuple[Job, ...]:
        """Return the reads of all wanted points, blocks where they serve several.

        Raises:
            ValueError: a point cannot be read.
        """
        for one in wanted:
            if isinstance(one.address, Dlt645Address) and one.address.di in COMMANDS:
                raise ValueError(f"`di: {one.address.di}` can only be written: `access: w`")
            self._check_id(one.address)
        return plan_reads(self.edition, str(unit), wanted, _quirks(quirks))

    def plan_write(self, unit: Hashable, address: Address, raw: Raw, quirks: Quirks) -> Job:
        """Return the job that writes one value.

        Raises:
            ValueError: it cannot be written, or does not fit.
        """
        if not isinstance(address, Dlt645Address):
            raise TypeError(f"{address!r} is no address of DL/T 645")
        self._check_id(address)
        return write_job(self.edition, str(unit), address, raw, _quirks(quirks))

    def _check_id(self, address: Address) -> None:
        """Refuse a data id of the other edition: nobody would answer it."""
        digits = 2 * self.edition.id_bytes
        if not isinstance(address, Dlt645Address) or address.di in COMMANDS:
            return
        if len(address.di) != digits:
            raise ValueError(
                f"data id {address.di} has {len(address.di)} digits, those of {self.edition.name} "
                f"have {digits}; write it in quotes, with its zeros"
            )

    def probe(self, unit: Hashable, job: Job) -> Job:  # noqa: ARG002 - JobDriver
        """Return the read of one value of a job; an error word is a sign of life as well."""
        if isinstance(job, ReadItem) and (parts := job.split()):
            return parts[0]
        return job

    def decode(
        self,
        frame: bytes,
        direction: str,
        wanted: Sequence[Wanted] = (),
        request: bytes = b"",  # noqa: ARG002 - an answer names its data id
    ) -> Decoded:
        """Take one frame apart; see `Speaker`."""
        return decode(self.edition, frame, direction, wanted)

    def window(self) -> None:
        """Return None: a meter is asked one thing at a time."""
        return

    def read_address(self) -> Job:
        """Return the job that asks the only meter of a line for its address.

        Key 0 of its result is the address. The edition of 1997 has no such function: there a read
        under 99…99 is answered under the meter's own address.
        """
        edition = self.edition
        if edition.read_address is None:
            content = bytes.fromhex("1090")
            question = Question(
                BROADCAST, edition.read, content, content, 6, takes_any_address=True
            )
            return OneQuestion(question, "read 9010 of any meter", (0,), _address_answered)
        question = Question(WILDCARD, edition.read_address, b"", b"", 6, takes_any_address=True)
        return OneQuestion(question, "read address", (0,), _address_said)


def _address_said(frame: Frame) -> tuple[Raw | None, ...]:
    said = address_text(frame.content)
    return (said if len(said) == _DIGITS and said.isdecimal() else None,)


def _address_answered(frame: Frame) -> tuple[Raw | None, ...]:
    """Return who answered; None for a meter that repeats the wildcard and so hides its own."""
    is_own = frame.address not in _WILD and frame.address.isdecimal()
    return (frame.address if is_own else None,)


def _quirks(quirks: Quirks) -> Dlt645Quirks:
    if not isinstance(quirks, Dlt645Quirks):
        raise TypeError(f"{type(quirks).__name__} is not the quirks of DL/T 645")
    return quirks


def _scan() -> Iterator[Job]:
    """Yield the questions that a lone meter answers, of both editions."""
    return (Dlt645Driver(edition).read_address() for edition in (EDITION_2007, EDITION_1997))


CONDUCT = Conduct(
    settings=("2400 8E1", "1200 8E1", "4800 8E1", "9600 8E1"),
    scan=_scan,
    never=(
        "It never asks for the address under AA…AA in a round of polls: all meters would answer.",
        "It never writes to AA…AA or 99…99, the time by broadcast excepted.",
        "It never changes baud rate, address or password of a meter.",
    ),
    dangerous=(
        "The relay command cuts off a flat; it is locked until `relay: true` is written.",
        "The broadcast of the time sets every clock of the line; billing depends on them.",
    ),
)
