"""`sinks:` of the site file as models: one platform each."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import BeforeValidator, Field, WithJsonSchema

from gateway.settings.fields import Flag, Id, Name, Number, Seconds, Strict, Text, Urls, Whole
from gateway.settings.models.common import Level, SecretEntry, SecretRef
from gateway.settings.models.privacy import ChoiceEntry, PayloadEntry, TransformEntry
from gateway.settings.problems import BadValue, Phrase, shown

_SECRET_KEYS = frozenset({"credential", "env", "file"})


def _option(value: Any) -> Any:  # noqa: ANN401 - unchecked YAML
    """Return one setting of a dialect: a scalar, a list of texts, texts by name, or a secret."""
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, list) and all(isinstance(x, str) for x in cast("list[object]", value)):
        return tuple(cast("list[str]", value))
    if isinstance(value, dict):
        given = cast("dict[str, object]", value)
        if len(given) == 1 and given.keys() <= _SECRET_KEYS:
            return SecretEntry.model_validate(given)
        if all(isinstance(x, str) for x in given.values()):
            return given
    raise BadValue("LG-VAL-01", expected=Phrase("scalar"), found=shown(cast("object", value)))


OptionEntry: TypeAlias = Annotated[
    Any,
    BeforeValidator(_option),
    WithJsonSchema({"type": ["string", "number", "boolean", "array", "object"]}),
]
Options: TypeAlias = dict[Id, OptionEntry]


class TlsEntry(Strict):
    """TLS of a sink."""

    ca: Text | None = Field(
        default=None,
        description="Path of the authority's certificate. Default: the system's authorities.",
    )
    certificate: Text | None = Field(default=None, description="Path of our client certificate.")
    key: SecretRef | None = Field(
        default=None, description="Private key of it, as {file: path} or {credential: name}."
    )


class SinkEntry(Strict):
    """One platform that gets the readings."""

    dialect: Id = Field(default="native", description="Payload standard. Default native.")
    url: Urls = Field(
        description="mqtt://host:1883 or mqtts://host:8883; or a list of them, the preferred first."
    )
    root: Text = Field(default="fc", description="First part of all topics. Default fc.")
    tls: TlsEntry | None = Field(default=None, description="TLS settings; only with mqtts://.")
    credentials: SecretRef | None = Field(
        default=None, description="Secret of two lines: user name and password."
    )
    username: Name | None = Field(
        default=None, description="User name, when it is not in `credentials`."
    )
    password: SecretRef | None = Field(
        default=None, description="Password by name; see `credentials`."
    )
    client_id: Text | None = Field(
        default=None, description="MQTT client id. Default: made of the gateway's id."
    )
    max_level: Level = Field(
        default="L2", description="Highest data level this sink may see. Default L2."
    )
    ack: Literal["puback", "app"] = Field(
        default="puback",
        description="What counts as delivered: the broker's PUBACK, or the platform's own.",
    )
    window: Whole = Field(
        default=100, ge=1, le=10_000, description="Messages in flight. Default 100."
    )
    keepalive: Seconds = Field(
        default=10.0, ge=1, le=3600, description="MQTT keep-alive. Default 10s."
    )
    mqtt: Literal["auto", "5", "3.1.1"] = Field(
        default="auto", description="Protocol version; auto tries 5, then 3.1.1."
    )
    backfill_share: Number = Field(
        default=0.3,
        ge=0.05,
        le=1.0,
        description="Part of the window that old values may fill. Default 0.3.",
    )
    hold_unheard: Flag = Field(
        default=False,
        description="Keep what nobody subscribes to until somebody does. Default false.",
    )
    options: Options = Field(
        default_factory=dict,
        description="Settings of the dialect: see its page. Secrets by name only.",
    )
    devices: dict[Name, Options] = Field(
        default_factory=dict,
        description="How the platform knows our devices, by device id or pattern such as em-*: "
        "{em-01: {device_name: m1}}. The first that fits counts.",
    )
    allow: list[ChoiceEntry] | None = Field(
        default=None,
        description="What may leave, and nothing else: [{kind: meter.*, points: [ep_imp]}]. "
        "Default: all points up to max_level but personal ones (P2, P3), which leave only by name.",
    )
    transforms: list[TransformEntry] = Field(
        default_factory=list[TransformEntry],
        description="What is done to values before they leave; the first line that fits counts.",
    )
    payload: PayloadEntry | None = Field(
        default=None, description="Encrypt (SM4) or sign (SM2) payloads. Default: neither."
    )
