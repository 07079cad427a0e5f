"""SIA DC-09 with AES: needs the package cryptography."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from dc09_support import BEGIN_MS, answer, moment, panel, point, session, time_text

from drivers.contract import DriverError, SessionOutput
from drivers.dc09 import content
from drivers.dc09.address import KeyForm, TimeCheck
from drivers.dc09.codec import encode
from drivers.dc09.content import decrypt, encrypt
from drivers.dc09.driver import Dc09Driver

pytest.importorskip("cryptography", reason="the extra for encryption is not installed")

KEYS = [bytes(range(n)) for n in (16, 24, 32)]
LAST = point(field="last_event")


def sealed(text: str, key: bytes, ident: str = "SIA-DCS", sequence: int = 1) -> bytes:
    """An encrypted message of account 1234 with this text between filling and the end."""
    digits = encrypt(text, key, str(sequence))
    return encode(f'"*{ident}"{sequence:04}L0#1234['.encode() + digits)


def alarm(ahead_s: int = 0, data: str = "Nri1/BA3") -> str:
    return f"|#1234|{data}]{time_text(ahead_s)}"


def opened(output: SessionOutput, key: bytes) -> str:
    return decrypt(answer(output).content, key).decode()


@pytest.mark.parametrize("key", KEYS, ids=len)
def test_an_encrypted_alarm_is_read_and_acknowledged_encrypted(key: bytes) -> None:
    output = session(panel(LAST, key=key)).received(sealed(alarm(), key), moment(0))
    assert [s.raw for s in output.samples] == ["BA new partition 1 zone 3"]
    message = answer(output)
    assert (message.ident, message.is_encrypted, message.sequence) == ("ACK", True, "0001")
    filling, _, rest = opened(output, key).partition("]")
    assert rest == time_text()
    assert not set(filling) & set("[]|")


def test_an_encrypted_link_test_has_filling_only() -> None:
    key = KEYS[0]
    frame = sealed(f"]{time_text()}", key, "NULL")
    output = session(panel(LAST, key=key)).received(frame, moment(0))
    assert answer(output).ident == "ACK"
    assert output.alive == ("1234",)


def test_an_encrypted_message_needs_a_time_near_ours() -> None:
    key = KEYS[0]
    for text in (alarm(-41), alarm(21), "|#1234|Nri1/BA3]"):
        output = session(panel(LAST, key=key)).received(sealed(text, key), moment(0))
        assert answer(output).ident == "NAK"
        assert not answer(output).is_encrypted
        assert (output.samples, output.alive) == ((), ())


def test_a_wrong_key_gives_nak_and_nothing_else() -> None:
    output = session(panel(LAST, key=KEYS[1][::-1])).received(sealed(alarm(), KEYS[0]), moment(0))
    assert answer(output).ident == "NAK"
    assert (output.samples, output.alive) == ((), ())


def test_a_recorded_message_cannot_be_played_back_later() -> None:
    key = KEYS[0]
    one = session(panel(LAST, key=key))
    recorded = sealed(alarm(), key)
    one.received(recorded, moment(0))
    assert answer(one.received(recorded, moment(60))).ident == "NAK"


def test_a_restoral_cannot_be_played_back_over_an_alarm_on_any_connection_nor_number() -> None:
    key, burglary = KEYS[0], point(event="13x", code="BA", zone=3)
    device = replace(panel(burglary, key=key), unit=Dc09Driver().parse_unit("1234"))
    restoral = alarm(0, "Nri1/BR3")
    assert [s.raw for s in session(device).received(sealed(restoral, key), moment(0)).samples] == [
        False
    ]
    session(device).received(sealed(alarm(5), key, sequence=2), moment(5))
    for number in (1, 3):
        output = session(device).received(sealed(restoral, key, sequence=number), moment(9))
        assert answer(output).ident == "NAK"
        assert (output.samples, output.alive) == ((), ())
        assert "others after it" in str(output.fault)


def test_a_panel_whose_clock_stands_still_is_heard_where_times_are_not_checked() -> None:
    key, burglary = KEYS[0], point(event="13x", code="BA", zone=3)
    device = panel(burglary, key=key, time_check=TimeCheck.OFF)
    one = session(replace(device, unit=Dc09Driver().parse_unit("1234")))
    told: list[object] = []
    for number, data in enumerate(("Nri1/BA3", "Nri1/BR3", "Nri1/BA3", "Nri1/BR3"), 1):
        output = one.received(sealed(alarm(0, data), key, sequence=number), moment(1000 * number))
        assert answer(output).ident == "ACK"
        told += [s.raw for s in output.samples]
    assert told == [True, False, True, False]


def test_what_a_new_connection_repeats_is_told_again_as_nobody_knows_whether_it_was_kept() -> None:
    key = KEYS[0]
    device = replace(panel(LAST, key=key), unit=Dc09Driver().parse_unit("1234"))
    for _ in range(2):
        output = session(device).received(sealed(alarm(), key), moment(0))
        assert answer(output).ident == "ACK"
        assert len(output.samples) == 1


@pytest.mark.parametrize(("inner", "ident"), [("1234", "ACK"), ("01234", "ACK"), ("5678", "DUH")])
def test_the_account_inside_of_the_encryption_must_be_that_of_the_head(
    inner: str, ident: str
) -> None:
    text = f"|#{inner}|Nri1/BA3]{time_text()}"
    output = session(panel(LAST, key=KEYS[0])).received(sealed(text, KEYS[0]), moment(0))
    assert answer(output).ident == ident
    assert bool(output.samples) == (ident == "ACK")


def test_an_account_keeps_its_memory_on_one_line_and_travels_as_digits() -> None:
    account = Dc09Driver().parse_unit("#00ab")
    assert account == "00AB"
    assert account.memory is not Dc09Driver().parse_unit("00AB").memory
    assert pickle.loads(pickle.dumps(account)) == account  # noqa: S301 - our own bytes


@pytest.mark.parametrize("digits", [b"", b"12", b"00" * 15, b"zz" * 16])
def test_what_is_not_whole_blocks_gives_nak(digits: bytes) -> None:
    frame = encode(b'"*SIA-DCS"0001L0#1234[' + digits)
    output = session(panel(LAST, key=KEYS[0])).received(frame, moment(0))
    assert answer(output).ident == "NAK"


def test_a_key_of_the_wrong_length_is_told() -> None:
    output = session(panel(key=bytes(8))).received(sealed(alarm(), KEYS[0]), moment(0))
    assert "this one 8" in str(output.fault)
    assert answer(output).ident == "DUH"


def test_a_panel_may_take_the_digits_of_its_key_as_characters() -> None:
    key = bytes.fromhex("3bd7e66aa9e2f190")
    device = panel(LAST, key=key, key_form=KeyForm.TEXT)
    output = session(device).received(sealed(alarm(), b"3BD7E66AA9E2F190"), moment(0))
    assert [s.raw for s in output.samples] == ["BA new partition 1 zone 3"]


def test_filling_differs_from_message_to_message_and_fills_whole_blocks() -> None:
    key = KEYS[0]
    digits = {encrypt(f"]{time_text()}", key, str(n)) for n in range(20)}
    assert len(digits) == 20
    assert all(len(one) % 32 == 0 for one in digits)


def test_without_the_package_the_fault_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(DriverError, match="package cryptography"):
        content.encrypt("]", KEYS[0], str(BEGIN_MS))
