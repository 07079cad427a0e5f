"""R1: a day without the platform, with the power cut in the middle and again while it drains.

The receiver of `linli-sim platform` must end with every identity exactly once, and say so.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import Any

from tests.e2e.kit_gateway import status
from tests.faults.contract import Row, Stage, Verdict, holds, not_here
from tests.faults.power_cut import Disk, NoDisk
from tests.faults.uplink_backlog import backlog
from tests.faults.uplink_proxy import Proxy
from tests.faults.uplink_stage import GATEWAY, Scene, committed, settled
from tests.support.gateway_process import GatewayProcess
from tests.support.mosquitto import mosquitto
from tests.support.receivers import Receiver

DAY = 1_150_000
LIVE = 20
"""Records that are read while the platform is away, before and after the cut."""
DRAINED_S = 1800.0


def run(stage: Stage) -> Verdict:
    """Fill the store with a day, cut the power, let the platform return, cut again, and audit."""
    count = stage.times(DAY, 2_000)
    try:
        with (
            Scene(stage.folder) as scene,
            Disk(stage.folder / "disk.img", scene.state) as disk,
            mosquitto(stage.folder, "max_inflight_messages 0") as broker,
            Proxy(broker.port) as proxy,
            Receiver(stage.folder, broker.port) as receiver,
        ):
            backlog(scene.state, records=count, devices=scene.units)
            proxy.close()
            url = f"mqtt://127.0.0.1:{proxy.port}"
            with scene.gateway(url) as gateway:
                committed(gateway, LIVE)
                _cut(gateway, disk)
            with scene.gateway(url) as gateway:
                committed(gateway, LIVE)
                proxy.open()
                _wait(lambda: receiver.count() > count // 3, "a third of it has come")
                _cut(gateway, disk)
            with scene.gateway(url) as gateway:
                committed(gateway, LIVE)
                settled(gateway)
                last = status(gateway)["outbox"]["last_seq"]
                assert gateway.stop() == 0
            _wait(lambda: receiver.count() >= last, "all has come")
            rows = receiver.asked(
                "SELECT s.gw, s.ep, r.seq, r.body FROM record r JOIN stream s ON s.id = r.stream"
            )
            summary = receiver.stop()
            said = receiver.said[-1]
    except NoDisk as why:
        return not_here(str(why))
    return _judged(rows, summary, said, (count, last))


def _judged(
    rows: list[Any], summary: dict[str, Any], said: str, numbers: tuple[int, int]
) -> Verdict:
    count, last = numbers
    assert {(gateway, ep) for gateway, ep, _, _ in rows} == {(GATEWAY, rows[0][1])}
    seqs = sorted(seq for _, _, seq, _ in rows)
    twice = len(seqs) - len(set(seqs))
    missing = len(set(range(1, last + 1)) - set(seqs))
    # What stood in the store before the outage says by its value which record it is.
    old = [(seq, json.loads(body)["pts"][0]["v"]) for _, _, seq, body in rows if seq <= count]
    false = sum(value != seq - 1 for seq, value in old)
    figure = (
        f"{last:,} records, {missing} missing, {twice} twice, {false} false; "
        f"{summary['duplicates']:,} duplicates set aside; it says: {said}"
    )
    assert (missing, twice, false) == (0, 0, 0), figure
    assert summary["exactly_once"] is True, figure
    assert summary["records"] == len(seqs), figure
    assert "every identity exactly once" in said, figure
    return holds(figure, records=last, duplicates=summary["duplicates"], lost=missing, false=false)


def _cut(gateway: GatewayProcess, disk: Disk) -> None:
    """Cut the power: frozen first, else it finds a disk that refuses."""
    gateway.process.send_signal(signal.SIGSTOP)
    disk.cut()
    gateway.kill()
    disk.come_back()


def _wait(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DRAINED_S
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)


ROW = Row(
    id="R1",
    fault="platform away for 24 h, power cut in the middle and again while it drains",
    tool="closed TCP proxy; ext4 on a loop device, shutdown ioctl; store filled through the outbox",
    must_hold="the receiver ends with every identity exactly once, and says so",
    goal="0 of 1.15 M records missing, 0 twice, 0 false",
    run=run,
    has_short=False,  # tests/e2e/test_platform_07_receiver.py runs it
)
