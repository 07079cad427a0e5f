"""The profile file as models: one kind of device in registers. See `kind` for its ids.

Keys of a point that are not listed here are the driver's address and validated by its model.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from gateway.model.reading import Value
from gateway.settings.fields import (
    Exact,
    Flag,
    HexBytes,
    Id,
    Name,
    Number,
    Numbers,
    PerDevice,
    PointValue,
    Seconds,
    Setting,
    Span,
    Strict,
    Text,
    Title,
    Whole,
    scalar,
    short,
    under,
)
from gateway.settings.models.common import (
    Basis,
    Deadband,
    EventEntry,
    GroupPolls,
    Level,
    Limits,
    Personal,
    Poll,
    Rate,
    Retention,
)
from gateway.settings.problems import BadValue
from gateway.settings.site import Priority, ValueType


def _raw_names(value: Any) -> Any:  # noqa: ANN401 - unchecked YAML
    if not isinstance(value, dict):
        return value
    names: dict[int, object] = {}
    for key, name in cast("dict[str, object]", value).items():
        try:
            names[int(key, 0)] = name
        except ValueError as exc:
            raise BadValue("LG-PROF-15", name=key) from exc
    return names


RawNames: TypeAlias = Annotated[dict[int, Name], BeforeValidator(_raw_names)]


class QuirksEntry(Strict):
    """What a device needs of the bus; further keys are the driver's."""

    model_config = ConfigDict(extra="allow")

    pause: Seconds | None = Field(
        default=None, le=60, description="Silence after its reply. Default 0s."
    )
    timeout: Seconds | None = Field(
        default=None, le=300, description="Fixed reply timeout. Default: measured."
    )
    retries: Whole | None = Field(
        default=None, ge=0, le=10, description="Repeats of a failed request."
    )
    connect_delay: Seconds | None = Field(
        default=None, le=60, description="Silence after the connection opened. Default 0s."
    )


class LineEntry(Strict):
    """The serial setting that the device leaves the factory with."""

    setting: Setting = Field(description="Such as 9600 8N1.")
    also: list[Setting] = Field(
        default_factory=list[Any], description="Other settings it can have."
    )
    basis: Literal["source", "unverified"] = Field(
        default="unverified", description="Whether a source states it. Default unverified."
    )


class VariableEntry(Strict):
    """A number that a device of the site gives: an input, a loop, a base register."""

    range: Span = Field(description="Allowed values: 1..8.")
    default: Whole | None = Field(default=None, description="Value when the site gives none.")
    title: Title = Field(default_factory=dict, description="What it is, by language.")

    @model_validator(mode="after")
    def _default_is_allowed(self) -> VariableEntry:
        if self.default is not None and self.default not in self.range:
            low, high = min(self.range), max(self.range)
            raise BadValue("LG-VAL-03", found=str(self.default), limit=f"{low}..{high}")
        return self


class ScaleFromEntry(Strict):
    """Another point that scales this one, read in the same exchange."""

    point: Text = Field(description="Id of the scaling point.")
    kind: Literal["exponent", "factor"] = Field(
        description="exponent: value * 10**it; factor: value * it."
    )


class WriteEntry(Strict):
    """How a point may be written."""

    min: Number | None = Field(default=None, description="Least value.")
    max: Number | None = Field(default=None, description="Greatest value.")
    allowed: list[PointValue] = Field(default_factory=list[Value], description="The only values.")
    raw_or: Whole = Field(
        default=0, ge=0, lt=1 << 64, description="OR-ed into the raw value. Default 0."
    )
    readback: Text | None = Field(
        default=None, description="Point to read afterwards, or none. Default: the point itself."
    )
    dangerous: Flag = Field(
        default=False, description="Moves something; needs more care. Default false."
    )


