"""CJ/T 188 (2004): water, heat and gas meters."""

from __future__ import annotations

from drivers.cjt188.address import Cjt188Address, Cjt188Quirks
from drivers.cjt188.conduct import CONDUCT
from drivers.cjt188.driver import PROTOCOL, Cjt188Driver
from drivers.contract import DriverSpec

DRIVER = DriverSpec(
    name="cjt188",
    protocols={PROTOCOL: Cjt188Driver()},
    address_type=Cjt188Address,
    quirks_type=Cjt188Quirks,
    serial_protocol=PROTOCOL,
    tcp_protocol=PROTOCOL,
    conduct=CONDUCT,
)
