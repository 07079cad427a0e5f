"""What tests of M-Bus share: golden frames, a scripted meter, points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from drivers.contract import DriverError, Job, LineCost, Raw, Wanted
from drivers.mbus import DRIVER
from drivers.mbus.address import MbusAddress, MbusQuirks
from drivers.mbus.codec import Frame, encode
from drivers.mbus.telegram import VARIABLE

VECTORS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "drivers" / "mbus" / "vectors.yaml").read_text(encoding="utf-8")
)
GOOD = {v["id"]: bytes.fromhex(v["hex"]) for v in VECTORS if "refused" not in v}
MBUS = DRIVER.protocols["mbus"]
COST = LineCost(char_s=0.005, exchange_s=0.05)
NKE, FIRST, SECOND, ACK = "1040054516", "107b058016", "105b056016", b"\xe5"
HEAD = bytes.fromhex("785634122d2c0804")

Answer = bytes | DriverError


def records_of(body: str, **keys: Any) -> list[dict[str, Any]]:
    """Return what `decode` shows of records in a telegram of variable structure."""
    decoded = MBUS.decode(telegram(body, **keys), "response")
    assert decoded.ok, decoded.error
    return decoded.frame["records"]


def record_of(body: str) -> dict[str, Any]:
    """Return the only record."""
    (record,) = records_of(body)
    return record


def telegram(body: str, *, a: int = 5, number: int = 1, ci: int = VARIABLE) -> bytes:
    """Return a telegram of meter 12345678 with its access number."""
    octets = HEAD + bytes((number, 0, 0, 0)) + bytes.fromhex(body)
    return encode(Frame(0x08, a, ci, octets))


def points(*addresses: MbusAddress) -> tuple[Wanted, ...]:
    """Return wanted points with keys from 0."""
    return tuple(Wanted(key, address) for key, address in enumerate(addresses))


def readout(unit: object, *addresses: MbusAddress, quirks: MbusQuirks | None = None) -> Job:
    """Return the one job of a plan."""
    key = MBUS.parse_unit(unit)
    (job,) = MBUS.plan(key, points(*addresses), quirks or MbusQuirks(), COST)
    return job


def run(job: Job, answer: Callable[[bytes], Answer | None]) -> Sequence[Raw | None]:
    """Run a job against who answers; None is silence, at which the verdict is raised."""
    steps = job.steps()
    exchange = next(steps)
    while True:
        said = answer(exchange.request)
        if isinstance(said, DriverError):
            raise said
        reply = exchange.feed(said or b"")
        if reply is None:
            raise exchange.verdict()
        try:
            exchange = steps.send(reply)
        except StopIteration as finished:
            return finished.value


class Script:
    """Answers in their order, and remembers what was asked, in hexadecimal."""

    def __init__(self, *answers: Answer | None) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, request: bytes) -> Answer | None:
        self.asked.append(request.hex())
        return self._answers.pop(0)
