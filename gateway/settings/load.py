"""A site from its files: everything resolved, or everything that is wrong with it.

The daemon calls `apart.load_site_apart`, which does this in a process of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gateway.model.ids import DeviceId, LineName, SinkName
from gateway.settings.buses import make_line
from gateway.settings.catalogue import Catalogue
from gateway.settings.commands import CommandsCheck, make_commands
from gateway.settings.derived import DerivedMaker
from gateway.settings.devices import DeviceMaker
from gateway.settings.expand import Draft, Expander, check_unique
from gateway.settings.forbidden import check_forbidden
from gateway.settings.historians import make_historian, make_history
from gateway.settings.lint import lint
from gateway.settings.models.commands import CommandsEntry
from gateway.settings.models.site import DefaultsEntry, StoreEntry
from gateway.settings.privacy import check_privacy, make_privacy
from gateway.settings.problems import Problems
from gateway.settings.remote import make_remote
from gateway.settings.result import LoadResult
from gateway.settings.sinks import (
    make_gateway,
    make_sink,
    make_store,
)
from gateway.settings.site import Gateway, Site
from gateway.settings.site_files import SiteParts, read_parts
from gateway.settings.site_historians import Historian
from gateway.settings.site_paths import files_of
from gateway.settings.where import Where


def load_site(path: Path, *, profile_dirs: Sequence[Path] | None = None) -> LoadResult:
    """Return the site of a file, or of a folder with gateway.yaml and conf.d/*.yaml.

    Never raises for what is in the files: all of it is among the problems.
    """
    problems = Problems()
    catalogue = Catalogue(profile_dirs, problems)
    files = files_of(path)
    parts = read_parts(files, catalogue, problems)
    site = _built(parts, files[0], catalogue, problems)
    return LoadResult(None if problems.has_errors else site, problems.sorted())


def _built(parts: SiteParts, main: Path, catalogue: Catalogue, problems: Problems) -> Site | None:
    gateway = _gateway(parts, main, problems)
    defaults = parts.defaults.entry if parts.defaults else DefaultsEntry()
    lines = {
        name: make_line(name, placed.entry, placed.spot, problems)
        for name, placed in parts.buses.items()
    }
    sinks = {
        SinkName(name): make_sink(name, placed.entry, placed.spot, problems)
        for name, placed in parts.sinks.items()
    }
    historians = _historians(parts, problems)
    expander = Expander(problems)
    drafts = check_unique(_drafts(parts, expander), problems)
    disabled = {i: d.settings.disabled for i, d in drafts.items() if d.settings.disabled}
    wanted = [draft for name, draft in drafts.items() if name not in disabled]
    devices = DeviceMaker(catalogue, lines, defaults, problems, gateway=gateway).make(wanted)
    lint(lines, devices, problems)
    derived = DerivedMaker(
        catalogue, [placed.device for placed in devices], gateway, problems
    ).make((placed.entry, placed.spot) for placed in parts.derived)
    for one in (*(placed.device for placed in devices), *derived.values()):
        check_forbidden(one.points, problems)
    commands = make_commands(parts.commands.entry if parts.commands else CommandsEntry())
    if parts.commands is not None:
        running = {str(placed.device.id): placed.device for placed in devices}
        running |= {str(one.id): one for one in derived.values()}
        checking = CommandsCheck(running, {*running, *drafts}, sinks.keys(), problems)
        checking.check(commands, parts.commands.spot)
    privacy = make_privacy(parts.privacy, problems)
    known = [placed.device for placed in devices]
    exits = [*sinks.values(), *(historian.as_sink() for historian in historians.values())]
    check_privacy(exits, [*known, *derived.values()], problems)
    if gateway is None or problems.has_errors:
        return None
    read = {**catalogue.files, **expander.files}
    return Site(
        gateway,
        {LineName(name): placed.line for name, placed in lines.items()},
        {placed.device.id: placed.device for placed in devices},
        sinks,
        commands,
        make_store(parts.store.entry if parts.store else StoreEntry()),
        tuple(read),
        _digest(read),
        {DeviceId(name): reason for name, reason in disabled.items()},
        historians,
        make_history(parts.history.entry if parts.history else None),
        derived,
        privacy,
        make_remote(parts.remote),
    )


def _historians(parts: SiteParts, problems: Problems) -> dict[SinkName, Historian]:
    return {
        SinkName(name): make_historian(name, placed.entry, placed.spot, parts.sinks, problems)
        for name, placed in parts.historians.items()
    }


def _gateway(parts: SiteParts, main: Path, problems: Problems) -> Gateway | None:
    if parts.gateway is None:
        # When a file could not be read at all, that it has no gateway is no news.
        if not problems.has_errors:
            problems.add("LG-SITE-01", Where(str(main), 1, 1), "gateway", key="gateway")
        return None
    return make_gateway(parts.gateway.entry, parts.gateway.spot, problems)


def _drafts(parts: SiteParts, expander: Expander) -> Iterator[Draft]:
    for placed in parts.devices:
        yield from expander.drafts(placed.entry, placed.spot)


def _digest(files: Mapping[Path, bytes]) -> str:
    hashed = hashlib.sha256()
    for path in sorted(files):
        hashed.update(f"{path}\0{len(files[path])}\0".encode())
        hashed.update(files[path])
    return hashed.hexdigest()


__all__ = ["LoadResult", "load_site"]
