"""`linli monitor`: live values, or the frames of a line."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from typing import Any

from gateway.cli.daemon import add_socket, ask_daemon
from gateway.cli.output import say_now

HELP = "watch live values of the running gateway, or the raw frames of a serial line"
EXAMPLE = "linli monitor em-01"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add what to watch."""
    add_socket(parser)
    parser.add_argument("device", nargs="?", help="one device; all when it is left out")
    parser.add_argument("--raw", metavar="LINE", help="the frames of this serial line instead")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(arguments: argparse.Namespace) -> int:
    """Watch until Ctrl-C."""
    if arguments.raw:
        show = _show_json if arguments.json else _show_frame
        return ask_daemon(arguments, show, "frames", line=arguments.raw)
    fields = {} if arguments.device is None else {"device": arguments.device}
    return ask_daemon(arguments, _show_json if arguments.json else _show, "monitor", **fields)


def _show_json(result: dict[str, Any]) -> None:
    say_now(json.dumps(result, ensure_ascii=False))


def _show(result: dict[str, Any]) -> None:
    for point in result["pts"]:
        say_now(f"{_time(result['ts'] / 1000)} {result['dev']}/{point['p']} {value_text(point)}")


def _show_frame(frame: dict[str, Any]) -> None:
    say_now(f"{_time(frame['at'])} {frame['dir']} {frame['hex']}")


def value_text(point: dict[str, Any]) -> str:
    """Return a value as people read it: with unit, or why there is none."""
    if point["v"] is None:
        return f"BAD ({point.get('qr')})"
    mark = f" ({point['qr']})" if "qr" in point else ""
    return f"= {point['v']} {point.get('u', '')}".rstrip() + mark


def _time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds).astimezone().strftime("%H:%M:%S.%f")[:-3]
