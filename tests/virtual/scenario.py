"""What befalls a gateway, drawn from a seed: which faults, when, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.virtual.site import Plan
from tests.virtual.world import World

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Act:
    """Something that befalls the world at a time, in words for people."""

    at_s: float
    what: str
    do: Callable[[World], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A seed with what came of it."""

    seed: int
    plan: Plan
    seconds: float
    acts: tuple[Act, ...]
    devices: int = 8
    ways: int = 0

    def told(self) -> str:
        """Return all of it, one act a line."""
        return "\n".join(f"  {act.at_s:9.3f} s  {act.what}" for act in self.acts)


def scenario(seed: int, seconds: float, devices: int = 8, ways: int | None = None) -> Scenario:
    """Return what this seed makes of so many seconds, with the first so many ways of harm."""
    makers = _MAKERS[:ways]
    rng = Random(seed)  # noqa: S311 - simulated chance
    dlt = devices // 4
    plan = Plan(
        modbus=devices - dlt,
        dlt=dlt,
        sinks=rng.choice((1, 1, 2)),
        poll_s=rng.choice((5, 10, 20)),
        alarm_s=rng.choice((2, 5)),
    )
    acts: list[Act] = []
    for _ in range(rng.randrange(3, 4 + round(seconds / 120))):
        make = rng.choice(makers)
        at_s = rng.uniform(1.0, seconds)
        length_s = min(rng.choice((2.0, 15.0, 60.0, 180.0)) * rng.uniform(0.5, 1.5), seconds)
        acts += make(rng, at_s, length_s)
    acts += _contacts(rng, seconds)
    ordered = tuple(sorted(acts, key=lambda act: act.at_s))
    return Scenario(seed, plan, seconds, ordered, devices, len(makers))


def _span(
    at_s: float,
    length_s: float,
    what: str,
    on: Callable[[World], None],
    off: Callable[[World], None],
) -> list[Act]:
    return [Act(at_s, what, on), Act(at_s + length_s, f"{what}: over", off)]


# --- brokers


def _broker(rng: Random, at_s: float, length_s: float, what: str, **values: object) -> list[Act]:
    """Set fields of one broker for a while."""
    pick = rng.random()

    def put(world: World, new: dict[str, object]) -> None:
        broker = list(world.brokers.values())[int(pick * len(world.brokers))]
        for name, value in new.items():
            setattr(broker, name, value)

    usual: dict[str, object] = {
        "is_down": False,
        "is_silent": False,
        "refuses": None,
        "answers": 0,
        "answer_share": 1.0,
        "slow_s": 0.0,
        "lost_acks": 0.0,
        "loses_session": 0.0,
        "receive_maximum": 65_535,
        "max_packet": None,
        "forward_s": 0.0,
    }
    back = {name: usual[name] for name in values}
    return _span(at_s, length_s, f"broker {what}", lambda w: put(w, values), lambda w: put(w, back))


def _down(rng: Random, at_s: float, length_s: float) -> list[Act]:
    pick = rng.random()
    drop = Act(at_s, "broker breaks its connections", lambda w: _one(w, pick).go_down())
    return [drop, *_broker_of(pick, at_s, length_s)]


def _one(world: World, pick: float):  # noqa: ANN202 - a Broker
    return list(world.brokers.values())[int(pick * len(world.brokers))]


def _broker_of(pick: float, at_s: float, length_s: float) -> list[Act]:
    def back(world: World) -> None:
        _one(world, pick).is_down = False

    return [Act(at_s + length_s, "broker is back", back)]


def _killed(rng: Random, at_s: float, length_s: float) -> list[Act]:
    """A broker that forgets what it acknowledged and did not forward."""
    pick, forward_s = rng.random(), rng.uniform(0.1, 3.0)

    def slow(world: World) -> None:
        _one(world, pick).forward_s = forward_s

    def die(world: World) -> None:
        _one(world, pick).kill()
        _one(world, pick).forward_s = 0.0

    slow_at = max(0.0, at_s - 30.0)
    return [
        Act(slow_at, f"broker keeps messages {forward_s:.1f} s", slow),
        Act(at_s, "broker killed, forgets", die),
        *_broker_of(pick, at_s, min(length_s, 60.0)),
    ]


