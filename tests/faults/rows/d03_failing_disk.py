"""D3: a disk that fails: an ext4 that turns read-only, and a disk whose writes fail for a while."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tests.e2e.kit_gateway import until
from tests.e2e.kit_platform import Message
from tests.faults.audit import audit
from tests.faults.books import ReceivedBook
from tests.faults.contract import Row, Stage, Verdict, holds, not_here
from tests.faults.disk_shim import NoShim, Shim, make_shim
from tests.faults.power_cut import Disk, NoDisk
from tests.faults.power_house import UNITS, House, events, house
from tests.support.gateway_process import GatewayProcess

LIVE_SHARE = 0.99


def run(stage: Stage) -> Verdict:
    """Let it fail both ways; live delivery goes on, and both are told."""
    try:
        shim = make_shim(stage.folder, stage.folder / "eio" / "state")
        wrote = _writes_fail(stage, shim)
        turned = _turns_read_only(stage)
    except (NoShim, NoDisk) as why:
        return not_here(str(why))
    return holds(
        f"live delivery with failing writes {wrote:.2%}, with a read-only ext4 {turned:.2%}; "
        "told by store_refused; no restart, the ext4 needs one to be used again",
        eio_share=wrote,
        read_only_share=turned,
    )


def _writes_fail(stage: Stage, shim: Shim) -> float:
    """Return the share of live records that came while writes failed."""
    with house(shim.prefix.parent) as at:
        with at.gateway(environment=shim.environment()) as gateway:
            gateway.wait_ready()
            at.received(50)
            shim.say("eio")
            share = _live_share(at, gateway, stage)
            shim.say("")
            until(lambda: events(at.platform, "store_refused", "cleared"), "told that it is over")
            at.received(50)
            assert gateway.stop() == 0
        found = audit(at.slave, None, ReceivedBook.of(at.platform.so_far()))
    assert found.false == 0, found.sentence()
    assert not found.untold, found.sentence()
    return share


def _turns_read_only(stage: Stage) -> float:
    base = stage.folder / "ro"
    base.mkdir()
    disk = Disk(base / "disk.img", base / "state", options="errors=remount-ro")
    with disk, house(base) as at:
        with at.gateway() as gateway:
            gateway.wait_ready()
            at.received(50)
            _break(base / "state")
            share = _live_share(at, gateway, stage)
            assert gateway.stop() in (0, 1)
        disk.come_back()
        at.deliver()  # used again, and what was committed before is still there
        found = audit(at.slave, None, ReceivedBook.of(at.platform.so_far()))
    assert found.false == 0, found.sentence()
    assert not found.untold, found.sentence()
    return share


def _live_share(at: House, gateway: GatewayProcess, stage: Stage) -> float:
    """Return how many of the reads that the field served from now on reach the subscriber live."""
    until(lambda: events(at.platform, "store_refused"), "told that the disk refuses")
    came = len(at.platform.messages)
    at.received(stage.times(2000, 200))
    assert gateway.process.poll() is None, "it ended"
    got = missing = 0
    for unit in range(1, UNITS + 1):
        counts = _counts(at.platform.messages[came:], f"em-{unit}")
        assert len(counts) > 10, "live values come"
        got += len(counts)
        # Between two reads of the dense block lies one of the alarm bits, or none.
        missing += sum(max(0, later - one - 2) for one, later in pairwise(counts))
    share = got / (got + missing)
    assert share >= LIVE_SHARE, f"{missing} reads are missing among {got}"
    return share


def _counts(messages: Sequence[Message], device: str) -> list[int]:
    """Return the numbers of the dense reads that came live, in order."""
    return sorted(
        {
            entry["v"]
            for message in messages
            if message.kind == "prop" and message.device == device and not message.body.get("snap")
            for entry in message.body["pts"]
            if entry["p"] == "p0" and isinstance(entry.get("v"), int)
        }
    )


def _break(folder: Path) -> None:
    found = subprocess.run(
        ["findmnt", "-n", "-o", "SOURCE", str(folder)], check=True, capture_output=True, text=True
    )
    switch = Path("/sys/fs/ext4") / Path(found.stdout.strip()).name / "trigger_fs_error"
    if not switch.exists():
        raise NoDisk("no trigger_fs_error in this kernel")
    switch.write_text("1", encoding="utf-8")


ROW = Row(
    id="D3",
    fault="writes fail (EIO) for a while; an ext4 turns read-only",
    tool="LD_PRELOAD shim; trigger_fs_error of ext4 with errors=remount-ro",
    must_hold="live delivery goes on, store_refused is told, it goes on when it can be written",
    goal="live delivery >= 99 %",
    run=run,
    has_short=False,
)
