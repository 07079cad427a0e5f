"""What only the whole house can say of a site: dialects, plans and the load of lines."""

from __future__ import annotations

from gateway.bus.report import plan_report
from gateway.dialects import registry
from gateway.settings.problems import Problem, advice, make_problem
from gateway.settings.site import Line, Site


def vet(site: Site) -> tuple[Problem, ...]:
    """Return errors and warnings of a site that loaded without errors."""
    found = [problem for line in site.lines.values() for problem in _line(site, line)]
    for sink in site.sinks.values():
        if sink.dialect not in registry.names():
            facts = {"name": sink.dialect, "advice": advice(sink.dialect, registry.names())}
            found.append(make_problem("LG-SINK-01", sink.where, f"sinks.{sink.name}", facts))
    return tuple(found)


def _line(site: Site, line: Line) -> list[Problem]:
    path = f"buses.{line.name}"
    try:
        report = plan_report(line, list(site.devices.values()))
    except ValueError as exc:
        return [make_problem("LG-PLAN-02", line.where, path, {"what": str(exc)})]
    if report.impossible_s is None:
        return []
    what = f"{report.impossible_s:g} s; the line would carry {report.load_percent:.0f} %"
    facts = {"what": what, "remedy": "; ".join(report.remedies)}
    return [make_problem("LG-PLAN-01", line.where, path, facts)]
