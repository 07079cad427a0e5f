"""OSDP 2: control panel for card readers and door controllers on RS-485."""

from __future__ import annotations

from drivers.contract import Conduct, DriverSpec
from drivers.osdp.address import OsdpAddress, OsdpQuirks
from drivers.osdp.driver import SETTING, OsdpDriver

PROTOCOL = "osdp"

DRIVER = DriverSpec(
    name="osdp",
    sessions={PROTOCOL: OsdpDriver()},
    address_type=OsdpAddress,
    quirks_type=OsdpQuirks,
    serial_protocol=PROTOCOL,
    tcp_protocol=PROTOCOL,
    conduct=Conduct(
        settings=(SETTING, "115200 8N1", "19200 8N1", "38400 8N1", "57600 8N1", "230400 8N1"),
        scan=tuple,
        never=(
            "It never sends while a reply is awaited.",
            "It never sets a key or the line settings of a reader.",
            "It never takes a card in plain text from a reader that has a key.",
            "It never uses the well-known default key outside of installation.",
        ),
        dangerous=(
            "KEYSET gives a reader another key: it is never sent.",
            "COMSET changes address and baud rate of a reader: it is never sent.",
            "OUT moves the outputs of a reader, so a door: it is never sent.",
        ),
    ),
)
