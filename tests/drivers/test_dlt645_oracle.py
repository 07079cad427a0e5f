"""DL/T 645 against the codec of the package dlt645 3.2.0: same frames, verdicts and numbers.

Only its codec is a peer: its client sends the address in display order and takes the answer of any
meter, its data field is bounded by 255 bytes where ours is by the 200 of the field.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from drivers.dlt645.address import Layout
from drivers.dlt645.codec import Frame, address_bytes, encode, frames
from drivers.dlt645.edition import BAUDS
from drivers.dlt645.items import Form
from drivers.dlt645.values import from_raw, to_raw

protocol: Any = pytest.importorskip("dlt645.protocol.protocol", reason="the peer is not installed")
transform: Any = pytest.importorskip("dlt645.common.transform", reason="the peer is not installed")
types: Any = pytest.importorskip(
    "dlt645.model.types.dlt645_type", reason="the peer is not installed"
)

CODEC: Any = protocol.DLT645Protocol
FOLDER = Path(__file__).parents[2] / "drivers" / "dlt645"
VECTORS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "vectors.yaml").read_text("utf-8"))
SOUND = [bytes.fromhex(v["hex"]) for v in VECTORS if "refused" not in v]
UNSOUND = [bytes.fromhex(v["hex"]) for v in VECTORS if "checksum" in v.get("refused", "")]


def theirs(octets: bytes) -> list[Frame]:
    """Return the frames that the peer finds, as ours."""
    found: list[Frame] = []
    while True:
        octets, frame = CODEC.deserialize_with_remaining(octets)
        if frame is None:
            return found
        address = bytes(frame.addr)[::-1].hex().upper()
        found.append(Frame(address, frame.ctrl_code, bytes(frame.data), len(bytes(frame.preamble))))


@given(
    address=st.text("0123456789", min_size=12, max_size=12),
    control=st.integers(0, 255),
    content=st.binary(max_size=200),
    preamble=st.integers(0, 4),
)
def test_both_build_the_same_frame(
    address: str, control: int, content: bytes, preamble: int
) -> None:
    ours = encode(address, control, content, preamble=preamble)
    peer = CODEC.build_frame(address_bytes(address), control, content, preamble)
    assert ours == bytes(peer)


@pytest.mark.parametrize("octets", SOUND, ids=lambda octets: octets.hex())
def test_both_take_a_golden_frame_apart_alike(octets: bytes) -> None:
    assert theirs(octets) == list(frames(octets))
    assert len(theirs(octets)) == 1


@pytest.mark.parametrize("octets", UNSOUND, ids=lambda octets: octets.hex())
def test_both_refuse_a_wrong_checksum(octets: bytes) -> None:
    assert theirs(octets) == list(frames(octets)) == []


@given(
    before=st.binary(max_size=20).filter(lambda noise: b"\x68" not in noise),
    content=st.binary(max_size=40),
)
def test_both_find_a_frame_behind_noise(before: bytes, content: bytes) -> None:
    octets = before + encode("123456789012", 0x91, content)
    (ours,) = frames(octets)
    (peer,) = theirs(octets)
    assert (ours.address, ours.control, ours.content) == (peer.address, peer.control, peer.content)


@pytest.mark.parametrize(
    ("how", "notation"),
    [
        (Layout(4, 2, Form.BCD, is_signed=False), "XXXXXX.XX"),
        (Layout(2, 1, Form.BCD, is_signed=False), "XXX.X"),
        (Layout(3, 3, Form.BCD, is_signed=True), "XXX.XXX"),
        (Layout(3, 4, Form.BCD, is_signed=True), "XX.XXXX"),
        (Layout(2, 3, Form.BCD, is_signed=True), "X.XXX"),
    ],
)
@given(share=st.floats(0, 1))
def test_both_read_the_same_number(how: Layout, notation: str, share: float) -> None:
    # The peer takes the top bit of every item for a sign, ours only where the item has one.
    number = int(share * (8 * 10 ** (2 * how.size - 1) - 1)) / 10**how.decimals
    octets = from_raw(number, how)
    assert to_raw(octets, how) == number
    assert transform.bcd_to_float(octets, notation, "little") == pytest.approx(number, abs=1e-9)


def test_both_read_the_sign_in_the_top_bit() -> None:
    octets = bytes.fromhex("050080")
    assert to_raw(octets, Layout(3, 3, Form.BCD, is_signed=True)) == -0.005
    assert transform.bcd_to_float(octets, "XXX.XXX", "little") == -0.005


def test_no_value_is_none_where_the_peer_makes_a_number_of_it() -> None:
    assert to_raw(b"\xff\xff", Layout(2, 1, Form.BCD, is_signed=False)) is None
    assert transform.bcd_to_float(b"\xff\xff", "XXX.X", "little") < 0


def test_the_peers_baud_words_are_not_ours_from_4800_on() -> None:
    words: dict[int, int] = types.BaudRateCode
    ours = {rate: word for word, rate in BAUDS.items()}
    assert {rate for rate, word in words.items() if ours[rate] != word} == {4800, 9600, 19200}
