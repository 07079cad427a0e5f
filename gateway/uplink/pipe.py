"""The socket that paho gets: it reads and writes in large pieces.

paho reads a packet's header byte by byte and sends each packet with a call of its own: five
system calls for one acknowledged message. Here a burst of messages is one `send` and a burst of
acknowledgements one `recv`. paho asks `tls_set_context(...)`'s object for the socket it shall
use, which is the public place to hand this in; without TLS it wraps the plain socket.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, Protocol

from gateway.uplink.sieve import Sieve

READ_SIZE = 65_536
UNSENT_BYTES = 8192
"""What the system may hold unsent where nothing is acknowledged: on a slow link the next alarm
stands behind it (Linux, TCP_NOTSENT_LOWAT)."""


class TlsContext(Protocol):
    """The part of `ssl.SSLContext` that is used."""

    def wrap_socket(
        self, sock: socket.socket, *, server_hostname: str, do_handshake_on_connect: bool
    ) -> socket.socket:
        """Return the socket with TLS around it, handshake not yet done."""
        ...


class Pipe:
    """A connected socket with buffers on both sides."""

    def __init__(self, sock: socket.socket) -> None:
        """Take a connected socket, with TLS around it or not."""
        self._sock = sock
        self._in = b""
        self._at = 0
        self._out = bytearray()
        self.error: OSError | None = None
        """Why the connection broke; paho keeps only that it did."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.sieve: Sieve | None = None
        self.is_closed = False
        self.is_ready = False
        """Whether paho is done with connecting (it then makes the socket non-blocking)."""

    # --- what paho calls

    def do_handshake(self) -> None:
        """Do the TLS handshake, within the socket's timeout; nothing without TLS."""
        handshake = getattr(self._sock, "do_handshake", None)
        if handshake is not None:
            handshake()

    def peer_certificate(self) -> dict[str, Any] | None:
        """Return the broker's certificate, taken apart; None without TLS."""
        certificate = getattr(self._sock, "getpeercert", None)
        return None if certificate is None else certificate()

    def settimeout(self, seconds: float | None) -> None:
        """Set the timeout of blocking calls."""
        self._sock.settimeout(seconds)

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the signature of sockets
        """Choose blocking or not."""
        self._sock.setblocking(flag)
        self.is_ready = True

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._sock.fileno()

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes; raises BlockingIOError when there are none."""
        if self._at >= len(self._in):
            self._in, self._at = self._filled(), 0
        piece = self._in[self._at : self._at + size]
        self._at += size
        return piece

    def _filled(self) -> bytes:
        """Return the next bytes that pass the sieve, b"" at the end of the stream."""
        try:
            came = self._sock.recv(READ_SIZE)
        except BlockingIOError:
            raise  # kept or raised from itself it would be a ring, with all its frames
        except OSError as error:
            raise self._noted(error) from error
        self.bytes_in += len(came)
        passed = came if self.sieve is None else self.sieve.through(came)
        if came and not passed:
            raise BlockingIOError  # all of it fell: others have their turn
        return passed

    def send(self, piece: bytes) -> int:
        """Take bytes to be sent at the next `flush`."""
        self._out += piece
        return len(piece)

    def close(self) -> None:
        """Send what can be sent at once, and close."""
        if self.is_closed:
            return
        if self._out and self.error is None:
            with suppress(OSError):  # it is being closed
                self.flush()
        self.is_closed = True
        self._sock.close()

    # --- what the session calls

    @property
    def end(self) -> int:
        """Where in the stream the last byte stands that was put in."""
        return self.bytes_out + len(self._out)

    def hold_little(self) -> None:
        """Let the system take only what it can soon send."""
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def has_input(self) -> bool:
        """Whether bytes wait in a buffer of ours or of TLS, where no poll sees them."""
        if self._at < len(self._in):
            return True
        pending = getattr(self._sock, "pending", None)
        return pending is not None and not self.is_closed and bool(pending())

    def flush(self) -> bool:
        """Send what waits; return whether all of it went."""
        while self._out:
            try:
                sent = self._sock.send(self._out)
            except OSError as error:
                noted = self._noted(error)
                if isinstance(noted, BlockingIOError):
                    return False
                self.error = self._last_word() or noted
                raise self.error from error
            self.bytes_out += sent
            del self._out[:sent]
        return True

    def _last_word(self) -> OSError | None:
        """Return the alert with which the other side broke off, None when it said nothing.

        Under TLS 1.3 a broker that misses our certificate says so after the handshake, and hangs
        up: the write fails first, and what it said waits to be read.
        """
        try:
            self._sock.recv(1)
        except OSError as said:
            is_alert = not isinstance(self._noted(said), BlockingIOError)
            return said if is_alert and isinstance(getattr(said, "reason", None), str) else None
        return None

    def _noted(self, error: OSError) -> OSError:
        if isinstance(error, BlockingIOError):
            return error
        if type(error).__name__ in {"SSLWantReadError", "SSLWantWriteError"}:
            return BlockingIOError()
        self.error = error
        return error


class PipeMaker:
    """Handed to paho as its TLS context; keeps the pipe it made."""

    def __init__(self, tls: TlsContext | None) -> None:
        """Take the context of a TLS connection, or None."""
        self._tls = tls
        self.check_hostname = True  # done by `tls` itself; paho need not do it again
        self.pipe: Pipe | None = None

    def wrap_socket(
        self, sock: socket.socket, *, server_hostname: str, do_handshake_on_connect: bool
    ) -> Pipe:
        """Return the pipe over a connected socket."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            sock = self._tls.wrap_socket(
                sock,
                server_hostname=server_hostname,
                do_handshake_on_connect=do_handshake_on_connect,
            )
        self.pipe = Pipe(sock)
        return self.pipe
