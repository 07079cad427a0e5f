"""The three Modbus drivers: one planner, one set of jobs, three framings."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from drivers.contract import (
    Address,
    Decoded,
    Job,
    LineCost,
    Quirks,
    Raw,
    Wanted,
    Window,
    WireSettings,
)
from drivers.modbus.address import ModbusQuirks
from drivers.modbus.custom import custom_job, vendor_job
from drivers.modbus.decode import decode
from drivers.modbus.framing import Framing
from drivers.modbus.identity import Access, IdentifyJob, server_id_job
from drivers.modbus.jobs import ReadBlock, probe_job
from drivers.modbus.plan import group, make_items, modbus_address, table_limits
from drivers.modbus.write import Writer

_LAST_UNIT = 247


class ModbusDriver:
    """Modbus in one framing; see `drivers.contract.JobDriver`."""

    def __init__(self, framing: Framing) -> None:
        self.framing = framing

    @property
    def wire(self) -> WireSettings:
        """What the framing needs between frames."""
        return self.framing.wire

    def parse_unit(self, address: object) -> int:
        """Return the unit number of an `address:` in the site file.

        Raises:
            ValueError: it is no unit number, and which there are.
        """
        extra = "".join(f" or {unit}" for unit in sorted(self.framing.extra_units))
        expected = f"write a unit number from 1 to {_LAST_UNIT}{extra}"
        text = str(address).strip()
        if isinstance(address, bool | float) or not (text.isascii() and text.isdecimal()):
            raise ValueError(f"{address!r} is no Modbus address; {expected}")
        unit = int(text)
        if not 1 <= unit <= _LAST_UNIT and unit not in self.framing.extra_units:
            raise ValueError(f"Modbus address {unit} does not exist; {expected}")
        return unit

    def plan(
        self, unit: Hashable, wanted: Sequence[Wanted], quirks: Quirks, cost: LineCost
    ) -> tuple[Job, ...]:
        """Return the reads that get all wanted points in the least line time.

        Raises:
            ValueError: a point, or points tied together, cannot be had in one exchange.
        """
        limits_of = _quirks(quirks)
        jobs: list[Job] = []
        for table, items in make_items(wanted, limits_of).items():
            limits = table_limits(table, limits_of, cost, self.framing.chars)
            blocks = group(table, items, limits)
            jobs.extend(ReadBlock(self.framing, _unit(unit), block) for block in blocks)
        return tuple(jobs)

    def plan_write(self, unit: Hashable, address: Address, raw: Raw, quirks: Quirks) -> Job:
        """Return the job that writes one raw value.

        Raises:
            ValueError: the address cannot be written, or the value does not fit its datatype.
        """
        target = modbus_address(address)
        return Writer(self.framing, _unit(unit), target, _quirks(quirks)).write(raw)

    def plan_write_and_read(
        self, unit: Hashable, address: Address, raw: Raw, quirks: Quirks
    ) -> Job:
        """Return the job of function 23: writes a value, key 0 of its result is what came of it.

        Raises:
            ValueError: the address is no whole holding registers, or the value does not fit.
        """
        target = modbus_address(address)
        return Writer(self.framing, _unit(unit), target, _quirks(quirks)).write_and_read(raw)

    def probe(self, unit: Hashable, job: Job) -> Job:
        """Return a read of one register or bit of a job; other jobs are their own probe."""
        if not isinstance(job, ReadBlock):
            return job
        return probe_job(self.framing, _unit(unit), job.block.table, job.block.start)

    def identify(self, unit: Hashable, access: Access) -> Job:
        """Return the job of function 43/14; its keys are object ids."""
        return IdentifyJob(self.framing, _unit(unit), access)

    def server_id(self, unit: Hashable) -> Job:
        """Return the job of function 17; key 0 is the device's own bytes, key 1 whether it runs."""
        return server_id_job(self.framing, _unit(unit))

    def custom(self, unit: Hashable, name: str, fields: Mapping[str, Any]) -> Job:
        """Return the job of a function by its name in `custom.custom_names`.

        Raises:
            LookupError: no function has that name.
            ValueError: the fields are not those of the function.
        """
        return custom_job(self.framing, _unit(unit), name, fields)

    def vendor(self, unit: Hashable, function: int, body: bytes) -> Job:
        """Return the job of any function code; key 0 of its result is the reply PDU.

        Raises:
            ValueError: the code is outside 1..127, or the body too long.
        """
        return vendor_job(self.framing, _unit(unit), function, body)

    def decode(
        self, frame: bytes, direction: str, wanted: Sequence[Wanted] = (), request: bytes = b""
    ) -> Decoded:
        """Take one frame apart; `direction` is request, response, or auto."""
        return decode(self.framing, frame, direction, wanted, request=request)

    def window(self) -> Window | None:
        """Return a window where replies carry transaction numbers."""
        return self.framing.window()


def _unit(unit: Hashable) -> int:
    if not isinstance(unit, int):
        raise TypeError(f"{unit!r} did not come from parse_unit")
    return unit


def _quirks(quirks: Quirks) -> ModbusQuirks:
    if not isinstance(quirks, ModbusQuirks):
        raise TypeError(f"{type(quirks).__name__} is not the quirks of Modbus")
    return quirks
