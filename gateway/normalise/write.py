"""Values back to raw ones, for writes: the inverse of `convert`, refusing what is not exact."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from gateway.model.command import CommandRefused
from gateway.model.reading import Value
from gateway.model.sample import Raw
from gateway.settings.site import Point, ValueType, WriteRule


def to_raw(point: Point, value: Value) -> Raw:
    """Return the raw value that means `value` for this point.

    Raises:
        CommandRefused: the point cannot be written, or the value is of the wrong type, outside
            the range that the profile allows, or falls between two steps of the register.
    """
    rule = point.write
    if rule is None:
        raise CommandRefused("read_only", f"{point.id} cannot be written")
    _check_allowed(point, rule, value)
    raw = _by_type(point, value)
    return raw | rule.raw_or if isinstance(raw, int) and rule.raw_or else raw


def _by_type(point: Point, value: Value) -> Raw:
    match point.type:
        case ValueType.BOOL:
            if not isinstance(value, bool):
                raise _wrong_type(point, value, "true or false")
            return value != point.is_inverted
        case ValueType.ENUM:
            return _raw_of_name(point, value)
        case ValueType.TEXT:
            if not isinstance(value, str):
                raise _wrong_type(point, value, "a text")
            return value
        case ValueType.INT | ValueType.FLOAT:
            return _unscaled(point, value)


def _raw_of_name(point: Point, value: Value) -> Raw:
    for raw, name in point.enum.items():
        if name == value:
            return raw
    raise _wrong_type(point, value, f"one of {', '.join(point.enum.values())}")


def _unscaled(point: Point, value: Value) -> Raw:
    if isinstance(value, bool | str):
        raise _wrong_type(point, value, "a number")
    try:
        exact = (Decimal(repr(value)) - point.offset) / point.scale
    except InvalidOperation as exc:
        raise _wrong_type(point, value, "a finite number") from exc
    if not exact.is_finite():
        raise _wrong_type(point, value, "a finite number")
    if exact == exact.to_integral_value():
        return int(exact)
    return float(exact)


def _check_allowed(point: Point, rule: WriteRule, value: Value) -> None:
    if rule.allowed and value not in rule.allowed:
        raise CommandRefused("range", f"{point.id} may only be one of {list(rule.allowed)}")
    if isinstance(value, bool | str):
        return
    if rule.minimum is not None and value < rule.minimum:
        raise CommandRefused("range", f"{point.id} {value} is below {rule.minimum}")
    if rule.maximum is not None and value > rule.maximum:
        raise CommandRefused("range", f"{point.id} {value} is above {rule.maximum}")


def _wrong_type(point: Point, value: Value, wanted: str) -> CommandRefused:
    return CommandRefused("type", f"{point.id} takes {wanted}, not {value!r}")
