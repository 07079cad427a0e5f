"""How Modbus devices are looked for, and how Modbus behaves on a line that others share."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.contract import Conduct, Job
from drivers.modbus.address import Table
from drivers.modbus.jobs import probe_job
from drivers.modbus.rtu import RtuFraming

_UNITS = range(1, 248)
"""MODBUS over Serial Line V1.02, 2.2: 248 and above are reserved."""


def _scan() -> Iterator[Job]:
    """Yield the shortest read of every unit; an exception is as good a sign of life as a value."""
    framing = RtuFraming()
    return (probe_job(framing, unit, Table.HOLDING, 0) for unit in _UNITS)


CONDUCT = Conduct(
    # In the order in which devices of the field have them.
    settings=("9600 8N1", "9600 8E1", "4800 8N1", "19200 8E1", "19200 8N1", "115200 8N1"),
    scan=_scan,
    never=(
        "It never speaks before 3.5 characters of silence have passed.",
        "It never sends a broadcast: every device of the line would act on it.",
        "It never asks the next question while a late reply could be taken for its answer.",
    ),
    dangerous=(
        "Writing coils and registers of relays, valves, gates and chargers moves something.",
        "Writing the register of address or baud rate takes the device off the line.",
        "Some devices erase their counters when zero is written to them.",
    ),
)
