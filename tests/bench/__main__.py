"""The benches: `python -m tests.bench [tcp|line|receiver|flood|all] [--quick] [--rounds N]`.

Ends with status 1 when a requirement was missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench import flood, line, receiver, tcp_cpu
from tests.bench.results import Results

IN_FLIGHT = 8
LIMIT_SHARE = 0.97
BESIDE_C = 0.99
CPU_SHARE = 0.75
PER_CPU_SECOND = 60_000
RESIDENT_MB = 45.0
ON_TIME = 0.95


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often."""

    rounds: int
    steady_s: float
    full_s: float
    line_s: float
    five_s: float
    received: int
    """Records of each of the receiver's gateways."""
    flood_s: float


QUICK = Plan(
    rounds=1, steady_s=10.0, full_s=5.0, line_s=20.0, five_s=30.0, received=100, flood_s=10.0
)
WHOLE = Plan(
    rounds=3, steady_s=30.0, full_s=10.0, line_s=60.0, five_s=240.0, received=1000, flood_s=20.0
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for, print it, and return the exit status."""
    arguments = _arguments(argv)
    plan = QUICK if arguments.quick else WHOLE
    if arguments.rounds:
        plan = replace(plan, rounds=arguments.rounds)
    results = Results([], [])
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="linli-bench-") as folder:
        if arguments.what in {"tcp", "all"}:
            _tcp(Path(folder) / "tcp", plan, results)
        if arguments.what in {"line", "all"}:
            _line(Path(folder) / "line", plan, results)
        if arguments.what in {"receiver", "all"}:
            _receiver(Path(folder) / "receiver", plan, results)
        if arguments.what in {"flood", "all"}:
            _flood(Path(folder) / "flood", plan, results)
    results.show()
    sys.stdout.write(
        f"\n{os.cpu_count()} CPUs; load before the run {before:.2f}."
        " Other work on the machine spoils CPU times and line timing alike.\n"
    )
    if arguments.json is not None:
        row = {**results.as_json(), "cpus": os.cpu_count(), "load_before": before}
        arguments.json.write_text(json.dumps(row, indent=1) + "\n", encoding="utf-8")
    return int(any(verdict.state == "MISSED" for verdict in results.verdicts))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=("tcp", "line", "receiver", "flood", "all"), default="all"
    )
    parser.add_argument("--quick", action="store_true", help="one short round, for a first look")
    parser.add_argument("--rounds", type=int, help="rounds, ours and the references in turn")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures as JSON too")
    return parser.parse_args(argv)


# --- TCP -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pace:
    """One workload over TCP, as each program takes it."""

    name: str
    period: str
    period_s: float
    in_flight: int


_STEADY = _Pace("every second", "1s", 1.0, 1)
_FULL = _Pace("full rate", "10ms", 0.0, IN_FLIGHT)


@dataclass(slots=True)
class _Rounds:
    """What each program cost, round by round."""

    ours: list[tcp_cpu.Cost]
    ours_windowed: list[tcp_cpu.Cost]
    """With eight requests in flight, as the site file may say for devices that allow it."""
    pymodbus: list[tcp_cpu.Cost]
    in_c: list[tcp_cpu.Cost]

    def by_name(self) -> dict[str, list[tcp_cpu.Cost]]:
        return {
            "ours": self.ours,
            f"ours, {IN_FLIGHT} in flight": self.ours_windowed,
            "pymodbus loop": self.pymodbus,
            "C loop": self.in_c,
        }


def _tcp(folder: Path, plan: Plan, results: Results) -> None:
    rounds = {_STEADY.name: _Rounds([], [], [], []), _FULL.name: _Rounds([], [], [], [])}
    for number in range(plan.rounds):
        for pace, seconds in ((_STEADY, plan.steady_s), (_FULL, plan.full_s)):
            here = folder / f"{number}-{pace.period}"
            _say(f"tcp, {pace.name}, round {number + 1} of {plan.rounds}")
            into = rounds[pace.name]
            into.ours.append(tcp_cpu.run_ours(here / "ours", pace.period, seconds, pace.in_flight))
            if pace.in_flight != IN_FLIGHT:
                windowed = tcp_cpu.run_ours(here / "window", pace.period, seconds, IN_FLIGHT)
                into.ours_windowed.append(windowed)
            into.pymodbus.append(tcp_cpu.run_pymodbus(here / "ref", pace.period_s, seconds))
            in_c = tcp_cpu.run_c(here / "c", pace.period_s, seconds)
            into.in_c.extend([] if in_c is None else [in_c])
    for name, those in rounds.items():
        for who, costs in those.by_name().items():
            what = f"TCP, {name}"
            results.add(what, who, "CPU-ms / 1000 readings", *(c.ms_per_1000 for c in costs))
            results.add(what, who, "readings / CPU-s", *(c.per_cpu_second for c in costs))
            results.add(what, who, "readings / s", *(c.per_second for c in costs))
            results.add(what, who, "MB resident", *(c.resident_mb for c in costs))
            results.add(what, who, "MB at its peak", *(c.peak_mb for c in costs))
    _judge_tcp(rounds[_STEADY.name], rounds[_FULL.name], results)


def _judge_tcp(steady: _Rounds, full: _Rounds, results: Results) -> None:
    # Neighbours in time are compared, so that what else the machine does weighs on both.
    for who, rounds in (("ours", steady.ours), ("ours, 8 in flight", steady.ours_windowed)):
        shares = [
            ours.ms_per_1000 / ref.ms_per_1000
            for ours, ref in zip(rounds, steady.pymodbus, strict=True)
        ]
        share = results.add("TCP, every second", f"{who} / pymodbus loop", "ratio of CPU", *shares)
        assert share is not None
        results.judge(
            f"{who}: CPU at 1 s <= {CPU_SHARE} of the pymodbus loop",
            f"{share.middle:.2f}",
            is_met=share.middle <= CPU_SHARE,
        )
    rates = sorted(cost.per_cpu_second for cost in full.ours)
    rate = rates[len(rates) // 2]
    results.judge(
        f"full rate >= {PER_CPU_SECOND:,} readings / CPU-s",
        f"{rate:,.0f}",
        is_met=rate >= PER_CPU_SECOND,
    )
    for name, those in (("1 s", steady), ("full rate", full)):
        most = max(cost.resident_mb or 0.0 for cost in those.ours)
        results.judge(
            f"resident at {name} <= {RESIDENT_MB:g} MB (the worst round)",
            f"{most:.1f} MB",
            is_met=most <= RESIDENT_MB,
        )


# --- the serial line -----------------------------------------------------------------------------


def _line(folder: Path, plan: Plan, results: Results) -> None:
    _say(f"line, the limit is {line.limit_readings_per_s():.1f} readings/s")
    for dead in line.DEAD:
        runs: list[line.LineRun] = []
        beside: list[line.LineRun] = []
        for number in range(plan.rounds):
            _say(f"line, {dead} dead, round {number + 1} of {plan.rounds}")
            runs.append(line.run_ours(folder / f"ours-{dead}-{number}", dead, plan.line_s))
            # The C loop has no back-off, so it is only ever run with nobody dead: as a measure
            # of what this machine lets anybody reach just now.
            in_c = line.run_c(folder / f"c-{dead}-{number}", plan.line_s)
            beside.extend([] if in_c is None else [in_c])
        _add_line(dead, runs, results)
        if beside:
            _add_line(dead, beside, results)
        _judge_line(dead, runs, beside, results)
    _five(line.run_five(folder / "five", plan.five_s), results)


def _add_line(dead: int, runs: Sequence[line.LineRun], results: Results) -> None:
    who = runs[0].who
    what = f"line, {dead} of {line.UNITS} dead"
    if runs[0].who != "ours":
        who = f"{who}, 0 dead"
    results.add(what, who, "of the limit", *(run.of_limit for run in runs))
    results.add(what, who, "readings / s", *(run.per_s for run in runs))
    results.add(what, who, "ms idle, median", *(run.books["idle_median_ms"] for run in runs))
    results.add(what, who, "CPU-ms / 1000 readings", *(run.cpu_ms_per_1000 for run in runs))


def _judge_line(
    dead: int, runs: Sequence[line.LineRun], beside: Sequence[line.LineRun], results: Results
) -> None:
    share = sorted(run.of_limit for run in runs)[len(runs) // 2]
    found = f"{share:.1%}"
    of_c = None
    if beside:
        ratios = [a.of_limit / b.of_limit for a, b in zip(runs, beside, strict=True)]
        of_c = sorted(ratios)[len(ratios) // 2]
        found += f", {of_c:.3f} of C"
    is_met = share >= LIMIT_SHARE or (of_c is not None and of_c >= BESIDE_C)
    requirement = f"{dead} dead: >= {LIMIT_SHARE:.0%} of the limit, or >= {BESIDE_C} of C beside it"
    results.judge(requirement, found, is_met=is_met)
    early = sum(run.books["early"] for run in runs)
    collisions = sum(run.books["collisions"] for run in runs)
    results.judge(
        f"{dead} dead: t3.5 never broken, as the line saw it",
        f"{early} early, {collisions} collisions",
        is_met=not early and not collisions,
    )
    wrong = sum(run.wrong for run in runs)
    results.judge(f"{dead} dead: no value under a wrong name", str(wrong), is_met=not wrong)


def _five(five: line.FiveMeters, results: Results) -> None:
    for name, ones in (("five meters, one dead", five.live), ("line beside it", five.other)):
        for one in ones:
            results.add(name, one.device, "polls / minute", one.per_minute)
            results.add(name, one.device, "s, worst gap", one.worst_gap_s)
        fewest = min(one.polls for one in ones)
        worst = max(one.worst_gap_s for one in ones)
        results.judge(
            f"{name}: 60 polls a minute each",
            f"{fewest} at least in {five.seconds:.1f} s",
            is_met=fewest >= int(five.seconds) - 1,  # one may lie just outside of the run
        )
        results.judge(
            f"{name}: no gap above a period and a timeout",
            f"{worst:.3f} s of {line.LONGEST_GAP_S:.3f} s",
            is_met=worst <= line.LONGEST_GAP_S,
        )
    early = sum(books["early"] + books["collisions"] for books in five.books)
    results.judge("five meters: t3.5 never broken", f"{early} early", is_met=not early)
    results.judge(
        "five meters: no value under a wrong name", str(five.wrong), is_met=not five.wrong
    )


# --- the receiving end ---------------------------------------------------------------------------


def _receiver(folder: Path, plan: Plan, results: Results) -> None:
    workloads = (
        ("one copy", 1, receiver.POINTS),
        ("two copies", 2, receiver.POINTS),
        ("one copy, one value a record", 1, 1),
    )
    for who, copies, points in workloads:
        runs: list[receiver.Run] = []
        for number in range(plan.rounds):
            _say(f"receiver, {who}, round {number + 1} of {plan.rounds}")
            here = folder / f"{copies}-{points}-{number}"
            runs.append(receiver.run(here, plan.received, copies=copies, points=points))
        what = "receiver"
        results.add(what, who, "readings / s of a core", *(run.readings_per_core for run in runs))
        results.add(what, who, "records / s of a core", *(run.records_per_core for run in runs))
        results.add(what, who, "records / s", *(run.records / run.seconds for run in runs))
        results.add(what, who, "bytes / record kept", *(run.bytes_per_record for run in runs))
        results.add(
            what, "mosquitto", "messages / s of a core",
            *(run.messages / run.broker_cpu_s for run in runs),
        )  # fmt: skip
        results.judge(
            f"receiver, {who}: every identity exactly once",
            f"{sum(run.records for run in runs):,} records",
            is_met=all(run.is_whole for run in runs),
        )


# --- a flood of commands -------------------------------------------------------------------------


def _flood(folder: Path, plan: Plan, results: Results) -> None:
    _say(f"flood, {flood.RATE} messages a second on {flood.UNITS} polls a second")
    found = flood.run(folder, plan.flood_s, plan.rounds)
    for who, phases in (("quiet", found.quiet), ("flooded", found.flooded)):
        results.add("flood", who, "polls on time", *(phase.on_time for phase in phases))
        results.add("flood", who, "CPU-s / s", *(phase.cpu for phase in phases))
        results.add("flood", who, "messages / s offered", *(phase.offered for phase in phases))
        results.add("flood", who, "messages / s taken", *(phase.arrived for phase in phases))
    results.judge(
        f"flood: >= {ON_TIME:.0%} of the polls that are on time without it",
        f"{found.share:.1%}",
        is_met=found.share >= ON_TIME,
    )
    results.judge(
        "flood: told by counts, in an unbroken audit chain",
        f"{found.counted} messages in {found.entries} entries, {len(found.faults)} faults",
        is_met=found.counted > found.entries and not found.faults,
    )


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


if __name__ == "__main__":
    sys.exit(main())
