"""How the platform calls our devices, and the ids of messages to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.dialects.alink.options import AlinkDevice, AlinkOptions
from gateway.dialects.alink.profile import AlinkProfile
from gateway.dialects.by_name import PointNames
from gateway.dialects.contract import Birth, BirthPoint, DialectSetup
from gateway.dialects.json_text import text
from gateway.dialects.options import made, options_of
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.settings.site_sinks import Secret

DIGITS_MOST = 10**13
"""OneJSON: a message id is a number of at most 13 digits."""
SHORT_ID_SPAN = 2**32
"""help.aliyun.com …/connect-or-disconnect-sub-devices, …/device-properties-events-and-services: ids
from 0 to 4294967295."""
_SHORT_IDS_PER_S = 50


@dataclass(frozen=True, slots=True)
class Name:
    """One device on the platform."""

    product: str
    device: str


@dataclass(frozen=True, slots=True)
class _Known:
    name: Name | None
    """None: nobody said which product it is of."""
    secret: Secret | None
    points: PointNames


class Names:
    """The devices of one sink by both names."""

    def __init__(self, setup: DialectSetup, options: AlinkOptions, profile: AlinkProfile) -> None:
        """Take who we are and what the site says of our devices."""
        self._profile = profile
        self._options = options
        self._by_pattern = setup.sink.devices
        self.own = Name(options.product_key, options.device_name or str(setup.gateway.id))
        self._kinds: dict[DeviceId, str] = {}
        self._known: dict[DeviceId, _Known] = {}
        self._ours: dict[Name, DeviceId] = {}
        self._former: dict[Name, DeviceId] = {}
        self._points: dict[DeviceId, Mapping[str, BirthPoint]] = {}

    def use(self, births: Sequence[Birth]) -> None:
        """Take the devices of the site; those that went keep their names for what still waits."""
        self._kinds.update((birth.device, birth.kind) for birth in births)
        self._points = {birth.device: {p.id: p for p in birth.points} for birth in births}
        self._known.clear()
        self._former.update(self._ours)
        self._ours = {self.own: GATEWAY_ITSELF}
        for birth in births:
            name = self._look(birth.device).name
            if name is not None:
                self._ours.setdefault(name, birth.device)

    def of(self, device: DeviceId) -> Name | None:
        """Return the platform's name of a device; None (`why_none`) when it has none of its own.

        The values of two devices under one name would be taken for those of one.
        """
        if device == GATEWAY_ITSELF:
            return self.own
        name = self._look(device).name
        return None if name is None or self._ours.get(name, device) != device else name

    def secret(self, device: DeviceId) -> Secret | None:
        """Return where the secret of a device is kept."""
        return self._look(device).secret

    def points(self, device: DeviceId) -> PointNames:
        """Return the identifiers of its properties."""
        return self._look(device).points

    def point(self, device: DeviceId, point: str) -> BirthPoint | None:
        """Return what the platform may know of a point."""
        return self._points.get(device, {}).get(point)

    def ours(self, name: Name) -> DeviceId | None:
        """Return our id of a device of the site, None where another one is meant."""
        return self._ours.get(name)

    def listened(self, *, is_wide: bool) -> tuple[Name, ...]:
        """Return whose topics are subscribed to: ours, and all of each product of sub-devices.

        Not those of all products: brokers that many gateways share would send us the commands of
        everybody.
        """
        if not is_wide:
            return (self.own,)
        given = [one.get("product_key") for one in self._by_pattern.values()]
        named = [one for one in given if isinstance(one, str)]
        found = dict.fromkeys((*self._options.products.values(), *named))
        own = () if self.own.product in found else (self.own,)
        return (*own, *(Name(product, "+") for product in found))

    def whose(self, name: Name) -> DeviceId | None:
        """Return the same, also for a device that is on the site no more."""
        return self._ours.get(name) or self._former.get(name)

    def identity(self, name: Name) -> str:
        """Return the inside of a JSON object that names a device."""
        words = self._profile
        return (
            f"{text(words.product_word)}:{text(name.product)},"
            f"{text(words.device_word)}:{text(name.device)}"
        )

    def topic(self, path: str, name: Name | None = None) -> str:
        """Return a topic of a device, of the gateway by default."""
        whose = name or self.own
        return f"{self._profile.prefix}{whose.product}/{whose.device}/{path}"

    def why_none(self, device: DeviceId) -> str:
        """Return why a device has no name."""
        name = self._look(device).name
        if name is not None:
            first = self._ours.get(name)
            theirs = f"{name.product}/{name.device}"
            return f"{theirs} is {first} already: give {device} a `device_name` of its own"
        kind = self._kinds.get(device, "of a device that is gone")
        return f"no product key for {device}: give `products:` one for kind {kind}"

    def _look(self, device: DeviceId) -> _Known:
        known = self._known.get(device)
        if known is None:
            given = made(AlinkDevice, options_of(device, self._by_pattern))
            product = given.product_key or self._options.products.get(self._kinds.get(device, ""))
            name = None if product is None else Name(product, given.device_name or str(device))
            known = self._known[device] = _Known(
                name, given.device_secret, PointNames(given.points)
            )
        return known


class Ids:
    """Numbers for messages that carry no record, or for all: unique for a device and day."""

    def __init__(self) -> None:
        """Begin with none."""
        self._last = -1
        self._last_short = -1

    def number(self, now_ms: int) -> str:
        """Return a number of 13 digits that is greater than the last one."""
        self._last = max(self._last + 1, now_ms % DIGITS_MOST)
        return str(self._last)

    def short(self, now_ms: int) -> str:
        """Return a number below 2**32 that is no other of this day."""
        begun = now_ms * _SHORT_IDS_PER_S // 1000
        self._last_short = max(self._last_short + 1, begun)
        return str(self._last_short % SHORT_ID_SPAN)
