"""Fuzzing of every codec: mutated golden frames into `decode`, exchanges and sessions.

    python -m tests.drivers.fuzz --inputs 10000000 --protocol mbus
    python -m tests.drivers.fuzz --seconds 60

One input is one mutated frame. It must end in a value, in "more, please", or in the driver's own
error; within bounded time, and without a buffer that grows for ever.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from drivers import registry
from drivers.contract import Address, DriverError, Exchange, Job, Moment, Session, SessionDevice
from drivers.dc09.address import Dc09Address
from drivers.dc09.address import Field as Dc09Field
from drivers.declared.address import DeclaredAddress
from drivers.gbt26875.address import Field as Gbt26875Field
from drivers.gbt26875.address import Gbt26875Address
from drivers.gbt26875.objects import Object
from drivers.osdp.address import OsdpAddress, What

ROOT = Path(__file__).parents[2]
SLOW_S = 1.0
"""One input that takes so long hangs a line."""
RENEW_EVERY = 500
"""Inputs that one exchange or session is fed before a fresh one takes its place."""
BUFFER_LIMIT = 1 << 20
DIRECTIONS = ("request", "response", "auto")
_POINTS: dict[str, tuple[Address, ...]] = {
    "dc09": (
        Dc09Address(Dc09Field.LAST_EVENT),
        Dc09Address(Dc09Field.USER),
        Dc09Address(event="1xx", code="xA"),
    ),
    "gbt26875": (
        *(Gbt26875Address(what, Gbt26875Field.EVENT) for what in Object if what != "analogue"),
        Gbt26875Address(Object.ANALOGUE, Gbt26875Field.EVENT, kind="temperature"),
    ),
    "osdp": (OsdpAddress(What.CARD), OsdpAddress(What.TAMPER), OsdpAddress(What.ONLINE)),
    "declared": (
        DeclaredAddress("uhppote", reply="status", field="card"),
        DeclaredAddress("bay-detector-485", reply="read", field="value"),
    ),
}
"""Points of the devices that speak in sessions, by driver."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one campaign on one protocol did."""

    protocol: str
    inputs: int
    accepted: int
    seconds: float
    slowest_s: float


def golden(protocol: str) -> list[bytes]:
    """Return the frames of a protocol's vectors."""
    name = registry.driver_of_protocol(protocol).name
    (file,) = (ROOT / "drivers" / name).glob("vectors.*")
    vectors: list[dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [bytes.fromhex(v["hex"]) for v in vectors if v["protocol"] == protocol]


def devices(protocol: str) -> list[SessionDevice]:
    """Return devices of a session protocol: those whom the golden frames are of or to."""
    spec = registry.driver_of_protocol(protocol)
    speaker = spec.sessions[protocol]
    said = (speaker.decode(frame, "auto").unit for frame in golden(protocol))
    units = [speaker.parse_unit(unit) for unit in dict.fromkeys(said) if unit is not None]
    return [SessionDevice(unit, _POINTS[spec.name], spec.quirks_type()) for unit in units]


def mutated(frames: Sequence[bytes], rng: random.Random) -> bytes:
    """Return a frame with some of what wires and enemies do to it."""
    octets = bytearray(rng.choice(frames))
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(octets) + 1)
        match rng.randrange(7):
            case 0 if at < len(octets):
                octets[at] ^= 1 << rng.randrange(8)
            case 1 if at < len(octets):
                octets[at] = rng.choice((0, 0xFF, 0x68, 0x16, rng.randrange(256)))
            case 2:
                octets[at:at] = rng.randbytes(rng.randrange(6))
            case 3:
                del octets[at : at + rng.randrange(6)]
            case 4:
                octets += rng.choice(frames)
            case 5:
                octets[:0] = rng.randbytes(rng.randrange(8))
            case _:
                del octets[at:]
    return bytes(octets)


def pieces(octets: bytes, rng: random.Random) -> Iterator[bytes]:
    """Cut an input as adapters cut it."""
    start = 0
    while start < len(octets):
        end = len(octets) if rng.random() < 0.5 else start + rng.randrange(1, 9)
        yield octets[start:end]
        start = end


class Target:
    """One protocol under fire."""

    def __init__(self, protocol: str, seed: int) -> None:
        self.protocol = protocol
        self._rng = random.Random(seed)  # noqa: S311 - a failing seed must come again
        self._spec = registry.driver_of_protocol(protocol)
        self._speaker = self._spec.speakers[protocol]
        self._frames = golden(protocol)
        self._jobs: list[Job] = list(self._spec.conduct.scan())[:8]
        self._devices = devices(protocol) if protocol in self._spec.sessions else []
        self._left = 0
        self._session: Session | None = None
        self._now = Moment(1000.0, 1_790_000_000_000, 8 * 3600)

    def shoot(self) -> bool:
        """Try one input; whether it was accepted as a good frame."""
        octets = mutated(self._frames, self._rng)
        decoded = self._speaker.decode(octets, self._rng.choice(DIRECTIONS))
        assert decoded.ok or decoded.error
        if self.protocol in self._spec.sessions:
            self._talk(octets)
        elif self._jobs:
            self._feed(octets)
        return decoded.ok

    def _feed(self, octets: bytes) -> None:
        job = self._rng.choice(self._jobs)
        steps = job.steps()
        exchange: Exchange = next(steps)
        try:
            for piece in pieces(octets, self._rng):
                if (reply := exchange.feed(piece)) is not None:
                    try:
                        exchange = steps.send(reply)
                    except StopIteration:
                        return
            exchange.verdict()
        except DriverError:
            pass
        finally:
            steps.close()

    def _talk(self, octets: bytes) -> None:
        if self._left <= 0 or self._session is None:
            self._left = RENEW_EVERY
            self._session = self._spec.sessions[self.protocol].start(self._devices, self._now)
        self._left -= 1
        step_s = self._rng.choice((0.0, 0.1, 3.0))
        self._now = Moment(
            self._now.at_s + step_s, self._now.utc_ms + int(step_s * 1000), self._now.local_offset_s
        )
        for piece in pieces(octets, self._rng):
            output = self._session.received(piece, self._now)
            assert len(output.send) < BUFFER_LIMIT
        if self._session.wake_at is not None and self._session.wake_at <= self._now.at_s:
            self._session.wake(self._now)


def campaign(protocol: str, *, inputs: int, seconds: float, seed: int) -> Outcome:
    """Fire until so many inputs, or so many seconds, are spent."""
    target = Target(protocol, seed)
    begun = time.monotonic()
    # Of its own time: what the machine does beside it makes no codec slow.
    before = time.process_time()
    count = accepted = 0
    slowest_s = 0.0
    while count < inputs and time.monotonic() - begun < seconds:
        accepted += target.shoot()
        count += 1
        now = time.process_time()
        slowest_s = max(slowest_s, now - before)
        before = now
    return Outcome(protocol, count, accepted, time.monotonic() - begun, slowest_s)


def main(words: Sequence[str] | None = None) -> int:
    """Run the campaigns that were asked for, and say what they found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1 << 62)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--protocol", action="append")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(words)
    every = [p for name in registry.names() for p in registry.load(name).speakers]
    chosen = given.protocol or every
    for protocol in chosen:
        seconds = given.seconds / len(chosen)
        done = campaign(protocol, inputs=given.inputs, seconds=seconds, seed=given.seed)
        sys.stdout.write(
            f"{done.protocol}: {done.inputs} inputs, {done.accepted} good frames, "
            f"{done.seconds:.0f} s, slowest {done.slowest_s * 1000:.0f} ms\n"
        )
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
