"""Copies of the gateway that are wrong on purpose: a patch, and a process that imports the copy.

A patch is a list of replacements in named files. Each must match exactly once: when the source
changes, the sabotage breaks loudly instead of doing nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
COPIED = ("gateway", "drivers", "config")
_IGNORED = shutil.ignore_patterns("__pycache__")


@dataclass(frozen=True, slots=True)
class Replacement:
    """One place of the source and what stands there instead."""

    file: str
    old: str
    new: str


class Stale(AssertionError):
    """The source is no longer what the sabotage was written for."""


@dataclass(frozen=True, slots=True)
class Build:
    """A gateway to run: the checkout's own, or a sabotaged copy of it."""

    folder: Path

    def environment(self) -> Mapping[str, str]:
        """Return what makes a Python process import this gateway, and the tests of the checkout."""
        path = os.pathsep.join(dict.fromkeys((str(self.folder), str(ROOT))))
        return {"PYTHONPATH": path, "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}

    @contextmanager
    def for_children(self) -> Generator[None]:
        """Let every process that is started inside the block import this gateway."""
        before = dict(os.environ)
        os.environ.update(self.environment())
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


HONEST = Build(ROOT)


def sabotaged(folder: Path, replacements: tuple[Replacement, ...]) -> Build:
    """Return a copy of the gateway in this folder with the replacements made.

    Raises:
        Stale: a text is not there exactly once.
    """
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=_IGNORED)
    for each in replacements:
        file = folder / each.file
        source = file.read_text(encoding="utf-8")
        if (found := source.count(each.old)) != 1:
            raise Stale(f"{each.file}: {found} times, not once: {each.old!r}")
        file.write_text(source.replace(each.old, each.new), encoding="utf-8")
    return Build(folder)
