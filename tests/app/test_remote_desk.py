"""The desk that works on letters: each once, audited before it acts, and a flood only counted."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.app.outward.postbox import MOST_LETTERS, Postbox
from gateway.app.remote.desk import Office, RemoteDesk
from gateway.app.remote.files import Bundle, Owed, RemoteFiles
from gateway.commands.audit import Chain
from gateway.commands.flood import AT_ONCE
from gateway.dialects.contract import Configuration, Dropped
from gateway.model.clock import TimeQuality
from gateway.model.ids import GATEWAY_ITSELF, SinkName
from gateway.model.letter import Letter
from gateway.model.record import LogBody, Record, ReplyBody, StateChange
from gateway.ops.recall import Recall
from gateway.settings.load import load_site
from gateway.settings.secret_name import Secret
from gateway.settings.site import Site
from gateway.settings.site_remote import Remote
from gateway.settings.where import Where
from tests.support.letters import SECRET, hash_of_files, letter, letter_signed_by

NOW_MS = 1_763_888_400_000
SINK = SinkName("province")
TEXT = """\
version: 1
gateway: {id: gw-03, site: hz}
sinks: {province: {url: mqtts://platform.example}}
buses: {m: {memory: m}}
devices: [{id: em-01, profile: eastron/sdm120, bus: m, address: 1}]
remote: {secret: {env: LINLI_TEST_LETTERS}}
"""
RUNS = "ab" * 32


@dataclass(slots=True)
class _Clock:
    tq: TimeQuality = TimeQuality.SYNC

    def now_ms(self) -> int:
        return NOW_MS

    def monotonic(self) -> float:
        return 0.0

    def quality(self) -> TimeQuality:
        return self.tq

    def is_provisional(self) -> bool:
        return False


@dataclass(slots=True)
class _House:
    """Audits, store and trials in one; `log` is what was done, in its order."""

    site: Site
    folder: Path
    clock: _Clock = field(default_factory=_Clock)
    post: Postbox = field(default_factory=Postbox)
    chain: Chain = field(default_factory=lambda: Chain({}))
    log: list[str] = field(default_factory=list[str])
    replies: list[ReplyBody] = field(default_factory=list[ReplyBody])
    problems: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    told: list[str] = field(default_factory=list[str])
    states: dict[str, Any] = field(default_factory=dict[str, Any])
    uncounted: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with every answer, remark and count."""
    trying: asyncio.Event = field(default_factory=asyncio.Event)

    def audited(self, fields: tuple[tuple[str, str], ...]) -> tuple[Record, StateChange]:
        body, change = self.chain.entry(GATEWAY_ITSELF, fields)
        return Record(GATEWAY_ITSELF, NOW_MS, self.clock.tq, body), change

    def dropped(self, topic: str, sink: SinkName, dropped: Dropped) -> None:
        assert sink == SINK
        self.told.append(f"{topic}: {dropped.reason}")
        if topic == "remark":
            self.news.set()

    def unheard(self, sink: SinkName, count: int) -> None:
        assert sink == SINK
        self.uncounted += count
        self.news.set()

    async def commit(self, records: Any, changes: Any = ()) -> None:
        for record in records:
            match record.body:
                case ReplyBody() as body:
                    assert record.sink == SINK, "an answer is for who asked"
                    self.replies.append(body)
                    self.news.set()
                case LogBody(topic="cfg", fields=fields):
                    self.problems.append(dict(fields))
                case LogBody(fields=fields):
                    self.log.append(dict(fields).get("status", "part"))
                case _:
                    raise AssertionError(record)
        for change in changes:
            if change.room == "remote" and change.value is None:
                self.states.pop(change.key, None)
            elif change.room == "remote":
                self.states[change.key] = change.value

    async def run(self, rid: str, sink: SinkName, bundle: Bundle, site: Site) -> None:
        assert (sink, len(site.devices), len(bundle.hash)) == (SINK, 1, 64)
        self.log.append(f"tried {rid}")
        await self.trying.wait()

    async def status(self) -> dict[str, Any]:
        return {}

    async def work(self, *letters: str) -> list[tuple[str, str | None]]:
        """Let the desk work on letters, and return status and code of every answer."""
        office = Office(
            lambda: self.site,
            self.post,
            self.clock,
            self,
            self,
            self,
            Recall(),
            self.status,
        )
        files = RemoteFiles(self.folder / "state", self.folder / "gateway.yaml")
        files.note(self.site.files)
        desk = RemoteDesk(office, files, self.states)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(desk.run(stop))
            for text in letters:
                self.news.clear()
                assert self.post.put(_letter(text))
                async with asyncio.timeout(30):
                    await self.news.wait()
            stop.set()
        return [(reply.status, reply.code) for reply in self.replies]


def _letter(text: str) -> Letter:
    return Letter(SINK, "dn/cfg/_", **json.loads(text))


def _order(number: int, **fields: Any) -> dict[str, Any]:
    plain = {"rid": f"r-{number}", "do": "log", "gw": "gw-03", "site": "hz", "n": number}
    return {**plain, "exp": NOW_MS + 1000, **fields}


def _configuration(number: int, text: str) -> dict[str, Any]:
    files = {"gateway.yaml": text}
    more = {"do": "config", "base": RUNS, "files": files, "hash": hash_of_files(files)}
    return _order(number, **more)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _House:
    monkeypatch.setenv("LINLI_TEST_LETTERS", SECRET.decode())
    file = tmp_path / "gateway.yaml"
    file.write_text(TEXT, encoding="utf-8")
    site = load_site(file).site
    assert site is not None
    made = _House(site, tmp_path)
    made.post.configuration = Configuration(RUNS, "local")
    return made


async def test_a_letter_is_audited_with_its_number_before_it_acts(house: _House) -> None:
    assert await house.work(letter(_order(7))) == [("done", None)]
    assert house.log == ["accepted", "part", "done"]
    assert house.states == {"last": [7, "r-7"]}


async def test_a_letter_delivered_twice_is_done_once_and_an_older_one_refused(
    house: _House,
) -> None:
    text = letter(_order(7))
    await house.work(text, text)
    assert house.told == ["remark: delivered twice"]
    assert await house.work(letter(_order(6))) == [("done", None), ("rejected", "replayed")]


async def test_ed25519_signs_too_and_the_key_of_the_site_decides(house: _House) -> None:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw().hex()
    house.site = replace(house.site, remote=Remote(Where("x", 1, 1), public_key=public))
    answers = await house.work(
        letter_signed_by(key.sign, _order(1)),
        letter_signed_by(Ed25519PrivateKey.generate().sign, _order(2)),
        letter(_order(3), secret=bytes.fromhex(public)),
    )
    assert answers == [
        ("done", None),
        ("rejected", "bad_signature"),
        ("rejected", "bad_letter"),
    ], "a public key is no shared secret"


async def test_without_a_key_or_the_time_nothing_is_obeyed(house: _House) -> None:
    house.clock.tq = TimeQuality.UNSYNC
    await house.work(letter(_order(1)))
    house.clock.tq = TimeQuality.SYNC
    missing = Remote(Where("x", 1, 1), secret=Secret("env", "LINLI_TEST_NO_SUCH"))
    house.site = replace(house.site, remote=missing)
    await house.work(letter(_order(2)))
    house.site = replace(house.site, remote=None)
    answers = await house.work(letter(_order(3)))
    assert [code for _, code in answers] == ["unsync", "no_key", "not_configured"]
    assert house.log == []


async def test_a_flood_of_forged_letters_is_counted_and_not_stored(house: _House) -> None:
    forged = [letter(_order(n + 1), secret=b"x" * 32) for n in range(AT_ONCE + 20)]
    answers = await house.work(*forged)
    assert len(answers) == AT_ONCE
    assert house.uncounted == 20


async def test_one_trial_at_a_time(house: _House) -> None:
    site = TEXT.replace("address: 1", "address: 2")
    answers = await house.work(
        letter(_configuration(1, site)), letter(_configuration(2, site.replace(": 2", ": 3")))
    )
    assert answers == [("accepted", None), ("rejected", "busy")]
    assert house.log.count("tried r-1") == 1


async def test_an_order_that_a_stop_or_a_power_cut_ended_is_answered_once_at_the_next_start(
    house: _House,
) -> None:
    site = TEXT.replace("address: 1", "address: 2")
    assert await house.work(letter(_configuration(1, site))) == [("accepted", None)]
    assert house.states["open:r-1"] == [SINK, "config"], "it stands until it is answered"
    answers = await house.work()
    assert answers == [("accepted", None), ("failed", "interrupted")]
    assert await house.work() == answers, "and once"
    assert house.states == {"last": [1, "r-1"]}


async def test_what_the_book_owes_is_not_answered_a_second_time(house: _House) -> None:
    house.states = {"last": [1, "r-1"], "open:r-1": [SINK, "config"]}
    files = RemoteFiles(house.folder / "state", house.folder / "gateway.yaml")
    files.begin(Bundle(RUNS), Owed("r-1", str(SINK), "failed", "interrupted", ""))
    assert await house.work() == [("failed", "interrupted")]
    assert house.states == {"last": [1, "r-1"]}


async def test_what_the_store_knows_as_answered_is_not_answered_again(house: _House) -> None:
    files = RemoteFiles(house.folder / "state", house.folder / "gateway.yaml")
    files.begin(Bundle(RUNS), Owed("r-1", str(SINK), "done", "", ""))
    house.states = {"last": [1, "r-1"]}
    assert await house.work() == []
    house.states = {}
    files.begin(Bundle(RUNS), Owed("r-1", str(SINK), "done", "", ""))
    assert await house.work() == [("done", None)], "a store that was lost knows nothing"


async def test_a_paper_too_large_to_be_sent_is_answered(
    house: _House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.remote.parts.MOST_BYTES", -1)
    assert await house.work(letter(_order(1))) == [("failed", "too_large")]


async def test_letters_that_cannot_wait_are_turned_away(house: _House) -> None:
    taken = [house.post.put(_letter(letter(_order(n + 1)))) for n in range(MOST_LETTERS + 1)]
    assert taken == [True] * MOST_LETTERS + [False]


async def test_what_stands_in_a_file_of_the_machine_is_not_told(house: _House) -> None:
    secret = house.folder / "secret.csv"
    secret.write_text("id,canary-4711\nx,canary-4712\n", encoding="utf-8")
    devices = "devices: [{from: %s, profile: eastron/sdm120, bus: m}]"
    start = TEXT.index("devices:")
    for number, name in enumerate((str(secret), f"../../../{secret.name}"), 1):
        site = TEXT[:start] + devices % name + TEXT[TEXT.index("\nremote") :]
        await house.work(letter(_configuration(number, site)))
    assert [(reply.status, reply.code) for reply in house.replies] == [
        ("rejected", "bad_config")
    ] * 2
    assert all("LG-REM-06" in str(reply.message) for reply in house.replies)
    assert "canary" not in f"{house.replies} {house.problems}"
