"""Both transports against a server that is played by a script: what is sent, what is heard."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.historian import writer as writer_module
from gateway.historian.answer import Answer, Fate, NotUsable
from gateway.historian.schema import Line
from gateway.historian.transport import Transport
from gateway.historian.writer import Writer, open_transport
from gateway.model.record import Lane
from gateway.settings.secrets import read_secret
from gateway.settings.site_historians import Historian
from gateway.settings.site_sinks import Secret
from tests.historian.historian_support import a_historian
from tests.support.mosquitto import free_port
from tests.support.scripted_http import Reply, Request, ScriptedHttp

NOW_MS = 1_700_000_000_000
LINES = [
    Line(b"m,a=1 value=1.0 1", Lane.TELEMETRY, 1),
    Line(b"m,a=2 value=2.0 1", Lane.TELEMETRY, 2),
]
BOTH = pytest.mark.parametrize("version", [1, 2])


@pytest.fixture
def server() -> Iterator[ScriptedHttp]:
    with ScriptedHttp() as server:
        yield server


@pytest.fixture
def secret(tmp_path: Path) -> Secret:
    file = tmp_path / "secret"
    file.write_text("canary-7\n", encoding="utf-8")
    file.chmod(0o600)
    return Secret("file", str(file))


@asynccontextmanager
async def a_writer(historian: Historian) -> AsyncGenerator[Writer]:
    writer = Writer(historian, read_secret, lambda: NOW_MS)
    try:
        yield writer
    finally:
        writer.close()


def at(server: ScriptedHttp, version: int, **changes: Any) -> Historian:
    return a_historian(url=server.url, version=version, org="o r g", **changes)


@BOTH
@pytest.mark.parametrize("is_packed", [True, False])
async def test_lines_arrive_as_they_are_in_ms(
    server: ScriptedHttp, version: int, *, is_packed: bool
) -> None:
    async with a_writer(at(server, version, gzip=is_packed)) as writer:
        assert (await writer.write(LINES)).fate is Fate.WRITTEN
    (request,) = server.requests
    assert request.lines == ["m,a=1 value=1.0 1", "m,a=2 value=2.0 1"]
    assert "precision=ms" in request.path
    wanted = {1: ("/write?", "db=lake"), 2: ("/api/v2/write?", "bucket=lake")}[version]
    assert all(part in request.path for part in wanted)
    assert (request.headers.get("Content-Encoding") == "gzip") is is_packed


async def test_a_path_before_the_interface_and_a_retention_policy_are_kept(
    server: ScriptedHttp,
) -> None:
    historian = a_historian(url=f"{server.url}/tsdb", version=1, retention_policy="a year")
    async with a_writer(historian) as writer:
        await writer.write(LINES)
    assert server.requests[0].path == "/tsdb/write?db=lake&precision=ms&rp=a+year"


@BOTH
async def test_a_token_goes_in_the_header_and_nowhere_else(
    server: ScriptedHttp, secret: Secret, version: int
) -> None:
    async with a_writer(at(server, version, token=secret)) as writer:
        await writer.write(LINES)
    request = server.requests[0]
    assert request.headers["Authorization"] == "Token canary-7"
    assert "canary-7" not in request.path + request.body


@BOTH
async def test_user_and_password_are_basic_authentication(
    server: ScriptedHttp, secret: Secret, version: int
) -> None:
    async with a_writer(at(server, version, username="linli", password=secret)) as writer:
        await writer.write(LINES)
    kind, _, login = server.requests[0].headers["Authorization"].partition(" ")
    assert (kind.lower(), base64.b64decode(login)) == ("basic", b"linli:canary-7")


@BOTH
@pytest.mark.parametrize(
    ("reply", "fate", "wait_s"),
    [
        (
            Reply(401, {}, '{"code":"unauthorized","message":"unauthorized access"}'),
            Fate.DENIED,
            None,
        ),
        (Reply(404, {}, '{"error":"database not found: \\"lake\\""}'), Fate.DENIED, None),
        (Reply(413, {}, "{}"), Fate.TOO_LARGE, None),
        (Reply(429, {"Retry-After": "7"}, "{}"), Fate.BUSY, 7.0),
        (Reply(503, {"Retry-After": "9"}, "{}"), Fate.BUSY, 9.0),
        (Reply(503, {}, ""), Fate.BUSY, None),
        (Reply(500, {}, "{}"), Fate.AWAY, None),
        (
            Reply(400, {}, '{"error":"partial write: type conflict dropped=1"}'),
            Fate.BAD_LINES,
            None,
        ),
        (Reply(400, {}, "who are you"), Fate.DOUBTFUL, None),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Reply) else "",
)
async def test_a_refusal_keeps_its_meaning_its_words_and_its_wish(
    server: ScriptedHttp, version: int, reply: Reply, fate: Fate, wait_s: float | None
) -> None:
    server.answer = lambda _: reply
    async with a_writer(at(server, version)) as writer:
        verdict = await writer.write(LINES)
        server.answer = lambda _: Reply()
        assert (await writer.write(LINES)).fate is Fate.WRITTEN, "the connection is still good"
    assert (verdict.fate, verdict.wait_s) == (fate, wait_s)
    assert " ".join(reply.body.split()) in verdict.reason
    assert len(server.requests) == 2, "nothing is repeated behind our back"


@BOTH
async def test_a_mended_token_is_read_again(
    server: ScriptedHttp, secret: Secret, version: int
) -> None:
    def judge(request: Request) -> Reply:
        return Reply(204 if request.headers["Authorization"] == "Token right" else 401, {}, "no")

    server.answer = judge
    async with a_writer(at(server, version, token=secret)) as writer:
        assert (await writer.write(LINES)).fate is Fate.DENIED
        Path(secret.name).write_text("right\n", encoding="utf-8")
        assert (await writer.write(LINES)).fate is Fate.WRITTEN


@BOTH
async def test_a_missing_secret_is_told_by_its_name(server: ScriptedHttp, version: int) -> None:
    missing = Secret("file", "/nowhere/token")
    async with a_writer(at(server, version, token=missing)) as writer:
        verdict = await writer.write(LINES)
    assert verdict.fate is Fate.DENIED
    assert "file:/nowhere/token" in verdict.reason
    assert not server.requests


@BOTH
async def test_nobody_at_the_address_is_an_outage(version: int) -> None:
    historian = a_historian(url=f"http://127.0.0.1:{free_port()}", version=version)
    async with a_writer(historian) as writer:
        verdict = await writer.write(LINES)
    assert verdict.fate is Fate.AWAY
    assert "refused" in verdict.reason.lower()


@BOTH
async def test_a_server_that_closes_idle_connections_is_not_away(
    server: ScriptedHttp, version: int
) -> None:
    server.answer = lambda _: Reply(hangs_up=True)
    async with a_writer(at(server, version)) as writer:
        fates = [(await writer.write(LINES)).fate for _ in range(4)]
    assert fates == [Fate.WRITTEN] * 4
    assert len(server.requests) == 4


@BOTH
async def test_a_server_that_hangs_is_left_after_the_timeout(
    server: ScriptedHttp, version: int
) -> None:
    server.answer = lambda _: Reply(None)
    async with a_writer(at(server, version, timeout_s=0.2)) as writer:
        assert (await writer.write(LINES)).fate is Fate.AWAY
        server.answer = lambda _: Reply()
        assert (await writer.write(LINES)).fate is Fate.WRITTEN


async def test_the_loop_waits_no_longer_than_the_deadline_whatever_the_thread_does(
    server: ScriptedHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "GRACE_S", 0.0)
    server.answer = lambda _: Reply(None)
    historian = at(server, 1, timeout_s=0.1)
    async with a_writer(historian) as writer:
        verdict = await writer.write(LINES)
    assert verdict.fate is Fate.AWAY


@pytest.mark.parametrize("version", [1, 2])
def test_a_certificate_that_is_not_there_is_told(version: int) -> None:
    historian = a_historian(url="https://127.0.0.1:1", version=version, ca=Path("/nowhere/ca.pem"))
    with pytest.raises(NotUsable, match=r"/nowhere/ca\.pem"):
        open_transport(historian, read_secret)


async def test_a_write_that_ends_with_an_error_of_ours_is_an_outage_and_the_next_one_goes(
    server: ScriptedHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    noticed: list[object] = []

    def broken(historian: Historian, _: object) -> Transport:
        raise KeyError(historian.name)

    monkeypatch.setattr(threading, "excepthook", noticed.append)
    async with a_writer(at(server, 1)) as writer:
        with monkeypatch.context() as patch:
            patch.setattr(writer_module, "open_transport", broken)
            assert (await writer.write(LINES)).fate is Fate.AWAY
        assert (await writer.write(LINES)).fate is Fate.WRITTEN
    assert noticed, "the traceback is shown"


@BOTH
@pytest.mark.parametrize("text", ["canary-7\nsecond line", "canary-7\tx", "canary-七"])
async def test_a_token_that_fits_no_header_is_told_and_not_shown(
    server: ScriptedHttp, tmp_path: Path, capfd: pytest.CaptureFixture[str], version: int, text: str
) -> None:
    file = tmp_path / "token"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    async with a_writer(at(server, version, token=Secret("file", str(file)))) as writer:
        verdict = await writer.write(LINES)
    assert verdict.fate is Fate.DENIED
    assert "token" in verdict.reason
    out, err = capfd.readouterr()
    assert "canary" not in verdict.reason + out + err
    assert server.requests == []


async def test_writes_do_not_heap_up_behind_one_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    goes_on, begun = threading.Event(), [0]

    class Hanging:
        def write(self, body: bytes) -> Answer:
            begun[0] += 1
            assert body
            goes_on.wait(30)
            return Answer(204)

        def close(self) -> None:
            """Nothing is open."""

    def hanging(*_: object) -> Transport:
        return Hanging()

    monkeypatch.setattr(writer_module, "GRACE_S", 0.05)
    monkeypatch.setattr(writer_module, "open_transport", hanging)
    async with a_writer(a_historian(timeout_s=0.05)) as writer:
        for _ in range(5):
            assert (await writer.write(LINES)).fate is Fate.AWAY
        assert begun == [1]
        goes_on.set()
        async with asyncio.timeout(10):
            while (await writer.write(LINES)).fate is not Fate.WRITTEN:
                await asyncio.sleep(0.01)
        assert begun[0] <= 3, "the four others were never queued"
