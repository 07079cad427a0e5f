"""`linli decode`: take frames apart."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from drivers import registry
from drivers.contract import Decoded, Raw, Wanted
from gateway.cli.output import Exit, complain, say, say_json
from gateway.settings.site import Point

HELP = "take a frame apart: fields, checksum verdict, values"
HIDDEN = "hidden"
"""In place of a card number or a code: what is on a screen is on a photograph next."""
_PERSONAL = frozenset({"P2", "P3"})

EXAMPLE = "linli decode modbus-rtu 01 03 02 09 05 7E 17"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add protocol, frames, profile and direction."""
    parser.add_argument("protocol", help="such as modbus-rtu, dlt645-2007, mbus, gbt26875.3")
    parser.add_argument(
        "hex",
        nargs="+",
        help="the frame's bytes; several frames as several quoted words; `-` reads a frame a line",
    )
    parser.add_argument("--profile", help="name the values by this profile (needs the request too)")
    parser.add_argument(
        "--direction",
        choices=("request", "response"),
        help="whose frame it is; without it both are tried",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a frame")


def run(arguments: argparse.Namespace) -> int:
    """Decode every frame; 1 when one of them is not good."""
    try:
        driver = registry.driver_of_protocol(arguments.protocol).speakers[arguments.protocol]
    except LookupError as exc:
        complain(f"linli decode: {exc.args[0]}")
        return Exit.USAGE
    points = _points(arguments.profile)
    wanted = [Wanted(key, point.address) for key, point in enumerate(points)]
    all_good = True
    request = b""
    for text in _texts(arguments.hex):
        frame = _bytes(text)
        if frame is None:
            complain(f"linli decode: {text!r} is not hex: give pairs of 0-9 and A-F")
            return Exit.USAGE
        decoded = driver.decode(frame, arguments.direction or "auto", wanted, request)
        if arguments.direction is None and driver.decode(frame, "request").ok:
            request = frame  # what follows may be its reply; who names a direction means each alone
        all_good &= decoded.ok
        _show(arguments, decoded, points)
    return Exit.DONE if all_good else Exit.FAILED


def _points(name: str | None) -> Sequence[Point]:
    if name is None:
        return ()
    from gateway.app.site.samples import sample_points  # noqa: PLC0415 - seldom
    from gateway.settings.profiles import load_profile  # noqa: PLC0415 - seldom

    result = load_profile(name)
    if result.profile is None:
        raise SystemExit("\n".join(problem.text() for problem in result.problems))
    return [point for point in sample_points(result.profile) if point.is_readable]


def _texts(words: Sequence[str]) -> Iterator[str]:
    if list(words) == ["-"]:
        yield from (line for line in sys.stdin.read().splitlines() if line.strip())
    elif all(len(re.sub(r"0x|\s", "", word)) <= 2 for word in words):  # noqa: PLR2004 - one byte
        yield " ".join(words)
    else:
        yield from words


def _bytes(text: str) -> bytes | None:
    try:
        return bytes.fromhex(re.sub(r"0[xX]|[\s,:-]", "", text))
    except ValueError:
        return None


def _values(decoded: Decoded, points: Sequence[Point]) -> list[dict[str, Any]]:
    from gateway.normalise.convert import compile_point  # noqa: PLC0415 - only with --profile

    values: list[dict[str, Any]] = []
    for key, raw in decoded.raw.items():
        value = None if raw is None else compile_point(points[key])(raw)
        if decoded.spans_secret and points[key].personal in _PERSONAL and value is not None:
            value = HIDDEN
        values.append({"point": points[key].id, "value": value, "unit": points[key].unit})
    return values


def _named(decoded: Decoded) -> list[dict[str, Any]]:
    """Return what the frame names by itself, with the point ids of the catalogue of kinds."""
    return [
        {"point": named.point, "value": _shown(named.value), "unit": named.unit}
        for named in decoded.values
    ]


def _shown(raw: Raw | None) -> object:
    return raw.hex(" ").upper() if isinstance(raw, bytes) else raw


def _show(arguments: argparse.Namespace, decoded: Decoded, points: Sequence[Point]) -> None:
    values = _values(decoded, points) if points else _named(decoded)
    if arguments.json:
        say_json(
            {
                "protocol": arguments.protocol,
                "ok": decoded.ok,
                "error": decoded.error,
                "frame": decoded.frame,
                "values": values,
            }
        )
        return
    say("good" if decoded.ok else f"NOT GOOD: {decoded.error}")
    for name, value in decoded.frame.items():
        say(f"  {name}: {value}")
    for value in values:
        say(f"  {value['point']} = {value['value']} {value['unit'] or ''}".rstrip())
