"""Sub-devices of an Alink platform through any history: in the end it shows who is online."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.alink.dialect import Alink
from gateway.dialects.contract import Now
from gateway.model.ids import DeviceId
from gateway.model.publication import Publication
from gateway.model.record import StateBody
from tests.support.alink_platform import listed
from tests.support.alinks import (
    NOW,
    arrival,
    body_of,
    later,
    meter_birth,
    record,
    setup,
    values,
)

DEVICES = tuple(f"em-{n:02}" for n in range(1, 8))
BARRED = "em-07"
"""The platform never lets this one in."""


@dataclass(slots=True)
class Platform:
    """Logs in and out, as far as it hears of it and wants to."""

    online: set[str] = field(default_factory=set[str])
    most: int = 0
    """How many were online at once."""

    def hear(self, said: Publication) -> int:
        """Do what a request wants, all or nothing; return the code of the reply."""
        params: Any = body_of(said)["params"]
        found = params["deviceList"] if "deviceList" in params else listed(params)
        names = {each["deviceName"] for each in found}
        if said.topic.endswith("logout"):
            self.online -= names
            return 200
        if BARRED in names:
            return 6287
        self.online |= names
        self.most = max(self.most, len(self.online))
        return 200


@dataclass(slots=True)
class History:
    """A gateway, its platform and what lies between them."""

    dialect: Alink
    platform: Platform = field(default_factory=Platform)
    site: set[str] = field(default_factory=lambda: set(DEVICES))
    offline: set[str] = field(default_factory=set[str])
    seconds: float = 0
    late: list[tuple[Publication, int]] = field(default_factory=list[tuple[Publication, int]])
    """Replies that have not come yet."""
    seq: int = 0

    def now(self) -> Now:
        return later(self.seconds)

    def say(self, publications: Sequence[Publication], fate: str = "answered") -> None:
        """Let requests about sessions meet their fate."""
        for said in publications:
            if "/combine/" not in said.topic:
                continue
            is_logout = said.topic.endswith("logout")
            if fate == "busy" or (fate == "lost" and not is_logout):
                self.told(said, 429) if fate == "busy" else None
                continue
            code = self.platform.hear(said)
            if fate == "late":
                self.late.append((said, code))
            elif fate != "unanswered":
                self.told(said, code)

    def told(self, said: Publication, code: int) -> None:
        """Let the gateway hear a reply, and what it says then be answered."""
        body: dict[str, Any] = {"id": body_of(said)["id"], "code": code, "data": {}}
        received = self.dialect.received(arrival(said.topic + "_reply", body), self.now())
        self.say(received.publications)

    def state(self, device: str, is_online: bool, fate: str) -> None:  # noqa: FBT001 - a step
        if device not in self.site:
            return
        self.seq += 1
        (self.offline.discard if is_online else self.offline.add)(device)
        item = record(StateBody(is_online, "x", NOW.ms), DeviceId(device), seq=self.seq)
        self.say(self.dialect.encode([item], self.now(), is_backfill=False).publications, fate)

    def reload(self, site: frozenset[str], fate: str) -> None:
        self.offline &= site
        came = site - self.site
        self.site = set(site)
        births = [meter_birth(device) for device in sorted(site)]
        self.say(self.dialect.reloaded(births, self.now()), fate)
        for device in sorted(came):
            self.state(device, True, fate)

    def connect(self, fate: str) -> None:
        self.platform.online.clear()
        self.late.clear()
        births = [meter_birth(device) for device in sorted(self.site)]
        self.say(self.dialect.connected(births, (), self.now()), fate)

    def lose(self, device: str) -> None:
        """Let the platform forget a session, and say so when it hears of the device."""
        self.platform.online.discard(device)
        self.speak(device)

    def speak(self, device: str) -> None:
        """Send values of a device; the platform takes them from who is online."""
        item = record(values(1.0, 2.0, 3), DeviceId(device), seq=self.seq)
        for said in self.dialect.encode([item], self.now(), is_backfill=False).publications:
            self.told(said, 200 if device in self.platform.online else 520)

    def come(self) -> None:
        """Let replies come that are late."""
        late, self.late = self.late, []
        for said, code in late:
            self.told(said, code)

    def wait(self, seconds: int, fate: str) -> None:
        for _ in range(seconds):
            self.seconds += 1
            self.say(self.dialect.tick(self.now()), fate)


LOSSES = ("late", "unanswered", "lost", "busy")
FATES = st.sampled_from(("answered", *LOSSES))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("state"), st.sampled_from(DEVICES), st.booleans(), FATES),
        st.tuples(st.just("reload"), st.frozensets(st.sampled_from(DEVICES)), FATES),
        st.tuples(st.just("connect"), FATES),
        st.tuples(st.just("lose"), st.sampled_from(DEVICES)),
        st.tuples(st.just("come")),
        st.tuples(st.just("wait"), st.sampled_from([1, 11, 61]), FATES),
    ),
    max_size=25,
)


def live(steps: Sequence[tuple[Any, ...]], *, max_online: int) -> History:
    """Live a history to its end: then all is answered for as long as it takes."""
    history = History(Alink(setup(ack="app", max_online=max_online, login_batch=3)))
    history.connect("answered")
    for what, *more in steps:
        getattr(history, what)(*more)
    for _ in range(3):
        history.wait(100, "answered")
        for device in sorted(history.site - history.offline):
            history.speak(device)
    return history


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_in_the_end_the_platform_shows_who_is_online(steps: list[tuple[Any, ...]]) -> None:
    history = live(steps, max_online=2000)
    assert history.platform.online == history.site - history.offline - {BARRED}


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_never_more_are_online_than_the_platform_takes(steps: list[tuple[Any, ...]]) -> None:
    answered = [tuple("answered" if one in LOSSES else one for one in step) for step in steps]
    assert live(answered, max_online=3).platform.most <= 3
