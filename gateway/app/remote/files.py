"""Configurations from afar on the disk: staged, tried, kept, taken back.

The operator's own file is never written. A bundle lies in a folder of the state folder, whole
before anything names it, and one small file, the book, says which runs. The book is replaced in
one rename, so that a power cut leaves the one before or the one after. A cut during a trial is a
failed trial: what runs at the next start is what ran before it.

An operator who edits the own file afterwards has the last word: the book knows what the file was
when the configuration came, and a file that differs runs in its place.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from gateway.remote.files import MAIN, hash_of, is_bundle_name
from gateway.settings.site_paths import files_of

FOLDER = "remote"
BOOK = "book.json"

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
    """The folder of one gateway. Everything here blocks; OSError means that nothing changed."""

    def __init__(self, state: Path, file: Path) -> None:
        """Take the state folder and the operator's site file."""
        self._folder = state / FOLDER
        self._file = file
        self.book = _read_book(self._folder / BOOK)
        self._noted: Mapping[str, str] = {}
        """The operator's files as they were when they were loaded."""

    def recover(self) -> None:
        """Take back a trial that a power cut or a crash ended; called once, at the start."""
        if self.book.trying is not None:
            self._write(replace(self.book, trying=None, last="rolled_back"))

    def source(self) -> Path:
        """Return the file to load: of the bundle that is tried or runs, else the operator's."""
        bundle = self.book.trying or self.book.running
        if bundle is None:
            return self._file
        if self._fingerprint(self.book.local) != dict(self.book.local):
            _log.warning("the site file was edited: it runs in place of the remote configuration")
            self._write(replace(self.book, running=None, trying=None, last="superseded"))
            return self._file
        if self._hash(bundle) != bundle.hash:
            _log.error("the remote configuration on the disk is damaged: the site file runs")
            self._write(replace(self.book, running=None, trying=None, last="damaged"))
            return self._file
        return self._of(bundle) / MAIN

    @property
    def main(self) -> Path:
        """The main file of what runs, by the book; nothing is looked at."""
        bundle = self.book.trying or self.book.running
        return self._file if bundle is None else self._of(bundle) / MAIN

    def note(self, own: Iterable[Path]) -> None:
        """Note what the operator's files are now: these were just loaded."""
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
        """Write the files of a bundle, whole or not at all; return its main file."""
        fresh, target = self._folder / "fresh", self._of(bundle)
        shutil.rmtree(fresh, ignore_errors=True)
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
        local = self._expected()
        self._write(replace(self.book, trying=bundle, local=local, owed=owed))

    def keep(self, owed: Owed) -> None:
        """Note that the bundle that was tried is what runs; older ones go."""
        self._write(
            replace(self.book, running=self.book.trying, trying=None, last="applied", owed=owed)
        )
        for path in self._folder.iterdir():
            if path.is_dir() and path.name != getattr(self.book.running, "hash", ""):
                shutil.rmtree(path, ignore_errors=True)

    def take_back(self, owed: Owed) -> None:
        """Note that what ran before the trial runs again.

        Where the disk refuses, the book there still names the trial, and `recover` takes it back.
        """
        self.book = replace(self.book, trying=None, last="rolled_back", owed=owed)
        self._write(self.book)

    def owe(self, owed: Owed) -> None:
        """Note an answer that is owed, and nothing else."""
        self._write(replace(self.book, owed=owed))

    def settled(self) -> None:
        """Note that nothing is owed any more."""
        self._write(replace(self.book, owed=None))

    # --- private

    def _expected(self) -> Mapping[str, str]:
        return self._noted if self.is_local else self.book.local

    def _of(self, bundle: Bundle) -> Path:
        return self._folder / bundle.hash

    def _hash(self, bundle: Bundle) -> str:
        folder = self._of(bundle)
        try:
            return hash_of(
                {
                    path.relative_to(folder).as_posix(): path.read_bytes()
                    for path in folder.rglob("*")
                    if path.is_file()
                }
            )
        except OSError:
            return ""

    def _fingerprint(self, known: Iterable[str]) -> dict[str, str]:
        """Return the hash of each of the operator's files; "" for one that is not there."""
        paths = {str(path) for path in files_of(self._file)} | set(known)
        return {path: _hash_of_file(Path(path)) for path in sorted(paths)}

    def _write(self, book: Book) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._folder / f"{BOOK}.new"
        with fresh.open("w", encoding="utf-8") as out:
            json.dump(asdict(book), out, ensure_ascii=False)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(self._folder / BOOK)
        self.book = book
        _sync(self._folder)


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


def _hash_of_file(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
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
        _log.error("the book of remote configurations is damaged: %s", error)
        return Book()


def _bundle(found: dict[str, Any] | None) -> Bundle | None:
    return None if found is None else Bundle(str(found["hash"]), found["version"])


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
