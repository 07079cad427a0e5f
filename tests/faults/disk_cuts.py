"""Cuts a job at each of its changes of the disk: `python -m tests.faults.disk_cuts CASE FOLDER`.

Runs with the shim loaded (`tests/faults/disk_shim.py`). Each try is a fork that is killed before
its n-th change; then the parent looks whether the old or the new is there, and never half of one.
Prints the number of cuts.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gateway.app.site import last_good
from gateway.model.ids import SinkName
from gateway.model.record import Lane
from gateway.outbox import schema
from gateway.outbox.outbox import Outbox
from gateway.settings.migrate import migrate_file
from gateway.settings.site import Store
from tests.support.virtual_time import ManualClock

OLD_RECORDS = 16
OLD_SITE = "version: 1  # of the first year\nold_key: 7\n" + "# remark\n" * 2000
NORTH = SinkName("north")
MOST_CHANGES = 10_000


class Case(Protocol):
    """A job on the disk, and what must be there after a cut of it."""

    def prepare(self, folder: Path) -> None:
        """Put the old there."""
        ...

    def work(self, folder: Path) -> None:
        """Make the new of it."""
        ...

    def judge(self, folder: Path, *, is_done: bool) -> None:
        """Raise AssertionError unless the old or the new is there, and can be worked with."""
        ...


def an_old_database(folder: Path) -> None:
    """Make the old database of the outbox's own tests."""
    importlib.import_module("test_outbox_classes").an_old_database(folder)


def tables_of(path: Path) -> dict[str, int]:
    """Return the rows of each table, and the version."""
    return importlib.import_module("test_outbox_classes").tables_of(path)


class StoreMigration:
    """A database of version 1 is opened by this version."""

    def prepare(self, folder: Path) -> None:
        an_old_database(folder)
        self._before = tables_of(folder / schema.DB_NAME)

    def work(self, folder: Path) -> None:
        asyncio.run(self._open(folder))

    def judge(self, folder: Path, *, is_done: bool) -> None:
        found = tables_of(folder / schema.DB_NAME)
        if found["version"] == self._before["version"]:
            assert not is_done
            assert found == self._before, "half of the new layout"
        else:
            assert found["version"] == schema.VERSION
        records = asyncio.run(self._open(folder))
        assert records == OLD_RECORDS, f"{records} records after the cut"
        assert not list(folder.glob("*.corrupt-*")), "taken for damaged"

    async def _open(self, folder: Path) -> int:
        outbox = Outbox.open(folder, Store(), ManualClock(), (NORTH,))
        async with outbox:
            lines = [line for lane in Lane for line in await outbox.export(lane, 0, 1000)]
        return len(lines)


class LastGood:
    """The copy of the last site that worked is replaced by a newer one."""

    def __init__(self, files: int) -> None:
        """Take of how many files the site is."""
        self._files = files

    def prepare(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._save(folder, "old")

    def work(self, folder: Path) -> None:
        self._save(folder, "new")

    def judge(self, folder: Path, *, is_done: bool) -> None:
        kept = last_good.saved_copy(folder)
        assert kept is not None, "no copy at all"
        words = {file.read_text(encoding="utf-8") for file in kept.rglob("*.yaml")}
        assert len(list(kept.rglob("*.yaml"))) == self._files, "files are missing"
        assert words in ({"old"}, {"new"}), f"a mixture: {words}"
        assert not is_done or words == {"new"}
        self._save(folder, "newest")  # and the next one works
        kept = last_good.saved_copy(folder)
        assert kept is not None
        assert {file.read_text(encoding="utf-8") for file in kept.rglob("*.yaml")} == {"newest"}

    def _save(self, folder: Path, word: str) -> None:
        site = folder.with_name(f"site-{folder.name}")
        site.mkdir(exist_ok=True)
        files = [site / "gateway.yaml", *(site / f"{n}.yaml" for n in range(self._files - 1))]
        for file in files:
            file.write_text(word, encoding="utf-8")
        last_good.save(files, site, folder)


class SiteFile:
    """A site file of an older version is rewritten in today's."""

    def prepare(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "site.yaml").write_text(OLD_SITE, encoding="utf-8")

    def work(self, folder: Path) -> None:
        migrate_file(folder / "site.yaml", steps={1: _to_version_2}, current=2)

    def judge(self, folder: Path, *, is_done: bool) -> None:
        file, backup = folder / "site.yaml", folder / "site.yaml.v1"
        text = file.read_text(encoding="utf-8")
        assert text in (OLD_SITE, _to_version_2(OLD_SITE)), "half a file"
        assert not is_done or text != OLD_SITE
        if text != OLD_SITE:
            assert backup.read_text(encoding="utf-8") == OLD_SITE, "without its backup"
        self.work(folder)  # and again: it ends where it should
        assert file.read_text(encoding="utf-8") == _to_version_2(OLD_SITE)


def _to_version_2(text: str) -> str:
    return text.replace("version: 1", "version: 2").replace("old_key", "new_key")


CASES: dict[str, Callable[[int], Case]] = {
    "store": lambda _: StoreMigration(),
    "last-good": LastGood,
    "site-file": lambda _: SiteFile(),
}


def cut_everywhere(case: Case, folder: Path) -> int:
    """Return how many cuts there were: one before each change of the disk."""
    folder.mkdir(parents=True)
    shim = ctypes.CDLL(None)
    for number in range(1, MOST_CHANGES):
        here = folder / f"cut{number}"
        case.prepare(here)
        child = os.fork()
        if child == 0:
            shim.shim_arm(number)
            case.work(here)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        is_done = os.WIFEXITED(status)
        assert not is_done or os.WEXITSTATUS(status) == 0, "the job failed by itself"
        case.judge(here, is_done=is_done)
        if is_done:
            return number - 1
    raise AssertionError("it never ends")


if __name__ == "__main__":
    chosen = CASES[sys.argv[1]](int(sys.argv[3]))
    sys.stdout.write(f"{cut_everywhere(chosen, Path(sys.argv[2]))}\n")
