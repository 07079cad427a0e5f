"""The driver of CJ/T 188: plans reads by data identifier, and the two writes that it knows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from drivers.cjt188.address import WILDCARD, Cjt188Quirks, parse_meter
from drivers.cjt188.decode import decode
from drivers.cjt188.jobs import cjt188_address, read_jobs, write_job
from drivers.contract import Address, Decoded, Job, LineCost, Quirks, Raw, Wanted, WireSettings

PROTOCOL = "cjt188"


class Cjt188Driver:
    """CJ/T 188 of 2004; see `drivers.contract.JobDriver`."""

    # The silence is no rule of the standard: transceivers need time to turn the line round.
    wire = WireSettings(
        silence_chars=3.5, serial="2400 8E1", longest_response_s=0.5, longest_gap_s=0.5
    )

    def parse_unit(self, address: object) -> str:
        """Return the 14 digits of an `address:` in the site file.

        Fourteen A ask whoever is there: for a line with one meter on it.

        Raises:
            ValueError: it is no address, and what to write.
        """
        return parse_meter(address)

    def plan(
        self,
        unit: Hashable,
        wanted: Sequence[Wanted],
        quirks: Quirks,
        cost: LineCost,  # noqa: ARG002 - an identifier comes as a whole or not at all
    ) -> tuple[Job, ...]:
        """Return one read for each data identifier that the points need.

        Raises:
            ValueError: a point can only be written.
        """
        return read_jobs(str(unit), wanted, _quirks(quirks))

    def plan_write(self, unit: Hashable, address: Address, raw: Raw, quirks: Quirks) -> Job:
        """Return the job that moves the valve or sets the clock.

        Raises:
            ValueError: it is neither, the quirk `valve` is not true, or the order of the data
                identifier is not said.
        """
        return write_job(_meter(unit), cjt188_address(address), raw, _quirks(quirks))

    def probe(self, unit: Hashable, job: Job) -> Job:  # noqa: ARG002 - JobDriver
        """Return the job itself: there is no shorter read, and it learns from being answered."""
        return job

    def decode(
        self, frame: bytes, direction: str, wanted: Sequence[Wanted] = (), request: bytes = b""
    ) -> Decoded:
        """Take one frame apart; `direction` is request, response, or auto."""
        return decode(frame, direction, wanted, request)

    def window(self) -> None:
        """Return None: a line carries one request at a time."""


def _meter(unit: Hashable) -> str:
    if not isinstance(unit, str) or len(unit) != len(WILDCARD):
        raise TypeError(f"{unit!r} did not come from parse_unit")
    return unit


def _quirks(quirks: Quirks) -> Cjt188Quirks:
    if not isinstance(quirks, Cjt188Quirks):
        raise TypeError(f"{type(quirks).__name__} is not the quirks of CJ/T 188")
    return quirks
