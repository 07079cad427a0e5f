"""A profile and what one device wishes of it -> the device's points.

Equal wishes give the same tuple object and equal points the same point: five hundred meters of one
profile share all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from drivers.contract import Address
from gateway.settings.catalogue import Profile, check_point_id, key_spot
from gateway.settings.checking import Spot, add_bad_value, field_names, report_one
from gateway.settings.driver_keys import address_model, quirks_model
from gateway.settings.models.common import ALL_GROUPS
from gateway.settings.models.profile import PointEntry, QuirksEntry
from gateway.settings.points import PointMaker
from gateway.settings.problems import BadValue, Problems, advice
from gateway.settings.site import DeviceQuirks, Point
from gateway.settings.templates import fill
from gateway.settings.wish import Piece, Wish


class Resolver:
    """Makes the points of one profile; problems of the profile are reported by `check_profile`."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._pieces: dict[str | None, tuple[Piece, ...]] = {}
        self._tuples: dict[object, tuple[Point, ...]] = {}
        self._points: dict[object, Point | None] = {}
        self._addresses: dict[str, Address] = {}
        self._quirks: dict[str, DeviceQuirks] = {}

    def points(self, wish: Wish, problems: Problems) -> tuple[Point, ...]:
        """Return the points; the same tuple for an equal wish."""
        manner = wish.manner
        key = (wish.variant, tuple(sorted(wish.variables.items())), manner)
        if key not in self._tuples:
            self._tuples[key] = self._made(wish, manner, problems)
        return self._tuples[key]

    def pieces(self, variant: str | None) -> tuple[Piece, ...]:
        """Return the points as the profile writes them, for one variant."""
        if variant not in self._pieces:
            self._pieces[variant] = tuple(_pieces(self.profile, variant))
        return self._pieces[variant]

    def quirks(
        self, variant: str | None, own: QuirksEntry | None, spot: Spot, problems: Problems
    ) -> DeviceQuirks | None:
        """Return what the bus must respect; `own` is what the site says, at `spot`."""
        key = f"{variant}|{own!r}"
        if key not in self._quirks:
            made = _quirks(self.profile, variant, own, (spot, problems))
            if made is None:
                return None
            self._quirks[key] = made
        return self._quirks[key]

    # --- points ------------------------------------------------------------------------------

    def _made(self, wish: Wish, manner: str, problems: Problems) -> tuple[Point, ...]:
        points: dict[str, Point] = {}
        for piece in self.pieces(wish.variant):
            if piece.entry.each and "{n" not in piece.id:
                where = self.profile.spot.at("points").at_key(piece.id)
                problems.add("LG-PROF-13", where, piece.spot.text)
                continue
            for number in piece.entry.each or (None,):
                scope = dict(wish.variables) if number is None else {**wish.variables, "n": number}
                try:
                    name = fill(piece.id, scope)
                    check_point_id(name)
                except BadValue as bad:
                    parent = self.profile.spot.at("points")
                    add_bad_value(problems, bad, key_spot(parent, piece.id))
                    continue
                if name in points:
                    problems.add("LG-PROF-06", piece.spot.where, piece.spot.text, name=name)
                point = self._point(name, piece, scope, (wish, manner, problems))
                if point is not None:
                    points[name] = point
        return tuple(points.values())

    def _point(
        self,
        name: str,
        piece: Piece,
        scope: Mapping[str, int],
        context: tuple[Wish, str, Problems],
    ) -> Point | None:
        wish, manner, problems = context
        override = wish.overrides.get(name)
        if override is not None and override.disabled is not None:
            return None
        address = self._address(piece, scope, problems)
        if address is None:
            return None
        key = (name, wish.variant, id(address), manner)
        if key not in self._points:
            maker = PointMaker(name, self.profile, piece, wish, problems)
            self._points[key] = maker.point(address, scope)
        return self._points[key]

    def _address(
        self, piece: Piece, scope: Mapping[str, int], problems: Problems
    ) -> Address | None:
        filled: dict[str, Any] = {}
        for key, value in piece.address.items():
            try:
                filled[key] = _filled(value, scope)
            except BadValue as bad:
                add_bad_value(problems, bad, piece.spot_of(key).at(key))
                return None
        text = repr(filled)
        if text not in self._addresses:
            model = address_model(self.profile.driver)
            try:
                self._addresses[text] = model.model_validate(filled).plain
            except ValidationError as exc:
                _report_address(exc, model, piece, problems)
                return None
        return self._addresses[text]


def check_wish(profile: Profile, wish: Wish, spot: Spot, problems: Problems) -> bool:
    """Report what a device wishes that its profile does not have; whether all is well."""
    before = len(problems)
    entry = profile.entry
    if wish.variant is not None and wish.variant not in entry.variants:
        place, hint = spot.at("variant"), advice(wish.variant, entry.variants)
        problems.add("LG-DEV-11", place.where, place.text, name=wish.variant, advice=hint)
    for name, value in wish.variables.items():
        variable, place = entry.variables.get(name), spot.at("set", name)
        if variable is None:
            hint = advice(name, entry.variables)
            problems.add("LG-DEV-08", place.where, place.text, name=name, advice=hint)
        elif value not in variable.range:
            limit = f"{min(variable.range)}..{max(variable.range)}"
            facts = {"name": name, "found": value, "limit": limit}
            problems.add("LG-DEV-09", place.where, place.text, **facts)
    return len(problems) == before


