"""Bundles on the disk: a cut at any step leaves the old configuration or the new one, whole."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.app.remote.files import Bundle, Owed, RemoteFiles, own_files, running_hash
from gateway.remote.files import hash_of

FIRST = {"gateway.yaml": b"first", "tables/a.csv": b"id\n1\n"}
SECOND = {"gateway.yaml": b"second", "tables/a.csv": b"id\n2\n"}
REAL_SYNC = os.fsync
CUT_SHORT = Owed("r-2", "p", "failed", "interrupted", "")
WELL = Owed("r-2", "p", "done", "", "")


class Cut(BaseException):
    """The power goes."""


def _files(base: Path) -> RemoteFiles:
    return RemoteFiles(base / "state", base / "etc" / "gateway.yaml")


def _site(base: Path) -> Path:
    file = base / "etc" / "gateway.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"own")
    return file


def _apply(files: RemoteFiles, contents: dict[str, bytes], own: Path) -> None:
    bundle = Bundle(hash_of(contents), "v")
    files.stage(bundle, contents)
    files.note([own])
    files.begin(bundle, CUT_SHORT)
    files.keep(WELL)


def _whole(main: Path) -> dict[str, bytes]:
    folder = main.parent
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _cut_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the power go at the nth thing that touches the disk; a write is cut in half."""
    steps = count(1)

    def cutting(real: Callable[..., Any], half: Callable[..., Any]) -> Callable[..., Any]:
        def touch(*args: Any, **kwargs: Any) -> Any:
            if next(steps) == step:
                half(*args, **kwargs)
                raise Cut
            return real(*args, **kwargs)

        return touch

    def nothing(*_: Any, **__: Any) -> None:
        return None

    write_bytes = Path.write_bytes

    def half_written(path: Path, content: bytes) -> None:
        write_bytes(path, content[: len(content) // 2])

    monkeypatch.setattr(os, "fsync", cutting(os.fsync, nothing))
    monkeypatch.setattr(Path, "replace", cutting(Path.replace, nothing))
    monkeypatch.setattr(Path, "write_bytes", cutting(write_bytes, half_written))
    monkeypatch.setattr(shutil, "rmtree", cutting(shutil.rmtree, nothing))


@pytest.mark.parametrize("before", ["own", "first"])
def test_a_cut_at_any_step_leaves_what_ran_or_what_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    seen: list[str] = []
    for step in count(1):
        base = tmp_path / str(step)
        own = _site(base)
        if before == "first":
            _apply(_files(base), FIRST, own)
        is_cut = True
        with monkeypatch.context() as power:
            _cut_at(step, power)
            try:
                _apply(_files(base), SECOND, own)
                is_cut = False
            except Cut:
                pass
        again = _files(base)
        again.recover()
        found = _whole(again.source())["gateway.yaml"].decode()
        whole = {"own": {"gateway.yaml": b"own"}, "first": FIRST, "second": SECOND}
        assert _whole(again.source()) == whole[found]
        assert found in {before, "second"}
        assert again.book.trying is None
        if found == "second":
            assert again.book.owed == WELL, "who asked is told that it runs"
        elif again.book.last == "rolled_back":
            assert again.book.owed == CUT_SHORT, "who asked is told that it does not"
        _apply(again, SECOND, own)
        assert _whole(_files(base).source()) == SECOND, "the next try is none the worse"
        seen.append(found)
        if not is_cut:
            break
    assert seen[0] == before
    assert seen[-1] == "second"
    assert seen == sorted(seen, key=lambda one: one == "second"), "it turns once"


def test_a_crash_in_a_trial_is_a_failed_trial(tmp_path: Path) -> None:
    own = _site(tmp_path)
    files = _files(tmp_path)
    bundle = Bundle(hash_of(FIRST))
    files.stage(bundle, FIRST)
    files.note([own])
    files.begin(bundle, CUT_SHORT)
    assert _whole(files.source()) == FIRST, "a reload in the trial does not end it"
    after = _files(tmp_path)
    after.recover()
    assert (after.source(), after.book.last, after.book.owed) == (own, "rolled_back", CUT_SHORT)


@pytest.mark.parametrize("how", ["edited", "part added", "table edited"])
def test_an_edit_of_the_own_files_wins(tmp_path: Path, how: str) -> None:
    own = _site(tmp_path)
    table = own.parent / "t.csv"
    table.write_bytes(b"1")
    files = _files(tmp_path)
    bundle = Bundle(hash_of(FIRST))
    files.stage(bundle, FIRST)
    files.note([own, table])
    files.begin(bundle, CUT_SHORT)
    files.keep(WELL)
    assert files.source() != own
    if how == "edited":
        own.write_bytes(b"edited")
    elif how == "table edited":
        table.write_bytes(b"2")
    else:
        (own.parent / "conf.d").mkdir()
        (own.parent / "conf.d" / "new.yaml").write_bytes(b"")
    assert (files.source(), files.book.last) == (own, "superseded")
    assert _files(tmp_path).source() == own


def test_an_edit_that_was_not_loaded_is_seen_before_and_after_a_configuration_comes(
    tmp_path: Path,
) -> None:
    own = _site(tmp_path)
    files = _files(tmp_path)
    files.note([own])
    assert not files.is_edited()
    own.write_bytes(b"edited, not loaded")
    assert files.is_edited()
    files.note([own])
    _apply(files, FIRST, own)
    assert not files.is_edited()
    own.write_bytes(b"edited again")
    assert files.is_edited()
    bundle = Bundle(hash_of(SECOND))
    files.stage(bundle, SECOND)
    files.begin(bundle, CUT_SHORT)
    files.keep(WELL)
    assert files.source() == own, "no edit is taken for one that the platform has seen"


def test_a_damaged_bundle_or_book_lets_the_own_file_run(tmp_path: Path) -> None:
    own = _site(tmp_path)
    files = _files(tmp_path)
    _apply(files, FIRST, own)
    main = files.source()
    main.write_bytes(b"damaged")
    assert (files.source(), files.book.last) == (own, "damaged")
    (tmp_path / "state" / "remote" / "book.json").write_text("{", encoding="utf-8")
    assert _files(tmp_path).source() == own


def test_the_platform_is_told_of_a_damaged_book(tmp_path: Path) -> None:
    own = _site(tmp_path)
    _apply(_files(tmp_path), FIRST, own)
    for text in ("{", "[]", '{"running": 1}', '"x"', "null"):
        (tmp_path / "state" / "remote" / "book.json").write_text(text, encoding="utf-8")
        after = _files(tmp_path)
        after.recover()
        assert (after.source(), after.book.last) == (own, "damaged"), text


def _refusing(monkeypatch: pytest.MonkeyPatch, code: int = errno.ENOSPC) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)


@pytest.mark.parametrize("edited", [False, True])
def test_a_full_disk_does_not_stop_the_start_after_a_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, edited: bool
) -> None:
    own = _site(tmp_path)
    files = _files(tmp_path)
    if edited:
        _apply(files, FIRST, own)
        own.write_bytes(b"edited")
    else:
        bundle = Bundle(hash_of(FIRST))
        files.stage(bundle, FIRST)
        files.note([own])
        files.begin(bundle, CUT_SHORT)
    expected = "superseded" if edited else "rolled_back"
    with monkeypatch.context() as disk:
        _refusing(disk)
        for _ in range(2):  # the start has one of its own, the daemon another
            after = _files(tmp_path)
            if not edited:
                after.recover()
            assert (after.source(), after.book.last) == (own, expected)
    later = _files(tmp_path)
    later.recover()
    assert (later.source(), later.book.last, later.book.trying) == (own, expected, None)


