"""What a platform says on `dn/`: commands, acknowledgements, letters. Total: nothing raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

from gateway.dialects.contract import Ranges, Received, SeqRange, not_obeyed
from gateway.dialects.native.remote import read_letter
from gateway.dialects.strict_json import NotStrictJson, loads
from gateway.model.command import BadCommand, Command, Op
from gateway.model.ids import DeviceId, PointId, is_id
from gateway.model.publication import Arrival
from gateway.model.reading import Value

VERSION = "1"
"""Of `v`, where it is said, what stands before the dot: another one may mean something else."""
MAX_RID = 64
MAX_TEXT = 200
MAX_POINTS = 200
MAX_RANGES = 1000
MAX_TOKEN = 64
MAX_ARGUMENTS = 8
_COMMON_KEYS = frozenset({"v", "rid", "op", "exp", "by", "why", "dry"})
_KEYS: dict[Op, frozenset[str]] = {
    Op.SET: _COMMON_KEYS | {"p", "token"},
    Op.CALL: _COMMON_KEYS | {"fn", "args", "token"},
    Op.READ: _COMMON_KEYS | {"p"},
    Op.ARM: _COMMON_KEYS | {"p"},
    Op.EVENT_ACK: _COMMON_KEYS | {"eid"},
}
_OPS = tuple(op.value for op in Op)
_Json: TypeAlias = dict[str, Any]


class _Wrong(Exception):
    """The message is no command; the code is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_message(arrival: Arrival, prefix: str) -> Received:
    """Return what a message below `prefix` (`…/dn/`) means."""
    kind, _, device = arrival.topic.removeprefix(prefix).partition("/")
    reader = _READERS.get(kind)
    if not arrival.topic.startswith(prefix) or not (device == "_" or is_id(device)):
        return not_obeyed(arrival, "not a topic of ours")
    if arrival.is_retained:
        return not_obeyed(arrival, "retained: it may be from any time")
    if reader is None:
        return not_obeyed(arrival, f"class {kind[:32]!r} is not supported")
    return reader(arrival, DeviceId(device))


def _object(arrival: Arrival) -> _Json:
    value = loads(arrival.payload)
    if not isinstance(value, dict):
        raise NotStrictJson("not a JSON object")
    return cast("_Json", value)


# --- commands


def _command(arrival: Arrival, device: DeviceId) -> Received:
    return Received(commands=(_read_command(arrival, device),))


def _read_command(arrival: Arrival, device: DeviceId) -> Command | BadCommand:
    rid: str | None = None
    try:
        fields = _object(arrival)
        rid = _rid(fields)
        return _checked(arrival, device, rid, fields)
    except NotStrictJson as error:
        return BadCommand(arrival.sink, rid, device, "bad_json", str(error))
    except _Wrong as error:
        return BadCommand(arrival.sink, rid, device, error.code, str(error))


def _rid(fields: _Json) -> str:
    rid = fields.get("rid")
    if not isinstance(rid, str) or not 0 < len(rid) <= MAX_RID or not rid.isprintable():
        raise _Wrong("no_rid", f"`rid` must be a text of 1 to {MAX_RID} characters")
    return rid


def _checked(arrival: Arrival, device: DeviceId, rid: str, fields: _Json) -> Command:
    _check_version(fields)
    op = _op(fields.get("op"))
    unknown = sorted(fields.keys() - _KEYS[op])
    if unknown:
        raise _Wrong("unknown_key", f"unknown key {unknown[0][:32]!r}")
    points = fields.get("p")
    return Command(
        arrival.sink,
        rid,
        op,
        device,
        _values(points) if op in {Op.SET, Op.ARM} else (),
        _points(points) if op is Op.READ else (),
        _expiry(fields.get("exp")),
        _text(fields, "by"),
        _text(fields, "why"),
        function=_needed(fields, "fn") if op is Op.CALL else None,
        arguments=_arguments(fields.get("args")),
        token=_token(fields),
        event=_needed(fields, "eid") if op is Op.EVENT_ACK else None,
        is_dry=_flag(fields, "dry"),
    )


def _check_version(fields: _Json) -> None:
    said = fields.get("v", VERSION)
    if not isinstance(said, str) or said.partition(".")[0] != VERSION:
        raise _Wrong("bad_version", f"`v` must be that of version {VERSION} of this standard")


def _op(found: object) -> Op:
    if not isinstance(found, str) or found not in _OPS:
        raise _Wrong("unknown_op", f"`op` must be one of {', '.join(_OPS)}")
    return Op(found)


