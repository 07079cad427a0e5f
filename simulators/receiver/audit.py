"""Whether a store holds every identity exactly once: recomputed from its records, not believed.

The gap ledger is not asked: every `pv` of every record is looked up again, so that an error of the
receiver itself would show. With the truth (`linli-sim run --ledger`) every good value is held
against it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simulators.ledger import Ledger
from simulators.platform import Auditor
from simulators.receiver.schema import open_store

_TWICE = "SELECT count(*) FROM (SELECT 1 FROM record GROUP BY stream, seq HAVING count(*) > 1)"
_UNFOLLOWED = """SELECT count(*) FROM (SELECT DISTINCT r.stream, r.pv FROM record r
JOIN stream s ON s.id = r.stream
WHERE r.pv > s.floor
AND NOT EXISTS (SELECT 1 FROM record p WHERE p.stream = r.stream AND p.seq = r.pv)
AND {is_not} EXISTS (SELECT 1 FROM told t
  WHERE t.stream = r.stream AND t.lane = r.lane AND r.pv BETWEEN t.first AND t.last))"""
_SUMS = "SELECT coalesce(sum({}), 0) FROM copy"


@dataclass(frozen=True, slots=True)
class Audit:
    """What a store holds, and what is wrong with it."""

    stores: int
    """Stores of gateways: pairs (gw, ep)."""
    records: int
    readings: int
    messages: int
    twice: int
    """Identities that are there more than once."""
    missing: int
    """Records that others name as their predecessor, neither here nor told to be gone."""
    told: int
    """Predecessors that their gateway told to be gone for good."""
    duplicates: int
    """Copies that were set aside."""
    conflicts: int
    """Copies that differed from what was there."""
    unreadable: int
    late: int
    """Records that came behind a newer one: no fault."""
    requests: int
    false: int | None
    """Good values that were not so; None without the truth to hold them against."""

    @property
    def is_whole(self) -> bool:
        """Whether every identity is there exactly once, and nothing contradicts anything."""
        return not (self.twice or self.missing or self.conflicts or self.false)

    def sentence(self) -> str:
        """Say it."""
        verdict = "every identity exactly once" if self.is_whole else "NOT every identity once"
        more = "" if self.false is None else f", {self.false} false"
        if self.unreadable:
            more += f", {self.unreadable:,} unreadable messages set aside"
        return (
            f"{verdict}: {self.records:,} records of {self.stores:,} stores, {self.missing:,} "
            f"missing, {self.told:,} told to be gone, {self.duplicates:,} duplicates set aside, "
            f"{self.conflicts:,} conflicts{more}"
        )

    def figures(self) -> dict[str, Any]:
        """Return everything by name."""
        return {"exactly_once": self.is_whole, **asdict(self)}


def audit(path: Path, truth: Ledger | None = None) -> Audit:
    """Return what the store of this file holds; of several copies the sum.

    Raises sqlite3.Error when the file is no store.
    """
    db = open_store(path)
    try:
        return Audit(
            stores=_number(db, "SELECT count(DISTINCT stream) FROM record"),
            records=_number(db, "SELECT count(*) FROM record"),
            readings=_number(db, _SUMS.format("readings")),
            messages=_number(db, _SUMS.format("messages")),
            twice=_number(db, _TWICE),
            missing=_number(db, _UNFOLLOWED.format(is_not="NOT")),
            told=_number(db, _UNFOLLOWED.format(is_not="")),
            duplicates=_number(db, _SUMS.format("duplicates")),
            conflicts=_number(db, _SUMS.format("conflicts")),
            unreadable=_number(db, _SUMS.format("unreadable")),
            late=_number(db, _SUMS.format("late")),
            requests=_number(db, _SUMS.format("requests")),
            false=None if truth is None else _false(db, truth),
        )
    finally:
        db.close()


def copies(path: Path) -> dict[str, dict[str, int]]:
    """Return what each copy has done, by its name."""
    db = open_store(path)
    try:
        found = db.execute("SELECT * FROM copy ORDER BY name")
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found]
        return {str(row.pop("name")): row for row in rows}
    finally:
        db.close()


def _false(db: sqlite3.Connection, truth: Ledger) -> int:
    auditor = Auditor(truth)
    rows = db.execute(
        "SELECT s.gw, r.class, r.dev, r.body FROM record r JOIN stream s ON s.id = r.stream"
    )
    for gateway, kind, device, body in rows:
        auditor.take(f"fc/1/_/{gateway}/up/{kind}/{device}", str(body).encode())
    return auditor.false_count


def _number(db: sqlite3.Connection, question: str) -> int:
    (found,) = db.execute(question).fetchone()
    return int(found)
