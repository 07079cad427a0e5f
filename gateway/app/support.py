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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

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
_TOKEN = re.compile(r"[\w-]+")
"""What stands alone."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A file to be sent."""

    name: str
    content: bytes


def log_of(recall: Recall, site: Site) -> Paper:
    """Return the last log lines."""
    log = _log_text(recall)
    return Paper("log.txt", _Blanker(_words(site), [log]).blanked(log).encode())


def bundle_of(
    site: Site, status: Mapping[str, Any], recall: Recall, refused: Sequence[Problem] = ()
) -> Paper:
    """Return the bundle as a zip file; `status` is what `linli status` shows."""
    import zipfile  # noqa: PLC0415 - a megabyte, for what is seldom asked

    papers: dict[str, Any] = {
        "about.json": _about(site),
        "site.json": _site(site),
        "status.json": {**status, "fallback": []},
        "problems.json": [_problem(problem) for problem in refused],
        "log.txt": _log_text(recall),
    }
    blanker = _Blanker(_words(site), _texts_in(papers))
    cleared = blanker.cleared(papers)
    files = {n: c if isinstance(c, str) else _json(c) for n, c in cleared.items()}
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
    name = type(link).__name__
    return name if _host_of(link) is None else f"network: {name}"


def _host_of(link: LinkSettings) -> str | None:
    """Return the address of a link; None of a port of this machine."""
    match link:
        case SerialPort() | MemoryPort():
            return None
        case _:
            return link.host


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


def _log_text(recall: Recall) -> str:
    return "".join(f"{line}\n" for line in recall.lines())


def _words(site: Site) -> set[str]:
    """Return every text of the site that may be personal or secret."""
    found = {word for word in _texts(site) if len(word) >= _shortest(word)}
    ids = {*site.devices, *site.lines, *site.sinks, site.gateway.id, site.gateway.site}
    return found - ids


def _shortest(word: str) -> int:
    return SHORTEST_NUMBER if word.isdecimal() else SHORTEST_WORD


def _texts(site: Site) -> Iterator[str]:
    yield from site.gateway.title.values()
    yield from site.gateway.location.parts.values()
    yield from filter(None, (site.gateway.operator,))
    yield from site.disabled.values()
    yield from filter(None, _addresses(site))
    for sink in site.sinks.values():
        yield from filter(None, (sink.username, sink.client_id))
    for historian in site.historians.values():
        yield from filter(None, (historian.username,))
    for device in site.all_devices.values():
        yield from device.title.values()
        yield from device.location.parts.values()
        yield from filter(None, (device.operator, device.owner))


def _addresses(site: Site) -> Iterator[str | None]:
    """Yield the addresses of platforms, databases and lines."""
    for sink in site.sinks.values():
        yield from (sink.host, *(broker.host for broker in sink.others))
    for historian in site.historians.values():
        yield from (historian.url, urlsplit(historian.url).hostname)
    yield from (_host_of(line.link) for line in site.lines.values())


class _Blanker:
    """Takes words out of many texts: a site has thousands of each, and the gateway waits for it.

    A word of letters and digits only is taken where it stands alone, any other wherever it stands.
    """

    def __init__(self, words: Iterable[str], texts: Iterable[str]) -> None:
        """Take the words, and all texts: words that are in none of them are not looked for."""
        every = "\n".join(texts)
        words = list(words)
        self._alone = frozenset(word for word in words if _WORD.fullmatch(word))
        others = {word for word in words if word not in self._alone and word in every}
        self._anywhere = sorted(others, key=len, reverse=True)

    def blanked(self, text: str) -> str:
        """Return a text without the words."""
        for word in self._anywhere:
            text = text.replace(word, BLANK)
        return _TOKEN.sub(self._told, text)

    def cleared(self, found: Any) -> Any:  # noqa: ANN401 - JSON
        """Return a value of JSON with all its texts blanked; numbers and names of fields stay."""
        if isinstance(found, str):
            return self.blanked(found)
        if isinstance(found, dict):
            fields = cast("dict[str, Any]", found)
            return {name: self.cleared(value) for name, value in fields.items()}
        if isinstance(found, list | tuple):
            return [self.cleared(one) for one in cast("Sequence[Any]", found)]
        return found

    def _told(self, found: re.Match[str]) -> str:
        return BLANK if found[0] in self._alone else found[0]


def _texts_in(found: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield every text of a value of JSON."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        for value in cast("dict[str, Any]", found).values():
            yield from _texts_in(value)
    elif isinstance(found, list | tuple):
        for one in cast("Sequence[Any]", found):
            yield from _texts_in(one)


def _json(found: object) -> str:
    return json.dumps(found, ensure_ascii=False, indent=1, default=str) + "\n"