def _values(found: object) -> tuple[tuple[PointId, Value], ...]:
    if not isinstance(found, dict) or len(cast("_Json", found)) != 1:
        raise _Wrong("bad_points", "`p` must be an object with exactly one point")
    ((point, value),) = cast("_Json", found).items()
    return ((_point_id(point), _value(value)),)


def _arguments(found: object) -> tuple[tuple[str, Value], ...]:
    if found is None:
        return ()
    if not isinstance(found, dict) or len(cast("_Json", found)) > MAX_ARGUMENTS:
        text = f"`args` must be an object of at most {MAX_ARGUMENTS} values"
        raise _Wrong("bad_args", text)
    return tuple((name[:MAX_RID], _value(value)) for name, value in cast("_Json", found).items())


def _value(value: object) -> Value:
    if not isinstance(value, bool | int | float | str):
        raise _Wrong("bad_value", "a value must be a number, a boolean or a text")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise _Wrong("bad_value", f"a text value has at most {MAX_TEXT} characters")
    return value


def _points(found: object) -> tuple[PointId, ...]:
    if found is None:
        return ()
    if not isinstance(found, list) or len(cast("list[object]", found)) > MAX_POINTS:
        raise _Wrong("bad_points", f"`p` of a read must be a list of at most {MAX_POINTS} points")
    return tuple(_point_id(point) for point in cast("list[object]", found))


def _point_id(found: object) -> PointId:
    if not isinstance(found, str) or not is_id(found):
        raise _Wrong("bad_points", f"{str(found)[:40]!r} is no point id")
    return PointId(found)


def _expiry(found: object) -> int | None:
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise _Wrong("bad_expiry", "`exp` must be UTC milliseconds, an integer")
    return found


def _text(fields: _Json, key: str) -> str | None:
    found = fields.get(key)
    if found is None:
        return None
    if not isinstance(found, str) or len(found) > MAX_TEXT:
        raise _Wrong("bad_text", f"`{key}` must be a text of at most {MAX_TEXT} characters")
    return found


def _needed(fields: _Json, key: str) -> str:
    found = _text(fields, key)
    if not found or len(found) > MAX_RID or not found.isprintable():
        raise _Wrong(f"no_{key}", f"`{key}` must be a text of 1 to {MAX_RID} characters")
    return found


def _token(fields: _Json) -> str | None:
    found = _text(fields, "token")
    if found is not None and (len(found) > MAX_TOKEN or not found.isascii()):
        raise _Wrong("bad_token", "`token` must be the text that `arm` was answered with")
    return found


def _flag(fields: _Json, key: str) -> bool:
    found = fields.get(key, False)
    if not isinstance(found, bool):
        raise _Wrong("bad_flag", f"`{key}` must be true or false")
    return found


# --- acknowledgements


def _acknowledgement(arrival: Arrival, _device: DeviceId) -> Received:
    """`{"ep", "ranges": [[first, last], …]}` confirms, `"resend": […]` asks for more."""
    try:
        fields = _object(arrival)
        _check_version(fields)
        ep = _count(fields, "ep")
        done, wanted = _ranges(fields, "ranges"), _ranges(fields, "resend")
    except (NotStrictJson, _Wrong) as error:
        return not_obeyed(arrival, str(error))
    return Received(
        acknowledged=(Ranges(ep, done),) if done else (),
        wanted=(Ranges(ep, wanted),) if wanted else (),
    )


def _ranges(fields: _Json, key: str) -> tuple[SeqRange, ...]:
    found = fields.get(key, [])
    if not isinstance(found, list) or len(cast("list[object]", found)) > MAX_RANGES:
        raise NotStrictJson(f"`{key}` must be a list of at most {MAX_RANGES} ranges")
    return tuple(_range(one, key) for one in cast("list[object]", found))


def _range(found: object, key: str) -> SeqRange:
    ends = cast("list[object]", found) if isinstance(found, list) else []
    match ends:
        case [int(first), int(last)] if _is_count(first) and _is_count(last) and first <= last:
            return SeqRange(first, last)
        case _:
            raise NotStrictJson(f"`{key}` must hold pairs [first, last] of integers")


def _is_count(found: object) -> bool:
    return isinstance(found, int) and not isinstance(found, bool) and found >= 0


def _count(fields: _Json, key: str) -> int:
    found = fields.get(key)
    if not _is_count(found):
        raise NotStrictJson(f"`{key}` must be an integer from 0")
    return cast("int", found)


_READERS: dict[str, Callable[[Arrival, DeviceId], Received]] = {
    "cmd": _command,
    "ack": _acknowledgement,
    "cfg": read_letter,
}
"""By class. The platform's time is heard by `native_remote.TimeExchange`, which asks for it."""
