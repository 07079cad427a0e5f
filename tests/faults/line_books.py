"""The three books of a line of simulated meters in virtual time (`tests/bus/modbus_line.py`).

Served is what the meters put on the wire, each value with the time of its last bit; committed is
what the line handed on; both ends of an exchange are known, so a value must have been served
between its request and its reply. What is not told at all, good or bad, in its period is `missed`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from gateway.model.reading import Value
from gateway.model.sample import Samples
from tests.bus.modbus_line import Meter, Output
from tests.faults.audit import Audit, audit
from tests.faults.books import ReceivedBook
from tests.support.virtual_time import EPOCH_MS

SLACK_S = 0.002
EP = 1


class ServedByMeters:
    """The book of what meters `em-NN` with points `rN` served."""

    def __init__(self, meters: Sequence[Meter], spans: dict[tuple[str, int], int]) -> None:
        """Take the meters, and when the exchange of each (device, taken_ms) began."""
        self._meters = {f"em-{meter.unit:02}": meter for meter in meters}
        self._spans = spans
        self._ends: dict[tuple[str, int], list[float]] = {}
        for name, meter in self._meters.items():
            for register, served in meter.served.items():
                served.sort(key=lambda each: each.ended_at)
                self._ends[name, register] = [each.ended_at for each in served]

    def knows(self, device: str, point: str) -> bool:
        """Whether it is a register of a meter."""
        return device in self._meters and point[1:].isdecimal()

    def holds(self, device: str, point: str, value: Value, span: tuple[int, int]) -> bool:
        """Whether the register went over the wire with this value within the exchange."""
        begun = (self._spans[device, span[1]] - EPOCH_MS) / 1000 - SLACK_S
        taken = (span[1] - EPOCH_MS) / 1000 + SLACK_S
        served = self._meters[device].served.get(int(point[1:]), [])
        first = bisect_left(self._ends.get((device, int(point[1:])), []), begun)
        for each in served[first:]:
            if each.ended_at > taken:
                return False
            if each.value == value and each.asked_at >= begun:
                return True
        return False


def line_audit(output: Output, meters: Sequence[Meter]) -> Audit:
    """Compare what the line handed on with what the meters served."""
    received, spans = ReceivedBook(), dict[tuple[str, int], int]()
    for seq, samples in enumerate(output.samples, 1):
        key = (samples.device, samples.taken_ms)
        spans[key] = min(spans.get(key, samples.begun_ms), samples.begun_ms)
        received.take_record("prop", _record(seq, samples))
    return audit(ServedByMeters(meters, spans), None, received, span_ms=0, slack_ms=0)


def _record(seq: int, samples: Samples) -> dict[str, object]:
    if samples.fault is not None:
        bad = {"q": 0, "qr": samples.fault}
        points = [{"p": point, "v": None, **bad} for point in samples.points]
    else:
        pairs = zip(samples.points, samples.raw, strict=True)
        points = [{"p": point, "v": value} for point, value in pairs]
    head = {"ep": EP, "seq": seq, "pv": seq - 1, "dev": samples.device}
    return {**head, "ts": samples.taken_ms, "tq": samples.tq, "pts": points}


def faults_told(output: Output) -> Counter[str]:
    """Return why samples brought nothing, counted."""
    return Counter(samples.fault for samples in output.samples if samples.fault is not None)
