"""`linli write`: set one point of a device, and read it back."""

from __future__ import annotations

import argparse
import json
from typing import Any

from gateway.cli.daemon import add_socket, ask_daemon, is_daemon_there
from gateway.cli.one_shot import Refused, add_target, complain_of, is_direct, write_once
from gateway.cli.output import Exit
from gateway.cli.verbs.read import show_points
from gateway.model.reading import Value

HELP = "set one point of a device and read it back"
EXAMPLE = "linli write gate-1 pos_cmd open"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add device, point and value."""
    add_socket(parser)
    parser.add_argument("device", help="device of the site (write - with --port or --tcp)")
    parser.add_argument("point", help="the point to set")
    parser.add_argument("value", help="a number, true, false, or a text")
    parser.add_argument("--json", action="store_true")
    add_target(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write and show what the device then says; 1 when it cannot be read back."""
    value = value_of(arguments.value)

    points: list[dict[str, Any]] = []
    if not is_direct(arguments) and is_daemon_there(arguments):
        fields = {"device": arguments.device, "point": arguments.point, "value": value}
        status = ask_daemon(
            arguments, lambda result: points.extend(result["pts"]), "write", **fields
        )
        if status != Exit.DONE:
            return status
    else:
        try:
            points += write_once(arguments, value)
        except Refused as refused:
            return complain_of(refused)
    show_points(points, as_json=arguments.json)
    return Exit.DONE if all(point["v"] is not None for point in points) else Exit.FAILED


def value_of(text: str) -> Value:
    """Return a number, true or false where the text is one, else the text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text
