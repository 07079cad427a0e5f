"""Parts that kinds, profiles and sites share: poll rules, dead-bands, events, secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from gateway.settings.fields import (
    Id,
    Number,
    PointValue,
    Seconds,
    Strict,
    Text,
    Whole,
    exact,
    secret_name,
    short,
    under,
)
from gateway.settings.problems import BadValue, Phrase, shown
from gateway.settings.site import (
    At,
    Every,
    PollRule,
    Priority,
)

ALL_GROUPS = "*"
"""Key under which a period for all groups is kept."""

DAY_S = 86400

Personal: TypeAlias = Literal["P0", "P1", "P2", "P3"]
Level: TypeAlias = Literal["L1", "L2", "L3", "L4"]
Basis: TypeAlias = Literal[
    "consent", "contract", "duty", "emergency", "public_interest", "published", "law"
]
"""Why personal data may be processed: the seven cases of PIPL art. 13, in their order."""
Retention: TypeAlias = Annotated[Seconds, Field(ge=86400)]
"""How long values may be kept; whole days count."""
DURATION_SCHEMA: dict[str, Any] = {"type": "string", "examples": ["30s"]}


def _polls_by_group(value: Any) -> Any:  # noqa: ANN401 - unchecked YAML
    if not isinstance(value, dict):
        return {ALL_GROUPS: value}
    groups = cast("dict[str, object]", value)
    return {ALL_GROUPS: groups} if groups.keys() & {"every", "at"} else groups


class PollEntry(Strict):
    """How often a group is read: periodically, or at fixed times of the day."""

    every: Seconds | None = Field(default=None, description="Period, such as 30s.")
    at: Seconds | None = Field(
        default=None,
        description="Fixed wall-clock times: 15m is at :00, :15, :30, :45. It must divide a day.",
    )
    priority: Priority | None = Field(
        default=None, description="alarm before normal before energy. Default: by the kind."
    )

    @model_validator(mode="after")
    def _one_rule(self) -> PollEntry:
        if (self.every is None) == (self.at is None):
            raise BadValue("LG-VAL-11", keys="every, at")
        if self.every is not None and self.every < 0.01:  # noqa: PLR2004 - no line is faster
            raise BadValue("LG-VAL-03", found=f"{self.every:g}s", limit=">= 10ms")
        if self.at is not None and (self.at < 1 or DAY_S % self.at):
            raise BadValue("LG-VAL-13", found=f"{self.at:g}s")
        return self

    @property
    def rule(self) -> PollRule:
        """The rule for the schedule."""
        return Every(self.every) if self.every is not None else At(self.at or DAY_S)


Poll: TypeAlias = Annotated[
    PollEntry, under("every"), Field(json_schema_extra=short(DURATION_SCHEMA))
]
PollsByGroup: TypeAlias = Annotated[
    dict[str, Poll],
    BeforeValidator(_polls_by_group),
    Field(json_schema_extra=short(DURATION_SCHEMA)),
]
GroupPolls: TypeAlias = dict[str, Poll]


def _deadband(value: object) -> object:
    if isinstance(value, dict):
        return cast("object", value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"abs": value}
    if isinstance(value, str) and value.endswith("%"):
        try:
            return {"percent": float(value[:-1])}
        except ValueError:
            pass
    raise BadValue("LG-VAL-15", found=shown(value))


class DeadbandEntry(Strict):
    """When a changed value is worth a record; either limit passes it."""

    abs: Number | None = Field(default=None, ge=0, description="Change in the point's unit.")
    percent: Number | None = Field(
        default=None, ge=0, le=100, description="Change in % of the last value."
    )
    heartbeat: Seconds | None = Field(
        default=None, description="Send it after this time even when unchanged, such as 15m."
    )


Deadband: TypeAlias = Annotated[
    DeadbandEntry,
    BeforeValidator(_deadband),
    Field(json_schema_extra=short({"type": "number"}, {"type": "string", "pattern": "^[0-9.]+%$"})),
]


class When(Strict):
    """The condition of an event: exactly one of equals, above and below."""

    equals: PointValue | None = Field(
        default=None, description="Raised while the value equals this."
    )
    above: Number | None = Field(default=None, description="Raised while the value is above this.")
    below: Number | None = Field(default=None, description="Raised while the value is below this.")
    clear: Number | None = Field(
        default=None, description="Cleared only past this (hysteresis). Default: the limit itself."
    )
    for_: Seconds = Field(
        default=0.0, alias="for", description="How long before it is raised. Default 0s."
    )

    @model_validator(mode="after")
    def _one_condition(self) -> When:
        limits = [self.equals, self.above, self.below]
        if sum(limit is not None for limit in limits) != 1:
            raise BadValue("LG-PROF-14")
        if self.clear is not None and self.equals is not None:
            raise BadValue("LG-PROF-14")
        return self


class EventEntry(Strict):
    """An event that a point makes."""

    type: Id = Field(description="Type of the event, one of the kind's where it has it.")
    severity: Whole | None = Field(
        default=None,
        ge=0,
        le=4,
        description="0 informational to 4 life safety. Default: the kind's.",
    )
    when: When = Field(description="When it is raised and cleared.")
    duty: Id | None = Field(default=None, description="Who is on duty for it. Default: the kind's.")


def _limits(value: object) -> object:
    given = cast("list[object]", value) if isinstance(value, list) else []
    if len(given) == 2:  # noqa: PLR2004 - a pair
        ends = [_limit(end) for end in given]
        if ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
            raise BadValue("LG-VAL-17", low=f"{ends[0]:g}", high=f"{ends[1]:g}")
        return tuple(ends)
    raise BadValue(
        "LG-VAL-01", expected=Phrase("other", "[min, max]"), found=shown(cast("object", value))
    )


def _limit(value: object) -> float | None:
    return None if value is None else float(exact(value))


Limits: TypeAlias = Annotated[tuple[float | None, float | None], BeforeValidator(_limits)]


_RATE = re.compile(r"([0-9]{1,12}(?:[.][0-9]{1,9})?) ?/ ?(s|min|h|d)")
_RATE_S = {"s": 1, "min": 60, "h": 3600, "d": DAY_S}


def _rate(value: object) -> float:
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not float(match[1]):
        raise BadValue("LG-VAL-01", expected=Phrase("other", "100/h"), found=shown(value))
    return float(match[1]) / _RATE_S[match[2]]


Rate: TypeAlias = Annotated[
    float,
    BeforeValidator(_rate),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[0-9]{1,12}([.][0-9]{1,9})? ?/ ?(s|min|h|d)$",
            "examples": ["100/h"],
        }
    ),
]
"""A change of the value per time, in the point's unit; kept per second."""


_SECRET_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_SECRET_PATH = re.compile(r"[^\x00-\x1f]{1,1024}")


class SecretEntry(Strict):
    """A secret by its name; the secret itself never stands in a file."""

    credential: Text | None = Field(
        default=None,
        description="Name of a systemd credential (LoadCredential=, $CREDENTIALS_DIRECTORY).",
    )
    env: Text | None = Field(default=None, description="Name of an environment variable.")
    file: Text | None = Field(default=None, description="Path of a file that only we may read.")

    @model_validator(mode="after")
    def _one_source(self) -> SecretEntry:
        named = [name for name in (self.credential, self.env, self.file) if name is not None]
        if len(named) != 1:
            raise BadValue("LG-VAL-11", keys="credential, env, file")
        pattern = _SECRET_NAME if self.file is None else _SECRET_PATH
        if not pattern.fullmatch(named[0]):
            raise BadValue("LG-SEC-05", found=shown(named[0]))
        return self


SecretRef: TypeAlias = Annotated[SecretEntry, BeforeValidator(secret_name)]

Scalars: TypeAlias = Mapping[str, float | str]
