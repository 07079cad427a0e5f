"""The driver of wired M-Bus."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

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
from drivers.mbus.address import MbusQuirks
from drivers.mbus.decode import decode
from drivers.mbus.jobs import PingJob, ReadoutJob
from drivers.mbus.match import mbus_address
from drivers.mbus.unit import MbusUnit, parse_unit

SLOWEST_BAUD = 300
SETTING = "2400 8E1"
WIRE = WireSettings(
    silence_chars=3.5,  # 33 bit times of idle line between telegrams, and a little more
    serial=SETTING,
    # A slave answers within 330 bit times and 50 ms; the slowest line that is met has 300 baud.
    longest_response_s=330 / SLOWEST_BAUD + 0.05,
)


class MbusDriver:
    """Wired M-Bus; see `drivers.contract.JobDriver`."""

    @property
    def wire(self) -> WireSettings:
        """What it needs between frames."""
        return WIRE

    def parse_unit(self, address: object) -> MbusUnit:
        """Return the unit of an `address:` in the site file.

        Raises:
            ValueError: it is none, and what to write.
        """
        return parse_unit(address)

    def plan(
        self, unit: Hashable, wanted: Sequence[Wanted], quirks: Quirks, cost: LineCost
    ) -> tuple[Job, ...]:
        """Return the one readout that has all wanted points."""
        del cost
        if not wanted:
            return ()
        for want in wanted:
            mbus_address(want.address)
        return (ReadoutJob(_unit(unit), tuple(wanted), _quirks(quirks)),)

    def plan_write(self, unit: Hashable, address: Address, raw: Raw, quirks: Quirks) -> Job:
        """Refuse.

        Raises:
            ValueError: always; this driver reads only.
        """
        del unit, address, raw, quirks
        raise ValueError("M-Bus meters are only read: this driver writes nothing")

    def probe(self, unit: Hashable, job: Job) -> Job:
        """Return the shortest sign of life; it shares the frame count bit of the readout."""
        del unit  # that of the job is equal, and has the bit
        return PingJob(_unit(job.unit))

    def decode(
        self, frame: bytes, direction: str, wanted: Sequence[Wanted] = (), request: bytes = b""
    ) -> Decoded:
        """Take one frame apart; its C field says itself which way it went."""
        del direction
        return decode(frame, wanted, request)

    def window(self) -> Window | None:
        """Return None: one request at a time."""
        return None


def _unit(unit: Hashable) -> MbusUnit:
    if not isinstance(unit, MbusUnit):
        raise TypeError(f"{unit!r} did not come from parse_unit")
    return unit


def _quirks(quirks: Quirks) -> MbusQuirks:
    if not isinstance(quirks, MbusQuirks):
        raise TypeError(f"{type(quirks).__name__} is not the quirks of M-Bus")
    return quirks
