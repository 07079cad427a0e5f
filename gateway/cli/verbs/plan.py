"""`linli plan`: what each line will carry, and what does not fit."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from gateway.bus.report import LineReport, plan_report
from gateway.cli.output import Exit, complain, is_chinese, say, say_json, say_table
from gateway.settings.load import load_site

HELP = "show the exchanges, the load and the impossible periods of every line"
EXAMPLE = "linli plan /etc/linli/gateway.yaml"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the file."""
    parser.add_argument("file", type=Path, help="the site file")
    parser.add_argument("--json", action="store_true", help="the plan as one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Plan it; 78 when the file has errors."""
    result = load_site(arguments.file)
    if result.site is None:
        for problem in result.problems:
            complain(problem.in_language("zh" if is_chinese() else "en").text())
        return Exit.CONFIGURATION
    devices = list(result.site.devices.values())
    reports = [plan_report(line, devices) for line in result.site.lines.values()]
    if arguments.json:
        say_json({"lines": [asdict(report) for report in reports]})
        return Exit.DONE
    for report in reports:
        _show(report)
    return Exit.DONE


def _show(report: LineReport) -> None:
    say(f"line {report.line}: load {report.load_percent:.1f} %, a round {report.cycle_s:.3f} s")
    say_table(
        ("unit", "devices", "points", "exchange", "request", "seconds", "every s", "load %"),
        (
            (
                job.unit,
                _names(job.devices),
                job.points,
                job.describe,
                job.frame,
                round(job.seconds, 4),
                f"{job.period_s:g}{'@' if job.is_at_mark else ''} {job.priority}",
                f"{job.load_percent:.2f}",
            )
            for job in report.jobs
        ),
    )
    if report.impossible_s is not None:
        possible = "" if report.possible_s is None else f"; {report.possible_s:.1f} s would fit"
        say(f"  the period of {report.impossible_s:g} s cannot be met{possible}")
        for remedy in report.remedies:
            say(f"  - {remedy}")
    say()


def _names(devices: tuple[str, ...]) -> str:
    return devices[0] if len(devices) == 1 else f"{devices[0]} +{len(devices) - 1}"
