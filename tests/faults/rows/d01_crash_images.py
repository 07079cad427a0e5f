"""D1, second form: pictures of the disk as power cuts at any moment may leave them.

A disk that writes down every write and flush lies under the gateway's ext4. A picture is all that
was flushed before the cut and any part of what was written after. Each is mounted, which replays
the journal, and the store in it is read: whatever a subscriber had at that moment must be there.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from gateway.app.site import last_good
from tests.e2e.kit_platform import Message
from tests.e2e.kit_store import stored_records
from tests.faults.books import Identity
from tests.faults.contract import Row, Stage, Verdict, holds, not_here
from tests.faults.disk_log import Change, after_a_cut, changes_of
from tests.faults.power_cut import NoDisk
from tests.faults.power_house import house

SIZE = "32M"
LOOK_S = 0.005


@dataclass(frozen=True, slots=True)
class Seen:
    """How many messages the subscriber had at a moment."""

    at_s: float
    messages: int


def run(stage: Stage) -> Verdict:
    """Record a run, then look at pictures of it."""
    base, log = stage.folder / "base.img", stage.folder / "changes.log"
    try:
        with _logged_disk(stage.folder, base, log):
            seen, messages = _live(stage)
    except NoDisk as why:
        return not_here(str(why))
    changes = changes_of(log)
    first = next(n for n, change in enumerate(changes) if change.at_s >= seen[0].at_s)
    chance = Random(stage.seed)  # noqa: S311 - repeatable
    identities = [_identities(message) for message in messages]
    images = stage.times(1000, 12)
    lost_writes = checked = 0
    for _ in range(images):
        cut = chance.randrange(first, len(changes))
        at = bisect_right(seen, changes[cut - 1].at_s, key=lambda one: one.at_s) - 1
        had = set[Identity]().union(*identities[: seen[at].messages if at >= 0 else 0])
        lost_writes += _judge(stage.folder, base, (changes, cut, chance), had)
        checked += len(had)
    return holds(
        f"{images} images of {len(changes):,} changes, {lost_writes:,} writes lost in them; "
        f"{checked:,} records looked for, 0 lost, 0 stores that do not open",
        images=images,
        changes=len(changes),
        checked=checked,
        lost=0,
    )


def _live(stage: Stage) -> tuple[list[Seen], list[Message]]:
    """Run lives of the gateway, one killed in between; return what the subscriber had when."""
    seen: list[Seen] = []
    with house(stage.folder, units=2) as at:
        for _ in range(stage.times(5, 2)):
            with at.gateway() as gateway:
                gateway.wait_ready()
                until_s = time.monotonic() + stage.times(6, 2)
                while time.monotonic() < until_s:
                    count = len(at.platform.messages)
                    seen.append(Seen(time.monotonic(), count))
                    time.sleep(LOOK_S)
                gateway.process.send_signal(signal.SIGKILL)
                gateway.process.wait(20)
        return seen, at.platform.so_far()


def _identities(message: Message) -> set[Identity]:
    body = message.body
    records = body.get("items", [body])
    return {
        Identity(record.get("ep", body.get("ep")), record["seq"])
        for record in records
        if isinstance(record.get("seq"), int)
    }


def _judge(
    folder: Path, base: Path, moment: tuple[Sequence[Change], int, Random], had: set[Identity]
) -> int:
    """Hold one picture against what was known at its moment; return how many writes it lost."""
    image, state = folder / "image", folder / "picture"
    state.mkdir(exist_ok=True)
    _run("cp", "--sparse=always", str(base), str(image))
    lost = sum(1 for _ in after_a_cut(image, *moment))
    _run("mount", "-o", "loop", str(image), str(state))
    try:
        there = {Identity(one["ep"], one["seq"]) for one in stored_records(state)}
        kept = last_good.saved_copy(state)
        if kept is not None:
            assert kept.read_bytes() == (folder / "site.yaml").read_bytes(), "half a site is kept"
    finally:
        _run("umount", str(state))
    missing = had - there
    assert not missing, f"{len(missing)} of {len(had)} records are lost: {json.dumps(min(missing))}"
    return lost


@contextmanager
def _logged_disk(folder: Path, base: Path, log: Path) -> Generator[None]:
    """Mount an ext4 on `state` over a file that notes its changes; `base` is how it began."""
    live, mount, state = folder / "live.img", folder / "logged", folder / "state"
    mount.mkdir()
    state.mkdir()
    _run("truncate", "-s", SIZE, str(live))
    _run("mkfs.ext4", "-q", "-F", str(live))
    shutil.copyfile(live, base)
    words = [sys.executable, "-m", "tests.faults.disk_log", str(mount), str(live), str(log)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            if server.stdout.readline() != b"READY\n":
                raise NoDisk("no FUSE mount here")
            _run("mount", "-o", "loop", str(mount / "disk"), str(state))
            try:
                yield
            finally:
                _run("umount", str(state))
        finally:
            subprocess.run(["umount", str(mount)], check=False, capture_output=True)
            server.terminate()


def _run(*words: str) -> None:
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise NoDisk(f"{words[0]} is not installed") from error
    if done.returncode != 0:
        raise NoDisk(f"{' '.join(words)}: {done.stderr.strip()}")


ROW = Row(
    id="D1-images",
    fault="power cut at any write of the disk, any part of the unflushed writes lost",
    tool="a FUSE file that logs writes and flushes, under a loop device with ext4",
    must_hold="what was committed is in the store, and the store opens",
    goal="0 lost and 0 unopenable of 1000 images",
    run=run,
)
