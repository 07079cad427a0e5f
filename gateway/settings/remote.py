"""`remote:` -> what the rooms of remote work read."""

from __future__ import annotations

from gateway.settings.models.remote import RemoteEntry
from gateway.settings.secret_entry import make_secret
from gateway.settings.site_files import Placed
from gateway.settings.site_remote import Remote


def make_remote(placed: Placed[RemoteEntry] | None) -> Remote | None:
    """Return who may send a configuration; None where nobody may."""
    if placed is None:
        return None
    entry = placed.entry
    return Remote(
        placed.spot.where,
        entry.public_key,
        make_secret(entry.secret),
        frozenset(entry.may),
        entry.watch,
    )
