"""`derived:` of the site file as models: devices whose points are made of other points."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gateway.settings.fields import (
    Id,
    Name,
    Number,
    Numbers,
    PerDevice,
    PointValue,
    Seconds,
    Strict,
    Text,
    Title,
    Whole,
    under,
)
from gateway.settings.models.common import (
    DAY_S,
    Basis,
    Deadband,
    EventEntry,
    Level,
    Personal,
    Retention,
)
from gateway.settings.problems import BadValue
from gateway.settings.site_derived import Op

OPS = tuple(Op)
FINEST_S = 60.0


class DerivedPointEntry(Strict):
    """One derived point: exactly one of count, sum, mean, min, max and bin."""

    count: PerDevice | None = Field(
        default=None, description="How many of these have a good value, or equal `equals`."
    )
    sum: PerDevice | None = Field(default=None, description='Sum of these: "em-*/p_tot".')
    mean: PerDevice | None = Field(default=None, description="Mean of these.")
    min: PerDevice | None = Field(default=None, description="Least of these.")
    max: PerDevice | None = Field(default=None, description="Greatest of these.")
    bin: PerDevice | None = Field(
        default=None, description='One point made coarser: "em-01/ep_imp".'
    )
    equals: PointValue | None = Field(default=None, description="What `count` counts.")
    every: Seconds | None = Field(
        default=None,
        ge=FINEST_S,
        description="At fixed wall-clock times: 1h is on the hour. It must divide a day. "
        "Default: whenever an input changes.",
    )
    take: Literal["delta", "mean", "min", "max", "last"] | None = Field(
        default=None,
        description="What an input gives between two of those times. Default: delta for counters, "
        "last for `count`, else mean (min and max for those).",
    )
    step: Number | None = Field(
        default=None, gt=0, description="Round the value to multiples of it."
    )
    min_group: Whole | None = Field(
        default=None, ge=1, le=10_000, description="Default: that of the device."
    )
    coverage: Number | None = Field(
        default=None,
        ge=0,
        le=100,
        description="Percent of the members that must be good. Default 90 for sum and count, "
        "else 0.",
    )
    fresh: Seconds | None = Field(
        default=None,
        ge=1,
        description="A member is good for so long without a reading. Default: three polls, 60s at "
        "least. Not with `every`.",
    )
    title: Title | None = Field(default=None, description="Name for people. Default: the kind's.")
    pii: Personal | None = Field(
        default=None, description="Class of personal data. Default: the kind's, else the inputs'."
    )
    level: Level | None = Field(
        default=None, description="Data level. Default: the kind's, else the inputs'."
    )
    basis: Basis | None = Field(default=None, description="Why it may be processed.")
    retain: Retention | None = Field(default=None, description="How long it may be kept.")
    deadband: Deadband | None = Field(
        default=None, description="When a change is worth a record. Default: any change, 15m."
    )
    events: list[EventEntry] = Field(
        default_factory=list[EventEntry], description="Events that it makes."
    )

    @property
    def op(self) -> Op:
        """What is made."""
        return next(op for op in OPS if getattr(self, op) is not None)

    @property
    def inputs(self) -> str:
        """Of what, as written."""
        return str(getattr(self, self.op))

    @model_validator(mode="after")
    def _one_way(self) -> DerivedPointEntry:
        given = [op for op in OPS if getattr(self, op) is not None]
        if len(given) != 1:
            raise BadValue("LG-VAL-11", keys=", ".join(OPS))
        if self.equals is not None and self.count is None:
            raise BadValue("LG-DER-01", key="equals", other="count")
        if self.take is not None and self.every is None:
            raise BadValue("LG-DER-01", key="take", other="every")
        if self.every is not None and (self.every % 1 or DAY_S % self.every):
            raise BadValue("LG-VAL-13", found=f"{self.every:g}s")
        if self.bin is not None and self.every is None and self.step is None:
            raise BadValue("LG-DER-01", key="bin", other="every, step")
        return self


class DerivedEntry(Strict):
    """One derived device, or many alike by `each`."""

    id: Text = Field(description="Id, or a template such as use-{n:02}.")
    each: dict[Annotated[str, Field(pattern="^[a-z_][a-z0-9_]{0,31}$")], Numbers] | None = Field(
        default=None, description="One device for each number: {n: 1..64}."
    )
    kind: Text = Field(description="Kind of device, such as parking.zone.")
    title: Title | None = Field(default=None, description="Name for people, by language.")
    location: Annotated[dict[Id, Name], under("place")] = Field(
        default_factory=dict, description="Where it is: {bldg, zone, …}, or one text."
    )
    owner: Name | None = Field(default=None, description="Whose values these are.")
    min_group: Whole | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Fewest good members that make a value, for all points. Default 5 where an "
        "input is personal (P1 and above), else 1.",
    )
    points: dict[Id, DerivedPointEntry] = Field(min_length=1, description="Points by id.")

    def scopes(self) -> Iterator[dict[str, int]]:
        """Yield the numbers of each device that it stands for."""
        each = self.each or {}
        for numbers in itertools.product(*each.values()):
            yield dict(zip(each, numbers, strict=True))
