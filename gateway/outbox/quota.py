"""How much of the disk the outbox may have: pure arithmetic.

A full disk cannot be healed by deleting (SQLite needs room in its journal to delete), so the
bound is ours and lies below the disk's.
"""

from __future__ import annotations

from dataclasses import dataclass

PAGE_BYTES = 4096
DISK_SHARE = 0.6
"""Part of what the disk can give us that we take at most."""
WAL_MOST_BYTES = 1024 * 1024
RESERVE_BYTES = 8 * 1024 * 1024
_RESERVE_SHARE = 16
"""Of a small quota, one part in so many is the reserve."""
MIN_PAGES = 32
_MARK_BYTES = 1024
_CHUNKS = 64
_MOST_CHUNK_PAGES = 256
"""Thinning writes what it keeps through the log, which should stay small."""
_MIN_CHUNK_PAGES = 4
_PAYLOAD_BYTES = 4000
"""Bytes of a record batch that one page holds, a little on the safe side."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Bounds for the database and its write-ahead log."""

    max_pages: int
    wal_bytes: int
    checkpoint_pages: int
    """Pages in the log after which they are moved to the database."""
    chunk_pages: int
    """Pages to free at once when there is no room: one at a time would wear the card."""
    reserve_pages: int = 0
    """Pages beyond `max_pages` that only alarms, billing values and progress may take."""

    @property
    def most_pages(self) -> int:
        """What the database may have with the reserve."""
        return self.max_pages + self.reserve_pages

    def reserve_bytes(self, page_count: int) -> int:
        """Return what of the reserve the database has not grown into yet."""
        return max(0, self.most_pages - max(self.max_pages, page_count)) * PAGE_BYTES

    @property
    def max_bytes(self) -> int:
        """Size that the database may have."""
        return self.max_pages * PAGE_BYTES


def plan_quota(quota_bytes: int, disk_bytes: int) -> Quota:
    """Return the bounds for a quota, on a disk that can give `disk_bytes`, our files included."""
    total = min(quota_bytes, int(disk_bytes * DISK_SHARE))
    wal_bytes = min(WAL_MOST_BYTES, total // 4)
    reserve_pages = min(RESERVE_BYTES, total // _RESERVE_SHARE) // PAGE_BYTES
    pages = (total - wal_bytes - _MARK_BYTES) // PAGE_BYTES
    max_pages = max(MIN_PAGES, pages - reserve_pages)
    return Quota(
        max_pages=max_pages,
        wal_bytes=wal_bytes,
        checkpoint_pages=max(16, wal_bytes // PAGE_BYTES // 2),
        chunk_pages=max(_MIN_CHUNK_PAGES, min(_MOST_CHUNK_PAGES, max_pages // _CHUNKS)),
        reserve_pages=reserve_pages,
    )


def pages_for(sizes: list[int]) -> int:
    """Return the pages that rows of these sizes need at most, their place in the trees included."""
    small = sum(size for size in sizes if size <= _PAYLOAD_BYTES)
    large = sum(size // _PAYLOAD_BYTES + 2 for size in sizes if size > _PAYLOAD_BYTES)
    return 5 + small * 2 // _PAYLOAD_BYTES + large  # a page may be half empty
