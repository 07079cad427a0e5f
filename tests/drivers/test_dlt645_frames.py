"""DL/T 645: frames found in any cut of the stream, and only the answer to this request is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DeviceRefused, Fault, FrameError, LineCost, NoAnswer, Wanted
from drivers.dlt645 import DRIVER
from drivers.dlt645.address import Dlt645Address, Dlt645Quirks, complete_address
from drivers.dlt645.codec import Frame, encode, frames
from drivers.dlt645.edition import id_bytes
from drivers.dlt645.exchange import MeterExchange
from drivers.dlt645.jobs import MOST_FRAMES

GOOD = [
    bytes.fromhex(v["hex"])
    for v in yaml.safe_load(Path("drivers/dlt645/vectors.yaml").read_text(encoding="utf-8"))
    if "refused" not in v
]
METER, OTHER = "123456789012", "000000000007"
LEVEL_2 = "02123456"
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


@pytest.mark.parametrize("octets", GOOD, ids=bytes.hex)
def test_a_good_vector_is_encoded_as_it_was(octets: bytes) -> None:
    (*_, frame) = frames(octets)
    again = encode(frame.address, frame.control, frame.content, preamble=frame.preamble)
    assert octets.endswith(again)
    assert not octets.removesuffix(again).endswith(b"\xfe")


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


# --- answers of several frames ------------------------------------------------------------------


def asked_next(number: int, driver: Any = NEW, di: str = "0001FF00") -> MeterExchange:
    """Return the question for the frame with this number, after as many that said "more"."""
    steps = driver.plan(METER, [Wanted(0, at(di, size=4, sent=16))], Dlt645Quirks(), COST)[
        0
    ].steps()
    exchange = next(steps)
    for earlier in range(number):
        (request,) = frames(exchange.request)
        tail = bytes((earlier,)) if earlier and driver is NEW else b""
        said = encode(METER, request.control | 0xA0, id_bytes(di) + b"\0" + tail)
        exchange = steps.send(exchange.feed(said))
    return exchange


def following(number: int, payload: bytes = b"\x05") -> bytes:
    return answer(payload + bytes((number,)), di="0001FF00", control=0x92)


def test_what_follows_is_asked_by_data_id_and_number() -> None:
    (request,) = frames(asked_next(2).request)
    assert (request.control, request.content) == (0x12, id_bytes("0001FF00") + b"\x02")


def test_a_frame_that_follows_with_another_number_is_skipped() -> None:
    asked = asked_next(2)
    assert asked.feed(following(1)) is None
    assert isinstance(asked.verdict(), NoAnswer)
    reply = asked.feed(following(2))
    assert reply is not None
    assert reply.content.endswith(b"\x05\x02")


def test_questions_for_different_numbers_do_not_look_alike() -> None:
    assert asked_next(1).shape != asked_next(2).shape


def test_a_late_first_frame_is_no_frame_that_follows() -> None:
    asked = asked_next(1)
    assert asked.feed(answer(b"\x05\x01", di="0001FF00", control=0xB1)) is None


def test_frames_of_1997_have_no_number() -> None:
    (request,) = frames(asked_next(1, OLD, "901F").request)
    assert (request.control, request.content) == (0x02, id_bytes("901F"))


def more(exchange: MeterExchange) -> bytes:
    """Return the answer that has two bytes and says that more follow."""
    (request,) = frames(exchange.request)
    content = id_bytes("0001FF00") + bytes(2) + request.content[4:]
    return encode(METER, request.control | 0xA0, content)


def test_a_meter_that_always_has_more_is_asked_no_further() -> None:
    (job,) = NEW.plan(METER, [Wanted(0, at("0001FF00", sent=16))], Dlt645Quirks(), COST)
    steps = job.steps()
    exchange: Any = next(steps)
    for _ in range(MOST_FRAMES):
        exchange = steps.send(exchange.feed(more(exchange)))
    with pytest.raises(StopIteration) as done:
        steps.send(exchange.feed(more(exchange)))
    assert done.value.value == (None,)


# --- one frame taken apart ----------------------------------------------------------------------


def test_a_frame_that_follows_is_decoded_without_values() -> None:
    decoded = NEW.decode(following(3, bytes(4)), "response", [Wanted(0, at("00010000"))])
    assert decoded.ok
    assert (decoded.frame["di"], decoded.frame["seq"]) == ("0001FF00", 3)
    assert not decoded.values
    assert not decoded.raw


def test_a_bit_of_the_error_word_without_a_name_is_told() -> None:
    assert "bit 80" in NEW.decode(encode(METER, 0xD1, b"\x80"), "response").frame["error"]


def test_the_baud_word_is_named() -> None:
    rates = {0x02: 600, 0x04: 1200, 0x08: 2400, 0x10: 4800, 0x20: 9600, 0x40: 19200}
    for word, rate in rates.items():
        assert NEW.decode(encode(METER, 0x17, bytes((word,))), "request").frame["baud"] == rate
    for word in (0x00, 0x01, 0x0C, 0x80, 0x16, 0x32, 0x64):
        assert not NEW.decode(encode(METER, 0x17, bytes((word,))), "request").ok


@pytest.mark.parametrize("is_damaged", [False, True])
def test_password_and_operator_are_marked_and_not_shown(*, is_damaged: bool) -> None:
    quirks = Dlt645Quirks(password=LEVEL_2, operator="11223344")
    for driver, secret in ((NEW, LEVEL_2 + "11223344"), (OLD, LEVEL_2)):
        di = "04000106" if driver is NEW else "C010"
        job = driver.plan_write(METER, at(di, size=3, form="bcd"), 123, quirks)
        request = bytearray(next(job.steps()).request)
        request[-2] ^= is_damaged
        decoded = driver.decode(bytes(request), "request")
        (span,) = decoded.spans_secret
        assert bytes((b - 0x33) & 0xFF for b in request[span]).hex() == secret
        assert secret not in str(decoded.frame)
        assert "230100" in decoded.frame["data"]


@given(octets=st.binary(max_size=40), control=st.sampled_from((0x04, 0x0F, 0x14, 0x18, 0x1C)))
def test_marked_spans_lie_within_the_frame(octets: bytes, control: int) -> None:
    sent = encode(METER, control, octets, preamble=2)
    for driver in (NEW, OLD):
        for span in driver.decode(sent, "auto").spans_secret:
            assert 12 <= span.start < span.stop <= len(sent) - 2
