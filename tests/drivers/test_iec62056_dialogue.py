"""The dialogue with a meter: rates, modes, repeats, echo, programming mode, and its verdicts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import (
    DeviceRefused,
    DriverError,
    Exchange,
    Fault,
    FrameError,
    Job,
    LineCost,
    NoAnswer,
    Raw,
    Switch,
    Wanted,
)
from drivers.iec62056 import DRIVER, PROTOCOL
from drivers.iec62056.address import Iec62056Address, Iec62056Quirks, ModeChoice, Read
from drivers.iec62056.codec import Bcc, command_message, data_message, with_parity
from drivers.iec62056.exchange import (
    Message,
    Recognise,
    wants_readout,
    wants_reply,
    wants_sign_on,
)
from drivers.iec62056.identification import Mode
from drivers.iec62056.jobs import Probe, Programming, Readout

IDENTIFICATION = b"/ISk5\\MT382-1003\r\n"
BODY = b"F.F(00000000)\r\n1-0:1.8.0(001234.56*kWh)\r\n1.7.0(0.12*kW)\r\n!\r\n"
DATA = data_message(BODY)
ENERGY = Iec62056Address("1.8.0", raw_unit="kWh")
POWER = Iec62056Address("1.7.0", raw_unit="W")
COST = LineCost(char_s=10 / 300, exchange_s=0.3)
OPERAND = command_message("P0", b"(00000000)")
BREAK = command_message("B0", None)


@dataclass
class Said:
    """What a scripted meter was asked, on which settings, and what came of it."""

    requests: list[bytes] = field(default_factory=list[bytes])
    switches: list[Switch | None] = field(default_factory=list["Switch | None"])
    values: Sequence[Raw | None] = ()


def plan(*addresses: Iec62056Address, unit: str = "-", **quirks: Any) -> Job:
    wanted = [Wanted(key, address) for key, address in enumerate(addresses)]
    (job,) = DRIVER.protocols[PROTOCOL].plan(unit, wanted, Iec62056Quirks(**quirks), COST)
    return job


def run(job: Job, *replies: bytes) -> Said:
    """Run a job against a meter that says these things in turn."""
    said, steps, left = Said(), job.steps(), list(replies)
    exchange = next(steps)
    while True:
        said.requests.append(exchange.request)
        said.switches.append(exchange.switch)
        reply = exchange.feed(b"" if exchange.reply_chars == 0 else left.pop(0))
        if reply is None:
            raise exchange.verdict()
        try:
            exchange = steps.send(reply)
        except StopIteration as finished:
            assert not left
            said.values = finished.value
            return said


def at(job: Job, *replies: bytes) -> Exchange:
    """Return the exchange that comes after these replies."""
    steps = job.steps()
    exchange = next(steps)
    for octets in replies:
        exchange = steps.send(exchange.feed(octets))
    return exchange


def test_one_read_out_of_two_exchanges_answers_all_points() -> None:
    job = plan(ENERGY, POWER)
    assert isinstance(job, Readout)
    assert (job.exchanges, job.keys) == (2, (0, 1))
    said = run(job, IDENTIFICATION, DATA)
    assert said.requests == [b"/?!\r\n", b"\x06050\r\n"]
    assert said.values == (1234.56, 120)


def test_the_acknowledgement_goes_out_at_the_old_rate_and_is_answered_at_the_new_one() -> None:
    said = run(plan(ENERGY), IDENTIFICATION, DATA)
    assert said.switches == [Switch("300 7E1", "300 7E1"), Switch("300 7E1", "9600 7E1")]


def test_a_meter_with_an_address_is_asked_by_it() -> None:
    assert run(plan(ENERGY, unit="00000201"), IDENTIFICATION, DATA).requests[0] == (
        b"/?00000201!\r\n"
    )


def test_a_slower_rate_is_named_in_the_acknowledgement() -> None:
    said = run(plan(ENERGY, max_baud=2400), IDENTIFICATION, DATA)
    assert said.requests[1] == b"\x06030\r\n"
    assert said.switches[1] == Switch("300 7E1", "2400 7E1")


def test_a_fixed_rate_changes_no_setting_and_confirms_the_proposal() -> None:
    said = run(plan(ENERGY, switch_baud=False), IDENTIFICATION, DATA)
    assert said.requests[1] == b"\x06050\r\n"
    assert said.switches == [None, None]


def test_mode_a_sends_its_data_at_once() -> None:
    said = run(plan(ENERGY, mode=ModeChoice.A), b"/ABC meter\r\n" + DATA)
    assert said.values == (1234.56,)
    assert len(said.requests) == 1


def test_mode_a_without_frame_ends_with_its_last_line() -> None:
    assert run(plan(ENERGY), b"/ABC meter\r\n\r\n" + BODY).values == (1234.56,)


def test_mode_b_changes_its_rate_without_an_acknowledgement() -> None:
    said = run(plan(ENERGY), b"/ABCDmeter\r\n", BODY)
    assert said.requests[1] == b""
    assert said.switches[1] == Switch("4800 7E1", "4800 7E1")
    assert said.values == (1234.56,)


def test_mode_b_accepts_a_framed_read_out_only_with_its_check_character() -> None:
    assert run(plan(ENERGY), b"/ABCDmeter\r\n", DATA).values == (1234.56,)
    broken = DATA[:-1] + bytes((DATA[-1] ^ 1,))
    with pytest.raises(FrameError) as caught:
        run(plan(ENERGY), b"/ABCDmeter\r\n", broken)
    assert caught.value.fault is Fault.CRC


def test_a_damaged_message_is_asked_for_again_at_the_agreed_rate() -> None:
    broken = DATA[:-1] + bytes((DATA[-1] ^ 1,))
    said = run(plan(ENERGY), IDENTIFICATION, broken, DATA)
    assert said.requests[2] == b"\x15"
    assert said.switches[2] == Switch("9600 7E1", "9600 7E1")
    assert said.values == (1234.56,)


def test_repeats_are_bounded() -> None:
    broken = DATA[:-1] + bytes((DATA[-1] ^ 1,))
    with pytest.raises(FrameError, match="wrong 3 times") as caught:
        run(plan(ENERGY), IDENTIFICATION, broken, broken, broken)
    assert caught.value.fault is Fault.CRC


def test_a_message_is_sent_again_after_a_nak_and_then_given_up() -> None:
    said = run(plan(ENERGY), IDENTIFICATION, b"\x15", DATA)
    assert said.requests[1] == said.requests[2]
    with pytest.raises(DeviceRefused, match="NAK"):
        run(plan(ENERGY), IDENTIFICATION, b"\x15", b"\x15", b"\x15")


def test_an_optical_head_that_echoes_does_not_disturb() -> None:
    said = run(plan(ENERGY), b"/?!\r\n" + IDENTIFICATION, b"\x06050\r\n" + DATA)
    assert said.values == (1234.56,)
    read = command_message("R1", b"1.8.0()")
    job = plan(Iec62056Address("1.8.0", raw_unit="kWh", read=Read.R1))
    answer = data_message(b"1.8.0(7*kWh)")
    assert run(job, IDENTIFICATION, OPERAND, read + answer).values == (7,)


def test_an_echo_alone_is_named() -> None:
    exchange = next(plan(ENERGY).steps())
    assert exchange.feed(b"/?!\r\n") is None
    verdict = exchange.verdict()
    assert isinstance(verdict, FrameError)
    assert verdict.fault is Fault.ECHO


def test_a_line_of_8n1_carries_the_parity_in_bit_7() -> None:
    said = run(plan(ENERGY, framing="8N1"), with_parity(IDENTIFICATION), with_parity(DATA))
    assert said.requests == [with_parity(b"/?!\r\n"), with_parity(b"\x06050\r\n")]
    assert said.requests[0] == bytes.fromhex("af3f218d0a")
    assert said.switches[1] == Switch("300 8N1", "9600 8N1")
    assert said.values == (1234.56,)


def test_a_meter_of_the_sum_variant_is_read_with_its_quirk_only() -> None:
    data = data_message(BODY, Bcc.SUM)
    for bcc in (Bcc.SUM, Bcc.AUTO):
        assert run(plan(ENERGY, bcc=bcc), IDENTIFICATION, data).values == (1234.56,)
    with pytest.raises(FrameError, match="quirk bcc"):
        run(plan(ENERGY), IDENTIFICATION, data, data, data)


def test_a_meter_that_stays_at_300_is_named() -> None:
    exchange = at(plan(ENERGY), IDENTIFICATION)
    assert exchange.feed(bytes.fromhex("00f8fe00807f00e0fcc0ff00f0")) is None
    verdict = exchange.verdict()
    assert isinstance(verdict, FrameError)
    assert "may have stayed at 300 7E1" in str(verdict)
    assert "switch_baud: false" in str(verdict)


def test_silence_after_the_acknowledgement_tells_what_was_proposed() -> None:
    verdict = at(plan(ENERGY), IDENTIFICATION).verdict()
    assert isinstance(verdict, NoAnswer)
    assert "/ISk5\\MT382-1003 proposed 9600 baud" in str(verdict)


def test_a_message_that_is_cut_off_is_short() -> None:
    exchange = at(plan(ENERGY), IDENTIFICATION)
    assert exchange.feed(DATA[:-4]) is None
    verdict = exchange.verdict()
    assert isinstance(verdict, FrameError)
    assert verdict.fault is Fault.SHORT
    assert "stayed" not in str(verdict)


def test_programming_mode_reads_codes_and_breaks_off() -> None:
    first = Iec62056Address("600900FF", read=Read.R1)
    second = Iec62056Address("100700FF", read=Read.R1)
    job = plan(first, second, password="00000000", switch_baud=False)  # noqa: S106 - of a vector
    assert isinstance(job, Programming)
    said = run(
        job,
        b"/NEV5MT324\r\n",
        OPERAND,
        b"\x06",
        bytes.fromhex("02363030393030464628303239290336"),
        data_message(b"(0123.4)"),
    )
    assert said.requests[1] == bytes.fromhex("063035310d0a")
    assert said.requests[2] == bytes.fromhex("01503102283030303030303030290361")
    assert said.requests[4] == bytes.fromhex("01523102313030373030464628290365")
    assert said.requests[-1] == BREAK
    assert said.values == (29, 123.4)
    assert len(said.requests) == job.exchanges


def test_a_code_that_the_meter_refuses_loses_no_other() -> None:
    codes = [Iec62056Address(code, read=Read.R1) for code in ("1.8.0", "9.9.9")]
    said = run(
        plan(*codes), IDENTIFICATION, OPERAND, data_message(b"1.8.0(5)"), data_message(b"(ERR1)")
    )
    assert said.values == (5, None)
    with pytest.raises(DeviceRefused, match="refused all 1"):
        run(plan(codes[1]), IDENTIFICATION, OPERAND, data_message(b"(ERR1)"))


def test_an_answer_to_another_code_is_skipped() -> None:
    job = plan(Iec62056Address("1.8.0", read=Read.R1))
    late = data_message(b"2.8.0(1)")
    assert run(job, IDENTIFICATION, OPERAND, late + data_message(b"1.8.0(5)")).values == (5,)


def test_a_refused_password_is_told() -> None:
    job = plan(Iec62056Address("1.8.0", read=Read.R1), password="1")  # noqa: S106 - of no meter
    with pytest.raises(DeviceRefused, match="password"):
        run(job, IDENTIFICATION, OPERAND, BREAK)


def sent_until_refused(job: Job, *replies: bytes) -> list[bytes]:
    """Return what is sent to a meter that says these things in turn, until the job gives up."""
    steps, sent = job.steps(), list[bytes]()
    exchange = next(steps)
    try:
        for reply in replies:
            sent.append(exchange.request)
            exchange = steps.send(exchange.feed(reply))
    except DeviceRefused as refused:
        assert "password" in str(refused)  # noqa: PT017 - what was sent is wanted, too
    return sent


def test_a_password_is_sent_once_and_after_two_refusals_not_at_all() -> None:
    job = plan(Iec62056Address("1.8.0", read=Read.R1), password="12345678")  # noqa: S106 - of no meter
    login = command_message("P1", b"(12345678)")
    for refusal in (b"\x15", data_message(b"(ERR1)")):
        sent = sent_until_refused(job, IDENTIFICATION, OPERAND, refusal, b"")
        assert sent.count(login) == 1
        assert sent[-1] == BREAK
    with pytest.raises(DeviceRefused, match="not sent again"):
        next(job.steps())


def test_a_password_that_is_taken_forgets_the_refusal_before_it() -> None:
    job = plan(Iec62056Address("1.8.0", read=Read.R1), password="12345678")  # noqa: S106 - of no meter
    for _ in range(3):
        with pytest.raises(DeviceRefused, match="refused the password"):
            run(job, IDENTIFICATION, OPERAND, BREAK)
        assert run(job, IDENTIFICATION, OPERAND, b"\x06", data_message(b"1.8.0(5)")).values == (5,)


def test_no_error_shows_a_password_that_was_echoed() -> None:
    job = plan(Iec62056Address("1.8.0", read=Read.R1), password="12345678")  # noqa: S106 - of no meter
    exchange = at(job, IDENTIFICATION, OPERAND)
    assert exchange.feed(b"\x00" + exchange.request) is None
    verdict = exchange.verdict()
    assert isinstance(verdict, FrameError)
    assert b"12345678" not in verdict.received
    assert b"12345678" in exchange.request


def test_no_error_shows_a_password_whose_echo_was_damaged() -> None:
    job = plan(Iec62056Address("1.8.0", read=Read.R1), password="12345678")  # noqa: S106 - of no meter
    exchange = at(job, IDENTIFICATION, OPERAND)
    exchange.feed(exchange.request.replace(b"8", b"9"))
    assert b"234567" not in exchange.verdict().received


@pytest.mark.parametrize("key", ["first_baud", "max_baud"])
def test_a_rate_that_no_meter_has_is_refused_at_the_desk(key: str) -> None:
    for baud in (301, 14400):
        keys: dict[str, Any] = {key: baud}
        with pytest.raises(ValueError, match=f"{key} {baud} is no rate"):
            Iec62056Quirks(**keys)


def test_a_meter_that_ends_the_session_is_told() -> None:
    job = plan(Iec62056Address("1.8.0", read=Read.R1))
    with pytest.raises(DeviceRefused, match="ended the session"):
        run(job, IDENTIFICATION, OPERAND, BREAK)


def test_read_outs_and_read_commands_are_separate_jobs() -> None:
    addresses = [ENERGY, Iec62056Address("14.7.0", read=Read.R1)]
    wanted = [Wanted(key, address) for key, address in enumerate(addresses)]
    jobs = DRIVER.protocols[PROTOCOL].plan("-", wanted, Iec62056Quirks(), COST)
    assert [job.keys for job in jobs] == [(0,), (1,)]
    assert all(job.describe() and job.split() == () for job in jobs)


def test_a_probe_signs_on_and_sends_the_meter_back_to_rest() -> None:
    probe = DRIVER.protocols[PROTOCOL].probe("-", plan(ENERGY))
    assert isinstance(probe, Probe)
    assert run(probe, IDENTIFICATION).requests == [b"/?!\r\n", BREAK]


def test_nothing_is_written() -> None:
    with pytest.raises(ValueError, match="writes nothing"):
        DRIVER.protocols[PROTOCOL].plan_write("-", ENERGY, 1, Iec62056Quirks())


ASKED = (
    wants_reply(Bcc.AUTO, lambda block: b"1" in block.body),
    wants_readout(Bcc.AUTO),
    wants_sign_on(Bcc.AUTO, None),
    wants_sign_on(Bcc.AUTO, Mode.A),
)
PIECES = st.sampled_from(
    (
        *(b"\x01", b"\x02", b"\x03", b"\x15", b"\x06", b"(1)", b"(2)", b"!\r\n", b"\r\n", b"/ABC"),
        *(DATA, OPERAND, BREAK, data_message(b"(2)"), command_message("R1", b"(1)")),
        IDENTIFICATION,
    )
)


def message(recognise: Recognise) -> Message:
    return Message("-", b"\x06050\r\n", 1000, recognise, None, has_parity=False, hint="x")


@pytest.mark.parametrize("recognise", ASKED)
@given(pieces=st.lists(PIECES, max_size=12))
def test_what_comes_in_pieces_is_taken_when_and_as_it_is_taken_whole(
    recognise: Recognise, pieces: list[bytes]
) -> None:
    stream = b"".join(pieces)
    in_pieces = message(recognise).exchange()
    for end in range(1, len(stream) + 1):
        piece = in_pieces.feed(stream[end - 1 : end])
        assert piece == message(recognise).exchange().feed(stream[:end])
        if piece is not None:
            return


@pytest.mark.parametrize("recognise", ASKED)
@pytest.mark.parametrize("noise", [b"\x03", b"\x02\x03\0", b"\x01R1\x02(\x03\0", b"/ABC5", b"\x02"])
def test_noise_that_looks_like_messages_does_not_hold_up_the_line(
    recognise: Recognise, noise: bytes
) -> None:
    exchange = message(recognise).exchange()
    stream = (noise * 20_000)[:20_000]
    begun = time.process_time()
    for at in range(0, len(stream), 8):
        if exchange.feed(stream[at : at + 8]) is not None:
            break
    assert time.process_time() - begun < 2


@given(cuts=st.lists(st.integers(0, len(DATA)), max_size=6), noise=st.binary(max_size=6))
def test_any_cut_of_the_stream_gives_the_same_values(cuts: list[int], noise: bytes) -> None:
    noise = bytes(octet for octet in noise if octet & 0x7F not in b"\x03\x15")
    exchange = at(plan(ENERGY), IDENTIFICATION)
    stream, found = noise + DATA, None
    marks = [0, *sorted(cuts), len(stream)]
    for start, end in pairwise(marks):
        assert found is None or start == end == len(stream)
        found = exchange.feed(stream[start:end]) or found
    assert found is not None
    assert found.block.body.endswith(BODY)


@given(size=st.integers(0, len(DATA) - 1))
def test_a_part_of_a_message_is_no_answer(size: int) -> None:
    assert at(plan(ENERGY), IDENTIFICATION).feed(DATA[:size]) is None


@settings(max_examples=60)
@given(pieces=st.lists(st.binary(max_size=60), max_size=12), step=st.integers(0, 3))
def test_any_bytes_end_in_an_answer_or_an_error_of_the_driver(
    pieces: list[bytes], step: int
) -> None:
    codes = [ENERGY, Iec62056Address("1.8.0", read=Read.R1)]
    job = plan(codes[step % 2], mode=[ModeChoice.AUTO, ModeChoice.A][step // 2])
    steps = job.steps()
    exchange = next(steps)
    for piece in pieces:
        assert isinstance(exchange.verdict(), DriverError)
        try:
            reply = exchange.feed(piece)
            if reply is not None:
                exchange = steps.send(reply)
        except (DriverError, StopIteration):
            break


def test_noise_without_end_fills_no_memory_and_takes_no_time() -> None:
    exchange = at(plan(ENERGY), IDENTIFICATION)
    began = time.monotonic()
    for _ in range(200):
        exchange.feed(b"\x02(1.8.0)\xff" * 32)
    assert len(exchange.verdict().received) <= 512
    assert time.monotonic() - began < 2.0
