"""What may leave the site, as models: `allow`, `transforms` and `payload` of a sink, `privacy`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from gateway.settings.fields import Seconds, Strict, Text, Whole
from gateway.settings.models.common import Level, SecretRef
from gateway.settings.problems import BadValue

DAY_S = 86400


class ChoiceEntry(Strict):
    """Some points of some devices."""

    device: Text = Field(default="*", description="Device id; * stands for any characters.")
    kind: Text = Field(default="*", description="Kind of device, such as meter.*.")
    points: list[Text] = Field(
        min_length=1,
        description="Point ids; * stands for any characters. A lone * never lets personal points "
        "(P2, P3) out: those are named.",
    )


class TransformEntry(ChoiceEntry):
    """What is done to values before they leave through this sink."""

    by: Literal["drop", "hash", "mask"] = Field(
        description="drop: the values do not leave. hash: a keyed hash stands for them, equal for "
        "equal values until the key rotates. mask: only the first and last characters are shown."
    )
    level: Level | None = Field(
        default=None,
        description="Level that a hashed or masked value has. Default: the point's own.",
    )
    first: Whole | None = Field(
        default=None,
        ge=0,
        le=16,
        description="Characters that a mask shows at the front. Default 2.",
    )
    last: Whole | None = Field(
        default=None, ge=0, le=16, description="Characters that a mask shows at the end. Default 2."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> TransformEntry:
        for key in ("first", "last"):
            if self.by != "mask" and getattr(self, key) is not None:
                raise BadValue("LG-PRIV-01", key=key, by=self.by)
        if self.by == "drop" and self.level is not None:
            raise BadValue("LG-PRIV-01", key="level", by=self.by)
        return self


class PayloadEntry(Strict):
    """How payloads are sealed, beside TLS; only with the native dialect."""

    cipher: Literal["sm4-gcm", "sm4-cbc"] | None = Field(
        default=None, description="Encrypt with SM4 (GB/T 32907). sm4-gcm also shows tampering."
    )
    key: SecretRef | None = Field(
        default=None, description="Key of the cipher by name: 32 hex digits."
    )
    sign_key: SecretRef | None = Field(
        default=None,
        description="Sign with SM2 and SM3 (GB/T 32918.2): our private key by name, 64 hex digits.",
    )
    signer: Annotated[str, Field(strict=True, min_length=1, max_length=256)] = Field(
        default="1234567812345678",
        description="Our name in the signature. Default 1234567812345678, as in GM/T 0009.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> PayloadEntry:
        if (self.cipher is None) != (self.key is None):
            raise BadValue("LG-PRIV-02")
        if self.cipher is None and self.sign_key is None:
            raise BadValue("LG-VAL-11", keys="cipher, sign_key")
        return self


class PrivacyEntry(Strict):
    """Hashes and pseudonyms of all sinks."""

    algorithm: Literal["hmac-sha256", "hmac-sm3"] = Field(
        default="hmac-sha256",
        description="Keyed hash: hmac-sha256, or the national hmac-sm3. Default hmac-sha256.",
    )
    rotate: Annotated[Seconds, Field(ge=DAY_S, le=30 * DAY_S)] = Field(
        default=30.0 * DAY_S,
        description="After this time, in whole days, equal values get other hashes. Default 30d, "
        "which is the longest.",
    )
    key: SecretRef | None = Field(
        default=None,
        description="Key by name, 64 hex digits, for several gateways of one site. Default: the "
        "gateway's own key.",
    )
    places: Literal["pseudonym", "drop"] = Field(
        default="pseudonym",
        description="What platforms below L3 get of rooms and other places of one home. "
        "Default pseudonym.",
    )
