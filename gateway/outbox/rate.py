"""How fast the store fills: an average that outlives a restart. Pure."""

from __future__ import annotations

from dataclasses import dataclass

REMEMBERED_S = 6 * 3600.0
"""What was before a restart counts as much as so long a time after it."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Bytes of rows."""

    bytes_per_s: float
    bytes_per_record: float


def rate_of(row_bytes: int, records: int, elapsed_s: float, before: Rate | None) -> Rate | None:
    """Return the rate of this life and the ones before it, None when nothing was ever written."""
    if before is None:
        if not records:
            return None
        return Rate(row_bytes / elapsed_s, row_bytes / records)
    earlier = before.bytes_per_s * REMEMBERED_S
    per_s = (earlier + row_bytes) / (REMEMBERED_S + elapsed_s)
    per_record = row_bytes / records if records else before.bytes_per_record
    return Rate(per_s, per_record)
