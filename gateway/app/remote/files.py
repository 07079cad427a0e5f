"""Configurations from afar on the disk: staged, tried, kept, taken back.

The operator's own file is never written. A bundle lies in a folder of the state folder, whole
before anything names it, and one small file, the book, says which runs. The book is replaced in
one rename, so that a power cut leaves the one before or the one after. A cut during a trial is a
failed trial: what runs at the next start is what ran before it.

An operator who edits the own file afterwards has the last word: the book knows what the file was
when the configuration came, and a file that differs runs in its place.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from gateway.remote.files import MAIN, hash_of, is_bundle_name
from gateway.settings.site_paths import files_of

FOLDER = "remote"
BOOK = "book.json"
_FRESH = "fresh"
_PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Reasons why a file cannot be read now that say nothing of the file."""

_log = logging.getLogger("linli")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A configuration that came from afar."""

    hash: str
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Owed:
    """An answer that the signer has not got yet."""

    rid: str
    sink: str
    status: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Book:
    """What runs, what is tried, and what the operator's files were."""

    running: Bundle | None = None
    """None: the operator's own file."""
    trying: Bundle | None = None
    local: Mapping[str, str] = field(default_factory=dict[str, str])
    """SHA-256 of each of the operator's files when the last configuration came."""
    last: str = "local"
    """What became last: local, applied, rolled_back, superseded, damaged."""
    owed: Owed | None = None


class RemoteFiles:
    """The folder of one gateway. Everything here blocks, and may be called from several threads.

    OSError means that nothing changed.
    """

    def __init__(self, state: Path, file: Path) -> None:
        """Take the state folder and the operator's site file.

        A trial in the book is one that a power cut or a crash ended: it counts as taken back, also
        where the disk does not take that now (`recover`).
        """
        self._folder = state / FOLDER
        self._file = file
        self._lock = Lock()
        self.book = _read_book(self._folder / BOOK)
        if self.book.trying is not None:
            self.book = replace(self.book, trying=None, last="rolled_back")
        self._noted: Mapping[str, str] = {}
        """The operator's files as they were when they were loaded."""

    def recover(self) -> None:
        """Note on the disk that a trial that was cut short is taken back; once, at the start."""
        with self._lock:
            if self.book != _read_book(self._folder / BOOK):
                self._conclude(self.book)

    def source(self) -> Path:
        """Return the file to load: of the bundle that is tried or runs, else the operator's.

        Raises:
            OSError: the files cannot be looked at now.
        """
        with self._lock:
            bundle = self.book.trying or self.book.running
            if bundle is None:
                return self._file
            if self._fingerprint(self.book.local) != dict(self.book.local):
                _log.warning("the site file was edited: it runs in place of what came from afar")
                self._conclude(replace(self.book, running=None, trying=None, last="superseded"))
                return self._file
            if self._hash(bundle) != bundle.hash:
                _log.error("the remote configuration on the disk is damaged: the site file runs")
                self._conclude(replace(self.book, running=None, trying=None, last="damaged"))
                return self._file
            return self._of(bundle) / MAIN

    @property
    def operators(self) -> Path:
        """The operator's own site file, whether it runs or not."""
        return self._file

    def give_up(self) -> Path:
        """Return the operator's file, to run in place of a bundle that does not load any more.

        What a bundle needs beside its own files, an installed profile above all, may have gone.
        """
        with self._lock:
            self._conclude(replace(self.book, running=None, trying=None, last="damaged"))
        return self._file

    @property
    def main(self) -> Path:
        """The main file of what runs, by the book; nothing is looked at."""
        bundle = self.book.trying or self.book.running
        return self._file if bundle is None else self._of(bundle) / MAIN

    def note(self, own: Iterable[Path]) -> None:
        """Note what the operator's files are now: these were just loaded.

        Where they cannot be looked at, what was noted before stands: letters meet a conflict then.
        """
        with suppress(OSError):
            self._noted = self._fingerprint(map(str, own_files(own, self._file).values()))

    def is_edited(self) -> bool:
        """Whether the operator's files are others than those that count, and not loaded yet."""
        expected = self._expected()
        return self._fingerprint(expected) != dict(expected)

    @property
    def is_local(self) -> bool:
        """Whether the operator's own file is what runs, by the book."""
        return self.book.running is None and self.book.trying is None

    def stage(self, bundle: Bundle, files: Mapping[str, bytes]) -> Path:
        """Write the files of a bundle, whole or not at all; return its main file.

        What earlier ones left that neither run nor are tried goes.
        """
        fresh, target = self._folder / _FRESH, self._of(bundle)
        self._clear(target.name)
        for name, content in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_bytes(content)
        for path in (*fresh.rglob("*"), fresh):
            _sync(path)
        if target.exists():
            if self._hash(bundle) == bundle.hash:
                return target / MAIN
            shutil.rmtree(target)
        fresh.replace(target)
        _sync(self._folder)
        return target / MAIN

    def begin(self, bundle: Bundle, owed: Owed) -> None:
        """Note that a staged bundle is tried; `owed` is said should the trial be cut short."""
        with self._lock:
            local = self._expected()
            self._write(replace(self.book, trying=bundle, local=local, owed=owed))

    def keep(self, owed: Owed) -> bool:
        """Note that the bundle that was tried is what runs; older ones go.

        Return False, and note nothing, where it is tried no more: the operator's file runs.
        """
        with self._lock:
            tried = self.book.trying
            if tried is None:
                return False
            self._write(replace(self.book, running=tried, trying=None, last="applied", owed=owed))
            self._clear(tried.hash)
        return True

    def take_back(self, owed: Owed) -> None:
        """Note that what ran before the trial runs again.

        Where the disk refuses, the book there still names the trial, and `recover` takes it back.
        """
        with self._lock:
            last = self.book.last if self.book.trying is None else "rolled_back"
            self.book = replace(self.book, trying=None, last=last, owed=owed)
            self._write(self.book)

    def owe(self, owed: Owed) -> None:
        """Note an answer that is owed, and nothing else."""
        with self._lock:
            self._write(replace(self.book, owed=owed))

    def settled(self) -> None:
        """Note that nothing is owed any more."""
        with self._lock:
            self._write(replace(self.book, owed=None))

    # --- private

    def _expected(self) -> Mapping[str, str]:
        return self._noted if self.is_local else self.book.local

    def _of(self, bundle: Bundle) -> Path:
        return self._folder / bundle.hash

    def _hash(self, bundle: Bundle) -> str:
        """Return the hash of what lies there; "" when it cannot be read."""
        folder = self._of(bundle)
        try:
            return hash_of(
                {path.relative_to(folder).as_posix(): path.read_bytes() for path in _in(folder)}
            )
        except OSError as error:
            if error.errno in _PASSING:
                raise
            return ""

    def _fingerprint(self, known: Iterable[str]) -> dict[str, str]:
        """Return the hash of each of the operator's files; "" for one that cannot be read."""
        paths = {str(path) for path in files_of(self._file)} | set(known)
        return {path: _hash_of_file(Path(path)) for path in sorted(paths)}

    def _clear(self, wanted: str) -> None:
        """Delete bundles that neither run nor are tried, but the wanted one."""
        book = self.book
        kept = {wanted, *(one.hash for one in (book.running, book.trying) if one is not None)}
        with suppress(OSError):  # nothing needs their room now
            for path in [path for path in self._folder.iterdir() if path.is_dir()]:
                if path.name not in kept:
                    shutil.rmtree(path, ignore_errors=True)

    def _conclude(self, book: Book) -> None:
        """Take what follows from the files; where the disk refuses, the next start finds it too."""
        self.book = book
        try:
            self._write(book)
        except OSError as error:
            _log.warning("the book of remote configurations cannot be written: %s", error)

    def _write(self, book: Book) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._folder / f"{BOOK}.new"
        with fresh.open("w", encoding="utf-8") as out:
            json.dump(asdict(book), out, ensure_ascii=False)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(self._folder / BOOK)
        _sync(self._folder)
        self.book = book


