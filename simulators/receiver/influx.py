"""Writes stored records to InfluxDB, 1.x (`/write`) or 2.x (`/api/v2/write`), with a cursor.

A follower of the store, in a thread of its own: a database that is down holds nobody up, and gets
everything when it is back. A line that was written twice is one point, so a repeat does no harm.
"""

from __future__ import annotations

import json
import math
import sqlite3
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import urlencode, urlsplit

from gateway.model.clock import Clock
from simulators.receiver.lines import lines
from simulators.receiver.message import Record, Source
from simulators.receiver.schema import open_store

BATCH = 5000
TIMEOUT_S = 10.0
IDLE_S = 0.5
FLUSH_S = 10.0
"""When the copy is told to stop it still writes for so long; the rest waits in the store."""
LEASE_S = 60.0
"""For so long one copy does the work of a follower; then another may take over."""
_FIRST_S, _SLOWEST_S = 1.0, 60.0
_TOO_LARGE, _TOO_MANY, _NO_SERVICE = 413, 429, 503
_BAD_LINES = frozenset({400, 422})
"""1.x and 2.x answer 400 when lines cannot be parsed or their types contradict what is there."""
_NEXT = """SELECT r.id, s.site, s.gw, s.ep, r.seq, r.pv, r.class, r.dev, r.ts, r.body
FROM record r JOIN stream s ON s.id = r.stream
WHERE r.id > ? ORDER BY r.id LIMIT ?"""
_IS_BEHIND = """SELECT EXISTS (SELECT 1 FROM record
WHERE id > coalesce((SELECT upto FROM follower WHERE name = ?), 0))"""
_CLAIM = """UPDATE follower SET owner = ?1, until_ms = ?2
WHERE name = ?3 AND (owner = ?1 OR until_ms < ?4)"""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to write."""

    url: str
    headers: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """How the follower is called in the store: without anything secret."""
        parts = urlsplit(self.url)
        return f"influx {parts.hostname}:{parts.port}{parts.path}"

    @classmethod
    def v1(cls, base: str, database: str, token: str | None) -> Target:
        """Return `/write` of InfluxDB 1.x, or of VictoriaMetrics. The token is `user:password`."""
        url = f"{base.rstrip('/')}/write?{urlencode({'db': database, 'precision': 'ms'})}"
        return cls(url, _headers(token))

    @classmethod
    def v2(cls, base: str, organisation: str, bucket: str, token: str | None) -> Target:
        """Return `/api/v2/write` of InfluxDB 2.x."""
        words = {"org": organisation, "bucket": bucket, "precision": "ms"}
        return cls(f"{base.rstrip('/')}/api/v2/write?{urlencode(words)}", _headers(token))


class Later(Exception):
    """Not now; `wait_s` is what the server asks for, if it does."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class _Rejected(Exception):
    """These lines will never be taken, or not so many at once."""


class _Row(NamedTuple):
    id: int
    site: str
    gateway: str
    ep: int
    seq: int
    pv: int | None
    kind: str
    device: str
    ts_ms: int
    body: str


