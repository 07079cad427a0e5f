"""One command from its arrival to its receipt: judged, audited, done, read back, answered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from gateway.app.commands import act
from gateway.app.commands.act import ACT_WITHIN_S, Done
from gateway.app.commands.asking import Keeps, Lines
from gateway.app.commands.judge import AckPlan, ArmPlan, Judge, Plan, ReadPlan, WritePlan
from gateway.app.commands.ledger import Ledger, actor
from gateway.commands.admit import Moment, Repeated
from gateway.commands.arming import VALID_S
from gateway.commands.flood import Flood
from gateway.commands.memory import Memory, Remembered
from gateway.model.clock import Clock
from gateway.model.command import WRITING, BadCommand, Command, CommandRefused
from gateway.model.ids import DeviceId
from gateway.model.record import EventBody, Record, StateChange

ANSWER_WITHIN_S = 2.0
"""A command that takes longer is answered `accepted` first (Huawei counts one as timed out)."""
VALUE_CODES = frozenset({"type", "range", "step"})
"""Refusals whose words may hold the value."""
INTERRUPTED = "the gateway stopped while it was carried out; read the point to see what happened"


class Orders:
    """Carries commands out, each in a task of its own."""

    def __init__(  # noqa: PLR0913 - who judges, who remembers, who writes down, who acts
        self,
        judge: Judge,
        memory: Memory,
        ledger: Ledger,
        *,
        lines: Lines,
        keeps: Keeps,
        clock: Clock,
        flood: Flood,
    ) -> None:
        """Take all that it takes to carry a command out."""
        self._judge = judge
        self._memory = memory
        self._ledger = ledger
        self._lines = lines
        self._keeps = keeps
        self._clock = clock
        self._flood = flood

    async def reject(self, bad: Sequence[BadCommand]) -> None:
        """Answer and audit what was no command, all in one commit."""
        if not bad:
            return
        records: list[Record] = []
        changes: list[StateChange] = []
        for one in bad:
            record, change = self._ledger.audit_bad(one)
            reply = self._ledger.reply_bad(one)
            records.extend((record,) if reply is None else (record, reply))
            changes.append(change)
        await self._keeps.commit(records, changes)

    async def settle(self) -> None:
        """Answer what was being carried out when the gateway went, each once."""
        records: list[Record] = []
        changes: list[StateChange] = []
        for owed in self._memory.owed():
            record, change = self._ledger.audit_owed(owed)
            records += (record, self._ledger.reply_owed(owed))
            told = replace(owed.entry, owed_by=None)
            changes += (change, *self._memory.remember(owed.sink, owed.rid, told))
        if records:
            await self._keeps.commit(records, changes)

    async def carry_out(self, command: Command) -> None:
        """Do it, or say why not."""
        at = self._moment()
        try:
            plan = self._judge.judge(command, at)
        except Repeated as repeated:
            await self._repeat(command, repeated.receipt)
        except CommandRefused as refused:
            if self._flood.is_told(command.sink, refused.code, at.now):
                await self._finish(command, self._refused(command, refused))
        else:
            if command.is_dry:
                done = Done("done", "dry", "it would be carried out; nothing was done")
                await self._finish(command, done)
            else:
                await self._follow(command, plan, at)

    def _refused(self, command: Command, refused: CommandRefused) -> Done:
        """Say why not, in words that may be kept: they repeat no value of a person."""
        done = _refusal(refused)
        if refused.code in VALUE_CODES and self._ledger.is_personal(command):
            return replace(done, message="the point does not take this value")
        return done

    async def _repeat(self, command: Command, known: Remembered) -> None:
        """Give the receipt again, but not to who asked for something else under this id."""
        is_same = known.mark in {None, self._ledger.mark(command)}
        code = "repeated" if is_same else "rid_used"
        if not self._flood.is_told(command.sink, code, self._clock.monotonic()):
            return
        if is_same:
            done = Done(known.status, known.code, known.message)
            record, change = self._ledger.audit(command, code, known.status)
        else:
            done = Done("rejected", code, "this id named another command; nothing was done")
            record, change = self._ledger.audit(command, done.status, code)
        await self._keeps.commit([record, self._ledger.reply(command, done)], [change])

    async def _follow(self, command: Command, plan: Plan, at: Moment) -> None:
        match plan:
            case ArmPlan():
                text = f"the token is good once, within {VALID_S:g} s, for this and nothing else"
                token = self._judge.arm(plan.write, at)
                await self._finish(command, Done("done", "armed", text, value=token))
            case AckPlan():
                await self._acknowledge(command, plan)
            case ReadPlan() | WritePlan():
                await self._accept(command, plan, at)
                async with asyncio.TaskGroup() as tasks:
                    late = tasks.create_task(self._say_later(command), name="commands:late")
                    done = await self._act(command, plan)
                    late.cancel()
                await self._finish(command, done)

    async def _accept(self, command: Command, plan: Plan, at: Moment) -> None:
        """Make it known, durably, before anything moves: a cut leaves `interrupted`."""
        changes = self._judge.spend(plan.write, at) if isinstance(plan, WritePlan) else ()
        record, change = self._ledger.audit(command, "accepted", None)
        interrupted = Done("failed", "interrupted", INTERRUPTED)
        owed = self._remember(command, interrupted, owed_by=command.device)
        await self._keeps.commit([record], (change, *owed, *changes))

    async def _say_later(self, command: Command) -> None:
        await asyncio.sleep(ANSWER_WITHIN_S)
        done = Done("accepted", "under_way", "it takes longer; another receipt follows")
        await self._keeps.commit([self._ledger.reply(command, done)])

    async def _act(self, command: Command, plan: ReadPlan | WritePlan) -> Done:
        within_s = self._time_left_s(command)
        if within_s <= 0:  # the store may have taken long to keep the audit record
            return Done("expired", "expired", "it expired before it could act; nothing was done")
        if isinstance(plan, ReadPlan):
            return await act.read(self._lines, plan, within_s)
        try:
            self._judge.again(plan.write, self._moment())
        except CommandRefused as refused:
            return _refusal(refused)
        return await act.write(self._lines, plan, within_s)

    def _time_left_s(self, command: Command) -> float:
        """Return how long the line may take: what waits longer for it than `exp` is not done."""
        if command.expires_ms is None:
            return ACT_WITHIN_S
        return min(ACT_WITHIN_S, (command.expires_ms - self._clock.now_ms()) / 1000)

    async def _acknowledge(self, command: Command, plan: AckPlan) -> None:
        """The event goes on as it is; who declared one of this type is told that it was seen."""
        event = _seen(plan, command)
        told: tuple[Record, ...] = ()
        if event is not None:
            now_ms, tq = self._clock.now_ms(), self._clock.quality()
            told = (Record(plan.device.id, now_ms, tq, event),)
        await self._finish(command, Done("done", point=plan.point), *told)

    async def _finish(self, command: Command, done: Done, *more: Record) -> None:
        record, change = self._ledger.audit(command, done.status, done.code)
        remembered = self._remember(command, done)
        reply = self._ledger.reply(command, done)
        await self._keeps.commit([record, *more, reply], (change, *remembered))

    def _remember(
        self, command: Command, done: Done, *, owed_by: DeviceId | None = None
    ) -> tuple[StateChange, ...]:
        is_refused = done.status in {"rejected", "expired"} or command.op not in WRITING
        until_ms = 0 if is_refused or command.expires_ms is None else command.expires_ms
        now_ms = self._clock.now_ms()
        mark = self._ledger.mark(command)
        entry = Remembered(done.status, done.code, done.message, now_ms, until_ms, owed_by, mark)
        return self._memory.remember(command.sink, command.rid, entry)

    def _moment(self) -> Moment:
        return Moment(self._clock.now_ms(), self._clock.quality(), self._clock.monotonic())


def _refusal(refused: CommandRefused) -> Done:
    status = "expired" if refused.code == "expired" else "rejected"
    return Done(status, refused.code, str(refused))


def _seen(plan: AckPlan, command: Command) -> EventBody | None:
    rule = plan.rule
    if rule is None:
        return None
    text = f"acknowledged by {actor(command.by)} of {command.sink}"
    return EventBody(
        plan.eid,
        rule.type,
        rule.severity,
        "updated",
        plan.point,
        duty=rule.duty,
        detail=text,
    )
