"""The secure channel: nothing outside of it, nothing changed within it, no frame twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import FrameError
from drivers.osdp.address import OsdpQuirks, What
from drivers.osdp.codec import Frame, encode, open_frame
from drivers.osdp.secure import Channel, derive
from tests.drivers.osdp_support import CARD, KEY, Line, Obedient, device, reply

pytest.importorskip("cryptography", reason="the extra for encryption is not installed")
NONCE_B = bytes(range(8))


class Sealed(Obedient):
    """A reader that speaks in the secure channel only."""

    def __init__(self, key: bytes = KEY) -> None:
        super().__init__()
        self.key = key
        self.channel: Channel | None = None
        self.is_open = False

    def __call__(self, command: Frame) -> bytes:
        if command.code == 0x76:
            self.channel, self.is_open = derive(self.key, command.content), False
            proof = self.channel.client_cryptogram(command.content, NONCE_B)
            content = bytes(8) + NONCE_B + proof
            return encode(replace(command, content=content, is_reply=True, scb=b"\x03\x12\x01"))
        if command.code == 0x77 and self.channel is not None:
            self.channel.reply_mac, self.is_open = self.channel.first_mac(command.content), True
            content, scb = self.channel.reply_mac, b"\x03\x14\x01"
            return encode(replace(command, code=0x78, content=content, is_reply=True, scb=scb))
        if not self.is_open or self.channel is None or not command.mac:
            return super().__call__(command)
        plain = open_frame(super().__call__(self.channel.unseal(command)))
        return encode(self.channel.seal(plain))


def test_a_card_of_the_secure_channel_is_taken() -> None:
    reader = Sealed()
    reader.next = [CARD]
    line = Line([device(key=KEY)], [reader])
    line.run(2.0)
    assert line.values(What.CARD) == ["ABCDEFC0"]
    assert line.values(What.ONLINE) == [True]
    assert not line.faults


def test_a_card_in_plain_text_beside_the_open_channel_is_not_taken() -> None:
    reader = Sealed()

    def forged(command: Frame) -> bytes:
        return reply(command, 0x50, CARD.content) if command.mac else b""

    line = Line([device(key=KEY)], [forged, reader])
    line.run(5.0)
    assert line.values(What.CARD) == []
    assert "outside of the secure channel" in str(line.faults[0])


def test_a_card_before_the_channel_is_open_is_not_taken() -> None:
    line = Line([device(key=KEY)], [lambda c: reply(c, 0x50, CARD.content)])
    line.run(20.0)
    assert line.values(What.CARD) == []
    assert line.alive == []
    assert line.silent == [1]


def test_a_reader_with_another_key_is_offline() -> None:
    line = Line([device(key=KEY)], [Sealed(bytes(16))])
    line.run(5.0)
    assert line.silent == [1]
    assert "does not show that it has the key" in str(line.faults[0])


def test_a_channel_that_is_broken_begins_anew() -> None:
    reader, spoilt = Sealed(), [12]

    def answer(command: Frame) -> bytes:
        spoilt[0] -= 1
        return reply(command, 0x41, b"\6") if spoilt[0] == 0 else reader(command)

    line = Line([device(key=KEY, quirks=OsdpQuirks(offline_poll_ms=1000))], [answer])
    line.run(10.0)
    assert line.values(What.ONLINE) == [True, False, True]


@given(code=st.integers(0, 255), content=st.binary(max_size=50), at=st.integers(0, 400))
def test_what_is_sealed_is_unsealed_and_any_changed_bit_is_seen(
    code: int, content: bytes, at: int
) -> None:
    ours, theirs = derive(KEY, NONCE_B), derive(KEY, NONCE_B)
    plain = Frame(1, 1, code, content)
    sealed = ours.seal(plain)
    octets = bytearray(before := encode(sealed))
    bit = at % ((len(before) - 2 - 9) * 8)
    octets[8 + bit // 8] ^= 1 << bit % 8
    changed = replace(
        sealed, content=bytes(octets[8 : 8 + len(sealed.content)]), mac=bytes(octets[-6:-2])
    )
    if changed != sealed:
        with pytest.raises(FrameError, match="MAC is wrong"):
            theirs.unseal(changed)
    opened = theirs.unseal(open_frame(before))
    assert (opened.code, opened.content) == (code, content)


def test_a_frame_of_the_channel_is_taken_once() -> None:
    ours, theirs = derive(KEY, NONCE_B), derive(KEY, NONCE_B)
    sealed = ours.seal(Frame(1, 1, 0x50, CARD.content, is_reply=True))
    theirs.unseal(sealed)
    theirs.unseal(theirs_next := ours.seal(Frame(1, 2, 0x60)))
    assert theirs_next.mac
    with pytest.raises(FrameError, match="MAC is wrong"):
        theirs.unseal(sealed)
