"""One frame taken apart, for `linli decode` and for the samples of profiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from drivers.contract import Decoded, NamedValue, Raw, Wanted
from drivers.declared.address import declared_address
from drivers.declared.declaration import AnyTemplate, Declaration
from drivers.declared.points import Message, is_of, raw_of, written_of
from drivers.declared.search import KEPT, Found, frames, nearest, says
from drivers.declared.template import Mismatch

_POINTS: Mapping[str, Mapping[str, str]] = {
    "sunpn-led": {"count": "count"},
    "uhppote": {"event_index": "event_no", "error": "error_code", "reason": "reason_code"},
}
"""Fields of known frames that are points of a kind as they are."""


def decode(
    declarations: Sequence[Declaration],
    frame: bytes,
    direction: str,
    *,
    wanted: Sequence[Wanted],
    request: bytes,
) -> Decoded:
    """Return one frame taken apart; noise before it is skipped, none may follow it.

    The framings of the wanted points are tried first, then `declarations`.
    """
    mine = tuple(dict.fromkeys(declared_address(want.address).declaration for want in wanted))
    every = tuple(dict.fromkeys((*mine, *declarations)))
    worst = Mismatch("no frame is declared", -2)
    for declaration in every:
        for way in ("response", "request") if direction == "auto" else (direction,):
            templates = _templates(declaration, way)
            found = _last(frame[-KEPT:], templates)
            if found is not None:
                return _decoded(
                    declaration, found, (way, len(frame)), wanted=wanted, request=request
                )
            why = nearest(frame[-KEPT:], templates)
            worst = why if why.depth > worst.depth else worst
    return Decoded(ok=False, error=_error(frame, worst, every), frame={})


def _error(frame: bytes, why: Mismatch, declarations: Sequence[Declaration]) -> str:
    if why.depth > 0:
        return str(why)
    tried = ", ".join(declaration.name for declaration in declarations)
    begin = frame[:4].hex(" ").upper() or "no byte"
    return f"{begin}: no frame of {tried} begins so; name a profile or another declared frame"


def _templates(declaration: Declaration, way: str) -> Mapping[str, AnyTemplate]:
    if way == "request":
        return declaration.requests
    refusals = {f"{name} (refused)": t for name, t in declaration.refusals.items()}
    return {**declaration.replies, **refusals}


def _last(frame: bytes, templates: Mapping[str, AnyTemplate]) -> Found | None:
    """Return the longest frame that ends where the bytes end."""
    return next((one for one in frames(frame, len(frame) - 1, templates)), None)


def _decoded(
    declaration: Declaration,
    found: Found,
    said: tuple[str, int],
    *,
    wanted: Sequence[Wanted],
    request: bytes,
) -> Decoded:
    way, size = said
    message = Message(declaration, found.name, found.octets, found.fields)
    shown = _shown(declaration, found)
    if way == "response" and (error := _foreign(declaration, found, request)):
        return Decoded(ok=False, error=error, frame=shown)
    offset = size - len(found.octets)
    spans = found.template.secret_spans(found.octets)
    return Decoded(
        ok=True,
        error=None,
        frame=shown,
        raw=dict(_raw(message, way, wanted)),
        spans_secret=tuple(slice(s.start + offset, s.stop + offset) for s in spans),
        values=_values(declaration, found),
        unit=declaration.unit_of(found.fields),
    )


def _raw(message: Message, way: str, wanted: Sequence[Wanted]) -> Iterable[tuple[int, Raw | None]]:
    for want in wanted:
        address = declared_address(want.address)
        if way == "request":
            written = written_of(address, message)
            if written is not None:
                yield want.key, written
        elif is_of(address, message):
            yield want.key, raw_of(address, message)


def _shown(declaration: Declaration, found: Found) -> dict[str, Any]:
    hidden = found.template.secret_names
    fields = {n: "hidden" if n in hidden else value for n, value in found.fields.items()}
    return {"framing": declaration.name, "message": found.name, **fields}


def _values(declaration: Declaration, found: Found) -> tuple[NamedValue, ...]:
    points = _POINTS.get(declaration.name, {})
    pairs = ((points[name], value) for name, value in found.fields.items() if name in points)
    return tuple(NamedValue(point, value) for point, value in pairs)


def _foreign(declaration: Declaration, found: Found, request: bytes) -> str | None:
    """Return why a reply is not that of the request that was given."""
    asked = _last(request[-KEPT:], declaration.requests) if request else None
    if asked is None:
        return None
    common = {n: v for n, v in asked.fields.items() if v is not None and n in found.fields}
    wrong = [name for name, value in common.items() if not says(found.fields, {name: value})]
    carried = [name for name in wrong if name in found.template.secret_names]
    if not wrong or carried:
        return None
    name = wrong[0]
    return f"{name} is {found.fields[name]}, the request says {common[name]}"
