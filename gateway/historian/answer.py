"""What a server's answer to a write means for the lines that were sent. Pure.

Sources: InfluxDB 2 API reference, `POST /api/v2/write` (204, 400, 401, 404, 413, 422, 429 and 503
with `Retry-After`, 500); InfluxDB 1.x, `/write` ("partial write: … dropped=n", seen on 1.6.7, where
the lines that are not at fault are written); RFC 9110 §10.2.3 for `Retry-After`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

LONGEST_WAIT_S = 3600.0
"""A server that wants to be left alone for longer is asked again after this time."""
LONGEST_SAID = 300
"""Characters of a server's message that are kept."""
_OF_LINES = re.compile(
    r"partial write|unable to parse|invalid line|line protocol|field type conflict|dropped=|"
    r"missing (?:fields|tag|field)|invalid (?:number|boolean|field|tag|timestamp|float|integer)",
    re.IGNORECASE,
)
_DROPPED = re.compile(r"dropped=([0-9]{1,9})\b")


class Fate(StrEnum):
    """What became of the lines."""

    WRITTEN = "written"
    TOO_LARGE = "too_large"
    """Half of them may go."""
    BAD_LINES = "bad_lines"
    """At least one of them is poison."""
    DOUBTFUL = "doubtful"
    """Refused in words that do not blame the lines: they, or the request."""
    DENIED = "denied"
    """Who or where we are is refused: somebody has to mend that, and nothing is dropped."""
    BUSY = "busy"
    AWAY = "away"
    """Nobody answered, or the server is broken."""


_FATES = {
    400: Fate.DOUBTFUL,
    408: Fate.AWAY,
    413: Fate.TOO_LARGE,
    422: Fate.DOUBTFUL,
    425: Fate.AWAY,
    429: Fate.BUSY,
    503: Fate.BUSY,
}
_FATES_OF_CLASSES = {2: Fate.WRITTEN, 3: Fate.DENIED, 4: Fate.DENIED, 5: Fate.AWAY}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    message: str = ""
    retry_after: str | None = None
    """The header of that name."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What it means."""

    fate: Fate
    reason: str = ""
    wait_s: float | None = None
    """How long the server wants to be left alone."""
    dropped: int | None = None
    """How many of the lines it says are bad."""


class ServerAway(Exception):
    """Nobody answered: names, TCP, TLS or time."""


class NotUsable(Exception):
    """We cannot even ask: a secret, a certificate or a package is not there."""


def judge(answer: Answer, now_ms: int) -> Verdict:
    """Return what an answer means; `now_ms` dates a `Retry-After` that is a moment."""
    fate = _fate(answer)
    if fate is Fate.WRITTEN:
        return Verdict(fate)
    said = " ".join(answer.message.split())[:LONGEST_SAID]
    reason = f"HTTP {answer.status}: {said}" if said else f"HTTP {answer.status}"
    wait_s = retry_after_s(answer.retry_after, now_ms) if fate is Fate.BUSY else None
    dropped = _DROPPED.search(answer.message) if fate is Fate.BAD_LINES else None
    return Verdict(fate, reason, wait_s, int(dropped[1]) if dropped else None)


def _fate(answer: Answer) -> Fate:
    known = _FATES.get(answer.status)
    if known is Fate.DOUBTFUL and _OF_LINES.search(answer.message):
        return Fate.BAD_LINES
    return known or _FATES_OF_CLASSES.get(answer.status // 100, Fate.AWAY)


def retry_after_s(header: str | None, now_ms: int) -> float | None:
    """Return the seconds of `Retry-After`, a number or a moment; None when it says none."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT_S)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    dated = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    ahead_s = (dated - datetime.fromtimestamp(now_ms / 1000, UTC)).total_seconds()
    return min(max(ahead_s, 0.0), LONGEST_WAIT_S)
