"""Drafts -> devices: bus, profile, driver, address, points and quirks looked up and checked."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from drivers import registry
from drivers.contract import Speaker
from gateway.model.ids import DeviceId
from gateway.settings.buses import PlacedLine
from gateway.settings.catalogue import Catalogue, Profile
from gateway.settings.expand import Draft, variables_of
from gateway.settings.models.site import DefaultsEntry
from gateway.settings.problems import Problems, advice
from gateway.settings.profiles import check_profile
from gateway.settings.resolve import Resolver, check_names, check_wish, with_defaults
from gateway.settings.sinks import make_position, make_secret
from gateway.settings.site import (
    Device,
    DeviceQuirks,
    Gateway,
    Point,
)
from gateway.settings.site_place import NOWHERE, Location
from gateway.settings.wish import Wish


@dataclass(frozen=True, slots=True)
class PlacedDevice:
    """A device and what lint wants to know of it."""

    device: Device
    draft: Draft
    profile: Profile
    variables: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Speech:
    """How a device is spoken to."""

    protocol: str
    driver: Speaker


class DeviceMaker:
    """Makes the devices of one site; profiles are resolved once for all of them."""

    def __init__(
        self,
        catalogue: Catalogue,
        lines: Mapping[str, PlacedLine],
        defaults: DefaultsEntry,
        problems: Problems,
        *,
        gateway: Gateway | None,
    ) -> None:
        self._catalogue = catalogue
        self._lines = lines
        self._defaults = defaults
        self._parts = (NOWHERE if gateway is None else gateway.location).parts
        self._operator = None if gateway is None else gateway.operator
        self._problems = problems
        self._resolvers: dict[str, Resolver | None] = {}

    def make(self, drafts: Iterable[Draft]) -> list[PlacedDevice]:
        """Return the devices; those that are wrong are reported and left out."""
        made = (self._device(draft) for draft in drafts)
        return [placed for placed in made if placed is not None]

    def _device(self, draft: Draft) -> PlacedDevice | None:
        placed_line, resolver = self._line(draft), self._resolver(draft)
        has_address = self._has(draft, "address")
        if placed_line is None or resolver is None or not has_address:
            return None
        speech = self._speech(draft, placed_line, resolver.profile)
        unit = self._unit(draft, speech.driver) if speech else None
        wish = self._wish(draft, resolver)
        if speech is None or unit is None or wish is None:
            return None
        points = resolver.points(wish, self._problems)
        check_names(points, wish, draft.spots, self._problems)
        quirks = resolver.quirks(
            wish.variant, draft.settings.quirks, draft.spot_of("quirks"), self._problems
        )
        if quirks is None:
            return None
        device = self._built(
            draft, placed_line, resolver.profile, (speech.protocol, unit, points, quirks)
        )
        return PlacedDevice(device, draft, resolver.profile, wish.variables)

    def _built(
        self,
        draft: Draft,
        placed_line: PlacedLine,
        profile: Profile,
        resolved: tuple[str, Hashable, tuple[Point, ...], DeviceQuirks],
    ) -> Device:
        protocol, unit, points, quirks = resolved
        settings, defaults = draft.settings, self._defaults
        said = (settings.retries, quirks.retries, defaults.retries)
        return Device(
            id=DeviceId(draft.id),
            profile=profile.id,
            kind=profile.kind.id,
            line=placed_line.line.name,
            protocol=protocol,
            unit=unit,
            address_text=str(settings.address),
            points=points,
            quirks=quirks,
            where=draft.spot.where,
            vendor=profile.entry.vendor,
            model=profile.entry.model,
            title=settings.title or profile.entry.title,
            location=Location(
                {**self._parts, **(settings.location or {})},
                make_position(settings.position),
            ),
            operator=settings.operator or self._operator,
            duty=settings.duty,
            retries=next(retries for retries in said if retries is not None),
            offline_after=settings.offline_after or defaults.offline_after,
            timeout_s=settings.timeout if _says_timeout(draft) else defaults.timeout,
            is_verified=profile.entry.verified,
            key=make_secret(settings.key),
            owner=settings.owner,
        )

    # --- what a device names -----------------------------------------------------------------

    def _has(self, draft: Draft, key: str) -> bool:
        if getattr(draft.settings, key) is None:
            spot = draft.spot_of(key)
            path = f"{spot.text}.{key}".lstrip(".")
            self._problems.add("LG-KEY-02", spot.at_key(key), path, key=key)
            return False
        return True

    def _line(self, draft: Draft) -> PlacedLine | None:
        if not self._has(draft, "bus"):
            return None
        name = str(draft.settings.bus)
        if name not in self._lines:
            place, hint = draft.at("bus"), advice(name, self._lines)
            self._problems.add("LG-DEV-03", place.where, place.text, name=name, advice=hint)
        return self._lines.get(name)

    def _resolver(self, draft: Draft) -> Resolver | None:
        if not self._has(draft, "profile"):
            return None
        name, place = str(draft.settings.profile), draft.at("profile")
        path = self._catalogue.find(name, Path(place.file).parent)
        if path is None:
            hint = advice(name, self._catalogue.profile_ids())
            self._problems.add("LG-DEV-04", place.where, place.text, name=name, advice=hint)
            return None
        key = str(path)
        if key not in self._resolvers:
            profile = self._catalogue.profile(path)
            self._resolvers[key] = Resolver(profile) if profile else None
            if profile is not None:
                check_profile(Resolver(profile), self._problems)
        return self._resolvers[key]

    def _speech(self, draft: Draft, placed: PlacedLine, profile: Profile) -> _Speech | None:
        driver = profile.driver
        own = draft.settings.protocol
        if own is not None and own not in driver.speakers:
            place, hint = draft.at("protocol"), advice(own, driver.speakers)
            facts = {"profile": profile.id, "protocol": own, "advice": hint}
            self._problems.add("LG-DEV-15", place.where, place.text, **facts)
            return None
        shared = placed.line.protocol
        if own is None and profile.entry.protocol is not None:
            own = profile.entry.protocol
        elif own is None and shared not in driver.speakers:
            # Two protocols on one pair of wires: this driver's own framing for that kind of pipe.
            try:
                neighbour = registry.driver_of_protocol(shared)
            except LookupError:
                return None  # nobody speaks it: said of the bus already
            # A driver with one framing for both pipes is no sign of a network: converters carry it.
            is_network = neighbour.serial_protocol != shared == neighbour.tcp_protocol
            shared = driver.tcp_protocol if is_network else driver.serial_protocol
        protocol = own or shared
        return _Speech(protocol, driver.speakers[protocol])

    def _unit(self, draft: Draft, driver: Speaker) -> Hashable | None:
        address = str(draft.settings.address)
        try:
            return driver.parse_unit(address)
        except ValueError as exc:
            place = draft.at("address")
            facts = {"address": address, "what": str(exc)[:200]}
            self._problems.add("LG-DEV-05", place.where, place.text, **facts)
            return None

    def _wish(self, draft: Draft, resolver: Resolver) -> Wish | None:
        settings, defaults, profile = draft.settings, self._defaults, resolver.profile
        given = variables_of(draft, self._problems)
        own = Wish(given, settings.variant)
        place = draft.spot_of("set")
        is_known = check_wish(profile, own, place, self._problems)
        variables = with_defaults(profile, given, draft.at("set"), self._problems)
        if not is_known or variables.keys() != profile.entry.variables.keys():
            return None
        return Wish(
            variables,
            settings.variant,
            settings.points or {},
            settings.deadband or {},
            settings.poll or {},
            settings.priority,
            defaults.poll or {},
            defaults.deadband,
            settings.basis,
            settings.retain,
        )


def _says_timeout(draft: Draft) -> bool:
    return "timeout" in draft.settings.model_fields_set
