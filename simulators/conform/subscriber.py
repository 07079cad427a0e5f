"""What a platform's subscriber must do, seen from a gateway: confirm, ask, misread nothing.

The steps are one story and run in order, each on what the one before left.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from simulators.conform.check import Bench, Check, Missed, Skipped, State, Verdict, verdict
from simulators.conform.script import DEVICE, HARD_VALUES, ScriptedGateway
from simulators.mqtt5.connection import Gone

SLACK = 1.5
"""What a platform does within its patience it has done within that much of it."""
OTHER_EP_BIT = 1 << 52
BURST = 100
"""Records after a platform was killed."""
KILLING_EVERY_S = 0.1
"""While it is being killed a record so often: a broker's queue of 1000 must not run over."""
Kill = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Story:
    """Where the script stands."""

    gateway: ScriptedGateway
    victim: str
    """A gateway in whose name ours will speak."""
    patience_s: float
    """Within which the platform confirms, and asks for what it misses."""
    kill: Kill | None = None
    """Kills the platform; something else starts it again. Raises Skipped when it could not."""
    is_confirming: bool = False

    async def confirmed(self, *seqs: int) -> None:
        """Demand that these are confirmed."""
        if not self.is_confirming:
            raise Skipped("the platform confirms nothing on dn/ack")
        if not await self.gateway.has_confirmed(*seqs, within_s=self.patience_s):
            missing = sorted(set(seqs) - self.gateway.mine.confirmed.keys())
            raise Missed(f"not confirmed within {self.patience_s:g} s: seq {missing}")


async def confirms(story: Story) -> str:
    """Send three records of a gateway whose birth says `ack: app`."""
    gateway = story.gateway
    await gateway.born(None)
    await gateway.prop(1, None)
    await gateway.prop(2, 1)
    await gateway.prop(3, 2)
    story.is_confirming = await gateway.has_confirmed(1, 2, 3, within_s=story.patience_s)
    if not story.is_confirming:
        nobody = "; nobody is subscribed to them" if gateway.unheard else ""
        raise Missed(f"seq 1 to 3 are not confirmed within {story.patience_s:g} s{nobody}")
    return "seq 1 to 3 are confirmed"


async def duplicates(story: Story) -> str:
    """Send a record again, as after a lost acknowledgement, in a `hist`."""
    heard = story.gateway.mine.confirmed
    before = heard.get(2, 0)
    await story.gateway.hist((2, 1))
    await story.confirmed(2)
    if not await story.gateway.until(lambda: heard.get(2, 0) > before, story.patience_s):
        raise Missed("a record that comes again is not confirmed again: it would come for ever")
    return "a duplicate is confirmed again"


async def events(story: Story) -> str:
    """Send events of the other lane, one with a clock that nobody vouches for."""
    await story.gateway.event(4, None, "door_open")
    await story.gateway.event(5, 4, "clock_unsync", tq="unsync", ts=86_400_000)
    await story.confirmed(4, 5)
    return "events are confirmed, also one whose time nobody vouches for"


async def future(story: Story) -> str:
    """Send what a later 1.x may say."""
    new = {"v": "1.7", "weather": {"sky": "clear"}, "tags": ["a", 1, None]}
    await story.gateway.prop(6, 3, **new)
    await story.gateway.event(7, 5, "a_type_of_tomorrow", sev=4, hue="blue")
    await story.confirmed(6, 7)
    return "unknown fields and types are no hindrance"


async def nonsense(story: Story) -> str:
    """Send what cannot be read, then what can."""
    for payload in (b"{", b"[1, 2]", b"\xff\xfe", b'{"v": "1.0", "k": "prop"}', b"NaN"):
        await story.gateway.raw("prop", payload)
    await story.gateway.raw("novelty", b'{"v": "1.0"}')
    await story.gateway.prop(8, 6)
    await story.confirmed(8)
    return "what cannot be read stops nothing"


async def history(story: Story) -> str:
    """Send several records in one message."""
    await story.gateway.hist((9, 8), (10, 9), (11, 10), (12, 11))
    await story.confirmed(9, 10, 11, 12)
    return "all records of a hist are confirmed"


