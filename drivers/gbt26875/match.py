"""Which reports are a point's, and what the point is of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from drivers.contract import Address, Quirks, Raw
from drivers.gbt26875.address import Field, Gbt26875Address, Gbt26875Quirks
from drivers.gbt26875.clock import ClockForm, read_clock
from drivers.gbt26875.objects import Object, Report

_BAD = frozenset(
    {
        "alarm",
        "fault",
        "blocked",
        "supervised",
        "mains_fault",
        "backup_fault",
        "bus_fault",
        "link_fault",
        "line_fault",
    }
)
"""Bits that make a component, system or transmitter not normal; `normal` itself is not always set
together with an alarm, so it says nothing."""
_OF_WHOEVER = frozenset({Field.EVENT, Field.TEXT, Field.TIME})
"""What may be of whichever component spoke last: each is a statement about one report."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How clocks are read: in which form, and near which local time."""

    form: ClockForm = ClockForm.AUTO
    near: datetime | None = None


def is_of(address: Gbt26875Address, report: Report) -> bool:
    """Whether a report is about what the point names; keys left out match anything."""
    wanted = (
        address.object,
        address.system_type,
        address.system_address,
        address.component_type,
        address.component_octets,
        address.kind_number,
    )
    said = (
        report.object,
        report.system_type,
        report.system_address,
        report.component_type,
        report.component,
        report.kind,
    )
    return all(want in {None, have} for want, have in zip(wanted, said, strict=True))


def needs_component(address: Gbt26875Address) -> bool:
    """Whether the point has a meaning for one component only.

    A bit that is read from whichever component spoke last would clear the alarm of one by the
    normal report of another.
    """
    is_placed = address.object in {Object.COMPONENT, Object.ANALOGUE}
    return is_placed and address.component is None and address.field not in _OF_WHOEVER


def raw_of(address: Gbt26875Address, report: Report, reading: Reading) -> Raw | None:
    """Return what the point is of a report that is its own."""
    if address.field in _WAYS:
        return _WAYS[address.field](report)
    if address.field is Field.TIME:
        moment = read_clock(report.clock, reading.form, reading.near)
        return None if moment is None else moment.isoformat()
    return str(address.field) in report.bits


def is_abnormal(report: Report) -> bool:
    """Whether an alarm or a fault of any kind is set."""
    return not _BAD.isdisjoint(report.bits)


def address_of(address: Address) -> Gbt26875Address:
    """Return a point's address as this driver's own."""
    if not isinstance(address, Gbt26875Address):
        raise TypeError(f"{type(address).__name__} is not an address of GB/T 26875.3")
    return address


def quirks_of(quirks: Quirks) -> Gbt26875Quirks:
    """Return a device's quirks as this driver's own."""
    if not isinstance(quirks, Gbt26875Quirks):
        raise TypeError(f"{type(quirks).__name__} is not the quirks of GB/T 26875.3")
    return quirks


def summary(report: Report) -> str:
    """Return a report in one line: object, place, state, text. Never who operated it."""
    system = "" if report.system_type is None else f"{report.system_type}.{report.system_address}"
    component = "" if report.component is None else report.component.hex()
    place = "/".join(part for part in (system, component) if part)
    state = "+".join(report.bits) or ("" if report.word is None else str(report.word))
    if report.object is Object.ANALOGUE:
        state = str(report.value if report.value is not None else report.word)
    return " ".join(part for part in (report.object, place, state, report.text) if part)


_WAYS: Mapping[Field, Callable[[Report], Raw | None]] = {
    Field.STATE: lambda report: report.word,
    Field.ABNORMAL: is_abnormal,
    Field.TEXT: lambda report: report.text,
    Field.VALUE: lambda report: report.value,
    Field.OPERATOR: lambda report: report.operator,
    Field.EVENT: summary,
}
