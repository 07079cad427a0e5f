"""The verb `linli-sim fleet`: publish as many gateways, answer what a platform asks for again."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from simulators.clock import WallClock
from simulators.fleet.gateway import Make
from simulators.fleet.run import Fleet, Plan
from simulators.mqtt5.broker import BadUrl, Broker
from simulators.numbers import from_zero, positive, share

DONE, NOT_ALL, WRONG_USAGE = 0, 1, 2
FILES_BESIDE = 64
"""Open files that the process needs beside its connections."""
HELP = "publish what many gateways would"
EXAMPLE = "linli-sim fleet --broker mqtt://127.0.0.1 --gateways 1000 --records 100 --lose 0.01"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--broker", required=True, help="mqtt://host:port or mqtts://host:port")
    parser.add_argument("--ca", metavar="FILE", help="certificates to trust")
    parser.add_argument("--gateways", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--connections", type=int, help="over so many connections (one each)")
    parser.add_argument("--root", default="fc", help="first part of all topics (fc)")
    parser.add_argument("--site", default="fleet", help="id of their site (fleet)")
    parser.add_argument("--records", type=int, help="of each gateway, else until --duration")
    parser.add_argument("--points", type=int, default=20, help="values of a record (20)")
    parser.add_argument("--rate", type=from_zero, default=1.0,
        help="records a second of each gateway (1); 0: as fast as the broker takes them",
    )  # fmt: skip
    parser.add_argument("--lose", type=share, default=0.0, help="share lost on its way")
    parser.add_argument("--double", type=share, default=0.0, help="share that is sent twice")
    parser.add_argument("--keep", type=int, default=10_000, help="records kept for a resend")
    parser.add_argument("--ack", choices=("puback", "app"), default="puback", help="in the birth")
    parser.add_argument("--linger", type=from_zero, default=5.0, metavar="S",
        help="answer until nobody has asked for so long (5), or all is confirmed with --ack app",
    )  # fmt: skip
    parser.add_argument("--duration", type=positive, metavar="S", help="publish for so long")
    parser.add_argument("--seed", type=int, help="seed of all chance, also of the stores' epochs")
    parser.add_argument("--books", type=Path, metavar="FILE",
        help="write what each gateway committed, as JSON",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run the verb; return its exit status."""
    try:
        broker = Broker.of(arguments.broker, arguments.ca)
    except BadUrl as error:
        sys.stderr.write(f"linli-sim fleet: {error}\n")
        return WRONG_USAGE
    plan = _plan(arguments)
    _allow_files(plan.connections + FILES_BESIDE)
    clock = WallClock()
    began = (clock.monotonic(), time.process_time())
    fleet = Fleet(plan, broker, clock)
    asyncio.run(fleet.run(arguments.duration))
    cost = {
        "cpu_s": round(time.process_time() - began[1], 3),
        "wall_s": round(clock.monotonic() - began[0], 3),
    }
    if arguments.books is not None:
        rows = {one.name: {"ep": one.ep, "last_seq": one.seq} for one in fleet.gateways}
        arguments.books.write_text(json.dumps(rows) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps({**_figures(fleet), **cost}) + "\n")
    is_understood = not any(one.books.nonsense for one in fleet.gateways)
    return DONE if is_understood and not fleet.course.refused else NOT_ALL


def _plan(arguments: argparse.Namespace) -> Plan:
    make = Make(
        root=arguments.root,
        site=arguments.site,
        points=arguments.points,
        lose=arguments.lose,
        double=arguments.double,
        keep=arguments.keep,
        ack=arguments.ack,
    )
    connections = min(arguments.connections or arguments.gateways, arguments.gateways)
    return Plan(
        arguments.gateways,
        connections,
        make,
        arguments.records,
        arguments.rate,
        arguments.linger,
        secrets.randbits(32) if arguments.seed is None else arguments.seed,
    )


def _figures(fleet: Fleet) -> dict[str, Any]:
    course, books = fleet.course, [one.books for one in fleet.gateways]
    return {
        "gateways": len(fleet.gateways),
        "records": sum(one.records for one in books),
        "readings": sum(one.readings for one in books),
        "messages": course.messages,
        "lost": sum(one.lost for one in books),
        "doubled": sum(one.doubled for one in books),
        "asked": sum(one.asked for one in books),
        "resent": sum(one.resent for one in books),
        "confirmed": sum(len(one.confirmed) for one in books),
        "nonsense": sum(one.nonsense for one in books),
        "unheard": course.unheard,
        "refused": course.refused,
        "connects": course.connects,
    }


def _allow_files(wanted: int) -> None:
    """Raise the limit of open files as far as this user may."""
    import resource  # noqa: PLC0415 - not on Windows, where there is no such limit

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
