"""Which line of which file decided each setting of one point, for `linli explain`.

The order in which the files are asked is that of `points.PointMaker`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gateway.settings.catalogue import Catalogue, Kind, Profile, numbered
from gateway.settings.checking import Spot
from gateway.settings.expand import Draft, Expander, check_unique, variables_of
from gateway.settings.models.common import ALL_GROUPS
from gateway.settings.models.kind import KindPointEntry
from gateway.settings.models.profile import PointEntry
from gateway.settings.problems import BadValue, Problems
from gateway.settings.resolve import Resolver, with_defaults
from gateway.settings.site import Point
from gateway.settings.site_files import SiteParts, read_parts
from gateway.settings.site_paths import files_of
from gateway.settings.templates import fill
from gateway.settings.where import Where
from gateway.settings.wish import Piece

_OF_LAYERS = tuple(
    name
    for name in dict.fromkeys([*PointEntry.model_fields, *KindPointEntry.model_fields])
    if name not in {"each", "sim", "deadband"}
)


def setting_origins(
    file: Path, device: str, point: Point, profile_dirs: Sequence[Path] | None = None
) -> Mapping[str, Where]:
    """Return the place of every setting of a point that a file decides, by its key.

    What no file says is left out: there the default holds. The site must have loaded without
    errors, and `point` is the point of that device.
    """
    problems = Problems()
    catalogue = Catalogue(profile_dirs, problems)
    parts = read_parts(files_of(file), catalogue, problems)
    expander = Expander(problems)
    every = (d for placed in parts.devices for d in expander.drafts(placed.entry, placed.spot))
    draft = check_unique(every, problems)[device]
    beside = Path(draft.at("profile").file).parent
    path = catalogue.find(str(draft.settings.profile), beside)
    profile = catalogue.profile(path) if path is not None else None
    if profile is None:
        return {}
    return _Origins(parts, draft, profile, point).all()


class _Origins:
    """The places that may decide a setting of one point."""

    def __init__(self, parts: SiteParts, draft: Draft, profile: Profile, point: Point) -> None:
        self._parts = parts
        self._draft = draft
        self._profile = profile
        self._point = point
        name = str(point.id)
        self._site = [
            spot.at("points", name)
            for spot in draft.spots
            if spot.has("points") and spot.at("points").has(name)
        ]
        self._piece = _piece(profile, draft, name)
        self._kind = _kind_spot(profile.kind, name)

    def all(self) -> dict[str, Where]:
        """Return every place that decides something, by key."""
        layers = [*self._site, *(self._piece.spots if self._piece else ()), *self._kind]
        found: dict[str, Where] = {}
        for key in (*(self._piece.address if self._piece else ()), *_OF_LAYERS):
            place = next((spot.at_key(key) for spot in layers if spot.has(key)), None)
            if place is not None:
                found[key] = place
        for key, places in (("poll", self._polls()), ("deadband", self._deadbands())):
            place = next(places, None)
            if place is not None:
                found[key] = place
        return found

    def _polls(self) -> Iterator[Where]:
        group = self._point.group
        defaults = [self._parts.defaults.spot] if self._parts.defaults else []
        yield from (spot.at_key("poll") for spot in self._site if spot.has("poll"))
        yield from _of_group(self._draft.spots, "poll", group)
        yield from _of_group(self._draft.spots, "poll", ALL_GROUPS)
        yield from _of_group(defaults, "poll", group)
        yield from _of_group([self._profile.spot], "groups", group)
        yield from _of_group([self._profile.kind.spot], "groups", group)
        yield from _of_group(defaults, "poll", ALL_GROUPS)

    def _deadbands(self) -> Iterator[Where]:
        name = str(self._point.id)
        defaults = [self._parts.defaults.spot] if self._parts.defaults else []
        yield from (spot.at_key("deadband") for spot in self._site if spot.has("deadband"))
        yield from _of_group(self._draft.spots, "deadband", name)
        layers = [*(self._piece.spots if self._piece else ()), *self._kind, *defaults]
        yield from (spot.at_key("deadband") for spot in layers if spot.has("deadband"))


def _of_group(spots: Sequence[Spot], key: str, group: str) -> Iterator[Where]:
    """Yield where a group is said below a key; a short form without groups says it for all."""
    for spot in spots:
        if not spot.has(key):
            continue
        below = spot.at(key)
        if below.has(group):
            yield below.at_key(group)
        elif group == ALL_GROUPS and (below.node.keys is None or below.has("at")):
            yield spot.at_key(key)


def _piece(profile: Profile, draft: Draft, name: str) -> Piece | None:
    """Return the point as the profile writes it."""
    problems = Problems()
    given = variables_of(draft, problems)
    variables = with_defaults(profile, given, profile.spot, problems)
    for piece in Resolver(profile).pieces(draft.settings.variant):
        for number in piece.entry.each or (None,):
            scope = variables if number is None else {**variables, "n": number}
            try:
                if fill(piece.id, scope) == name:
                    return piece
            except BadValue:
                continue
    return None


def _kind_spot(kind: Kind, name: str) -> list[Spot]:
    """Return where the kind writes the point, if it has it."""
    return [
        kind.spot.at("points", template)
        for template, entry in kind.entry.points.items()
        if name in numbered(template, entry.each)
    ]
