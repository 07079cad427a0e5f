"""A datagram peer: each send is one datagram, and only datagrams of that peer are received."""

from __future__ import annotations

import errno
import socket

from gateway.links import sockets
from gateway.links.contract import Link, LinkDown
from gateway.links.descriptor import DescriptorLink, Opened
from gateway.model.link import UdpPeer


def udp_link(settings: UdpPeer) -> Link:
    """Return a link to the peer, whose name is looked up anew at each `open`."""
    return DescriptorLink(_UdpOpener(settings))


class _UdpOpener:
    """Makes a socket that is bound to our port and connected to the peer."""

    char_s = 0.0
    is_stream = False

    def __init__(self, settings: UdpPeer) -> None:
        self._settings = settings

    async def open(self) -> Opened:
        """Open the socket; that the peer lives shows only when it answers."""
        settings = self._settings
        try:
            address = (await sockets.addresses(settings.host))[0]
        except socket.gaierror as error:
            raise LinkDown(
                f"the name {settings.host} is not known",
                "write the address in numbers, or mend the name service",
            ) from error
        sock = socket.socket(address.family, socket.SOCK_DGRAM)
        is_ready = False
        try:
            sock.settimeout(0)
            if settings.local_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("", settings.local_port))
            sock.connect((address.host, settings.port))
            is_ready = True
        except OSError as error:
            raise self._refusal(error) from error
        finally:
            if not is_ready:
                sock.close()
        return Opened(sock.fileno(), sock.close)

    def switch(self, setting: str | None) -> float:  # noqa: ARG002 - Opener
        """Return 0: a network has no serial setting."""
        return 0.0

    def explain(self, error: OSError | None) -> LinkDown:
        """Say what an error of the socket means."""
        return sockets.explain(self.describe(), error)

    def describe(self) -> str:
        """Return `udp host:port`."""
        return f"udp {self._settings.host}:{self._settings.port}"

    def _refusal(self, error: OSError) -> LinkDown:
        if error.errno == errno.EADDRINUSE:
            return LinkDown(
                f"our UDP port {self._settings.local_port} is taken",
                "choose another local port, or end the program that has it",
            )
        return self.explain(error)
