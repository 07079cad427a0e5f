"""What the receiving end costs: readings a second of one core, one copy and two."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.mosquitto import Mosquitto, mosquitto
from tests.support.receivers import Receiver, committed, fleet

GATEWAYS = 100
POINTS = 20
"""Values of a record, as of a three-phase meter."""
WAIT_S = 600.0
LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Run:
    """One fleet through one broker into one store."""

    records: int
    readings: int
    cpu_s: float
    """Of all copies together."""
    seconds: float
    """From the first publication until the last record was committed."""
    broker_cpu_s: float
    messages: int
    """That the broker took."""
    bytes_per_record: float
    """Of the store's file."""
    is_whole: bool
    """Whether every identity that was committed is there exactly once."""

    @property
    def readings_per_core(self) -> float:
        """Readings for a second of one core."""
        return self.readings / self.cpu_s

    @property
    def records_per_core(self) -> float:
        """Records for a second of one core."""
        return self.records / self.cpu_s


def run(folder: Path, records: int, *, copies: int = 1, points: int = POINTS) -> Run:
    """Publish so many records of each gateway as fast as the broker takes them; receive them."""
    folder.mkdir(parents=True)
    limits = ("max_inflight_messages 1000", "max_queued_messages 10000000")
    with mosquitto(folder, *limits) as broker, ExitStack() as stack:
        names = [f"copy-{number + 1}" for number in range(copies)]
        receivers = [
            stack.enter_context(Receiver(folder, broker.port, name, "--no-resend"))
            for name in names
        ]
        before = _cpu_s(broker)
        began = time.monotonic()
        did = fleet(
            broker.port,
            folder,
            *("--gateways", str(GATEWAYS), "--records", str(records), "--points", str(points)),
            *("--rate", "0", "--linger", "0"),
        )
        _all_came(receivers[0], int(did["records"]))
        seconds = time.monotonic() - began
        broker_cpu_s = _cpu_s(broker) - before
        summaries = [receiver.stop() for receiver in receivers]
        whole = receivers[0].identities() == list(committed(folder))
    return _of(summaries, did, whole, (seconds, broker_cpu_s), receivers[0].store)


def _of(
    summaries: list[dict[str, Any]],
    did: dict[str, Any],
    is_whole: bool,  # noqa: FBT001 - one of five facts
    spent: tuple[float, float],
    store: Path,
) -> Run:
    last = summaries[-1]
    return Run(
        records=last["records"],
        readings=last["readings"],
        cpu_s=sum(summary["cpu_s"] for summary in summaries),
        seconds=spent[0],
        broker_cpu_s=spent[1],
        messages=did["messages"],
        bytes_per_record=store.stat().st_size / last["records"],
        is_whole=is_whole and last["exactly_once"],
    )


def _all_came(receiver: Receiver, wanted: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while receiver.count() < wanted:
        assert time.monotonic() < deadline, f"{receiver.count()} of {wanted} came"
        time.sleep(LOOK_EVERY_S)


def _cpu_s(broker: Mosquitto) -> float:
    fields = Path(f"/proc/{broker.pid}/stat").read_text(encoding="ascii")
    user, system = fields.rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
