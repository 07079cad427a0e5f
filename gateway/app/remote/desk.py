"""Letters from afar: opened, audited, carried out, answered. One task of the daemon."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from gateway.app.outward.postbox import Postbox
from gateway.app.remote.files import Bundle, RemoteFiles
from gateway.app.remote.words import (
    DOES_NOT_LOAD,
    Objection,
    Told,
    claimed_rid,
    cut_short_fields,
    order_fields,
    owed_fields,
    placed,
    problem_fields,
)
from gateway.app.site.last_good import load_and_vet
from gateway.app.site.reload import diff
from gateway.app.support import Paper, bundle_of, log_of
from gateway.commands.flood import Flood
from gateway.dialects.contract import Dropped
from gateway.model.clock import Clock
from gateway.model.ids import GATEWAY_ITSELF, SinkName
from gateway.model.letter import Letter
from gateway.model.record import Body, LogBody, Record, ReplyBody, StateChange
from gateway.ops.recall import Recall
from gateway.remote import keys, opening
from gateway.remote.files import MAIN, hash_of
from gateway.remote.opening import LetterRefused, Moment
from gateway.remote.order import Act, BadOrder, Order, read_order
from gateway.remote.parts import parts_of
from gateway.remote.rights import overreach
from gateway.settings.problems import Problem, SettingsError
from gateway.settings.result import LoadResult
from gateway.settings.secrets import read_secret
from gateway.settings.site import Site
from gateway.settings.site_remote import Remote

ROOM = "remote"
_LAST = "last"
_OPEN = "open:"
"""Before the `rid` of an order that was accepted and is not answered yet."""
CUT_SHORT = "the gateway ended before it was done: what ran before runs, and nothing was sent"
TOPIC = "cfg"
"""Of log entries that tell what is wrong with a configuration."""
SHOWN = 20
"""Problems that are told one by one."""

_log = logging.getLogger("linli")


class Audits(Protocol):
    """The commander, as far as letters need it."""

    def audited(self, fields: tuple[tuple[str, str], ...]) -> tuple[Record, StateChange]:
        """Return the next entry of the audit chain."""
        ...

    def dropped(self, topic: str, sink: SinkName, dropped: Dropped) -> None:
        """Audit a message that was not obeyed."""
        ...

    def unheard(self, sink: SinkName, count: int) -> None:
        """Count what is neither answered nor audited by itself."""
        ...


class Commits(Protocol):
    """The pipeline, as far as letters need it."""

    async def commit(self, records: Sequence[Record], changes: Sequence[StateChange] = ()) -> None:
        """Return when these are safe."""
        ...


class Tries(Protocol):
    """What runs a configuration on trial."""

    async def run(self, rid: str, sink: SinkName, bundle: Bundle, site: Site) -> None:
        """Try a staged bundle; what is to be answered stands in the book."""
        ...


@dataclass(frozen=True, slots=True)
class Office:
    """What letters are worked on with."""

    site: Callable[[], Site]
    post: Postbox
    clock: Clock
    audits: Audits
    keeps: Commits
    trials: Tries
    recall: Recall
    status: Callable[[], Awaitable[dict[str, Any]]]
    """Gives what `linli status` shows."""
    refused: Callable[[], Sequence[Problem]] = tuple
    """Gives what is wrong with the operator's file while another site runs."""


