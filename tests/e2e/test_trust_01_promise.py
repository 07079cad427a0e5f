"""Trust 1, end to end: the sentence of the README is there, and every part of it is true.

The full figures are rows P1, D1, D2 of the fault matrix; here each part is measured once.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from simulators.clock import WallClock
from tests.e2e.kit_gateway import depth, status, until
from tests.e2e.kit_slave import Slave
from tests.e2e.kit_store import stored_records
from tests.faults.audit import Audit, audit
from tests.faults.books import ReceivedBook
from tests.faults.dense_load import PROFILE_TEXT
from tests.faults.power_alarms import PROFILE_WITH_ALARM, AlarmPlayer
from tests.faults.power_house import UNITS, House, house
from tests.support.gateway_process import GatewayProcess

README = Path(__file__).parents[2] / "README.md"
SENTENCE = (
    "What is committed is never lost, neither by a kill nor by a power cut; at most one second of "
    "telemetry is ever uncommitted and an alarm never is; and what must be dropped is dropped by "
    "rule and told by a gap record that is itself delivered."
)
UNCOMMITTED_MS = 1000
BUSY_MS = 1500
"""What a machine that runs all tests may add to the second: the reading waits for a processor."""
KILLS = 3
WORD = 0x10000
CALM = PROFILE_TEXT.replace("power: 50ms", "power: 100ms")


def test_the_promise_stands_in_the_readme() -> None:
    text = README.read_text(encoding="utf-8").split("## What it promises")[1]
    said = " ".join(text.replace(">", " ").split())
    assert said.startswith(SENTENCE)


@pytest.mark.slow
def test_committed_is_never_lost_and_one_second_at_most_is_not_committed(tmp_path: Path) -> None:
    with house(tmp_path, profile=CALM, settings={}) as at:
        for _ in range(KILLS):
            with at.gateway() as gateway:
                gateway.wait_ready()
                at.received(60)
                gateway.process.send_signal(signal.SIGSTOP)  # nothing is served behind this moment
                killed_ms = WallClock().now_ms()
                gateway.kill()
            at.note_stored()
            stored = stored_records(tmp_path / "state")
            for unit in range(1, UNITS + 1):
                late_ms = killed_ms - _first_uncommitted_ms(
                    at.slave.reads(f"em-{unit}"), f"em-{unit}", stored
                )
                assert late_ms <= UNCOMMITTED_MS + BUSY_MS, f"em-{unit}: {late_ms} ms uncommitted"
        at.deliver()
        found = at.judge()
    assert found.is_clean, found.sentence()


def test_an_alarm_waits_for_nothing(tmp_path: Path) -> None:
    """With a commit only once a minute an alarm is on disk at once, and delivered after it."""
    patient = {"store": "{commit_every: 60s, commit_readings: 100000}"}
    with house(tmp_path, profile=PROFILE_WITH_ALARM, settings=patient) as at:
        player = AlarmPlayer(at)
        for _ in range(KILLS):
            with at.gateway() as gateway:
                gateway.wait_ready()
                player.play(1)
                gateway.kill()
            at.note_stored()
        wanted = {a.identity for a in ReceivedBook.of(at.platform.so_far()).arrivals}
        assert wanted <= at.committed.entries.keys(), "nothing is sent that is not committed"
        at.deliver()
        found = at.judge()
    assert found.is_clean, found.sentence()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_dropped_is_told_by_a_gap_record_that_arrives(tmp_path: Path) -> None:
    """A store of one megabyte fills while the platform is away; the alarms all come."""
    small = {"store": "{quota: 1MB, commit_every: 200ms}"}
    with house(tmp_path, units=16, profile=PROFILE_WITH_ALARM, settings=small) as at:
        with at.gateway() as gateway:
            gateway.wait_ready()
            AlarmPlayer(at).play(1)
            at.broker.freeze()
            changes = _alarms_until_it_drops(at.slave, gateway)
            at.slave.silent.update(range(1, 17))  # so that there is an end of what waits
            at.broker.thaw()
            until(lambda: at.platform.of("gap"), "told")
            until(lambda: depth(gateway) == 0, "the arrears are delivered")
            assert gateway.stop() == 0
        at.note_stored()
        until(lambda: not _judged(at).lost, "what the broker has acknowledged has come")
        found = _judged(at)
    assert not found.lost, found.sentence()
    assert not found.untold, found.sentence()
    assert found.false == 0, found.sentence()
    assert found.told_gaps > 0
    came = [m for m in at.platform.of("event", "em-2") if m.body["type"] == "wet"]
    assert len({(m.body["ep"], m.body["seq"]) for m in came}) >= changes


def _judged(at: House) -> Audit:
    return audit(at.slave, at.committed, ReceivedBook.of(at.platform.so_far()))


def _alarms_until_it_drops(slave: Slave, gateway: GatewayProcess) -> int:
    """Change an alarm whenever more records wait, until the first are dropped; return how often."""
    changes = 0
    while (now := status(gateway))["outbox"]["lost"] == 0:
        changes += 1
        slave.put_bit(2, 1, is_on=changes % 2 == 1)
        enough: int = now["committed"] + 100
        until(lambda: status(gateway)["committed"] > enough, "more records wait")  # noqa: B023
    return changes


def _first_uncommitted_ms(
    reads: tuple[Sequence[int], Sequence[int]], device: str, stored: Sequence[Mapping[str, Any]]
) -> int:
    """Return when the first read was served that came after all committed ones of a device."""
    times, counts = reads
    newest: int = max(
        record["pts"]["p0"]["v"]
        for record in stored
        if record["dev"] == device and "p0" in record.get("pts", {})
    )
    assert newest < WORD // 2, "the counter has not gone round"
    later = [at for at, count in zip(times, counts, strict=True) if count > newest]
    return later[0] if later else times[-1]
