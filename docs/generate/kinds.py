"""docs/reference/kinds.md: the kinds of devices with their points and events."""

from __future__ import annotations

from docs.generate.markdown import code, link, page, table
from gateway.settings.catalogue import Catalogue, Kind, shipped_config
from gateway.settings.models.common import PollEntry
from gateway.settings.models.kind import KindPointEntry
from gateway.settings.problems import Problems

_ABOUT = """\
A kind says what all devices of its sort have in common: the ids of their points, their units
(UCUM), their privacy and their events. Profiles map registers to them, so that an electricity
meter has its imported energy in `ep_imp` whoever made it. A published id never changes its
meaning.

*Class* is personal data, from P0 (none) to P3 (sensitive); *level* is what a sink must be allowed
to see (`max_level`), from L1 to L4. *Latency* is how soon a change must be told, from T0 (within
1 s, life safety) to T5 (daily). *Severity* goes from 0 (informational) to 4 (life safety).
Numbered points are written with their range. T0 and T1 make all reads of a kind alarm reads."""


def kinds_page() -> str:
    """Return the page."""
    problems = Problems()
    catalogue = Catalogue(None, problems)
    ids = sorted(path.stem for path in (shipped_config() / "kinds").glob("*.yaml"))
    kinds = [catalogue.kind(name) for name in ids]
    if problems.has_errors:
        raise SystemExit("\n".join(problem.text() for problem in problems.sorted()))
    found = [kind for kind in kinds if kind is not None]
    overview = table(
        ("kind", "what it is", "", "latency", "points"),
        (
            (link(k.id), k.entry.title.get("en"), k.entry.title.get("zh"), k.entry.latency,
             len(k.points))
            for k in found
        ),
    )  # fmt: skip
    return page("Kinds of devices", _ABOUT, overview, *(_section(kind) for kind in found))


def _section(kind: Kind) -> str:
    entry = kind.entry
    lines = [
        f"## {kind.id}",
        f"{entry.title.get('en')} · {entry.title.get('zh')}. Latency {entry.latency}.",
        table(
            ("point", "what it is", "", "type", "unit", "group", "class", "level"),
            (_point(template, point) for template, point in entry.points.items()),
        ),
    ]
    if entry.events:
        head = ("event", "what happened", "", "severity", "duty")
        rows = (
            (code(name), event.title.get("en"), event.title.get("zh"), event.severity, event.duty)
            for name, event in entry.events.items()
        )
        lines.append(table(head, rows))
    said = [f"`{name}` {_period(poll)}" for name, poll in entry.groups.items()]
    if said:
        lines.append(f"Read: {', '.join(said)}.")
    return "\n\n".join(lines)


def _point(template: str, point: KindPointEntry) -> tuple[object, ...]:
    numbers = "" if point.each is None else f" ({point.each[0]} to {point.each[-1]})"
    values = f": {', '.join(map(code, point.values))}" if point.values else ""
    counts = ", counts up" if point.cumulative else ""
    counts += f", at most {point.rate:.3g} a second" if point.rate else ""
    counts += f", stale after {_human(point.stuck)} at rest" if point.stuck else ""
    counts += ", tells the device" if point.identity else ""
    return (
        f"{code(template)}{numbers}",
        point.title.get("en"),
        point.title.get("zh"),
        f"{point.type}{values}{counts}",
        code(point.unit),
        point.group,
        point.pii,
        point.level,
    )


def _period(poll: PollEntry) -> str:
    if poll.at is not None:
        return f"at fixed times, every {_human(poll.at)}"
    return f"every {_human(poll.every or 0.0)}"


def _human(seconds: float) -> str:
    for unit, factor in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= factor and seconds % factor == 0:
            return f"{seconds / factor:g}{unit}"
    return f"{seconds:g}s"