async def asks(story: Story) -> str:
    """Leave two records out."""
    gateway = story.gateway
    await gateway.prop(15, 14)
    if not await gateway.until(lambda: 14 in gateway.mine.asked, SLACK * story.patience_s):  # noqa: PLR2004 - left out above
        raise Missed(f"seq 14 was not asked for within {SLACK * story.patience_s:g} s")
    return f"asked for {sorted(gateway.mine.asked)}"


async def late(story: Story) -> str:
    """Send what was asked for, as `hist`, until nothing of it is missing."""
    gateway = story.gateway
    if 14 not in gateway.mine.asked:  # noqa: PLR2004 - left out in `asks`
        raise Skipped("it was not asked for")
    await gateway.hist((14, 13))
    if not await gateway.until(lambda: 13 in gateway.mine.asked, SLACK * story.patience_s):  # noqa: PLR2004 - as above
        raise Missed("seq 14 names 13 as the one before it, and that was not asked for")
    await gateway.hist((13, 12))
    await story.confirmed(13, 14)
    return "the late ones are confirmed"


async def stops(story: Story) -> str:
    """Tell records to be gone for good, and see whether the platform falls silent."""
    gateway = story.gateway
    await gateway.gap(16, 7, 17, 18)
    await gateway.prop(19, 18)
    await gateway.has_confirmed(16, 19, within_s=story.patience_s)
    before = gateway.mine.requests
    if await gateway.until(lambda: gateway.mine.requests > before, SLACK * story.patience_s):
        raise Missed("it asks on, although all came or was told to be gone for good")
    return "nothing more is asked for"


async def values(story: Story) -> str:
    """Send values that are stored wrongly most often; what became of them `--held` can tell."""
    await story.gateway.prop(20, 19, pts=HARD_VALUES)
    await story.confirmed(20)
    return f"a record of {len(HARD_VALUES)} such values is confirmed"


async def removed(story: Story) -> str:
    """Add a device and remove it: its birth is cleared by an empty message."""
    await story.gateway.adds("em-02")
    await story.gateway.removes("em-02")
    await story.gateway.prop(21, 20)
    await story.confirmed(21)
    return "an empty message stops nothing"


async def killed(story: Story) -> str:
    """Go on while the platform is killed and returns. Nothing is sent again: the broker has it."""
    if story.kill is None:
        raise Skipped("name a command that kills it with --kill; its supervisor must restart it")
    gateway, unheard = story.gateway, story.gateway.unheard
    first = last = 21
    async with asyncio.TaskGroup() as tasks:
        killing = tasks.create_task(_awaited(story.kill), name="kill")
        while not killing.done():
            last = await _next(gateway, last)
            await asyncio.wait({killing}, timeout=KILLING_EVERY_S)
    for _ in range(BURST):
        last = await _next(gateway, last)
    seqs = range(first + 1, last + 1)
    if gateway.unheard > unheard:
        raise Missed("while it was away nobody was subscribed: its session does not wait for it")
    try:
        await story.confirmed(*seqs)
    except Missed:
        lost = sorted(set(seqs) - gateway.mine.confirmed.keys())
        asked = "; some are asked for again" if gateway.mine.asked & set(lost) else ""
        raise Missed(
            f"{len(lost)} of {len(seqs)} are lost, the first is {lost[0]}{asked}"
        ) from None
    return f"{len(seqs)} records before, during and after it are confirmed"


async def _next(gateway: ScriptedGateway, last: int) -> int:
    await gateway.prop(last + 1, last)
    return last + 1


async def _awaited(kill: Kill) -> None:
    await kill()


async def new_store(story: Story) -> str:
    """Begin anew with another `ep`, as after a new disk: seq 1 is another record now."""
    gateway = story.gateway
    previous, gateway.ep = gateway.ep, gateway.ep ^ OTHER_EP_BIT
    await gateway.born(previous)
    await gateway.prop(1, None)
    await gateway.prop(2, 1)
    await story.confirmed(1, 2)
    return "seq 1 and 2 of the new store are confirmed"


async def forged(story: Story) -> str:
    """Speak on our own topic in the name of another gateway."""
    gateway = story.gateway
    name, gateway.name = gateway.name, story.victim
    try:
        await gateway.raw("prop", _forgery(gateway))
    finally:
        gateway.name = name
    await gateway.prop(3, 2)
    if not await gateway.has_confirmed(3, within_s=story.patience_s):
        raise Skipped("the platform confirms nothing on dn/ack")
    if any(777 in heard.confirmed for heard in [*gateway.others.values(), gateway.mine]):  # noqa: PLR2004 - of the forgery
        raise Missed("a record in the name of another gateway was taken")
    return "a record in the name of another gateway is not taken"


