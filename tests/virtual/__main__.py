"""`python -m tests.virtual --seeds 1..200 [--minutes M]`, or `--day` for the measured day."""

from __future__ import annotations

import argparse
import sys

from tests.virtual.run import Report, run
from tests.virtual.scenario import Scenario, scenario
from tests.virtual.site import Plan

DAY_S = 86_400.0


def main() -> int:
    """Run seeds, or the day; 1 when one fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.virtual", description=__doc__)
    parser.add_argument("--seeds", default="1..20", help="one seed, or a range such as 1..200")
    parser.add_argument("--minutes", type=float, default=10.0, help="simulated, for each seed")
    parser.add_argument("--hours", type=float, help="the same in hours")
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--ways", type=int, help="how many of the ways of harm; default all")
    parser.add_argument("--day", action="store_true", help="a day of 200 devices, and its speed")
    arguments = parser.parse_args()
    if arguments.day:
        return _day(arguments.hours or 24.0)
    seconds = arguments.hours * 3600 if arguments.hours else arguments.minutes * 60
    first, _, last = arguments.seeds.partition("..")
    failed: list[int] = []
    for seed in range(int(first), int(last or first) + 1):
        report = run(scenario(seed, seconds, arguments.devices, arguments.ways))
        sys.stdout.write(report.text() + "\n")
        sys.stdout.flush()
        failed += [] if report.is_clean else [seed]
    sys.stdout.write(f"failed: {failed or 'none'}\n")
    return 1 if failed else 0


def the_day(hours: float = 24.0) -> Report:
    """Return what a day of 200 devices, each polled once a minute, gave."""
    plan = Plan(
        modbus=150, dlt=50, per_line=20, poll_s=60, has_alarms=False, quota_mib=256, chunk=64
    )
    return run(Scenario(0, plan, hours * 3600, ()))


def _day(hours: float) -> int:
    report = the_day(hours)
    sys.stdout.write(
        f"{report.text()}\n{report.simulated_s:,.0f} simulated s in {report.real_s:.1f} s "
        f"({report.cpu_s:.1f} s of CPU): {report.simulated_s / report.cpu_s:,.0f} to 1\n"
    )
    return 0 if report.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
