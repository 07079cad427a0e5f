"""Frames as a slave takes them from a wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.frames import FRAMINGS, Asked, crc16

# MODBUS over Serial Line V1.02, appendix B: the CRC of 02 07 is 0x1241, low byte first on the wire.
CRC_EXAMPLE = bytes.fromhex("02 07 41 12")
READ = bytes.fromhex("03 0000 000A")
WRITE = bytes.fromhex("10 0001 0002 04 000A 0102")


def test_the_crc_is_that_of_the_standard() -> None:
    assert crc16(CRC_EXAMPLE[:2]) == 0x1241
    assert crc16(CRC_EXAMPLE) == 0


@pytest.mark.parametrize("protocol", list(FRAMINGS))
@pytest.mark.parametrize("pdu", [READ, WRITE])
@given(cut=st.integers(0, 40))
def test_a_request_is_taken_in_any_split(protocol: str, pdu: bytes, cut: int) -> None:
    framing = FRAMINGS[protocol]
    frame = framing.wrap(Asked(1, b"", b"", tag=77), 17, pdu)
    buffer = bytearray(frame[:cut])
    early = framing.take(buffer)
    buffer += frame[cut:]
    asked = early or framing.take(buffer)
    assert asked is not None
    assert (asked.unit, asked.pdu) == (17, pdu)
    assert asked.tag == (77 if protocol == "modbus-tcp" else 0)
    assert not buffer


@pytest.mark.parametrize("protocol", ["modbus-rtu", "modbus-ascii"])
def test_noise_before_a_request_is_skipped(protocol: str) -> None:
    framing = FRAMINGS[protocol]
    buffer = bytearray(b"\x00\xffregistration\r\n" + framing.wrap(Asked(1, b"", b""), 5, READ))
    asked = framing.take(buffer)
    assert asked is not None
    assert (asked.unit, asked.pdu) == (5, READ)


@pytest.mark.parametrize("protocol", list(FRAMINGS))
@given(noise=st.binary(max_size=300))
def test_any_bytes_are_survived(protocol: str, noise: bytes) -> None:
    framing = FRAMINGS[protocol]
    framing.parse(noise)
    buffer = bytearray(noise)
    while framing.take(buffer) is not None:
        pass
    assert len(buffer) <= len(noise)


def test_a_damaged_frame_is_none() -> None:
    frame = bytearray(FRAMINGS["modbus-rtu"].wrap(Asked(1, b"", b""), 5, READ))
    frame[-1] ^= 1
    assert FRAMINGS["modbus-rtu"].parse(bytes(frame)) is None
    assert FRAMINGS["modbus-ascii"].parse(b":0503000A00\r\n") is None
