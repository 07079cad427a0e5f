"""The flight recorder, and its files replayed."""

import asyncio
from pathlib import Path

import pytest
from links_virtual_time import in_virtual_time

from gateway.links.contract import Link, LinkDown
from gateway.links.memory import MemoryWires, Sent
from gateway.links.replay import ReplayLink, replay_link
from gateway.links.tap import Direction, Tap, TapFrame, parse_tap, tap_line
from gateway.model.clock import TimeQuality

UTC_AT_START_S = 1_767_225_600.0


class LoopClock:
    """UTC that begins with the loop's time."""

    def now_ms(self) -> int:
        return round((UTC_AT_START_S + self.monotonic()) * 1000)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def quality(self) -> TimeQuality:
        return TimeQuality.SYNC

    def is_provisional(self) -> bool:
        return False


def _device(wires: MemoryWires) -> Link:
    """Return a line whose device answers in two pieces, 5 ms apart."""
    wire = wires.wire("a")

    def answer(sent: Sent) -> None:
        wire.deliver(b"re:", sent.ended_at + 0.010)
        wire.deliver(sent.data, sent.ended_at + 0.015)

    wire.listen(answer)
    return wires.link("a")


async def _talk(link: Link, *words: bytes) -> list[bytes]:
    loop = asyncio.get_running_loop()
    heard: list[bytes] = []
    for word in words:
        link.send(word)
        until = loop.time() + 1.0
        answer = b""
        while piece := await link.receive(until):
            answer += piece
        heard.append(answer)
    return heard


def test_the_tap_joins_pieces_to_frames_and_follows() -> None:
    async def main() -> None:
        tap = Tap(_device(MemoryWires()), LoopClock())
        await tap.open()
        await _talk(tap, b"one", b"two")
        first, answer, second, _ = frames = tap.frames()
        assert [one.octets for one in frames] == [b"one", b"re:one", b"two", b"re:two"]
        assert first.direction is Direction.SENT
        assert answer.direction is Direction.CAME
        assert answer.at_s - first.at_s == pytest.approx(0.010, abs=1e-6)
        assert second.at_s == pytest.approx(UTC_AT_START_S + 1.0)
        assert tap.frames(after=answer.number) == frames[2:]
        assert tap.frames(after=frames[-1].number) == ()
        assert tap.drop_input() == 0
        await tap.close()
        assert not tap.is_open

    in_virtual_time(main())


def test_the_tap_keeps_the_last_pieces_only() -> None:
    async def main() -> None:
        tap = Tap(_device(MemoryWires()), LoopClock(), pieces=3)
        await tap.open()
        await _talk(tap, *(str(n).encode() for n in range(20)))
        assert [one.octets for one in tap.frames()] == [b"19", b"re:19"]
        await tap.close()

    in_virtual_time(main())


def test_secret_bytes_never_reach_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tap"

    def blank(frame: TapFrame) -> list[slice]:
        return [slice(3, None)] if frame.direction is Direction.CAME else []

    async def main() -> None:
        tap = Tap(_device(MemoryWires()), LoopClock())
        await tap.open()
        await _talk(tap, b"card")
        assert tap.write(path, "a", blank) == 2
        await tap.close()

    in_virtual_time(main())
    assert path.read_text() == (
        "# linli tap 1; line a; memory a\n"
        "1767225600.000000 > 63 61 72 64\n"
        "1767225600.010000 < 72 65 3A ** ** ** **\n"
    )
    assert parse_tap(path.read_text())[1].octets == b"re:\0\0\0\0"


def test_a_recording_answers_as_the_line_did(tmp_path: Path) -> None:
    path = tmp_path / "a.tap"

    async def record() -> None:
        tap = Tap(_device(MemoryWires()), LoopClock())
        await tap.open()
        await _talk(tap, b"one", b"two", b"one")
        tap.write(path, "a")
        await tap.close()

    async def replay() -> None:
        link = ReplayLink(path)
        await link.open()
        loop = asyncio.get_running_loop()
        link.send(b"two")
        assert await link.receive(1.0) == b"re:two"
        assert loop.time() == pytest.approx(0.010)
        assert await _talk(link, b"one", b"three", b"one") == [b"re:one", b"", b"re:one"]
        assert link.unknown == 1
        await link.close()
        with pytest.raises(LinkDown):
            link.send(b"one")

    in_virtual_time(record())
    in_virtual_time(replay())


def test_what_came_unasked_comes_after_open(tmp_path: Path) -> None:
    path = tmp_path / "a.tap"
    path.write_text("# linli tap 1\n\n10.0 < 01 02\n10.5 < 03\n11.0 > 04\n")

    async def main() -> None:
        link = replay_link(path)
        await link.open()
        assert await link.receive(1.0) == b"\x01\x02"
        assert await link.receive(1.0) == b"\x03"
        await link.close()

    in_virtual_time(main())


async def test_a_file_that_is_no_recording_says_where(tmp_path: Path) -> None:
    path = tmp_path / "a.tap"
    with pytest.raises(LinkDown, match="cannot read"):
        await replay_link(path).open()
    path.write_text("# linli tap 1\n10.0 = 01\n")
    with pytest.raises(LinkDown, match="line 2 is no frame"):
        await replay_link(path).open()


def test_a_frame_is_one_line() -> None:
    frame = TapFrame(1, 1.5, Direction.CAME, b"\x00\xff", (slice(0, 1),))
    assert tap_line(frame) == "1.500000 < ** FF"
