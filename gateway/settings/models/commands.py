"""`commands:` of the site file as a model: the allow-list with its limits."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from gateway.settings.fields import (
    Flag,
    Number,
    PointValue,
    Seconds,
    Strict,
    Text,
    Whole,
    one_or_many,
    short,
)
from gateway.settings.models.common import Limits
from gateway.settings.problems import BadValue

_WRITES = frozenset({"set", "call"})
LIMIT_KEYS = (
    "range", "step", "values", "every", "max_per_hour", "max_valid", "unless", "only_if",
    "dangerous", "arm",
)  # fmt: skip
"""What says something of writes only."""


class InterlockEntry(Strict):
    """A condition over the newest value of any point: exactly one of equals, above and below."""

    point: Text = Field(description="device/point, such as gate-in/loop.")
    equals: PointValue | None = Field(default=None, description="It holds at this value.")
    above: Number | None = Field(default=None, description="It holds above this.")
    below: Number | None = Field(default=None, description="It holds below this.")
    max_age: Seconds | None = Field(
        default=None,
        description="An older value says nothing, and the command is refused. "
        "Default: three polls of the point, at least 5s.",
    )

    @model_validator(mode="after")
    def _one_condition(self) -> InterlockEntry:
        if sum(limit is not None for limit in (self.equals, self.above, self.below)) != 1:
            raise BadValue("LG-VAL-11", keys="equals, above, below")
        return self


Interlocks: TypeAlias = Annotated[
    list[InterlockEntry],
    BeforeValidator(one_or_many),
    Field(max_length=16, json_schema_extra=short({"type": "object"})),
]


class AllowEntry(Strict):
    """One line of the command allow-list; the first that fits counts, with all its limits."""

    device: Text = Field(description="Device id; * stands for any characters.")
    points: list[Text] = Field(min_length=1, description="Point ids; * stands for any characters.")
    ops: list[Literal["set", "call", "read", "event_ack"]] = Field(
        min_length=1, description="set, call, read, event_ack."
    )
    sinks: list[Text] = Field(
        default_factory=lambda: ["*"], description="Sinks that may ask. Default all."
    )
    by: list[Text] = Field(
        default_factory=lambda: ["*"],
        description="Who may ask, as the platform names them (`by`); * stands for any characters. "
        "Default all.",
    )
    range: Limits | None = Field(
        default=None, description="Values that may be written: [min, max]. Default: the profile's."
    )
    step: Number | None = Field(
        default=None, gt=0, description="Only whole steps from the smallest value, else from 0."
    )
    values: list[PointValue] = Field(
        default_factory=list[PointValue], description="The only values that may be written."
    )
    every: Seconds | None = Field(
        default=None, le=86400, description="Shortest time between two writes of one point: 30s."
    )
    max_per_hour: Whole | None = Field(
        default=None, ge=1, le=3600, description="Most writes of one point in an hour."
    )
    max_valid: Seconds | None = Field(
        default=None, ge=1, le=86400, description="`exp` may lie so far ahead at most. Default 1d."
    )
    unless: Interlocks = Field(
        default_factory=list[InterlockEntry],
        description="Refused while one of these holds, or cannot be known.",
    )
    only_if: Interlocks = Field(
        default_factory=list[InterlockEntry],
        description="Refused unless all of these are known to hold.",
    )
    dangerous: Flag = Field(
        default=False,
        description="The consent, given here at the site, to points whose profile says "
        "dangerous. Default false.",
    )
    arm: Literal["auto", "token", "none"] = Field(
        default="auto",
        description="auto: dangerous points need a token that the platform asked for before "
        "(`op: arm`). token: all points do. none: no point does. Default auto.",
    )

    @model_validator(mode="after")
    def _limits_limit_something(self) -> AllowEntry:
        given = [key for key in LIMIT_KEYS if key in self.model_fields_set]
        if given and not _WRITES.intersection(self.ops):
            raise BadValue("LG-CMD-01", key=given[0])
        if self.arm == "none" and "arm" in self.model_fields_set and not self.dangerous:
            raise BadValue("LG-CMD-02")
        return self


class CommandsEntry(Strict):
    """What platforms may do; nothing unless it is said here."""

    allow: list[AllowEntry] = Field(default_factory=list[AllowEntry], description="The allow-list.")
    max_per_minute: Whole = Field(
        default=60, ge=1, le=6000, description="Most commands a minute. Default 60."
    )
