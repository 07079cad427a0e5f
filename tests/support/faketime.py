"""Another wall clock for a child process, set while it runs (libfaketime)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_PLACES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")
"""The one for threads: in the other one, two threads that ask at once now and then get the true
time (seen in 7 of 60 starts with six threads; in none of 80 with this one)."""


class FakeTime:
    """The wall clock of one process, as an offset to the true one. Monotonic time stays true."""

    MODULE = "tests.support.faked_gateway"

    def __init__(self, folder: Path, offset_s: int) -> None:
        self._file = folder / "faketime"
        self.set(offset_s)

    @staticmethod
    def library() -> Path | None:
        """Return the library, None where it is not installed."""
        found = (path for place in _PLACES for path in Path("/").glob(place.lstrip("/")))
        return next(found, None)

    def set(self, offset_s: int) -> None:
        """Set the clock, seen at the next look at it."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{offset_s:+d}\n", encoding="ascii")
        fresh.replace(self._file)

    def environment(self) -> Mapping[str, str]:
        """Return what the child process needs."""
        return {
            "LD_PRELOAD": str(self.library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DISABLE_SHM": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",  # times of files are true, like those of other programs' files
        }
