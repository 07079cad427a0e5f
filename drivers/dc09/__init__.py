"""SIA DC-09: receiver for alarm panels that report Contact ID or SIA codes over a network."""

from __future__ import annotations

from drivers.contract import Conduct, DriverSpec
from drivers.dc09.address import Dc09Address, Dc09Quirks
from drivers.dc09.driver import Dc09Driver

PROTOCOL = "sia-dc09"

DRIVER = DriverSpec(
    name="dc09",
    sessions={PROTOCOL: Dc09Driver()},
    address_type=Dc09Address,
    quirks_type=Dc09Quirks,
    serial_protocol=PROTOCOL,
    tcp_protocol=PROTOCOL,
    conduct=Conduct(
        settings=(),
        scan=tuple,
        never=(
            "It never arms, disarms or bypasses: it acknowledges what it is told.",
            "It never answers an account that the site does not name.",
            "It never takes a message in plain text from an account that has a key.",
        ),
        dangerous=(),
    ),
)
