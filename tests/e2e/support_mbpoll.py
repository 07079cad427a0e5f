"""mbpoll, a Modbus master that is not ours."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess

MBPOLL = shutil.which("mbpoll") or "mbpoll"
_VALUE = re.compile(r"^\[\d+\]:\s+(\S+)", re.MULTILINE)
SERIAL = ("-m", "rtu", "-P", "none")
"""A pty holds no parity."""


async def mbpoll(*words: object) -> list[float]:
    """Read once, addresses counted from 0 as in the PDU, and return the values."""
    done = await asyncio.to_thread(
        subprocess.run,
        [MBPOLL, "-0", "-1", "-o", "2", *map(str, words)],
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return [float(found) for found in _VALUE.findall(done.stdout)]
