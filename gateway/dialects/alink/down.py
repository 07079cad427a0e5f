"""What an Alink platform asks: set, get, services, and the same by RRPC. Total: nothing raises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from gateway.dialects.alink.names import Name, Names
from gateway.dialects.alink.profile import AlinkProfile, Downlink
from gateway.dialects.alink.reply import REPLY, SUB, SUB_WORDS, Kind
from gateway.dialects.asked import MAX_ID, Wrong, read_object, read_points, read_value
from gateway.dialects.contract import Now
from gateway.model.command import BadCommand, Command, Op
from gateway.model.ids import DeviceId, PointId
from gateway.model.publication import Arrival
from gateway.model.reading import Value

TOKEN = "token"  # noqa: S105 - the name of an input
"""Input of a service, or member of a set, that carries what an `arm` was answered with."""
READ, ARM = "read", "arm"
"""Services of every device: read points now; ask for the token of a dangerous set."""
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_BOOLS: Mapping[Value, bool] = {0: False, 1: True, "0": False, "1": True}
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_RRPC = "rrpc/request/"


@dataclass(frozen=True, slots=True)
class Asked:
    """A topic of ours on which the platform asks. `detail`: service, id of a RRPC, or `SUB`."""

    kind: Kind
    name: Name
    detail: str = ""
    is_sub: bool = False


@dataclass(frozen=True, slots=True)
class _Request:
    """A command before it is checked: whom, what, and the rid of its reply."""

    kind: Kind
    device: DeviceId
    rid: str
    detail: str
    params: object


class Questions:
    """Reads commands."""

    def __init__(
        self,
        profile: AlinkProfile,
        names: Names,
        *,
        services: Mapping[str, str],
        ttl_ms: int,
    ) -> None:
        """Take the profile, names, our functions by service, and how long a command is good."""
        self._profile = profile
        self._names = names
        self._services = services
        self._ttl_ms = ttl_ms
        self._service = re.compile(re.escape(profile.service).replace(r"\{\}", "([^/]+)"))

    # --- where

    def filters(self, whose: str) -> tuple[str, ...]:
        """Return the topics to listen to for commands, below `{product}/{device}` or `…/+`."""
        profile = self._profile
        base = f"{profile.prefix}{whose}/"
        paths = [profile.set, profile.service.format("+")]
        paths += [profile.get] if profile.get is not None else []
        paths += [f"{_RRPC}+"] if profile.has_ext else []
        if profile.downlink is Downlink.SUB_TOPIC:
            paths += [f"thing/sub/{word}" for word in SUB_WORDS]
        return tuple(base + path for path in paths)

    def asked(self, topic: str) -> Asked | None:
        """Return what is asked on a topic; None when it is no topic of commands."""
        parts = topic.removeprefix(self._profile.prefix).split("/", 2)
        if not topic.startswith(self._profile.prefix) or len(parts) != 3:  # noqa: PLR2004 - as said
            return None
        name, path = Name(parts[0], parts[1]), parts[2]
        sub = path.removeprefix("thing/sub/")
        if path == self._profile.set:
            return Asked(Kind.SET, name)
        if path == self._profile.get:
            return Asked(Kind.GET, name)
        if self._profile.downlink is Downlink.SUB_TOPIC and sub in SUB_WORDS:
            kind = SUB_WORDS[sub]
            return Asked(kind, name, "" if kind is Kind.CALL else SUB, is_sub=True)
        return self._service_or_rrpc(name, path)

    def _service_or_rrpc(self, name: Name, path: str) -> Asked | None:
        if path.startswith(_RRPC):
            return Asked(Kind.RRPC, name, path.removeprefix(_RRPC))
        found = self._service.fullmatch(path)
        if found is None or path.endswith(REPLY):
            return None
        return Asked(Kind.CALL, name, found[1] if found.groups() else "")

    # --- what

    def command(self, arrival: Arrival, asked: Asked, now: Now) -> Command | BadCommand | None:
        """Return the command in a message; None when it is for a device that is not ours."""
        own = self._names.ours(asked.name)
        if own is None:
            return None
        rid: str | None = None
        device = own
        try:
            fields = read_object(arrival.payload)
            rid = _rid(asked.kind, asked.detail, device, fields)
            request = self._request(asked, fields, device)
            rid, device = request.rid, request.device
            return self._understood(arrival, request, now)
        except Wrong as error:
            return BadCommand(arrival.sink, rid, device, error.code, str(error))

    def _request(self, asked: Asked, fields: dict[str, Any], own: DeviceId) -> _Request:
        """Return whom and what a message means; the platforms hide it in different places."""
        params: object = fields.get("params")
        kind, detail, device = asked.kind, asked.detail, own
        if kind is Kind.RRPC:
            kind, service = self._of_method(fields.get("method"))
            detail = asked.detail
        else:
            service = detail
        if asked.is_sub:
            inside = _mapping(params)
            device = self._sub(inside)
            params = inside.get("input" if kind is Kind.CALL else "params")
            if kind is Kind.CALL:
                service = detail = str(inside.get("identifier", ""))
        elif self._profile.downlink is Downlink.IDENTITY and "identity" in fields:
            device = self._sub(_mapping(fields["identity"]))
        elif kind is Kind.CALL and "{}" not in self._profile.service:
            inside = _mapping(params)
            params, service = inside.get("inputParams"), str(inside.get("identifier", ""))
            detail = service
        _check_identifier(kind, service)
        rid = _rid(asked.kind, detail, device, fields)
        return _Request(kind, device, rid, service, params)

    def _of_method(self, method: object) -> tuple[Kind, str]:
        """Return what a synchronous call (RRPC) asks for, by its method."""
        path = str(method).replace(".", "/")
        if path == self._profile.set:
            return Kind.SET, ""
        found = self._service.fullmatch(path)
        if found is None or not found.groups():
            raise Wrong("bad_json", f"unknown method {str(method)[:64]!r}")
        return Kind.CALL, found[1]

    def _sub(self, inside: Mapping[str, Any]) -> DeviceId:
        words = self._profile
        name = Name(str(inside.get(words.product_word)), str(inside.get(words.device_word)))
        device = self._names.ours(name)
        if device is None:
            raise Wrong("no_device", f"there is no device {name.product}/{name.device} here")
        return device

    def _understood(self, arrival: Arrival, request: _Request, now: Now) -> Command:
        blank = Command(
            arrival.sink,
            request.rid,
            Op.READ,
            request.device,
            (),
            (),
            now.ms + self._ttl_ms,
        )
        if request.kind is Kind.GET:
            return replace(blank, points=self._points(request))
        params = dict(_mapping(request.params))
        token = params.pop(TOKEN, None)
        if token is not None and not isinstance(token, str):
            raise Wrong("bad_args", "`token` must be a text")
        if request.kind is Kind.SET:
            return replace(blank, op=Op.SET, values=self._values(request, params), token=token)
        if request.detail == READ:
            points = read_points(params.get("points"), self._names.points(request.device))
            return replace(blank, points=points)
        if request.detail == ARM:
            return replace(blank, op=Op.ARM, values=self._values(request, params))
        function = self._services.get(request.detail, request.detail)
        arguments = tuple((key, read_value(value)) for key, value in params.items())
        return replace(blank, op=Op.CALL, function=function, arguments=arguments, token=token)

    def _points(self, request: _Request) -> tuple[PointId, ...]:
        return read_points(request.params, self._names.points(request.device))

    def _values(
        self, request: _Request, params: Mapping[str, Any]
    ) -> tuple[tuple[PointId, Value], ...]:
        if len(params) != 1:
            raise Wrong("one_point", "one request sets exactly one property")
        ((identifier, given),) = params.items()
        point = self._names.points(request.device).ours(identifier)
        if point is None:
            raise Wrong("bad_points", f"{identifier[:40]!r} is no identifier of a property")
        known = self._names.point(request.device, point)
        value = read_value(given)
        return ((point, value if known is None else _as_type(value, known.type)),)


def _rid(kind: Kind, detail: str, device: DeviceId, fields: Mapping[str, Any]) -> str:
    """Return the rid; `id` is a text by the book, but clones send numbers too."""
    found: object = fields.get("id")
    id_ = str(found) if isinstance(found, int) and not isinstance(found, bool) else found
    if not isinstance(id_, str) or not 0 < len(id_) <= MAX_ID or not id_.isprintable():
        raise Wrong("no_rid", f"`id` must be a text of 1 to {MAX_ID} characters")
    if detail and _IDENTIFIER.fullmatch(detail) is None:
        raise Wrong("no_rid", f"{detail[:40]!r} can be no name of a service")
    return f"{kind}:{detail}:{device}:{id_}"


def _check_identifier(kind: Kind, identifier: str) -> None:
    if kind is Kind.CALL and _IDENTIFIER.fullmatch(identifier) is None:
        raise Wrong("no_rid", f"{identifier[:40]!r} can be no name of a service")


def _mapping(found: object) -> Mapping[str, Any]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Wrong("bad_json", "params must be an object")
    return cast("dict[str, Any]", found)


def _as_type(value: Value, kind: str) -> Value:
    """Return a value in the type of its point: platforms send 0 and 1, and numbers as texts."""
    if kind == "bool":
        return _BOOLS.get(value, value)
    if kind not in {"int", "float"} or not isinstance(value, str):
        return value
    found = _NUMBER.fullmatch(value)
    if found is None:  # NaN and Infinity too: a text stays one, and is refused as such
        return value
    return float(value) if found[1] else int(value)
