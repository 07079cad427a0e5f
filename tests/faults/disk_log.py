"""A disk that writes down everything: one file in a file system of ours, for a loop device on top.

`python -m tests.faults.disk_log FOLDER IMAGE LOG` mounts on FOLDER a file `disk` over IMAGE and
notes each write and each flush in LOG. From the log any picture that a power cut may leave can be
built: all that was flushed, and any part of what came later. It speaks the kernel's FUSE protocol
(linux/fuse.h, version 7.31) by itself, so that nothing has to be installed. Needs root.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

_IN = struct.Struct("<IIQQIIII")
_OUT = struct.Struct("<IiQ")
_ATTR = struct.Struct("<QQQQQQIIIIIIIIII")
_ENTRY = struct.Struct("<QQQQII")
_INIT_OUT = struct.Struct("<IIIIHHIIHHI28x")
_WRITE_IN = struct.Struct("<QQIIQII")
_READ_IN = struct.Struct("<QQIIQII")
_HEAD = struct.Struct("<cdQI")
"""Kind (W, F), monotonic seconds, offset, size; the bytes follow."""
ROOT, DISK = 1, 2
NAME = "disk"
MOST_WRITE = 1 << 17
_LOOKUP, _FORGET, _GETATTR, _SETATTR, _OPEN, _READ, _WRITE = 1, 2, 3, 4, 14, 15, 16
_STATFS, _RELEASE, _FSYNC, _FLUSH, _INIT, _OPENDIR, _RELEASEDIR = 17, 18, 20, 25, 26, 27, 29
_DESTROY, _BATCH_FORGET = 38, 42
_ROOM = (1 << 20, 1 << 19, 1 << 19, 9, 9, 4096, 255, 4096, 0)


@dataclass(frozen=True, slots=True)
class Change:
    """One write, or a flush when `piece` is None."""

    at_s: float
    offset: int
    piece: bytes | None


def changes_of(log: Path) -> list[Change]:
    """Return everything that was noted, in order."""
    raw = log.read_bytes()
    found: list[Change] = []
    at = 0
    while at + _HEAD.size <= len(raw):
        kind, at_s, offset, size = _HEAD.unpack_from(raw, at)
        at += _HEAD.size
        if at + size > len(raw):
            break
        found.append(Change(at_s, offset, None if kind == b"F" else raw[at : at + size]))
        at += size
    return found


def after_a_cut(
    image: Path, changes: Sequence[Change], cut: int, chance: Random
) -> Iterator[Change]:
    """Write into `image` what a cut before change `cut` may leave; yield the changes it lost.

    Flushed is what was written before the last flush; of the rest every write is there or not.
    """
    flushed = max((n for n in range(cut) if changes[n].piece is None), default=0)
    with image.open("r+b", buffering=0) as file:
        for number in range(cut):
            change = changes[number]
            if change.piece is None:
                continue
            if number > flushed and chance.random() < 0.5:
                yield change
                continue
            os.pwrite(file.fileno(), change.piece, change.offset)


def serve(folder: Path, image: Path, log: Path) -> None:
    """Mount, say READY, and serve until it is unmounted."""
    device = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    if libc.mount(b"linli-log", os.fsencode(folder), b"fuse", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    with image.open("r+b", buffering=0) as disk, log.open("wb", buffering=0) as book:
        server = _Server(disk.fileno(), book.fileno(), image.stat().st_size)
        while True:
            try:
                request = os.read(device, MOST_WRITE + 4096)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.EAGAIN, errno.ENOENT):
                    continue
                return  # ENODEV: unmounted
            answer = server.answer(request)
            if answer is not None:
                os.write(device, answer)


class _Server:
    """Answers of the one file."""

    def __init__(self, disk: int, book: int, size: int) -> None:
        self._disk, self._book, self._size = disk, book, size
        free, nothing = struct.pack("<QQQQQIIII24x", *_ROOM), b""
        self._replies: dict[int, Callable[[int, bytes], tuple[int, bytes]]] = {
            _INIT: self._init,
            _LOOKUP: self._lookup,
            _GETATTR: self._getattr,
            _SETATTR: self._getattr,
            _READ: self._read,
            _WRITE: self._write,
            _FSYNC: self._fsync,
            _STATFS: lambda _node, _body: (0, free),
            **dict.fromkeys((_OPEN, _OPENDIR), lambda _node, _body: (0, bytes(16))),
            **dict.fromkeys(
                (_RELEASE, _RELEASEDIR, _FLUSH, _DESTROY), lambda _node, _body: (0, nothing)
            ),
        }

    def answer(self, request: bytes) -> bytes | None:
        """Return the reply to one request, None where none is wanted."""
        _, opcode, unique, node, *_ = _IN.unpack_from(request)
        body = request[_IN.size :]
        if opcode in (_FORGET, _BATCH_FORGET):
            return None
        code, reply = self._reply(opcode, node, body)
        return _OUT.pack(_OUT.size + len(reply), -code, unique) + reply

    def _reply(self, opcode: int, node: int, body: bytes) -> tuple[int, bytes]:
        reply = self._replies.get(opcode)
        return (errno.ENOSYS, b"") if reply is None else reply(node, body)

    def _init(self, _node: int, _body: bytes) -> tuple[int, bytes]:
        return 0, _INIT_OUT.pack(7, 31, 1 << 16, 0, 16, 12, MOST_WRITE, 1, 0, 0, 0)

    def _lookup(self, _node: int, body: bytes) -> tuple[int, bytes]:
        if body.rstrip(b"\0") != NAME.encode():
            return errno.ENOENT, b""
        return 0, _ENTRY.pack(DISK, 0, 3600, 3600, 0, 0) + self._attributes(DISK)

    def _getattr(self, node: int, _body: bytes) -> tuple[int, bytes]:
        return 0, struct.pack("<QII", 3600, 0, 0) + self._attributes(node)

    def _read(self, _node: int, body: bytes) -> tuple[int, bytes]:
        _, offset, size, *_ = _READ_IN.unpack_from(body)
        return 0, os.pread(self._disk, size, offset)

    def _write(self, _node: int, body: bytes) -> tuple[int, bytes]:
        _, offset, size, *_ = _WRITE_IN.unpack_from(body)
        piece = body[_WRITE_IN.size : _WRITE_IN.size + size]
        os.pwrite(self._disk, piece, offset)
        self._note(b"W", offset, piece)
        return 0, struct.pack("<II", size, 0)

    def _fsync(self, _node: int, _body: bytes) -> tuple[int, bytes]:
        self._note(b"F", 0, b"")
        return 0, b""

    def _attributes(self, node: int) -> bytes:
        mode = stat.S_IFDIR | 0o755 if node == ROOT else stat.S_IFREG | 0o600
        size = 0 if node == ROOT else self._size
        return _ATTR.pack(node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def _note(self, kind: bytes, offset: int, piece: bytes) -> None:
        os.write(self._book, _HEAD.pack(kind, time.monotonic(), offset, len(piece)) + piece)


if __name__ == "__main__":
    serve(*(Path(word) for word in sys.argv[1:4]))
