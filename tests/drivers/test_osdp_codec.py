"""Frames of OSDP: any cut, noise, both checks, totality."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DriverError, FrameError, Wanted
from drivers.osdp.address import OsdpAddress, What
from drivers.osdp.codec import LONGEST, Frame, Stream, crc16, encode, open_frame
from drivers.osdp.driver import OsdpDriver

VECTORS = yaml.safe_load(
    (Path(__file__).parents[2] / "drivers/osdp/vectors.yaml").read_text(encoding="utf-8")
)
GOOD = [bytes.fromhex(v["hex"]) for v in VECTORS if "refused" not in v]
FRAMES = st.builds(
    Frame,
    st.integers(0, 127),
    st.integers(0, 3),
    st.integers(0, 255),
    st.binary(max_size=60),
    st.booleans(),
    st.booleans(),
)
QUIET = st.binary(max_size=20).filter(lambda noise: 0x53 not in noise)


def _cut(octets: bytes, cuts: list[int]) -> list[Frame | FrameError]:
    stream, found, last = Stream(), list[Frame | FrameError](), 0
    for cut in [*sorted(c % (len(octets) + 1) for c in cuts), len(octets)]:
        found += stream.feed(octets[last:cut])
        last = cut
    return found


@pytest.mark.parametrize("octets", GOOD, ids=bytes.hex)
def test_a_good_vector_is_encoded_as_it_was(octets: bytes) -> None:
    assert encode(open_frame(octets)) == octets.removeprefix(b"\xff")


@given(frame=FRAMES)
def test_what_is_encoded_is_opened_as_it_was(frame: Frame) -> None:
    assert open_frame(encode(frame)) == frame
    assert open_frame(b"\xff" + encode(frame)) == frame


@given(frames=st.lists(FRAMES, max_size=4), cuts=st.lists(st.integers(0, 300)), noise=QUIET)
def test_any_cut_with_noise_between_gives_the_same_frames(
    frames: list[Frame], cuts: list[int], noise: bytes
) -> None:
    octets = b"".join(noise + encode(frame) for frame in frames)
    assert _cut(octets, cuts) == frames


@given(frame=FRAMES, noise=st.binary(max_size=60))
def test_a_false_beginning_hides_no_frame_for_ever(frame: Frame, noise: bytes) -> None:
    stream = Stream()
    found = stream.feed(noise + encode(frame))
    found += stream.flush()
    found += stream.feed(encode(frame)) + stream.flush()
    assert frame in found


@given(frame=FRAMES, at=st.integers(0, 80))
def test_a_truncated_frame_is_none(frame: Frame, at: int) -> None:
    octets = encode(frame)
    with pytest.raises(FrameError):
        open_frame(octets[: at % len(octets)])


@given(pieces=st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_leave_a_bounded_buffer(pieces: list[bytes]) -> None:
    stream = Stream()
    for piece in pieces:
        stream.feed(piece)
        assert len(stream._kept) <= LONGEST  # pyright: ignore[reportPrivateUsage]
    stream.flush()
    assert not stream.is_within_frame


def test_the_mark_in_front_may_be_missing() -> None:
    assert open_frame(GOOD[0]) == open_frame(GOOD[0][1:])


def test_both_checks_share_one_line() -> None:
    both = [Frame(1, 1, 0x40, b"", True, True), Frame(2, 1, 0x40, b"", True, False)]
    assert Stream().feed(b"".join(encode(frame) for frame in both)) == both


def test_crc_0000_is_refused_where_it_is_not_the_right_one() -> None:
    octets = GOOD[0][:-2] + b"\0\0"
    assert crc16(octets[1:-2]) != 0
    with pytest.raises(FrameError, match="CRC 0000 is wrong"):
        open_frame(octets)
    assert not [f for f in Stream().feed(octets) if isinstance(f, Frame)]


def test_a_length_beyond_the_limit_is_not_waited_for() -> None:
    stream = Stream()
    (found,) = stream.feed(b"\x53\x80\xff\xff\x04" + encode(Frame(0, 1, 0x40, b"", True)))
    assert isinstance(found, Frame)


def test_a_card_is_a_secret_and_its_spare_bits_are_not_part_of_it() -> None:
    octets = encode(Frame(1, 1, 0x50, bytes.fromhex("00001a00abcdefff"), is_reply=True))
    wanted = (Wanted(0, OsdpAddress(What.CARD)), Wanted(1, OsdpAddress(What.CARD_BITS)))
    decoded = OsdpDriver().decode(octets, "response", wanted)
    assert decoded.raw == {0: "ABCDEFC0", 1: 26}
    (span,) = decoded.spans_secret
    assert octets[span] == bytes.fromhex("00001a00abcdefff")
    assert "ABCDEF" not in str(decoded.frame) + str(decoded.values)


def test_keys_are_secret_and_so_is_a_new_key() -> None:
    pressed = encode(Frame(1, 1, 0x53, b"\0\x0512\x7f3\r", is_reply=True))
    decoded = OsdpDriver().decode(pressed, "auto", (Wanted(0, OsdpAddress(What.KEYPAD)),))
    assert decoded.raw == {0: "12*3#"}
    assert pressed[decoded.spans_secret[0]] == b"\0\x0512\x7f3\r"
    given_key = encode(Frame(1, 1, 0x75, b"\1\x10" + bytes(16)))
    assert OsdpDriver().decode(given_key, "request").spans_secret


def test_a_damaged_frame_shows_no_card_either() -> None:
    octets = encode(Frame(1, 1, 0x50, bytes.fromhex("00001a00abcdef80"), is_reply=True))
    decoded = OsdpDriver().decode(octets[:-1] + b"\0", "response")
    assert not decoded.ok
    assert decoded.spans_secret == (slice(5, len(octets)),)


def test_states_are_named_by_the_frame() -> None:
    local = encode(Frame(1, 1, 0x48, b"\1\0", is_reply=True))
    values = OsdpDriver().decode(local, "response").values
    assert [(v.point, v.value) for v in values] == [("tamper", True), ("mains", True)]


@pytest.mark.parametrize(("text", "unit"), [(0, 0), ("126", 126), (" 7 ", 7)])
def test_an_address_is_0_to_126(text: object, unit: int) -> None:
    assert OsdpDriver().parse_unit(text) == unit
    with pytest.raises(ValueError, match="0 to 126"):
        OsdpDriver().parse_unit(127)


@pytest.mark.parametrize(
    "wrong",
    [{"what": What.INPUT}, {"what": What.TAMPER, "reader": 0}, {"what": What.CARD, "number": 1}],
)
def test_an_address_whose_keys_do_not_fit_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"needs|has no"):
        OsdpAddress(**wrong)  # type: ignore[arg-type]


def test_an_error_is_of_the_drivers_own_tree() -> None:
    assert issubclass(FrameError, DriverError)
