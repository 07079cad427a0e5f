"""An HTTP server whose answers a test holds in its hand; every request is noted.

with ScriptedHttp() as server:
    server.answer = lambda request: Reply(503, {"Retry-After": "5"})
    ... server.url ...
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its body unpacked."""

    path: str
    headers: Mapping[str, str]
    body: str

    @property
    def lines(self) -> list[str]:
        """The body by lines."""
        return self.body.splitlines()


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; None as status: nothing, until the server is closed."""

    status: int | None = 204
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str = ""
    hangs_up: bool = False
    """The connection is closed after the answer, and nothing says so before."""


class ScriptedHttp:
    """A server on a free loopback port, in threads of its own."""

    def __init__(self) -> None:
        self.answer: Callable[[Request], Reply] = lambda _: Reply()
        self.requests: list[Request] = []
        self.closing = threading.Event()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 5

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                request = Request(self.path, dict(self.headers.items()), body.decode())
                owner.requests.append(request)
                reply = owner.answer(request)
                if reply.status is None:
                    owner.closing.wait()
                    self.close_connection = True
                    return
                said = reply.body.encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                if reply.status != 204:
                    self.wfile.write(said)
                self.close_connection = self.close_connection or reply.hangs_up

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
