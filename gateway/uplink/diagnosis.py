"""Why a connection failed, in the words of the person who must mend it. Pure."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

PLAUSIBLE_MS = 1_767_225_600_000
"""2026-01-01: before this a clock cannot be right, for this software is younger."""

_VERIFY = {
    10: "the broker's certificate has expired",
    9: "the broker's certificate is not valid yet",
    18: "the broker's certificate is self-signed and not the `ca` of this sink",
    19: "the broker's certificate was not signed by the `ca` of this sink",
    20: "the broker's certificate was not signed by the `ca` of this sink",
    21: "the broker's certificate was not signed by the `ca` of this sink",
    62: "the broker's certificate is for another host name",
    64: "the broker's certificate is for another address",
}
"""X509_V_ERR_… of OpenSSL (x509_vfy.h)."""
_CLOCK_CODES = frozenset({9, 10})
_ALERTS = {
    "CERTIFICATE_REQUIRED": "the broker wants a client certificate: `certificate` and `key`",
    "HANDSHAKE_FAILURE": "the broker refused the handshake: does it want a client certificate?",
    "UNKNOWN_CA": "the broker does not know who signed our certificate",
    "BAD_CERTIFICATE": "the broker refused our certificate",
    "CERTIFICATE_EXPIRED": "the broker says that our certificate has expired",
    "CERTIFICATE_REVOKED": "the broker says that our certificate was revoked",
    "WRONG_VERSION_NUMBER": "this port does not speak TLS: mqtt:// instead of mqtts://?",
    "PROTOCOL_VERSION": "the broker speaks only TLS versions older than 1.2",
}
_CONNACK = {
    0x84: "the broker does not speak this version of MQTT",
    0x85: "the broker refuses the client id {client!r}",
    0x86: "user name or password is wrong",
    0x87: "the broker does not allow us to connect: user name, password or certificate",
    0x88: "the broker says that it is not available",
    0x89: "the broker is busy",
    0x8A: "the broker has banned this client",
    0x8C: "the broker refuses the way we log in",
    0x8E: "another client uses the id {client!r}",
    0x95: "the broker refuses a packet that is too large",
    0x97: "the broker's quota is used up",
    0x9C: "the broker asks to use another server{server}",
    0x9D: "the broker has moved{server}",
    0x9F: "the broker refuses so many connections",
    0x8B: "the broker is shutting down",
    0x8D: "the broker heard nothing from us for too long",
    0x98: "an administrator closed the connection",
}


def explain_error(error: OSError, host: str, port: int, now_ms: int) -> str:
    """Return why no connection came about. `now_ms` is this box's clock, which may be the cause."""
    code = getattr(error, "verify_code", None)
    reason = getattr(error, "reason", None)
    if isinstance(code, int):
        text = _explain_verify(error, code, host, now_ms)
    elif isinstance(reason, str):
        text = _explain_alert(reason)
    else:
        text = _explain_network(error, host)
    return f"{host}:{port}: {text}"


def explain_code(code: int, name: str, client: str, server: str | None = None) -> str:
    """Return what a reason code of CONNACK or DISCONNECT means."""
    text = _CONNACK.get(code, name)
    hint = f": {server}" if server else ""
    return f"{text.format(client=client, server=hint)} (0x{code:02X})"


def _explain_verify(error: OSError, code: int, host: str, now_ms: int) -> str:
    text = _VERIFY.get(code, f"certificate check failed: {getattr(error, 'verify_message', error)}")
    if code in _CLOCK_CODES:
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        text += f"; the clock of this box says {now:%Y-%m-%d %H:%M} UTC"
        if now_ms < PLAUSIBLE_MS:
            text += ", which cannot be right: set it first (NTP, RTC battery)"
    if code in {62, 64}:
        text += f", not for {host!r}"
    return text


def _explain_alert(reason: str) -> str:
    for part, text in _ALERTS.items():
        if part in reason:
            return text
    return f"TLS failed ({reason})"


def _explain_network(error: OSError, host: str) -> str:
    if isinstance(error, socket.gaierror):
        return f"the name {host!r} cannot be resolved ({error.strerror})"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; nothing listens there"
    if isinstance(error, TimeoutError):
        return "no answer"
    return error.strerror or str(error)
