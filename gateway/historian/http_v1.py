"""`/write` of InfluxDB 1.x and of all that speak it, with nothing but the standard library.

Source: InfluxDB 1.x HTTP API reference, `/write` (query parameters db, rp, precision; 204; basic
authentication). Seen on Debian's influxdb 1.6.7 and victoria-metrics 1.79.5.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import ssl
from urllib.parse import urlencode, urlsplit

from gateway.historian.answer import Answer, NotUsable, ServerAway
from gateway.historian.transport import TOKEN, ReadSecret, secret_text
from gateway.settings.site_historians import Historian

MOST_SAID = 4096
"""Bytes of an answer that are read."""
GZIP_LEVEL = 1


class V1Write:
    """One kept connection, opened at the first write and again after each failure."""

    def __init__(self, historian: Historian, read_secret: ReadSecret) -> None:
        """Read the password, and the authority's certificate."""
        self._historian = historian
        address = urlsplit(historian.url)
        wanted = {"db": historian.database, "precision": "ms"}
        if historian.retention_policy is not None:
            wanted["rp"] = historian.retention_policy
        self._path = f"{address.path}/write?{urlencode(wanted)}"
        self._headers = {"Content-Type": "text/plain; charset=utf-8"}
        if historian.gzip:
            self._headers["Content-Encoding"] = "gzip"
        if (login := _authorization(historian, read_secret)) is not None:
            self._headers["Authorization"] = login
        host, port, timeout_s = address.hostname or "", address.port, historian.timeout_s
        if address.scheme == "https":
            self._connection = http.client.HTTPSConnection(
                host, port, timeout=timeout_s, context=_context(historian)
            )
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=timeout_s)

    def write(self, body: bytes) -> Answer:
        """Return what the server said to these lines.

        Raises:
            ServerAway: nobody answered in time.
        """
        packed = gzip.compress(body, GZIP_LEVEL) if self._historian.gzip else body
        is_kept = self._connection.sock is not None
        try:
            return self._ask(packed)
        except ConnectionError as error:  # RemoteDisconnected is one
            self._connection.close()
            if not is_kept:
                raise ServerAway(f"{type(error).__name__}: {error}") from error
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            self._connection.close()
            raise ServerAway(f"{type(error).__name__}: {error}") from error
        return self.write(body)  # the server had closed an idle connection, which is no outage

    def _ask(self, packed: bytes) -> Answer:
        self._connection.request("POST", self._path, packed, self._headers)
        with self._connection.getresponse() as response:
            said = response.read(MOST_SAID)
            if response.read(1):  # the rest is of no interest, and would stand before the next
                self._connection.close()
            text = said.decode("utf-8", "replace")
            return Answer(response.status, text, response.getheader("Retry-After"))

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


def _authorization(historian: Historian, read_secret: ReadSecret) -> str | None:
    if historian.token is not None:
        return f"Token {secret_text(TOKEN, historian.token, read_secret)}"
    if historian.username is None or historian.password is None:
        return None
    login = f"{historian.username}:{secret_text('password', historian.password, read_secret)}"
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def _context(historian: Historian) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=historian.ca)
    except OSError as error:  # ssl.SSLError is one: the file is no certificate
        raise NotUsable(f"ca {historian.ca}: {error}") from error
