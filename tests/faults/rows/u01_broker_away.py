"""U1: the broker was away for a day, and comes back to 1.15 million readings."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.kit_gateway import depth, sink_status, status
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.faults.uplink_alarms import Alarms
from tests.faults.uplink_archive import archive, entries
from tests.faults.uplink_backlog import backlog
from tests.faults.uplink_proxy import Proxy
from tests.faults.uplink_stage import Scene, percentile, settled, within
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import mosquitto

DAY = 1_150_000
DEVICES = 20
DRAINED_S, ALARM_S, LIVE_S = 600.0, 1.0, 10.0
RSS_MB = 20.0
LOOK_EVERY = 5
"""Alarms between two looks at the depth: asking costs the gateway time."""


@dataclass(slots=True)
class _Received:
    """What the archive holds, without a copy of it."""

    seqs: set[int] = field(default_factory=set[int])
    copies: int = 0
    old: int = 0
    false: int = 0
    gaps: int = 0

    def take(self, record: dict[str, object], values: list[dict[str, object]], last: int) -> None:
        """Take a record; the value of an old one says which it is."""
        seq = record["seq"]
        assert isinstance(seq, int)
        self.copies += seq in self.seqs
        self.seqs.add(seq)
        for entry in values:
            if entry["p"] == "old" and not record.get("snap") and seq <= last:
                self.old += 1
                self.false += entry.get("v") != seq - 1


def run(stage: Stage) -> Verdict:
    """Fill the store, let the broker return while alarms are raised, and watch it drain."""
    count = stage.times(DAY, 20_000)
    with (
        Scene(stage.folder, units=DEVICES) as scene,
        mosquitto(stage.folder, "max_inflight_messages 0") as broker,
        Proxy(broker.port) as proxy,
    ):
        backlog(scene.state, records=count, devices=DEVICES)
        proxy.close()
        file = stage.folder / "received"
        with scene.gateway(f"mqtt://127.0.0.1:{proxy.port}") as gateway:
            time.sleep(stage.times(60, 2))  # the outage, of which it knows
            before_mb, most_mb = _rss_mb(gateway), 0.0
            with archive(broker.port, file), Alarms(scene, broker.port) as alarms:
                proxy.open()
                opened = time.monotonic()
                live_s = alarms.wait_live() - opened
                drained_s = 0.0

                def goes_on(number: int) -> bool:
                    nonlocal most_mb, drained_s
                    most_mb = max(most_mb, _rss_mb(gateway))
                    is_look = number % LOOK_EVERY == LOOK_EVERY - 1 or stage.is_short
                    if not drained_s and is_look and depth(gateway) < DEVICES * 20:
                        drained_s = time.monotonic() - opened
                    return not drained_s or number < stage.times(100, 8)

                waits = alarms.play_while(goes_on, every_s=stage.times(10, 2) / 10)
                settled(gateway)
                last = status(gateway)["outbox"]["last_seq"]
                connects = sink_status(gateway)["connects"]
                assert gateway.stop() == 0
        got = _read(file, count)
    missing = len(set(range(1, last + 1)) - got.seqs)
    p50, p99, growth_mb = percentile(waits, 0.5), percentile(waits, 0.99), most_mb - before_mb
    figure = (
        f"{count:,} old readings drained in {drained_s:.0f} s, {missing} lost, {got.false} false, "
        f"{got.copies} twice; {len(waits)} alarms meanwhile: p50 {p50:.2f} s, p99 {p99:.2f} s; "
        f"live values after {live_s:.1f} s; RSS {before_mb:.0f} MB, growth {growth_mb:.1f} MB"
    )
    assert missing == 0, figure
    assert got.old == count, figure
    assert got.false == got.gaps == 0, figure
    assert connects == 1, f"{connects} connects; {figure}"
    within(stage, drained_s, DRAINED_S, f"drained; {figure}")
    within(stage, p99, ALARM_S, f"alarm p99; {figure}")
    within(stage, live_s, LIVE_S, f"live data; {figure}")
    assert growth_mb <= RSS_MB, figure
    return holds(
        figure,
        drained_s=drained_s,
        lost=missing,
        alarm_p50_s=p50,
        alarm_p99_s=p99,
        live_s=live_s,
        rss_growth_mb=growth_mb,
    )


def _read(file: Path, count: int) -> _Received:
    got = _Received()
    for _, payload in entries(file):
        body: dict[str, Any] = json.loads(payload) if payload else {}
        got.gaps += body.get("k") == "gap"
        for record in body.get("items", [body]):
            if isinstance(record.get("seq"), int):
                got.take(record, record.get("pts", []), count)
    return got


def _rss_mb(gateway: GatewayProcess) -> float:
    text = Path(f"/proc/{gateway.process.pid}/status").read_text(encoding="ascii")
    line = next(line for line in text.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


ROW = Row(
    id="U1",
    fault="broker away for 24 h",
    tool="closed TCP proxy before mosquitto; store filled through the outbox",
    must_hold="nothing lost, memory bounded, alarms and live values before the backlog",
    goal="1.15 M readings in 10 min, alarm p99 1 s, live within 10 s, RSS growth 20 MB, 0 lost",
    run=run,
)
