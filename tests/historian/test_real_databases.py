"""Our lines in real databases: Debian's influxdb 1.6 and VictoriaMetrics."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.historian.answer import Fate
from gateway.historian.delivery import Delivery, Limits
from gateway.historian.schema import Line, Schema
from gateway.historian.writer import Writer
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import bad
from gateway.model.reading import PointColumn, Value
from gateway.model.record import Committed, EventBody, Lane, PropBody, Record
from gateway.settings.secrets import read_secret
from gateway.settings.site_historians import Historian
from gateway.settings.site_sinks import Secret
from tests.historian.historian_support import GW, a_device, a_historian
from tests.support.databases import Influx, Row, Victoria, influxdb, victoria

KIND = "meter.electricity"
TS = 1_790_000_000_000


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    with influxdb(tmp_path_factory.mktemp("i")) as server:
        yield server


@pytest.fixture(scope="module")
def vm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victoria]:
    with victoria(tmp_path_factory.mktemp("v")) as server:
        yield server


def lines(*values: Value | None, device: str = "em-01", first: int = 0) -> list[Line]:
    """Return one point's values, a second apart; None is a value that was not had."""
    schema = Schema(GW, [a_device(device)])
    column = PointColumn((PointId("u_a"),), ("V",))
    made: list[Line] = []
    for number, value in enumerate(values, first):
        marks = (bad("timeout"),) if value is None else None
        body = PropBody(column, (value,), marks)
        record = Record(DeviceId(device), TS + number * 1000, TimeQuality.SYNC, body)
        made += schema.lines(Committed(record, 1, number + 1, None))
    return made


async def written(historian: Historian, batch: list[Line]) -> Fate:
    writer = Writer(historian, read_secret, lambda: TS)
    try:
        return (await writer.write(batch)).fate
    finally:
        writer.close()


def at(server: Influx | Victoria, version: int) -> Historian:
    return a_historian(url=server.url, version=version, org="any")


def rows(device: str, *values: float) -> list[Row]:
    return [Row(device, "u_a", TS + n * 1000, value) for n, value in enumerate(values)]


NUMBERS = (0.1, 230.0, -1.5e-7, 1e22, math.pi, 7, (1 << 53) - 1)


async def test_numbers_come_back_exactly_from_influxdb(influx: Influx) -> None:
    assert await written(at(influx, 1), lines(*NUMBERS, device="em-02")) is Fate.WRITTEN
    found = [row for row in influx.rows(KIND) if row.device == "em-02"]
    assert found == rows("em-02", *map(float, NUMBERS))


@pytest.mark.parametrize("version", [1, 2])
async def test_numbers_come_back_from_victoria_metrics(vm: Victoria, version: int) -> None:
    # One series for each: it keeps a series with a common exponent, and 18 digits in all.
    sent = {f"em-{version}-{n}": float(number) for n, number in enumerate(NUMBERS)}
    batch = [one for device, number in sent.items() for one in lines(number, device=device)]
    assert await written(at(vm, version), batch) is Fate.WRITTEN
    found = {row.device: row.value for row in vm.rows(KIND) if row.device in sent}
    assert found == pytest.approx(sent, rel=1e-15)


async def test_every_type_and_what_is_not_good_in_influxdb(influx: Influx) -> None:
    batch = lines(1.0, True, 'open, "wide"', None, (1 << 60) + 1, device="em-03")
    assert await written(at(influx, 1), batch) is Fate.WRITTEN
    (series,) = influx.query(
        "SELECT value, flag, text, whole, q, qr FROM \"meter.electricity\" WHERE device = 'em-03'"
    )
    found = [[None if v is None else float(v), *rest] for _, v, *rest in series["values"]]
    assert found == [
        [1.0, None, None, None, 192, None],
        [None, True, None, None, 192, None],
        [None, None, 'open, "wide"', None, 192, None],
        [None, None, None, None, 0, "timeout"],
        [float(1 << 60), None, None, (1 << 60) + 1, 192, None],
    ]


@pytest.mark.parametrize("version", [1, 2])
async def test_what_is_written_twice_is_there_once(
    influx: Influx, vm: Victoria, version: int
) -> None:
    server, device = (influx if version == 1 else vm), f"em-04-{version}"
    for _ in range(2):
        batch = lines(1.0, 2.0, 3.0, device=device)
        assert await written(at(server, version), batch) is Fate.WRITTEN
    found = [row for row in server.rows(KIND) if row.device == device]
    assert found == rows(device, 1.0, 2.0, 3.0)


async def test_tags_and_texts_of_any_kind_come_back(influx: Influx) -> None:
    tags = 'a, b=c d"e 漏水'
    schema = Schema(GW, [a_device("em-05", kind="my kind, x=1")])
    body = EventBody("e-1", tags, 3, "raised", detail='say "hi" \\ \n there')
    (line,) = schema.lines(
        Committed(Record(DeviceId("em-05"), TS, TimeQuality.SYNC, body), 1, 1, None)
    )
    assert await written(at(influx, 1), [line]) is Fate.WRITTEN
    (series,) = influx.query("SELECT detail, type FROM event WHERE device = 'em-05'")
    assert series["values"] == [[TS, 'say "hi" \\   there', tags]]


async def test_a_real_partial_write_refuses_the_poison_line_and_keeps_the_rest(
    influx: Influx,
) -> None:
    poison = Line(f'{KIND},device=em-06,point=u_a value="text" {TS + 999}'.encode(), Lane.EVENT, 99)
    batch = lines(*range(20), device="em-06")
    batch.insert(7, poison)
    delivery = Delivery(batch, Limits(1000))
    writer = Writer(at(influx, 1), read_secret, lambda: TS)
    while (chunk := delivery.next()) is not None:
        verdict = await writer.write(chunk)
        assert verdict.fate in {Fate.WRITTEN, Fate.BAD_LINES}, verdict
        delivery.take(verdict)
    writer.close()
    refused = [one for one in delivery.settled() if one.refused is not None]
    assert [one.seq for one in refused] == [99]
    assert "field type conflict" in str(refused[0].refused)
    found = [row for row in influx.rows(KIND) if row.device == "em-06"]
    assert found == rows("em-06", *map(float, range(20)))


async def test_a_database_that_is_not_there_and_a_wrong_login_are_refusals_of_us(
    influx: Influx, tmp_path: Path
) -> None:
    nowhere = a_historian(url=influx.url, version=1, database="nowhere")
    assert await written(nowhere, lines(1.0)) is Fate.DENIED
    word = tmp_path / "word"
    word.write_text("secret-7", encoding="utf-8")
    word.chmod(0o600)
    with influxdb(tmp_path, auth=True, most_bytes=400) as server:
        admin = {"u": "root", "p": "secret-7"}
        server.command("CREATE USER root WITH PASSWORD 'secret-7' WITH ALL PRIVILEGES")
        server.command("CREATE DATABASE lake", **admin)
        closed = at(server, 1)
        assert await written(closed, lines(1.0)) is Fate.DENIED
        login = a_historian(
            url=server.url, version=1, username="root", password=Secret("file", str(word))
        )
        assert await written(login, lines(1.0)) is Fate.WRITTEN
        wide = a_historian(
            url=server.url,
            version=1,
            username="root",
            password=Secret("file", str(word)),
            gzip=False,
        )
        assert await written(wide, lines(*range(50))) is Fate.TOO_LARGE
