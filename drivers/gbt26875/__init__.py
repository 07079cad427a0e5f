"""GB/T 26875.3-2011: fire monitoring, as the centre that transmitters report to."""

from __future__ import annotations

from drivers.contract import Conduct, DriverSpec
from drivers.gbt26875.address import Gbt26875Address, Gbt26875Quirks
from drivers.gbt26875.driver import Gbt26875Driver

PROTOCOL = "gbt26875.3"

DRIVER = DriverSpec(
    name="gbt26875",
    sessions={PROTOCOL: Gbt26875Driver()},
    address_type=Gbt26875Address,
    quirks_type=Gbt26875Quirks,
    serial_protocol=PROTOCOL,
    tcp_protocol=PROTOCOL,
    conduct=Conduct(
        settings=(),
        scan=tuple,
        never=(
            "It never starts, stops, resets or silences anything: it confirms what it is told.",
            "It never answers a transmitter that the site does not name.",
            "It has no place on a line that others share: transmitters speak when they like.",
        ),
        dangerous=(
            "Setting a transmitter's clock (set_clock_every_s) shifts the times of its records.",
        ),
    ),
)