class Influx:
    """The follower. A context manager: its thread runs inside the block."""

    def __init__(
        self, path: Path, target: Target, copy: str, *, clock: Clock, tell: Callable[[str], None]
    ) -> None:
        self._path = path
        self._target = target
        self._copy = copy
        self._clock = clock
        self._tell = tell
        self._stop = threading.Event()
        self._end_at = math.inf
        self._thread = threading.Thread(target=self._run, name="influx")
        self.written = 0
        """Lines that the database has taken from this copy."""

    @property
    def has_died(self) -> bool:
        """Whether it has ended although nobody told it to: the copy must end too."""
        return not self._thread.is_alive() and not self._stop.is_set()

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is there if the database takes it soon, then end."""
        self._end_at = self._clock.monotonic() + FLUSH_S
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with closing(open_store(self._path)) as db:
            self._follow(db)

    def _follow(self, db: sqlite3.Connection) -> None:
        wait_s = _FIRST_S
        is_ended = False
        while not is_ended:
            is_ended = self._stop.is_set()
            try:
                while self._clock.monotonic() < self._end_at and self.step(db):
                    wait_s = _FIRST_S
            except (Later, sqlite3.OperationalError) as later:
                asked_s = later.wait_s if isinstance(later, Later) else None
                pause_s = wait_s if asked_s is None else asked_s
                self._tell(f"influx: {later}; again in {pause_s:g} s")
                wait_s = min(2 * wait_s, _SLOWEST_S) if asked_s is None else wait_s
                self._stop.wait(pause_s)
            else:
                self._stop.wait(IDLE_S)

    def step(self, db: sqlite3.Connection) -> bool:
        """Write the next records; return whether there were any for us.

        Raises:
            Later: the database does not take them now.
        """
        name = (self._target.name,)
        if not db.execute(_IS_BEHIND, name).fetchone()[0] or not self._claims(db):
            return False
        (upto,) = db.execute("SELECT upto FROM follower WHERE name = ?", name).fetchone()
        rows = [_Row(*row) for row in db.execute(_NEXT, (upto, BATCH))]
        if not rows:
            return False
        texts = [text for row in rows for text in _lines(row)]
        refused = self._write(texts)
        self.written += len(texts) - refused
        db.execute(
            "UPDATE follower SET upto = ?, refused = refused + ? WHERE name = ? AND owner = ?",
            (rows[-1].id, refused, self._target.name, self._copy),
        )
        return True

    def _claims(self, db: sqlite3.Connection) -> bool:
        """Take the work for a while; False when another copy has it."""
        now_ms = self._clock.now_ms()
        words = (self._copy, now_ms + int(LEASE_S * 1000), self._target.name, now_ms)
        db.execute("INSERT OR IGNORE INTO follower (name, upto) VALUES (?, 0)", words[2:3])
        return bool(db.execute(_CLAIM, words).rowcount)

    def _write(self, texts: Sequence[str]) -> int:
        """Write lines, in halves where they are not taken together; return how many never are."""
        if not texts:
            return 0
        if self._clock.monotonic() >= self._end_at:
            raise Later("told to stop")
        try:
            _post(self._target, "\n".join(texts).encode())
        except _Rejected as rejected:
            if len(texts) == 1:
                self._tell(f"influx: refused for good: {rejected}: {texts[0].split(' ')[0]}")
                return 1
            middle = len(texts) // 2
            return self._write(texts[:middle]) + self._write(texts[middle:])
        return 0


def _post(target: Target, payload: bytes) -> None:
    request = urllib.request.Request(  # noqa: S310 - http or https, seen to by the options
        target.url, payload, dict(target.headers), method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310 - as above
            return
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(300).decode(errors="replace").strip()
        if error.code == _TOO_LARGE or error.code in _BAD_LINES:
            raise _Rejected(f"{error.code} {said}") from error
        raise Later(f"{error.code} {said}", _retry_after(error)) from error
    except (OSError, HTTPException) as error:
        raise Later(str(error) or type(error).__name__) from error


def _retry_after(error: urllib.error.HTTPError) -> float | None:
    """Return the seconds of Retry-After, which 429 and 503 carry."""
    text = error.headers.get("Retry-After", "")
    if error.code in {_TOO_MANY, _NO_SERVICE} and text.isdecimal():
        return min(float(text), _SLOWEST_S)
    return None


def _lines(row: _Row) -> Iterator[str]:
    if not row.body:  # forgotten before a database that is new was there
        return iter(())
    source = Source(row.site, row.gateway, row.ep)
    words = (source, row.seq, row.pv, row.kind, row.device, row.ts_ms, row.body)
    return lines(Record(*words, fields=json.loads(row.body)))


def _headers(token: str | None) -> tuple[tuple[str, str], ...]:
    text = (("Content-Type", "text/plain; charset=utf-8"),)
    return text if token is None else (*text, ("Authorization", f"Token {token}"))
