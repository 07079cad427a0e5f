"""What several platforms ask in the same way: requests as JSON objects, and services by name.

A platform that knows commands by name offers those of a device (`out_1`, `open`: `Op.CALL`), and
four that every device has: `read`, `set`, `arm`, `event_ack`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from gateway.dialects.by_name import PointNames
from gateway.dialects.strict_json import MAX_BYTES, NotStrictJson, loads
from gateway.model.command import Command, Op
from gateway.model.ids import DeviceId, PointId
from gateway.model.publication import Arrival
from gateway.model.reading import Value

MAX_ID = 128
"""Characters of an id that a platform gives its request."""
MAX_TEXT = 200
MAX_POINTS = 200
MAX_NAME = 64
"""Of a service, a token, an event's id."""
MAX_ARGUMENTS = 8
CLOCKS_DIFFER_MS = 300_000
"""A platform's clock may be so far from ours; what it sent longer ago has waited somewhere."""
TOKEN = "token"  # noqa: S105 - the name of an argument
"""Argument of a dangerous request: what `arm` was answered with."""


class Wrong(Exception):
    """The message is no command; the code is stable, the text for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done with one device."""

    op: Op
    values: tuple[tuple[PointId, Value], ...] = ()
    points: tuple[PointId, ...] = ()
    function: str | None = None
    arguments: tuple[tuple[str, Value], ...] = ()
    token: str | None = None
    event: str | None = None
    same_for_ms: int | None = None
    """As `Command` has it."""

    def command(self, arrival: Arrival, rid: str, device: DeviceId, expires_ms: int) -> Command:
        """Return it as a command."""
        return Command(
            arrival.sink,
            rid,
            self.op,
            device,
            self.values,
            self.points,
            expires_ms,
            function=self.function,
            arguments=self.arguments,
            token=self.token,
            event=self.event,
            same_for_ms=self.same_for_ms,
        )


def end_ms(now_ms: int, sent_ms: int | None, ttl_ms: int) -> int:
    """Return until when a command is good that came now; `sent_ms` is None where nobody says."""
    return ttl_ms + (now_ms if sent_ms is None else min(now_ms, sent_ms + CLOCKS_DIFFER_MS))


def read_service(name: object, given: Mapping[str, Any], names: PointNames) -> Wish:
    """Return what a service means that is called by name with these arguments.

    Raises:
        Wrong: it has no name, or the arguments do not fit.
    """
    plain = dict(given)
    if not is_name(name):
        raise Wrong("unknown_op", "a service must have a name: read, set, arm, event_ack or a call")
    if name == "read":
        return Wish(Op.READ, points=read_points(plain.get("points"), names))
    if name == "arm":
        return Wish(Op.ARM, read_one(plain, names))
    if name == "event_ack":
        return Wish(Op.EVENT_ACK, event=_name_of(plain.get("eid"), "no_eid"))
    shown = plain.pop(TOKEN, None)
    token = None if shown is None else _name_of(shown, "bad_token")
    if name == "set":
        return Wish(Op.SET, read_one(plain, names), token=token)
    if len(plain) > MAX_ARGUMENTS:
        raise Wrong("bad_args", f"at most {MAX_ARGUMENTS} arguments")
    arguments = tuple((key[:MAX_NAME], read_value(value)) for key, value in plain.items())
    function = names.ours(str(name)) or str(name)
    return Wish(Op.CALL, function=function, arguments=arguments, token=token)


def is_name(found: object) -> bool:
    """Whether something is a short plain text."""
    return isinstance(found, str) and 0 < len(found) <= MAX_NAME and found.isprintable()


def _name_of(found: object, code: str) -> str:
    if not isinstance(found, str) or not is_name(found):
        raise Wrong(code, f"it must be a text of 1 to {MAX_NAME} characters")
    return found


def read_object(payload: bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Return the JSON object of a payload.

    Raises:
        Wrong: it is none, or two readers might read it differently.
    """
    try:
        found = loads(payload, max_bytes=max_bytes)
    except NotStrictJson as error:
        raise Wrong("bad_json", str(error)) from error
    if not isinstance(found, dict):
        raise Wrong("bad_json", "not a JSON object")
    return cast("dict[str, Any]", found)


def is_request_id(found: str) -> bool:
    """Whether a text may name a request: it goes into the topic of the reply."""
    is_short = 0 < len(found) <= MAX_ID
    return is_short and found.isprintable() and not set("/+#") & set(found)


def read_one(found: object, names: PointNames) -> tuple[tuple[PointId, Value], ...]:
    """Return the point and value of an object that must hold exactly one.

    Raises:
        Wrong: it does not.
    """
    if not isinstance(found, dict) or len(cast("dict[str, object]", found)) != 1:
        raise Wrong("one_point", "one request sets exactly one point")
    ((name, value),) = cast("dict[str, object]", found).items()
    return ((read_point(name, names), read_value(value)),)


def read_value(found: object) -> Value:
    """Return a value to be set.

    Raises:
        Wrong: it is null, a list or an object, or a text that is too long.
    """
    if not isinstance(found, bool | int | float | str):
        raise Wrong("bad_value", "a value must be a number, a boolean or a text")
    if isinstance(found, str) and len(found) > MAX_TEXT:
        raise Wrong("bad_value", f"a text value has at most {MAX_TEXT} characters")
    return found


def read_points(found: object, names: PointNames) -> tuple[PointId, ...]:
    """Return the points of a list, or of a text with commas; () for nothing, which means all.

    Raises:
        Wrong: something in it is no name of a point.
    """
    if found is None or found == "":
        return ()
    if isinstance(found, str):
        found = [part.strip() for part in found.split(",")]
    if not isinstance(found, list) or len(cast("list[object]", found)) > MAX_POINTS:
        raise Wrong("bad_points", f"points must be a list of at most {MAX_POINTS} names")
    return tuple(read_point(name, names) for name in cast("list[object]", found))


def read_point(found: object, names: PointNames) -> PointId:
    """Return our id of a point.

    Raises:
        Wrong: it cannot be one.
    """
    point = names.ours(found) if isinstance(found, str) else None
    if point is None:
        raise Wrong("bad_points", f"{str(found)[:40]!r} is no name of a point")
    return point
