"""A serial line of simple meters for benches, in a process of its own so that its time is true.

`python -m tests.bench.rtu_slave PATH UNITS DEAD TURNAROUND_MS`, DEAD as `7,15` or `-`. Says
`ready`; when its input ends it prints its own books of the line as one JSON object.

Every unit has twenty 32-bit floats in two blocks of registers, 0 to 19 and 100 to 119. A float
says which read it was served in, by which unit, and which of the twenty it is (`stamp`), so that
a subscriber can tell lost, repeated and wrong values exactly.
"""

from __future__ import annotations

import json
import statistics
import struct
import sys
from collections import Counter
from pathlib import Path

from simulators.clock import WallClock
from simulators.faults import Faults
from simulators.frames import FRAMINGS, Asked
from simulators.line import SerialLine
from simulators.units import Outgoing, Units
from simulators.wire import Books, LineTiming
from tests.bench.stamp import MAX_READS, stamp

BAUD = 9600
BITS_PER_CHAR = 11
BLOCKS = (0, 100)
BLOCK_REGISTERS = 20
_FLOATS = struct.Struct(">10f")
_QUESTION = struct.Struct(">BHH")
_READ_HOLDING = 3


class Meters(Units):
    """The units of the line; those that are dead are not there at all."""

    def __init__(self, alive: frozenset[int], turnaround_s: float) -> None:
        super().__init__(FRAMINGS["modbus-rtu"], (), WallClock(), Faults())
        self.turnaround_s = turnaround_s
        self.asked: Counter[int] = Counter()
        """Requests by unit, also those that nobody answered."""
        self._alive = alive

    def respond(self, asked: Asked) -> Outgoing | None:
        """Answer a read of registers within one block, refuse everything else."""
        self.asked[asked.unit] += 1
        if asked.unit not in self._alive:
            return None
        pdu = self._read(asked.unit, asked.pdu) or bytes((asked.pdu[0] | 0x80, 2))
        return Outgoing(self.turnaround_s, self.framing.wrap(asked, asked.unit, pdu))

    def _read(self, unit: int, pdu: bytes) -> bytes | None:
        if len(pdu) != _QUESTION.size or pdu[0] != _READ_HOLDING:
            return None
        _, address, count = _QUESTION.unpack(pdu)
        for place, block in enumerate(BLOCKS):
            if block <= address and address + count <= block + BLOCK_REGISTERS:
                self.answered = (self.answered + 1) % MAX_READS
                first = 10 * place
                words = _FLOATS.pack(
                    *(stamp(self.answered, unit, first + index) for index in range(10))
                )
                body = words[2 * (address - block) :][: 2 * count]
                return bytes((_READ_HOLDING, len(body))) + body
        return None


def main(path: Path, units: int, dead: frozenset[int], turnaround_s: float) -> None:
    """Run the line until the input ends."""
    meters = Meters(frozenset(range(1, units + 1)) - dead, turnaround_s)
    timing = LineTiming(baud=BAUD, bits_per_char=BITS_PER_CHAR)
    with SerialLine(path, timing, meters) as line:
        _say("ready")
        sys.stdin.read()
        books = line.books
    _say(json.dumps(_row(books, meters, dead)))


def _row(books: Books, meters: Meters, dead: frozenset[int]) -> dict[str, object]:
    idle = [seconds * 1000 for seconds in books.idle_s] or [0.0]
    return {
        "requests": books.requests,
        "replies": books.replies,
        "early": books.early,
        "collisions": books.collisions,
        "damaged": books.damaged,
        "requests_to_dead": sum(meters.asked[unit] for unit in dead),
        "idle_least_ms": min(idle),
        "idle_median_ms": statistics.median(idle),
        "idle_mean_ms": statistics.fmean(idle),
        "idle_p95_ms": sorted(idle)[len(idle) * 95 // 100],
    }


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _units(text: str) -> frozenset[int]:
    return frozenset(map(int, text.split(","))) if text != "-" else frozenset()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), _units(sys.argv[3]), float(sys.argv[4]) / 1000)
