"""Faults of simulated devices, by switch and by chance: pure, seeded, one decision per reply."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from simulators.frames import Asked, Framing

EVERYBODY = "*"
NOISE_BYTES = 5
DEFAULT_LATE_MS = 400
DEFAULT_EXCEPTION = 4  # server device failure


class FaultKind(StrEnum):
    """What can go wrong with a reply."""

    SILENT = "silent"
    LATE = "late"
    NOISE_BEFORE = "noise_before"
    NOISE_AFTER = "noise_after"
    TRUNCATED = "truncated"
    WRONG_UNIT = "wrong_unit"
    WRONG_COUNT = "wrong_count"
    ECHO = "echo"
    EXCEPTION = "exception"
    CRC = "crc"


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail. `argument` is milliseconds for `late`, the code for `exception`."""

    kind: FaultKind
    argument: int | None = None
    probability: float = 1.0


@dataclass(frozen=True, slots=True)
class Spoilt:
    """What goes on the wire instead of the good reply; None for nothing."""

    frame: bytes | None
    extra_s: float = 0.0


class Faults:
    """Which device fails how; asked once for every reply."""

    def __init__(self, seed: int = 0) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - faults want repeatable chance
        self._by_device: dict[str, tuple[Fault, ...]] = {}
        self.counts: dict[str, int] = {}

    def set(self, device: str, *faults: Fault) -> None:
        """Let a device (or `*`, everybody else) fail like this; no fault heals it."""
        self._by_device[device] = faults

    def heal(self) -> None:
        """End all faults."""
        self._by_device.clear()

    def pick(self, *devices: str) -> Fault | None:
        """Return the fault of this reply, or None; a module fails as any of its devices does."""
        own = (self._by_device[device] for device in devices if device in self._by_device)
        faults = next(own, self._by_device.get(EVERYBODY, ()))
        if not faults:
            return None
        dice = self._rng.random()
        for fault in faults:
            if dice < fault.probability:
                self.counts[fault.kind] = self.counts.get(fault.kind, 0) + 1
                return fault
            dice -= fault.probability
        return None

    def noise(self, count: int = NOISE_BYTES) -> bytes:
        """Return bytes of a disturbed line."""
        return self._rng.randbytes(count)

    def spoil(self, fault: Fault, framing: Framing, asked: Asked, pdu: bytes) -> Spoilt:
        """Return what a fault makes of a reply PDU."""
        plain = self._plain(fault, framing.wrap(asked, asked.unit, pdu), asked.frame)
        return plain or Spoilt(self._rewritten(fault, framing, asked, pdu))

    def spoil_frame(
        self, fault: Fault, request: bytes, good: bytes, refusal: bytes | None
    ) -> Spoilt:
        """Return what a fault makes of a reply frame of any protocol.

        `wrong_unit` and `wrong_count` need a protocol's knowledge: here they are damage like `crc`.
        """
        plain = self._plain(fault, good, request)
        if plain is not None:
            return plain
        if fault.kind is FaultKind.EXCEPTION:
            return Spoilt(refusal)
        damaged = bytearray(good)
        damaged[self._rng.randrange(len(damaged))] ^= 1 << self._rng.randrange(8)
        return Spoilt(bytes(damaged))

    def _plain(self, fault: Fault, good: bytes, request: bytes) -> Spoilt | None:
        """Return what becomes of a frame by faults that know no protocol; None for the others."""
        match fault.kind:
            case FaultKind.SILENT:
                return Spoilt(None)
            case FaultKind.LATE:
                return Spoilt(good, (fault.argument or DEFAULT_LATE_MS) / 1000)
            case FaultKind.NOISE_BEFORE | FaultKind.NOISE_AFTER | FaultKind.ECHO:
                return Spoilt(self._surrounded(fault.kind, good, request))
            case FaultKind.TRUNCATED:
                return Spoilt(good[: self._rng.randrange(1, len(good))])
            case _:
                return None

    def _surrounded(self, kind: FaultKind, good: bytes, request: bytes) -> bytes:
        if kind is FaultKind.ECHO:
            return request + good
        noise = self.noise()
        return noise + good if kind is FaultKind.NOISE_BEFORE else good + noise

    def _rewritten(self, fault: Fault, framing: Framing, asked: Asked, pdu: bytes) -> bytes:
        match fault.kind:
            case FaultKind.EXCEPTION:
                code = fault.argument or DEFAULT_EXCEPTION
                return framing.wrap(asked, asked.unit, bytes((pdu[0] | 0x80, code)))
            case FaultKind.WRONG_UNIT:
                return framing.wrap(asked, asked.unit % 247 + 1, pdu)
            case FaultKind.WRONG_COUNT:
                return framing.wrap(asked, asked.unit, _one_register_less(pdu))
            case _:
                good = bytearray(framing.wrap(asked, asked.unit, pdu))
                good[-1] ^= 1 << self._rng.randrange(4)
                return bytes(good)


def parse_faults(specs: Iterable[str]) -> dict[str, tuple[Fault, ...]]:
    """Return faults by device from texts like `em-03:silent` and `*:late=400@0.02`.

    Raises:
        ValueError: a text that cannot be read, with the form that can.
    """
    faults: dict[str, tuple[Fault, ...]] = {}
    for spec in specs:
        found = re.fullmatch(r"([^:\s]+):([a-z_]+)(?:=(\d+))?(?:@([0-9.]+))?", spec.strip())
        if found is None or found[2] not in set(FaultKind):
            kinds = ", ".join(FaultKind)
            raise ValueError(f"cannot read the fault {spec!r}; write DEVICE:KIND[=N][@P], {kinds}")
        argument = None if found[3] is None else int(found[3])
        probability = 1.0 if found[4] is None else float(found[4])
        fault = Fault(FaultKind(found[2]), argument, probability)
        faults[found[1]] = (*faults.get(found[1], ()), fault)
    return faults


def _one_register_less(pdu: bytes) -> bytes:
    """A sound reply to another question: two data bytes fewer; writes get a count of zero."""
    if pdu[0] in {1, 2, 3, 4, 23} and len(pdu) > 2 + 2:
        return bytes((pdu[0], pdu[1] - 2)) + pdu[2:-2]
    if pdu[0] in {1, 2}:
        return bytes((pdu[0], pdu[1] + 1)) + pdu[2:] + b"\0"
    if pdu[0] in {3, 4, 23}:
        return bytes((pdu[0], pdu[1] + 2)) + pdu[2:] + b"\0\0"
    return pdu[:-1] + bytes((pdu[-1] ^ 0xFF,))
