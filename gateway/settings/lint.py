"""What is wrong with a site though each part of it is right: clashes, and what will disappoint.

The load of lines is not judged here: the planner of the bus knows it, and makes its problems with
`make_problem("LG-PLAN-01", device.where, …)`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

from drivers import registry
from gateway.model.link import SerialPort
from gateway.settings.buses import PlacedLine, check_lines, setting_of
from gateway.settings.devices import PlacedDevice
from gateway.settings.problems import Problems

UNIT_LOADS = 32
"""What an RS-485 driver must drive (TIA/EIA-485-A)."""


def lint(
    lines: Mapping[str, PlacedLine], devices: Sequence[PlacedDevice], problems: Problems
) -> None:
    """Report everything that only shows between parts of a site."""
    check_lines(lines.values(), problems)
    check_speech(devices, lines, problems)
    check_addresses(devices, problems)
    check_profiles(devices, lines, problems)
    check_unit_loads(devices, lines, problems)


def check_speech(
    devices: Iterable[PlacedDevice], lines: Mapping[str, PlacedLine], problems: Problems
) -> None:
    """Report devices whose protocol, or whose line's, leaves no place for another one."""
    for placed in devices:
        shared, own = lines[placed.device.line].line.protocol, placed.device.protocol
        if own == shared:
            continue
        place, device = placed.draft.at("bus"), str(placed.device.id)
        if _is_dialogue(shared):
            facts = {"protocol": shared, "device": device}
            problems.add("LG-BUS-14", place.where, place.text, **facts)
        elif _is_dialogue(own):
            facts = {"protocol": own, "device": device, "bus": str(placed.device.line)}
            problems.add("LG-BUS-15", place.where, place.text, **facts)


def _is_dialogue(protocol: str) -> bool:
    return protocol in registry.driver_of_protocol(protocol).sessions


def check_addresses(devices: Iterable[PlacedDevice], problems: Problems) -> None:
    """Report devices that are the same part of the same unit on one bus."""
    taken: dict[Hashable, PlacedDevice] = {}
    for placed in devices:
        device, variables = placed.device, tuple(sorted(placed.variables.items()))
        key = (device.line, device.unit, device.profile, variables)
        other = taken.setdefault(key, placed)
        if other is not placed:
            place = placed.draft.at("address")
            problems.add(
                "LG-DEV-02",
                place.where,
                place.text,
                address=device.address_text,
                bus=str(device.line),
                other=str(other.device.id),
                line=other.device.where.line,
            )


def check_profiles(
    devices: Iterable[PlacedDevice], lines: Mapping[str, PlacedLine], problems: Problems
) -> None:
    """Report parities that differ from what a profile's source states, and unverified profiles."""
    for placed in devices:
        profile = placed.profile
        place = placed.draft.at("profile")
        if not profile.entry.verified:
            what = profile.entry.unverified or ""
            facts = {"profile": profile.id, "what": what[:200]}
            problems.add("LG-DEV-16", place.where, place.text, **facts)
        link, own = lines[placed.device.line].line.link, profile.entry.line
        if not isinstance(link, SerialPort) or own is None or own.basis != "source":
            continue
        if link.parity not in {setting.parity for setting in (own.setting, *own.also)}:
            line = setting_of(link)
            facts = {"line": line, "profile": profile.id, "setting": str(own.setting)}
            problems.add("LG-BUS-09", place.where, place.text, **facts)


def check_unit_loads(
    devices: Iterable[PlacedDevice], lines: Mapping[str, PlacedLine], problems: Problems
) -> None:
    """Report serial lines with more devices than a driver must drive."""
    units: dict[str, set[Hashable]] = {}
    for placed in devices:
        units.setdefault(placed.device.line, set()).add(placed.device.unit)
    for name, addresses in units.items():
        placed_line = lines[name]
        if isinstance(placed_line.line.link, SerialPort) and len(addresses) > UNIT_LOADS:
            spot = placed_line.spot
            problems.add("LG-BUS-08", spot.where, spot.text, count=len(addresses))
