"""`linli` as a technician types it: a child process, its output and its exit status."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.gateway_process import Folders

LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command left."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        """Return the one JSON value that it wrote."""
        assert self.status == 0, (self.status, self.out, self.err)
        return json.loads(self.out)

    def json_lines(self) -> list[Any]:
        """Return one JSON value for each line."""
        return [json.loads(line) for line in self.out.splitlines()]


def linli(
    *words: object, base: Path | None = None, text: str | None = None, locale: str = "C.UTF-8"
) -> Finished:
    """Run `linli` in the folders below `base`, and return what came of it."""
    environment = {**os.environ, "LC_ALL": locale, "NO_COLOR": "1"}
    if base is not None:
        environment |= Folders(base).environment()
        del environment["NOTIFY_SOCKET"]
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", *map(str, words)],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=environment,
        input=text,
        timeout=LIMIT_S,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Finished(done.returncode, done.stdout, done.stderr)


async def linli_beside(*words: object, base: Path) -> Finished:
    """Run `linli` while the simulators of this process go on."""
    return await asyncio.to_thread(linli, *words, base=base)
