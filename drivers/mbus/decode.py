"""One frame taken apart, for `linli decode` and the samples of profiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drivers.contract import Decoded, NamedValue, Wanted
from drivers.mbus.codec import ANYBODY, LAST_PRIMARY, SELECTED, Frame, find_frames, parse
from drivers.mbus.match import pick
from drivers.mbus.naming import named_values, shown
from drivers.mbus.record import Record
from drivers.mbus.telegram import ERRORS, SELECT, Telegram, read_telegram
from drivers.mbus.unit import MbusUnit, manufacturer_text

_SELECTION_BYTES = 8
_BROADCAST = 0xFF


def decode(octets: bytes, wanted: Sequence[Wanted], request: bytes) -> Decoded:
    """Return one frame taken apart; its C field says itself which way it went.

    Noise before a frame is skipped. With a request, the frame must come from whom it asks.
    """
    try:
        frame = _frame(octets)
    except ValueError as why:
        return Decoded(ok=False, error=str(why), frame={})
    fields = _fields(frame)
    error = _forbidden(frame) or _foreign(frame, request)
    if error is not None:
        return Decoded(ok=False, error=error, frame=fields)
    telegram = read_telegram(frame)
    if telegram is None:
        return Decoded(ok=True, error=None, frame=fields, unit=_unit(frame, None))
    values: tuple[NamedValue, ...] = named_values(telegram.records)
    return Decoded(
        ok=True,
        error=None,
        frame=fields | _telegram_fields(telegram),
        raw=pick((telegram,), wanted),
        values=values,
        unit=_unit(frame, telegram),
    )


def _frame(octets: bytes) -> Frame:
    try:
        return parse(octets)
    except ValueError:
        for found in find_frames(octets):
            if found.end == len(octets):
                return found.frame
        raise


def _forbidden(frame: Frame) -> str | None:
    if frame.a is None or frame.a <= LAST_PRIMARY or frame.a >= SELECTED:
        return None
    return f"address {frame.a:02X} is reserved, slaves have 00 to FA"


def _foreign(frame: Frame, request: bytes) -> str | None:
    """Return why a frame is not the reply to the request that was given."""
    if not request:
        return None
    try:
        asked = parse(request)
    except ValueError as why:
        return f"the request: {why}"
    anybody = {asked.a, SELECTED} if asked.a in {SELECTED, ANYBODY, _BROADCAST} else set[int]()
    if frame.is_ack or asked.a is None or frame.a == asked.a or anybody:
        return None
    return f"unit {frame.a} answers for unit {asked.a}"


def _fields(frame: Frame) -> dict[str, Any]:
    if frame.c is None:
        return {"c": None, "a": None, "ci": None, "ack": True}
    fields: dict[str, Any] = {"c": f"{frame.c:02X}", "a": frame.a, "ci": None}
    if frame.ci is not None:
        fields["ci"] = f"{frame.ci:02X}"
    if (selected := _selected(frame)) is not None:
        return fields | {"id": selected.number} | _identity(selected)
    return fields


def _selected(frame: Frame) -> MbusUnit | None:
    """Return whom a selection is for."""
    if frame.ci is None or frame.ci & ~4 != SELECT or len(frame.body) < _SELECTION_BYTES:
        return None
    parts = (frame.body[:4], frame.body[4:6])
    number, maker = (part[::-1] if not frame.ci & 4 else part for part in parts)
    code = int.from_bytes(maker, "big")
    return MbusUnit(None, number.hex().upper(), code, frame.body[6], frame.body[7])


def _identity(unit: MbusUnit) -> dict[str, Any]:
    is_known = unit.manufacturer != 0xFFFF  # noqa: PLR2004 - any
    maker = manufacturer_text(unit.manufacturer) if is_known else None
    return {"manufacturer": maker, "version": unit.version}


def _telegram_fields(telegram: Telegram) -> dict[str, Any]:
    header = telegram.header
    fields: dict[str, Any] = {}
    if header.unit is not None:
        fields |= {"id": header.unit.number} | _identity(header.unit)
    fields |= {
        "medium": header.medium,
        "access_no": header.access_no,
        "status": header.status,
        "signature": header.signature,
        "records": [_record_fields(record) for record in telegram.records],
        "more_records_follow": telegram.more_follow,
        "broken": telegram.broken,
    }
    if telegram.refusal is not None:
        fields["application_error"] = ERRORS.get(telegram.refusal, f"code {telegram.refusal}")
    if telegram.alarm is not None:
        fields["alarm"] = telegram.alarm
    return fields


def _record_fields(record: Record) -> dict[str, Any]:
    meaning = record.meaning
    fields: dict[str, Any] = {
        "dif_vif": record.header.hex(" ").upper(),
        "quantity": meaning.quantity,
        "value": shown(record),
        "unit": meaning.unit,
        "function": record.function.value,
        "storage": record.storage,
        "tariff": record.tariff,
        "subunit": record.subunit,
    }
    if meaning.qualifiers:
        fields["qualifier"] = " ".join(meaning.qualifiers)
    if record.error is not None:
        fields["error"] = record.error
    return fields


def _unit(frame: Frame, telegram: Telegram | None) -> MbusUnit | None:
    if frame.a is not None and frame.a <= LAST_PRIMARY:
        return MbusUnit(primary=frame.a)
    if telegram is not None and telegram.header.unit is not None:
        return telegram.header.unit
    return _selected(frame)
