"""The kind file as models: the ids, types and units that all profiles of a kind share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from gateway.settings.fields import Flag, Id, Number, Numbers, Seconds, Strict, Text, Title, Whole
from gateway.settings.models.common import (
    Basis,
    Deadband,
    GroupPolls,
    Level,
    Limits,
    Personal,
    Rate,
    Retention,
)
from gateway.settings.problems import BadValue
from gateway.settings.site import ValueType


class KindPointEntry(Strict):
    """One point of a kind; its id never changes its meaning."""

    title: Title = Field(description="Name for people, by language.")
    type: ValueType = Field(description="float, int, bool, enum or text.")
    unit: Text | None = Field(default=None, description="UCUM code; none for bool, enum and text.")
    res: Number | None = Field(default=None, gt=0, description="Resolution to keep.")
    values: list[Text] = Field(default_factory=list[str], description="Values of an enum.")
    cumulative: Flag = Field(default=False, description="It only counts up. Default false.")
    group: Id = Field(default="main", description="Poll group. Default main.")
    range: Limits | None = Field(default=None, description="Plausible values: [min, max].")
    rate: Rate | None = Field(
        default=None, description="Greatest plausible change, such as 100/h or 2/s."
    )
    stuck: Seconds | None = Field(
        default=None, description="A value that always moves is stale after resting so long: 6h."
    )
    drift: Seconds | None = Field(
        default=None,
        gt=0,
        description="A clock may be so far from the gateway's; `clock_drift` above it. Default 5m.",
    )
    identity: Flag = Field(
        default=False, description="It tells one device from another: a meter number."
    )
    deadband: Deadband | None = Field(default=None, description="When a change is worth a record.")
    pii: Personal = Field(default="P3", description="Class of personal data. Default P3.")
    level: Level = Field(default="L4", description="Data level. Default L4.")
    basis: Basis | None = Field(
        default=None, description="Why it may be processed (PIPL art. 13): consent, contract, …"
    )
    retain: Retention | None = Field(
        default=None, description="How long values may be kept at the site, such as 30d."
    )
    keep: Literal["all", "event_only", "none"] = Field(
        default="all",
        description="What may be kept: all, event_only (no values, only its events), or none.",
    )
    each: Numbers | None = Field(
        default=None, description="Numbered points: 1..16, with {n} in the id."
    )

    @model_validator(mode="after")
    def _enum_has_values(self) -> KindPointEntry:
        if self.type is ValueType.ENUM and not self.values:
            raise BadValue("LG-KIND-02")
        return self


class KindEventEntry(Strict):
    """An event type of a kind, with its defaults."""

    title: Title = Field(default_factory=dict, description="Name for people, by language.")
    severity: Whole = Field(ge=0, le=4, description="0 informational to 4 life safety.")
    duty: Id | None = Field(default=None, description="Who is on duty for it.")


class KindFile(Strict):
    """A kind of device."""

    version: Literal[1] = Field(description="Version of this format: 1.")
    kind: Text = Field(description="Id: the name of the file without .yaml.")
    title: Title = Field(description="Name for people, by language.")
    latency: Literal["T0", "T1", "T2", "T3", "T4", "T5"] = Field(
        default="T3", description="T0 within 1 s (life safety) to T5 daily. Default T3."
    )
    points: dict[str, KindPointEntry] = Field(min_length=1, description="Points by id.")
    events: dict[Id, KindEventEntry] = Field(default_factory=dict, description="Event types.")
    commands: list[Text] = Field(default_factory=list[str], description="What can be commanded.")
    groups: GroupPolls = Field(default_factory=dict, description="Poll periods by group.")
    expects: list[Text] = Field(
        default_factory=list[str], description="Points that a profile should give."
    )
