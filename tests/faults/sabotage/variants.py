"""The sabotaged builds: what is wrong in each, the patch, and the scenario that must catch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.sabotage import scenarios
from tests.faults.sabotage.builds import Build, Replacement
from tests.faults.sabotage.findings import Finding


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to get it wrong."""

    name: str
    wrong: str
    tool: str
    """What injects the fault of the scenario."""
    scenario: Callable[[Build, Path], Finding]
    patch: tuple[Replacement, ...]


VARIANTS = (
    Variant(
        "synchronous-off",
        "SQLite does not wait for the disk",
        "power cut of an ext4 (shutdown ioctl)",
        scenarios.power_cuts,
        (Replacement("gateway/outbox/schema.py", '"synchronous=FULL"', '"synchronous=OFF"'),),
    ),
    Variant(
        "synchronous-normal",
        "SQLite syncs its log only at checkpoints",
        "power cut of an ext4 (shutdown ioctl)",
        scenarios.power_cuts,
        (Replacement("gateway/outbox/schema.py", '"synchronous=FULL"', '"synchronous=NORMAL"'),),
    ),
    Variant(
        "done-before-ack",
        "a record is done when it is handed out, not when it is acknowledged",
        "frozen platform, then kill -9",
        scenarios.frozen_platform,
        (
            Replacement(
                "gateway/outbox/feed.py",
                "            lane.in_flight[each.committed.seq] = each\n",
                "            lane.in_flight[each.committed.seq] = each\n"
                "            lane.progress.finish(each.link, each.committed.seq)\n",
            ),
        ),
    ),
    Variant(
        "reason-code-ignored",
        "every PUBACK means yes, whatever its reason code",
        "mosquitto acl_file",
        scenarios.denied,
        (
            Replacement(
                "gateway/uplink/fates.py",
                "return _FATES.get(code, Fate.BUSY)",
                "return Fate.DELIVERED",
            ),
        ),
    ),
    Variant(
        "no-row-checksum",
        "rows are believed as they are read: no CRC, and no check of the compressed block",
        "one bit flipped in every row",
        scenarios.bit_flips,
        (
            Replacement(
                "gateway/outbox/rows.py",
                "if crc != _crc(lane, (first_seq, ep, count, at_ms), parts):",
                "if False:",
            ),
            Replacement(
                "gateway/outbox/encoding.py",
                "zlib.decompress(block[1:])",
                "zlib.decompressobj(-15).decompress(block[3:])",
            ),
        ),
    ),
    Variant(
        "cursor-in-a-file",
        "progress is kept in a file of its own, renewed now and then",
        "frozen platform, then kill -9",
        scenarios.frozen_platform,
        (
            Replacement(
                "gateway/outbox/store.py",
                "        if writing.is_mark_due:\n",
                "        self._cursor_age = getattr(self, '_cursor_age', 0) + 1\n"
                "        if self._cursor_age % 7 == 1:\n"
                "            (self._place.folder / 'cursor.json').write_bytes(\n"
                "                rows.side_to_bytes(rows.Side(writing.side.progress))\n"
                "            )\n"
                "        if writing.is_mark_due:\n",
            ),
            Replacement(
                "gateway/outbox/birth.py",
                "    progress = _with_sinks(side.progress,",
                "    from pathlib import Path\n"
                "    file = Path(connection.execute('PRAGMA database_list').fetchone()[2])\n"
                "    cursor = file.with_name('cursor.json')\n"
                "    kept = side_from_bytes(cursor.read_bytes()) if cursor.exists() else side\n"
                "    progress = _with_sinks(kept.progress,",
            ),
        ),
    ),
    Variant(
        "queue-in-memory",
        "`append` returns before the commit; twenty transactions are written together",
        "kill -9",
        scenarios.kills,
        (
            Replacement(
                "gateway/outbox/store.py",
                "    def write(self, writing: Writing) -> Noted:\n",
                "    def write(self, writing: Writing) -> Noted:\n"
                "        self._queued = [*getattr(self, '_queued', ()), writing]\n"
                "        if len(self._queued) >= 20:\n"
                "            queued, self._queued = self._queued, []\n"
                "            for each in queued:\n"
                "                self._write_now(each)\n"
                "        return Noted()\n\n"
                "    def _write_now(self, writing: Writing) -> Noted:\n",
            ),
        ),
    ),
    Variant(
        "wall-clock-timers",
        "polls are timed by the wall clock",
        "the wall clock set back by a day",
        scenarios.clock_step,
        (
            Replacement(
                "gateway/bus/core.py",
                "        self.time = asyncio.get_running_loop().time\n",
                "        loop, clock = asyncio.get_running_loop(), around.clock\n"
                "        base = clock.now_ms() / 1000 - loop.time()\n"
                "        self.time = lambda: clock.now_ms() / 1000 - base\n",
            ),
            Replacement(
                "gateway/bus/line.py",
                "self._loop.call_at(until, _finish, waiter)",
                "self._loop.call_later(max(0.001, until - self._core.time()), _finish, waiter)",
            ),
        ),
    ),
    Variant(
        "late-reply-guard-off",
        "after a timeout any reply of the right shape is taken",
        "replies that come after their requests timed out",
        scenarios.late_replies,
        (
            Replacement(
                "gateway/bus/quarantine.py",
                "        if exchange.shape is None:\n            return\n        until",
                "        if True:\n            return\n        until",
            ),
        ),
    ),
    Variant(
        "no-pv-chain",
        "records do not name their predecessor",
        "kill -9",
        scenarios.kills,
        (
            Replacement(
                "gateway/dialects/native/dialect.py",
                'pv = "null" if committed.pv is None else committed.pv',
                'pv = "null"',
            ),
        ),
    ),
    Variant(
        "gaps-not-told",
        "what is dropped by rule is not told",
        "bit flips",
        scenarios.bit_flips,
        (
            Replacement(
                "gateway/outbox/outbox.py",
                "gaps = [self._teller.gap(loss) for loss in told if loss.sink in ledger.feeds]",
                "gaps: list[Record] = []",
            ),
        ),
    ),
    Variant(
        "high-water-mark-ignored",
        "the mark beside the database is not looked at",
        "the write-ahead log deleted after a kill",
        scenarios.lost_tail,
        (
            Replacement(
                "gateway/outbox/birth.py",
                "    if mark is None:\n        return stored\n",
                "    if True:\n        return stored\n",
            ),
        ),
    ),
)
