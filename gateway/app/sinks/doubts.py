"""Whether what a sink delivers really arrives: refused, unheard, swallowed, fought over."""

from __future__ import annotations

from gateway.app.outward.around import Around
from gateway.app.outward.standing import Unheard
from gateway.app.sinks.canary import Canary, Proof
from gateway.app.sinks.streams import Streams
from gateway.dialects.contract import Dialect
from gateway.model.publication import Publication
from gateway.outbox.feed import SinkFeed
from gateway.uplink.errors import UplinkDown
from gateway.uplink.uplink import Uplink

PROBE_S = 5.0
"""While what nobody hears is held, one record goes out this often, to ask whether somebody does."""


class Doubts:
    """Of one sink, over its connections."""

    def __init__(self, dialect: Dialect, feed: SinkFeed, uplink: Uplink) -> None:
        """Have none."""
        self._dialect = dialect
        self._feed = feed
        self.uplink = uplink
        self.streams = Streams()
        self.canary = Canary()
        self.unheard = Unheard()
        self.nobody_listens = 0
        """Messages that the broker took though nobody subscribes to them."""
        self.refused_births = 0
        self.dead_letters = 0
        """Records that this platform will never take: poison, or too large."""
        self.probe_at: float | None = None
        """When the next record is tried, while what nobody hears is held."""

    @property
    def holds_back(self) -> bool:
        """Whether sending makes no sense now."""
        return self.canary.holds_back or self.probe_at is not None

    def may_probe(self, now: float) -> bool:
        """Return whether a record shall ask now; the next one does so a while later."""
        if self.canary.holds_back or self.probe_at is None or now < self.probe_at:
            return False
        self.probe_at = now + PROBE_S
        return True

    def is_to_be_held(self, publication: Publication, now: float, *, to_nobody: bool) -> bool:
        """Note an acknowledgement; return whether it counts for nothing, as nobody has heard it.

        Only a sink that holds what nobody hears asks.
        """
        if not to_nobody:
            self.probe_at = None
            return False
        if not publication.covers or self.unheard.someone_listens(now):
            return False
        self.probe_at = now + PROBE_S
        return True

    def ask_canary(self, around: Around, *, is_last: bool = False) -> None:
        """Judge a late echo, and send the next canary when it is time."""
        now = around.clock.monotonic()
        unproven = self.canary.late(now)
        is_denied = self.canary.proof is Proof.DENIED
        for one in unproven or ():
            (self._feed.again if is_denied else self._feed.done)(one.lane, one.covers)
        if self.uplink.spec.echo is None or not self.canary.is_due(now, is_last=is_last):
            return
        if not self._dialect.is_ready(around.now()):
            return  # the platform must be greeted first
        publication = self._dialect.echo(around.now())
        try:
            if self.uplink.try_publish(publication):
                self.canary.sent(publication.payload, now)
        except UplinkDown:
            return  # the next connection begins anew

    def conditions(self) -> dict[str, str]:
        """Return what is wrong now: the type of its event, and the detail."""
        found: dict[str, str] = {}
        if len(self.streams):
            some = "; ".join(self.streams.shown())
            found["stream_refused"] = f"{len(self.streams)} refused: {some}"
        if self.unheard.is_so:
            found["nobody_listens"] = "the broker says that nobody subscribes to what we publish"
        if self.uplink.is_taken_over:
            found["duplicate_client_id"] = self.uplink.state.why
        if self.canary.proof is Proof.IMPOSSIBLE:
            found["refusal_not_detectable"] = (
                "the broker gives us no echo: on MQTT 3.1.1 a denied message looks delivered, and "
                "at QoS 0 a lost one too"
            )
        if self.canary.proof is Proof.DENIED:
            found["publish_denied"] = "our echo stays away: the broker drops what we publish"
        return found
