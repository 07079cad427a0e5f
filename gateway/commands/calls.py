"""`op: call`: which point a function is, and which value its arguments mean."""

from __future__ import annotations

from gateway.model.command import Command, CommandRefused
from gateway.model.ids import PointId
from gateway.model.reading import Value
from gateway.settings.site import Device, Point, ValueType

VALUE = "value"
"""The one argument that a function may have."""


def written_by(device: Device, command: Command) -> tuple[PointId, Value]:
    """Return the point and the value that a call means.

    `fn` is the id of a point that the kind of the device calls a command; `args` is
    `{"value": …}`, or nothing where the profile allows one value only. Or `fn` is a word that
    exactly one such point takes, such as `open`, and `args` is nothing.

    Raises:
        CommandRefused: no command of this device is called so, or the arguments do not fit.
    """
    name, arguments = command.function or "", dict(command.arguments)
    commands = [point for point in device.points if point.is_command]
    named = next((point for point in commands if point.id == name), None)
    if named is not None:
        return named.id, _value(named, arguments)
    takers = [point for point in commands if name in _words(point)]
    if len(takers) != 1:
        raise CommandRefused("no_function", f"{device.id} has no command {name!r}")
    if arguments:
        raise CommandRefused("bad_args", f"{name!r} takes no arguments")
    return takers[0].id, name


def _value(point: Point, arguments: dict[str, Value]) -> Value:
    if arguments.keys() == {VALUE}:
        return arguments[VALUE]
    allowed = () if point.write is None else point.write.allowed
    if not arguments and len(allowed) == 1:
        return allowed[0]
    raise CommandRefused("bad_args", f"{point.id} takes one argument, `value`")


def _words(point: Point) -> frozenset[Value]:
    """The names of an enumeration that may be written."""
    if point.type is not ValueType.ENUM or point.write is None:
        return frozenset()
    return frozenset(point.write.allowed or point.enum.values())
