"""The tables of a receiver's store (SQLite), and how a file with them is opened.

Several copies on one machine share one file: in WAL mode they read beside each other and write one
after the other. What a province takes instead is said in docs/platform/receiver.md.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

BUSY_S = 30.0
"""How long a copy waits for the transaction of another."""
FORM = 2
"""Of the tables, kept in the file: a file of another form is refused and not misread."""
TABLES = """
-- One gateway's store. `top` is the newest seq seen, `late_ms` when older history came, `floor` the
-- seq up to which nothing is missing for who began later. The site belongs to a gateway's name: two
-- sites may both have a gw-03, and neither can speak, or be asked, as the other.
CREATE TABLE IF NOT EXISTS stream (
  id INTEGER PRIMARY KEY, site TEXT NOT NULL, gw TEXT NOT NULL, ep INTEGER NOT NULL,
  top INTEGER NOT NULL DEFAULT 0, late_ms INTEGER NOT NULL DEFAULT 0,
  floor INTEGER NOT NULL DEFAULT 0,
  UNIQUE (site, gw, ep));
-- Every record once: the unique index is what removes duplicates. `id` is the order of arrival. The
-- identity stays for ever, the body only as long as it is kept.
CREATE TABLE IF NOT EXISTS record (
  id INTEGER PRIMARY KEY, stream INTEGER NOT NULL REFERENCES stream, seq INTEGER NOT NULL,
  pv INTEGER, lane TEXT NOT NULL, class TEXT NOT NULL, dev TEXT NOT NULL, ts INTEGER NOT NULL,
  copy TEXT NOT NULL, body TEXT NOT NULL,
  UNIQUE (stream, seq));
-- The gap ledger: records that another one names as its predecessor and that have not come.
CREATE TABLE IF NOT EXISTS missing (
  stream INTEGER NOT NULL, seq INTEGER NOT NULL, lane TEXT NOT NULL,
  since_ms INTEGER NOT NULL, asked INTEGER NOT NULL DEFAULT 0, next_ms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (stream, seq)) WITHOUT ROWID;
-- What gateways told to be gone for good (class `gap`).
CREATE TABLE IF NOT EXISTS told (
  stream INTEGER NOT NULL, lane TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  count INTEGER NOT NULL, cause TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS told_by_stream ON told (stream, lane);
-- One identity, two contents: never to be seen; the last of them are kept, to find the cause.
CREATE TABLE IF NOT EXISTS conflict (
  stream INTEGER NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS unreadable (
  at_ms INTEGER NOT NULL, topic TEXT NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS gateway (
  site TEXT NOT NULL, gw TEXT NOT NULL, online INTEGER, sess INTEGER NOT NULL DEFAULT 0,
  ack TEXT, birth_tp INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (site, gw)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS birth (
  site TEXT NOT NULL, gw TEXT NOT NULL, dev TEXT NOT NULL, tp INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (site, gw, dev)) WITHOUT ROWID;
-- What each copy has done, kept in the same transactions: a killed copy's figures stay true.
CREATE TABLE IF NOT EXISTS copy (
  name TEXT PRIMARY KEY, messages INTEGER NOT NULL, records INTEGER NOT NULL,
  readings INTEGER NOT NULL, duplicates INTEGER NOT NULL, conflicts INTEGER NOT NULL,
  unreadable INTEGER NOT NULL, late INTEGER NOT NULL, requests INTEGER NOT NULL) WITHOUT ROWID;
-- How far each follower of the records has come, and which copy does its work until when.
CREATE TABLE IF NOT EXISTS follower (
  name TEXT PRIMARY KEY, upto INTEGER NOT NULL, refused INTEGER NOT NULL DEFAULT 0,
  owner TEXT NOT NULL DEFAULT '', until_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
-- The newest id at some times, and up to which id bodies are forgotten.
CREATE TABLE IF NOT EXISTS arrival (at_ms INTEGER PRIMARY KEY, upto INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS forgotten (one INTEGER PRIMARY KEY CHECK (one = 1), upto INTEGER);
"""


def open_store(path: Path) -> sqlite3.Connection:
    """Return a connection to the store, made when it is not there; commits reach the disk.

    Transactions are begun by hand. Raises sqlite3.Error when the file is no such store.
    """
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # what is acknowledged must outlive a power cut
        if _is_empty(path, db):
            db.executescript(f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {FORM}; COMMIT;")
    except sqlite3.Error:
        db.close()
        raise
    return db


def _is_empty(path: Path, db: sqlite3.Connection) -> bool:
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (form,) = db.execute("PRAGMA user_version").fetchone()
    if tables and form != FORM:
        raise sqlite3.DatabaseError(f"{path} is no store of form {FORM}: take another file")
    return not tables
