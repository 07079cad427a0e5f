"""`linli profiles`: the catalogue of device profiles, and the test of any profile file."""

from __future__ import annotations

import argparse
from typing import Any

from gateway.app.site.samples import check_samples, sample_points
from gateway.cli.address import address_keys
from gateway.cli.output import Exit, complain, is_chinese, say, say_json, say_table
from gateway.settings.problems import Problem
from gateway.settings.profiles import load_profile, profile_catalogue
from gateway.settings.site import At, Point

HELP = "list, show or check device profiles"
EXAMPLE = "linli profiles check my-meter.yaml"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add list, show and check."""
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="all profiles")
    show = actions.add_parser("show", help="the points of one profile")
    show.add_argument("profile", help="its id, such as eastron/sdm120, or a file")
    check = actions.add_parser("check", help="validate profile files and run their samples")
    check.add_argument("file", nargs="+", help="profile files, or ids")
    for action in (listing, show, check):
        action.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    """Do the action."""
    if arguments.action == "list":
        return _list(as_json=arguments.json)
    if arguments.action == "show":
        return _show(arguments.profile, as_json=arguments.json)
    return max(_check(name, as_json=arguments.json) for name in arguments.file)


def _list(*, as_json: bool) -> int:
    language = "zh" if is_chinese() else "en"
    rows = [
        {
            "profile": entry.id,
            "kind": entry.kind,
            "driver": entry.driver,
            "vendor": entry.vendor,
            "model": entry.model,
            "title": entry.title.get(language) or entry.title.get("en", ""),
            "verified": entry.is_verified,
        }
        for entry in profile_catalogue()
    ]
    if as_json:
        say_json(rows)
        return Exit.DONE
    say_table(
        ("profile", "kind", "driver", "verified", "title"),
        (
            (r["profile"], r["kind"], r["driver"], "yes" if r["verified"] else "no", r["title"])
            for r in rows
        ),
    )
    return Exit.DONE


def _show(name: str, *, as_json: bool) -> int:
    result = load_profile(name)
    profile = result.profile
    if profile is None:
        _complain_of(result.problems)
        return Exit.CONFIGURATION
    points = sample_points(profile)
    if as_json:
        say_json({"profile": profile.id, "points": [_point_json(point) for point in points]})
        return Exit.DONE
    entry = profile.entry
    say(f"{profile.id}: {entry.vendor or ''} {entry.model or ''}, kind {entry.kind}".rstrip())
    if not entry.verified:
        say(f"NOT VERIFIED: {entry.unverified}")
    if entry.variants:
        say(f"variants: {', '.join(entry.variants)}")
    for source in entry.sources:
        say(f"source: {source}")
    say_table(
        ("point", "unit", "poll", "address", "scale", "write"),
        ((*_point_row(point),) for point in points),
    )
    return Exit.DONE


def _check(name: str, *, as_json: bool) -> int:
    result = load_profile(name)
    if result.profile is None:
        _complain_of(result.problems)
        return Exit.CONFIGURATION
    verdict = check_samples(result.profile)
    if as_json:
        say_json(
            {
                "profile": result.profile.id,
                "ok": not verdict.faults,
                "proved": sorted(verdict.proved),
                "unproved": sorted(verdict.unproved),
                "faults": [fault.text() for fault in verdict.faults],
            }
        )
    else:
        _complain_of(result.problems)
        for fault in verdict.faults:
            complain(fault.text())
        missing = f"; no sample for {', '.join(sorted(verdict.unproved))}" * bool(verdict.unproved)
        say(f"{result.profile.id}: {len(verdict.proved)} points proved{missing}")
    return Exit.CONFIGURATION if verdict.faults else Exit.DONE


def _complain_of(problems: tuple[Problem, ...]) -> None:
    language = "zh" if is_chinese() else "en"
    for problem in problems:
        complain(problem.in_language(language).text())


def _poll(point: Point) -> str:
    prefix = "at " if isinstance(point.poll, At) else ""
    return f"{prefix}{point.poll.seconds:g} s {point.priority}"


def _point_row(point: Point) -> tuple[Any, ...]:
    address = address_keys(point.address)
    text = " ".join(f"{key}={value}" for key, value in address.items())
    writes = "-" if point.write is None else "yes"
    return point.id, point.unit, _poll(point), text, str(point.scale), writes


def _point_json(point: Point) -> dict[str, Any]:
    return {
        "id": point.id,
        "type": point.type,
        "unit": point.unit,
        "poll": _poll(point),
        "address": address_keys(point.address),
        "scale": str(point.scale),
        "writable": point.write is not None,
    }