class PointSettings(Strict):
    """What both a profile and a site may say of a point."""

    title: Title | None = Field(default=None, description="Name for people. Default: the kind's.")
    group: Id | None = Field(default=None, description="Poll group. Default: the kind's.")
    priority: Priority | None = Field(
        default=None, description="alarm, normal or energy. Default: by group and kind."
    )
    scale: Exact | None = Field(
        default=None, description="value = raw * scale + offset, exactly. Default 1."
    )
    offset: Exact | None = Field(default=None, description="See `scale`. Default 0.")
    invert: Flag | None = Field(default=None, description="Turn a boolean round. Default false.")
    enum: RawNames | None = Field(default=None, description="Names of raw values: {1: open}.")
    invalid: list[Whole | Number] | None = Field(
        default=None, description="Raw values that mean no value: [0xFFFF]."
    )
    range: Limits | None = Field(
        default=None, description="Plausible values: [min, max]; else bad quality."
    )
    rate: Rate | None = Field(
        default=None, description="Greatest plausible change: 100/h, 2/s. Default: the kind's."
    )
    rollover: Number | None = Field(
        default=None,
        gt=0,
        description="Where a cumulative value begins again at 0. Default: by the register's width.",
    )
    stuck: Seconds | None = Field(
        default=None,
        description="Stale when it has not moved for so long; 0s: it may rest. "
        "Default: the kind's.",
    )
    drift: Seconds | None = Field(
        default=None,
        gt=0,
        description="How far this clock (`clock`, or `clock_time` beside `clock_date`) may be from "
        "the gateway's; above it `clock_drift` is raised. Default: the kind's, or 5m.",
    )
    identity: Flag | None = Field(
        default=None,
        description="It tells this device from another: a meter number. Default: the kind's.",
    )
    deadband: Deadband | None = Field(
        default=None,
        description="When a change is worth a record.",
    )
    events: list[EventEntry] | None = Field(default=None, description="Events that it makes.")
    published: Flag | None = Field(
        default=None, description="False for points that only serve others. Default true."
    )
    keep: Literal["all", "event_only", "none"] | None = Field(
        default=None,
        description="What may be kept: all; event_only: no values, only the events that it makes; "
        "none: nothing, it serves derived points. Default: the kind's, else all.",
    )
    basis: Basis | None = Field(
        default=None,
        description="Why it may be processed (PIPL art. 13): consent, contract, duty, emergency, "
        "public_interest, published or law. Default: the device's, else the kind's.",
    )
    retain: Retention | None = Field(
        default=None,
        description="How long values may be kept at the site, in whole days: 30d. "
        "Default: the device's, else the kind's.",
    )


class PointOverride(PointSettings):
    """What the site says otherwise about a point of one device."""

    poll: Poll | None = Field(default=None, description="Period of this point.")
    disabled: Text | None = Field(
        default=None, description="The point is left out, with the reason."
    )


class PointEntry(PointSettings):
    """One point; keys that are not listed here are the driver's address."""

    model_config = ConfigDict(extra="allow")

    value: ValueType | None = Field(
        default=None, description="Type of a point that the kind does not have. Default float."
    )
    unit: Text | None = Field(default=None, description="UCUM code. Default: the kind's.")
    scale_from: ScaleFromEntry | None = Field(default=None, description="Scaled by another point.")
    res: Number | None = Field(default=None, gt=0, description="Resolution. Default: the kind's.")
    cumulative: Flag | None = Field(
        default=None, description="It only counts up. Default: the kind's."
    )
    access: Literal["r", "w", "rw"] | None = Field(
        default=None, description="r, w or rw. Default r."
    )
    write: WriteEntry | None = Field(default=None, description="How it may be written.")
    pii: Personal | None = Field(
        default=None, description="Class of personal data. Default: the kind's, else P3."
    )
    level: Level | None = Field(
        default=None, description="Data level. Default: the kind's, else L4."
    )
    sensitive: Flag | None = Field(default=None, description="Short for pii: P3.")
    each: Numbers | None = Field(
        default=None, description="Numbered points: 1..8, with {n} in id and address."
    )
    sim: dict[str, Annotated[float | str, BeforeValidator(scalar)]] | None = Field(
        default=None, description="Hints for simulators."
    )


