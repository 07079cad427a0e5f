"""Problems of settings files: where, what is wrong, what to do; collected and shown at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from gateway.settings.texts import PHRASES, wording
from gateway.settings.where import Where

Severity: TypeAlias = Literal["error", "warning"]
Language: TypeAlias = Literal["en", "zh"]

MOST_PROBLEMS = 200
"""More than this in one load help nobody."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A part of a message that is itself in the table of phrases."""

    key: str
    argument: str = ""

    def text(self, language: Language) -> str:
        """Return the phrase in that language."""
        return PHRASES[self.key][language == "zh"].format(self.argument)


Fact: TypeAlias = str | int | Phrase
Facts: TypeAlias = Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    path: str
    code: str
    severity: Severity
    message: str
    remedy: str
    facts: Facts = field(default_factory=dict[str, Fact], repr=False, compare=False)
    language: Language = field(default="en", compare=False)

    def in_language(self, language: Language) -> Problem:
        """Return the same problem with message and remedy in that language."""
        words = wording(self.code)
        facts = _spelled(self.facts, language)
        if language == "zh":
            message, remedy = words.message_zh, words.remedy_zh
        else:
            message, remedy = words.message, words.remedy
        return replace(
            self,
            message=message.format(**facts),
            remedy=remedy.format(**facts),
            language=language,
        )

    def text(self) -> str:
        """Return `file:line:col: path: what is wrong. What to do [code]`."""
        path = f"{self.path}: " if self.path else ""
        place = f"{self.file}:{self.line}:{self.column}"
        stop = "。" if self.language == "zh" else ". "
        return f"{place}: {path}{self.message}{stop}{self.remedy} [{self.code}]"

    def as_json(self) -> dict[str, Any]:
        """Return the object that `linli check --json` prints."""
        return {
            "file": self.file,
            "line": self.line,
            "col": self.column,
            "path": self.path,
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "remedy": self.remedy,
        }


def make_problem(code: str, where: Where, path: str = "", facts: Facts | None = None) -> Problem:
    """Return the problem of that code in English; `facts` fill the placeholders of its texts."""
    blank = Problem(
        where.file,
        where.line,
        where.column,
        path,
        code,
        wording(code).severity,
        "",
        "",
        facts or {},
    )
    return blank.in_language("en")


class SettingsError(Exception):
    """Settings that cannot be used; `problems` says all that is wrong with them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.text() for problem in self.problems))


class BadValue(ValueError):
    """A value that a parser refuses, as a code of the table with its facts.

    `offset` is where in the text the fault lies, counted in characters.
    """

    def __init__(self, code: str, *, offset: int = 0, **facts: Fact) -> None:
        super().__init__(code)
        self.code = code
        self.offset = offset
        self.facts: Facts = facts


class Problems:
    """What was found so far, without repetition."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}

    def add(self, code: str, where: Where, path: str = "", **facts: Fact) -> None:
        """Keep one more problem."""
        self._found.setdefault(make_problem(code, where, path, facts))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Keep problems that were made elsewhere."""
        self._found.update(dict.fromkeys(problems))

    @property
    def has_errors(self) -> bool:
        """Whether anything forbids the use of the files."""
        return self.errors > 0

    @property
    def errors(self) -> int:
        """How many of them forbid the use of the files."""
        return sum(problem.severity == "error" for problem in self._found)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._found)

    def sorted(self) -> tuple[Problem, ...]:
        """Return them by file and line, errors kept before warnings when there are too many."""
        kept = sorted(self._found, key=lambda p: p.severity == "warning")[:MOST_PROBLEMS]
        return tuple(sorted(kept, key=lambda p: (p.file, p.line, p.column, p.code)))


def advice(name: str, known: Iterable[str]) -> Phrase:
    """Return "Did you mean …?" when a known name is near, else the known names."""
    import difflib  # noqa: PLC0415 - the daemon seldom has anything to advise

    names = sorted(known)[:500]
    near = difflib.get_close_matches(name[:64], names, n=1, cutoff=0.6)
    if near:
        return Phrase("did_you_mean", near[0])
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")  # noqa: PLR2004 - one line
    return Phrase("known", shown) if names else Phrase("none_known")


def shown(value: object) -> Fact:
    """Return a value as a message may show it: short, and never a whole subtree."""
    if value is None:
        return Phrase("nothing")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return Phrase("a_mapping")
    if isinstance(value, list | tuple):
        return Phrase("a_list")
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 48 else text[:45] + "…"  # noqa: PLR2004 - fits on one line


def _spelled(facts: Facts, language: Language) -> dict[str, str]:
    return {
        key: fact.text(language) if isinstance(fact, Phrase) else str(fact)
        for key, fact in facts.items()
    }
