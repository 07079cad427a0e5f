"""Keyed hashes of single values for one sink: equal for equal values until the key rotates.

Nothing is stored: the key of a period is made of the site's key, the sink's name and the period, so
that a record that is sent again has the same hash, and two platforms cannot join theirs.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

from gateway.model.clock import TimeQuality
from gateway.model.reading import Value

DIGITS = 16
"""64 bits: among a million values two are the same once in forty million sinks."""
_DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1)
_DIGESTS = {"hmac-sha256": "sha256", "hmac-sm3": "sm3"}


@dataclass(frozen=True, slots=True)
class HashKey:
    """The key of one sink, and how it is used (RFC 2104; SM3 is GB/T 32905)."""

    site_key: bytes
    sink: str
    algorithm: Literal["hmac-sha256", "hmac-sm3"] = "hmac-sha256"
    rotate_days: int = 30

    def hashed(self, value: Value, ts_ms: int, tq: TimeQuality) -> str:
        """Return `period-digits`, as in `20261104-9f86d081884c7d65`.

        The period is named by its first day (UTC), with a `u` in front while the clock is not
        synchronised: such a moment may be wrong, so its key is no other period's.
        """
        period = self.period(ts_ms, tq)
        key = _mac(self.site_key, f"outer door\0{self.sink}\0{period}", self.algorithm)
        return f"{period}-{_digits(key, plain(value), self.algorithm)}"

    def place(self, part: str, text: str) -> str:
        """Return what stands for a place of one home; it does not rotate: a twin is bound to it."""
        key = _mac(self.site_key, f"places\0{self.sink}", self.algorithm)
        return f"~{_digits(key, f'{part}={text}', self.algorithm)}"

    def period(self, ts_ms: int, tq: TimeQuality) -> str:
        """Return the name of the key's period: the rotation id in every hash."""
        days = ts_ms // _DAY_MS
        first = _day(max(0, days - days % self.rotate_days))
        return f"u{first}" if tq is TimeQuality.UNSYNC else first


def plain(value: Value) -> str:
    """Return a value as the text that is hashed or masked."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


@lru_cache(maxsize=64)
def _day(days: int) -> str:
    """Return the day so long after 1970-01-01."""
    return f"{_EPOCH + timedelta(days=days):%Y%m%d}"


@lru_cache(maxsize=256)
def _mac(key: bytes, text: str, algorithm: str) -> bytes:
    """Return the key of a purpose: the same for all values of a period."""
    return hmac.digest(key, text.encode(), _DIGESTS[algorithm])


def _digits(key: bytes, text: str, algorithm: str) -> str:
    return hmac.digest(key, text.encode(), _DIGESTS[algorithm]).hex()[:DIGITS]
