"""Exchanges of the Modbus RTU driver for a decoder alone, without a line."""

from __future__ import annotations

from functools import cache

from drivers.contract import Exchange, Job, LineCost
from tests.drivers.modbus_support import QUIRKS, address, driver, wanted

COST = LineCost(char_s=11 / 9600, exchange_s=0.05)


@cache
def _job(unit: int, count: int) -> Job:
    points = wanted(*(address(register) for register in range(count)))
    (job,) = driver("modbus-rtu").plan(unit, points, QUIRKS, COST)
    return job


def exchange_for(unit: int, count: int) -> Exchange:
    """Return a fresh exchange that asks a unit for its first holding registers."""
    return next(_job(unit, count).steps())
