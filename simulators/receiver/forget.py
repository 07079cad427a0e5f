"""How long bodies are kept (`--keep-days`). Identities stay: what comes again is still a duplicate.

Some at a time, so that no other work waits for it; never what a follower still has to read.
"""

from __future__ import annotations

from simulators.receiver.store import Store

MARK_EVERY_MS = 3_600_000
"""How exactly the time of arrival is known."""
BODIES_AT_ONCE = 5000
DAY_MS = 86_400_000
_MARK = """INSERT OR IGNORE INTO arrival SELECT :now, coalesce(max(id), 0) FROM record
WHERE NOT EXISTS (SELECT 1 FROM arrival WHERE at_ms BETWEEN :now - :every AND :now)"""
# Deleted and put in again, not updated: SQLite gives no page free because its rows became shorter.
_BARE = """SELECT id, stream, seq, pv, lane, class, dev, ts, copy, '' FROM record
WHERE id > ? AND id <= ?"""
_OLD = "SELECT coalesce(max(upto), 0) FROM arrival WHERE at_ms <= ?"
# A follower that nobody has run for so long is given up.
_READ = "SELECT min(upto) FROM follower WHERE until_ms >= ?"


def forget(store: Store, keep_days: float, now_ms: int) -> int:
    """Forget the bodies of some records that came longer ago; return of how many."""
    db, before_ms = store.db, now_ms - int(keep_days * DAY_MS)
    with store.transaction():
        db.execute(_MARK, {"now": now_ms, "every": MARK_EVERY_MS})
        (done,) = db.execute("SELECT coalesce(max(upto), 0) FROM forgotten").fetchone()
        (old,) = db.execute(_OLD, (before_ms,)).fetchone()
        (read,) = db.execute(_READ, (before_ms,)).fetchone()
        upto = min(done + BODIES_AT_ONCE, old if read is None else min(old, read))
        if upto <= done:
            return 0
        bare = db.execute(_BARE, (done, upto)).fetchall()
        db.execute("DELETE FROM record WHERE id > ? AND id <= ?", (done, upto))
        db.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", bare)
        db.execute("INSERT OR REPLACE INTO forgotten VALUES (1, ?)", (upto,))
        db.execute("DELETE FROM arrival WHERE upto < ? AND at_ms <= ?", (upto, before_ms))
    return upto - done
