"""What the store of a gateway that is not running holds, read from a copy of it."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from shutil import copytree
from typing import Any

from gateway.model.ids import SinkName
from gateway.model.record import Lane
from gateway.ops.clock import SystemClock
from gateway.outbox.outbox import Outbox
from gateway.settings.site import Store

EVERYTHING = 1_000_000_000


def stored_records(state: Path, sink: str = "platform", *, after: int = 0) -> list[dict[str, Any]]:
    """Return all records below this state folder with a seq behind `after`; [] without a store."""
    store = state / "outbox"
    if not store.exists():
        return []
    with tempfile.TemporaryDirectory(prefix="linli-store-") as folder:
        copy = Path(copytree(store, Path(folder) / "outbox"))
        return asyncio.run(_read(copy, SinkName(sink), after))


async def _read(folder: Path, sink: SinkName, after: int) -> list[dict[str, Any]]:
    clock = SystemClock(lambda: True)
    async with Outbox.open(folder, Store(), clock, (sink,)) as outbox:
        last_seq = outbox.last_seq  # what comes behind it is what opening it had to tell
        lines = [line for lane in Lane for line in await outbox.export(lane, after + 1, EVERYTHING)]
        assert (await outbox.stats()).lost == 0
    records: list[dict[str, Any]] = [json.loads(line) for line in lines]
    return [record for record in records if after < record["seq"] <= last_seq]
