"""`linli outbox`: what waits, what was stored, what a platform refused."""

from __future__ import annotations

import argparse
from typing import Any

from gateway.cli.daemon import add_socket, ask_daemon
from gateway.cli.output import say, say_json

HELP = "show the outbox of the running gateway: its state, stored or refused records"
EXAMPLE = "linli outbox refused"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add what to show."""
    add_socket(parser)
    parser.add_argument("what", nargs="?", default="status", choices=("status", "show", "refused"))
    parser.add_argument("--lane", choices=("event", "telemetry"), default="event")
    parser.add_argument("--from", dest="first", type=int, default=0, help="first seq to show")
    parser.add_argument("--most", type=int, default=100, help="how many records")
    parser.add_argument("--json", action="store_true", help="always so: one record a line")


def run(arguments: argparse.Namespace) -> int:
    """Ask and show."""
    return ask_daemon(
        arguments,
        _show,
        "outbox",
        what=arguments.what,
        lane=arguments.lane,
        most=arguments.most,
        **{"from": arguments.first},
    )


def _show(result: dict[str, Any] | list[str]) -> None:
    if isinstance(result, dict):
        say_json(result)
        return
    for line in result:
        say(line)
