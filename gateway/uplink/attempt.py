"""The blocking part of connecting, done in a thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from paho.mqtt.client import Client

from gateway.model.publication import ConnectSpec
from gateway.settings.site_sinks import Sink
from gateway.uplink.errors import UplinkDown
from gateway.uplink.pipe import Pipe, PipeMaker
from gateway.uplink.secrets import Login, read_login
from gateway.uplink.tls import refuse_expired, tls_context


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, and as whom."""

    sink: Sink
    spec: ConnectSpec
    is_v5: bool
    now_ms: int
    is_clock_wrong: bool = False
    """The machine's clock cannot be right; `now_ms` is the earliest that it can be."""


class Attempt:
    """Names, TCP, TLS; CONNECT is queued but not sent."""

    def __init__(self, client: Client, target: Target) -> None:
        """Take a fresh client and where it shall go."""
        self._client = client
        self._target = target
        self.is_abandoned = False
        """Set when nobody waits any longer: what still comes about is closed at once."""

    def connect(self, timeout_s: float) -> Pipe:
        """Return the connected socket.

        Raises:
            OSError: names, TCP or TLS failed.
            UplinkDown: a secret or a certificate file is not there.
        """
        sink = self._target.sink
        is_timeless = self._target.is_clock_wrong
        maker = PipeMaker(tls_context(sink, is_timeless=is_timeless))
        login = self._login()
        if login.username is not None:
            self._client.username_pw_set(login.username, login.password)
        self._client.connect_timeout = timeout_s
        # paho takes any object with wrap_socket() (see `pipe`), but leaves it half typed.
        set_context = cast("Callable[[object], None]", getattr(self._client, "tls_set_context"))  # noqa: B009
        set_context(maker)
        arguments: dict[str, Any] = {"clean_start": True} if self._target.is_v5 else {}
        try:
            self._client.connect(sink.host, sink.port, keepalive=sink.keepalive_s, **arguments)
        except UnicodeError as error:  # the name cannot even be asked for (idna)
            raise UplinkDown(f"{sink.host!r} is no host name: {error}", is_final=True) from error
        finally:
            pipe = maker.pipe
            if pipe is not None and (self.is_abandoned or not pipe.is_ready):
                pipe.close()
        if pipe is None:
            raise UplinkDown("paho made no socket")
        if is_timeless:
            try:
                refuse_expired(pipe.peer_certificate(), self._target.now_ms)
            except UplinkDown:
                pipe.close()
                raise
        return pipe

    def _login(self) -> Login:
        spec = self._target.spec
        if spec.username is not None:
            return Login(spec.username, spec.password)
        return read_login(self._target.sink)
