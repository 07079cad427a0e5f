"""`linli outbox`: what waits, what was stored, what a platform refused; sending again; salvage."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TextIO

from gateway.app.keys.sealing import FILE as KEY_FILE
from gateway.app.keys.sealing import salvage_seal
from gateway.cli.daemon import add_socket, ask_daemon
from gateway.cli.output import Exit, complain, say, say_json
from gateway.outbox.salvage import Salvage, databases_in, salvage
from gateway.outbox.seal import Seal
from gateway.outbox.stats import committed_line
from gateway.settings.problems import SettingsError

HELP = "show the outbox, send records again, or read a damaged one"
EXAMPLE = "linli outbox refused"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add what to do."""
    actions = parser.add_subparsers(dest="what", metavar="ACTION")
    parser.set_defaults(what="status", json=True)
    add_socket(parser)
    parser.add_argument("--json", action="store_true", help="always so")
    status = _action(actions, "status", "where every platform stands, and how full the store is")
    _add_socket(status)
    show = _action(actions, "show", "stored records, one JSON object a line")
    _add_socket(show)
    show.add_argument("--lane", choices=("event", "telemetry"), default="event")
    show.add_argument("--from", dest="first", type=int, default=0, help="first seq to show")
    show.add_argument("--most", type=int, default=100, help="how many records")
    _add_personal(show)
    refused = _action(actions, "refused", "records that a platform did not take, and why")
    _add_socket(refused)
    refused.add_argument("--sink", help="of this platform only")
    refused.add_argument("--output", type=Path, metavar="FILE", help="write them to a file")
    _add_personal(refused)
    refused.add_argument("--retry", action="store_true", help="put them out again")
    replay = _action(actions, "replay", "send again what a platform had: seqs FROM to TO")
    _add_socket(replay)
    replay.add_argument("--sink", help="to this platform; needed when there are several")
    replay.add_argument("--lane", choices=("event", "telemetry"), help="default: both")
    replay.add_argument("first", type=int, metavar="FROM")
    replay.add_argument("last", type=int, metavar="TO")
    saving = _action(actions, "salvage", "read a damaged or set-aside database; it is not changed")
    saving.add_argument("place", type=Path, metavar="FILE|FOLDER")
    saving.add_argument("--output", type=Path, metavar="FILE", help="write the records to a file")
    saving.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="key of the store; default: outbox.key beside its folder",
    )


def _action(actions: Any, name: str, text: str) -> argparse.ArgumentParser:  # noqa: ANN401 - argparse keeps this type private
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="the summary as JSON too")
    return parser


def _add_personal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--personal", action="store_true", help="with values of class P2 and above")


def _add_socket(parser: argparse.ArgumentParser) -> None:
    """Let it be named behind the action too, without undoing what was said before it."""
    parser.add_argument("--socket", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Ask and show."""
    match arguments.what:
        case "salvage":
            return _salvage(arguments)
        case "show":
            lane, most = arguments.lane, arguments.most
            more = {"from": arguments.first, "personal": arguments.personal}
            return _ask(arguments, "show", lane=lane, most=most, **more)
        case "refused":
            return _refused(arguments)
        case "replay":
            span = {"from": arguments.first, "to": arguments.last}
            return _ask(arguments, "replay", sink=arguments.sink, lane=arguments.lane, **span)
        case _:
            return _ask(arguments, "status")


def _ask(arguments: argparse.Namespace, what: str, **fields: object) -> int:
    return ask_daemon(arguments, _show, "outbox", what=what, **fields)


def _show(result: dict[str, Any] | list[str]) -> None:
    if isinstance(result, dict):
        say_json(result)
        return
    for line in result:
        say(line)


def _refused(arguments: argparse.Namespace) -> int:
    if arguments.retry or arguments.output is None:
        what, personal = "retry" if arguments.retry else "refused", arguments.personal
        return _ask(arguments, what, sink=arguments.sink, personal=personal)

    def keep(lines: list[str]) -> None:
        arguments.output.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        say(f"{len(lines)} refused records written to {arguments.output}")

    return ask_daemon(
        arguments, keep, "outbox", what="refused", sink=arguments.sink, personal=arguments.personal
    )


def _salvage(arguments: argparse.Namespace) -> int:
    files = databases_in(arguments.place)
    if not files or not files[0].exists():
        complain(f"linli: there is no database at {arguments.place}")
        return Exit.FAILED
    output: Path | None = arguments.output
    beside = files[0].parent.parent / KEY_FILE
    try:
        seal = salvage_seal([arguments.key or beside])
    except SettingsError as refused:
        complain(str(refused))
        return Exit.CONFIGURATION
    with nullcontext(sys.stdout) if output is None else output.open("w", encoding="utf-8") as to:
        found = [_save(file, to, seal) for file in files]
    for each in found:
        if arguments.json:
            say(json.dumps(_summary(each)))
        else:
            _tell(each, sys.stderr if output is None else sys.stdout)
    return Exit.DONE if any(each.records for each in found) else Exit.FAILED


def _save(file: Path, to: TextIO, seal: Seal | None) -> Salvage:
    found = Salvage(file)
    try:
        to.writelines(f"{committed_line(one, lane)}\n" for lane, one in salvage(found, seal))
    except sqlite3.Error as error:
        found.note_broken(error)
    return found


def _summary(found: Salvage) -> dict[str, Any]:
    return {
        "file": str(found.file),
        "rows": found.rows,
        "records": found.records,
        "damaged_rows": found.damaged_rows,
        "sealed_rows": found.sealed_rows,
        "broken": found.broken,
        "missing": [
            {"ep": ep, "from": first, "to": last}
            for ep, spans in found.missing().items()
            for first, last in spans
        ],
    }


def _tell(found: Salvage, to: TextIO) -> None:
    to.write(f"{found.file}: {found.records} records in {found.rows} rows saved")
    to.write(f", {found.damaged_rows} rows with a wrong checksum\n" if found.damaged_rows else "\n")
    if found.sealed_rows:
        to.write(f"  {found.sealed_rows} rows are sealed: give their key with --key\n")
    to.writelines(f"  not readable: {what}\n" for what in found.broken)
    to.writelines(
        f"  not there: ep {ep} seq {first} to {last} (dropped, or lost)\n"
        for ep, spans in found.missing().items()
        for first, last in spans
    )