def test_a_disk_that_refuses_once_at_any_step_leaves_one_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What runs by the book in memory is what runs after a restart."""
    kept: list[bool] = []
    for step in count(1):
        base = tmp_path / str(step)
        own = _site(base)
        files = _files(base)
        _apply(files, FIRST, own)
        before = files.book.running
        is_kept = True
        with monkeypatch.context() as disk:
            steps = count(1)

            def refuse_once(opened: int, steps: Iterator[int] = steps, step: int = step) -> None:
                if next(steps) == step:
                    raise OSError(errno.EIO, "refused")
                REAL_SYNC(opened)

            disk.setattr(os, "fsync", refuse_once)
            bundle = Bundle(hash_of(SECOND))
            try:
                files.stage(bundle, SECOND)
                files.begin(bundle, CUT_SHORT)
            except OSError:
                is_kept = False
            else:
                try:
                    assert files.keep(WELL)
                except OSError:
                    is_kept = False
                    files.take_back(CUT_SHORT)
            is_over = next(steps) <= step
        again = _files(base)
        again.recover()
        expected = bundle if is_kept else before
        assert (files.book.running, files.book.trying) == (expected, None)
        assert (again.book.running, again.book.trying) == (expected, None)
        assert _whole(again.source()) == (SECOND if is_kept else FIRST)
        kept.append(is_kept)
        if is_over:
            break
    assert not all(kept)
    assert kept[-1]


def test_no_descriptor_left_is_no_edit_and_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = _site(tmp_path)
    files = _files(tmp_path)
    _apply(files, FIRST, own)
    book = files.book

    def none_left(path: Path) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))

    with monkeypatch.context() as poor:
        poor.setattr(Path, "read_bytes", none_left)
        with pytest.raises(OSError, match="Too many open files"):
            files.source()
    assert files.book == book
    assert _whole(files.source()) == FIRST


def test_what_is_tried_no_more_is_not_kept(tmp_path: Path) -> None:
    own = _site(tmp_path)
    files = _files(tmp_path)
    bundle = Bundle(hash_of(FIRST))
    files.stage(bundle, FIRST)
    files.note([own])
    files.begin(bundle, CUT_SHORT)
    own.write_bytes(b"edited")
    assert files.source() == own
    assert not files.keep(WELL)
    files.take_back(CUT_SHORT)
    assert (files.book.running, files.book.last) == (None, "superseded")
    assert _files(tmp_path).source() == own


def test_a_bundle_that_does_not_load_any_more_gives_way_to_the_own_file(tmp_path: Path) -> None:
    own = _site(tmp_path)
    files = _files(tmp_path)
    _apply(files, FIRST, own)
    assert files.give_up() == own
    assert (_files(tmp_path).source(), _files(tmp_path).book.last) == (own, "damaged")


def test_configurations_that_were_refused_do_not_heap_up(tmp_path: Path) -> None:
    own = _site(tmp_path)
    files = _files(tmp_path)
    _apply(files, FIRST, own)
    for number in range(5):
        contents = {"gateway.yaml": str(number).encode()}
        files.stage(Bundle(hash_of(contents)), contents)
    folders = [path for path in (tmp_path / "state" / "remote").iterdir() if path.is_dir()]
    assert len(folders) == 2, "what runs, and the newest"
    assert _whole(files.source()) == FIRST


def test_a_disk_that_refuses_changes_nothing(tmp_path: Path) -> None:
    own = _site(tmp_path)
    (tmp_path / "state").write_text("no folder", encoding="utf-8")
    files = _files(tmp_path)
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        files.stage(Bundle(hash_of(FIRST)), FIRST)
    assert files.source() == own


def test_installed_profiles_are_no_part_of_the_hash(tmp_path: Path) -> None:
    own = _site(tmp_path)
    named = own.with_name("site.yaml")
    own.rename(named)
    profile = own.parent / "profiles" / "x.yaml"
    files = [named, profile, Path("/usr/share/kinds.yaml")]
    assert own_files(files, named) == {"gateway.yaml": named}
    assert running_hash(files, named) == hash_of({"gateway.yaml": b"own"})
