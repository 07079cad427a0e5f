"""A file beside the database that takes room on the disk, so that it can be given to alarms."""

from __future__ import annotations

import errno
import os
from pathlib import Path

RESERVE_NAME = "outbox.reserve"
_BLOCK = bytes(64 * 1024)


class Reserve:
    """Made while there is room, given up when alarms find none, made again later."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; nothing is touched yet."""
        self._path = folder / RESERVE_NAME
        self.is_whole = False
        """Whether the last `make` found or made all of it, and `release` was not called since."""

    @property
    def bytes_held(self) -> int:
        """What it takes of the disk now."""
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def make(self, size: int) -> bool:
        """Return whether the file has this size, after trying to give it that."""
        held = self.bytes_held
        try:
            if held < size:
                self._fill(size)
            elif held > size:
                os.truncate(self._path, size)
            self.is_whole = True
        except OSError:
            self.release()
        return self.is_whole

    def release(self) -> None:
        """Give its room to the disk."""
        self.is_whole = False
        self._path.unlink(missing_ok=True)

    def _fill(self, size: int) -> None:
        with self._path.open("ab") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                if error.errno not in {errno.EOPNOTSUPP, errno.EINVAL}:
                    raise
                while file.tell() < size:  # a file system that cannot promise room by itself
                    file.write(_BLOCK[: size - file.tell()])
            file.flush()
            os.fsync(file.fileno())
