"""A meter of CJ/T 188 for the tests of its driver: frames by hand, jobs run against replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from drivers.cjt188 import DRIVER
from drivers.cjt188.address import Cjt188Address, Cjt188Quirks, Field
from drivers.cjt188.codec import Frame, encode, frame_at, starts
from drivers.cjt188.driver import Cjt188Driver
from drivers.contract import Exchange, Job, LineCost, Raw, Wanted
from gateway.settings.driver_keys import address_model, quirks_model

METER = "78330123456789"
COST = LineCost(char_s=11 / 2400, exchange_s=0.1)
QUIRKS = Cjt188Quirks()
WATER = bytes.fromhex("0077 6655 2c 0077 6655 2c 31012211051520 2184")
HEAT = bytes.fromhex(
    "1174020005 8827440505 0000000017 0000000035 085671002c 792600 642600 66470711521703092520 0005"
)
VECTORS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "drivers" / "cjt188" / "vectors.yaml").read_text(encoding="utf-8")
)


def driver() -> Cjt188Driver:
    found = DRIVER.protocols["cjt188"]
    assert isinstance(found, Cjt188Driver)
    return found


def vector(number: int) -> bytes:
    """Return the bytes of a golden frame."""
    return bytes.fromhex(VECTORS[number - 1]["hex"])


def address(**keys: Any) -> Cjt188Address:
    """Return the address of keys as settings make it of a profile."""
    made = address_model(DRIVER).model_validate(keys).plain
    assert isinstance(made, Cjt188Address)
    return made


def quirks(**keys: Any) -> Cjt188Quirks:
    """Return the quirks of keys as settings make them of a profile."""
    made = quirks_model(DRIVER).model_validate(keys).plain
    assert isinstance(made, Cjt188Quirks)
    return made


def wanted(*fields: Field | Cjt188Address) -> list[Wanted]:
    return [
        Wanted(key, one if isinstance(one, Cjt188Address) else Cjt188Address(one))
        for key, one in enumerate(fields)
    ]


def job_of(*fields: Field | Cjt188Address, unit: str = METER, **keys: Any) -> Job:
    """Return the one job that reads these points."""
    (job,) = driver().plan(unit, wanted(*fields), quirks(**keys), COST)
    return job


def parsed(octets: bytes) -> Frame:
    """Return the frame behind its preambles."""
    frame = frame_at(octets, next(starts(octets)))
    assert isinstance(frame, Frame)
    return frame


def reply_to(request: bytes, payload: bytes, **other: Any) -> bytes:
    """Return the frame of the meter that was asked; `other` says what is different in it."""
    asked = parsed(request)
    content = other.get("head", asked.content[:3]) + payload
    control = other.get("control", asked.control | 0x80)
    return encode(
        Frame(other.get("type", asked.type), other.get("address", asked.address), control, content)
    )


def run(job: Job, answer: Callable[[bytes], bytes]) -> Sequence[Raw | None]:
    """Do a job against a meter that answers requests with replies."""
    steps = job.steps()
    reply: Any = None
    while True:
        try:
            exchange: Exchange = steps.send(reply)
        except StopIteration as done:
            return done.value
        reply = exchange.feed(answer(exchange.request))
        assert reply is not None


def read(payload: bytes, *fields: Field | Cjt188Address, **keys: Any) -> Sequence[Raw | None]:
    """Return the raw values of points in a reply with that data."""
    return run(job_of(*fields, **keys), lambda request: reply_to(request, payload))
