"""The verb `linli-sim run`: simulate every bus of a site."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from gateway.settings.load import load_site
from gateway.settings.site import Site
from simulators.community import Community, Options, simulated
from simulators.faults import parse_faults
from simulators.ledger import Ledger
from simulators.script import Script, load_script
from simulators.wire import Books

DONE, FAILED, WRONG_USAGE, REFUSED = 0, 1, 2, 78
STEP_S = 0.5
HELP = "simulate every bus of a site that says `simulated: true`"
EXAMPLE = "linli-sim run config/sites/demo/gateway.yaml --faults em-02:silent '*:late=400@0.01'"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("file", type=Path, help="site file")
    parser.add_argument(
        "--faults", nargs="+", action="extend", default=[], metavar="DEVICE:KIND[=N][@P]",
        help="let replies fail; DEVICE may be *, KIND for example silent, late=400, exception=2",
    )  # fmt: skip
    parser.add_argument("--script", type=Path, help="JSON file with faults and happenings")
    parser.add_argument("--seed", type=int, help="seed of all chance")
    parser.add_argument("--ledger", type=Path, help="write what was served and when, as JSON lines")
    parser.add_argument("--books", type=Path, help="write what the serial lines saw, as JSON")
    parser.add_argument("--runtime", type=Path, help="folder for the ports' symbolic links")
    parser.add_argument("--refuse-holes", action="store_true", help="refuse unknown registers")
    parser.add_argument("--duration", type=float, help="seconds, else until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="say where each bus is as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run the verb; return its exit status."""
    loaded = load_site(arguments.file)
    if loaded.site is None:
        sys.stderr.write("\n".join(str(problem) for problem in loaded.problems) + "\n")
        return REFUSED
    try:
        script = _script(arguments)
    except (OSError, ValueError) as exc:
        sys.stderr.write(f"linli-sim run: {exc}\n")
        return WRONG_USAGE
    if arguments.runtime is not None:
        arguments.runtime.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_simulate(loaded.site, script, arguments.runtime, arguments))
    with tempfile.TemporaryDirectory(prefix="linli-sim-") as folder:
        return asyncio.run(_simulate(loaded.site, script, Path(folder), arguments))


def _script(arguments: argparse.Namespace) -> Script:
    script = Script() if arguments.script is None else load_script(arguments.script)
    if arguments.seed is not None:
        script = replace(script, seed=arguments.seed)
    return replace(script, faults={**script.faults, **parse_faults(arguments.faults)})


async def _simulate(
    site: Site, script: Script, runtime: Path, arguments: argparse.Namespace
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    options = Options(
        runtime=runtime, script=script, holes="refuse" if arguments.refuse_holes else "zero"
    )
    status = DONE
    with Ledger(arguments.ledger) as ledger:
        try:
            async with simulated(site, options, ledger) as community:
                _say_where(community, is_json=arguments.json)
                await _until(community, script, arguments.duration, stop)
                _write_books(arguments.books, community)
        except* (OSError, ValueError) as group:
            sys.stderr.write(f"linli-sim run: {group.exceptions[0]}\n")
            status = FAILED
    return status


async def _until(
    community: Community, script: Script, duration_s: float | None, stop: asyncio.Event
) -> None:
    async with asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(community.play(script.happenings, _tell), name="happenings")
        stepping = tasks.create_task(_step(community), name="time")
        try:
            async with asyncio.timeout(duration_s):
                await stop.wait()
        except TimeoutError:
            pass
        playing.cancel()
        stepping.cancel()


async def _step(community: Community) -> None:
    """Let time pass for devices that nobody asks, and the ledger's file grow."""
    while True:
        await asyncio.sleep(STEP_S)
        community.step()
        community.ledger.flush()


def _tell(text: str) -> None:
    sys.stderr.write(f"* {text}\n")


def _say_where(community: Community, *, is_json: bool) -> None:
    if is_json:
        text = json.dumps({"buses": community.where, "devices": len(community.devices)})
    else:
        text = "\n".join(f"{bus}: {where}" for bus, where in community.where.items())
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _write_books(path: Path | None, community: Community) -> None:
    if path is not None:
        rows = {name: _books_row(books) for name, books in community.books().items()}
        path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _books_row(books: Books) -> dict[str, object]:
    return {
        "requests": books.requests,
        "replies": books.replies,
        "early": books.early,
        "collisions": books.collisions,
        "damaged": books.damaged,
        "busy_s": round(books.busy_s, 6),
        "idle_least_s": books.idle_least_s,
    }
