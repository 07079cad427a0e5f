"""`linli decode` for Modbus: noise, requests beside replies, and raw values."""

from __future__ import annotations

import pytest
from modbus_support import PROTOCOLS, address, driver, wanted, wrap

from drivers.modbus.pdu import read_request

framings = pytest.mark.parametrize("protocol", PROTOCOLS)
POINTS = wanted(address(16, type="f32"), address(18, bit=0), address(16, table="input"))
REPLY = bytes.fromhex("0306 4366199A 0001")


@framings
def test_leading_noise_is_skipped(protocol: str) -> None:
    for noise in (b"\0", b"\xff\xfe\1\3\6", wrap(protocol, read_request(3, 16, 3).pdu)):
        decoded = driver(protocol).decode(noise + wrap(protocol, REPLY), "response")
        assert decoded.ok, decoded.error
        assert decoded.frame["registers"] == [0x4366, 0x199A, 1]
        assert decoded.frame["unit"] == 17


@framings
def test_raw_values_come_from_reply_and_request(protocol: str) -> None:
    request = wrap(protocol, read_request(3, 16, 3).pdu)
    decoded = driver(protocol).decode(wrap(protocol, REPLY), "response", POINTS, request)
    assert decoded.raw == {0: 230.1, 1: True}


@framings
def test_points_that_the_reply_does_not_cover_are_left_out(protocol: str) -> None:
    request = wrap(protocol, read_request(3, 17, 3).pdu)
    decoded = driver(protocol).decode(wrap(protocol, REPLY), "response", POINTS, request)
    assert decoded.raw == {1: False}


@framings
def test_without_a_request_a_reply_is_placed_only_where_it_fits_exactly(protocol: str) -> None:
    found = driver(protocol)
    assert found.decode(wrap(protocol, REPLY), "response", POINTS).raw == {0: 230.1, 1: True}
    assert found.decode(wrap(protocol, b"\3\2\0\1"), "response", POINTS).raw == {}
    assert found.decode(wrap(protocol, b"\1\1\1"), "response", POINTS).raw == {}


@framings
@pytest.mark.parametrize(
    ("pdu", "raw"),
    [
        ("10 0010 0003 06 4366199A 0001", {0: 230.1, 1: True}),
        ("06 0012 0001", {1: True}),
        ("0F 0010 0001 01 01", {}),
        ("05 0010 FF00", {}),
        ("16 0012 0000 0001", {}),
    ],
)
def test_a_request_that_writes_shows_what_it_writes(
    protocol: str, pdu: str, raw: dict[int, object]
) -> None:
    decoded = driver(protocol).decode(wrap(protocol, bytes.fromhex(pdu)), "request", POINTS)
    assert decoded.ok, decoded.error
    assert decoded.raw == raw


@framings
def test_written_coils_are_values_too(protocol: str) -> None:
    coils = wanted(address(16, table="coil"), address(25, table="coil"))
    single = wrap(protocol, bytes.fromhex("05 0010 FF00"))
    assert driver(protocol).decode(single, "request", coils).raw == {0: True}
    many = wrap(protocol, bytes.fromhex("0F 0010 000A 02 0002"))
    assert driver(protocol).decode(many, "request", coils).raw == {0: False, 1: True}


@framings
def test_bits_end_with_what_was_asked_for(protocol: str) -> None:
    request = wrap(protocol, read_request(2, 0, 9).pdu)
    reply = wrap(protocol, b"\2\2\xff\1")
    assert driver(protocol).decode(reply, "response", (), request).frame["bits"] == [True] * 9
    assert len(driver(protocol).decode(reply, "response").frame["bits"]) == 16


@framings
@pytest.mark.parametrize(
    ("reply", "unit", "reason"),
    [
        ("0302 0001", 17, "byte count 2 where 3"),
        ("0406 0000 0000 0000", 17, "does not answer function 3"),
        ("0306 0000 0000 0000", 18, "answers for unit 17"),
    ],
)
def test_a_reply_to_something_else_is_refused(
    protocol: str, reply: str, unit: int, reason: str
) -> None:
    request = wrap(protocol, read_request(3, 16, 3).pdu)
    frame = wrap(protocol, bytes.fromhex(reply), unit=unit)
    decoded = driver(protocol).decode(frame, "response", POINTS, request)
    assert not decoded.ok
    assert reason in (decoded.error or "")
    assert decoded.raw == {}


@framings
def test_a_refusal_is_a_good_answer(protocol: str) -> None:
    request = wrap(protocol, read_request(3, 16, 3).pdu)
    decoded = driver(protocol).decode(wrap(protocol, b"\x83\2"), "response", POINTS, request)
    assert decoded.ok
    assert decoded.frame["exception"] == 2
    assert decoded.frame["function"] == 3
    assert decoded.frame["meaning"] == "illegal data address"


def test_another_transaction_is_another_reply() -> None:
    request = wrap("modbus-tcp", read_request(3, 16, 3).pdu, b"\0\1")
    reply = wrap("modbus-tcp", REPLY, b"\1\0")
    decoded = driver("modbus-tcp").decode(reply, "response", POINTS, request)
    assert decoded.error == "transaction 256 is not that of the request, 1"


@framings
@pytest.mark.parametrize(
    ("pdu", "key"),
    [("0306 4366199A 0001", "registers"), ("03 0010 0003", "quantity"), ("8302", "meaning")],
)
def test_auto_finds_the_direction(protocol: str, pdu: str, key: str) -> None:
    decoded = driver(protocol).decode(wrap(protocol, bytes.fromhex(pdu)), "auto")
    assert decoded.ok
    assert key in decoded.frame


@framings
@pytest.mark.parametrize(
    ("pdu", "direction", "reason"),
    [
        ("2B0E0500", "request", "access level 5"),
        ("17 0000 0001 0000 0002 02 0000", "request", "byte count 2"),
        ("02 00", "response", "byte count 0"),
        ("0F 0000 0009 01 FF", "request", "byte count 1"),
    ],
)
def test_what_the_standard_forbids_is_refused(
    protocol: str, pdu: str, direction: str, reason: str
) -> None:
    decoded = driver(protocol).decode(wrap(protocol, bytes.fromhex(pdu)), direction)
    assert not decoded.ok
    assert reason in (decoded.error or "")


@framings
def test_functions_outside_the_standard_are_shown_as_they_are(protocol: str) -> None:
    for direction in ("request", "response"):
        decoded = driver(protocol).decode(wrap(protocol, b"\x41\xab"), direction)
        assert decoded.ok
        assert decoded.frame["body"] == "AB"
    assert driver(protocol).decode(wrap(protocol, b"\x2b\x0d\1\2"), "response").ok


@pytest.mark.parametrize(
    ("protocol", "frame", "reason"),
    [
        ("modbus-rtu", b"", "shorter"),
        ("modbus-rtu", bytes(range(1, 201)) * 2, "no frame"),
        ("modbus-ascii", b":11\r\n", "cannot be a frame"),
        ("modbus-ascii", b":1", "pairs"),
        ("modbus-tcp", b"\0\1", "shorter"),
    ],
)
def test_what_is_no_frame_is_said_to_be_none(protocol: str, frame: bytes, reason: str) -> None:
    decoded = driver(protocol).decode(frame, "response")
    assert not decoded.ok
    assert reason in (decoded.error or "")
