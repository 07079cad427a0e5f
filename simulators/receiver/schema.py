"""The tables of a receiver's store (SQLite), and how a file with them is opened.

Several copies on one machine share one file: in WAL mode they read beside each other and write one
after the other. What a province takes instead is said in docs/platform/receiver.md.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

BUSY_S = 30.0
"""How long a copy waits for the transaction of another."""
TABLES = """
-- One gateway's store: (gw, ep). `top` is the newest seq seen, `late_ms` when an older one came.
CREATE TABLE IF NOT EXISTS stream (
  id INTEGER PRIMARY KEY, gw TEXT NOT NULL, ep INTEGER NOT NULL,
  top INTEGER NOT NULL DEFAULT 0, late_ms INTEGER NOT NULL DEFAULT 0,
  floor INTEGER NOT NULL DEFAULT 0,
  UNIQUE (gw, ep));
-- Every record once: the unique index is what removes duplicates. `id` is the order of arrival.
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
-- One identity, two contents: never to be seen; both are kept for the search of the cause.
CREATE TABLE IF NOT EXISTS conflict (
  stream INTEGER NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS unreadable (
  at_ms INTEGER NOT NULL, topic TEXT NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS gateway (
  gw TEXT PRIMARY KEY, site TEXT NOT NULL, online INTEGER, sess INTEGER NOT NULL DEFAULT 0,
  ack TEXT, birth_tp INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS birth (
  gw TEXT NOT NULL, dev TEXT NOT NULL, tp INTEGER NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (gw, dev)) WITHOUT ROWID;
-- What each copy has done, kept in the same transactions: a killed copy's figures stay true.
CREATE TABLE IF NOT EXISTS copy (
  name TEXT PRIMARY KEY, messages INTEGER NOT NULL, records INTEGER NOT NULL,
  readings INTEGER NOT NULL, duplicates INTEGER NOT NULL, conflicts INTEGER NOT NULL,
  unreadable INTEGER NOT NULL, late INTEGER NOT NULL, requests INTEGER NOT NULL) WITHOUT ROWID;
-- How far each follower of the records has come, and which copy does its work until when.
CREATE TABLE IF NOT EXISTS follower (
  name TEXT PRIMARY KEY, upto INTEGER NOT NULL, refused INTEGER NOT NULL DEFAULT 0,
  owner TEXT NOT NULL DEFAULT '', until_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
"""


def open_store(path: Path) -> sqlite3.Connection:
    """Return a connection to the store, made when it is not there; commits reach the disk.

    Transactions are begun by hand. Raises sqlite3.Error when the file is no such store.
    """
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")  # what is acknowledged must outlive a power cut
    db.executescript(TABLES)
    return db
