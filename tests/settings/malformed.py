"""The corpus of malformed site files: each case with its verdict and, where one is meant, its line.

Classes as in the fault matrix: syntax, shape, encoding, duplicate keys, wrong types for every
field, YAML 1.1 traps, meaning, resources. `accepted` are the harmless ones.
"""

# ruff: noqa: RUF001 - full-width characters are the point

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

GOOD = """\
version: 1
gateway:
  id: gw-01
  site: s-001
  timezone: Asia/Shanghai
  title: Gate
sinks:
  platform:
    url: mqtt://broker.example:1883
    root: fc
    window: 100
    keepalive: 10s
    max_level: L2
defaults:
  poll: 60s
  retries: 2
  offline_after: 3 polls
buses:
  m:
    port: by-path/a
    line: 9600 8N1
    pause: 5ms
    rs485: false
  t:
    tcp: "10.0.0.1:502"
    in_flight: 2
devices:
  - id: d-1
    profile: test/meter
    bus: m
    address: 1
    title: Meter
    location: {bldg: "3"}
    poll: {power: 30s}
    deadband: {u_a: 0.5}
  - id: p-{n}
    each: {n: 1..4}
    profile: test/panel
    bus: t
    address: 2
    set: {device: "{n}"}
commands:
  allow: []
  max_per_minute: 60
store:
  quota: 256MB
  commit_readings: 100
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One file. `line` is where a problem must be; None where any line will do."""

    name: str
    octets: bytes
    is_accepted: bool = False
    line: int | None = None


FIELDS: dict[str, frozenset[str]] = {
    # field: the odd values that are harmless in it
    "version: 1": frozenset(),
    "gateway:\n  id: gw-01\n  site: s-001\n  timezone: Asia/Shanghai\n  title: Gate": frozenset(),
    "id: gw-01": frozenset({"yes"}),
    "site: s-001": frozenset({"yes"}),
    "timezone: Asia/Shanghai": frozenset(),
    "title: Gate": frozenset({"path", "topic", "yes", "minus", "digits26", "map"}),
    "url: mqtt://broker.example:1883": frozenset(),
    "root: fc": frozenset({"yes"}),
    "window: 100": frozenset(),
    "keepalive: 10s": frozenset(),
    "max_level: L2": frozenset(),
    "poll: 60s": frozenset({"null", "map"}),
    "retries: 2": frozenset(),
    "offline_after: 3 polls": frozenset(),
    "port: by-path/a": frozenset({"path", "topic", "yes"}),
    "line: 9600 8N1": frozenset({"null"}),
    "pause: 5ms": frozenset(),
    "rs485: false": frozenset(),
    'tcp: "10.0.0.1:502"': frozenset(),
    "in_flight: 2": frozenset(),
    "id: d-1": frozenset({"yes"}),
    "profile: test/meter": frozenset(),
    "bus: m": frozenset(),
    "address: 1": frozenset(),
    "title: Meter": frozenset({"null", "path", "topic", "yes", "minus", "digits26", "map"}),
    'location: {bldg: "3"}': frozenset(
        {"null", "path", "topic", "yes", "minus", "digits26", "map"}
    ),
    "poll: {power: 30s}": frozenset({"null", "map"}),
    "deadband: {u_a: 0.5}": frozenset({"null", "map"}),
    "each: {n: 1..4}": frozenset(),
    'set: {device: "{n}"}': frozenset(),
    "allow: []": frozenset({"list"}),
    "max_per_minute: 60": frozenset(),
    "quota: 256MB": frozenset(),
    "commit_readings: 100": frozenset(),
}

ELSEWHERE = {("gateway", "null"), ("each", "null"), ("each", "map")}
"""As if the key were not there: what misses it says so at its own line."""

ODD_VALUES = {
    "null": "null",
    "empty": "",
    "list": "[]",
    "map": "{}",
    "nan": ".nan",
    "inf": "-.inf",
    "minus": "-1",
    "huge": "1e400",
    "digits26": "12345678901234567890123456",
    "path": "../../etc/passwd",
    "topic": "a/b#+",
    "yes": "yes",
    "nul": '"a\\0b"',
}


