"""`linli run`: the daemon."""

from __future__ import annotations

import argparse
import asyncio
import gc
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.app.clock.timekeeping import read_floor
from gateway.app.daemon import Daemon, Machine
from gateway.app.last_resort import LastResort
from gateway.app.remote import start
from gateway.app.remote.files import RemoteFiles
from gateway.app.site import last_good
from gateway.cli.output import Exit, complain, is_chinese
from gateway.model.clock import Clock
from gateway.ops.clock import SystemClock
from gateway.ops.journal import set_up
from gateway.ops.notify import ServiceManager
from gateway.ops.paths import Places, places
from gateway.outbox.schema import StoreInUse
from gateway.settings.problems import Problem, SettingsError
from gateway.settings.site import Site

GC_YOUNG = 20_000
"""Objects made and not freed before the collector looks for rings among them."""

HELP = "run the gateway"
EXAMPLE = "linli run -c /etc/linli/gateway.yaml"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the file and how strict to be."""
    parser.add_argument("-c", "--config", type=Path, help="the site file")
    parser.add_argument(
        "--strict", action="store_true", help="refuse a bad file even if an older good site exists"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log debug messages too")


def run(arguments: argparse.Namespace) -> int:
    """Run until SIGTERM; 78 when there is no usable site."""
    set_up(verbose=arguments.verbose)
    where = places()
    file = arguments.config or where.site_file
    remote = RemoteFiles(where.state, file)
    remote.recover()
    source, started, given_up = start.load(remote, where.state, strict=arguments.strict)
    _complain_of((*given_up, *started.refused, *started.result.problems))
    if given_up:
        complain(f"linli: the configuration from afar is refused; {source} runs instead")
    site = started.result.site
    if site is None:
        return Exit.CONFIGURATION
    if started.is_fallback:
        complain(f"linli: {source} is refused; the last good site runs instead")
    else:
        last_good.save(site.files, source, where.state)
    status = Exit.DONE
    try:
        asyncio.run(_serve(file, site, where, started))
    except* (OSError, StoreInUse) as refused:
        for problem in _leaves(refused):
            complain(f"linli: {problem}")
        status = Exit.FAILED
    except* SettingsError as refused:  # a secret that only the machine has
        for problem in _leaves(refused):
            complain(f"linli: {problem}")
        status = Exit.CONFIGURATION
    return status


def _complain_of(problems: Sequence[Problem]) -> None:
    language = "zh" if is_chinese() else "en"
    for problem in problems:
        complain(problem.in_language(language).text())


def _leaves(group: BaseExceptionGroup[Exception]) -> Iterator[BaseException]:
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from _leaves(one)
        else:
            yield one


async def _serve(file: Path, site: Site, where: Places, started: last_good.Started) -> None:
    machine = Machine(_clock(site, where), where, ServiceManager(), LastResort())
    # What was made at start lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    # Readings are trees, not rings: the young generation may grow large between two looks.
    gc.set_threshold(GC_YOUNG, 20, 50)
    await Daemon(file, site, machine).run(started.refused)


def _clock(site: Site, where: Places) -> Clock:
    floor_ms = read_floor(where.state)
    if site.gateway.clock == "trusted":
        return SystemClock(lambda: True, floor_ms)
    return SystemClock(floor_ms=floor_ms)
