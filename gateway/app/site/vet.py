"""What only the whole house can say of a site: dialects, plans and the load of lines."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.app.keys.sealing import is_cipher_there
from gateway.bus.report import plan_report
from gateway.dialects import registry
from gateway.dialects.contract import DialectSpec
from gateway.dialects.options import BadOption, made
from gateway.privacy.retention import first_sealed
from gateway.settings.problems import Problem, advice, make_problem
from gateway.settings.site import Line, Site
from gateway.settings.site_sinks import Sink
from gateway.settings.where import Where


def vet(site: Site) -> tuple[Problem, ...]:
    """Return errors and warnings of a site that loaded without errors."""
    found = [problem for line in site.lines.values() for problem in _line(site, line)]
    for sink in site.sinks.values():
        try:
            spec = registry.load(sink.dialect)
        except LookupError:
            facts = {"name": sink.dialect, "advice": advice(sink.dialect, registry.names())}
            found.append(make_problem("LG-SINK-01", sink.where, f"sinks.{sink.name}", facts))
        else:
            found.extend(_connection(sink, spec))
            found.extend(_options(sink, spec))
    found.extend(_sealing(site))
    found.extend(_remote(site))
    return tuple(found)


def _sealing(site: Site) -> Iterator[Problem]:
    """Yield that something is to be sealed, and nothing can."""
    if is_cipher_there():
        return
    if site.store.key is not None:
        yield make_problem("LG-STORE-03", Where("", 0, 0), "store.key")
    first = first_sealed(site.all_devices)
    if first is not None:
        device, point = first
        facts = {"point": f"{device.id}/{point.id}", "personal": point.personal}
        yield make_problem("LG-STORE-01", device.where, f"devices.{device.id}", facts)


def _remote(site: Site) -> Iterator[Problem]:
    """Yield that letters are signed with a key that this machine cannot use."""
    if site.remote is not None and site.remote.public_key and not is_cipher_there():
        yield make_problem("LG-REM-02", site.remote.where, "remote.public_key")


def _connection(sink: Sink, spec: DialectSpec) -> Iterator[Problem]:
    """Yield what the platform of a dialect does not do, or does not take."""
    if sink.ack == "app" and not spec.has_app_ack:
        yield make_problem("LG-SINK-04", sink.where, f"sinks.{sink.name}.ack")
    low, high = spec.keepalive_s
    if not low <= sink.keepalive_s <= high:
        facts = {"found": sink.keepalive_s, "limit": f"{low} s..{high} s"}
        yield make_problem("LG-SINK-05", sink.where, f"sinks.{sink.name}.keepalive", facts)


def _options(sink: Sink, spec: DialectSpec) -> Iterator[Problem]:
    """Yield what is wrong with the settings of a sink's dialect."""
    for path, plain, given in (
        ("options", spec.options, sink.options),
        *((f"devices.{name}", spec.device_options, of) for name, of in sink.devices.items()),
    ):
        try:
            made(plain, given)
        except BadOption as exc:
            spot = f"{path}.{exc.name}" if exc.name else path
            where = sink.places.get(spot, sink.places.get(path, sink.where))
            yield make_problem(exc.bad.code, where, f"sinks.{sink.name}.{spot}", exc.bad.facts)


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
