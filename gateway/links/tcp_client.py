"""A TCP server of the field that we dial: Modbus TCP devices, serial servers, converters."""

from __future__ import annotations

import asyncio
import socket

from gateway.links import sockets
from gateway.links.contract import Link, LinkDown
from gateway.links.descriptor import DescriptorLink, Opened
from gateway.model.link import TcpClient

CONNECT_S = 4.0
"""For all addresses of a name together. One lost SYN is repeated after 1 s, two after 3 s."""
UNACKNOWLEDGED_S = 10.0
"""A device that does not even acknowledge for so long is gone."""


def tcp_link(settings: TcpClient) -> Link:
    """Return a link that dials the server at each `open`, with its name looked up anew."""
    return DescriptorLink(_TcpOpener(settings))


class _TcpOpener:
    """Dials one server."""

    char_s = 0.0
    is_stream = True

    def __init__(self, settings: TcpClient) -> None:
        self._settings = settings

    async def open(self) -> Opened:
        """Connect within CONNECT_S, trying each address of the name."""
        try:
            async with asyncio.timeout(CONNECT_S):
                sock = await self._connected()
        except TimeoutError as error:
            raise LinkDown(
                f"{self.describe()} does not answer within {CONNECT_S:g} s",
                "look at power, cable and address of the device",
            ) from error
        except socket.gaierror as error:
            raise LinkDown(
                f"the name {self._settings.host} is not known",
                "write the address in numbers, or mend the name service",
            ) from error
        except OSError as error:
            raise self.explain(error) from error
        return Opened(sock.fileno(), sock.close)

    def switch(self, setting: str | None) -> float:  # noqa: ARG002 - Opener
        """Return 0: a network has no serial setting."""
        return 0.0

    def explain(self, error: OSError | None) -> LinkDown:
        """Say what an error of the connection means."""
        return sockets.explain(self.describe(), error)

    def describe(self) -> str:
        """Return `tcp host:port`."""
        return f"tcp {self._settings.host}:{self._settings.port}"

    async def _connected(self) -> socket.socket:
        loop = asyncio.get_running_loop()
        failure: OSError | None = None
        for address in await sockets.addresses(self._settings.host):
            sock = socket.socket(address.family, socket.SOCK_STREAM)
            is_connected = False
            try:
                sockets.tune(sock, UNACKNOWLEDGED_S)
                await loop.sock_connect(sock, (address.host, self._settings.port))
                is_connected = True
            except OSError as error:
                failure = error
            finally:
                if not is_connected:
                    sock.close()
            if is_connected:
                return sock
        raise failure or OSError("no address")
