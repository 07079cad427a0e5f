"""The support bundle: what helps somebody far away, and nothing that is personal or secret.

It is made of what is named here, not of what is left after cutting: of the site only ids, kinds,
profiles and settings of lines and platforms; never titles, places, owners, addresses of devices,
user names, secrets or values. The texts of the site are blanked in the rest as well, in case a
message carries one.
"""

from __future__ import annotations

import io
import json
import platform
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from gateway.app.software import SOFTWARE
from gateway.model.link import MemoryPort, SerialPort
from gateway.ops.recall import Recall
from gateway.settings.problems import Problem
from gateway.settings.site import Device, LinkSettings, Site
from gateway.settings.site_sinks import Sink

BLANK = "***"
SHORTEST_WORD = 2
"""Characters of a text that is blanked; a shorter one would blank half of every line."""
SHORTEST_NUMBER = 4
"""Digits of a number that is blanked: shorter ones stand in every line, and name nobody."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest date of a zip: the same content makes the same bytes."""
_WORD = re.compile(r"[a-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Paper:
    """A file to be sent."""

    name: str
    content: bytes


def log_of(recall: Recall, site: Site) -> Paper:
    """Return the last log lines."""
    return Paper("log.txt", _log_text(recall, _words(site)).encode())


def bundle_of(
    site: Site, status: Mapping[str, Any], recall: Recall, refused: Sequence[Problem] = ()
) -> Paper:
    """Return the bundle as a zip file; `status` is what `linli status` shows."""
    words = _words(site)
    files = {
        "about.json": _json(_about(site), words),
        "site.json": _json(_site(site), words),
        "status.json": _json({**status, "fallback": []}, words),
        "problems.json": _json([_problem(problem) for problem in refused], words),
        "log.txt": _log_text(recall, words),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for name, text in files.items():
            out.writestr(zipfile.ZipInfo(name, _EPOCH), text, zipfile.ZIP_DEFLATED)
    return Paper("support.zip", packed.getvalue())


def _about(site: Site) -> dict[str, Any]:
    return {
        "software": SOFTWARE,
        "python": platform.python_version(),
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "gateway": site.gateway.id,
        "site": site.gateway.site,
        "digest": site.digest,
    }


def _site(site: Site) -> dict[str, Any]:
    return {
        "timezone": site.gateway.timezone,
        "clock": site.gateway.clock,
        "lines": {
            name: {"protocol": line.protocol, "link": _link(line.link), "echo": line.echo.value}
            for name, line in site.lines.items()
        },
        "devices": {id_: _device(device) for id_, device in site.devices.items()},
        "derived": {id_: _device(device) for id_, device in site.derived.items()},
        "disabled": sorted(site.disabled),
        "sinks": {name: _sink(sink) for name, sink in site.sinks.items()},
        "historians": sorted(site.historians),
        "has_history": site.history is not None,
        "commands_allowed": len(site.commands.allow),
        "store_quota_bytes": site.store.quota_bytes,
    }


def _link(link: LinkSettings) -> str:
    """Return the sort of a link; hosts and ports of a site's own network stay at home."""
    match link:
        case SerialPort() | MemoryPort():
            return type(link).__name__
        case _:
            return f"network: {type(link).__name__}"


def _device(device: Device) -> dict[str, Any]:
    return {
        "kind": device.kind,
        "profile": device.profile,
        "line": device.line,
        "protocol": device.protocol,
        "points": len(device.points),
        "retries": device.retries,
        "offline_after": device.offline_after,
    }


def _sink(sink: Sink) -> dict[str, Any]:
    return {
        "dialect": sink.dialect,
        "tls": sink.use_tls,
        "max_level": sink.max_level,
        "ack": sink.ack,
        "window": sink.window,
        "keepalive_s": sink.keepalive_s,
        "mqtt": sink.mqtt,
        "brokers": 1 + len(sink.others),
    }


def _problem(problem: Problem) -> dict[str, Any]:
    name = problem.file.rpartition("/")[2]
    return {"file": name, "line": problem.line, "col": problem.column, "code": problem.code}


def _log_text(recall: Recall, words: Sequence[str]) -> str:
    return _blanked("".join(f"{line}\n" for line in recall.lines()), words)


def _words(site: Site) -> Sequence[str]:
    """Return every text of the site that may be personal or secret, the longest first."""
    found = {word for word in _texts(site) if len(word) >= _shortest(word)}
    ids = {*site.devices, *site.lines, *site.sinks, site.gateway.id, site.gateway.site}
    return sorted(found - ids, key=len, reverse=True)


def _shortest(word: str) -> int:
    return SHORTEST_NUMBER if word.isdecimal() else SHORTEST_WORD


def _texts(site: Site) -> Iterator[str]:
    yield from site.gateway.title.values()
    yield from site.gateway.location.parts.values()
    yield from filter(None, (site.gateway.operator,))
    yield from site.disabled.values()
    for sink in site.sinks.values():
        yield from filter(None, (sink.username, sink.client_id))
    for device in site.all_devices.values():
        yield from device.title.values()
        yield from device.location.parts.values()
        yield from filter(None, (device.operator, device.owner))


def _blanked(text: str, words: Sequence[str]) -> str:
    """Return a text without these words; one of letters and digits only where it stands alone."""
    for word in words:
        if _WORD.fullmatch(word):
            text = re.sub(rf"(?<![\w-]){re.escape(word)}(?![\w-])", BLANK, text)
        else:
            text = text.replace(word, BLANK)
    return text


def _cleared(found: Any, words: Sequence[str]) -> Any:  # noqa: ANN401 - JSON
    """Return a value of JSON with all its texts blanked; numbers and names of fields stay."""
    if isinstance(found, str):
        return _blanked(found, words)
    if isinstance(found, dict):
        fields = cast("dict[str, Any]", found)
        return {name: _cleared(value, words) for name, value in fields.items()}
    if isinstance(found, list | tuple):
        return [_cleared(one, words) for one in cast("Sequence[Any]", found)]
    return found


def _json(found: object, words: Sequence[str]) -> str:
    cleared = _cleared(found, words)
    return json.dumps(cleared, ensure_ascii=False, indent=1, default=str) + "\n"
