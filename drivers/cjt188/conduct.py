"""How meters of CJ/T 188 are looked for, and how the driver behaves on a line that others share."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.cjt188.address import WILDCARD, Cjt188Address, Cjt188Quirks, DiOrder, Field
from drivers.cjt188.jobs import read_jobs
from drivers.contract import Conduct, Job, Wanted

_TYPES = ("AA", "10", "20", "30")
"""AA asks every type; meters that do not know it answer to their own."""


def _scan() -> Iterator[Job]:
    """Yield reads of the address by wildcard; key 0 is the address of the meter that answered.

    One meter at a time can be found so: two that answer at once spoil each other's reply.
    """
    wanted = (Wanted(0, Cjt188Address(Field.ADDRESS)),)
    for meter_type in _TYPES:
        for order in (DiOrder.HIGH_FIRST, DiOrder.LOW_FIRST):
            yield from read_jobs(WILDCARD, wanted, Cjt188Quirks(meter_type, order))


CONDUCT = Conduct(
    settings=("2400 8E1", "1200 8E1", "4800 8E1", "9600 8E1", "9600 8N1"),
    scan=_scan,
    never=(
        "It never writes to the wildcard address: every meter of the line would act on it.",
        "It never sends a valve command unless the quirk valve allows it, nor any but 55 and 99.",
        "It never repeats a write by itself: the valve may have moved although no answer came.",
        "It never publishes a number whose unit byte is not of the quantity that the point wants.",
    ),
    dangerous=(
        "The valve (A017) cuts off water, heat or gas from a household.",
        "The clock (A015) decides on which day the meter keeps its month values.",
    ),
)
