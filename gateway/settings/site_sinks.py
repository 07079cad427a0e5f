"""A loaded site, the side of the platforms: where they are, what they may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from gateway.model.ids import SinkName
from gateway.settings.secret_name import Secret
from gateway.settings.site_privacy import UNSEALED, Choice, Payload, Transform
from gateway.settings.where import Where

Option: TypeAlias = "str | int | float | bool | Secret | tuple[str, ...] | Mapping[str, str]"
"""One setting of a dialect as the site file gives it; the dialect's own dataclass says which."""


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS of a sink. Paths; None means the system's authorities, and no client certificate."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | Secret | None = None


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a platform is reached."""

    host: str
    port: int
    use_tls: bool = False

    def __str__(self) -> str:
        """Return host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Sink:
    """One platform."""

    name: SinkName
    dialect: str
    host: str
    port: int
    use_tls: bool
    where: Where
    root: str = "fc"
    tls: Tls = Tls()
    username: str | None = None
    password: Secret | None = None
    credentials: Secret | None = None
    """A credential file of two lines, user name and password."""
    client_id: str | None = None
    max_level: Literal["L1", "L2", "L3", "L4"] = "L2"
    ack: Literal["puback", "app"] = "puback"
    window: int = 100
    keepalive_s: int = 10
    mqtt: Literal["auto", "5", "3.1.1"] = "auto"
    others: tuple[Broker, ...] = ()
    """Brokers to use when the first one, `host`, cannot be reached; in order of preference."""
    backfill_share: float = 0.3
    """Part of the window that old telemetry may fill."""
    options: Mapping[str, Option] = field(default_factory=dict[str, "Option"])
    """Settings of the dialect, as given; `dialects.options` makes them what it declares."""
    devices: Mapping[str, Mapping[str, Option]] = field(
        default_factory=dict[str, "Mapping[str, Option]"]
    )
    """How the platform knows our devices, by pattern over their ids; the first that fits counts."""
    places: Mapping[str, Where] = field(default_factory=dict[str, Where])
    """Where each of those stands: `options.name`, `devices.pattern.name`."""
    hold_unheard: bool = False
    """What nobody subscribes to is kept until somebody does, instead of being done."""
    allow: tuple[Choice, ...] | None = None
    """What may leave; None: all up to `max_level` that is not personal (P2, P3)."""
    transforms: tuple[Transform, ...] = ()
    """What is done to values before they leave; the first that fits a point counts."""
    payload: Payload = UNSEALED
    """How payloads are sealed, beside TLS."""
