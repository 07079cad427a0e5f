"""The gateway as the demo's child process, and what it says of itself over its control socket."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulators.demo.broker import stop_process
from simulators.tree import branches, leaves

STOP_WAIT_S = 15.0
ASK_WAIT_S = 2.0
MAX_ANSWER = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LineLoad:
    """One line, as the gateway measures it."""

    name: str
    load_percent: float
    errors: int


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """What the demo shows of the gateway."""

    taken: int
    committed: int
    outbox: int
    lines: tuple[LineLoad, ...]


class Gateway:
    """A running `linli run`."""

    def __init__(self, process: asyncio.subprocess.Process, runtime: Path, log: Path) -> None:
        self._process = process
        self._socket = runtime / "control.sock"
        self._log = log

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self._process.returncode is not None

    def last_words(self) -> str:
        """Return the end of its log."""
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]

    async def status(self) -> GatewayStatus | None:
        """Return what it says, None while it does not listen."""
        try:
            async with asyncio.timeout(ASK_WAIT_S):
                return read_status(await self._ask({"id": 1, "op": "status"}))
        except (OSError, ValueError, TimeoutError):
            return None

    async def stop(self) -> int:
        """Let it end; return its exit status."""
        return await stop_process(self._process, STOP_WAIT_S)

    async def _ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        reader, writer = await asyncio.open_unix_connection(self._socket, limit=MAX_ANSWER)
        try:
            writer.write(json.dumps(request).encode() + b"\n")
            answer = branches(json.loads(await reader.readline()))
        finally:
            writer.close()
        if not answer.get("ok"):
            raise ValueError(f"no status: {answer!r}")
        return branches(answer.get("result"))


@asynccontextmanager
async def gateway(site_file: Path, runtime: Path) -> AsyncGenerator[Gateway]:
    """Run the gateway while the block runs, with its state and log below `runtime`."""
    places = {
        "STATE_DIRECTORY": runtime / "state",
        "RUNTIME_DIRECTORY": runtime / "run",
        "CONFIGURATION_DIRECTORY": runtime / "etc",
    }
    for place in places.values():
        place.mkdir(exist_ok=True)
    log = runtime / "gateway.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.cli.main", "run", "-c", str(site_file),
            stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
            env={**os.environ, **{name: str(place) for name, place in places.items()}},
            start_new_session=True,
        )  # fmt: skip
    running = Gateway(process, runtime / "run", log)
    try:
        yield running
    finally:
        await running.stop()


def read_status(result: Mapping[str, Any]) -> GatewayStatus:
    """Return the part of a status answer that the demo shows."""
    return GatewayStatus(
        taken=int(result.get("taken", 0)),
        committed=int(result.get("committed", 0)),
        outbox=sum(
            int(branches(depth).get("depth", 0))
            for depth in leaves(branches(result.get("outbox")).get("depths"))
        ),
        lines=tuple(_line(branches(row)) for row in leaves(result.get("lines"))),
    )


def _line(row: Mapping[str, Any]) -> LineLoad:
    return LineLoad(
        name=str(row.get("line", "?")),
        load_percent=round(float(row.get("load_percent", 0)), 1),
        errors=sum(int(leaves(error)[1]) for error in leaves(row.get("errors"))),
    )
