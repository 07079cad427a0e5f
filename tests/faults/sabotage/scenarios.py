"""The scenarios: a real fault, a gateway (honest or sabotaged), and the audit of its books.

Each takes a build and an empty folder and returns an audit. The honest build must come out clean;
a sabotaged one must not.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random

from tests.e2e.kit_gateway import depth, sink_status, until
from tests.e2e.kit_platform import Platform
from tests.faults.power_cut import Disk
from tests.faults.sabotage.builds import Build
from tests.faults.sabotage.findings import Finding
from tests.faults.sabotage.lives import END_S, Lives
from tests.faults.uplink_stage import BASE_TOPIC, MARKER, Scene, everything, url_of
from tests.support.mosquitto import mosquitto

MANY = "100000"
"""More records than any life that is killed lasts."""


def kills(build: Build, folder: Path) -> Finding:
    """Kill the writer several times under load, then let it deliver all."""
    lives = Lives(build, folder / "state")
    for promises in (50, 333, 777, 205):
        lives.live("--records", MANY, kill_after=promises)
    lives.live("--records", "40")
    return Finding.of(lives.audited())


def frozen_platform(build: Build, folder: Path) -> Finding:
    """Hand records out to a platform that acknowledges nothing, kill, then let it deliver all."""
    lives = Lives(build, folder / "state")
    lives.live("--records", "200")
    lives.live("--records", MANY, "--deaf", kill_after=500)
    lives.live("--records", "40")
    return Finding.of(lives.audited())


def power_cuts(build: Build, folder: Path) -> Finding:
    """Cut the power of an ext4 under the writer, then let it deliver all.

    Raises:
        NoDisk: this machine gives us none.
    """
    with Disk(folder / "disk.img", folder / "mounted") as disk:
        lives = Lives(build, folder / "mounted" / "state")

        def cut(process: subprocess.Popen[bytes]) -> None:
            process.send_signal(signal.SIGSTOP)
            disk.cut()
            process.kill()

        lives.live("--records", "400")
        for promises in (400, 900):
            lives.live("--records", MANY, "--deaf", kill_after=promises, at_death=cut)
            disk.come_back()
        lives.live("--records", "40")
        return Finding.of(lives.audited())


def bit_flips(build: Build, folder: Path) -> Finding:
    """Flip one bit of the payload of every stored row, then let it deliver all."""
    chance = Random(4)  # noqa: S311 - repeatable
    state = folder / "state"
    lives = Lives(build, state)
    lives.live("--records", "4000", "--deaf")
    with closing(sqlite3.connect(state / "outbox.db", isolation_level=None)) as database:
        tables = [name for (name,) in database.execute(_ROW_TABLES)]
        for table in tables:
            rows = database.execute(f"SELECT first_seq, payload FROM {table}").fetchall()  # noqa: S608 - its own
            for first, payload in rows:
                spoilt = bytearray(payload)
                at = chance.randrange(len(spoilt) // 2, len(spoilt) - 4)
                spoilt[at] ^= 1 << chance.randrange(8)
                sql = f"UPDATE {table} SET payload = ? WHERE first_seq = ?"  # noqa: S608 - its own
                database.execute(sql, (bytes(spoilt), first))
    lives.live("--records", "40")
    return Finding.of(lives.audited())


_ROW_TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%first_seq%payload%'"
)


def lost_tail(build: Build, folder: Path) -> Finding:
    """Take away what SQLite has not yet moved into its file, then let it deliver all."""
    state = folder / "state"
    lives = Lives(build, state)
    lives.live("--records", "400")
    lives.live("--records", MANY, "--deaf", kill_after=300)
    wal = state / "outbox.db-wal"
    assert wal.stat().st_size > 0
    wal.unlink()
    lives.live("--records", "400")
    return Finding.of(lives.audited())


def denied(build: Build, folder: Path) -> Finding:
    """Let a real broker refuse one device's values with a reason code, under a whole gateway."""
    acl = folder / "acl"
    allowed = [f"{BASE_TOPIC}/up/{kind}/+" for kind in ("birth", "state", "event", "log", "gap")]
    allowed += [f"{BASE_TOPIC}/up/{kind}/em-{n}" for kind in ("prop", "hist") for n in (1, 3)]
    lines = [f"topic readwrite {topic}" for topic in (*allowed, MARKER)]
    lines += ["topic read fc/1/+/+/up/#", f"topic read {BASE_TOPIC}/dn/+/+"]
    acl.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (
        Scene(folder) as scene,
        mosquitto(folder, f"acl_file {acl}") as broker,
        Platform(broker.port) as platform,
    ):
        with build.for_children(), scene.gateway(url_of(broker)) as gateway:
            platform.wait(lambda: len(platform.of("prop", "em-1")) >= 15, "the others are read")
            scene.field.silent |= {1, 2, 3}
            until(lambda: depth(gateway) == 0, "all is settled")
            assert sink_status(gateway)["connects"] == 1
            assert gateway.stop() == 0
        everything(platform)
        return Finding.of(scene.compared(platform.so_far()))


def late_replies(build: Build, _folder: Path) -> Finding:
    """Let meters answer after their requests timed out."""
    return _on_a_line(build, "late")


def clock_step(build: Build, _folder: Path) -> Finding:
    """Set the wall clock back by a day, then forward by two, under a polling line."""
    return _on_a_line(build, "step")


def _on_a_line(build: Build, what: str) -> Finding:
    """Run a line of meters in virtual time in a process of that build; it sends its books."""
    words = [sys.executable, "-m", "tests.faults.sabotage.line", what]
    done = subprocess.run(
        words,
        capture_output=True,
        check=True,
        timeout=END_S,
        env={**os.environ, **build.environment()},
    )
    return Finding(json.loads(done.stdout))
