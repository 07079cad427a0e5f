"""A process around the peer's SQLite event storage. Runs in the peer's own environment.

    python storage_process.py FOLDER put RATE [MOST]      accepts messages until it is killed
    python storage_process.py FOLDER drain                gives back what is stored, and ends

It imports the peer's package as installed, and nothing of this repository. `A` and a message for
everything that `put` accepted, `F` for what it refused, `D` and a message for what it gives back.
"""

import logging
import os
import sys
import time
from importlib import import_module
from threading import Event
from typing import Any

MODULE = "thingsboard_gateway.storage.sqlite.sqlite_event_storage"
EMPTY_S = 2.0
SETTINGS = {"max_read_records_count": 1000, "writing_batch_size": 1000}


def say(kind: str, text: str) -> None:
    """Print one line at once."""
    sys.stdout.write(f"{kind} {text}\n")
    sys.stdout.flush()


def logger() -> logging.Logger:
    """Return a silent logger; the peer's own has one more level."""
    found: Any = logging.getLogger("peer")
    found.addHandler(logging.NullHandler())
    found.propagate = False
    if not hasattr(found, "trace"):
        found.trace = found.debug
    return found


def put(storage: Any, rate: float, most: int) -> None:
    """Put messages at this rate; count what is accepted."""
    stamp = time.monotonic_ns()
    began = time.monotonic()
    for number in range(most):
        message = f"{stamp}-{number:08}-" + "x" * 130
        say("A" if storage.put(message) else "F", message[:32])
        ahead_s = number / rate - (time.monotonic() - began)
        if ahead_s > 0:
            time.sleep(ahead_s)


def drain(storage: Any) -> None:
    """Take out what is there until nothing new comes for a while.

    On a full disk it may be unable to delete, and gives the same back again and again.
    """
    seen: set[str] = set()
    empty_since = time.monotonic()
    while time.monotonic() - empty_since < EMPTY_S:
        fresh = {message[:32] for message in storage.get_event_pack()} - seen
        for message in fresh:
            say("D", message)
        if fresh:
            seen |= fresh
            empty_since = time.monotonic()
        else:
            time.sleep(0.05)
        storage.event_pack_processing_done()


def main() -> None:
    """Run it."""
    folder, what, *more = sys.argv[1:]
    stop = Event()
    make: Any = import_module(MODULE).SQLiteEventStorage
    storage = make({**SETTINGS, "data_file_path": f"{folder}/"}, logger(), stop)
    if what == "put":
        put(storage, float(more[0]), int(more[1]) if len(more) > 1 else 1 << 40)
        time.sleep(EMPTY_S)
    else:
        drain(storage)
    stop.set()
    storage.stop()
    sys.stdout.flush()
    os._exit(0)  # its threads may still wait for a disk that is full


if __name__ == "__main__":
    main()
