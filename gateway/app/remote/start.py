"""Which site a gateway starts with: from afar, the operator's own, or the last good one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gateway.app.remote.files import RemoteFiles
from gateway.app.site import last_good
from gateway.settings.problems import Problem


class Start(NamedTuple):
    """What runs."""

    source: Path
    """The main file that was asked for."""
    started: last_good.Started
    given_up: tuple[Problem, ...]
    """What was wrong with a configuration from afar that gave way to the operator's file."""


def load(remote: RemoteFiles, state: Path, *, strict: bool) -> Start:
    """Return the site to run. Blocks while files are read.

    What came from afar may not load any more, nor the copy of it, when a profile that it needs is
    gone; the operator's file counts then, unless `strict`.
    """
    source = remote.source()
    started = last_good.load_or_fall_back(source, state, strict=strict)
    if started.result.site is not None or remote.is_local or strict:
        return Start(source, started, ())
    own = last_good.load_and_vet(remote.operators)
    if own.site is None:
        return Start(source, started, ())
    return Start(remote.give_up(), last_good.Started(own, ()), started.result.problems)
