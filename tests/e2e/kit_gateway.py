"""Short ways to a running gateway: its files, its control socket, its command line."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.ops.control import ask
from tests.support.gateway_process import Folders, GatewayProcess

WAIT_S = 60.0
"""Generous: it only ends tests that would fail anyway."""
LOOK_EVERY_S = 0.05
TEST_ROOM = Path(__file__).parents[2]


def write_profile(base: Path, name: str, text: str) -> None:
    """Put a profile where the gateway of this folder looks before the shipped ones."""
    file = base / "etc" / "profiles" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def write_site(base: Path, text: str, name: str = "site.yaml") -> Path:
    """Write a site file and return it."""
    base.mkdir(parents=True, exist_ok=True)
    file = base / name
    file.write_text(text, encoding="utf-8")
    return file


def asked(gateway: GatewayProcess, op: str, **arguments: Any) -> Any:
    """Return the one answer of the running gateway's control socket."""

    async def conversation() -> Any:
        async with asyncio.timeout(WAIT_S):
            (result,) = [r async for r in ask(gateway.folders.control_socket, op, **arguments)]
            return result

    return asyncio.run(conversation())


def status(gateway: GatewayProcess) -> dict[str, Any]:
    """Return what `linli status --json` shows."""
    return asked(gateway, "status")


def sink_status(gateway: GatewayProcess, name: str = "platform") -> dict[str, Any]:
    """Return how one platform is reached."""
    return next(sink for sink in status(gateway)["sinks"] if sink["name"] == name)


def depth(gateway: GatewayProcess, sink: str = "platform") -> int:
    """Return how many records wait for one platform."""
    depths = status(gateway)["outbox"]["depths"]
    return sum(each["depth"] for each in depths if each["sink"] == sink)


def until(is_true: Callable[[], object], what: str) -> None:
    """Return when something holds; for what does not tell of itself."""
    deadline = time.monotonic() + WAIT_S
    while not is_true():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(LOOK_EVERY_S)


def linli(base: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line beside the gateway of this folder."""
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", *arguments],
        cwd=TEST_ROOM,
        env={**os.environ, **Folders(base).environment(), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_S,
    )
