"""The verb `linli-sim conform`: try a broker, or a platform's subscriber behind it."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from simulators.clock import WallClock
from simulators.conform import consumer_side, gateway_side
from simulators.conform.check import Bench, Check, State, Verdict, run_checks
from simulators.conform.script import ScriptedGateway
from simulators.conform.subscriber import Story, play
from simulators.mqtt5.broker import BadUrl, Broker
from simulators.mqtt5.connection import Gone, NotAccepted, connected
from simulators.mqtt5.packets import Hello, Malformed

CONFORMS, DOES_NOT, WRONG_USAGE = 0, 1, 2
CHECKS: tuple[Check, ...] = (*gateway_side.CHECKS, *consumer_side.CHECKS)
_EP_BITS = 52
HELP = "try whether a broker, or a platform behind it, does what it must"
EXAMPLE = "linli-sim conform mqtt://127.0.0.1 --acl fc/1/other/gw-99/up/prop/em-01"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("broker", help="mqtt[s]://[user:password@]host[:port]")
    parser.add_argument("--ca", metavar="FILE", help="certificates to trust")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="for the URL's user")
    parser.add_argument("--root", default="fc", help="first part of all topics (fc)")
    parser.add_argument("--only", nargs="+", metavar="CHECK", help="only these checks of a broker")
    parser.add_argument("--acl", metavar="TOPIC",
        help="a topic to which this user may not publish: is the refusal said?",
    )  # fmt: skip
    parser.add_argument("--queue", type=int, default=1500, metavar="N",
        help="messages that must wait for an absent consumer (1500)",
    )  # fmt: skip
    parser.add_argument("--subscriber", action="store_true",
        help="try the platform that listens behind the broker, not the broker",
    )  # fmt: skip
    parser.add_argument("--patience", type=float, default=90.0, metavar="S",
        help="within which the platform confirms, and asks for what it misses (90)",
    )  # fmt: skip
    parser.add_argument("--expected", type=Path, metavar="FILE",
        help="write the identities that the platform must now hold once each, as JSON",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="verdicts as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb; return its exit status."""
    try:
        broker = Broker.of(arguments.broker, arguments.ca)
        if arguments.password_file is not None:
            broker = broker.with_password(arguments.password_file.read_text().rstrip("\n"))
        chosen = _chosen(arguments.only)
    except (BadUrl, OSError, KeyError) as error:
        sys.stderr.write(f"linli-sim conform: {error}\n")
        return WRONG_USAGE
    name = f"conform-{secrets.token_hex(4)}"
    base = f"{arguments.root}/1/conform/{name}"
    bench = Bench(broker, f"{base}/up", name, arguments.acl, arguments.queue)
    if arguments.subscriber:
        verdicts = asyncio.run(_subscriber(bench, base, arguments))
    else:
        verdicts = asyncio.run(run_checks(bench, chosen))
    _show(verdicts, is_json=arguments.json)
    is_wrong = not verdicts or any(verdict.state is State.FAIL for verdict in verdicts)
    return DOES_NOT if is_wrong else CONFORMS


def _chosen(names: Sequence[str] | None) -> list[Check]:
    by_name = {check.name: check for check in CHECKS}
    return list(CHECKS) if names is None else [by_name[name] for name in names]


async def _subscriber(bench: Bench, base: str, arguments: argparse.Namespace) -> list[Verdict]:
    found: list[Verdict] = []
    victim = f"{bench.name}-b"
    other = f"{arguments.root}/1/conform/{victim}"
    try:
        async with connected(bench.broker, Hello(bench.name, 60)) as link:
            await link.subscribe(f"{base}/dn/ack/_", f"{other}/dn/ack/_")
            names = (base, bench.name)
            gateway = ScriptedGateway(link, names, WallClock(), secrets.randbits(_EP_BITS))
            found = await play(bench, Story(gateway, victim, arguments.patience))
            _write_expected(arguments.expected, gateway)
            link.disconnect()
    except* (OSError, TimeoutError, Gone, NotAccepted, Malformed) as group:
        sys.stderr.write(f"linli-sim conform: {group.exceptions[0]}\n")
    return found


def _write_expected(path: Path | None, gateway: ScriptedGateway) -> None:
    if path is not None:
        rows = [{"gw": gateway.name, "ep": ep, "seq": seq} for ep, seq in gateway.expected]
        path.write_text(json.dumps(rows) + "\n", encoding="utf-8")


def _show(verdicts: Sequence[Verdict], *, is_json: bool) -> None:
    if is_json:
        rows = [verdict.row() for verdict in verdicts]
        is_good = bool(rows) and not any(verdict.state is State.FAIL for verdict in verdicts)
        sys.stdout.write(json.dumps({"conforms": is_good, "checks": rows}) + "\n")
        return
    for verdict in verdicts:
        sys.stdout.write(f"{verdict.state.value:5} {verdict.check:16} {verdict.must}\n")
        sys.stdout.write(f"{'':23}{verdict.found}\n")
        if verdict.remedy is not None:
            sys.stdout.write(f"{'':23}-> {verdict.remedy}\n")