class RemoteDesk:
    """Works on one letter after the other; a trial runs beside them, and never two."""

    def __init__(self, office: Office, files: RemoteFiles, states: Mapping[str, Any]) -> None:
        """Take what it works with, the bundles on the disk, and what the store kept of ROOM."""
        self._office = office
        self._files = files
        last = states.get(_LAST) or [0, ""]
        self._number, self._rid = int(last[0]), str(last[1])
        self._cut_short = {
            key.removeprefix(_OPEN): (SinkName(sink), str(act))
            for key, (sink, act) in states.items()
            if key.startswith(_OPEN)
        }
        self._flood = Flood()
        self._trial: asyncio.Task[None] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`. A trial that is under way then is a failed one."""
        await self._answer_the_past()
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(self._work(tasks), name="remote:letters")
            await stop.wait()
            working.cancel()
            if self._trial is not None:
                self._trial.cancel()

    async def _work(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            letter = await self._office.post.take()
            try:
                order = await self._opened(letter)
            except LetterRefused as refused:
                await self._refuse(letter, refused)
                continue
            if order is not None:
                await self._carry_out(order, letter.sink, tasks)

    # --- opening

    async def _opened(self, letter: Letter) -> Order | None:
        """Return the order of a letter, its number noted and itself audited; None for a repeat.

        Raises:
            LetterRefused: it is not obeyed.
        """
        office, site = self._office, self._office.site()
        if site.remote is None:
            raise LetterRefused("not_configured", "the site file has no `remote:`")
        key = await asyncio.to_thread(_key_of, site.remote)
        try:
            order = read_order(opening.opened(letter, key))
        except BadOrder as bad:
            raise LetterRefused("bad_order", str(bad)) from bad
        if (order.number, order.rid) == (self._number, self._rid):
            dropped = Dropped(letter.topic, "delivered twice")
            office.audits.dropped("remark", letter.sink, dropped)
            return None
        gateway, clock = site.gateway, office.clock
        now_ms, tq = clock.now_ms(), clock.quality()
        opening.check_fresh(order, Moment(gateway.id, gateway.site, now_ms, tq, self._number))
        self._number, self._rid = order.number, order.rid
        entry, change = office.audits.audited(order_fields(order, letter.sink, "accepted"))
        number = StateChange(ROOM, _LAST, [order.number, order.rid])
        is_open = StateChange(ROOM, _OPEN + order.rid, [letter.sink, order.act.value])
        await office.keeps.commit([entry], [change, number, is_open])
        return order

    async def _refuse(self, letter: Letter, refused: LetterRefused) -> None:
        """Audit and answer what is not obeyed; a flood of it is counted."""
        office = self._office
        if not self._flood.is_told(letter.sink, refused.code, office.clock.monotonic()):
            office.audits.unheard(letter.sink, 1)
            return
        _log.warning("letter refused sink=%s code=%s", letter.sink, refused.code)
        office.audits.dropped("dropped", letter.sink, Dropped(letter.topic, refused.code))
        rid = claimed_rid(letter)
        if rid is not None:
            reply = ReplyBody(rid, "rejected", refused.code, str(refused))
            await office.keeps.commit([self._record(letter.sink, reply)])

    # --- carrying out

    async def _carry_out(self, order: Order, sink: SinkName, tasks: asyncio.TaskGroup) -> None:
        match order.act:
            case Act.CONFIG:
                await self._configure(order, sink, tasks)
            case Act.LOG:
                await self._send(order, sink, log_of(self._office.recall, self._office.site()))
            case Act.BUNDLE:
                status = await self._office.status()
                office = self._office
                content = bundle_of(office.site(), status, office.recall, office.refused())
                await self._send(order, sink, content)

    async def _send(self, order: Order, sink: SinkName, paper: Paper) -> None:
        try:
            records = [
                self._record(sink, LogBody(order.act.value, fields))
                for fields in parts_of(order.rid, paper.name, paper.content)
            ]
        except ValueError as error:
            await self._answer(order, sink, Told("failed", "too_large", str(error)))
            return
        await self._office.keeps.commit(records)
        await self._answer(order, sink, Told("done", None, f"{len(records)} parts of {paper.name}"))

    async def _configure(self, order: Order, sink: SinkName, tasks: asyncio.TaskGroup) -> None:
        told = self._told_at_once(order)
        if told is not None:
            await self._answer(order, sink, told)
        else:
            self._trial = tasks.create_task(self._try(order, sink), name="remote:trial")

    def _told_at_once(self, order: Order) -> Told | None:
        """Return the answer to a configuration that is not even tried."""
        runs = self._office.post.configuration
        running = "" if runs is None else runs.hash
        is_busy = self._trial is not None and not self._trial.done()
        other = f"`base` is not the hash of what runs, which is {running}"
        answers = (
            (is_busy, Told("rejected", "busy", "another configuration is tried")),
            (
                hash_of(order.files) != order.hash,
                Told("rejected", "bad_hash", "`hash` is not that of `files`"),
            ),
            (order.hash == running, Told("done", "unchanged", "it runs already")),
            (order.base != running, Told("rejected", "conflict", other)),
            (
                MAIN not in order.files,
                Told("rejected", "bad_config", f"there is no {MAIN}"),
            ),
        )
        return next((told for is_so, told in answers if is_so), None)

    async def _try(self, order: Order, sink: SinkName) -> None:
        bundle = Bundle(order.hash, order.version)
        try:
            staged = await asyncio.to_thread(self._files.stage, bundle, order.files)
            result = await asyncio.to_thread(load_and_vet, staged)
            objection = await asyncio.to_thread(self._objection, result)
            if objection is not None or result.site is None:
                await self._object(order, sink, objection or DOES_NOT_LOAD, staged.parent)
                return
            accepted = self._reply(order, sink, Told("accepted", None, "it is tried now"))
            await self._office.keeps.commit([accepted])
            await self._office.trials.run(order.rid, sink, bundle, result.site)
        except OSError as error:
            await self._answer(order, sink, Told("failed", "disk", f"the disk refuses: {error}"))
            return
        await self._settle()

    def _objection(self, result: LoadResult) -> Objection | None:
        """Return why a configuration is not tried. Looks at files."""
        if self._files.is_edited():
            return Objection("conflict", (), "the site file was edited and is not loaded yet")
        old, site = self._office.site(), result.site
        if site is None:
            errors = [problem for problem in result.problems if problem.severity == "error"]
            return Objection("bad_config", errors)
        beyond = overreach(old, site, frozenset() if old.remote is None else old.remote.may)
        if beyond:
            return Objection("not_allowed", beyond)
        needs = ", ".join(diff(old, site).needs_restart)
        return (
            Objection("needs_restart", (), f"only a restart at the site applies: {needs}")
            if needs
            else None
        )

    # --- answers

    async def _settle(self) -> None:
        """Give the answer that is owed, also by an earlier run that was cut short."""
        owed = self._files.book.owed
        if owed is None:
            return
        sink = SinkName(owed.sink)
        reply = ReplyBody(owed.rid, owed.status, owed.code or None, owed.message)
        entry, change = self._office.audits.audited(owed_fields(owed))
        closed = StateChange(ROOM, _OPEN + owed.rid, None)
        await self._office.keeps.commit([entry, self._record(sink, reply)], [change, closed])
        self._cut_short.pop(owed.rid, None)
        await self._close_the_book()

    async def _close_the_book(self) -> None:
        with suppress(OSError):  # looked at again after the next start
            await asyncio.to_thread(self._files.settled)

    async def _answer_the_past(self) -> None:
        """Answer what an earlier run accepted and came to no end with."""
        owed = self._files.book.owed
        if owed is not None and self._rid and owed.rid not in self._cut_short:
            await self._close_the_book()  # the store knows the answer: a cut came before the book
        await self._settle()
        for rid, (sink, act) in self._cut_short.items():
            fields = cut_short_fields(rid, sink, act)
            entry, change = self._office.audits.audited(fields)
            reply = self._record(sink, ReplyBody(rid, "failed", "interrupted", CUT_SHORT))
            closed = StateChange(ROOM, _OPEN + rid, None)
            await self._office.keeps.commit([entry, reply], [change, closed])
        self._cut_short = {}

    async def _object(
        self, order: Order, sink: SinkName, objection: Objection, folder: Path
    ) -> None:
        """Answer with the first problem, and tell each of them by a log entry of its own."""
        told = [placed(problem, folder) for problem in objection.problems]
        records = [
            self._record(sink, LogBody(TOPIC, problem_fields(order.rid, one)))
            for one in told[:SHOWN]
        ]
        await self._office.keeps.commit(records)
        text = told[0].text() if told else objection.text
        more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
        await self._answer(order, sink, Told("rejected", objection.code, text + more))

    async def _answer(self, order: Order, sink: SinkName, told: Told) -> None:
        fields = order_fields(order, sink, told.status, told.code)
        entry, change = self._office.audits.audited(fields)
        reply = self._reply(order, sink, told)
        closed = StateChange(ROOM, _OPEN + order.rid, None)
        await self._office.keeps.commit([entry, reply], [change, closed])

    def _reply(self, order: Order, sink: SinkName, told: Told) -> Record:
        return self._record(sink, ReplyBody(order.rid, told.status, told.code, told.message))

    def _record(self, sink: SinkName, body: Body) -> Record:
        clock = self._office.clock
        return Record(GATEWAY_ITSELF, clock.now_ms(), clock.quality(), body, sink)


def _key_of(remote: Remote) -> keys.Key:
    """Return the key of the site; read at every letter, so that a changed one counts at once.

    Raises:
        LetterRefused: there is none that could be used.
    """
    try:
        if remote.public_key is not None:
            return keys.PublicKey(bytes.fromhex(remote.public_key))
        assert remote.secret is not None  # noqa: S101 - one of the two, by the model
        return keys.SharedKey(read_secret(remote.secret).encode())
    except (SettingsError, ValueError, ImportError) as error:
        _log.error("the key of `remote:` cannot be used: %s", error)
        raise LetterRefused("no_key", "the gateway cannot use the key of its site file") from error
