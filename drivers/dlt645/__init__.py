"""DL/T 645-2007 and -1997: Chinese electricity meters."""

from __future__ import annotations

from drivers.contract import DriverSpec
from drivers.dlt645.address import Dlt645Address, Dlt645Quirks, complete_address
from drivers.dlt645.driver import CONDUCT, Dlt645Driver
from drivers.dlt645.edition import EDITION_1997, EDITION_2007

DRIVER = DriverSpec(
    name="dlt645",
    protocols={edition.name: Dlt645Driver(edition) for edition in (EDITION_2007, EDITION_1997)},
    address_type=Dlt645Address,
    quirks_type=Dlt645Quirks,
    complete_address=complete_address,
    serial_protocol=EDITION_2007.name,
    tcp_protocol=EDITION_2007.name,
    conduct=CONDUCT,
)
