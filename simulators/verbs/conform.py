"""The verb `linli-sim conform`: try a broker, a platform's subscriber behind it, or its tables."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from simulators.clock import WallClock
from simulators.conform import consumer_side, gateway_side
from simulators.conform.check import Bench, Check, Skipped, State, Verdict, run_checks
from simulators.conform.held import compared
from simulators.conform.script import ScriptedGateway
from simulators.conform.steps import FAILURE
from simulators.conform.subscriber import Kill, Story, play
from simulators.mqtt5.broker import BadUrl, Broker
from simulators.mqtt5.connection import Gone, NotAccepted, connected
from simulators.mqtt5.packets import Hello, Malformed
from simulators.numbers import positive

CONFORMS, DOES_NOT, WRONG_USAGE = 0, 1, 2
CHECKS: tuple[Check, ...] = (*gateway_side.CHECKS, *consumer_side.CHECKS)
KILLED_WITHIN_S = 60.0
_EP_BITS = 52
HELP = "try whether a broker, or a platform behind it, does what it must"
EXAMPLE = "linli-sim conform mqtt://127.0.0.1 --acl fc/1/other/gw-99/up/prop/em-01"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("broker", nargs="?", help="mqtt[s]://[user:password@]host[:port]")
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
    parser.add_argument("--patience", type=positive, default=90.0, metavar="S",
        help="within which the platform confirms, and asks for what it misses (90)",
    )  # fmt: skip
    parser.add_argument("--expected", type=Path, metavar="FILE",
        help="write the records that the platform must now hold once each, as JSON",
    )  # fmt: skip
    parser.add_argument("--kill", metavar="COMMAND",
        help="with --subscriber: kills the platform, which something else must start again",
    )  # fmt: skip
    parser.add_argument("--held", type=Path, metavar="FILE",
        help="try no broker: compare --expected with what the platform holds, as JSON lines",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="verdicts as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb; return its exit status."""
    try:
        verdicts = _verdicts(arguments)
    except (BadUrl, OSError, ValueError) as error:
        _tell(str(error))
        return WRONG_USAGE
    _show(verdicts, is_json=arguments.json)
    is_wrong = not verdicts or any(verdict.state is State.FAIL for verdict in verdicts)
    return DOES_NOT if is_wrong else CONFORMS


def _verdicts(arguments: argparse.Namespace) -> list[Verdict]:
    """Do what was asked for; raises BadUrl, OSError or ValueError for what was typed wrongly."""
    if arguments.held is not None:
        if arguments.expected is None:
            raise ValueError("--held needs --expected, as `--subscriber --expected` wrote it")
        return compared(arguments.expected, arguments.held)
    if arguments.broker is None:
        raise ValueError("name a broker, or two files with --expected and --held")
    broker = Broker.of(arguments.broker, arguments.ca)
    if arguments.password_file is not None:
        broker = broker.with_password(arguments.password_file.read_text().rstrip("\n"))
    chosen = _chosen(arguments.only)
    name = f"conform-{secrets.token_hex(4)}"
    base = f"{arguments.root}/1/conform/{name}"
    bench = Bench(broker, f"{base}/up", name, arguments.acl, arguments.queue)
    if arguments.subscriber:
        return asyncio.run(_subscriber(bench, base, arguments))
    return asyncio.run(run_checks(bench, chosen))


def _chosen(names: Sequence[str] | None) -> list[Check]:
    by_name = {check.name: check for check in CHECKS}
    unknown = [name for name in names or () if name not in by_name]
    if unknown:
        raise ValueError(f"no check {', '.join(unknown)}; there are {', '.join(by_name)}")
    return list(CHECKS) if names is None else [by_name[name] for name in names]


async def _subscriber(bench: Bench, base: str, arguments: argparse.Namespace) -> list[Verdict]:
    found: list[Verdict] = []
    victim = f"{bench.name}-b"
    other = f"{arguments.root}/1/conform/{victim}"
    try:
        async with connected(bench.broker, Hello(bench.name, 60)) as link:
            codes = await link.subscribe(f"{base}/dn/ack/_", f"{other}/dn/ack/_")
            if any(code >= FAILURE for code in codes):
                _tell(f"the broker refuses {base}/dn/ack/_: SUBACK {codes.hex(' ')}")
                return found
            names = (base, bench.name)
            gateway = ScriptedGateway(link, names, WallClock(), secrets.randbits(_EP_BITS))
            kill = None if arguments.kill is None else killed_by(shlex.split(arguments.kill))
            found = await play(bench, Story(gateway, victim, arguments.patience, kill))
            _write_expected(arguments.expected, gateway)
            link.disconnect()
    except* (OSError, TimeoutError, Gone, NotAccepted, Malformed) as group:
        _tell(str(group.exceptions[0]))
    return found


def killed_by(command: Sequence[str]) -> Kill:
    """Return what runs a command; raises Skipped when that does not end well."""

    async def run() -> None:
        try:
            async with asyncio.timeout(KILLED_WITHIN_S):
                process = await asyncio.create_subprocess_exec(*command)
                status = await process.wait()
        except (OSError, TimeoutError) as error:
            raise Skipped(f"--kill did not end in time or at all: {error}") from error
        if status:
            raise Skipped(f"the command of --kill ended with status {status}")

    return run


def _write_expected(path: Path | None, gateway: ScriptedGateway) -> None:
    if path is not None:
        rows = [dict(row) for row in gateway.sent.values()]
        path.write_text(json.dumps(rows, ensure_ascii=False) + "\n", encoding="utf-8")


def _tell(text: str) -> None:
    sys.stderr.write(f"linli-sim conform: {text}\n")


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