def _connections(rng: Random, at_s: float, length_s: float) -> list[Act]:
    pick = rng.random()
    return [
        Act(
            at_s + number * length_s / 5,
            "connection lost",
            lambda w: _one(w, pick).drop_sessions("reset"),
        )
        for number in range(5)
    ]


def _half_open(rng: Random, at_s: float, length_s: float) -> list[Act]:
    return _broker(rng, at_s, length_s, "half open", is_silent=True)


def _refusing(rng: Random, at_s: float, length_s: float) -> list[Act]:
    code = rng.choice((0x87, 0x88, 0x89, 0x9F))
    acts = _broker(rng, at_s, length_s, f"refuses 0x{code:02X}", refuses=code)
    pick = rng.random()
    acts.append(Act(at_s, "connection lost", lambda w: _one(w, pick).drop_sessions("reset")))
    return acts


def _slow(rng: Random, at_s: float, length_s: float) -> list[Act]:
    seconds = rng.choice((0.5, 5.0, 30.0))
    return _broker(rng, at_s, length_s, f"slow {seconds} s", slow_s=seconds)


def _lost_acks(rng: Random, at_s: float, length_s: float) -> list[Act]:
    return _broker(rng, at_s, length_s, "loses acknowledgements", lost_acks=rng.uniform(0.01, 0.5))


def _flaky(rng: Random, at_s: float, length_s: float) -> list[Act]:
    return _broker(rng, at_s, length_s, "loses connections", loses_session=rng.uniform(0.01, 0.2))


def _codes(rng: Random, at_s: float, length_s: float) -> list[Act]:
    code, share = rng.choice((0x87, 0x97, 0x10, 0x83, 0x80)), rng.choice((0.1, 1.0))
    what = f"answers 0x{code:02X} to {share:.0%}"
    return _broker(rng, at_s, length_s, what, answers=code, answer_share=share)


def _small_window(rng: Random, at_s: float, length_s: float) -> list[Act]:
    most, pick = rng.choice((1, 2, 10)), rng.random()
    again = Act(at_s + 0.1, "connection lost", lambda w: _one(w, pick).drop_sessions("reset"))
    acts = _broker(rng, at_s, length_s, f"receive maximum {most}", receive_maximum=most)
    return [*acts, again]


def _small_packets(rng: Random, at_s: float, length_s: float) -> list[Act]:
    most, pick = rng.choice((500, 900, 5000)), rng.random()
    again = Act(at_s + 0.1, "connection lost", lambda w: _one(w, pick).drop_sessions("reset"))
    return [*_broker(rng, at_s, length_s, f"largest packet {most}", max_packet=most), again]


# --- lines and devices


def _line_faults(rng: Random, at_s: float, length_s: float) -> list[Act]:
    pick, share = rng.random(), rng.choice((0.02, 0.1, 0.4))

    def put(world: World, value: float) -> None:
        line = list(world.lines.values())[int(pick * len(world.lines))]
        line.fault_share = value

    what = f"{share:.0%} of a line's replies fail"
    return _span(at_s, length_s, what, lambda w: put(w, share), lambda w: put(w, 0.0))


def _unplugged(rng: Random, at_s: float, length_s: float) -> list[Act]:
    pick = rng.random()

    def put(world: World, *, is_plugged: bool) -> None:
        line = list(world.lines.values())[int(pick * len(world.lines))]
        if is_plugged:
            line.is_plugged = True
        else:
            line.unplug()

    return _span(
        at_s,
        length_s,
        "a line is unplugged",
        lambda w: put(w, is_plugged=False),
        lambda w: put(w, is_plugged=True),
    )


def _dead(rng: Random, at_s: float, length_s: float) -> list[Act]:
    pick = rng.random()

    def put(world: World, *, is_dead: bool) -> None:
        name = str(list(world.site.devices)[int(pick * len(world.site.devices))])
        for line in world.lines.values():
            line.dead.discard(name)
            if is_dead:
                line.dead.add(name)

    return _span(
        at_s,
        length_s,
        "a device is dead",
        lambda w: put(w, is_dead=True),
        lambda w: put(w, is_dead=False),
    )