class VariantEntry(Strict):
    """A named alternative: another firmware, another model of the same maker."""

    title: Title = Field(default_factory=dict, description="What it is, by language.")
    points: dict[str, PointEntry] = Field(
        default_factory=dict, description="What differs, by point."
    )
    quirks: QuirksEntry | None = Field(default=None, description="What differs.")


_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}


class SampleValueEntry(Strict):
    """What one point of a sample must give."""

    value: PointValue | None = Field(default=None, description="The value.")
    unit: Text | None = Field(default=None, description="Its unit, checked when given.")
    bad: Text | None = Field(
        default=None, description="Reason of bad quality that must come instead."
    )

    @model_validator(mode="after")
    def _value_or_bad(self) -> SampleValueEntry:
        if (self.value is None) == (self.bad is None):
            raise BadValue("LG-VAL-11", keys="value, bad")
        return self


class SampleEntry(Strict):
    """Bytes of a real or computed reply, and what must come of them."""

    basis: Literal["capture", "document", "computed"] = Field(
        description="Where the bytes are from."
    )
    source: Text = Field(description="What states them.")
    variables: dict[str, PerDevice] = Field(
        default_factory=dict, alias="set", description="Variables of the profile."
    )
    variant: Text | None = Field(default=None, description="Variant of the profile.")
    request: HexBytes = Field(
        default=b"",
        description="The request frame with its checksum. Default: none, for devices that speak "
        "by themselves.",
    )
    reply: HexBytes = Field(description="The reply frame with its checksum.")
    values: dict[
        str, Annotated[SampleValueEntry, under("value"), Field(json_schema_extra=short(_SCALAR))]
    ] = Field(min_length=1, description="Values by point.")


class ProfileFile(Strict):
    """One kind of device by one maker."""

    version: Literal[1] = Field(description="Version of this format: 1.")
    profile: Text = Field(description="Id: the path of the file below profiles/, without .yaml.")
    vendor: Text | None = Field(default=None, description="Maker; none for generic profiles.")
    model: Text | None = Field(default=None, description="Model.")
    title: Title = Field(description="What it is, by language.")
    kind: Text = Field(description="Kind of device, such as meter.electricity.")
    driver: Text = Field(description="Driver, such as modbus.")
    protocol: Text | None = Field(
        default=None,
        description="The driver's protocol that the device speaks and the samples are in. "
        "Default: the driver's serial one.",
    )
    verified: Flag = Field(
        default=True, description="The facts were seen on a device. Default true."
    )
    unverified: Text | None = Field(
        default=None, description="What nobody has seen, when not verified."
    )
    sources: list[Text] = Field(default_factory=list[str], description="What states the facts.")
    notes: Annotated[dict[str, Text], under("en")] = Field(
        default_factory=dict, description="Notes for technicians, by language."
    )
    line: LineEntry | None = Field(default=None, description="Serial setting from the factory.")
    quirks: QuirksEntry | None = Field(default=None, description="Pauses and limits.")
    variables: dict[Annotated[str, Field(pattern="^[a-z_][a-z0-9_]{0,31}$")], VariableEntry] = (
        Field(default_factory=dict, description="Numbers for templates in addresses.")
    )
    variants: dict[Id, VariantEntry] = Field(default_factory=dict, description="Alternatives.")
    groups: GroupPolls = Field(
        default_factory=dict, description="Poll periods. Default: the kind's."
    )
    defaults: PointEntry | None = Field(
        default=None, description="For every point that says nothing else."
    )
    points: dict[str, PointEntry] = Field(min_length=1, description="Points by id.")
    samples: list[SampleEntry] = Field(
        default_factory=list[SampleEntry], description="Proof of the map."
    )

    @model_validator(mode="after")
    def _says_what_is_unverified(self) -> ProfileFile:
        if not self.verified and self.unverified is None:
            raise BadValue("LG-PROF-11")
        return self
