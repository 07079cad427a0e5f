"""kill -9 under load with a real mosquitto: nothing committed is lost, copies are equal.

`make test` kills ten times; the fifty of the issue: `python -m tests.e2e.test_kill_nine 50 [seed]`,
or the environment variable LINLI_KILLS. After every kill the dead gateway's store is copied and
read by itself, so that what was committed is known from the disk and not from the gateway's word.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import pytest

from tests.e2e.kit_gateway import depth, until, write_profile, write_site
from tests.e2e.kit_platform import Platform
from tests.e2e.kit_slave import Slave
from tests.e2e.kit_store import stored_records
from tests.support.gateway_process import Folders, GatewayProcess
from tests.support.mosquitto import mosquitto

KILLS = int(os.environ.get("LINLI_KILLS", "10"))
UNITS = 8
LONGEST_LIFE_S = 1.5
EARLY_SHARE = 0.2
"""Part of the kills that come while the gateway is still starting."""
PROFILE = """\
version: 1
profile: e2e/load
vendor: test
model: load
title: {en: Load, zh: 负荷}
kind: meter.electricity
driver: modbus
verified: true
sources: [made for the test]
groups: {power: 50ms, state: 200ms}
defaults: {group: power, pii: P0, level: L1}
points:
  count: {register: 0, type: u32, unit: V, value: int}
  twice: {register: 2, type: u32, unit: V, value: int}
  odd:
    table: discrete
    register: 0
    group: state
    value: bool
    priority: alarm
    events: [{type: odd, severity: 2, when: {equals: true}}]
"""
SITE = """\
version: 1
gateway: {{id: gw-kill, site: e2e, clock: trusted}}
store: {{commit_every: 200ms}}
defaults: {{timeout: 2s, retries: 0}}
sinks:
  platform: {{url: "mqtt://127.0.0.1:{broker}"}}
buses:
  tcp: {{tcp: "127.0.0.1:{slave}", in_flight: 4}}
devices:
  - {{id: "em-{{n}}", each: {{n: 1..{units}}}, profile: e2e/load, bus: tcp, address: "{{n}}"}}
"""
Identity: TypeAlias = tuple[int, int]


class Load(Slave):
    """Counters that go up at every read, a second one that is always twice the first."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[int, int] = {}
        self.before_read = self._count

    def _count(self, unit: int) -> None:
        count = self._counts[unit] = self._counts.get(unit, 0) + 1
        self.put(unit, 0, count >> 16, count, 2 * count >> 16, 2 * count)
        self.put_bit(unit, 0, is_on=count // 32 % 2 == 1)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a record says, whichever way it came."""

    device: str
    ts_ms: int
    values: tuple[tuple[str, object], ...]


@dataclass(slots=True)
class Tally:
    """What the disk held after each kill."""

    committed: dict[Identity, Kept] = field(default_factory=dict[Identity, Kept])
    kills: int = 0
    early: int = 0

    def take(self, records: list[dict[str, Any]]) -> None:
        """Take all that is stored; a record must be the same whenever it is seen."""
        for shown in records:
            points = shown.get("pts", {})
            values = tuple((point, entry["v"]) for point, entry in points.items())
            kept = Kept(shown["dev"], shown["ts"], values)
            assert self.committed.setdefault((shown["ep"], shown["seq"]), kept) == kept


def kill_many(base: Path, kills: int, seed: int) -> dict[str, int]:
    """Kill the gateway so often under load; return figures. Raises AssertionError."""
    chance, tally = Random(seed), Tally()  # noqa: S311 - repeatable
    write_profile(base, "e2e/load", PROFILE)
    with (
        mosquitto(base, "max_inflight_messages 0") as broker,
        Load() as slave,
        Platform(broker.port) as platform,
    ):
        site = write_site(base, SITE.format(broker=broker.port, slave=slave.port, units=UNITS))
        for _ in range(kills):
            _one_life(site, base, chance, tally)
            tally.take(stored_records(base / "state"))
        with GatewayProcess(site, Folders(base)) as gateway:
            gateway.wait_ready()
            until(lambda: depth(gateway) < 2 * UNITS, "the arrears are delivered")
            assert gateway.stop() == 0
        tally.take(stored_records(base / "state"))
        platform.wait(
            lambda: not tally.committed.keys() - _received(platform).keys(), "all committed ones"
        )
        _judge(platform, tally)
        return {
            "kills": tally.kills,
            "early": tally.early,
            "committed": len(tally.committed),
            "received": platform.auditor.received,
            "lost": platform.auditor.lost,
            "duplicate": platform.auditor.duplicates,
            "unequal": platform.auditor.conflicts,
        }


def _one_life(site: Path, base: Path, chance: Random, tally: Tally) -> None:
    with GatewayProcess(site, Folders(base)) as gateway:
        is_early = chance.random() < EARLY_SHARE
        if not is_early:
            gateway.wait_ready()
        time.sleep(chance.uniform(0.0, LONGEST_LIFE_S))  # the random moment
        gateway.kill()
        tally.kills += 1
        tally.early += is_early


def _received(platform: Platform) -> dict[Identity, dict[str, Any]]:
    return {(record["ep"], record["seq"]): record for record in platform.records()}


def _judge(platform: Platform, tally: Tally) -> None:
    received = _received(platform)
    assert received.keys() == tally.committed.keys(), "committed before sent, and all sent"
    for identity, kept in tally.committed.items():
        record = received[identity]
        values = tuple((entry["p"], entry.get("v")) for entry in record.get("pts", ()))
        assert (record["dev"], record["ts"]) == (kept.device, kept.ts_ms)
        if kept.values:
            assert values == kept.values, identity
    auditor = platform.auditor
    assert (auditor.lost, auditor.conflicts, auditor.unreadable) == (0, 0, 0)
    assert len({ep for ep, _ in received}) == 1, "no kill cost the store"
    seqs = sorted(seq for _, seq in received)
    assert seqs == list(range(1, len(seqs) + 1)), "one counter without a hole"
    for unit in range(1, UNITS + 1):
        _judge_counters([r for _, r in sorted(received.items()) if r["dev"] == f"em-{unit}"])


def _judge_counters(records: list[dict[str, Any]]) -> None:
    """Hold that one device's counters go up in the order of the seqs, and belong together."""
    counts: list[int] = []
    for record in records:
        values = {entry["p"]: entry.get("v") for entry in record.get("pts", ())}
        if values.get("count") is None:
            continue
        assert values["twice"] == 2 * values["count"]
        if not record.get("snap"):
            counts.append(values["count"])
    assert counts == sorted(set(counts))
    assert counts


@pytest.mark.slow
@pytest.mark.timeout(60 + 30 * KILLS)
def test_kill_9_under_load_loses_nothing_committed(tmp_path: Path) -> None:
    figures = kill_many(tmp_path, KILLS, seed=9)
    assert figures["kills"] == KILLS
    assert figures["committed"] > 10 * KILLS, "there was load"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="linli-kills-") as here:
        count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
        chosen = int(sys.argv[2]) if len(sys.argv) > 2 else 9
        sys.stdout.write(json.dumps(kill_many(Path(here), count, chosen)) + "\n")
