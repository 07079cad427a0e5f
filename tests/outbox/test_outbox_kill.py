"""A process that is killed at random points: nothing committed is lost, identity stays equal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

from outbox_support import NORTH, ManualClock, an_outbox, take_all

from gateway.model.record import Lane, PropBody
from gateway.outbox.mark import read_mark

ROUNDS = 10
CHILD = """
import asyncio, json, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[2])
from outbox_support import NORTH, ManualClock, Room, Store, values
from gateway.outbox.outbox import Outbox

async def main():
    clock = ManualClock()
    async with Outbox.open(Path(sys.argv[1]), Store(), clock, (NORTH,)) as outbox:
        feed = outbox.feed(NORTH)
        number = int(sys.argv[3])
        while True:
            records = [values(number + step, 0.25) for step in range(7)]
            number += 7
            batch = (await outbox.append(records)).batches[0]
            print(f"committed {batch.ep} {batch.first_seq} {number - 7}", flush=True)
            clock.pass_s(1)
            taken = await feed.take(Room(5, 5, 5))
            if taken is not None:
                for each in taken.items:
                    print(f"sent {each.ep} {each.seq} {each.pv}", flush=True)
                feed.done(taken.lane, [each.seq for each in taken.items])

asyncio.run(main())
"""


def run_until_killed(folder: Path, start: int, lines: int) -> list[list[str]]:
    """Run the child, kill it after it wrote this many lines; return all it wrote."""
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), json.dumps(paths), str(start)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    with child, child.stdout:
        said = [child.stdout.readline().split() for _ in range(lines)]
        os.kill(child.pid, signal.SIGKILL)
        said += [line.split() for line in child.stdout if line.endswith("\n")]
    return said


async def test_kill_9_loses_nothing_committed(tmp_path: Path) -> None:
    chance = Random(9)  # noqa: S311 - repeatable
    committed: dict[tuple[int, int], int] = {}
    sent: dict[tuple[int, int], str] = {}
    for number in range(ROUNDS):
        for kind, ep, seq, rest in run_until_killed(
            tmp_path, number * 100_000, chance.randint(1, 80)
        ):
            if kind == "committed":
                for step in range(7):
                    identity = (int(ep), int(seq) + step)
                    assert identity not in committed
                    committed[identity] = int(rest) + step
            else:
                assert sent.setdefault((int(ep), int(seq)), rest) == rest
    clock = ManualClock()
    async with an_outbox(tmp_path, clock) as outbox:
        assert {ep for ep, _ in committed} == {outbox.ep}
        feed = outbox.feed(NORTH)
        waiting = {(each.ep, each.seq): each for each in await take_all(feed)}
        assert set(committed) <= set(sent) | set(waiting)
        for identity, each in waiting.items():
            assert sent.get(identity, str(each.pv)) == str(each.pv)
            body = each.record.body
            assert isinstance(body, PropBody)
            assert committed.get(identity, body.values[0]) == body.values[0]
        assert outbox.last_seq >= max(seq for _, seq in committed)
        assert feed.progress(Lane.EVENT).pending == 0
        assert read_mark(tmp_path) is not None
