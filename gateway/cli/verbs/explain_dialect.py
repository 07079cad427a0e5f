"""`linli explain-dialect`: what a platform gets where, its options, and what it has no word for."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from gateway.cli.output import Exit, complain, say, say_json, say_table
from gateway.dialects import registry
from gateway.dialects.contract import DialectSpec
from gateway.dialects.options import Described, described

HELP = "show what a dialect sends where, its options, and what it loses"
EXAMPLE = "linli explain-dialect thingsboard"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the name."""
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="such as alink; without it all are listed"
    )
    parser.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Explain it; wrong usage when there is no such dialect."""
    if arguments.name is None:
        return _list(as_json=arguments.json)
    try:
        spec = registry.load(arguments.name)
    except LookupError as error:
        complain(f"linli explain-dialect: {error.args[0]}")
        return Exit.USAGE
    if arguments.json:
        say_json(facts(arguments.name, spec))
    else:
        _explain(arguments.name, spec)
    return Exit.DONE


def about(name: str) -> str:
    """Return in one line which platform a dialect speaks to."""
    told = importlib.import_module(f"gateway.dialects.{name}").__doc__ or ""
    return told.partition("\n")[0].strip()


def facts(name: str, spec: DialectSpec) -> dict[str, Any]:
    """Return all that is known of a dialect, JSON-able."""
    return {
        "name": name,
        "about": about(name),
        "ack": acknowledgement(spec),
        "keepalive_s": list(spec.keepalive_s),
        "sent": [asdict(one) for one in spec.sent],
        "options": [asdict(one) for one in described(spec.options)],
        "devices": [asdict(one) for one in described(spec.device_options)],
        "losses": list(spec.losses),
    }


def acknowledgement(spec: DialectSpec) -> list[str]:
    """Return what `ack:` may be; the first is what counts without it."""
    return ["puback", "app"] if spec.has_app_ack else ["puback"]


def _list(*, as_json: bool) -> int:
    found = [(name, about(name)) for name in registry.names()]
    if as_json:
        say_json([{"name": name, "about": told} for name, told in found])
    else:
        say_table(("dialect", "platform"), found)
    return Exit.DONE


def _explain(name: str, spec: DialectSpec) -> None:
    say(f"{name}: {about(name)}")
    say()
    say("what is sent where")
    say_table(
        ("what", "topic", "form"), ((one.what, one.topic, one.form or None) for one in spec.sent)
    )
    _say_options("options:", described(spec.options))
    _say_options("devices: each entry", described(spec.device_options))
    say()
    say("a record is done when")
    say("  ack: puback  the broker has acknowledged it")
    if spec.has_app_ack:
        say("  ack: app     the platform itself has confirmed it")
    say()
    say("what is lost")
    for loss in spec.losses or ("Nothing.",):
        say(f"  {loss}")


def _say_options(title: str, options: Sequence[Described]) -> None:
    if not options:
        return
    say()
    say(title)
    for one in options:
        mark = "needed" if one.is_needed else f"default {one.default}" if one.default else ""
        say(f"  {one.name}  ({', '.join(part for part in (one.type, mark) if part)})")
        say(f"      {one.description}")
