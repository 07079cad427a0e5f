"""Which broker of a sink's list is tried next. Pure.

The first of the list is the preferred one. Trying starts with it and goes through the list without
a pause; only when the whole list was tried in vain is there one.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.settings.site_sinks import Broker, Sink
from gateway.uplink.state import Pace


class Brokers:
    """The list of one sink, and where in it we are."""

    def __init__(self, sink: Sink) -> None:
        """Begin with the preferred one."""
        self._sink = sink
        self._all = (Broker(sink.host, sink.port, sink.use_tls), *sink.others)
        self._order = list(range(len(self._all)))
        self._at = 0
        self.is_first_round = True
        """Whether some broker was not tried yet since the last one that worked."""

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all)

    @property
    def current(self) -> Broker:
        """The one that is tried now, or that we are connected to."""
        return self._all[self._order[self._at]]

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, for people, in the order of preference."""
        return tuple(str(broker) for broker in self._all)

    @property
    def is_preferred(self) -> bool:
        """Whether the current one is the first of the list."""
        return self._order[self._at] == 0

    @property
    def preferred(self) -> Broker:
        """The first of the list."""
        return self._all[0]

    def target(self) -> Sink:
        """Return the sink as it is reached through the current broker."""
        current = self.current
        return replace(
            self._sink, host=current.host, port=current.port, use_tls=current.use_tls, others=()
        )

    def pace(self, usual: Pace) -> Pace:
        """Return less time to connect while another one of the list may be there."""
        if len(self) > 1 and self.is_first_round:
            return replace(usual, connect=min(usual.connect, usual.connect_listed))
        return usual

    def failed(self) -> bool:
        """Go to the next one; return whether it may be tried at once."""
        self._at += 1
        if self._at < len(self._order):
            return True
        self._order = list(range(len(self._all)))
        self._at = 0
        self.is_first_round = False
        return False

    def connected(self) -> None:
        """The current one works."""
        self.is_first_round = True

    def lost(self) -> None:
        """The connection to the current one went: it is tried last, the preferred one first."""
        gone = self._order[self._at]
        self._order = [*(number for number in range(len(self._all)) if number != gone), gone]
        self._at = 0
        self.is_first_round = True

    def prefer(self) -> None:
        """Begin again with the preferred one."""
        self._order = list(range(len(self._all)))
        self._at = 0
        self.is_first_round = True
