"""What is said of letters: in replies, in log entries, in the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.app.commands.ledger import actor
from gateway.app.remote.files import Owed
from gateway.model.ids import SinkName
from gateway.model.letter import Letter
from gateway.remote import opening
from gateway.remote.opening import LetterRefused
from gateway.remote.order import Act, Order, rid_of
from gateway.settings.problems import Problem, make_problem
from gateway.settings.where import Where


@dataclass(frozen=True, slots=True)
class Told:
    """What is answered: as in a reply to a command."""

    status: str
    code: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a configuration is not tried."""

    code: str
    problems: Sequence[Problem]
    text: str = "it does not load"
    """Said where there are no problems to name."""


DOES_NOT_LOAD = Objection("bad_config", ())


def claimed_rid(letter: Letter) -> str | None:
    """Return the `rid` that the sender, whoever it is, wants to be answered under."""
    try:
        return rid_of(opening.decoded(letter.payload))
    except LetterRefused:
        return None


def order_fields(
    order: Order, sink: SinkName, status: str, code: str | None = None
) -> tuple[tuple[str, str], ...]:
    """Return the fields of an audit entry: who asked for what, and what became of it."""
    detail = order.hash[:16] if order.act is Act.CONFIG else ""
    return (
        ("rid", order.rid),
        ("sink", str(sink)),
        ("by", actor(order.by)),
        ("op", order.act.value),
        ("status", status),
        ("detail", detail if code is None else f"{code}: {detail}"),
    )


def owed_fields(owed: Owed) -> tuple[tuple[str, str], ...]:
    """Return the fields of the audit entry for how a trial ended."""
    return (
        ("rid", owed.rid),
        ("sink", owed.sink),
        ("op", Act.CONFIG.value),
        ("status", owed.status),
        ("detail", owed.code),
    )


def cut_short_fields(rid: str, sink: SinkName, act: str) -> tuple[tuple[str, str], ...]:
    """Return the fields of the audit entry for an order that the end of a run cut short."""
    said = (("status", "failed"), ("detail", "interrupted"))
    return (("rid", rid), ("sink", str(sink)), ("op", act), *said)


def placed(problem: Problem, folder: Path) -> Problem:
    """Return a problem with its file as the bundle names it.

    A bundle may name tables and profiles of this machine. What stands in those is not told: an
    error that quotes a file would let a letter read any file.
    """
    path, base = Path(problem.file).resolve(), folder.resolve()
    if path.is_relative_to(base):
        return replace(problem, file=path.relative_to(base).as_posix())
    where = Where(path.name, problem.line, problem.column)
    return make_problem("LG-REM-06", where, facts={"code": problem.code})


def problem_fields(rid: str, problem: Problem) -> tuple[tuple[str, str], ...]:
    """Return the fields of the log entry for one problem, its text in both languages."""
    chinese = problem.in_language("zh")
    return (
        ("rid", rid),
        ("file", problem.file),
        ("line", str(problem.line)),
        ("col", str(problem.column)),
        ("path", problem.path),
        ("code", problem.code),
        ("en", f"{problem.message}. {problem.remedy}"),
        ("zh", f"{chinese.message}。{chinese.remedy}"),
    )