def corpus() -> Iterator[Case]:
    """Yield all cases."""
    yield from _syntax()
    yield from _shapes()
    yield from _encodings()
    yield from _duplicates()
    yield from _wrong_types()
    yield from _traps()
    yield from _meanings()
    yield from _resources()


def changed(old: str, new: str) -> str:
    """Return the good file with one text replaced; it must be there once."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def line_of(text: str) -> int:
    """Return the line of the good file that begins with the text."""
    return GOOD[: GOOD.index(text)].count("\n") + 1


def _refused(name: str, old: str, new: str, below: int = 0) -> Case:
    return Case(name, changed(old, new).encode(), line=line_of(old) + below)


def _accepted(name: str, old: str, new: str) -> Case:
    return Case(name, changed(old, new).encode(), is_accepted=True)


def _syntax() -> Iterator[Case]:
    broken = {
        "quote never closed": 'title: "Gate',
        "single quote never closed": "title: 'Gate",
        "bracket never closed": "title: [Gate",
        "brace never closed": "title: {en: Gate",
        "bracket too many": "title: Gate]]: [",
        "brace closed by bracket": "title: {en: Gate]",
        "two colons": "title: Gate: two",
        "no space after colon": "title:Gate",
        "text after quote": 'title: "Gate" way',
        "bad escape": 'title: "Ga\\qte"',
        "bad hex escape": 'title: "\\xZZ"',
        "at sign": "title: @gate",
        "backtick": "title: `gate`",
        "percent": "title: %gate",
        "comma alone in braces": "title: {,}",
        "unknown alias": "title: *gate",
        "anchor without value": "title: &gate",
        "star alone": "title: *",
        "ampersand alone": "title: &",
        "folded with rubbish": "title: > rubbish",
        "literal with rubbish": "title: | rubbish",
        "literal with bad indent": "title: |0\n    x",
        "question mark key": "? title",
        "colon first": ": Gate",
        "dash in mapping": "- Gate",
        "tab as indent": "title:\n\t\ten: Gate",
        "too little indent": "title:\n en: Gate",
        "too much indent": "title: Gate\n    more: Gate",
        "value on two levels": "title: Gate\n   way: x",
        "flow mapping without colon": "title: {en Gate: x, zh}",
        "tag python": "title: !!python/object/apply:os.system [ls]",
        "tag own": "title: !secret gate",
        "tag binary": "title: !!binary R0lGODlh",
        "tag alone": "title: !",
        "tag set": "title: !!set {en}",
        "complex key": "[a, b]: Gate",
        "mapping as key": "{a: b}: Gate",
        "alias as key": "title: &g Gate\n  *g : x",
        "second document": "title: Gate\n---\nversion: 1",
        "document end then more": "title: Gate\n...\nversion: 1",
        "directive in the middle": "title: Gate\n%YAML 1.2",
        "merge conflict marks": "<<<<<<< HEAD\n  title: Gate\n=======",
    }
    for name, text in broken.items():
        yield Case(f"syntax: {name}", changed("title: Gate", text).encode())
    yield Case("syntax: unknown YAML version", b"%YAML 3.0\n---\n" + GOOD.encode(), line=1)
    yield Case("syntax: cut in the middle", GOOD[: GOOD.index(".0.1:502")].encode())
    yield _accepted("syntax: comment", "title: Gate", "title: Gate  # north")
    yield _accepted("syntax: anchor and alias", "title: Gate", "title: &g {en: Gate}")
    yield Case("syntax: document marks", f"---\n{GOOD}...\n".encode(), is_accepted=True)
    yield Case("syntax: YAML 1.2 directive", f"%YAML 1.2\n---\n{GOOD}".encode(), is_accepted=True)
    yield Case("syntax: json", JSON, is_accepted=True)


JSON = b'{"version": 1, "gateway": {"id": "gw-01", "site": "s-001"}}'


def _shapes() -> Iterator[Case]:
    for name, octets in {
        "nothing": b"",
        "only a comment": b"# version: 1\n",
        "only spaces": b"   \n \n",
        "a list": b"- version: 1\n",
        "a text": b"version 1\n",
        "a number": b"1\n",
        "null": b"null\n",
        "empty mapping": b"{}\n",
        "empty list": b"[]\n",
        "only a version": b"version: 1\n",
        "document mark only": b"---\n",
    }.items():
        yield Case(f"shape: {name}", octets, line=1)
    yield _refused("shape: devices as mapping", "devices:\n", "devices: {a: 1}\nx:\n")
    yield _refused("shape: buses as list", "buses:\n  m:", "buses:\n  - m:", below=1)
    yield _refused("shape: device as text", "  - id: d-1\n", "  - d-0\n  - id: d-1\n")


def _encodings() -> Iterator[Case]:
    yield Case("encoding: byte order mark", b"\xef\xbb\xbf" + GOOD.encode(), is_accepted=True)
    yield Case("encoding: CRLF", GOOD.replace("\n", "\r\n").encode(), is_accepted=True)
    yield Case("encoding: CR only", GOOD.replace("\n", "\r").encode(), is_accepted=True)
    yield Case("encoding: no last line break", GOOD.rstrip().encode(), is_accepted=True)
    yield Case("encoding: UTF-16 with mark", GOOD.encode("utf-16"), line=1)
    yield Case("encoding: UTF-16 LE", GOOD.encode("utf-16-le"), line=1)
    yield Case("encoding: UTF-16 BE", GOOD.encode("utf-16-be"), line=1)
    yield Case("encoding: UTF-32", GOOD.encode("utf-32"), line=1)
    title = changed("title: Gate", "title: 东门")
    yield Case("encoding: Chinese title", title.encode(), is_accepted=True)
    yield Case("encoding: GBK", title.encode("gbk"), line=line_of("title: Gate"))
    yield Case("encoding: Big5", changed("title: Gate", "title: 門").encode("big5"), line=6)
    yield Case("encoding: Latin-1", changed("Gate", "Gät").encode("latin-1"), line=6)
    yield Case("encoding: broken UTF-8", GOOD.encode().replace(b"Gate", b"\xe4\xb8"), line=6)
    yield Case("encoding: surrogate", GOOD.encode().replace(b"Gate", b"\xed\xa0\x80"), line=6)
    yield Case("encoding: overlong", GOOD.encode().replace(b"Gate", b"\xc0\xaf"), line=6)
    for name, char in {
        "NUL": "\0", "escape": "\x1b", "bell": "\a", "delete": "\x7f", "C1": "\x90",
        "next line": "\x85", "line separator": "\u2028", "right to left": "\u202e",
        "isolate": "\u2066", "right-to-left mark": "\u200f", "zero width space": "\u200b",
        "zero width joiner": "\u200d", "byte order mark inside": "\ufeff", "soft hyphen": "\u00ad",
        "not a character": "\uffff", "no-break space": "\u00a0", "ideographic space": "\u3000",
    }.items():  # fmt: skip
        case = changed("title: Gate", f"title: Ga{char}te").encode()
        yield Case(f"encoding: {name} in text", case, line=6)
    for name, text in {
        "full-width colon": "title：Gate",
        "full-width quotes": "title: “Gate”",
        "full-width braces": "title: ｛en: Gate｝",
        "full-width comma": "title: {en: Gate， zh: Gate}",
        "no-break space as indent": "\u00a0title: Gate",
        "ideographic space as indent": "\u3000title: Gate",
        "no-break space after colon": "title:\u00a0Gate",
        "direction in a comment": "title: Gate # \u202e etag",
    }.items():
        yield Case(f"encoding: {name}", changed("title: Gate", text).encode(), line=6)
    yield _refused("encoding: full-width digits", "window: 100", "window: １００")
    quoted = {"full-width in quotes": '"东门：“A”"', "ideographic space in quotes": '"东\u3000门"'}
    for name, text in quoted.items():
        yield _accepted(f"encoding: {name}", "title: Gate", f"title: {text}")


def _duplicates() -> Iterator[Case]:
    yield _refused("duplicate: version", "version: 1\n", "version: 1\nversion: 1\n", below=1)
    yield _refused("duplicate: gateway id", "  id: gw-01\n", "  id: gw-01\n  id: gw-02\n", below=1)
    yield _refused("duplicate: quoted", "  id: gw-01\n", '  id: gw-01\n  "id": gw-02\n', below=1)
    yield _refused("duplicate: bus", "  t:\n", "  m: {tcp: 'a:1'}\n  t:\n")
    yield _refused("duplicate: section", "store:\n", "defaults: {poll: 5s}\nstore:\n")
    yield _refused("duplicate: in braces", "{power: 30s}", "{power: 30s, power: 60s}")
    yield _refused("duplicate: device key", "    bus: m\n", "    bus: m\n    bus: t\n", below=1)
    yield _refused("duplicate: escaped", "  id: gw-01\n", '  id: gw-01\n  "\\x69d": x\n', below=1)
    yield _refused("duplicate: merge key", "  title: Gate\n", "  <<: {title: Gate}\n")


def _wrong_types() -> Iterator[Case]:
    for field, harmless in FIELDS.items():
        key = field.split(":", 1)[0]
        for name, value in ODD_VALUES.items():
            text = changed(field, f"{key}: {value}")
            is_accepted = name in harmless
            is_elsewhere = is_accepted or (key, name) in ELSEWHERE
            line = None if is_elsewhere else line_of(field)
            label = f"type: {key} of line {line_of(field)} is {name}"
            yield Case(label, text.encode(), is_accepted=is_accepted, line=line)


def _traps() -> Iterator[Case]:
    for name, old, new in (
        ("octal 010 stays text", "window: 100", "window: 010"),
        ("octal 0o17 is no number", "window: 100", "window: 0o17"),
        ("sexagesimal", "window: 100", "window: 1:40"),
        ("clock time as duration", "poll: 60s", "poll: 12:30:45"),
        ("bare number as duration", "poll: 60s", "poll: 60"),
        ("number with blanks", "window: 100", "window: 1 000"),
        ("number with underscore", "window: 100", "window: 1_000"),
        ("exponent id", "id: d-1", "id: 123e4"),
        ("exponent as whole number", "window: 100", "window: 1e2"),
        ("float as whole number", "window: 100", "window: 100.0"),
        ("date as id", "id: gw-01", "id: 2024-01-01T00:00:00Z"),
        ("no as flag", "rs485: false", "rs485: no"),
        ("on as flag", "rs485: false", "rs485: on"),
        ("quoted flag", "rs485: false", 'rs485: "false"'),
        ("quoted number", "window: 100", 'window: "100"'),
        ("binary number", "window: 100", "window: 0b101"),
    ):
        yield _refused(f"trap: {name}", old, new)
    for name, old, new in (
        ("hex number", "window: 100", "window: 0x1F"),
        ("no as id", "id: d-1", "id: no"),
        ("on as text", "title: Gate", "title: on"),
        ("date as text", "title: Gate", "title: 2024-01-01"),
        ("clock time as text", "title: Gate", "title: 12:30"),
        ("capital false", "rs485: false", "rs485: False"),
        ("meter number with leading zeros", 'bldg: "3"', "bldg: 000000001234"),
        ("meter number of twelve digits", 'bldg: "3"', "bldg: 123456789012"),
        ("hex address", "address: 1\n", "address: 0x01\n"),
        ("quoted address", "address: 1\n", 'address: "1"\n'),
        ("plus sign", "window: 100", "window: +100"),
    ):
        yield _accepted(f"trap: {name}", old, new)


def _meanings() -> Iterator[Case]:
    for name, old, new in (
        ("unknown bus", "bus: m", "bus: n"),
        ("unknown profile", "profile: test/meter", "profile: test/metre"),
        ("profile outside", "profile: test/meter", "profile: ../../etc/passwd"),
        ("unknown point", "deadband: {u_a: 0.5}", "deadband: {u_x: 0.5}"),
        ("unknown group", "poll: {power: 30s}", "poll: {powr: 30s}"),
        ("unknown variable", 'set: {device: "{n}"}', 'set: {devise: "{n}", device: 1}'),
        ("variable out of range", 'set: {device: "{n}"}', "set: {device: 300}"),
        ("address out of range", "address: 1\n", "address: 248\n"),
        ("misspelt key", "    line: 9600 8N1", "    lines: 9600 8N1"),
        ("unknown key at the top", "defaults:\n", "default: {poll: 1s}\ndefaults:\n"),
        ("port out of range", 'tcp: "10.0.0.1:502"', 'tcp: "10.0.0.1:65536"'),
        ("port zero", 'tcp: "10.0.0.1:502"', 'tcp: "10.0.0.1:0"'),
        ("parity that is none", "line: 9600 8N1", "line: 9600 8X1"),
        ("two links", "port: by-path/a", 'port: by-path/a\n    tcp: "a:1"'),
        ("unknown protocol", "in_flight: 2", "protocol: modbuz-tcp"),
        ("unknown template name", "id: p-{n}", "id: p-{m}"),
        ("template that is code", "id: p-{n}", 'id: p-{__import__("os")}'),
        ("template that divides", "id: p-{n}", "id: p-{n/2}"),
        ("version of the future", "version: 1\n", "version: 2\n"),
        ("version zero", "version: 1\n", "version: 0\n"),
        ("version as text", "version: 1\n", 'version: "1"\n'),
        ("password in the file", "    root: fc", "    password: s3cret"),
        ("password in the address", "mqtt://broker.example:1883", "mqtt://u:p@b.example"),
        ("wildcard in the root", "root: fc", "root: fc/+/x"),
        ("range upside down", "each: {n: 1..4}", "each: {n: 4..1}"),
        ("range without end", "each: {n: 1..4}", "each: {n: 1..999999999}"),
    ):
        below = 1 if name == "two links" else 0
        yield (
            _refused(f"meaning: {name}", old, new)
            if not below
            else Case(f"meaning: {name}", changed(old, new).encode())
        )
    twice = changed(
        "commands:\n", "  - {id: d-1, profile: test/meter, bus: m, address: 9}\ncommands:\n"
    )
    yield Case("meaning: id twice", twice.encode(), line=line_of("commands:"))
    same = changed(
        "commands:\n", "  - {id: d-2, profile: test/meter, bus: m, address: 1}\ncommands:\n"
    )
    yield Case("meaning: address twice", same.encode(), line=line_of("commands:"))


def _resources() -> Iterator[Case]:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
    )
    wide = "a0: &a0 [" + "x, " * 5000 + "x]\nb: [" + ", ".join(["*a0"] * 40) + "]\n"
    merges = "a: &a {x: 1}\n" + "b: {<<: [" + ", ".join(["*a"] * 200) + "]}\n"
    for name, octets in {
        "alias bomb": bomb.encode(),
        "wide alias bomb": wide.encode(),
        "merge bomb": merges.encode(),
        "self reference": b"version: &v [*v]\n",
        "alias chain to itself": b"a: &a\n  b: *a\n",
        "deep lists": b"version: " + b"[" * 20_000,
        "deep block lists": b"- " * 20_000,
        "deep mappings": b"".join(b" " * i + b"a:\n" for i in range(600)),
        "deep braces": b"{a: " * 20_000,
        "five megabytes in a line": b"x" * 5_000_000,
        "five megabytes of comment": b"# x\n" * 1_250_000,
        "a megabyte of quotes": b'version: "' + b"x" * 900_000,
        "sixty thousand keys": b"".join(b"k%d: 1\n" % i for i in range(60_000)),
        "a hundred thousand items": b"version: [" + b"1," * 100_000 + b"]",
        "number of 100,000 digits": b"version: " + b"9" * 100_000,
        "hex of 100,000 digits": b"version: 0x" + b"f" * 100_000,
        "float of 100,000 digits": b"version: 1." + b"9" * 100_000,
        "tags without end": b"!a " * 100_000,
        "anchors without end": b"&a " * 100_000,
        "question marks": b"? " * 100_000,
        "devices without end": GOOD.replace("1..4", "1..9999, 10000..19998").encode(),
        "long key": b"x" * 200_000 + b": 1\n",
    }.items():
        yield Case(f"resource: {name}", octets)
    aliases = "title: &t {en: Gate}"
    yield _accepted("resource: an anchor", "title: Gate", aliases)
    shared = changed("title: Gate", aliases).replace("title: Meter", "title: *t")
    yield Case("resource: an alias", shared.encode(), is_accepted=True)