def with_defaults(
    profile: Profile, given: Mapping[str, int], spot: Spot, problems: Problems
) -> dict[str, int]:
    """Return all variables of the profile: given ones, else their defaults."""
    variables = dict(given)
    for name, variable in profile.entry.variables.items():
        if name not in variables:
            if variable.default is None:
                problems.add("LG-DEV-10", spot.where, spot.text, name=name)
            else:
                variables[name] = variable.default
    return variables


def check_names(
    points: tuple[Point, ...], wish: Wish, spots: Sequence[Spot], problems: Problems
) -> None:
    """Report points and groups that a device names and its profile does not give.

    `spots` are the mappings that may hold the names, the most special first.
    """
    ids = {str(point.id) for point in points}
    groups = {point.group for point in points}
    left_out = {name for name, override in wish.overrides.items() if override.disabled}
    named = (
        ("points", "LG-DEV-07", wish.overrides.keys() - ids - left_out, ids),
        ("deadband", "LG-DEV-07", wish.deadbands.keys() - ids - left_out, ids),
        ("poll", "LG-DEV-06", wish.polls.keys() - groups - {ALL_GROUPS}, groups),
    )
    for key, code, names, known in named:
        for name in sorted(names):
            parents = [spot.at(key) for spot in spots if spot.has(key)]
            parent = next((spot for spot in parents if spot.has(name)), spots[-1])
            hint = advice(name, known)
            problems.add(code, parent.at_key(name), f"{parent.text}.{name}", name=name, advice=hint)


def _pieces(profile: Profile, variant: str | None) -> Iterator[Piece]:
    entry, spot = profile.entry, profile.spot
    patches = entry.variants[variant].points if variant is not None else {}
    for name, point in entry.points.items():
        layers, spots = [point], [spot.at("points", name)]
        if entry.defaults is not None:
            layers.insert(0, entry.defaults)
            spots.append(spot.at("defaults"))
        if name in patches:
            layers.append(patches[name])
            spots.insert(0, spot.at("variants", str(variant), "points", name))
        known: dict[str, Any] = {}
        address: dict[str, Any] = {}
        for layer in layers:
            fields = PointEntry.model_fields.keys() & layer.model_fields_set
            known |= {key: getattr(layer, key) for key in fields}
            address |= layer.model_extra or {}
        yield Piece(name, PointEntry.model_construct(None, **known), address, tuple(spots))


def _filled(value: Any, scope: Mapping[str, int]) -> Any:  # noqa: ANN401 - an address key of any driver
    if isinstance(value, str) and "{" in value:
        text = fill(value, scope)
        return int(text) if text.lstrip("-").isdecimal() and text.isascii() else text
    if isinstance(value, list):
        return [_filled(item, scope) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _filled(v, scope) for key, v in cast("dict[str, Any]", value).items()}
    return value


def _report_address(
    exc: ValidationError, model: type[BaseModel], piece: Piece, problems: Problems
) -> None:
    for error in exc.errors(include_url=False):
        spot = piece.spot_of(str(error["loc"][0])) if error["loc"] else piece.spot
        report_one(error, model, spot, problems, also=field_names(PointEntry))


def _quirks(
    profile: Profile,
    variant: str | None,
    own: QuirksEntry | None,
    place: tuple[Spot, Problems],
) -> DeviceQuirks | None:
    spot, problems = place
    layers: list[tuple[QuirksEntry | None, Spot]] = [
        (profile.entry.quirks, profile.spot.at("quirks"))
    ]
    if variant is not None:
        where = profile.spot.at("variants", variant, "quirks")
        layers.append((profile.entry.variants[variant].quirks, where))
    layers.append((own, spot.at("quirks")))
    common: dict[str, Any] = {}
    special: dict[str, Any] = {}
    for layer, _ in layers:
        if layer is not None:
            fields = QuirksEntry.model_fields.keys() & layer.model_fields_set
            common |= {key: getattr(layer, key) for key in fields}
            special |= layer.model_extra or {}
    model = quirks_model(profile.driver)
    try:
        driver = model.model_validate(special).plain
    except ValidationError as exc:
        for error in exc.errors(include_url=False):
            key = str(error["loc"][0]) if error["loc"] else ""
            places = [where for _, where in reversed(layers) if where.has(key)]
            at = places[0] if places else profile.spot.at("quirks")
            report_one(error, model, at, problems, also=field_names(QuirksEntry))
        return None
    return DeviceQuirks(
        driver,
        pause_s=common.get("pause") or 0.0,
        timeout_s=common.get("timeout"),
        retries=common.get("retries"),
        connect_delay_s=common.get("connect_delay") or 0.0,
    )
