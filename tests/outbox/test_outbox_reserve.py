"""Alarms and billing values are committed on a full disk and over a full quota."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from outbox_support import NORTH, ManualClock, an_outbox, deliver_all, event, noise, values

from gateway.model.record import EventBody, PropBody, Record
from gateway.outbox.outbox import RETRY_S
from gateway.outbox.reserve import RESERVE_NAME, Reserve

SMALL_BYTES = 256 * 1024
ALARMS = 60


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Play another program that takes all there is."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (65_536, 4096, 512):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return ballast


def billing(number: int) -> Record:
    record = values(number)
    assert isinstance(record.body, PropBody)
    return replace(record, body=replace(record.body, is_billing=True))


def loud(number: int) -> Record:
    body = EventBody(f"e{number}", "leak", 3, "raised", detail=str(noise(number)))
    return replace(event("x"), body=body)


async def test_on_a_full_disk_alarms_and_billing_are_still_committed(small_disk: Path) -> None:
    clock = ManualClock()
    folder = small_disk / "outbox"
    async with an_outbox(folder, clock) as outbox:
        ep = outbox.ep
        assert (folder / RESERVE_NAME).stat().st_size > 200_000
        await outbox.append([values(0)])
        ballast = fill(small_disk)
        number = 0
        while (await outbox.append([values(*noise(number))])).is_durable:
            number += 1
        assert (await outbox.stats()).refusing is not None
        for number in range(ALARMS):
            appended = await outbox.append([event(f"e{number}"), billing(number), values(number)])
            assert [batch.ep == ep for batch in appended.batches] == [True, True, False]
        assert not (await outbox.stats()).is_reserve_whole
        assert not (folder / RESERVE_NAME).exists()
        ballast.unlink()
        clock.pass_s(RETRY_S + 1)
        assert (await outbox.append([values(1)])).is_durable
        stats = await outbox.stats()
        assert (stats.refusing, stats.is_reserve_whole, stats.held) == (None, True, 0)
        assert (folder / RESERVE_NAME).exists()
    async with an_outbox(folder, clock) as outbox:
        assert outbox.ep == ep
        delivered = await deliver_all(outbox.feed(NORTH))
        bodies = [each.record.body for each in delivered]
        leaks = [body.eid for body in bodies if isinstance(body, EventBody) and body.type == "leak"]
        assert leaks == [f"e{number}" for number in range(ALARMS)]
        billed = [body.values for body in bodies if isinstance(body, PropBody) and body.is_billing]
        assert billed == [(number,) for number in range(ALARMS)]
        assert len({(each.ep, each.seq) for each in delivered}) == len(delivered)


async def test_a_kill_on_a_full_disk_loses_no_alarm(small_disk: Path, tmp_path: Path) -> None:
    clock = ManualClock()
    folder = small_disk / "outbox"
    async with an_outbox(folder, clock) as outbox:
        fill(small_disk)
        number = 0
        while (await outbox.append([values(*noise(number))])).is_durable:
            number += 1
        for number in range(ALARMS):
            assert (await outbox.append([event(f"e{number}")])).is_durable
        copy = tmp_path / "killed"
        copy.mkdir()
        for file in folder.iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
    async with an_outbox(copy, clock) as outbox:
        delivered = await deliver_all(outbox.feed(NORTH))
        bodies = [each.record.body for each in delivered]
        leaks = [body for body in bodies if isinstance(body, EventBody) and body.type == "leak"]
        assert len(leaks) == ALARMS


async def test_alarms_that_fill_the_quota_go_into_the_reserve_and_then_into_memory(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock, quota_bytes=SMALL_BYTES) as outbox:
        for number in range(20):
            await outbox.append([values(*noise(number))])
        sent, in_reserve = 0, 0
        while (await outbox.append([loud(sent)])).is_durable:
            sent += 1
            in_reserve += not (await outbox.stats()).is_reserve_whole
        assert in_reserve > 1
        assert (await outbox.stats()).held >= 1
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= SMALL_BYTES
        feed = outbox.feed(NORTH)
        delivered = await deliver_all(feed)
        bodies = [each.record.body for each in delivered]
        leaks = [body.eid for body in bodies if isinstance(body, EventBody) and body.type == "leak"]
        assert leaks == [f"e{number}" for number in range(sent + 1)]
        clock.pass_s(RETRY_S + 1)
        assert (await outbox.append([values(1)])).is_durable
        stats = await outbox.stats()
        assert (stats.refusing, stats.is_reserve_whole) == (None, True)


async def test_a_full_quota_refuses_telemetry_and_takes_alarms(tmp_path: Path) -> None:
    clock = ManualClock()
    async with an_outbox(tmp_path, clock, quota_bytes=SMALL_BYTES) as outbox:
        number = 0
        while (await outbox.stats()).is_reserve_whole:
            await outbox.append([loud(number)])
            number += 1
        appended = await outbox.append([event("e"), values(1)])
        assert [batch.ep == outbox.ep for batch in appended.batches] == [True, False]


def test_a_reserve_is_made_given_up_and_changed_in_size(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path)
    assert reserve.make(100_000)
    assert reserve.bytes_held == 100_000
    assert reserve.make(40_000)
    assert reserve.bytes_held == 40_000
    reserve.release()
    assert (reserve.bytes_held, reserve.is_whole) == (0, False)