async def nothing_else(story: Story) -> str:
    """Look whether anything was confirmed that was never sent."""
    gateway = story.gateway
    if not story.is_confirming:
        raise Skipped("the platform confirms nothing on dn/ack")
    said = {(ep, seq) for ep, heard in gateway.heard.items() for seq in heard.confirmed}
    if said - gateway.sent.keys():
        seqs = sorted(seq for _, seq in said - gateway.sent.keys())
        raise Missed(f"confirmed and never sent: seq {seqs[:10]}: these would be lost")
    return f"{len(said)} confirmed, all of them were sent"


def _forgery(gateway: ScriptedGateway) -> bytes:
    head = {"v": "1.0", "k": "prop", "gw": gateway.name, "dev": DEVICE, "kind": "meter.electricity"}
    return json.dumps({**head, "tp": 1, **gateway.values(777, None)}).encode()


@dataclass(frozen=True, slots=True)
class Step:
    """One part of the story."""

    name: str
    run: Callable[[Story], Awaitable[str]]
    must: str
    remedy: str
    missed: State = State.FAIL


STEPS = (
    Step("confirms", confirms, "Records of a gateway with `ack: app` are confirmed on dn/ack.",
         "Publish {ep, ranges} to …/dn/ack/_ after your own commit (guide, `Identity`). Without it "
         "set `ack: puback` at the sink; then the broker's word is all that a gateway has."),
    Step("duplicates", duplicates, "A record that comes again is confirmed again.",
         "Confirm what you have already stored too: the first confirmation may be lost."),
    Step("events", events, "Events are taken, whatever their clock says.",
         "Do not refuse `tq: unsync`: keep it with your own time of arrival."),
    Step("future", future, "Fields and types of a later 1.x are passed over.",
         "Ignore what you do not know; demand only that `v` begins with 1."),
    Step("nonsense", nonsense, "A message that cannot be read stops nothing.",
         "Catch errors for each message, acknowledge it, set it aside."),
    Step("history", history, "Every record of a hist is taken.",
         "A hist carries its records under `items`, each with its own identity."),
    Step("asks", asks, "A predecessor that does not come is asked for.",
         "Follow `pv`, and publish {ep, resend} to …/dn/ack/_ (guide, `Gaps`)."),
    Step("late", late, "What comes late is taken, and its predecessor asked for in turn.",
         "A late record is a record: take it, and look at its `pv` as at any other."),
    Step("stops", stops, "What came, or was told to be gone for good, is asked for no more.",
         "Strike it out of the ledger of gaps; a `gap` settles a range of its lane.", State.WARN),
    Step("values", values, "Large integers, small floats, booleans, texts and nulls are taken.",
         "Keep a value in a type that has integers of 53 bits and double precision; no value is "
         "null with its `q`, not 0. `--held` compares what you have stored with what was sent."),
    Step("removed", removed, "The cleared birth of a removed device is understood.",
         "An empty payload is no JSON: drop the device before you parse."),
    Step("killed", killed, "A platform that is killed loses nothing of what it had been given.",
         "Acknowledge by hand after your own commit, and come back under the same client id to a "
         "session that waits (guide, `A consumer that is correct`)."),
    Step("new_store", new_store, "A new `ep` begins a new count.",
         "The identity is (gw, ep, seq), never (gw, seq): else new records are duplicates."),
    Step("forged", forged, "No gateway can speak in the name of another.",
         "Take the gateway from the topic, which the access list guards, or demand that `gw` "
         "agrees with it."),
    Step("nothing_else", nothing_else, "Only what was sent is confirmed.",
         "Confirm the seqs that you have stored, never all up to the newest."),
)  # fmt: skip


async def play(bench: Bench, story: Story) -> list[Verdict]:
    """Play the story and return the verdicts."""
    found: list[Verdict] = []
    for step in STEPS:

        async def run(_: Bench, step: Step = step) -> str:
            return await step.run(story)

        check = Check(step.name, step.must, step.remedy, run, step.missed)
        found.append(await verdict(check, bench))
    with suppress(Missed, Gone, TimeoutError):  # the verdicts are there all the same
        await story.gateway.gone()
    return found
