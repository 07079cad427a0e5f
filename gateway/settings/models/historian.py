"""`historians:` and `history:` of the site file as models."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from gateway.settings.fields import Bytes, Flag, Name, Seconds, Strict, Text, Whole
from gateway.settings.models.common import Level, SecretRef
from gateway.settings.models.privacy import ChoiceEntry, TransformEntry
from gateway.settings.problems import BadValue


class HistorianEntry(Strict):
    """One time-series database that gets the readings."""

    url: Text = Field(
        description="http://host:8086 or https://…; with a path where a proxy has one."
    )
    version: Literal[1, 2] = Field(
        default=2,
        description="Interface: 2 is /api/v2/write (InfluxDB 2 and 3, VictoriaMetrics), 1 is "
        "/write of InfluxDB 1.x. Default 2.",
    )
    bucket: Name | None = Field(default=None, description="Bucket; needed with version 2.")
    org: Name | None = Field(default=None, description="Organisation; needed with version 2.")
    database: Name | None = Field(default=None, description="Database; needed with version 1.")
    retention_policy: Name | None = Field(
        default=None, description="Retention policy of version 1. Default: the database's own."
    )
    token: SecretRef | None = Field(default=None, description="Token by name; it may only write.")
    username: Name | None = Field(default=None, description="User name, for basic authentication.")
    password: SecretRef | None = Field(default=None, description="Password of it by name.")
    ca: Text | None = Field(
        default=None,
        description="Path of the authority's certificate. Default: the system's authorities.",
    )
    max_level: Level = Field(
        default="L2", description="Highest data level that may be written there. Default L2."
    )
    allow: list[ChoiceEntry] | None = Field(
        default=None,
        description="What may be written there, and nothing else: [{kind: meter.*, points: "
        "[ep_imp]}]. Default: as for sinks.",
    )
    transforms: list[TransformEntry] = Field(
        default_factory=list[TransformEntry],
        description="What is done to values before they leave; the first line that fits counts.",
    )
    batch: Whole = Field(
        default=1000, ge=1, le=10_000, description="Most values in one request. Default 1000."
    )
    batch_wait: Seconds = Field(
        default=1.0, le=60, description="Longest wait for more of them. Default 1s."
    )
    timeout: Seconds = Field(
        default=10.0, ge=0.1, le=120, description="Of one request. Default 10s."
    )
    gzip: Flag = Field(default=True, description="Compress what is sent. Default true.")

    @model_validator(mode="after")
    def _of_its_version(self) -> HistorianEntry:
        wanted = ("database",) if self.version == 1 else ("bucket", "org")
        foreign = {1: ("bucket", "org"), 2: ("database", "retention_policy")}[self.version]
        for key in wanted:
            if getattr(self, key) is None:
                raise BadValue("LG-HIST-03", key=key, version=self.version)
        for key in foreign:
            if getattr(self, key) is not None:
                raise BadValue("LG-HIST-04", key=key, version=self.version)
        if (self.username is None) != (self.password is None):
            raise BadValue("LG-HIST-05")
        if self.token is not None and self.password is not None:
            raise BadValue("LG-DEV-13", key="password", other="token")
        return self


class HistoryEntry(Strict):
    """The last days of all values that are not personal, in a file of this machine."""

    days: Whole = Field(default=7, ge=1, le=366, description="How long. Default 7.")
    quota: Bytes = Field(
        default=200 << 20,
        ge=4 << 20,
        description="Most bytes of its file; then the oldest hours go first. Default 200MB.",
    )
    commit_every: Seconds = Field(
        default=30.0,
        ge=0.1,
        le=600,
        description="Values are written together this often, to spare the disk. Default 30s.",
    )
