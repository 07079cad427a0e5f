"""`historians:` and `history:` -> what the historian's room reads."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from gateway.model.ids import SinkName
from gateway.settings.checking import Spot
from gateway.settings.models.historian import HistorianEntry, HistoryEntry
from gateway.settings.privacy import make_allow, make_transforms, privacy_places
from gateway.settings.problems import Problems, shown
from gateway.settings.secret_entry import make_secret
from gateway.settings.site_historians import Historian, LocalHistory

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<user>[^/@]*@)?"
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9][A-Za-z0-9._-]{0,252}))"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>(?:/[A-Za-z0-9._~-]{1,100}){0,8})/?"
)
_HERE = re.compile(r"localhost|127[.][0-9.]+|::1")


def make_historian(  # noqa: PLR0917 - one entry, its place, and what it may not be
    name: str, entry: HistorianEntry, spot: Spot, taken: Collection[str], problems: Problems
) -> Historian:
    """Return one database; `taken` are the names of sinks, with which it shares the outbox."""
    if name in taken:
        problems.add("LG-HIST-02", spot.where, spot.text, name=name)
    _check_url(entry, spot, problems)
    return Historian(
        SinkName(name),
        entry.url.rstrip("/"),
        spot.where,
        version=entry.version,
        database=entry.database or entry.bucket or "",
        org=entry.org or "",
        retention_policy=entry.retention_policy,
        token=make_secret(entry.token),
        username=entry.username,
        password=make_secret(entry.password),
        ca=Path(entry.ca) if entry.ca else None,
        max_level=entry.max_level,
        allow=make_allow(entry),
        transforms=make_transforms(entry),
        places=dict(privacy_places(entry, spot)),
        batch_lines=entry.batch,
        batch_wait_s=entry.batch_wait,
        timeout_s=entry.timeout,
        gzip=entry.gzip,
    )


def make_history(entry: HistoryEntry | None) -> LocalHistory | None:
    """Return the local history; None: the site keeps none."""
    if entry is None:
        return None
    return LocalHistory(entry.days, entry.quota, entry.commit_every)


def _check_url(entry: HistorianEntry, spot: Spot, problems: Problems) -> None:
    place, match = spot.at("url"), _URL.fullmatch(entry.url)
    port = int(match["port"] or 1) if match else 0
    if match is None or not 0 < port < 1 << 16:
        found = re.sub(r"//[^/]*@", "//…@", entry.url)
        problems.add("LG-HIST-01", place.where, place.text, found=shown(found))
        return
    if match["user"]:
        problems.add("LG-SEC-02", place.where, place.text)
    has_secret = entry.token is not None or entry.password is not None
    is_here = _HERE.fullmatch(match["v6"] or match["host"]) is not None
    if has_secret and match["scheme"] == "http" and not is_here:
        problems.add("LG-HIST-06", place.where, place.text)
