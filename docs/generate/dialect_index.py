"""docs/platform/dialects/README.md: the dialects, what each keeps and what it loses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from docs.generate.markdown import code, page, table
from gateway.cli.verbs.explain_dialect import about, acknowledgement
from gateway.dialects import registry
from gateway.dialects.contract import DialectSpec

PLACE = Path(__file__).parents[1] / "platform" / "dialects" / "README.md"
_ABOUT = """\
A dialect is the language of one platform: `sinks: NAME: dialect:` in the
[site file](../../site-file.md). Each gets the same records, after the outer door of privacy. What a
platform has no word for is lost there and nowhere else: several sinks may stand side by side, and
the `native` one loses nothing. `linli explain-dialect NAME` says the same as this page, with all
options."""
_SENT_ABOUT = """\
Topics by what is sent; `{word}` stands for one level. *Confirmed by*: what makes a record done
(`ack:`)."""


def written() -> tuple[tuple[Path, str], ...]:
    """Return the page and where it stands."""
    return ((PLACE, dialects_page()),)


def dialects_page() -> str:
    """Return the page."""
    specs = {name: registry.load(name) for name in registry.names()}
    overview = table(
        ("dialect", "platform", "confirmed by", "中文"),
        (_row(name, spec) for name, spec in specs.items()),
    )
    sent = ("## What is sent where", _SENT_ABOUT, *_sent(specs))
    return page("Dialects", _ABOUT, overview, "## What is lost", *_lost(specs), *sent)


def _row(name: str, spec: DialectSpec) -> tuple[str, ...]:
    ways = ", ".join(map(code, acknowledgement(spec)))
    return (f"[{name}]({name}.md)", about(name), ways, _chinese(name))


def _chinese(name: str) -> str:
    """Return a link to the Chinese page of a dialect, where there is one."""
    path = f"zh/platform/dialects/{name}.md"
    return f"[{name}](../../{path})" if (PLACE.parents[2] / path).exists() else ""


def _lost(specs: dict[str, DialectSpec]) -> Iterator[str]:
    for name, spec in specs.items():
        yield f"### Lost with {name}"
        yield "\n".join(f"- {loss}" for loss in spec.losses) or "Nothing: it is our own standard."


def _sent(specs: dict[str, DialectSpec]) -> Iterator[str]:
    for name, spec in specs.items():
        yield f"### Sent with {name}"
        rows = ((one.what, code(one.topic), one.form) for one in spec.sent)
        yield table(("what", "topic", "form"), rows)
