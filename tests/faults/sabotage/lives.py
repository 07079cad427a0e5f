"""Lives of a station: started, killed after so many promises, started again; and its books."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.audit import Audit, audit
from tests.faults.books import TELEMETRY, CommittedBook, Identity, ReceivedBook
from tests.faults.sabotage.builds import Build
from tests.faults.sabotage.station import BATCH

MODULE = "tests.faults.sabotage.station"
END_S = 60.0


@dataclass
class Lives:
    """What a station promised and delivered over all its lives.

    Committed is what `append` returned, which is more than what the disk holds afterwards.
    """

    build: Build
    folder: Path
    committed: CommittedBook = field(default_factory=CommittedBook)
    received: ReceivedBook = field(default_factory=ReceivedBook)
    _open_ends: list[Identity] = field(default_factory=list[Identity])
    """The last promise before each kill."""

    def live(
        self,
        *options: str,
        kill_after: int | None = None,
        at_death: Callable[[subprocess.Popen[bytes]], None] | None = None,
    ) -> None:
        """Run one life: to its end, or until so many promises were heard, then kill -9.

        `at_death` is called in place of the kill, and kills itself.
        """
        words = [sys.executable, "-m", MODULE, str(self.folder), *options]
        environment = {**os.environ, **self.build.environment()}
        with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            promised = 0
            for line in process.stdout:
                promised += self._hear(line)
                if kill_after is not None and promised >= kill_after:
                    (at_death or _kill)(process)
                    break
            for line in process.stdout:  # what it said before it died
                self._hear(line)
            status = process.wait(END_S)
            if kill_after is not None:
                self._open_ends.append(next(reversed(self.committed.entries)))
            assert kill_after is not None or status == 0, "the station failed"

    def _hear(self, line: bytes) -> bool:
        """Note a whole line; True when it was a promise."""
        if not line.endswith(b"\n"):
            return False
        kind, _, text = line[:-1].decode().partition(" ")
        if kind == "C":
            self.committed.take_stored([json.loads(text)])
            return True
        topic, _, payload = text.partition("\t")
        self.received.take(topic, payload.encode())
        return False

    def audited(self) -> Audit:
        """Compare the books.

        What the outbox says by itself (events, gaps) is committed, but not returned by `append`:
        so the book has it from its arrival. The same holds for the one append that was under way
        at a kill: committed, but nobody heard it.
        """
        known = self.committed.entries
        for arrival in self.received.arrivals:
            if arrival.entry.lane != TELEMETRY or self._was_under_way(arrival.identity):
                known.setdefault(arrival.identity, arrival.entry)
        return audit(None, self.committed, self.received)

    def _was_under_way(self, identity: Identity) -> bool:
        return any(
            identity.ep == end.ep and end.seq < identity.seq <= end.seq + BATCH
            for end in self._open_ends
        )


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
