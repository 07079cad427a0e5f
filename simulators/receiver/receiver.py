"""The loop of one copy: gather, commit, acknowledge, pass on, ask for what is missing.

What is acknowledged is on the disk. What is killed in between comes again and is a duplicate. Who
must be passed every record, over kills too, follows the store with a cursor as `influx.py` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.model.clock import Clock
from simulators.receiver.forget import forget
from simulators.receiver.gaps import Pacing, ack_topic, acknowledgements, requests
from simulators.receiver.message import Message, Record, Source, Unreadable, read
from simulators.receiver.session import Arrival, Session
from simulators.receiver.store import Spoilt, Store, Taken

BATCH = 1000
"""Messages of one transaction at most; it takes what has come while the one before was written."""
LOOK_S = 0.25
LOOK_EVERY_S = 1.0
"""So often a copy looks what is to be asked for, and what to be forgotten."""
LEAVE_S = 1.0
"""A copy that leaves waits so long for what was already given to it."""


@dataclass(frozen=True, slots=True)
class Duties:
    """What the copy does beside keeping records."""

    root: str = "fc"
    pacing: Pacing | None = field(default_factory=Pacing)
    """None: nothing is asked for."""
    confirms: bool | None = None
    """Whether records are confirmed on `dn/ack`; None: to gateways whose birth says `ack: app`."""
    is_leaving: bool = False
    """At the end the copy leaves its group for good, else its session waits for it."""
    keep_days: float | None = None
    """How long bodies of records are kept; None for ever."""


class Receiver:
    """One copy."""

    def __init__(
        self,
        session: Session,
        store: Store,
        clock: Clock,
        duties: Duties,
        *,
        passes_on: Callable[[Sequence[Record]], None],
    ) -> None:
        """Take a session, an open store, and who gets new records once they are committed."""
        self._session = session
        self._store = store
        self._clock = clock
        self._duties = duties
        self._passes_on = passes_on
        self._look_at = 0.0

    def run(self, is_stopped: Callable[[], bool], is_ready: Callable[[], None]) -> None:
        """Work until told to stop; say once when the subscription stands.

        Raises:
            Denied: the broker refuses us.
            sqlite3.Error: the store cannot be written; nothing unwritten was acknowledged.
        """
        was_ready = False
        while not is_stopped():
            self.turn(LOOK_S)
            if self._session.is_subscribed and not was_ready:
                was_ready = True
                is_ready()
        if self._duties.is_leaving:
            self._leave()
        self._session.close(is_leaving=self._duties.is_leaving)

    def turn(self, wait_s: float) -> int:
        """Do one round; return how many messages it had."""
        arrivals = self._session.gather(BATCH, wait_s)
        if arrivals:
            self._keep(arrivals)
        if self._clock.monotonic() >= self._look_at:
            self._look_at = self._clock.monotonic() + LOOK_EVERY_S
            self._ask()
            if self._duties.keep_days is not None:
                forget(self._store, self._duties.keep_days, self._clock.now_ms())
        return len(arrivals)

    def _keep(self, arrivals: Sequence[Arrival]) -> None:
        messages = [self._read(arrival) for arrival in arrivals]
        taken = self._store.take(messages, self._clock.now_ms())
        self._session.acknowledge(arrivals)
        self._confirm([m for m in messages if isinstance(m, Message)])
        self._pass_on(taken)

    def _read(self, arrival: Arrival) -> Message | Spoilt:
        try:
            message = read(arrival.topic, arrival.payload, self._duties.root)
        except Unreadable as error:
            return Spoilt(arrival.topic, arrival.payload, str(error))
        return message

    def _pass_on(self, taken: Taken) -> None:
        if taken.fresh:
            self._passes_on(taken.fresh)

    def _confirm(self, messages: Sequence[Message]) -> None:
        """Tell gateways what is safe, duplicates too: their first confirmation may be lost."""
        if self._duties.confirms is False:
            return
        seqs: dict[Source, set[int]] = {}
        for message in messages:
            for record in message.records:
                seqs.setdefault(record.source, set()).add(record.seq)
        for (site, gateway, ep), those in seqs.items():
            if self._duties.confirms or self._store.wants_confirmation(site, gateway):
                topic = ack_topic(self._duties.root, site, gateway)
                for payload in acknowledgements(ep, those):
                    self._session.publish(topic, payload)

    def _ask(self) -> None:
        pacing = self._duties.pacing
        if pacing is None or not self._session.is_subscribed:
            return
        for request in requests(self._store, self._duties.root, pacing, self._clock.now_ms()):
            self._session.publish(request.topic, request.payload)

    def _leave(self) -> None:
        self._session.unsubscribe()
        until = self._clock.monotonic() + LEAVE_S
        while self._clock.monotonic() < until:
            if self.turn(LOOK_S):
                until = self._clock.monotonic() + LEAVE_S
