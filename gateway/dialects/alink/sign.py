"""Credentials of the Alink family: for the connection itself and for sub-devices. Pure."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote

from gateway.dialects.alink.names import Name
from gateway.dialects.alink.options import AlinkOptions
from gateway.dialects.alink.profile import Auth
from gateway.dialects.contract import CannotConnect

_NOT_SIGNED = frozenset({"sign", "signMethod", "signmethod", "cleanSession"})
TOKEN_VERSION = "2018-10-31"  # noqa: S105 - a date
"""iot.10086.cn …/auth/token.html: the only one there is."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs what: the site's options, and the moment."""

    options: AlinkOptions
    now_ms: int
    uses_tls: bool = False


@dataclass(frozen=True, slots=True)
class Login:
    """What CONNECT carries."""

    client_id: str
    username: str
    password: str


def content(fields: Mapping[str, str]) -> str:
    """Return what is signed: every field and its value, by name, without anything between.

    Source: domain.md §2.2 and S5; sign, its method and `cleanSession` stay out.
    """
    return "".join(f"{key}{fields[key]}" for key in sorted(fields.keys() - _NOT_SIGNED))


def signature(fields: Mapping[str, str], secret: str, method: str) -> str:
    """Return the HMAC of these fields in lower-case hex; `method` is hmacsha256 and its like."""
    algorithm = method.removeprefix("hmac")
    return hmac.new(secret.encode(), content(fields).encode(), algorithm).hexdigest()


def hashed(fields: Mapping[str, str], secret: str) -> str:
    """Return EnOS's signature: SHA-256 of fields and secret, upper-case hex.

    Source: support.enos-iot.com …/nonsdk_login.html; sub-devices follow the gateway's rule.
    """
    return sha256(f"{content(fields)}{secret}".encode()).hexdigest().upper()


def token(resource: str, key: str, method: str, ends_s: int) -> str:
    """Return an OneNET token for a resource until a moment (UTC seconds).

    Source: iot.10086.cn …/auth/token.html: base64 of the HMAC, with the decoded key, over
    end, method, resource and version, one a line; values are percent-encoded.

    Raises:
        CannotConnect: the key is no base64.
    """
    algorithm = method.removeprefix("hmac")
    signed = "\n".join((str(ends_s), algorithm, resource, TOKEN_VERSION))
    try:
        secret = b64decode(key, validate=True)
    except binascii.Error as error:
        raise CannotConnect(f"the OneNET key is no base64: {error}") from error
    sign = b64encode(hmac.new(secret, signed.encode(), algorithm).digest()).decode()
    return (
        f"version={TOKEN_VERSION}&res={quote(resource, safe='')}&et={ends_s}"
        f"&method={algorithm}&sign={quote(sign, safe='')}"
    )


def device_token(name: Name, key: str, by: Signer) -> str:
    """Return the OneNET token of a device. Raises CannotConnect."""
    ends_s = by.now_ms // 1000 + int(by.options.token_life)
    resource = f"products/{name.product}/devices/{name.device}"
    return token(resource, key, by.options.sign_method, ends_s)


def aliyun(name: Name, secret: str, by: Signer) -> Login:
    """Return the login of Alibaba's direct MQTT connection.

    Client id `{id}|securemode=…,signmethod=…,timestamp=…|` (2 with TLS, 3 without), user
    `{device}&{product}`. Source: thinkgos/aliyun-iot infra; alibabacloud.com/help MQTT-TCP.
    """
    method, at = by.options.sign_method, str(by.now_ms)
    plain = f"{name.product}.{name.device}"
    mode = 2 if by.uses_tls else 3
    fields = {
        "clientId": plain,
        "deviceName": name.device,
        "productKey": name.product,
        "timestamp": at,
    }
    return Login(
        f"{plain}|securemode={mode},signmethod={method},timestamp={at}|",
        f"{name.device}&{name.product}",
        signature(fields, secret, method),
    )


def yudao(name: Name, secret: str, by: Signer) -> Login:
    """Return the login of yudao: no time, and the secret among the signed fields.

    Source: YunaiV/ruoyi-vue-pro IotDeviceAuthUtils.
    """
    plain = f"{name.product}.{name.device}"
    fields = {
        "clientId": plain,
        "deviceName": name.device,
        "deviceSecret": secret,
        "productKey": name.product,
    }
    password = signature(fields, secret, by.options.sign_method)
    return Login(plain, f"{name.device}&{name.product}", password)


def enos(name: Name, secret: str, by: Signer) -> Login:
    """Return the login of EnOS. Source: support.enos-iot.com …/nonsdk_login.html."""
    at = str(by.now_ms)
    fields = {
        "clientId": name.device,
        "deviceKey": name.device,
        "productKey": name.product,
        "timestamp": at,
    }
    return Login(
        f"{name.device}|securemode=2,signmethod=sha256,timestamp={at}|",
        f"{name.device}&{name.product}",
        hashed(fields, secret),
    )


def onenet(name: Name, secret: str, by: Signer) -> Login:
    """Return the login of OneNET: device, product, token. Raises CannotConnect."""
    return Login(name.device, name.product, device_token(name, secret, by))


LOGINS: Mapping[Auth, Callable[[Name, str, Signer], Login]] = {
    Auth.ALIYUN: aliyun,
    Auth.YUDAO: yudao,
    Auth.ENOS: enos,
    Auth.ONENET: onenet,
}
"""Those that sign; `Auth.SINK` leaves it to the sink's own settings."""
