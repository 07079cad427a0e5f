"""F12: DL/T 645 with wake-up bytes, answers of another meter, and damaged checksums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isclose
from random import Random

from drivers.contract import DriverError, Exchange, Fault, FrameError, LineCost, Raw, Wanted
from drivers.dlt645 import DRIVER
from drivers.dlt645.address import Dlt645Address, Dlt645Quirks, complete_address
from drivers.dlt645.codec import ANSWER, Frame, encode, frames
from drivers.dlt645.edition import id_bytes, id_text
from tests.faults.contract import Row, Stage, Verdict, holds

ENERGY = "00000000"
MOST_FE = 16
"""The standard sends four; repeaters and bad starts make it more."""
LONGEST_CUT = 7
COST = LineCost(char_s=11 / 2400, exchange_s=0.05)
KINDS = ("sound", "other_meter", "checksum", "other_item")


def run(stage: Stage) -> Verdict:
    """Let a meter answer in pieces, soundly or not, with any number of wake-up bytes."""
    chance = Random(stage.seed)  # noqa: S311 - repeatable
    sent, taken = Counter[str](), Counter[str]()
    verdicts = Counter[str]()
    wrong = 0
    for _ in range(stage.times(200_000, 5_000)):
        kind = chance.choice(KINDS)
        sent[kind] += 1
        energy = chance.randrange(80_000_000)  # above it the top bit is a sign
        value, verdict = _ask(chance, kind, energy)
        if value is not None:
            taken[kind] += 1
            wrong += kind != "sound" or not isclose(float(value), energy / 100)
        else:
            verdicts[f"{kind}: {verdict}"] += 1
    assert wrong == 0, f"{wrong} wrong values: {dict(taken)}"
    assert taken["sound"] == sent["sound"], f"{taken['sound']} of {sent['sound']} sound ones read"
    assert verdicts[f"other_meter: {Fault.WRONG_UNIT}"] == sent["other_meter"], dict(verdicts)
    assert verdicts[f"checksum: {Fault.CRC}"] == sent["checksum"], dict(verdicts)
    return holds(
        f"{sent.total():,} answers with 0 to {MOST_FE} wake-up bytes, in pieces: all "
        f"{sent['sound']:,} sound ones read, 0 wrong; told apart: "
        f"{sent['other_meter']:,} wrong_unit, {sent['checksum']:,} crc",
        answers=sent.total(),
        read=taken["sound"],
        verdicts=dict(verdicts),
        wrong=wrong,
    )


def _ask(chance: Random, kind: str, energy: int) -> tuple[Raw | None, Fault | None]:
    """Return the value that the driver takes from one answer, or its verdict."""
    meter = f"{chance.randrange(10**12):012}"
    point = Dlt645Address(**complete_address({"di": ENERGY}))
    (job,) = DRIVER.protocols["dlt645-2007"].plan(meter, [Wanted(0, point)], Dlt645Quirks(), COST)
    steps = job.steps()
    exchange = next(steps)
    answer = _answer(chance, kind, exchange, energy)
    while answer:
        cut = chance.randrange(1, LONGEST_CUT)
        try:
            reply = exchange.feed(answer[:cut])
        except DriverError:
            return None, None
        if reply is not None:
            return _value(steps, reply), None
        answer = answer[cut:]
    verdict = exchange.verdict()
    return None, verdict.fault if isinstance(verdict, FrameError) else None


def _value(steps: object, reply: object) -> Raw | None:
    try:
        steps.send(reply)  # type: ignore[attr-defined]
    except StopIteration as done:
        values: Sequence[Raw | None] = done.value
        return values[0]
    return None


def _answer(chance: Random, kind: str, exchange: Exchange, energy: int) -> bytes:
    (asked,) = frames(exchange.request)
    meter, di = asked.address, id_text(asked.content[:4])
    if kind == "other_meter":
        meter = f"{(int(meter) + 1) % 10**12:012}"
    if kind == "other_item":
        di = "00010000"
    content = id_bytes(di) + bytes.fromhex(f"{energy:08}")[::-1]
    fe = chance.randrange(MOST_FE + 1)
    frame = bytearray(
        encode(meter, Frame(meter, asked.control | ANSWER, content).control, content, preamble=fe)
    )
    if kind == "checksum":
        frame[-2] ^= 1 << chance.randrange(8)
    return bytes(frame)


ROW = Row(
    id="F12",
    fault="DL/T 645: FE wake-up bytes, wrong meter number, wrong data id, checksum",
    tool="the driver alone, answers made by the codec, cut at random",
    must_hold="sound answers read whatever stands before them; others refused and told apart",
    goal="0 wrong values",
    run=run,
)
