"""`linli history`: what this machine kept of a point."""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import sys
from typing import Any

from gateway.cli.daemon import add_socket, ask_daemon
from gateway.cli.output import Exit, complain, say, say_json, say_table
from gateway.settings.durations import seconds
from gateway.settings.problems import BadValue

HELP = "show the values of the last days that this machine keeps (`history:` in the site file)"
EXAMPLE = "linli history em-01/u_a --since 24h --step 15m"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add what to show."""
    add_socket(parser)
    parser.add_argument("what", metavar="DEVICE/POINT", type=_point)
    parser.add_argument(
        "--since", type=_duration, default=86_400.0, help="how far back: 1h, 24h, 7d (24h)"
    )
    parser.add_argument(
        "--until", type=_duration, default=0.0, help="how far back it ends: 1h (now)"
    )
    parser.add_argument(
        "--step", type=_duration, help="lowest, highest and mean of each 5m, 15m, 1h"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object")
    form.add_argument("--csv", action="store_true", help="comma-separated, for a spreadsheet")


def run(arguments: argparse.Namespace) -> int:
    """Ask and show."""
    now = dt.datetime.now(dt.UTC).timestamp()  # noqa: TID251 - the reader's own now
    if arguments.since <= arguments.until:
        complain("linli: --since must go back further than --until")
        return Exit.USAGE
    device, point = arguments.what
    fields: dict[str, Any] = {"device": device, "point": point}
    fields["from"] = round((now - arguments.since) * 1000)
    fields["to"] = round((now - arguments.until) * 1000) + 1
    if arguments.step is not None:
        fields["step"] = round(arguments.step * 1000)
    show = say_json if arguments.json else _show_csv if arguments.csv else _show
    return ask_daemon(arguments, show, "history", **fields)


def _point(text: str) -> tuple[str, str]:
    device, slash, point = text.partition("/")
    if not (device and slash and point):
        raise argparse.ArgumentTypeError(f"{text!r} is not like em-01/u_a")
    return device, point


def _duration(text: str) -> float:
    try:
        return seconds(text)
    except BadValue as bad:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 24h") from bad


def _show(result: dict[str, Any]) -> None:
    unit = "" if result["u"] is None else f" {result['u']}"
    head, rows = _table(result)
    what = "steps" if "step" in result else "values"
    say(f"{result['dev']}/{result['p']}{unit}: {len(rows)} {what}")
    if rows:
        say_table(head, ([_local(row[0]), *row[1:]] for row in rows))


def _show_csv(result: dict[str, Any]) -> None:
    head, rows = _table(result)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_utc(row[0]), *row[1:]] for row in rows)


def _table(result: dict[str, Any]) -> tuple[tuple[str, ...], list[list[Any]]]:
    if "step" in result:
        keys = ("from_ms", "count", "low", "high", "mean", "last", "bad")
        return ("time", *keys[1:]), [[one[key] for key in keys] for one in result["steps"]]
    rows = [[one["ts"], one["v"], one.get("q"), one.get("qr")] for one in result["values"]]
    return ("time", "value", "quality", "reason"), rows


def _local(ms: int) -> str:
    return dt.datetime.fromtimestamp(ms / 1000).astimezone().isoformat(" ", "milliseconds")


def _utc(ms: int) -> str:
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).isoformat(timespec="milliseconds")
