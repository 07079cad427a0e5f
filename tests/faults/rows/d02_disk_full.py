"""D2: somebody else fills the disk under a gateway at work, and makes room again later."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.kit_gateway import until
from tests.faults.audit import audit
from tests.faults.books import ReceivedBook
from tests.faults.contract import Row, Stage, Verdict, holds, not_here
from tests.faults.power_alarms import PROFILE_WITH_ALARM, AlarmPlayer
from tests.faults.power_house import House, house
from tests.support.gateway_process import GatewayProcess

SIZES_MIB = (2, 4, 8)
BACK_S = 15.0
"""The store is tried again every five seconds."""


def run(stage: Stage) -> Verdict:
    """Fill disks of several sizes; count alarms and look for silent losses."""
    figures: list[str] = []
    alarms = lost = 0
    sizes = SIZES_MIB[1:2] if stage.is_short else SIZES_MIB
    for size in sizes:
        folder = stage.folder / f"{size}m"
        state = folder / "state"
        state.mkdir(parents=True)
        try:
            with _tmpfs(state, size):
                played, found = _fill(stage, folder, state)
        except PermissionError as why:
            return not_here(f"mount: {why}")
        alarms += played
        lost += found
        figures.append(f"{size} MiB")
    return holds(
        f"{', '.join(figures)}: {alarms} alarm changes on full disks, all received, "
        f"{lost} silent losses, no restart",
        alarms=alarms,
        lost=lost,
    )


def _fill(stage: Stage, folder: Path, state: Path) -> tuple[int, int]:
    """Return how many alarm changes were played and how many records are missing untold."""
    with house(folder, profile=PROFILE_WITH_ALARM) as at:
        with at.gateway() as gateway:
            gateway.wait_ready()
            at.received(50)
            player = AlarmPlayer(at)
            player.play(2)
            for _ in range(stage.times(5, 1)):
                _filled(at, gateway, player, state / "filler", stage.times(20, 6))
            assert gateway.stop() == 0
        found = audit(at.slave, None, ReceivedBook.of(at.platform.so_far()))
    assert not found.untold, f"{len(found.untold)} records vanished without a word"
    assert found.false == 0, found.sentence()
    return len(player.waits_s), len(found.untold)


def _filled(
    at: House, gateway: GatewayProcess, player: AlarmPlayer, filler: Path, changes: int
) -> None:
    """Fill the disk again and again while alarms come and go; then make room and see it used."""
    with filler.open("wb", buffering=0) as file:
        for _ in range(changes):
            _to_the_brim(file)
            player.play(1, every_s=0.2)
    filler.unlink()
    assert gateway.process.poll() is None, "it ended"
    database = filler.with_name("outbox") / "outbox.db-wal"
    before = database.stat().st_mtime_ns if database.exists() else 0
    until(
        lambda: database.exists() and database.stat().st_mtime_ns > before, "the store writes again"
    )
    at.received(50)


def _to_the_brim(file: object) -> None:
    for size in (1 << 16, 1 << 12, 1):
        while True:
            try:
                file.write(b"x" * size)  # type: ignore[attr-defined]
            except OSError:
                break


@contextmanager
def _tmpfs(folder: Path, size_mib: int) -> Generator[None]:
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "linli-full", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise PermissionError(done.stderr.strip())
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


ROW = Row(
    id="D2",
    fault="disk full at any write",
    tool="tmpfs of 2 to 8 MiB and a second writer",
    must_hold="no alarm lost, what is dropped is told, it stays up and recovers by itself",
    goal="0 alarms lost, 0 silent losses, 0 restarts",
    run=run,
)
