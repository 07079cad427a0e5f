"""Modbus RTU, ASCII and TCP."""

from __future__ import annotations

from drivers.contract import DriverSpec
from drivers.modbus.address import ModbusAddress, ModbusQuirks, complete_address
from drivers.modbus.ascii import AsciiFraming
from drivers.modbus.conduct import CONDUCT
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.rtu import RtuFraming
from drivers.modbus.tcp import TcpFraming

DRIVER = DriverSpec(
    name="modbus",
    protocols={
        framing.name: ModbusDriver(framing)
        for framing in (RtuFraming(), AsciiFraming(), TcpFraming())
    },
    address_type=ModbusAddress,
    quirks_type=ModbusQuirks,
    complete_address=complete_address,
    serial_protocol=RtuFraming.name,
    tcp_protocol=TcpFraming.name,
    conduct=CONDUCT,
)
