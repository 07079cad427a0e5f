"""GB/T 26875.3-2011: what the gateway asks of the protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drivers.contract import (
    Decoded,
    Moment,
    NamedValue,
    Quirks,
    Raw,
    Session,
    SessionDevice,
    Wanted,
    WireSettings,
)
from drivers.gbt26875.clock import ClockForm, read_clock
from drivers.gbt26875.codec import Damaged, Frame, read
from drivers.gbt26875.match import Reading, address_of, is_abnormal, is_of, raw_of
from drivers.gbt26875.objects import SCALES, Object, Report, operator_spans, read_reports
from drivers.gbt26875.session import Gbt26875Session
from drivers.gbt26875.units import Place, parse_place

_POINTS = {
    "count": "count",
    "height": "level",
    "temperature": "temp",
    "pressure_mpa": "press",
    "pressure_kpa": "press",
    "gas": "lel",
    "time": "duration",
    "voltage": "u",
    "current": "i",
    "flow": "flow",
    "air_flow": "air_flow",
    "air_speed": "air_speed",
}


class Gbt26875Driver:
    """See `drivers.contract.SessionDriver`."""

    @property
    def wire(self) -> WireSettings:
        """Streams and datagrams: nothing between frames."""
        return WireSettings()

    def parse_unit(self, address: object) -> str:
        """Return the unit key of a transmitter or of a component behind it.

        Raises:
            ValueError: with what is wrong and what to write.
        """
        return parse_place(address).text

    def silent_after_s(self, quirks: Quirks) -> None:  # noqa: ARG002 - SessionDriver
        """Return None: a transmitter holds its connection, and is supervised in its session."""
        return

    def decode(
        self, frame: bytes, direction: str, wanted: Sequence[Wanted] = (), request: bytes = b""
    ) -> Decoded:
        """Take one frame in the standard's framing apart; both directions look alike."""
        del direction, request
        try:
            one = read(frame)
        except ValueError as why:
            return Decoded(ok=False, error=str(why), frame={})
        fields = _header(one.frame if isinstance(one, Damaged) else one)
        if isinstance(one, Damaged):
            error = f"sum {frame[-3]:02X} is wrong, {one.expected:02X} would be right"
            return Decoded(ok=False, error=error, frame=fields)
        try:
            reports = read_reports(one.application)
        except ValueError as why:
            return Decoded(ok=False, error=str(why), frame=fields)
        return Decoded(
            ok=True,
            error=None,
            frame={**fields, **_listed(reports)},
            raw=_raw(wanted, reports),
            spans_secret=tuple(operator_spans(one.application)),
            values=tuple(_values(reports)),
            unit=Place(one.source).text,
        )

    def start(self, devices: Sequence[SessionDevice], now: Moment) -> Session:
        """Return the session of a new connection."""
        return Gbt26875Session(devices, now)


def _header(frame: Frame) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "serial": frame.serial,
        "version": f"{frame.main_version}.{frame.user_version}",
        "time_ss_mm_hh_DD_MM_YY": frame.clock.hex(" "),
        "time": _time(frame.clock),
        "source": frame.source.hex(),
        "target": frame.target.hex(),
        "app_length": len(frame.application),
        "command": frame.command,
    }
    if len(frame.application) > 1:
        fields |= {"app_type": frame.application[0], "objects": frame.application[1]}
    return fields


def _listed(reports: Sequence[Report]) -> Mapping[str, Any]:
    """Return the fields of the first report at the top, and all of them where there are more."""
    items = [_item(report) for report in reports]
    if not items:
        return {}
    return items[0] if len(items) == 1 else {**items[0], "items": items}


def _item(report: Report) -> dict[str, Any]:
    named = {
        "object": str(report.object),
        "system_type": report.system_type,
        "system_address": report.system_address,
        "component_type": report.component_type,
        "component_address": None if report.component is None else report.component.hex(),
        "analogue_type": report.kind,
        "analogue_value": report.value,
        "state_bits": report.word,
        "state": list(report.bits) or None,
        "text_gb18030": report.text,
        "operator": None if report.operator is None else "hidden",
        "object_time": _time(report.clock),
    }
    return {name: said for name, said in named.items() if said is not None}


def _time(clock: bytes) -> str | None:
    moment = read_clock(clock, ClockForm.AUTO)
    return None if moment is None else moment.isoformat()


def _raw(wanted: Sequence[Wanted], reports: Sequence[Report]) -> Mapping[int, Raw | None]:
    raw: dict[int, Raw | None] = {}
    for report in reports:
        for want in wanted:
            address = address_of(want.address)
            if is_of(address, report):
                raw[want.key] = raw_of(address, report, Reading())
    return raw


def _values(reports: Sequence[Report]) -> Iterator[NamedValue]:
    for report in reports:
        scale = SCALES.get(report.kind or 0)
        if scale is not None:
            yield NamedValue(_POINTS[scale.name], report.value, scale.unit)
        elif report.object in {Object.COMPONENT, Object.SYSTEM, Object.DEVICE}:
            yield NamedValue("active", is_abnormal(report))
            yield NamedValue("state_word", report.word)
