"""DL/T 645: frames found in any cut of the stream, and only the answer to this request is taken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DeviceRefused, Fault, FrameError, LineCost, NoAnswer, Wanted
from drivers.dlt645 import DRIVER
from drivers.dlt645.address import Dlt645Address, Dlt645Quirks, complete_address
from drivers.dlt645.codec import Frame, encode, frames
from drivers.dlt645.edition import id_bytes
from drivers.dlt645.exchange import MeterExchange

METER, OTHER = "123456789012", "000000000007"
COST = LineCost(char_s=11 / 2400, exchange_s=0.05)
NEW = DRIVER.protocols["dlt645-2007"]
OLD = DRIVER.protocols["dlt645-1997"]


def at(di: str, **keys: Any) -> Dlt645Address:
    return Dlt645Address(**complete_address({"di": di, **keys}))


def exchange(unit: str = METER, di: str = "02010100", driver: Any = NEW) -> MeterExchange:
    (job,) = driver.plan(unit, [Wanted(0, at(di))], Dlt645Quirks(), COST)
    asked = next(job.steps())
    assert isinstance(asked, MeterExchange)
    return asked


def answer(
    payload: bytes, *, unit: str = METER, di: str = "02010100", control: int = 0x91, fe: int = 4
) -> bytes:
    return encode(unit, control, id_bytes(di) + payload, preamble=fe)


@given(
    address=st.text("0123456789", min_size=12, max_size=12),
    control=st.integers(0, 255),
    content=st.binary(max_size=200),
    preamble=st.integers(0, 6),
)
def test_what_is_encoded_is_found_again(
    address: str, control: int, content: bytes, preamble: int
) -> None:
    sent = Frame(address, control, content, preamble)
    octets = encode(address, control, content, preamble=preamble)
    assert sent in list(frames(octets))


@given(cut=st.integers(0, 40), before=st.binary(max_size=30), between=st.binary(max_size=4))
def test_any_cut_and_any_noise_before_the_answer(cut: int, before: bytes, between: bytes) -> None:
    asked = exchange()
    octets = before + answer(b"\x05\x23")
    assert list(frames(before)) == []
    head, tail = octets[:cut], octets[cut:]
    reply = asked.feed(head)
    if reply is None:
        reply = asked.feed(tail)
    assert reply is not None
    assert reply.content == id_bytes("02010100") + b"\x05\x23"
    assert exchange().feed(between * 300) is None


@pytest.mark.parametrize("length", range(1, len(answer(b"\x05\x23"))))
def test_a_truncated_answer_is_none(length: int) -> None:
    asked = exchange()
    assert asked.feed(answer(b"\x05\x23")[:-length]) is None
    assert asked.verdict()


def test_the_address_goes_low_byte_first() -> None:
    asked = bytes.fromhex("FEFEFEFE 68 129078563412 68 11 04 33343435")
    assert exchange().request.startswith(asked)
    assert len(exchange().request) == len(asked) + 2


def test_answers_with_no_four_or_many_preambles_are_taken() -> None:
    for fe in (0, 1, 4, 9):
        assert exchange().feed(answer(b"\x05\x23", fe=fe)) is not None


def test_stray_ff_and_00_before_the_frame_are_skipped() -> None:
    assert exchange().feed(b"\xff\x00\xff\x68" + answer(b"\x05\x23")) is not None


def test_the_local_echo_is_no_answer() -> None:
    asked = exchange()
    assert asked.feed(asked.request) is None
    assert asked.feed(answer(b"\x05\x23")) is not None


def test_a_late_answer_to_another_item_is_skipped() -> None:
    asked = exchange()
    assert asked.feed(answer(b"\x01\x22", di="02010200")) is None
    assert isinstance(asked.verdict(), NoAnswer)
    assert asked.feed(answer(b"\x05\x23")) is not None


def test_an_answer_of_another_meter_is_named() -> None:
    asked = exchange()
    assert asked.feed(answer(b"\x05\x23", unit=OTHER)) is None
    verdict = asked.verdict()
    assert isinstance(verdict, FrameError)
    assert verdict.fault is Fault.WRONG_UNIT
    assert OTHER in str(verdict)


def test_a_wrong_checksum_is_named() -> None:
    asked = exchange()
    damaged = bytearray(asked.request + answer(b"\x05\x23"))
    damaged[-2] ^= 1
    assert asked.feed(bytes(damaged)) is None
    verdict = asked.verdict()
    assert isinstance(verdict, FrameError)
    assert verdict.fault is Fault.CRC


def test_silence_is_no_answer() -> None:
    assert isinstance(exchange().verdict(), NoAnswer)


def test_the_error_word_is_named_with_all_its_bits() -> None:
    asked = exchange()
    with pytest.raises(DeviceRefused) as refusal:
        asked.feed(encode(METER, 0xD1, b"\x06", preamble=4))
    assert refusal.value.code == 6
    assert refusal.value.is_address
    assert "no requested data, wrong password" in str(refusal.value)


def test_a_wildcard_request_is_answered_under_the_meters_own_address() -> None:
    asked = exchange("AAAAAAAAAAAA")
    assert asked.feed(answer(b"\x05\x23", unit=OTHER)) is not None


def test_a_meter_of_1997_answers_a_broadcast_read_one_of_2007_does_not() -> None:
    old = exchange("999999999999", "9010", OLD)
    said = encode("000000063295", 0x81, id_bytes("9010") + b"\x15\0\0\0")
    assert old.feed(said) is not None
    new = exchange("999999999999", "00010000")
    assert new.feed(answer(bytes(4), di="00010000", unit=OTHER)) is None


def test_a_meter_of_1997_may_answer_with_the_wildcard_itself() -> None:
    asked = exchange("AAAAAAAAAAAA", "9010", OLD)
    said = bytes.fromhex("68aaaaaaaaaaaa68810643c394a53533fa16")
    assert asked.feed(said) is not None


def test_a_repeated_answer_is_taken_once() -> None:
    asked = exchange()
    reply = asked.feed(answer(b"\x05\x23") + answer(b"\x05\x23"))
    assert reply is not None
    assert reply.content[-2:] == b"\x05\x23"


def test_a_frame_inside_of_what_looks_like_a_longer_one_is_found() -> None:
    decoy = bytes.fromhex("68 129078563412 68 91 C8")
    assert exchange().feed(decoy + answer(b"\x05\x23")) is not None


@pytest.mark.parametrize("text", ["12345678901", "1234567890123", "meter", "12.5"])
def test_an_address_of_another_length_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="12"):
        NEW.parse_unit(text)


def test_an_address_keeps_its_zeros() -> None:
    assert NEW.parse_unit("000012345678") == "000012345678"
