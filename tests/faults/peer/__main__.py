"""The storage class of a peer and our outbox under the same faults, in one run.

    python -m tests.faults.peer [--python PEER/bin/python] [--out FOLDER]

Without `--python` it makes a throw-away environment outside the repository and installs the peer
(thingsboard-gateway) from the package index there; it is never a dependency. Both get twenty rounds
of kill -9 at about a thousand messages a second, and a disk of 2 MiB that becomes full. A message
counts as accepted when the call that stores it says so.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from gateway import __version__ as our_version
from gateway.ops.clock import SystemClock
from tests.faults.audit import Audit
from tests.faults.sabotage.builds import HONEST
from tests.faults.sabotage.lives import Lives

PACKAGE = "thingsboard-gateway"
ROUNDS = 20
RATE = 1000
MOST_LIFE_S = 1.5
SMALL = "2m"
ON_SMALL = 13_000
OURS_ON_SMALL = 80_000
"""Our rows are compressed: so many more records until the same disk is full."""
PROCESS = Path(__file__).with_name("storage_process.py")


@dataclass
class Told:
    """What a store was given and gave back."""

    accepted: set[str] = field(default_factory=set[str])
    refused: int = 0
    given_back: set[str] = field(default_factory=set[str])
    rounds_with_loss: int = 0
    told: int = 0
    """Lost, but told by a gap record."""

    @property
    def lost(self) -> int:
        """Accepted and never given back, nor told."""
        return len(self.accepted - self.given_back) - self.told


class Peer:
    """The peer's class in a process of its own environment."""

    def __init__(self, python: Path) -> None:
        """Take the interpreter that has it installed."""
        self._python = python

    @classmethod
    def installed(cls, folder: Path) -> Peer:
        """Install it into a throw-away environment in this folder."""
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        python = folder / "bin" / "python"
        words = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE)
        subprocess.run([str(python), *words], check=True)
        return cls(python)

    def version(self) -> str:
        """Return which one it is."""
        code = f"from importlib.metadata import version; print(version('{PACKAGE}'))"
        done = subprocess.run(
            [self._python, "-c", code], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def run(self, folder: Path, *words: str, kill_after_s: float | None, told: Told) -> None:
        """Run it to its end, or kill it after so long."""
        command = [str(self._python), str(PROCESS), str(folder), *words]
        with tempfile.TemporaryFile() as said:
            with subprocess.Popen(command, stdout=said) as process:
                if kill_after_s is None:
                    process.wait(180.0)
                else:
                    _wait_for_bytes(said.fileno(), process)
                    time.sleep(kill_after_s)  # the random moment
                    process.kill()
            said.seek(0)
            _take(said.read(), told)


def _wait_for_bytes(file: int, process: subprocess.Popen[bytes]) -> None:
    while os.fstat(file).st_size == 0 and process.poll() is None:
        time.sleep(0.01)


def _take(said: bytes, told: Told) -> None:
    for line in said[: said.rfind(b"\n") + 1].decode().splitlines():
        kind, _, message = line.partition(" ")
        if kind == "A":
            told.accepted.add(message)
        elif kind == "F":
            told.refused += 1
        else:
            told.given_back.add(message)


def peer_kills(peer: Peer, base: Path, chance: Random) -> Told:
    """Kill it so often at random moments; after each kill take out what is there."""
    told = Told()
    for number in range(ROUNDS):
        folder = base / f"peer-{number}"
        folder.mkdir()
        one = Told()
        life_s = chance.uniform(0.3, MOST_LIFE_S)
        peer.run(folder, "put", str(RATE), kill_after_s=life_s, told=one)
        peer.run(folder, "drain", kill_after_s=None, told=one)
        told.accepted |= one.accepted
        told.given_back |= one.given_back
        told.rounds_with_loss += one.lost > 0
    return told


def our_kills(base: Path, chance: Random) -> Told:
    """Do the same to the outbox."""
    told = Told()
    for number in range(ROUNDS):
        lives = Lives(HONEST, base / f"ours-{number}")
        promises = int(RATE * chance.uniform(0.3, MOST_LIFE_S))
        lives.live("--records", "100000", "--deaf", "--rate", str(RATE), kill_after=promises)
        lives.live()
        _add(told, f"{number}", lives.audited())
    return told


def _add(told: Told, name: str, found: Audit) -> None:
    """Count an audit of ours in the same way."""
    told.accepted |= {f"{name}:{n}" for n in range(found.committed)}
    back = found.committed - len(found.lost) - len(found.told)
    told.given_back |= {f"{name}:{n}" for n in range(back)}
    told.told += len(found.told)
    told.rounds_with_loss += bool(found.lost)


def peer_full_disk(peer: Peer, folder: Path, roomy: Path) -> Told:
    """Give it more than the disk holds; then take out what is there, from a copy with room."""
    told = Told()
    peer.run(folder, "put", str(4 * RATE), str(ON_SMALL), kill_after_s=None, told=told)
    shutil.copytree(folder, roomy)
    peer.run(roomy, "drain", kill_after_s=None, told=told)
    return told


def our_full_disk(folder: Path) -> Told:
    """Do the same to the outbox."""
    told = Told()
    lives = Lives(HONEST, folder / "state")
    lives.live("--records", str(OURS_ON_SMALL), "--deaf")
    lives.live()
    _add(told, "full", lives.audited())
    return told


@contextmanager
def small_disk(folder: Path) -> Generator[Path]:
    """Mount a disk of 2 MiB; needs root."""
    folder.mkdir()
    options = ("-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs")
    subprocess.run(["mount", *options, str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def main(words: Sequence[str] | None = None) -> int:
    """Print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, help="an interpreter that has the peer")
    parser.add_argument("--out", type=Path, default=Path("build/faults"))
    parser.add_argument("--disk-only", action="store_true", help="leave the kills out")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="linli-peer-") as name:
        base = Path(name)
        peer = Peer(given.python) if given.python else Peer.installed(base / "environment")
        chance = Random(given.seed)  # noqa: S311 - repeatable
        rows: list[tuple[str, Told, Told]] = []
        if not given.disk_only:
            kills = peer_kills(peer, base, chance), our_kills(base, chance)
            rows.append((f"kill -9, {ROUNDS} rounds", *kills))
        with small_disk(base / "small-peer") as disk:
            theirs = peer_full_disk(peer, disk, base / "roomy-peer")
        with small_disk(base / "small-ours") as disk:
            rows.append((f"disk of {SMALL}iB full", theirs, our_full_disk(disk)))
        day = time.strftime("%Y-%m-%d", time.gmtime(SystemClock(lambda: True).now_ms() / 1000))
        text = "\n".join(_table(rows, f"{PACKAGE} {peer.version()}", day)) + "\n"
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "peer.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 0


def _table(rows: Sequence[tuple[str, Told, Told]], peer: str, day: str) -> list[str]:
    lines = [
        f"Run on {day}, Python {sys.version.split()[0]}.",
        "",
        "| fault | store | accepted | given back | told as gone | lost without a word | rounds |",
        "|---|---|---|---|---|---|---|",
    ]
    for fault, theirs, ours in rows:
        for store, told in ((f"{peer}, SQLite storage", theirs), (f"ours {our_version}", ours)):
            lines.append(
                f"| {fault} | {store} | {len(told.accepted):,} | {len(told.given_back):,} | "
                f"{told.told:,} | {told.lost:,} | {told.rounds_with_loss} |"
            )
    return lines


if __name__ == "__main__":
    sys.exit(main())
