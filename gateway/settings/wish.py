"""What one device asks of its profile, and a point as the profile writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.settings.checking import Spot
from gateway.settings.models.common import DeadbandEntry, PollEntry
from gateway.settings.models.profile import PointEntry, PointOverride
from gateway.settings.site import Priority


@dataclass(frozen=True, slots=True)
class Wish:
    """What one device asks of its profile, beside what the profile says itself."""

    variables: Mapping[str, int] = field(default_factory=dict[str, int])
    variant: str | None = None
    overrides: Mapping[str, PointOverride] = field(default_factory=dict[str, PointOverride])
    deadbands: Mapping[str, DeadbandEntry] = field(default_factory=dict[str, DeadbandEntry])
    polls: Mapping[str, PollEntry] = field(default_factory=dict[str, PollEntry])
    priority: Priority | None = None
    site_polls: Mapping[str, PollEntry] = field(default_factory=dict[str, PollEntry])
    site_deadband: DeadbandEntry | None = None
    basis: str | None = None
    retain_s: float | None = None

    @property
    def manner(self) -> str:
        """What all but the variables say, as a key: equal manners make equal points."""
        return repr(
            (
                sorted(self.overrides.items()),
                sorted(self.deadbands.items()),
                sorted(self.polls.items()),
                self.priority,
                sorted(self.site_polls.items()),
                self.site_deadband,
                self.basis,
                self.retain_s,
            )
        )


@dataclass(frozen=True, slots=True)
class Piece:
    """A point as the profile writes it: variant over point over defaults, `{…}` not yet filled."""

    id: str
    entry: PointEntry
    address: Mapping[str, Any]
    spots: tuple[Spot, ...]
    """Where its keys stand, the most special place first."""

    @property
    def spot(self) -> Spot:
        """Where the point itself stands."""
        return self.spots[0]

    def spot_of(self, key: str) -> Spot:
        """Return the place that gives a key."""
        return next((spot for spot in self.spots if spot.has(key)), self.spot)
