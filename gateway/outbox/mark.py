"""The highest seq that was given, noted beside the database, should the database lose its end.

Two files: one is renewed whole and synced once a minute and at a stop; the other is overwritten in
place after every commit and not synced, which costs some microseconds. It survives a kill, and of a
power cut it loses what the kernel had not written back, half a minute at most.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARK_NAME = "outbox.mark"
LATEST_NAME = "outbox.latest"
_WIDTH = 64
"""Bytes of the second file: within one sector, so that they are written all or not at all."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A seq, and the store that gave it."""

    ep: int
    seq: int


def read_mark(folder: Path) -> Mark | None:
    """Return the newest mark, or None when there is none that can be read."""
    whole, latest = _read(folder / MARK_NAME), _read(folder / LATEST_NAME)
    if whole is None:
        return latest
    if latest is None or latest.ep != whole.ep:
        return whole  # the second file is of a store before this one
    return max(whole, latest, key=lambda mark: mark.seq)


def write_mark(folder: Path, mark: Mark) -> None:
    """Replace the mark, whole or not at all, and durably."""
    fresh = folder / f"{MARK_NAME}.new"
    with fresh.open("wb") as file:
        file.write(_text(mark))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / MARK_NAME)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class LatestMark:
    """The second file, held open."""

    def __init__(self, folder: Path) -> None:
        """Open it; OSError where that fails."""
        self._file = os.open(folder / LATEST_NAME, os.O_WRONLY | os.O_CREAT, 0o600)

    def write(self, mark: Mark) -> None:
        """Overwrite it; OSError where that fails."""
        os.pwrite(self._file, _text(mark), 0)

    def close(self) -> None:
        """Let it go."""
        os.close(self._file)


def _read(path: Path) -> Mark | None:
    try:
        stored: Any = json.loads(path.read_bytes())
        return Mark(int(stored["ep"]), int(stored["seq"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _text(mark: Mark) -> bytes:
    return json.dumps({"ep": mark.ep, "seq": mark.seq}).encode().ljust(_WIDTH)
