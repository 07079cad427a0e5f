"""`linli run` inside limits: `python -m tests.faults.power_limits run …`.

`LIMIT_NOFILE` sets the descriptors that the process may have, `LIMIT_CGROUP` names a folder of the
memory controller that it joins.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from gateway.cli.main import main

V1, V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


class NoLimit(Exception):
    """This machine gives us no memory controller."""


@contextmanager
def memory_limit(name: str, limit_bytes: int) -> Generator[Path]:
    """Yield the folder of a cgroup that may take so many bytes.

    Raises:
        NoLimit: it cannot be had here.
    """
    is_v1 = (V1 / "memory.limit_in_bytes").exists()
    folder = (V1 if is_v1 else V2) / name
    file = folder / ("memory.limit_in_bytes" if is_v1 else "memory.max")
    try:
        folder.mkdir()
    except OSError as error:
        raise NoLimit(f"no memory controller: {error}") from error
    try:
        try:
            file.write_text(str(limit_bytes))
        except OSError as error:
            raise NoLimit(f"no memory controller: {error}") from error
        yield folder
    finally:
        folder.rmdir()


def peak_bytes(folder: Path) -> int:
    """Return the most that a cgroup took; 0 where the kernel does not say."""
    for name in ("memory.max_usage_in_bytes", "memory.peak"):
        if (folder / name).exists():
            return int((folder / name).read_text())
    return 0


def _enter() -> None:
    if folder := os.environ.get("LIMIT_CGROUP"):
        (Path(folder) / "cgroup.procs").write_text(str(os.getpid()))
    if most := os.environ.get("LIMIT_NOFILE"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(most), int(most)))


if __name__ == "__main__":
    _enter()
    sys.exit(main())
