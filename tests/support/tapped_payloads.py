"""At the end of a test run: every payload that any process of it made, against its schema."""

from __future__ import annotations

import os
import re
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.payloads import checked

TAP = Path(__file__).parent / "payload_tap"
_DIGITS = re.compile(rb"[0-9]+")


@dataclass(frozen=True, slots=True)
class Judged:
    """How many payloads that differ in more than digits were held against the schemas."""

    payloads: int
    faults: tuple[str, ...]


def watch(folder: Path) -> None:
    """Let this process and all its children write down what they say, in that folder."""
    os.environ["PAYLOAD_TAP"] = str(folder)
    known = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{TAP}{os.pathsep}{known}" if known else str(TAP)
    runpy.run_path(str(TAP / "sitecustomize.py"))


def judge(folder: Path) -> Judged:
    """Hold all that was written down against the schemas, each shape once."""
    seen: set[bytes] = set()
    faults: list[str] = []
    for topic, payload in _written(folder):
        shape = _DIGITS.sub(b"0", payload)
        if shape in seen:
            continue
        seen.add(shape)
        try:
            checked(topic, payload)
        except (AssertionError, ValueError) as wrong:
            faults.append(f"{topic}: {wrong}")
    return Judged(len(seen), tuple(faults))


def _written(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.glob("*.tap")):
        for line in file.read_bytes().splitlines():
            topic, _, payload = line.partition(b" ")
            if payload.endswith(b"}"):  # a process that was killed may have left half a line
                yield topic.decode(), payload
