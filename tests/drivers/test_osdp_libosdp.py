"""Against a reader of another hand: libosdp 3.2.9 as a device, in plain text and secure channel."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from drivers.contract import DriverError, Moment, SessionDevice, SessionOutput, SessionSample
from drivers.osdp.address import OsdpAddress, OsdpQuirks, What
from drivers.osdp.codec import Frame, Stream
from drivers.osdp.driver import OsdpDriver
from drivers.osdp.secure import DEFAULT_KEY
from tests.drivers.osdp_support import KEY, POINTS

pytestmark = pytest.mark.skipif(
    find_spec("osdp_sys") is None, reason="the peer libosdp is not installed"
)
CARD_NUMBER = bytes.fromhex("abcdef80")
REPLY_S = 0.3
SEALED = {0x16, 0x18}


class Peer:
    """Our session in manual time, with libosdp at the other end of a socket."""

    def __init__(
        self, wire: socket.socket, reader: subprocess.Popen[str], device: SessionDevice
    ) -> None:
        self._wire, self._reader = wire, reader
        self.now_s = 100.0
        nonces = iter(range(1, 250))
        driver = OsdpDriver(lambda size: bytes([next(nonces)]) * size)
        self.session = driver.start([device], Moment(self.now_s))
        self.samples: list[SessionSample] = []
        self.alive, self.silent = 0, 0
        self.faults: list[DriverError] = []
        self.seen = b""
        self.loses = 0
        """So many of the next replies are lost on the way."""

    def run(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while self.session.wake_at is not None and self.session.wake_at <= until_s:
            self.now_s = max(self.now_s, self.session.wake_at)
            said = self.session.wake(Moment(self.now_s))
            self._note(said)
            if said.send:
                self._wire.sendall(said.send)
                self._listen()

    def tell(self, name: str) -> None:
        assert self._reader.stdin is not None
        self._reader.stdin.write(f"{name}\n")
        self._reader.stdin.flush()

    def values(self, what: What) -> list[object]:
        return [
            s.raw
            for s in self.samples
            if isinstance(s.address, OsdpAddress) and s.address.what is what
        ]

    @property
    def is_sealed(self) -> bool:
        """Whether the last reply was one of the secure channel."""
        frames = [frame for frame in Stream().feed(self.seen) if isinstance(frame, Frame)]
        return bool(frames) and frames[-1].scs in SEALED

    def _listen(self) -> None:
        before = self.session.wake_at
        while self.session.wake_at == before and select.select([self._wire], [], [], REPLY_S)[0]:
            received = self._wire.recv(4096)
            if self.loses:
                self.loses -= 1
                return
            self.seen += received
            self.now_s += 0.01
            self._note(self.session.received(received, Moment(self.now_s)))

    def _note(self, output: SessionOutput) -> None:
        self.samples += output.samples
        self.alive += len(output.alive)
        self.silent += len(output.silent)
        if output.fault is not None:
            self.faults.append(output.fault)


@contextmanager
def libosdp(
    theirs: bytes | None, ours: bytes | None, quirks: OsdpQuirks | None = None
) -> Generator[Peer]:
    """Yield our side of a line with libosdp; both sides' keys, None for none."""
    if theirs is not None or ours is not None or quirks is not None:
        pytest.importorskip("cryptography", reason="the extra for encryption is not installed")
    near, far = socket.socketpair()
    script = str(Path(__file__).with_name("osdp_peer.py"))
    arguments = [sys.executable, script, str(far.fileno()), theirs.hex() if theirs else "-"]
    device = SessionDevice(5, POINTS, quirks or OsdpQuirks(), ours)
    with (
        near,
        far,
        subprocess.Popen(
            arguments,
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[far.fileno()],
            text=True,
        ) as reader,
    ):
        try:
            yield Peer(near, reader, device)
        finally:
            reader.kill()


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "secure"])
def test_libosdp_comes_online_and_its_card_and_inputs_arrive(key: bytes | None) -> None:
    with libosdp(key, key) as peer:
        peer.run(10.0)
        assert peer.values(What.ONLINE)[-1:] == [True]
        assert peer.is_sealed == (key is not None)
        assert peer.values(What.TAMPER)[-1:] == [False]
        peer.tell("card")
        peer.run(4.0)
        assert peer.values(What.CARD) == ["ABCDEF80"]
        assert peer.values(What.CARD_BITS) == [26]
        peer.tell("input")
        peer.run(4.0)
        assert peer.values(What.INPUT) == [True]
        assert (CARD_NUMBER in peer.seen) == (key is None)


def test_libosdp_stays_in_the_secure_channel_for_minutes() -> None:
    with libosdp(KEY, KEY) as peer:
        peer.run(10.0)
        silent, faults = peer.silent, len(peer.faults)
        peer.run(120.0)
        assert peer.is_sealed
        assert peer.alive > 400
        assert (peer.silent, len(peer.faults)) == (silent, faults)


def test_a_wrong_key_brings_libosdp_to_no_card() -> None:
    with libosdp(KEY, bytes(16)) as peer:
        peer.run(10.0)
        peer.tell("card")
        peer.run(12.0)
        assert peer.values(What.CARD) == []
        assert (peer.alive, peer.silent) == (0, 1)
        assert any("does not show that it has the key" in str(fault) for fault in peer.faults)


def test_the_default_key_serves_for_installation_only() -> None:
    with libosdp(None, None, OsdpQuirks(installation=True)) as peer:
        peer.run(10.0)
        assert peer.is_sealed
    with libosdp(None, DEFAULT_KEY) as peer:
        peer.run(10.0)
        assert peer.alive == 0
        assert "installation" in str(peer.faults[-1])


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "secure"])
def test_after_lost_replies_libosdp_is_read_on(key: bytes | None) -> None:
    # What was in the lost reply is gone: libosdp 3.2.9 does not repeat it for the same number.
    with libosdp(key, key) as peer:
        peer.run(10.0)
        for _ in range(3):
            peer.loses = 1
            peer.run(20.0)
            peer.tell("card")
            peer.run(4.0)
        assert peer.values(What.CARD) == ["ABCDEF80"] * 3
        assert peer.is_sealed == (key is not None)
