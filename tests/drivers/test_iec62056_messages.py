"""Messages of IEC 62056-21: check characters, parity in bit 7, identification, data lines."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.iec62056 import DRIVER, PROTOCOL, TELEGRAM
from drivers.iec62056.address import Format, Iec62056Address, Iec62056Quirks, complete_address
from drivers.iec62056.codec import (
    Bcc,
    command_message,
    data_message,
    find_block,
    has_parity,
    option_select,
    plain,
    sign_on,
    with_parity,
)
from drivers.iec62056.identification import Mode, agreed_baud_character, find_identification
from drivers.iec62056.lines import parse_lines
from drivers.iec62056.reading import raw_value
from drivers.iec62056.units import converted, number_of, unit_named

CE102M = bytes.fromhex("0246524551552834392e3937290d0a0379")
BODY = st.text(alphabet=[chr(c) for c in range(0x20, 0x7F) if chr(c) not in "()"], max_size=20).map(
    str.encode
)
COMMANDS = st.sampled_from(["R1", "P0", "P1", "P2"])
FRAMED = [
    octets
    for vector in yaml.safe_load(Path("drivers/iec62056/vectors.yaml").read_text(encoding="utf-8"))
    if "refused" not in vector
    and find_block(octets := plain(bytes.fromhex(vector["hex"])), Bcc.AUTO)
]


@pytest.mark.parametrize("octets", FRAMED, ids=lambda octets: octets[:12].hex())
def test_a_good_vector_is_made_as_it_was(octets: bytes) -> None:
    block = find_block(octets, Bcc.AUTO)
    assert block is not None
    sent = octets[block.start : block.end]
    bcc = Bcc.XOR if "xor" in block.check else Bcc.SUM
    operand = block.body if b"\x02" in sent else None
    made = command_message(block.command, operand, bcc) if block.command else None
    assert sent == (made or data_message(block.body, bcc))


@given(body=BODY, bcc=st.sampled_from([Bcc.XOR, Bcc.SUM]))
def test_a_data_message_is_found_as_it_was_made(body: bytes, bcc: Bcc) -> None:
    frame = data_message(b"1.8.0(" + body + b")", bcc)
    block = find_block(frame, bcc)
    assert block is not None
    assert block.is_right
    assert data_message(block.body, bcc) == frame


@given(command=COMMANDS, operand=BODY)
def test_a_command_is_found_as_it_was_made(command: str, operand: bytes) -> None:
    frame = command_message(command, b"(" + operand + b")")
    block = find_block(frame, Bcc.XOR)
    assert block is not None
    assert (block.command, block.is_right) == (command, True)
    assert command_message(block.command, block.body) == frame


def test_the_check_character_may_be_03_itself() -> None:
    frame = bytes.fromhex("02283031290303")
    block = find_block(frame, Bcc.XOR)
    assert block is not None
    assert (block.body, block.check, block.end) == (b"(01)", "xor", len(frame))
    assert find_block(frame[:-1], Bcc.XOR) is None


def test_energomera_sends_the_sum_and_not_the_exclusive_or() -> None:
    checks = {bcc: find_block(CE102M, bcc) for bcc in Bcc}
    assert {bcc: block.check for bcc, block in checks.items() if block} == {
        Bcc.XOR: "bad",
        Bcc.SUM: "sum7",
        Bcc.AUTO: "sum7",
    }


@given(noise=st.binary(max_size=12), body=BODY)
def test_noise_before_a_message_does_not_hide_it(noise: bytes, body: bytes) -> None:
    noise = bytes(b for b in plain(noise) if b not in b"\x03")
    block = find_block(noise + data_message(b"1.8.0(" + body + b")"), Bcc.XOR)
    assert block is not None
    assert block.is_right
    assert block.body.endswith(b"1.8.0(" + body + b")")


@given(at=st.integers(0, 15), flip=st.integers(0, 6))
def test_one_false_bit_never_passes_the_exclusive_or(at: int, flip: int) -> None:
    frame = bytearray(data_message(b"1.8.0(00123.4)"))
    frame[at] ^= 1 << flip
    block = find_block(bytes(frame), Bcc.XOR)
    assert block is None or not block.is_right or block.end != len(frame)


@given(text=st.binary(max_size=40).map(plain))
def test_parity_in_bit_7_goes_on_and_off(text: bytes) -> None:
    sent = with_parity(text)
    assert plain(sent) == text
    assert all(octet.bit_count() % 2 == 0 for octet in sent)


def test_parity_of_an_8n1_path_is_seen_and_taken_off() -> None:
    frame = bytes.fromhex("82c62ec6283030303030303030a903")
    assert has_parity(frame)
    decoded = DRIVER.protocols[TELEGRAM].decode(frame, "response")
    assert decoded.ok
    assert decoded.frame["parity"] == "even, in bit 7"


def test_sign_on_and_acknowledgement_are_those_of_the_standard() -> None:
    assert sign_on("") == bytes.fromhex("2f3f210d0a")
    assert sign_on("00000201") == bytes.fromhex("2f3f3030303030323031210d0a")
    assert option_select("5", 1) == bytes.fromhex("063035310d0a")
    assert command_message("B0", None) == bytes.fromhex("0142300371")
    assert command_message("P1", b"(00000000)") == bytes.fromhex("01503102283030303030303030290361")


@pytest.mark.parametrize(
    ("line", "mode", "baud", "reaction_ms"),
    [
        (b"/MCS5\\@0050010067967\r\n", Mode.C, 9600, 200),
        (b"/ISk5\\MT382-1003\r\n", Mode.C, 9600, 20),
        (b"/ABCAxyz\r\n", Mode.B, 600, 200),
        (b"/ABCFxyz\r\n", Mode.B, 19200, 200),
        (b"/ABC xyz\r\n", Mode.A, 300, 200),
    ],
)
def test_an_identification_says_mode_rate_and_reaction_time(
    line: bytes, mode: Mode, baud: int, reaction_ms: int
) -> None:
    found = find_identification(b"/?!\r\n" + line)
    assert found is not None
    assert (found.mode, found.baud, found.reaction_ms) == (mode, baud, reaction_ms)


def test_a_slower_rate_is_agreed_where_the_line_is_slower() -> None:
    assert agreed_baud_character("5", 19200) == "5"
    assert agreed_baud_character("5", 2400) == "3"
    assert agreed_baud_character("2", 2400) == "2"
    assert agreed_baud_character("5", 300) == "0"


def test_parentheses_without_code_belong_to_the_code_before() -> None:
    lines = parse_lines(b"ET0PE(68.42)\r\n(45.54)\r\n0-1:24.3.0(1)(2)0-1:24.2.1(m3)\r\n(00054.386)")
    assert [(one.address, one.groups) for one in lines.sets] == [
        ("ET0PE", ("68.42", "45.54")),
        ("0-1:24.3.0", ("1", "2")),
        ("0-1:24.2.1", ("m3", "00054.386")),
    ]


def test_an_unknown_line_never_loses_the_others() -> None:
    lines = parse_lines(
        b"1.8.0(1*kWh)\r\n)(rubbish\r\n" + b"x" * 5000 + b"\r\n2.8.0(2*kWh)\r\n!\r\n"
    )
    assert [one.address for one in lines.sets] == ["1.8.0", "2.8.0"]
    assert len(lines.unknown) == 2
    assert all(len(line) <= 2048 for line in lines.unknown)


@given(body=st.binary(max_size=200))
def test_lines_of_any_bytes_are_taken_apart(body: bytes) -> None:
    lines = parse_lines(plain(body))
    assert all(one.groups for one in lines.sets)


SETS = parse_lines(
    b"1-0:1.8.0(001234.56*kWh)\r\n1.8.1*255(7.5*MWh)\r\n1.8.0*01(000999*kWh)\r\n1.8.0&02(5*kWh)\r\n"
    b"1.6.0(12.345*kW)(2410311815)\r\nC.1.0(00123456)\r\nF.F(00000000)\r\n6.8(0001.5*GJ)\r\n"
    b"0-1:24.2.1(m3)(00054.386)\r\n1-0:1.7.0(0.12*kW)"
).sets


@pytest.mark.parametrize(
    ("keys", "raw"),
    [
        ({"obis": "1.8.0", "raw_unit": "kWh"}, 1234.56),
        ({"obis": "1-0:1.8.0*255", "raw_unit": "Wh"}, 1234560),
        ({"obis": "1-0:1.8.1", "raw_unit": "kWh"}, 7500),
        ({"obis": "1.8.0*01", "raw_unit": "kWh"}, 999),
        ({"obis": "1-0:1.8.0*2"}, 5),
        ({"obis": "1.6.0", "raw_unit": "W"}, 12345),
        ({"obis": "1.6.0", "part": 1, "format": Format.TEXT}, "2410311815"),
        ({"obis": "C.1.0", "format": Format.TEXT}, "00123456"),
        ({"obis": "f.f"}, 0),
        ({"obis": "6.8", "raw_unit": "MJ"}, 1500),
        ({"obis": "0-1:24.2.1", "part": 1, "raw_unit": "l"}, 54386),
        ({"obis": "24.2.1", "part": 1, "raw_unit": "m3"}, 54.386),
        ({"obis": "1.7.0", "raw_unit": "W"}, 120),
        ({"obis": "1.7.0", "raw_unit": "V"}, None),
        ({"obis": "0-2:24.2.1", "part": 1}, None),
        ({"obis": "1.6.0", "part": 2}, None),
        ({"obis": "9.9.9"}, None),
    ],
)
def test_a_code_finds_its_line_and_the_unit_is_converted(keys: dict[str, str], raw: object) -> None:
    assert raw_value(SETS, Iec62056Address(**keys)) == raw  # type: ignore[arg-type]


def test_units_are_converted_exactly() -> None:
    wh, kwh, gj = (unit_named(name) for name in ("Wh", "kWh", "GJ"))
    assert wh is not None
    assert kwh is not None
    assert gj is not None
    assert converted(Decimal("225.6"), kwh, wh) == Decimal(225600)
    assert converted(Decimal("3.6"), gj, kwh) == Decimal(1000)
    assert unit_named("KWH") == kwh
    assert unit_named("mw") is None


def test_a_number_is_digits_and_a_point() -> None:
    assert number_of(" -12.50 ") == Decimal("-12.50")
    assert [number_of(text) for text in ("", "1e5", "nan", "1,5", "12:30", "9" * 60)] == [None] * 6


@pytest.mark.parametrize(
    "keys", [{"obis": ""}, {"obis": "1.8.0("}, {"obis": "1.8.0", "raw_unit": "furlong"}]
)
def test_an_address_that_cannot_be_is_refused_with_a_sentence(keys: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="write"):
        Iec62056Address(**keys)  # type: ignore[arg-type]


def test_a_code_that_yaml_took_for_a_number_is_text_again() -> None:
    assert complete_address({"obis": 1.8, "part": 1}) == {"obis": "1.8", "part": 1}


def test_a_password_that_would_break_the_message_is_refused() -> None:
    with pytest.raises(ValueError, match="password"):
        Iec62056Quirks(password="00)00")  # noqa: S106 - no password


@pytest.mark.parametrize(
    ("written", "key"),
    [("", "-"), ("-", "-"), ("00045678", "00045678"), (45678903, "45678903"), (" A1 ", "A1")],
)
def test_a_device_address_is_kept_as_written(written: object, key: str) -> None:
    assert DRIVER.protocols[PROTOCOL].parse_unit(written) == key


@pytest.mark.parametrize("written", [None, True, 1.5, "1!2", "x" * 33, "é"])
def test_what_is_no_device_address_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="no device address"):
        DRIVER.protocols[PROTOCOL].parse_unit(written)


def test_a_password_is_marked_as_secret() -> None:
    frame = bytes.fromhex("01503102283132333435363738290369")
    decoded = DRIVER.protocols[PROTOCOL].decode(frame, "request")
    assert [frame[span] for span in decoded.spans_secret] == [b"(12345678)"]
    cut = DRIVER.protocols[PROTOCOL].decode(frame[:-1], "request")
    assert not cut.ok
    assert [frame[span] for span in cut.spans_secret] == [frame[:-1]]
    assert "12345678" not in str(cut.frame)


@settings(max_examples=50)
@given(noise=st.binary(max_size=8).filter(lambda n: not set(plain(n)) & set(b"/\x03\x01\x02")))
def test_decoding_passes_over_noise_before_a_message(noise: bytes) -> None:
    decoded = DRIVER.protocols[PROTOCOL].decode(noise + CE102M, "response")
    assert decoded.ok
    assert [(v.point, v.value) for v in decoded.values] == [("obis_frequ", 49.97)]


def test_the_own_code_of_an_answer_without_one_is_that_of_its_request() -> None:
    driver = DRIVER.protocols[PROTOCOL]
    request = command_message("R1", b"14.7.0()")
    decoded = driver.decode(data_message(b"(49.97*Hz)"), "response", (), request)
    assert [(v.point, v.value, v.unit) for v in decoded.values] == [("freq", 49.97, "Hz")]


def test_the_old_codec_of_others_agrees_on_standard_messages() -> None:
    oracle = pytest.importorskip("iec62056_21.messages")
    frame = data_message(b"3:14(314*kWh)4:15(415*kWh)\r\n!\r\n")
    message = oracle.ReadoutDataMessage.from_bytes(frame)
    theirs = [
        (one.address, f"{one.value}*{one.unit}")
        for line in message.data_block.data_lines
        for one in line.data_sets
    ]
    assert theirs == [("3:14", "314*kWh"), ("4:15", "415*kWh")]
    assert [(one.address, one.groups[0]) for one in parse_lines(frame[1:-2]).sets] == theirs
    command = oracle.CommandMessage.for_single_read(address="1.8.0", additional_data="1")
    assert command.to_bytes() == command_message("R1", b"1.8.0(1)")
    assert oracle.RequestMessage(device_address="45678903").to_bytes() == sign_on("45678903")
    with pytest.raises(ValueError, match="BCC"):
        oracle.ReadoutDataMessage.from_bytes(CE102M)
