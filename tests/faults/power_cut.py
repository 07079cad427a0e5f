"""A small ext4 of its own under the gateway's state folder, and a power cut for it.

The shutdown ioctl of ext4 without a log flush drops everything that was not synced, as a power cut
does; the next mount replays the journal (linux/fs/ext4/ext4.h: EXT4_IOC_SHUTDOWN).
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

SIZE = "96M"
_SHUTDOWN = 0x8004587D
"""`_IOR('X', 125, __u32)`."""
_NO_LOG_FLUSH = struct.pack("I", 2)
UNMOUNT_TRIES = 50


class NoDisk(Exception):
    """This machine gives us no loop device, or does not let us mount."""


class Disk:
    """An ext4 in a file. A context manager: mounted inside, gone behind."""

    def __init__(self, image: Path, folder: Path, *, options: str = "") -> None:
        """Take the file that holds it and where it is mounted; neither needs to be there."""
        self._image, self._folder = image, folder
        self._options = ",".join(part for part in ("loop", options) if part)

    def __enter__(self) -> Self:
        """Make and mount it.

        Raises:
            NoDisk: it cannot be had here.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() != 0:
            raise NoDisk("mounting needs root")
        self._image.touch()
        _run("truncate", "-s", SIZE, str(self._image))
        _run("mkfs.ext4", "-q", "-F", str(self._image))
        self.mount()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Unmount it, whatever happened."""
        self.unmount()

    def mount(self) -> None:
        """Mount it; the journal is replayed where that is due."""
        _run("mount", "-o", self._options, str(self._image), str(self._folder))

    def unmount(self) -> None:
        """Unmount it, once nobody has a file of it open."""
        why = ""
        for _ in range(UNMOUNT_TRIES):
            done = subprocess.run(
                ["umount", str(self._folder)], check=False, capture_output=True, text=True
            )
            if done.returncode == 0 or "not mounted" in done.stderr:
                return
            why = done.stderr
            time.sleep(0.1)  # the kernel closes files of a process that has just been killed
        raise AssertionError(f"umount {self._folder}: {why}")

    def cut(self) -> None:
        """Cut the power: from now on nothing reaches it, and what was not synced is gone."""
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, _SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(folder)

    def come_back(self) -> None:
        """Mount it again after a cut."""
        self.unmount()
        self.mount()


def _run(*words: str) -> None:
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise NoDisk(f"{words[0]} is not installed") from error
    if done.returncode != 0:
        raise NoDisk(f"{' '.join(words)}: {done.stderr.strip()}")
