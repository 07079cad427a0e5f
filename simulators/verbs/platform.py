"""The verb `linli-sim platform`: receive, keep, ask again, pass on; or audit what was kept."""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from simulators.clock import WallClock
from simulators.ledger import Ledger
from simulators.mqtt5.broker import BadUrl, Broker
from simulators.numbers import positive
from simulators.receiver.audit import audit, copies
from simulators.receiver.gaps import Pacing
from simulators.receiver.influx import Influx, Target
from simulators.receiver.lines import lines
from simulators.receiver.message import Record
from simulators.receiver.receiver import Duties, Receiver
from simulators.receiver.session import Denied, Session, Subscribed
from simulators.receiver.store import Store

DONE, NOT_WHOLE, FAILED, WRONG_USAGE = 0, 1, 1, 2
CONFIRMS = {"auto": None, "always": True, "never": False}
PassOn = Callable[[Sequence[Record]], None]

HELP = "receive what gateways send, each record once, and ask for the rest"
EXAMPLE = "linli-sim platform --broker mqtt://127.0.0.1 --client-id copy-1 --store records.db"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--broker", help="mqtt://host:port or mqtts://host:port")
    parser.add_argument("--ca", metavar="FILE", help="certificates to trust")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="for the URL's user")
    parser.add_argument("--root", default="fc", help="first part of all topics (fc)")
    parser.add_argument("--share", default="linli", metavar="NAME", help="group of copies (linli)")
    parser.add_argument("--client-id", metavar="ID",
        help="name of this copy, kept over restarts; without one it leaves at the end",
    )  # fmt: skip
    parser.add_argument("--store", type=Path, metavar="FILE", default=Path("linli-platform.db"),
        help="SQLite file that all copies on this machine share (linli-platform.db)",
    )  # fmt: skip
    parser.add_argument("--from-now", action="store_true",
        help="ask for nothing from before a gateway's first record",
    )  # fmt: skip
    parser.add_argument("--patience", type=positive, default=60.0, metavar="S",
        help="seconds until a missing record is asked for (60)",
    )  # fmt: skip
    parser.add_argument("--repeat", type=positive, default=60.0, metavar="S",
        help="seconds until it is asked for again, doubling (60)",
    )  # fmt: skip
    parser.add_argument("--keep-days", type=positive, metavar="D",
        help="forget the bodies of records after so many days, never their identities (for ever)",
    )  # fmt: skip
    parser.add_argument("--no-resend", action="store_true", help="ask for nothing")
    parser.add_argument("--app-ack", choices=tuple(CONFIRMS), default="auto",
        help="confirm records on dn/ack: to gateways whose birth asks for it (auto), always, never",
    )  # fmt: skip
    parser.add_argument("--leave", action="store_true", help="at the end leave the group for good")
    parser.add_argument("--influx", metavar="URL", help="write to InfluxDB at http(s)://host:port")
    parser.add_argument("--influx-db", metavar="NAME", help="database of InfluxDB 1.x")
    parser.add_argument("--influx-org", metavar="NAME", help="organisation of InfluxDB 2.x")
    parser.add_argument("--influx-bucket", metavar="NAME", help="bucket of InfluxDB 2.x")
    parser.add_argument("--influx-token-file", type=Path, metavar="FILE",
        help="token of 2.x, or user:password of 1.x",
    )  # fmt: skip
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--lines", action="store_true", help="print new records as line protocol")
    shown.add_argument("--json", action="store_true", help="print new records as JSON lines")
    parser.add_argument("--duration", type=positive, metavar="S", help="end after so long")
    parser.add_argument("--audit", action="store_true",
        help="receive nothing: say whether --store holds every identity exactly once",
    )  # fmt: skip
    parser.add_argument("--truth", type=Path, metavar="FILE",
        help="with --audit: ledger of `linli-sim run --ledger`, to find values that never were",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run the verb; return its exit status."""
    try:
        if arguments.audit:
            return _audit(arguments)
        return _receive(arguments)
    except (BadUrl, _BadOptions) as error:
        _tell(str(error))
        return WRONG_USAGE
    except (Denied, sqlite3.Error, OSError) as error:
        _tell(str(error))
        return FAILED


class _BadOptions(Exception):
    """Options that do not go together."""


def _audit(arguments: argparse.Namespace) -> int:
    if not arguments.store.exists():
        raise _BadOptions(f"there is no store {arguments.store}")
    try:
        truth = None if arguments.truth is None else Ledger.read(arguments.truth)
    except ValueError as error:
        raise _BadOptions(f"{arguments.truth} is no ledger: {error}") from error
    found = audit(arguments.store, truth)
    _tell(found.sentence())
    _print({**found.figures(), "copies": copies(arguments.store)})
    return DONE if found.is_whole else NOT_WHOLE


def _receive(arguments: argparse.Namespace) -> int:
    copy = arguments.client_id or f"linli-platform-{secrets.token_hex(4)}"
    clock = WallClock()
    stopped = _stop_of(arguments.duration, clock)
    broker = _broker(arguments)
    target = _target(arguments)
    subscribed = Subscribed(copy, arguments.root, arguments.share)
    session = Session(broker, subscribed, clock.monotonic, _tell)
    began = (clock.monotonic(), time.process_time())
    with ExitStack() as stack:
        store = stack.enter_context(Store(arguments.store, copy, begins_now=arguments.from_now))
        influx = None
        if target is not None:
            influx = stack.enter_context(
                Influx(arguments.store, target, copy, clock=clock, tell=_tell)
            )
        receiver = Receiver(
            session, store, clock, _duties(arguments), passes_on=_pass_on(arguments)
        )
        receiver.run(
            lambda: stopped() or (influx is not None and influx.has_died),
            lambda: _tell(f"{copy} receives from {broker.host}:{broker.port}"),
        )
        has_died = influx is not None and influx.has_died
    cost = {
        "cpu_s": round(time.process_time() - began[1], 3),
        "wall_s": round(clock.monotonic() - began[0], 3),
        "connects": session.connects,
        "influx_lines": None if influx is None else influx.written,
    }
    found = audit(arguments.store)
    _tell(found.sentence())
    _print({"copy": copy, **cost, **found.figures(), "copies": copies(arguments.store)})
    return FAILED if has_died else DONE


def _broker(arguments: argparse.Namespace) -> Broker:
    if arguments.broker is None:
        raise _BadOptions("--broker is needed, but for --audit")
    found = Broker.of(arguments.broker, arguments.ca)
    if arguments.password_file is None:
        return found
    return found.with_password(arguments.password_file.read_text(encoding="utf-8").rstrip("\n"))


def _duties(arguments: argparse.Namespace) -> Duties:
    pacing = None if arguments.no_resend else Pacing(arguments.patience, arguments.repeat)
    return Duties(
        arguments.root,
        pacing,
        CONFIRMS[arguments.app_ack],
        is_leaving=arguments.leave or arguments.client_id is None,  # nobody would come back for it
        keep_days=arguments.keep_days,
    )


def _target(arguments: argparse.Namespace) -> Target | None:
    if arguments.influx is None:
        return None
    if not arguments.influx.startswith(("http://", "https://")):
        raise _BadOptions("--influx is http://host:port or https://host:port")
    file = arguments.influx_token_file
    token = None if file is None else file.read_text(encoding="utf-8").strip()
    if arguments.influx_db is not None:
        return Target.v1(arguments.influx, arguments.influx_db, token)
    if arguments.influx_org is None or arguments.influx_bucket is None:
        raise _BadOptions("--influx needs --influx-db (1.x), or --influx-org and --influx-bucket")
    return Target.v2(arguments.influx, arguments.influx_org, arguments.influx_bucket, token)


def _pass_on(arguments: argparse.Namespace) -> PassOn:
    def as_lines(records: Sequence[Record]) -> None:
        texts = (text for record in records for text in lines(record))
        sys.stdout.writelines(f"{text}\n" for text in texts)
        sys.stdout.flush()

    def as_json(records: Sequence[Record]) -> None:
        texts = (record.text.replace("\n", " ").replace("\r", " ") for record in records)
        sys.stdout.writelines(f"{text}\n" for text in texts)
        sys.stdout.flush()

    def nowhere(_: Sequence[Record]) -> None:
        pass

    return as_lines if arguments.lines else as_json if arguments.json else nowhere


def _stop_of(duration_s: float | None, clock: WallClock) -> Callable[[], bool]:
    """Return what says whether to stop: after SIGTERM or SIGINT, or when the time is over."""
    is_told = False
    until = None if duration_s is None else clock.monotonic() + duration_s

    def told(*_: object) -> None:
        nonlocal is_told
        is_told = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, told)
    return lambda: is_told or (until is not None and clock.monotonic() >= until)


def _tell(text: str) -> None:
    sys.stderr.write(f"linli-sim platform: {text}\n")
    sys.stderr.flush()


def _print(row: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()
