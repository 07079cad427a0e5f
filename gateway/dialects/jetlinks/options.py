"""JetLinks: settings of the sink and of its devices, and how it logs in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import md5
from typing import Literal

from gateway.dialects.by_name import Entry, PointNames
from gateway.dialects.options import command_ttl
from gateway.model.ids import DeviceId
from gateway.settings.problems import BadValue, shown
from gateway.settings.site_sinks import Secret

_TOPIC_PART = re.compile(r"[^/+#\s|]{1,128}")
"""What may stand between two slashes; `|` parts the user name. The platform's own rule for ids was
not seen."""


@dataclass(frozen=True, slots=True)
class JetLinksOptions:
    """`options:` of the sink."""

    product_id: str = field(metadata={"description": "Product of this gateway on the platform."})
    device_id: str = field(metadata={"description": "Device id of this gateway on the platform."})
    secure_id: str = field(metadata={"description": "`secureId` of the gateway (or its product)."})
    secure_key: Secret = field(metadata={"description": "`secureKey` of it, by name."})
    auth: Literal["md5", "plain"] = field(
        default="md5",
        metadata={
            "description": "As the product is set there: signed with the time, or plain text. "
            "Signed logins wait for a synchronised clock. Default md5."
        },
    )
    register: bool = field(
        default=False,
        metadata={
            "description": "Bind devices to this gateway at every connect. Default false: they are "
            "bound on the platform."
        },
    )
    bad_values: Literal["event", "property", "omit"] = field(
        default="event",
        metadata={
            "description": "How values that are not good are told: an event `quality`, a property "
            "`_q`, or not at all. They are never sent as values. Default event."
        },
    )
    audit: bool = field(
        default=False,
        metadata={"description": "Send audit entries too, as device logs. Default false."},
    )
    sync_time: bool = field(
        default=True,
        metadata={"description": "Ask the platform for the time every hour. Default true."},
    )
    command_ttl: float = command_ttl()

    def __post_init__(self) -> None:
        """Refuse what cannot be a part of a topic or of the user name."""
        for given in (self.product_id, self.device_id, self.secure_id):
            _check_part(given)


@dataclass(frozen=True, slots=True)
class JetLinksDeviceOptions:
    """Each entry below `devices:`."""

    device_id: str | None = field(
        default=None,
        metadata={"description": "Device id on the platform. Default: our device id."},
    )
    names: Mapping[str, str] = field(
        default_factory=dict[str, str],
        metadata={
            "description": "Property names of the thing model by our point ids.",
            "are_names": True,
        },
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be a part of a topic."""
        if self.device_id is not None:
            _check_part(self.device_id)


def entry_of(device: DeviceId, options: JetLinksDeviceOptions) -> Entry[JetLinksDeviceOptions]:
    """Return a device as the platform knows it."""
    return Entry(options.device_id or str(device), options, PointNames(options.names))


@dataclass(frozen=True, slots=True)
class Login:
    """User name and password of an MQTT CONNECT; the client id is the device id."""

    username: str
    password: str

    def __repr__(self) -> str:
        """Return it without the password."""
        return f"Login({self.username!r}, …)"


def signed_login(secure_id: str, secure_key: str, now_ms: int) -> Login:
    """Return the login of this moment, good for five minutes on either side.

    User name `secureId|ms`, password md5 of `secureId|ms|secureKey` in hex
    (jetlinks-official-protocol, src/main/resources/document-mqtt.md).
    """
    username = f"{secure_id}|{now_ms}"
    signed = f"{username}|{secure_key}".encode()
    return Login(username, md5(signed, usedforsecurity=False).hexdigest())


def _check_part(given: str) -> None:
    if not _TOPIC_PART.fullmatch(given):
        raise BadValue("LG-VAL-05", found=shown(given), limit="1..128, no / + # | or space")
