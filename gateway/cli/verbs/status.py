"""`linli status`: how the running gateway is."""

from __future__ import annotations

import argparse
import datetime as dt
from typing import Any

from gateway.cli.daemon import add_socket, ask_daemon
from gateway.cli.output import say, say_json, say_table

HELP = "show lines, devices, outbox and platforms of the running gateway"
EXAMPLE = "linli status"

MIB = 1024 * 1024


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the form of the answer."""
    add_socket(parser)
    parser.add_argument("--units", action="store_true", help="every unit of every line too")
    parser.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Ask and show."""
    show = say_json if arguments.json else _show
    status = ask_daemon(arguments, show, "status")
    if status == 0 and arguments.units:
        return ask_daemon(arguments, say_json if arguments.json else _show_units, "lines")
    return int(status)


def _show(status: dict[str, Any]) -> None:
    say(f"gateway {status['gateway']} of site {status['site']}, clock {status['clock']}")
    for text in status["fallback"]:
        say(f"  THE SITE FILE IS REFUSED, an older one runs: {text}")
    offline = status["offline"]
    say(f"devices: {status['online']} of {status['devices']} online; events: {status['events']}")
    for device, why in sorted(offline.items()):
        say(f"  offline: {device} ({why})")
    say()
    say_table(
        ("line", "up", "load %", "requests", "replies", "errors", "missed"),
        (
            (
                line["line"],
                "yes" if line["is_up"] else "no",
                f"{line['load_percent']:.1f}",
                line["requests"],
                line["replies"],
                " ".join(f"{name}={count}" for name, count in line["errors"]),
                line["missed"],
            )
            for line in status["lines"]
        ),
    )
    say()
    _show_outbox(status["outbox"])
    say()
    say_table(
        ("platform", "state", "since", "delivered", "refused", "in flight"),
        (
            (
                sink["name"],
                "connected" if sink["connected"] else sink["why"],
                _local(sink["since"]),
                sink["delivered"],
                sink["refused"],
                sink["in_flight"],
            )
            for sink in status["sinks"]
        ),
    )


def _show_outbox(outbox: dict[str, Any]) -> None:
    used, quota = outbox["used_bytes"] / MIB, outbox["quota_bytes"] / MIB
    left = outbox["hours_left"]
    lasts = "" if left is None else f", lasts {left:.0f} h without a platform"
    say(f"outbox: {outbox['records']} records committed, {used:.1f} of {quota:.0f} MB{lasts}")
    if outbox["refusing"]:
        say(f"  THE DISK REFUSES: {outbox['refusing']}; {outbox['held']} records are in memory")
    for depth in outbox["depths"]:
        age = depth["oldest_age_s"]
        oldest = "" if age is None else f", oldest {age:.0f} s"
        say(f"  {depth['sink']} {depth['lane']}: {depth['depth']} waiting{oldest}")


def _show_units(lines: list[dict[str, Any]]) -> None:
    for line in lines:
        say()
        say(f"line {line['line']}")
        say_table(
            ("unit", "devices", "online", "requests", "errors", "response ms", "timeout ms"),
            (
                (
                    unit["unit"],
                    " ".join(unit["devices"][:3]),
                    "yes" if unit["is_online"] else "no",
                    unit["requests"],
                    unit["errors"],
                    f"{unit['response_s'] * 1000:.0f}",
                    f"{unit['timeout_s'] * 1000:.0f}",
                )
                for unit in line["units"]
            ),
        )


def _local(ms: int) -> str:
    return dt.datetime.fromtimestamp(ms / 1000).astimezone().isoformat(" ", "seconds")
