"""What is known of gateways and devices: births and states, which are no records.

They are retained, so every copy of the receiver gets them, and an old one may come behind a newer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from simulators.receiver.message import ITSELF, Message

AHEAD_MS = 3_600_000
"""A birth from further in our future is of a wrong clock: it does not hold up the next one."""


def note(db: sqlite3.Connection, message: Message, now_ms: int) -> None:
    """Note what a message tells of its gateway or device; inside a transaction."""
    who = (message.site, message.gateway)
    db.execute("INSERT OR IGNORE INTO gateway (site, gw) VALUES (?, ?)", who)
    if message.kind == "birth" and message.fields:
        _birth(db, message, now_ms)
    elif message.kind == "birth":
        words = (*who, message.device)
        db.execute("DELETE FROM birth WHERE site = ? AND gw = ? AND dev = ?", words)
    elif message.kind == "state" and message.device == ITSELF and message.fields:
        _state(db, message)


def wants_confirmation(db: sqlite3.Connection, site: str, gateway: str) -> bool:
    """Whether a gateway's birth says that it waits for `dn/ack` (`ack: app`)."""
    question = "SELECT ack FROM gateway WHERE site = ? AND gw = ?"
    found = db.execute(question, (site, gateway)).fetchone()
    return found is not None and found[0] == "app"


def integer(fields: Mapping[str, Any], name: str) -> int:
    """Return a field that should be an integer from 0; 0 when it is none."""
    found = fields.get(name)
    return found if type(found) is int and 0 <= found < 1 << 53 else 0


def _birth(db: sqlite3.Connection, message: Message, now_ms: int) -> None:
    who = (message.site, message.gateway)
    tp, ahead_ms = integer(message.fields, "tp"), now_ms + AHEAD_MS
    db.execute(
        "INSERT INTO birth VALUES (?, ?, ?, ?, ?) ON CONFLICT (site, gw, dev) DO UPDATE "
        "SET tp = excluded.tp, body = excluded.body WHERE excluded.tp >= tp OR tp > ?",
        (*who, message.device, tp, message.text, ahead_ms),
    )
    if message.device == ITSELF:
        db.execute(
            "UPDATE gateway SET ack = ?, birth_tp = ? "
            "WHERE site = ? AND gw = ? AND (birth_tp <= ? OR birth_tp > ?)",
            (str(message.fields.get("ack")), tp, *who, tp, ahead_ms),
        )


def _state(db: sqlite3.Connection, message: Message) -> None:
    """Note online or offline; a will of an older connection says nothing (guide, `sess`).

    `sess` is a time of the gateway, whose clock may have been wrong: who is back is believed.
    """
    session = integer(message.fields, "sess")
    is_online = message.fields.get("online") is True
    db.execute(
        "UPDATE gateway SET online = ?1, sess = ?2 "
        "WHERE site = ?3 AND gw = ?4 AND (?1 OR sess <= ?2)",
        (is_online, session, message.site, message.gateway),
    )
