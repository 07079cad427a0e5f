"""How many polls stay on time while a platform sends 10,000 messages a second."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from gateway.commands.audit import Entry, faults
from tests.bench import parts
from tests.bench.parts import Ask
from tests.e2e.kit_gateway import sink_status, status
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_slave import Slave
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import mosquitto

RATE = 10_000
UNITS = 40
PERIOD_S = 1.0
LATE = 0.25
"""A poll that comes later than this part of its period after it was due is not on time."""
SETTLE_S = 1.0
SITE = """\
version: 1
gateway: {{id: gw-flood, site: bench, clock: trusted}}
defaults: {{timeout: 1s, retries: 0}}
sinks: {{platform: {{url: "mqtt://127.0.0.1:{broker}"}}}}
buses: {{tcp: {{tcp: "127.0.0.1:{slave}"}}}}
devices:
{devices}
commands: {{allow: [{{device: "m-*", points: [v01], ops: [set, read]}}]}}
"""


@dataclass(frozen=True, slots=True)
class Phase:
    """What was seen of the polls, quiet or flooded."""

    seconds: float
    on_time: float
    """Share of the polls that were due."""
    cpu: float
    """CPU seconds of the gateway in each second."""
    offered: float
    """Messages that the flood sent in each second."""
    arrived: float
    """Messages in each second that reached the gateway; the broker keeps back the others."""


@dataclass(frozen=True, slots=True)
class FloodRun:
    """Quiet and flooded in turn, so that what else the machine does weighs on both."""

    quiet: list[Phase]
    flooded: list[Phase]
    entries: int
    """Audit entries of the whole run."""
    counted: int
    """Messages that those entries tell of by counts only."""
    faults: list[str]
    """Of the audit chain."""

    @property
    def share(self) -> float:
        """Polls on time in the flood, for each one that was on time without."""
        return sum(p.on_time for p in self.flooded) / sum(p.on_time for p in self.quiet)


class Watch:
    """Notes when each unit is polled."""

    def __init__(self) -> None:
        self._times: defaultdict[int, list[float]] = defaultdict(list)

    def note(self, unit: int) -> None:
        """Take a poll."""
        self._times[unit].append(time.monotonic())

    def on_time(self, first: float, last: float) -> float:
        """Return the share of the polls due in a span that came and were not late."""
        good = 0
        for times in self._times.values():
            inside = [at for at in times if first <= at <= last]
            longest = PERIOD_S * (1 + LATE)
            good += sum(after - before <= longest for before, after in pairwise(inside))
        due = UNITS * int((last - first) / PERIOD_S - 1)
        return min(1.0, good / due)


def run(folder: Path, seconds: float, rounds: int = 1) -> FloodRun:
    """Poll quietly, then in a flood, for so long each, so many times."""
    folder.mkdir(parents=True)
    watch = Watch()
    quiet: list[Phase] = []
    flooded: list[Phase] = []
    with mosquitto(folder) as broker, Slave() as slave, Platform(broker.port) as platform:
        slave.before_read = watch.note
        site = _write_site(folder, broker.port, slave.port)
        with (
            parts.gateway_on(site, folder) as gateway,
            parts.child("flood_sender", broker.port, RATE) as process,
        ):
            platform.wait_for("prop")
            flood = Ask(process)
            for _ in range(rounds):
                quiet.append(_phase(gateway, watch, seconds, flood, "rest"))
                flooded.append(_phase(gateway, watch, seconds, flood, "go"))
            assert status(gateway)["faults"] == 0
        logs = [message.body for message in platform.of("log")]
    entries = [Entry(b["dev"], b["topic"], b["fields"]) for b in logs if "n" in b["fields"]]
    entries.sort(key=lambda entry: int(entry.fields["n"]))
    counted = sum(int(entry.fields.get("count", "0")) for entry in entries)
    return FloodRun(quiet, flooded, len(entries), counted, faults(entries))


def _phase(gateway: GatewayProcess, watch: Watch, seconds: float, flood: Ask, what: str) -> Phase:
    flood(what)
    time.sleep(SETTLE_S)
    before, arrived, sent = parts.spent(gateway), _arrivals(gateway), flood()
    first = time.monotonic()
    time.sleep(seconds)
    last = time.monotonic()
    after = parts.spent(gateway)
    return Phase(
        last - first,
        watch.on_time(first, last),
        (after.cpu_s - before.cpu_s) / (after.at_s - before.at_s),
        (flood() - sent) / (last - first),
        (_arrivals(gateway) - arrived) / (last - first),
    )


def _arrivals(gateway: GatewayProcess) -> int:
    sink: dict[str, Any] = sink_status(gateway)
    return sink["arrivals"] + sink["arrivals_dropped"]


def _write_site(folder: Path, broker: int, slave: int) -> Path:
    parts.write_profile(folder, f"{PERIOD_S * 1000:.0f}ms", [2 * place for place in range(20)])
    devices = "\n".join(
        f"  - {{id: m-{unit:02}, profile: bench/block20, bus: tcp, address: {unit}}}"
        for unit in range(1, UNITS + 1)
    )
    site = folder / "site.yaml"
    text = SITE.format(broker=broker, slave=slave, devices=devices)
    site.write_text(text, encoding="utf-8")
    return site
