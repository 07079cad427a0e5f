"""A loaded site, the side of time-series databases: where they are, and what may be kept here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from gateway.model.ids import SinkName
from gateway.settings.site_privacy import Choice, Transform
from gateway.settings.site_sinks import Secret, Sink
from gateway.settings.where import Where

HISTORIAN = "historian"
"""Stands for the dialect of a database where it is taken for a sink."""
HISTORY = SinkName("_history")
"""The cursor of the local history in the outbox: no name that a site file can give."""


@dataclass(frozen=True, slots=True)
class Historian:
    """One database that gets the readings; to the outbox it is one more sink."""

    name: SinkName
    url: str
    """http://host:port or https://…, with a path where a proxy has one; no slash at its end."""
    where: Where = field(compare=False)
    version: Literal[1, 2] = 2
    """Of its interface: `/write` of InfluxDB 1.x, or `/api/v2/write`."""
    database: str = ""
    """The database of 1.x, the bucket of 2."""
    org: str = ""
    retention_policy: str | None = None
    token: Secret | None = None
    username: str | None = None
    password: Secret | None = None
    ca: Path | None = None
    """The authority's certificate; None means the system's."""
    max_level: Literal["L1", "L2", "L3", "L4"] = "L2"
    batch_lines: int = 1000
    batch_wait_s: float = 1.0
    timeout_s: float = 10.0
    gzip: bool = True
    allow: tuple[Choice, ...] | None = None
    """As of a sink; None: all up to `max_level` that is not personal (P2, P3)."""
    transforms: tuple[Transform, ...] = ()
    places: Mapping[str, Where] = field(default_factory=dict[str, Where], compare=False)
    """Where each line of those stands: `allow.0`, `transforms.2`."""

    def as_sink(self) -> Sink:
        """Return it as what the outer door knows: a sink with a level."""
        return Sink(
            self.name,
            HISTORIAN,
            self.url,
            0,
            False,  # noqa: FBT003 - of TLS the door knows nothing
            self.where,
            max_level=self.max_level,
            allow=self.allow,
            transforms=self.transforms,
            places=self.places,
        )


@dataclass(frozen=True, slots=True)
class LocalHistory:
    """The last days in a file of the state folder."""

    days: int = 7
    quota_bytes: int = 200 * 1024 * 1024
    commit_every_s: float = 30.0