def _contacts(rng: Random, seconds: float) -> list[Act]:
    """Let it leak here and there, so that alarms come."""
    acts: list[Act] = []
    for _ in range(max(2, round(seconds / 100))):
        pick, at_s, length_s = rng.random(), rng.uniform(5.0, seconds), rng.uniform(5.0, 60.0)

        def put(world: World, pick: float, *, is_wet: bool) -> None:
            lines = [line for name, line in world.lines.items() if name.startswith("rtu")]
            devices = [device for line in lines for device in line.devices.values()]
            devices[int(pick * len(devices))].is_wet = is_wet

        acts += _span(
            at_s,
            length_s,
            "it leaks",
            lambda w, pick=pick, put=put: put(w, pick, is_wet=True),
            lambda w, pick=pick, put=put: put(w, pick, is_wet=False),
        )
    return acts


# --- machine: power, disk, clock


def _cut(rng: Random, at_s: float, length_s: float) -> list[Act]:
    """Cut the power: at once, in some turn of the loop, around a commit, or at a publish."""
    del length_s
    turns = rng.randrange(1, 200)
    pick = rng.random()

    def in_a_turn(world: World) -> None:
        loop, left = asyncio.get_running_loop(), turns

        def turn() -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                world.cut_power()
            else:
                loop.call_soon(turn)

        turn()

    def before_commit(world: World) -> None:
        world.disk.before = world.cut_power

    def after_commit(world: World) -> None:
        world.disk.after = world.cut_power

    def at_publish(world: World) -> None:
        _one(world, pick).on_publish = world.cut_power

    ways: dict[str, Callable[[World], None]] = {
        "at once": World.cut_power,
        f"{turns} turns later": in_a_turn,
        "before a commit": before_commit,
        "after a commit": after_commit,
        "at a publish": at_publish,
    }
    how = rng.choice(list(ways))
    return [Act(at_s, f"power cut {how}", ways[how])]


def _flips(rng: Random, at_s: float, length_s: float) -> list[Act]:
    """Cut the power and flip some bits of the database."""
    del length_s
    count = rng.choice((1, 1, 8))

    def flip(world: World) -> None:
        if not world.over.is_set():
            world.flips = count
            world.cut_power()

    return [Act(at_s, f"power cut, and {count} bits flip", flip)]


def _restart(rng: Random, at_s: float, length_s: float) -> list[Act]:
    del rng, length_s
    return [Act(at_s, "stopped in order", World.stop)]


def _disk(rng: Random, at_s: float, length_s: float) -> list[Act]:
    name, value = rng.choice((("is_full", True), ("is_failing", True), ("slow_s", 2.0)))
    usual = 0.0 if name == "slow_s" else False

    def put(world: World, new: object) -> None:
        setattr(world.disk, name, new)

    return _span(at_s, length_s, f"disk {name}", lambda w: put(w, value), lambda w: put(w, usual))


def _clock_step(rng: Random, at_s: float, length_s: float) -> list[Act]:
    del length_s
    step_ms = rng.choice((-24, -1, 1, 24)) * HOUR_MS

    def step(world: World) -> None:
        world.step_clock(step_ms)

    return [Act(at_s, f"clock steps by {step_ms / HOUR_MS:+.0f} h", step)]


def _no_time(rng: Random, at_s: float, length_s: float) -> list[Act]:
    del rng
    return [
        Act(at_s, "power cut, and it boots in 1970", World.lose_time),
        Act(at_s + length_s, "a time server is found", World.find_time),
    ]


# New ways are added at the end: a seed with its number of ways stays the same history.
_MAKERS = (
    _down,
    _killed,
    _connections,
    _half_open,
    _refusing,
    _slow,
    _lost_acks,
    _flaky,
    _codes,
    _small_window,
    _small_packets,
    _line_faults,
    _line_faults,
    _unplugged,
    _dead,
    _cut,
    _cut,
    _cut,
    _flips,
    _restart,
    _disk,
    _clock_step,
    _no_time,
)
