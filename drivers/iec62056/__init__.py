"""IEC 62056-21 (formerly IEC 1107): read-out in modes A, B and C, read commands."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.contract import Conduct, DriverSpec, Job
from drivers.iec62056.address import Iec62056Address, Iec62056Quirks, complete_address
from drivers.iec62056.dialogue import ANYBODY
from drivers.iec62056.driver import Iec62056Driver
from drivers.iec62056.jobs import Probe

PROTOCOL = "iec62056-21"
TELEGRAM = "iec62056-21-telegram"


def _scan() -> Iterator[Job]:
    """Yield the sign-on that any meter answers, at the setting that the scan is trying."""
    yield Probe(ANYBODY, Iec62056Quirks(switch_baud=False))


DRIVER = DriverSpec(
    name="iec62056",
    protocols={PROTOCOL: Iec62056Driver(), TELEGRAM: Iec62056Driver(is_telegram=True)},
    address_type=Iec62056Address,
    quirks_type=Iec62056Quirks,
    complete_address=complete_address,
    serial_protocol=PROTOCOL,
    tcp_protocol=PROTOCOL,
    conduct=Conduct(
        settings=("300 7E1", "9600 7E1", "2400 7E1"),
        scan=_scan,
        never=(
            "It never writes a value or a setting into a meter.",
            "It never asks without an address where the site names one: all meters would answer.",
            "It never speaks sooner than 180 ms after a meter has spoken.",
        ),
        dangerous=(),
    ),
)
