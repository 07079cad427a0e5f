"""`/api/v2/write` of InfluxDB 2 (and 3, Cloud, VictoriaMetrics) through influxdb-client.

The library is used as a transport only: the lines are ours, and batching and retrying belong to
the outbox, because its own keep what waits in memory. It costs 30 MB, so it is imported when a
site has such a historian, in the writing thread.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

from urllib3.exceptions import HTTPError, ProtocolError

from gateway.historian.answer import Answer, NotUsable, ServerAway
from gateway.historian.transport import TOKEN, ReadSecret, secret_text
from gateway.settings.site_historians import Historian

try:
    from influxdb_client.client.influxdb_client import InfluxDBClient
    from influxdb_client.client.write_api import SYNCHRONOUS
    from influxdb_client.domain.write_precision import WritePrecision
    from influxdb_client.rest import ApiException
except ImportError as error:
    raise NotUsable(
        "influxdb-client is not installed: pip install 'linli-gateway[influx]'"
    ) from error


class V2Write:
    """One client of influxdb-client."""

    def __init__(self, historian: Historian, read_secret: ReadSecret) -> None:
        """Read the token or the password."""
        self._historian = historian
        self._is_kept = False
        """Whether a connection may be open that the server closes when it likes."""
        options = _login(historian, read_secret)
        if historian.ca is not None:
            if not Path(historian.ca).is_file():
                raise NotUsable(f"ca {historian.ca}: there is no such file")
            options["ssl_ca_cert"] = str(historian.ca)
        self._client: Any = InfluxDBClient(
            historian.url,
            org=historian.org,
            timeout=round(historian.timeout_s * 1000),
            enable_gzip=historian.gzip,
            **options,
        )
        self._api: Any = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, body: bytes) -> Answer:
        """Return what the server said to these lines.

        Raises:
            ServerAway: nobody answered in time.
        """
        is_kept, self._is_kept = self._is_kept, False
        try:
            answer = self._ask(body)
        except ProtocolError as error:
            if not is_kept:
                raise ServerAway(f"{type(error).__name__}: {error}") from error
            return self.write(body)  # the server had closed an idle connection: no outage
        except (HTTPError, OSError, ValueError) as error:
            raise ServerAway(f"{type(error).__name__}: {error}") from error
        self._is_kept = True
        return answer

    def _ask(self, body: bytes) -> Answer:
        historian = self._historian
        try:
            self._api.write(
                historian.database, historian.org, body, write_precision=WritePrecision.MS
            )
        except ApiException as refusal:
            return _answer(refusal)
        return Answer(HTTPStatus.NO_CONTENT)

    def close(self) -> None:
        """Let go of the connections, which urllib3 would only do when its pool is collected."""
        pools = self._client.api_client.rest_client.pool_manager
        pools.connection_from_url(self._historian.url).close()
        self._client.close()


def _login(historian: Historian, read_secret: ReadSecret) -> dict[str, Any]:
    token = "" if historian.token is None else secret_text(TOKEN, historian.token, read_secret)
    if historian.username is None or historian.password is None:
        return {"token": token}
    password = secret_text("password", historian.password, read_secret)
    # The library wants both in one; by their own names it would sign in, as only InfluxDB 2 knows.
    return {"token": f"{historian.username}:{password}", "auth_basic": True}


def _answer(refusal: ApiException) -> Answer:
    told: Any = refusal  # the library leaves what it holds untyped
    said, headers = told.body, told.headers
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said or "")
    return Answer(
        int(told.status or 0), text, None if headers is None else headers.get("Retry-After")
    )