def running_hash(files: Iterable[Path], main: Path) -> str:
    """Return the hash of the site that a main file made, by the files that a bundle may hold."""
    named = own_files(files, main)
    return hash_of({name: path.read_bytes() for name, path in named.items() if path.exists()})


def own_files(files: Iterable[Path], main: Path) -> dict[str, Path]:
    """Return those files of a site that a bundle may hold, by their names in it.

    The main file counts as gateway.yaml; installed profiles are none of them.
    """
    base = main if main.is_dir() else main.parent
    main_file = main / MAIN if main.is_dir() else main
    named = {path.relative_to(base).as_posix(): path for path in files if path.is_relative_to(base)}
    named.pop(main_file.name, None)
    return {MAIN: main_file, **{name: p for name, p in named.items() if is_bundle_name(name)}}


def _in(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder; unlike `rglob` it never passes over what it cannot read."""

    def fail(error: OSError) -> None:
        raise error

    for parent, _, names in os.walk(folder, onerror=fail):
        yield from (Path(parent) / name for name in names)


def _hash_of_file(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        if error.errno in _PASSING:
            raise
        return ""


def _read_book(path: Path) -> Book:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Book(
            running=_bundle(found["running"]),
            trying=_bundle(found["trying"]),
            local=dict(found["local"]),
            last=str(found["last"]),
            owed=None if found["owed"] is None else Owed(**found["owed"]),
        )
    except FileNotFoundError:
        return Book()
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, OSError) and error.errno in _PASSING:
            raise
        _log.error("the book of remote configurations is damaged: %s", error)
        return Book(last="damaged")


def _bundle(found: dict[str, Any] | None) -> Bundle | None:
    return None if found is None else Bundle(str(found["hash"]), found["version"])


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
