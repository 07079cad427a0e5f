"""Wired M-Bus (EN 13757-2 and -3): meters of water, heat, gas and electricity."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.contract import Conduct, DriverSpec, Job
from drivers.mbus.address import MbusAddress, MbusQuirks
from drivers.mbus.codec import LAST_PRIMARY
from drivers.mbus.driver import SETTING, MbusDriver
from drivers.mbus.jobs import PingJob
from drivers.mbus.unit import MbusUnit

PROTOCOL = "mbus"


def _scan() -> Iterator[Job]:
    """Yield SND_NKE to every primary address; secondary ones are found by `SecondarySearch`."""
    return (PingJob(MbusUnit(primary=unit)) for unit in range(LAST_PRIMARY + 1))


DRIVER = DriverSpec(
    name="mbus",
    protocols={PROTOCOL: MbusDriver()},
    address_type=MbusAddress,
    quirks_type=MbusQuirks,
    serial_protocol=PROTOCOL,
    tcp_protocol=PROTOCOL,
    conduct=Conduct(
        settings=(SETTING, "300 8E1", "9600 8E1", "600 8E1", "1200 8E1", "4800 8E1"),
        scan=_scan,
        never=(
            "It never changes an address, a baud rate or any other setting of a meter.",
            "It never asks under address 254 (FE), where all meters of a line answer at once.",
            "It never toggles the frame count bit before the telegram has come.",
        ),
        dangerous=(),
    ),
)
