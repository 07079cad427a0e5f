"""What time it is for a platform, from a question to it and its answer. Pure."""

from __future__ import annotations

MOST_WAY_MS = 60_000
"""An answer that took longer tells nothing: half of the way there and back is what it may be off.
A clock that was set in between looks like one, or came before its question."""
SLOW = "it took too long to tell the time, or our clock was set meanwhile"
"""Why such an answer is dropped."""


def platform_time(sent_ms: int, came_ms: int, left_ms: int, now_ms: int) -> int | None:
    """Return the platform's time at `now_ms`, None when the answer does not tell it.

    `sent_ms` and `now_ms` are by our clock, `came_ms` and `left_ms` by the platform's.
    """
    if not 0 <= now_ms - sent_ms <= MOST_WAY_MS:
        return None
    return (came_ms + left_ms + now_ms - sent_ms) // 2
