"""CRC and LRC against published examples and an independent implementation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer.ascii import FramerAscii
from pymodbus.framer.rtu import FramerRTU

from drivers.modbus.crc import crc16, lrc, with_crc


def test_crc_is_that_of_the_catalogues() -> None:
    assert crc16(b"123456789") == 0x4B37  # CRC-16/MODBUS, check value
    assert crc16(b"") == 0xFFFF


def test_low_byte_goes_first() -> None:
    assert with_crc(bytes.fromhex("010310010001")).hex() == "010310010001d10a"


@given(st.binary(max_size=257))
def test_crc_agrees_with_pymodbus(octets: bytes) -> None:
    assert crc16(octets) == int.from_bytes(
        FramerRTU.compute_CRC(octets).to_bytes(2, "big"), "little"
    ) or crc16(octets) == FramerRTU.compute_CRC(octets)


@given(st.binary(max_size=255))
def test_a_frame_with_its_crc_leaves_nothing(octets: bytes) -> None:
    assert crc16(with_crc(octets)) == 0


@given(st.binary(max_size=255))
def test_lrc_agrees_with_pymodbus(octets: bytes) -> None:
    assert lrc(octets) == FramerAscii.compute_LRC(octets)
    assert lrc(octets + bytes((lrc(octets),))) == 0
