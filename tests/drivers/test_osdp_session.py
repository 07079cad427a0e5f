"""The control panel: turns, repetition, BUSY, silence, secrets, and the refusal of plain text."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import DeviceRefused, Moment
from drivers.osdp.address import Check, OsdpQuirks, What
from drivers.osdp.codec import Frame, encode, open_frame
from drivers.osdp.driver import OsdpDriver
from drivers.osdp.secure import DEFAULT_KEY
from tests.drivers.osdp_support import CARD, KEY, Line, Obedient, device, reply


def test_a_reader_comes_online_with_its_states() -> None:
    reader = Obedient()
    line = Line([device()], [reader])
    line.run(1.0)
    assert [c.code for c in reader.heard[:6]] == [0x61, 0x62, 0x64, 0x65, 0x66, 0x60]
    assert [c.sequence for c in reader.heard[:6]] == [0, 1, 2, 3, 1, 2]
    assert line.values(What.ONLINE) == [True]
    assert line.values(What.TAMPER) == [True]
    assert line.values(What.POWER) == [False]
    assert line.values(What.INPUT) == [True]
    assert line.values(What.OUTPUT) == [True]
    assert not line.faults


def test_a_card_and_digits_are_secret_once() -> None:
    reader = Obedient()
    reader.next = [CARD, Frame(0, 0, 0x53, b"\0\x0242", is_reply=True)]
    line = Line([device()], [reader])
    line.run(1.5)
    assert line.values(What.CARD) == ["ABCDEFC0"]
    assert line.values(What.CARD_BITS) == [26]
    assert line.values(What.KEYPAD) == ["42"]
    secret = {s.raw for s in line.samples if s.is_secret}
    assert secret == {"ABCDEFC0", "42"}


def test_polls_keep_their_time() -> None:
    line = Line([device(quirks=OsdpQuirks(poll_ms=500))], [Obedient()])
    line.run(10.0)
    polls = [at for at, sent in line.sent if open_frame(sent).code == 0x60]
    gaps = [b - a for a, b in pairwise(polls)]
    assert all(0.5 <= gap < 0.55 for gap in gaps)


def test_nothing_is_sent_while_a_reply_is_awaited() -> None:
    session = OsdpDriver().start([device(1), device(2)], Moment(0.0))
    assert session.wake(Moment(0.0)).send
    assert session.wake_at == 0.2
    assert not session.wake(Moment(0.1)).send
    assert not session.received(b"noise", Moment(0.15)).send


def test_a_lost_reply_is_asked_for_with_the_same_number() -> None:
    reader, lost = Obedient(), [3]

    def lossy(command: Frame) -> bytes:
        lost[0] -= 1
        return b"" if lost[0] == 0 else reader(command)

    line = Line([device()], [lossy])
    line.run(2.0)
    sent = [frame for _, frame in line.sent]
    assert sent[2] == sent[3]
    assert open_frame(sent[4]).sequence == 3
    assert not line.silent


def test_busy_has_number_0_and_the_command_is_sent_again() -> None:
    reader, busy = Obedient(), [4]

    def answer(command: Frame) -> bytes:
        busy[0] -= 1
        if busy[0] == 0:
            return encode(Frame(command.address, 0, 0x79, is_reply=True))
        return reader(command)

    line = Line([device()], [answer])
    line.run(2.0)
    assert line.sent[3][1] == line.sent[4][1]
    assert line.sent[4][0] - line.sent[3][0] >= 0.2
    assert not line.faults
    assert line.values(What.INPUT) == [True]


def test_a_reader_that_is_busy_without_end_is_offline() -> None:
    line = Line([device()], [lambda c: encode(Frame(c.address, 0, 0x79, is_reply=True))])
    line.run(20.0)
    assert line.silent == [1]


def test_a_dead_reader_costs_little_and_the_others_go_on() -> None:
    alive = Obedient()
    line = Line([device(1), device(2)], [lambda c: alive(c) if c.address == 1 else b""])
    line.run(60.0)
    dead = [sent for _, sent in line.sent if open_frame(sent).address == 2]
    assert len(dead) <= 3 + 60 / 5
    assert all(open_frame(sent).sequence == 0 for sent in dead)
    assert line.silent == [2]
    assert len(alive.heard) > 200


def test_a_reader_that_comes_back_begins_at_0() -> None:
    reader, is_there = Obedient(), [True]
    line = Line([device()], [lambda c: reader(c) if is_there[0] else b""])
    line.run(2.0)
    is_there[0] = False
    line.run(10.0)
    is_there[0], before = True, len(reader.heard)
    line.run(10.0)
    assert (reader.heard[before].code, reader.heard[before].sequence) == (0x61, 0)
    assert line.values(What.ONLINE) == [True, False, True]
    assert line.silent == [1]


def test_a_reply_of_another_or_to_another_command_is_not_taken() -> None:
    def answer(command: Frame) -> bytes:
        other = replace(command, address=9)
        late = replace(command, sequence=(command.sequence + 1) % 4)
        return command_echo(command) + reply(other, 0x50, CARD.content) + reply(late, 0x45)

    line = Line([device()], [answer])
    line.run(3.0)
    assert not line.alive
    assert line.silent == [1]


def command_echo(command: Frame) -> bytes:
    return b"\xff" + encode(command)


def test_our_own_echo_is_skipped() -> None:
    reader = Obedient()
    line = Line([device()], [lambda c: command_echo(c) + reader(c)])
    line.run(1.0)
    assert line.values(What.ONLINE) == [True]


def test_a_command_that_is_not_known_is_left_out() -> None:
    reader = Obedient()
    line = Line([device()], [lambda c: reply(c, 0x41, b"\3") if c.code == 0x66 else reader(c)])
    line.run(2.0)
    assert isinstance(line.faults[0], DeviceRefused)
    assert line.faults[0].code == 3
    assert line.values(What.ONLINE) == [True]
    assert not line.silent


def test_a_reader_that_refuses_the_secure_channel_is_faulty_and_its_cards_are_not_taken() -> None:
    pytest.importorskip("cryptography")
    reader = Obedient()
    reader.next = [CARD] * 9
    line = Line([device(key=KEY)], [reader])
    line.run(20.0)
    assert line.silent == [1]
    assert not line.alive
    assert {s.raw for s in line.samples} == {False}
    assert 0x60 not in {c.code for c in reader.heard}
    assert "secure channel is not supported" in str(line.faults[0])


def test_plain_text_is_taken_with_a_key_only_when_the_site_says_so() -> None:
    pytest.importorskip("cryptography")
    reader = Obedient()
    reader.next = [CARD]
    line = Line([device(key=KEY, quirks=OsdpQuirks(require_secure=False))], [reader])
    line.run(2.0)
    assert line.values(What.CARD) == ["ABCDEFC0"]


def test_the_default_key_is_refused_outside_of_installation() -> None:
    pytest.importorskip("cryptography")
    reader = Obedient()
    line = Line([device(key=DEFAULT_KEY)], [reader])
    line.run(2.0)
    assert {c.code for c in reader.heard} == {0x61, 0x62}
    assert "installation" in str(line.faults[0])
    assert line.silent == [1]


def test_a_key_of_a_wrong_length_is_said() -> None:
    line = Line([device(key=b"short")], [Obedient()])
    line.run(2.0)
    assert "16 bytes" in str(line.faults[0])


def test_a_checksum_is_sent_where_the_reader_wants_it() -> None:
    line = Line([device(quirks=OsdpQuirks(check=Check.CHECKSUM))], [Obedient()])
    line.run(1.0)
    assert not any(open_frame(sent).has_crc for _, sent in line.sent)
    assert line.values(What.ONLINE) == [True]


@settings(max_examples=50)
@given(noise=st.binary(max_size=30), cut=st.integers(0, 40))
def test_any_noise_before_a_reply_and_any_cut_gives_nothing_false(noise: bytes, cut: int) -> None:
    reader = Obedient()
    line = Line([device()], [lambda c: (noise + reader(c))[: cut or None]])
    line.run(3.0)
    assert set(map(str, line.values(What.TAMPER))) <= {"True"}
    assert set(map(str, line.values(What.POWER))) <= {"False"}
