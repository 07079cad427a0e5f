"""Where a broker is and who we are there, from a URL."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, unquote, urlsplit

PORTS = {"mqtt": 1883, "mqtts": 8883}


class BadUrl(Exception):
    """The address of the broker cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and who we are there."""

    host: str
    port: int
    is_tls: bool
    username: str | None
    password: str | None
    ca: str | None = None
    """File with certificates to trust instead of the machine's."""

    @classmethod
    def of(cls, url: str, ca: str | None = None) -> Broker:
        """Return the broker of `mqtt[s]://[user:password@]host[:port]`.

        Raises:
            BadUrl: it is no such URL.
        """
        try:
            parts: SplitResult = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise BadUrl(str(error)) from error
        if parts.scheme not in PORTS or not parts.hostname:
            raise BadUrl(f"{url!r} is not mqtt://host:port or mqtts://host:port")
        return cls(
            parts.hostname,
            port or PORTS[parts.scheme],
            parts.scheme == "mqtts",
            None if parts.username is None else unquote(parts.username),
            None if parts.password is None else unquote(parts.password),
            ca,
        )

    def tls_context(self) -> ssl.SSLContext | None:
        """Return what the connection is secured with; None without TLS. Raises OSError."""
        return ssl.create_default_context(cafile=self.ca) if self.is_tls else None

    def with_password(self, password: str) -> Broker:
        """Return the same with a password that is not in the URL."""
        return replace(self, password=password)
