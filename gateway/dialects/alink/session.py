"""Sub-devices on the platform: bound, logged in, refused, tried again, logged out. Pure.

A batch login is all or nothing (domain.md §2.2): when it is refused, each of its devices is asked
for alone, so that one bad secret costs one device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from gateway.dialects.alink.logins import Desk, Member, Step, listed_in, reason_of
from gateway.dialects.alink.names import Name
from gateway.dialects.alink.places import Outcome, Place, Question, Standing
from gateway.dialects.alink.profile import Session
from gateway.dialects.contract import CannotConnect
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Publication
from gateway.settings.problems import SettingsError
from gateway.settings.site_sinks import Secret

SUCCESS = 200
TOO_MANY_REQUESTS = 429
SYSTEM_ERRORS = frozenset({400, 500})
"""help.aliyun.com …/error-codes-for-devices: its own failures, nothing about what was sent."""
BUSY = frozenset({TOO_MANY_REQUESTS, *SYSTEM_ERRORS})
"""Later: nothing was done."""
NOT_NOW = "(0x87)"
"""In a reason: the sink's task tries such a stream again once a minute (app/streams.py)."""


class Sessions:
    """The sub-devices of one connection."""

    def __init__(self, desk: Desk, secret: Callable[[Secret], str]) -> None:
        """Take what requests are written with, and who reads secrets."""
        self._desk = desk
        self._secret = secret
        self._has_logins = desk.profile.session is not Session.NONE
        self._places: dict[DeviceId, Place] = {}
        self._offline: set[DeviceId] = set()
        """Devices whose last state was offline: not logged in by themselves."""
        self._bound: set[DeviceId] = set()
        self._questions: dict[str, Question] = {}
        self._greeted_ms: int | None = None

    @property
    def has_logins(self) -> bool:
        """Whether online and offline are told by logins."""
        return self._has_logins

    # --- the connection

    def connected(
        self, devices: Sequence[DeviceId], gone: Sequence[DeviceId], now_ms: int
    ) -> tuple[Publication, ...]:
        """Return logouts of devices that went, then logins of all that may be online."""
        self._places.clear()
        self._bound.clear()
        self._questions.clear()
        self._greeted_ms = now_ms
        return (*self._leave(gone, now_ms), *self._enter(devices, now_ms))

    def changed(
        self, devices: Sequence[DeviceId], gone: Sequence[DeviceId], now_ms: int
    ) -> tuple[Publication, ...]:
        """Return the same for a reload: only what came and what went."""
        for device in gone:
            self._places.pop(device, None)
            self._offline.discard(device)
        fresh = [device for device in devices if device not in self._places]
        return (*self._leave(gone, now_ms), *self._enter(fresh, now_ms))

    def is_ready(self, now_ms: int) -> bool:
        """Return whether all first logins were answered, or have had their time."""
        if self._greeted_ms is None:
            return True
        is_waiting = any(
            question.step is not Step.LOGOUT and not question.is_late
            for question in self._questions.values()
        )
        if is_waiting and not self._is_past(
            self._greeted_ms, self._desk.options.login_wait, now_ms
        ):
            return False
        self._greeted_ms = None
        return True

    def tick(self, now_ms: int) -> tuple[Publication, ...]:
        """Return logins that are tried again, and logouts of who came in for old records only.

        A login without an answer counts as refused.
        """
        options = self._desk.options
        for id_, question in list(self._questions.items()):
            if self._is_past(question.asked_ms, options.login_wait, now_ms):
                self._give_up(id_, question, now_ms)
        again = [
            device
            for device, place in self._places.items()
            if place.standing is Standing.REFUSED
            and device not in self._offline
            and self._is_past(place.since_ms, options.login_retry, now_ms)
        ]
        idle = [device for device in self._offline if self._is_idle(device, now_ms)]
        self._places.update((device, Place(Standing.OUT)) for device in idle)
        return (*self._leave(idle, now_ms), *self._ask(again, now_ms))

    def _give_up(self, id_: str, question: Question, now_ms: int) -> None:
        """Take silence for a no. A busy platform may still answer, until it is asked again."""
        options = self._desk.options
        longest_s = options.login_wait + options.login_retry
        if question.step is Step.LOGOUT or self._is_past(question.asked_ms, longest_s, now_ms):
            del self._questions[id_]
        elif not question.is_late:
            self._questions[id_] = replace(question, is_late=True)
            waiting = [member for member in question.members if self._is_asked(member.device)]
            why = f"no reply to the {question.step}"
            unsure = Place(Standing.REFUSED, why, now_ms, is_unsure=True)
            self._places.update((member.device, unsure) for member in waiting)

    def _is_idle(self, device: DeviceId, now_ms: int) -> bool:
        """Whether an offline device has been in long enough for the records it came in for."""
        place = self._places.get(device)
        return (
            place is not None
            and place.standing is Standing.IN
            and self._is_past(place.since_ms, self._desk.options.login_retry, now_ms)
        )

    def goodbye(self, now_ms: int) -> tuple[Publication, ...]:
        """Return logouts of all that are online."""
        inside = [d for d, place in self._places.items() if place.standing is Standing.IN]
        return tuple(self._leave(inside, now_ms))

    def why_refused(self, device: DeviceId) -> str | None:
        """Return why the platform has no session for a device, None when records may go."""
        place = self._places.get(device)
        return f"{place.why} {NOT_NOW}" if place is not None and place.why else None

    # --- states of devices

    def told(
        self, device: DeviceId, seq: int, now_ms: int, *, is_online: bool
    ) -> tuple[Publication, ...]:
        """Return the login or logout that a state record means; () when it stands so already."""
        place = self._places.get(device, Place(Standing.OUT))
        if is_online:
            self._offline.discard(device)
            is_in = place.standing is Standing.IN and not place.is_unsure
            if is_in or place.why:
                return ()  # it is told already, or will be when the login is tried again
            return tuple(self._ask([device], now_ms, (seq,)))
        self._offline.add(device)
        is_out = place.standing is Standing.OUT
        if is_out or (place.standing is Standing.REFUSED and not place.is_unsure):
            return ()
        self._places[device] = Place(Standing.OUT)
        return tuple(self._leave([device], now_ms, (seq,)))

    def lost(self, devices: Sequence[DeviceId], now_ms: int) -> tuple[Publication, ...]:
        """Return new logins: the platform says that it has no session of these.

        A device that has left the site comes in for what it said before, like an offline one.
        """
        if not self._has_logins:
            return ()
        subs = [device for device in devices if device != GATEWAY_ITSELF]
        self._offline.update(device for device in subs if device not in self._places)
        wanted = [device for device in subs if not self._is_asked(device)]
        return tuple(self._ask(wanted, now_ms))

    def allowed(self, devices: Sequence[DeviceId], now_ms: int) -> tuple[Publication, ...]:
        """Return logins of refused devices that the platform takes by now, as it says."""
        wanted = [
            device
            for device in devices
            if device not in self._offline and self._stands(device) is Standing.REFUSED
        ]
        return tuple(self._ask(wanted, now_ms))

    def banned(self, devices: Sequence[DeviceId], why: str, now_ms: int) -> None:
        """Note that the platform has deleted or disabled devices; they are tried again later."""
        self._bound.difference_update(devices)
        for device in devices:
            self.kicked(device, why, now_ms)

    def kicked(self, device: DeviceId, why: str, now_ms: int) -> None:
        """Note that the platform ended a session by itself; it is tried again later."""
        if device in self._places:
            self._places[device] = Place(Standing.REFUSED, why, now_ms)

    # --- replies

    def answered(self, id_: str, code: int, fields: dict[str, Any], now_ms: int) -> Outcome | None:
        """Return what a reply means; None when it answers no question of ours."""
        question = self._questions.pop(id_, None)
        if question is None:
            return None
        if question.step is not Step.LOGOUT:  # a reload may have taken some away
            here = [member for member in question.members if member.device in self._places]
            question = replace(question, members=tuple(here))
        match question.step:
            case Step.LOGOUT:
                if code in BUSY:
                    self._stay(question.members, now_ms)
                return Outcome(done=question.seqs)
            case Step.BIND:
                return Outcome(tuple(self._bound_or_not(question, code, fields, now_ms)))
            case Step.LOGIN:
                return self._logged_in(question, code, fields, now_ms)

    def _stay(self, members: Sequence[Member], now_ms: int) -> None:
        """Note that the platform was too busy to log out; it is asked again like for idle ones."""
        out = [
            m.device for m in members if m.device in self._offline or not self._is_here(m.device)
        ]
        self._offline.update(out)
        unsure = Place(Standing.IN, since_ms=now_ms, is_unsure=True)
        self._places.update((device, unsure) for device in out)

    def _is_here(self, device: DeviceId) -> bool:
        return device in self._places

    def _logged_in(
        self, question: Question, code: int, fields: dict[str, Any], now_ms: int
    ) -> Outcome:
        inside = self._inside(question, code, fields)
        came = tuple(member.device for member in inside)
        self._places.update((device, Place(Standing.IN, since_ms=now_ms)) for device in came)
        outside = [member for member in question.members if member not in inside]
        if not outside:
            return Outcome(done=question.seqs, inside=came)
        is_whole = question.is_batch and not inside
        if is_whole and code != TOO_MANY_REQUESTS:  # else fifty more would follow at once
            return Outcome(tuple(self._one_by_one(outside, now_ms)))
        why = reason_of(Step.LOGIN, code, fields)
        self._refuse(outside, why, now_ms)
        return Outcome(refused=question.seqs, why=f"{why} {NOT_NOW}", inside=came)

    def _inside(self, question: Question, code: int, fields: dict[str, Any]) -> list[Member]:
        """Return who is logged in; EnOS names them when some are not (code 723)."""
        if code == SUCCESS:
            return list(question.members)
        words = self._desk.profile
        found = {
            Name(str(each.get(words.product_word)), str(each.get(words.device_word)))
            for each in listed_in(fields.get("data"))
        }
        return [member for member in question.members if member.name in found]

    def _bound_or_not(
        self, question: Question, code: int, fields: dict[str, Any], now_ms: int
    ) -> Iterator[Publication]:
        if code != SUCCESS and question.is_batch:
            yield from self._one_by_one(question.members, now_ms, Step.BIND)
            return
        if code != SUCCESS:
            self._refuse(question.members, reason_of(Step.BIND, code, fields), now_ms)
            return
        devices = [member.device for member in question.members]
        self._bound.update(devices)
        if self._has_logins:
            yield from self._ask(devices, now_ms, question.seqs)
        else:
            self._places.update((device, Place(Standing.IN)) for device in devices)

    # --- asking

    def _enter(self, devices: Sequence[DeviceId], now_ms: int) -> Iterator[Publication]:
        if not self._has_logins and not self._desk.options.topology:
            return
        wanted = [device for device in devices if device not in self._offline]
        self._places.update((d, Place(Standing.OUT)) for d in devices if d in self._offline)
        yield from self._ask(wanted, now_ms)

    def _ask(
        self, devices: Sequence[DeviceId], now_ms: int, seqs: tuple[int, ...] = ()
    ) -> Iterator[Publication]:
        is_bound = not self._desk.options.topology or self._bound.issuperset(devices)
        step = Step.LOGIN if is_bound else Step.BIND
        if step is Step.LOGIN and not self._has_logins:
            return
        wanted = self._with_room(devices, now_ms)
        members = [m for m in (self._member(d, step, now_ms) for d in wanted) if m is not None]
        most = self._desk.most(step)
        for at in range(0, len(members), most):
            yield from self._say(step, members[at : at + most], now_ms, seqs)

    def _with_room(self, devices: Sequence[DeviceId], now_ms: int) -> Sequence[DeviceId]:
        """Return those that may be online as well; the others are refused for now."""
        most = self._desk.options.max_online
        if len(self._places) + len(devices) <= most:
            return devices
        wanted = set(devices)
        taken = sum(
            place.standing in {Standing.IN, Standing.ASKED}
            for device, place in self._places.items()
            if device not in wanted
        )
        free = max(0, most - taken)
        why = f"more than {most} sub-devices"
        self._places.update((d, Place(Standing.REFUSED, why, now_ms)) for d in devices[free:])
        return devices[:free]

    def _one_by_one(
        self, members: Sequence[Member], now_ms: int, step: Step = Step.LOGIN
    ) -> Iterator[Publication]:
        for member in members:
            yield from self._say(step, [member], now_ms)

    def _leave(
        self, devices: Sequence[DeviceId], now_ms: int, seqs: tuple[int, ...] = ()
    ) -> Iterator[Publication]:
        if not self._has_logins:
            return
        named = [(device, self._desk.names.of(device)) for device in devices]
        members = [Member(device, name) for device, name in named if name is not None]
        most = self._desk.most(Step.LOGOUT)
        for at in range(0, len(members), most):
            yield from self._say(Step.LOGOUT, members[at : at + most], now_ms, seqs)

    def _say(
        self, step: Step, members: Sequence[Member], now_ms: int, seqs: tuple[int, ...] = ()
    ) -> Iterator[Publication]:
        try:
            id_, publication = self._desk.request(step, members, now_ms, seqs)
        except CannotConnect as exc:
            self._refuse(members, str(exc), now_ms)
            return
        self._questions[id_] = Question(step, tuple(members), now_ms, seqs, len(members) > 1)
        if step is not Step.LOGOUT:
            for member in members:
                before = self._places.get(member.device)
                self._places[member.device] = Place(
                    Standing.ASKED, "" if before is None else before.why, now_ms
                )
        yield publication

    def _member(self, device: DeviceId, step: Step, now_ms: int) -> Member | None:
        """Return a sub-device with what proves it; None, and noted, where that is missing."""
        name = self._desk.names.of(device)
        if device == GATEWAY_ITSELF or name is None:
            return None
        if not self._desk.needs_secret(step):
            return Member(device, name)
        where = self._desk.names.secret(device)
        try:
            if where is not None:
                return Member(device, name, self._secret(where))
            why = f"{device} has no device_secret"
        except SettingsError as exc:
            why = str(exc)
        self._places[device] = Place(Standing.REFUSED, why, now_ms)
        return None

    def _refuse(self, members: Sequence[Member], why: str, now_ms: int) -> None:
        for member in members:
            self._places[member.device] = Place(Standing.REFUSED, why, now_ms)

    def _is_asked(self, device: DeviceId) -> bool:
        return self._stands(device) is Standing.ASKED

    def _stands(self, device: DeviceId) -> Standing:
        return self._places.get(device, Place(Standing.OUT)).standing

    @staticmethod
    def _is_past(since_ms: int, seconds: float, now_ms: int) -> bool:
        """Whether so much time went by; a clock that was set back counts as time gone by."""
        return abs(now_ms - since_ms) >= seconds * 1000
