"""The last site that worked, kept in the state folder, so that a bad file does not stop a start."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.app.site.vet import vet
from gateway.settings.apart import load_site_apart
from gateway.settings.problems import Problem
from gateway.settings.result import LoadResult

_log = logging.getLogger("linli")

_FOLDER = "last-good"
_INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class Started:
    """The site to run, and whether it is the one that was asked for."""

    result: LoadResult
    refused: tuple[Problem, ...]
    """Errors of the file that was asked for, when the last good site runs instead."""

    @property
    def is_fallback(self) -> bool:
        """Whether the last good site runs in place of the file."""
        return bool(self.refused)


def load_or_fall_back(file: Path, state: Path, *, strict: bool) -> Started:
    """Return the site of `file`; when it is bad and not `strict`, the last one that worked."""
    result = load_and_vet(file)
    if result.site is not None or strict:
        return Started(result, ())
    saved = saved_copy(state)
    if saved is None:
        return Started(result, ())
    fallback = load_and_vet(saved)
    if fallback.site is None:
        return Started(result, ())
    return Started(fallback, result.problems)


def load_and_vet(file: Path) -> LoadResult:
    """Return the site of a file, or None for it when any room finds an error."""
    result = load_site_apart(file)
    if result.site is None:
        return result
    problems = (*result.problems, *vet(result.site))
    is_bad = any(problem.severity == "error" for problem in problems)
    return LoadResult(None if is_bad else result.site, problems)


def save(files: Sequence[Path], main: Path, state: Path) -> None:
    """Copy the files of a site that works into the state folder, whole or not at all.

    A disk that refuses is only told: the site runs without the copy too.
    """
    try:
        _copy(files, main, state)
    except OSError as exc:
        _log.warning("the site runs, but no copy of it could be kept for a bad day: %s", exc)


def _copy(files: Sequence[Path], main: Path, state: Path) -> None:
    fresh, old = state / f"{_FOLDER}.new", state / _FOLDER
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    base = main if main.is_dir() else main.parent
    for file in files:
        if not file.is_relative_to(base):
            continue  # profiles and kinds stay where they are
        target = fresh / file.relative_to(base)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    index = {"main": "." if main.is_dir() else main.name}
    (fresh / _INDEX).write_text(json.dumps(index), encoding="utf-8")
    _sync_tree(fresh)  # else a power cut may keep the new name and lose what is in the files
    stale = state / f"{_FOLDER}.old"
    if old.exists():  # when not, a cut came between the two renames, and `stale` is the good one
        shutil.rmtree(stale, ignore_errors=True)
        old.replace(stale)
    fresh.replace(old)
    _sync(state)
    shutil.rmtree(stale, ignore_errors=True)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def saved_copy(state: Path) -> Path | None:
    """Return the last site that worked, whole; None when there is none."""
    for folder in (state / _FOLDER, state / f"{_FOLDER}.old"):
        try:
            index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
            return folder / index["main"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # not there, or cut short by a power failure
    return None
