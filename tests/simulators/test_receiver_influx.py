"""What is stored reaches InfluxDB, whatever the database says in between."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from simulators.clock import WallClock
from simulators.receiver.influx import Influx, Target
from simulators.receiver.message import read
from simulators.receiver.store import Store
from tests.simulators.test_receiver_message import fields
from tests.simulators.test_receiver_store import message

WAIT_S = 10.0


class Database:
    """An HTTP server that answers as a test says, and keeps the lines that it took."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = []
        """For the next requests; then 204."""
        self.most_lines = 1_000_000
        self.bad = "no such text"
        self.lines: list[str] = []
        self.paths: list[str] = []
        self.tokens: list[str | None] = []
        database = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                database.paths.append(self.path)
                database.tokens.append(self.headers.get("Authorization"))
                code, headers = database.judge(body.splitlines())
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def judge(self, lines: list[str]) -> tuple[int, dict[str, str]]:
        """Return the answer to a write, and keep its lines if it is taken."""
        if self.answers:
            return self.answers.pop(0)
        if len(lines) > self.most_lines:
            return 413, {}
        if any(self.bad in line for line in lines):
            return 400, {}
        self.lines += lines
        return 204, {}

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database()
    yield database
    database.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "records.db"
    with Store(path, "copy-1") as store:
        store.take([message(seq=n, pv=n - 1 or None, ts=n) for n in range(1, 9)], 1)
    return path


def followed(path: Path, target: Target, database: Database, wanted: int) -> list[str]:
    """Follow until so many lines are there; return what was told to people."""
    told: list[str] = []
    with Influx(path, target, "copy-1", clock=WallClock(), tell=told.append):
        deadline = time.monotonic() + WAIT_S
        while len(database.lines) < wanted:
            assert time.monotonic() < deadline, (database.lines, told)
            time.sleep(0.01)
    return told


def times(database: Database) -> list[int]:
    return sorted(int(line.rsplit(" ", 1)[1]) for line in database.lines)


def test_2_x_is_written_to_its_bucket_with_its_token(path: Path, database: Database) -> None:
    followed(path, Target.v2(database.url, "an org", "b", "secret"), database, 8)
    assert database.paths[0] == "/api/v2/write?org=an+org&bucket=b&precision=ms"
    assert database.tokens[0] == "Token secret"
    assert times(database) == list(range(1, 9))


def test_1_x_is_written_to_its_database(path: Path, database: Database) -> None:
    followed(path, Target.v1(database.url, "linli", None), database, 8)
    assert database.paths[0] == "/write?db=linli&precision=ms"
    assert database.tokens == [None]


def test_a_database_that_is_busy_gets_everything_later(path: Path, database: Database) -> None:
    database.answers = [(503, {"Retry-After": "0"}), (429, {"Retry-After": "0"}), (500, {})]
    told = followed(path, Target.v1(database.url, "linli", None), database, 8)
    assert times(database) == list(range(1, 9))
    assert len(told) == 3


def test_what_is_too_large_together_goes_in_halves(path: Path, database: Database) -> None:
    database.most_lines = 3
    followed(path, Target.v1(database.url, "linli", None), database, 8)
    assert times(database) == list(range(1, 9))


def test_a_line_that_is_never_taken_holds_up_no_other(path: Path, database: Database) -> None:
    database.bad = " 5"
    told = followed(path, Target.v1(database.url, "linli", None), database, 7)
    assert times(database) == [1, 2, 3, 4, 6, 7, 8]
    assert any("refused for good" in text for text in told)
    with Store(path, "copy-1") as store:
        assert store.db.execute("SELECT upto, refused FROM follower").fetchall() == [(8, 1)]


def test_a_second_copy_goes_on_where_the_first_was(path: Path, database: Database) -> None:
    target = Target.v1(database.url, "linli", None)
    followed(path, target, database, 8)
    with Store(path, "copy-1") as store:
        store.take([message(seq=9, pv=8, ts=9)], 2)
        store.db.execute("UPDATE follower SET until_ms = 0")  # its lease is over
    followed(path, target, database, 9)
    assert times(database) == list(range(1, 10)), "nothing twice"


def test_while_one_copy_writes_another_does_not(path: Path, database: Database) -> None:
    target = Target.v1(database.url, "linli", None)
    told: list[str] = []
    followed(path, target, database, 8)
    with Store(path, "copy-1") as store:
        store.take([message(seq=9, pv=8, ts=9)], 2)
    other = Influx(path, target, "copy-2", clock=WallClock(), tell=told.append)
    with Store(path, "copy-2") as store:
        assert not other.step(store.db), "the lease is of copy-1"
    assert times(database) == list(range(1, 9))


def test_what_was_forgotten_is_passed_over(path: Path, database: Database) -> None:
    with Store(path, "copy-1") as store:
        store.db.execute("UPDATE record SET body = '' WHERE seq < 4")
    followed(path, Target.v1(database.url, "linli", None), database, 5)
    assert times(database) == [4, 5, 6, 7, 8]


def test_the_lines_of_two_sites_bear_their_own(path: Path, database: Database) -> None:
    payload = json.dumps(fields(seq=1, pv=None, ts=9)).encode()
    with Store(path, "copy-1") as store:
        store.take([read("fc/1/s2/g1/up/prop/em-01", payload, "fc")], 1)
    followed(path, Target.v1(database.url, "linli", None), database, 9)
    assert [line.split(",")[1] for line in database.lines] == ["site=s1"] * 8 + ["site=s2"]


def test_a_follower_that_dies_is_seen(path: Path, database: Database) -> None:
    with Store(path, "copy-1") as store:
        store.db.execute("UPDATE record SET body = 'no JSON' WHERE seq = 4")
    influx = Influx(
        path, Target.v1(database.url, "linli", None), "c", clock=WallClock(), tell=lambda _: None
    )
    seen: list[type[BaseException]] = []

    def note(told: threading.ExceptHookArgs) -> None:
        seen.append(told.exc_type)

    hook, threading.excepthook = threading.excepthook, note
    try:
        with influx:
            deadline = time.monotonic() + WAIT_S
            while not influx.has_died:
                assert time.monotonic() < deadline
                time.sleep(0.01)
    finally:
        threading.excepthook = hook
    assert seen == [json.JSONDecodeError]
