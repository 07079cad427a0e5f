"""Framings that are data: a new device of this kind is one profile, and no code."""

from __future__ import annotations

from drivers.contract import Conduct, DriverSpec
from drivers.declared.address import DeclaredAddress, DeclaredQuirks
from drivers.declared.driver import DeclaredDriver, DeclaredListener
from drivers.declared.known import KNOWN

ASKED = "declared"
LISTENED = "declared-listen"

DRIVER = DriverSpec(
    name="declared",
    protocols={
        ASKED: DeclaredDriver(tuple(KNOWN.values())),
        **{name: DeclaredDriver((one,)) for name, one in KNOWN.items()},
    },
    sessions={LISTENED: DeclaredListener(tuple(KNOWN.values()))},
    address_type=DeclaredAddress,
    quirks_type=DeclaredQuirks,
    serial_protocol=ASKED,
    tcp_protocol=ASKED,
    conduct=Conduct(
        settings=(),
        scan=tuple,
        never=(
            "It never broadcasts: an address that means everybody is refused before it is sent.",
            "It never looks for devices: a frame that nobody declared may do anything.",
            "It never sends bytes that the profile does not declare.",
        ),
        dangerous=(
            "What opens a door or barrier moves something: such profiles say dangerous.",
            "Numbers and colours on displays are harmless, but people follow them.",
        ),
    ),
)
