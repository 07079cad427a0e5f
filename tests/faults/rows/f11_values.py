"""F11: values that cannot be: NaN, infinities, overflow, -0, counters that go back, a frozen meter.

A scripted meter serves them one by one over a real gateway and broker. What is no number must come
as null with `range`, what cannot follow must come as it was served with its mark, and no payload
may hold a word that JSON does not have.
"""

from __future__ import annotations

import json
import math
from random import Random
from typing import Any

from tests.e2e.kit_values import Step, ValuesStage, energy, odd, values_stage, wide
from tests.faults.contract import Row, Stage, Verdict, holds
from tests.support.gateway_process import running_gateway

LEAST_DOUBLE = 5e-324
NO_NUMBERS = (math.nan, math.inf, -math.inf)
NUMBERS = (-0.0, 1e-40, 1.5, -3.25)
"""What is served as a 32-bit float and is one: negative zero, a denormal, ordinary ones."""
BACK_KWH = 50.0


def run(stage: Stage) -> Verdict:
    """Serve them, and look at all that the platform got."""
    chance = Random(stage.seed)  # noqa: S311 - repeatable
    with values_stage(stage.folder) as values:
        with running_gateway(values.site, values.base):
            values.wait_until_good("ep_imp", 812.44)
            rounds = stage.times(100, 2)
            for _ in range(rounds):
                values.meter.play(*_steps(chance))
            values.meter.is_frozen = True
            values.wait_for_event("device_frozen", "raised")
            values.meter.is_frozen = False
            values.wait_for_event("device_frozen", "cleared")
        return _verdict(values, rounds)


def _steps(chance: Random) -> list[Step]:
    """Return one round in a random order, with a counter that goes back once and comes again."""
    floats: list[Step] = [odd(value) for value in (*NO_NUMBERS, *NUMBERS)]
    doubles: list[Step] = [wide(value) for value in (1e308, LEAST_DOUBLE, math.nan, 2.5)]
    steps = [*floats, *doubles]
    chance.shuffle(steps)
    steps.insert(chance.randrange(1, len(steps)), energy(BACK_KWH))
    at = next(i for i, step in enumerate(steps) if step == energy(BACK_KWH))
    steps.insert(at + 1, energy(812.44))
    return steps


def _verdict(values: ValuesStage, rounds: int) -> Verdict:
    messages = values.platform.so_far()
    for message in messages:
        if message.payload:
            json.loads(message.payload, parse_constant=_no_json)
    energies = values.platform.points("em-1", "ep_imp")
    assert [e["v"] for e in energies] == values.meter.energies[: len(energies)], "as served"
    backs = [e for e in energies if e["v"] == BACK_KWH]
    assert len(backs) == rounds
    assert {(e.get("q"), e.get("qr")) for e in backs} == {(0, "counter")}
    assert len(values.events("counter_reset")) == 2 * rounds, "each raised and withdrawn"
    nulls = 0
    for point in ("odd", "wide"):
        nulls += sum(_is_null(entry) for entry in values.platform.points("em-1", point))
    assert nulls >= rounds, "one for each stretch of them, as bad quality is told when it begins"
    stale = sum(e.get("q") == 500 for e in values.platform.points("em-1", "u_a"))
    assert stale
    return holds(
        f"{rounds} rounds, {nulls} stretches of no number came as null, {len(backs)} steps back"
        f" marked and unaltered, {stale} stale values of a frozen meter; {len(messages)} messages,"
        " 0 that are no JSON",
        rounds=rounds,
        nulls=nulls,
        back=len(backs),
        stale=stale,
        messages=len(messages),
    )


def _is_null(entry: dict[str, Any]) -> bool:
    """Whether an entry has no value; then it says why, and else it is good and finite."""
    if entry["v"] is None:
        assert (entry["q"], entry["qr"]) == (0, "range")
        return True
    assert "q" not in entry
    assert math.isfinite(entry["v"])
    return False


def _no_json(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


ROW = Row(
    id="F11",
    fault="values: NaN, inf, -0, overflow, denormal, counter going back, frozen meter",
    tool="scripted Modbus TCP slave",
    must_hold="bad quality or a mark, nothing altered, an event for what went back or froze",
    goal="0 payloads that are no JSON, 0 unmarked",
    run=run,
)
