"""Profiles for those who have no site: the command line, simulators, the tests of every profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.settings.catalogue import Catalogue, Profile
from gateway.settings.checking import Spot
from gateway.settings.forbidden import check_forbidden
from gateway.settings.models.profile import PointOverride
from gateway.settings.problems import Problem, Problems, SettingsError, advice
from gateway.settings.resolve import Resolver, check_names, check_wish, with_defaults
from gateway.settings.site import DeviceQuirks, Point
from gateway.settings.where import Where
from gateway.settings.wish import Wish


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One profile of the catalogue, for lists."""

    id: str
    path: Path
    kind: str
    driver: str
    vendor: str | None
    model: str | None
    title: Mapping[str, str]
    is_verified: bool


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """A profile and what was found; None when it has errors."""

    profile: Profile | None
    problems: tuple[Problem, ...]


def profile_catalogue(profile_dirs: Sequence[Path] | None = None) -> tuple[CatalogueEntry, ...]:
    """Return all profiles that can be read, sorted by id; wrong ones show in `load_profile`."""
    catalogue = Catalogue(profile_dirs, Problems())
    entries: list[CatalogueEntry] = []
    for name in catalogue.profile_ids():
        path = catalogue.find(name, Path())
        profile = catalogue.profile(path) if path else None
        if profile is not None:
            e = profile.entry
            entries.append(
                CatalogueEntry(
                    name, profile.path, e.kind, e.driver, e.vendor, e.model, e.title, e.verified
                )
            )
    return tuple(sorted(entries, key=lambda entry: entry.id))


def load_profile(
    id_or_path: str | Path, profile_dirs: Sequence[Path] | None = None
) -> ProfileResult:
    """Return a profile by id or path, checked in all its variants."""
    problems = Problems()
    catalogue = Catalogue(profile_dirs, problems)
    name = str(id_or_path)
    path = Path(name) if name.endswith(".yaml") else catalogue.find(name, Path())
    if path is None:
        hint = advice(name, catalogue.profile_ids())
        problems.add("LG-DEV-04", Where(name, 1, 1), name=name, advice=hint)
        return ProfileResult(None, problems.sorted())
    profile = catalogue.profile(path)
    if profile is not None:
        check_profile(Resolver(profile), problems)
    return ProfileResult(None if problems.has_errors else profile, problems.sorted())


def resolve_points(
    profile: Profile,
    variables: Mapping[str, int] | None = None,
    variant: str | None = None,
    overrides: Mapping[str, PointOverride] | None = None,
) -> tuple[Point, ...]:
    """Return the points of a device of that profile, with no site.

    Raises:
        SettingsError: a variable, variant or point is unknown or out of range.
    """
    problems = Problems()
    given = dict(variables or {})
    wish = Wish(variables=given, variant=variant, overrides=dict(overrides or {}))
    points: tuple[Point, ...] = ()
    if check_wish(profile, wish, profile.spot, problems):
        full = with_defaults(profile, given, profile.spot, problems)
        wish = Wish(variables=full, variant=variant, overrides=wish.overrides)
        if not problems.has_errors:
            points = Resolver(profile).points(wish, problems)
            check_names(points, wish, (profile.spot,), problems)
    if problems.has_errors:
        raise SettingsError(problems.sorted())
    return points


def resolve_quirks(profile: Profile, variant: str | None = None) -> DeviceQuirks:
    """Return what the bus must respect of a device of that profile, with no site.

    Raises:
        SettingsError: the profile's quirks are wrong.
    """
    problems = Problems()
    quirks = Resolver(profile).quirks(variant, None, profile.spot, problems)
    if quirks is None:
        raise SettingsError(problems.sorted())
    return quirks


def check_profile(resolver: Resolver, problems: Problems) -> None:
    """Report what is wrong in a profile: every variant, with the ends of every variable."""
    profile, before = resolver.profile, problems.errors
    seen: set[str] = set()
    for variant in (None, *profile.entry.variants):
        resolver.quirks(variant, None, profile.spot, problems)
        if variant is None or _variant_is_known(profile, variant, problems):
            for end in (min, max):
                ranges = profile.entry.variables.items()
                wish = Wish(variables={n: end(v.range) for n, v in ranges}, variant=variant)
                points = resolver.points(wish, problems)
                seen |= {str(point.id) for point in points}
                _check_references(points, profile.spot, problems)
                check_forbidden(points, problems)
    if problems.errors > before:
        return  # points are missing because they are wrong, which is said already
    place = profile.spot.at("points")
    for name in sorted(set(profile.kind.entry.expects) - seen):
        problems.add("LG-PROF-07", place.where, place.text, name=name, kind=profile.kind.id)
    _check_samples(profile, seen, problems)


def _variant_is_known(profile: Profile, variant: str, problems: Problems) -> bool:
    known = profile.entry.points
    place = profile.spot.at("variants", variant, "points")
    unknown = [name for name in profile.entry.variants[variant].points if name not in known]
    for name in unknown:
        hint = advice(name, known)
        problems.add("LG-PROF-04", place.at_key(name), place.text, name=name, advice=hint)
    return not unknown


def _check_references(points: tuple[Point, ...], spot: Spot, problems: Problems) -> None:
    ids = {str(point.id) for point in points}
    for point in points:
        named = {
            "scale_from": point.scale_from.point if point.scale_from else None,
            "readback": point.write.readback if point.write else None,
        }
        for key, name in named.items():
            if name is not None and name not in ids:
                hint = advice(name, ids)
                where = Where(spot.file, point.where.line, point.where.column)
                path = f"points.{point.id}"
                problems.add("LG-PROF-05", where, path, name=name, key=key, advice=hint)


def _check_samples(profile: Profile, known: set[str], problems: Problems) -> None:
    for index, sample in enumerate(profile.samples):
        spot = profile.spot.at("samples", index)
        wish = Wish(variables=sample.variables, variant=sample.variant)
        if check_wish(profile, wish, spot, problems):
            with_defaults(profile, sample.variables, spot, problems)
        for name in sample.values:
            if name not in known:
                place, hint = spot.at("values", name), advice(name, known)
                problems.add(
                    "LG-PROF-05", place.where, place.text, name=name, key="values", advice=hint
                )
