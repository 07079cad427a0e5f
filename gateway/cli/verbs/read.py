"""`linli read`: the values of one device, now."""

from __future__ import annotations

import argparse
from typing import Any

from gateway.cli.daemon import add_socket, ask_daemon, is_daemon_there
from gateway.cli.one_shot import Refused, add_target, complain_of, is_direct, read_once
from gateway.cli.output import Exit, say, say_json
from gateway.cli.verbs.monitor import value_text

HELP = "read a device now: over the running gateway's line, or over a port of your own"
EXAMPLE = "linli read --port by-path/usb-1.2 --profile eastron/sdm120 --address 3"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the device and its points."""
    add_socket(parser)
    parser.add_argument("device", nargs="?", help="device of the site; not with --port or --tcp")
    parser.add_argument("points", nargs="*", help="its points; all when left out")
    parser.add_argument("--json", action="store_true")
    add_target(parser)


def run(arguments: argparse.Namespace) -> int:
    """Read and show; 1 when the device did not answer."""
    if is_direct(arguments) and arguments.device is not None:
        arguments.points.insert(0, arguments.device)
    elif not is_direct(arguments) and arguments.device is None:
        return complain_of(Refused("which device? `linli status` names them"))

    points: list[dict[str, Any]] = []
    if not is_direct(arguments) and is_daemon_there(arguments):
        fields = {"device": arguments.device, "points": arguments.points}
        status = ask_daemon(
            arguments, lambda result: points.extend(result["pts"]), "read", **fields
        )
        if status != Exit.DONE:
            return status
    else:
        try:
            points += read_once(arguments)
        except Refused as refused:
            return complain_of(refused)
    show_points(points, as_json=arguments.json)
    return Exit.DONE if all(point["v"] is not None for point in points) else Exit.FAILED


def show_points(points: list[dict[str, Any]], *, as_json: bool) -> None:
    """Write readings, one a line, or as `pts`."""
    if as_json:
        say_json({"pts": points})
        return
    for point in points:
        say(f"{point['p']} {value_text(point)}")
