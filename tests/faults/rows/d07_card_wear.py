"""D7: what a card has to take: all bytes that reach the device, the file system's included."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId, SinkName
from gateway.model.reading import PointColumn
from gateway.model.record import PropBody, Record
from gateway.ops.clock import SystemClock
from gateway.outbox.outbox import Outbox
from gateway.settings.site import Store
from tests.faults.contract import Row, Stage, Verdict, holds, not_here

SECTOR_BYTES = 512
PER_READING_BYTES = 500
PER_COMMIT_BYTES = 10_000
VALUES = 10
WARM_UP_COMMITS = 150
"""Until the log has grown to its size, which happens once in a life; then it is overwritten."""


@dataclass(frozen=True, slots=True)
class Load:
    """Readings in each commit, which stands for one second."""

    readings: int

    def allowed(self) -> float:
        """Return the bytes that one commit may cost."""
        return max(PER_COMMIT_BYTES, PER_READING_BYTES * self.readings)


LOADS = (Load(1), Load(20), Load(100), Load(1000))


def run(stage: Stage) -> Verdict:
    """Commit on an ext4 of its own, with every load, and count the sectors written."""
    figures: dict[str, float] = {}
    for load in LOADS:
        folder = stage.folder / f"load{load.readings}"
        folder.mkdir()
        try:
            with _ext4(folder) as device:
                commits = stage.times(600, 120)
                written = asyncio.run(_commit(folder / "mounted", device, load, commits))
        except PermissionError as why:
            return not_here(f"ext4 on a loop device: {why}")
        per_commit = written / commits
        assert per_commit <= load.allowed(), (
            f"{load.readings} readings a commit cost {per_commit:.0f} bytes"
        )
        figures[f"bytes_per_commit_of_{load.readings}"] = round(per_commit)
    said = ", ".join(
        f"{load.readings}/s: {figures[f'bytes_per_commit_of_{load.readings}']:.0f} B a commit"
        for load in LOADS
    )
    return holds(said, **figures)


async def _commit(folder: Path, device: str, load: Load, commits: int) -> int:
    """Return the bytes that the device was given for so many commits."""
    chance = Random(7)  # noqa: S311 - repeatable
    column = PointColumn(tuple(PointId(f"u_{i}") for i in range(VALUES)), ("V",) * VALUES)
    one = PointColumn((PointId("u_a"),), ("V",))
    clock = SystemClock(lambda: True)
    outbox = Outbox.open(folder / "outbox", Store(), clock, (SinkName("platform"),))
    async with outbox:
        before = 0
        for number in range(WARM_UP_COMMITS + commits):
            if number == WARM_UP_COMMITS:
                _sync(folder)
                before = _written(device)
            few = load.readings < VALUES
            count = load.readings if few else load.readings // VALUES
            records = [
                Record(
                    DeviceId(f"em-{(number * count + each) % 200}"),
                    clock.now_ms(),
                    TimeQuality.SYNC,
                    PropBody(
                        one if few else column,
                        tuple(round(chance.gauss(230, 3), 1) for _ in range(1 if few else VALUES)),
                        None,
                    ),
                )
                for each in range(count)
            ]
            await outbox.append(records)
        _sync(folder)
        return _written(device) - before


def _written(device: str) -> int:
    stat = Path(f"/sys/block/{Path(device).name}/stat").read_text(encoding="ascii").split()
    return int(stat[6]) * SECTOR_BYTES


def _sync(folder: Path) -> None:
    subprocess.run(["sync", "-f", str(folder)], check=True)


@contextmanager
def _ext4(folder: Path) -> Generator[str]:
    """Mount a fresh ext4 at `mounted`; PermissionError where this machine does not let us."""
    image, mounted = folder / "image", folder / "mounted"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(256 << 20)
    made = subprocess.run(["mkfs.ext4", "-q", str(image)], check=False, capture_output=True)
    if made.returncode:
        raise PermissionError(made.stderr.decode().strip())
    loop = subprocess.run(
        ["losetup", "--find", "--show", str(image)], check=False, capture_output=True, text=True
    )
    if loop.returncode:
        raise PermissionError(loop.stderr.strip())
    device = loop.stdout.strip()
    try:
        done = subprocess.run(["mount", device, str(mounted)], check=False, capture_output=True)
        if done.returncode:
            raise PermissionError(done.stderr.decode().strip())
        try:
            yield device
        finally:
            subprocess.run(["umount", str(mounted)], check=True)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)


ROW = Row(
    id="D7",
    fault="a card that wears out",
    tool="ext4 on a loop device, sectors written as the kernel counts them",
    must_hold="a commit each second costs little, the file system's journal included",
    goal="<= 0.5 kB a reading from 20 readings/s up, below that <= 10 kB a commit",
    run=run,
)
