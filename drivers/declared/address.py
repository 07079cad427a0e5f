"""Where a point is in declared frames, and what is peculiar to a device: what profiles write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as key
from typing import Any, Literal, cast

from drivers.contract import Address, Quirks, Raw
from drivers.declared.declaration import AnyTemplate, Declaration, Ends, declare
from drivers.declared.known import KNOWN
from drivers.declared.template import MOST_FRAME, Template
from drivers.declared.values import Form, Shape

INTEGERS = frozenset({Form.UINT, Form.BCD})


@dataclass(frozen=True, slots=True)
class DeclaredAddress:
    """Address keys of a point; `frame` is usually written once, under `defaults`."""

    frame: Any = key(  # a name or a mapping in YAML; a Declaration once it is made
        metadata={
            "description": "The framing: a known name such as sunpn-led, or its declaration "
            "(form, address, broadcast, checksum, length, request_end, requests, replies, refusals)"
        }
    )
    request: str | None = key(
        default=None, metadata={"description": "Name of the frame that asks for it"}
    )
    reply: str | None = key(
        default=None,
        metadata={"description": "Name of the frame that carries it. Default: as `request`"},
    )
    write_request: str | None = key(
        default=None, metadata={"description": "Name of the frame that writes it"}
    )
    write_reply: str | None = key(
        default=None,
        metadata={
            "description": "Name of the frame that confirms it. Default: as `write_request`, and "
            "none where no reply has that name"
        },
    )
    given: Any = key(
        default=(),
        metadata={
            "description": "Values of the request's fields: {start: 1}. A reply that has the same "
            "fields must say the same"
        },
    )
    field: str | None = key(
        default=None, metadata={"description": "Field of the frame that is its value"}
    )
    at: int | None = key(
        default=None,
        metadata={
            "description": "Byte where its value begins, from 0; negative from the end",
            "ge": -MOST_FRAME,
            "lt": MOST_FRAME,
        },
    )
    bytes: int = key(
        default=1, metadata={"description": "Bytes of a value at `at`", "ge": 1, "le": 64}
    )
    type: Form | None = key(
        default=None,
        metadata={
            "description": "uint, int, bcd, digits, ascii or float, at `at` and in lines. "
            "Default uint"
        },
    )
    order: Literal["big", "little"] = key(
        default="big", metadata={"description": "Order of the bytes at `at`"}
    )
    bit: int | None = key(
        default=None,
        metadata={
            "description": "One bit of the value as a boolean, 0 the lowest",
            "ge": 0,
            "lt": 64,
        },
    )
    mask: int | None = key(
        default=None,
        metadata={
            "description": "Bits kept of the value, moved down to the lowest of them",
            "gt": 0,
        },
    )

    def __post_init__(self) -> None:
        """Make the declaration, and check that the keys fit it and each other.

        Raises:
            ValueError: they do not.
        """
        object.__setattr__(self, "frame", _declaration(self.frame))
        object.__setattr__(self, "given", _given(self.given))
        declaration = self.declaration
        names = (
            (self.request, declaration.requests, "request"),
            (self.reply_name, declaration.replies, "reply"),
            (self.write_request, declaration.requests, "write_request"),
            (self.write_reply, declaration.replies, "write_reply"),
        )
        for name, frames, what in names:
            if name is not None and name not in frames:
                known = ", ".join(frames) or "none"
                raise ValueError(f"{what}: the frame {name!r} is not declared; there are: {known}")
        if self.reply_name is None and self.write_request is None:
            raise ValueError("a point needs `request`, `reply` or `write_request`")
        if self.bit is not None and self.mask is not None:
            raise ValueError("bit and mask exclude each other")
        self._check_value()

    def _check_value(self) -> None:
        if self.field is not None and self.at is not None:
            raise ValueError("field and at exclude each other: both say where the value is")
        if self.reply_template is not None:
            if self.field is None and self.at is None:
                raise ValueError("a point that is read needs `field` or `at`")
            self._check_field(self.reply_template)
        if self.at is not None:
            self._check_place()
        if self.write_template is not None and self.write_field is not None:
            self._check_field(self.write_template)
            if self.bit is not None or self.mask is not None:
                raise ValueError("a bit of a value cannot be written: the others are not known")

    def _check_field(self, template: AnyTemplate) -> None:
        if self.field is not None and self.field not in template.names:
            known = ", ".join(sorted(template.names)) or "none"
            raise ValueError(f"the frame has no field {self.field!r}; there are: {known}")

    def _check_place(self) -> None:
        if self.declaration.form is Ends.LINE:
            raise ValueError("a line has fields, no bytes: write `field`")
        if self.write_request is not None:
            raise ValueError("what is written needs `field`, not `at`")
        template, shape = self.reply_template, self.shape
        at = self.at or 0
        if template is not None and template.is_sized:
            end = at + shape.size + (template.chars if at < 0 else 0)
            if not shape.size <= end <= template.chars:
                raise ValueError(f"at {at} with {shape.size} bytes is outside the frame")

    @property
    def declaration(self) -> Declaration:
        """The framing."""
        made: object = self.frame
        if not isinstance(made, Declaration):
            raise TypeError("the frame was not made")
        return made

    @property
    def constants(self) -> dict[str, Raw]:
        """The values of `given`."""
        return dict(cast("tuple[tuple[str, Raw], ...]", self.given))

    @property
    def reply_name(self) -> str | None:
        """The frame that carries it."""
        return self.reply or self.request

    @property
    def reply_template(self) -> AnyTemplate | None:
        """The frame that carries it; None where it is only written."""
        return self.declaration.replies[self.reply_name] if self.reply_name else None

    @property
    def write_template(self) -> AnyTemplate | None:
        """The frame that writes it."""
        return self.declaration.requests[self.write_request] if self.write_request else None

    @property
    def write_field(self) -> str | None:
        """The field of the writing frame that carries the value; None where the frame is all."""
        template = self.write_template
        return self.field if template is not None and self.field in template.names else None

    @property
    def confirmation(self) -> str | None:
        """The frame that confirms writing; None where nothing is answered."""
        if self.write_reply is not None:
            return self.write_reply
        return self.write_request if self.write_request in self.declaration.replies else None

    @property
    def shape(self) -> Shape:
        """The bytes at `at`."""
        return Shape(self.bytes, self.type or Form.UINT, self.order == "little")

    @property
    def is_secret(self) -> bool:
        """Whether its value must not be shown."""
        template = self.reply_template or self.write_template
        if template is None:
            return False
        if self.field is not None:
            return self.field in template.secret_names
        if not isinstance(template, Template) or self.at is None:
            return False
        shifts = (0, template.chars) if template.is_sized else (0,)
        places = [self.at + shift for shift in (*shifts, *(-s for s in shifts))]
        return any(template.is_secret(place, self.bytes) for place in places)


@dataclass(frozen=True, slots=True)
class DeclaredQuirks:
    """What a device that speaks by itself needs; devices that are asked need nothing of it."""

    ask: str | None = key(
        default=None,
        metadata={"description": "Name of a request that `declared-listen` sends regularly"},
    )
    ask_every_s: float = key(
        default=10.0,
        metadata={"description": "Seconds between two such requests", "ge": 0.1, "le": 86400},
    )
    silent_after_s: float = key(
        default=0.0,
        metadata={
            "description": "Seconds without a frame after which the device counts as silent; 0: "
            "never",
            "ge": 0,
            "le": 864000,
        },
    )


def declared_address(address: Address) -> DeclaredAddress:
    """Return a point's address as this driver's own."""
    if not isinstance(address, DeclaredAddress):
        raise TypeError(f"{type(address).__name__} is not an address in declared frames")
    return address


def declared_quirks(quirks: Quirks) -> DeclaredQuirks:
    """Return a device's quirks as this driver's own."""
    if not isinstance(quirks, DeclaredQuirks):
        raise TypeError(f"{type(quirks).__name__} is not the quirks of declared frames")
    return quirks


def _declaration(given: object) -> Declaration:
    if isinstance(given, Declaration):
        return given
    if isinstance(given, str):
        if given not in KNOWN:
            raise ValueError(f"no frame {given!r} is known; there are: {', '.join(KNOWN)}")
        return KNOWN[given]
    if isinstance(given, Mapping):
        return declare("declared", cast("Mapping[str, Any]", given))
    raise ValueError("frame is the name of a known framing, or a mapping that declares one")


def _given(given: object) -> tuple[tuple[str, Raw], ...]:
    if isinstance(given, tuple):  # made already, or none
        given = dict(cast("tuple[tuple[str, object], ...]", given))
    if not isinstance(given, Mapping):
        raise ValueError("given is a mapping of fields to values: {start: 1}")  # noqa: TRY004 - shown to the technician
    pairs: list[tuple[str, Raw]] = []
    for name, value in cast("Mapping[object, object]", given).items():
        if not isinstance(value, int | str):
            raise ValueError(f"given.{name} is a number or a text")  # noqa: TRY004 - shown to the technician
        pairs.append((str(name), value))
    return tuple(sorted(pairs))
