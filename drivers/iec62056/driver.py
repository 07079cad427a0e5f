"""The driver of IEC 62056-21; both of its protocol names speak the same dialogue."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

from drivers.contract import Address, Decoded, Job, LineCost, Quirks, Raw, Wanted, WireSettings
from drivers.iec62056.address import Iec62056Address, Iec62056Quirks, Read
from drivers.iec62056.decode import decode
from drivers.iec62056.dialogue import ANYBODY
from drivers.iec62056.jobs import Item, Probe, Programming, Readout

_ADDRESS = re.compile("[A-Za-z0-9 ]{1,32}")


class Iec62056Driver:
    """See `drivers.contract.JobDriver`. With `is_telegram`, `decode` takes whole read-outs only."""

    wire = WireSettings(
        silence_min_s=0.18, serial="300 7E1", longest_response_s=1.5, longest_gap_s=1.5
    )
    """An answer comes 200 to 1500 ms after a message, and ours may come no sooner than that after
    the meter's. A little less than 200 ms, as a meter of mode B may begin then.
    """

    def __init__(self, *, is_telegram: bool = False) -> None:
        self.is_telegram = is_telegram

    def parse_unit(self, address: object) -> str:
        """Return the device address; `-` (or nothing) asks the one meter there is.

        Raises:
            ValueError: it is no address, and what to write.
        """
        is_number = isinstance(address, int) and not isinstance(address, bool)
        text = str(address).strip() if isinstance(address, str) or is_number else None
        if text in ("", ANYBODY):
            return ANYBODY
        if text is None or not _ADDRESS.fullmatch(text):
            raise ValueError(
                f"{address!r} is no device address; write up to 32 letters and digits as they are "
                f'on the meter, in quotes: "00045678", or "{ANYBODY}" for the only meter there is'
            )
        return text

    def plan(
        self,
        unit: Hashable,
        wanted: Sequence[Wanted],
        quirks: Quirks,
        cost: LineCost,  # noqa: ARG002 - a read-out cannot be cut, whatever it costs
    ) -> tuple[Job, ...]:
        """Return one read-out for all points, and one session for those read by command."""
        items = {
            read: tuple(
                Item(want.key, address)
                for want in wanted
                if (address := _address(want.address)).read is read
            )
            for read in Read
        }
        jobs: list[Job] = []
        if items[Read.READOUT]:
            jobs.append(Readout(str(unit), items[Read.READOUT], _quirks(quirks)))
        if items[Read.R1]:
            jobs.append(Programming(str(unit), items[Read.R1], _quirks(quirks)))
        return tuple(jobs)

    def plan_write(self, unit: Hashable, address: Address, raw: Raw, quirks: Quirks) -> Job:  # noqa: ARG002
        """Refuse: nothing is written to these meters.

        Raises:
            ValueError: always.
        """
        raise ValueError("the driver iec62056 writes nothing to a meter")

    def probe(self, unit: Hashable, job: Job) -> Job:
        """Return the sign-on, broken off."""
        quirks = job.quirks if isinstance(job, Readout | Programming | Probe) else Iec62056Quirks()
        return Probe(str(unit), quirks)

    def decode(
        self,
        frame: bytes,
        direction: str,  # noqa: ARG002 - every message says by itself who sent it
        wanted: Sequence[Wanted] = (),
        request: bytes = b"",
    ) -> Decoded:
        """Take one message apart; never raises."""
        return decode(frame, wanted, request, is_telegram=self.is_telegram)

    def window(self) -> None:
        """Return None: one message is on the line at a time."""


def _address(address: Address) -> Iec62056Address:
    if not isinstance(address, Iec62056Address):
        raise TypeError(f"{type(address).__name__} is not an address of IEC 62056-21")
    return address


def _quirks(quirks: Quirks) -> Iec62056Quirks:
    if not isinstance(quirks, Iec62056Quirks):
        raise TypeError(f"{type(quirks).__name__} is not the quirks of IEC 62056-21")
    return quirks
