"""`remote:` of the site file as a model: who may send a site configuration, and how far it goes."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field, model_validator

from gateway.settings.fields import Seconds, Strict, Text
from gateway.settings.models.common import SecretRef
from gateway.settings.problems import BadValue
from gateway.settings.site_remote import is_public_key

Section: TypeAlias = Literal["commands", "derived", "historians", "privacy", "sinks"]


class RemoteEntry(Strict):
    """Remote work by signed letters: exactly one of public_key and secret."""

    public_key: Text | None = Field(
        default=None,
        description="Ed25519 public key of who signs, 64 hex digits. Needs the extra `crypto`.",
    )
    secret: SecretRef | None = Field(
        default=None,
        description="Shared key by name, at least 32 characters, where letters are signed with "
        "HMAC-SHA256.",
    )
    may: list[Section] = Field(
        default_factory=list[Section],
        description="What a remote configuration may change beside buses, devices, defaults and "
        "history: commands, derived, historians, privacy, sinks. Default: none of them.",
    )
    watch: Seconds = Field(
        default=60.0,
        ge=1,
        le=3600,
        description="A new configuration is watched for so long; then it is kept or taken back. "
        "Default 60s.",
    )

    @model_validator(mode="after")
    def _one_key(self) -> RemoteEntry:
        if (self.public_key is None) == (self.secret is None):
            raise BadValue("LG-VAL-11", keys="public_key, secret")
        if self.public_key is not None and not is_public_key(self.public_key):
            raise BadValue("LG-REM-01")
        return self
