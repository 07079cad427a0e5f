"""Messages of a Sparkplug edge node: topics, sequence numbers, births and deaths.

`seq` counts all messages of the node in the order in which they leave, and is put behind each of
them at that moment (`Publication.tail`): events overtake values on their way out. Births and deaths
are in the lane of events and at QoS 0, so that nothing of ours comes between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from gateway.dialects.contract import Now
from gateway.dialects.sparkplug_b.down import REBIRTH
from gateway.dialects.sparkplug_b.metrics import Board
from gateway.dialects.sparkplug_b.underway import Underway
from gateway.dialects.sparkplug_b.wire import (
    DataType,
    Metric,
    encode_metric,
    encode_payload,
    seq_field,
)
from gateway.model.ids import GATEWAY_ITSELF, DeviceId
from gateway.model.publication import Publication
from gateway.model.record import Lane

NAMESPACE = "spBv1.0"
SEQUENCE = 256
"""`seq` and `bdSeq` are 0..255 and wrap."""
BD_SEQ = "bdSeq"


class Names:
    """Our devices as the platform knows them."""

    def __init__(self) -> None:
        """Know of no other names."""
        self._theirs: dict[DeviceId, str] = {}
        self._ours: dict[str, DeviceId] = {}

    def use(self, names: Mapping[DeviceId, str]) -> bool:
        """Take the platform's id of every device; return whether one of before has changed."""
        before = {name: device for name, device in self._ours.items() if device in names}
        self._theirs.update(names)
        self._ours = {name: device for device, name in names.items()}
        return any(names[device] != name for name, device in before.items())

    def theirs(self, device: DeviceId) -> str:
        """Return the platform's id."""
        return self._theirs.get(device, device)

    def ours(self, name: str) -> DeviceId | None:
        """Return the device of that name, None when there is none."""
        return self._ours.get(name)


class Voice:
    """Of one node."""

    def __init__(self, group: str, node: str, names: Names) -> None:
        """Take the ids of group and node, and the names of devices."""
        self._group = group
        self._node = node
        self._names = names
        self._bd_seq: int | None = None
        self._seq = 0
        self.underway = Underway()

    def topic(self, kind: str, device: DeviceId | str = GATEWAY_ITSELF) -> str:
        """Return a topic of the node, or of a device of it."""
        base = f"{NAMESPACE}/{self._group}/{kind}/{self._node}"
        if device == GATEWAY_ITSELF:
            return base
        return f"{base}/{self._names.theirs(DeviceId(device))}"

    def next_session(self, now: Now) -> None:
        """Count a CONNECT. The first of a process does not know the last of the one before."""
        last = now.ms // 1000 if self._bd_seq is None else self._bd_seq
        self._bd_seq = (last + 1) % SEQUENCE
        self.underway.begin()

    # --- births and deaths

    def node_death(self, now: Now) -> bytes:
        """Return the payload of NDEATH, which has no `seq`."""
        return encode_payload([encode_metric(self._bd_seq_metric(now))], now.ms)

    def node_birth(self, board: Board, now: Now) -> Publication:
        """Return NBIRTH; `seq` begins anew with it."""
        metrics = [
            self._bd_seq_metric(now),
            Metric(False, now.ms, REBIRTH, None, DataType.BOOLEAN),  # noqa: FBT003 - the value of the standard
            *_born(board, GATEWAY_ITSELF, now),
        ]
        return Publication(
            self.topic("NBIRTH"),
            encode_payload(_in_time(metrics), now.ms),
            Lane.EVENT,
            qos=0,
            tail=self._first_seq,
        )

    def device_birth(
        self, board: Board, device: DeviceId, now: Now, covers: tuple[int, ...] = ()
    ) -> Publication:
        """Return DBIRTH with the newest values."""
        metrics = _in_time(_born(board, device, now))
        birth = self._event("DBIRTH", device, metrics, now, covers=covers)
        return replace(birth, tail=self._leaving(device, is_birth=True))

    def device_death(self, device: DeviceId, now: Now, covers: tuple[int, ...] = ()) -> Publication:
        """Return DDEATH."""
        return self._event("DDEATH", device, (), now, covers=covers)

    # --- data

    def data(
        self, owner: DeviceId, metrics: Iterable[bytes], now: Now, covers: tuple[int, ...] = ()
    ) -> Publication:
        """Return a message of the lane of events: NDATA of the node, DDATA of a device."""
        kind = "NDATA" if owner == GATEWAY_ITSELF else "DDATA"
        return self._event(kind, owner, metrics, now, covers=covers)

    def values(
        self, device: DeviceId, metrics: Sequence[bytes], now: Now, covers: tuple[int, ...]
    ) -> Publication:
        """Return DDATA of the lane of values."""
        return Publication(
            self.topic("DDATA", device),
            encode_payload(metrics, now.ms),
            Lane.TELEMETRY,
            covers,
            qos=0,
            tail=self._leaving(device, is_birth=False),
        )

    def _event(
        self,
        kind: str,
        owner: DeviceId,
        metrics: Iterable[bytes],
        now: Now,
        *,
        covers: tuple[int, ...],
    ) -> Publication:
        payload = encode_payload(metrics, now.ms)
        topic = self.topic(kind, owner)
        return Publication(topic, payload, Lane.EVENT, covers, qos=0, tail=self._next_seq)

    def _bd_seq_metric(self, now: Now) -> Metric:
        return Metric(self._bd_seq, now.ms, BD_SEQ, None, DataType.INT64)

    def _first_seq(self) -> bytes:
        self._seq = 0
        return seq_field(0)

    def _leaving(self, device: DeviceId, *, is_birth: bool) -> Callable[[], bytes]:
        """Note a message that may wait; return what gives its `seq` when it leaves."""
        return partial(self._leave, self.underway.make(device, is_birth=is_birth))

    def _leave(self, number: int) -> bytes:
        self.underway.leave(number)
        return self._next_seq()

    def _next_seq(self) -> bytes:
        self._seq = (self._seq + 1) % SEQUENCE
        return seq_field(self._seq)


def _born(board: Board, owner: DeviceId, now: Now) -> list[Metric]:
    return [known.born(now.ms) for known in (board.of(owner) or {}).values()]


def _in_time(metrics: Iterable[Metric]) -> list[bytes]:
    """Return metrics in the order of their times, as the standard wants it (chapter 5)."""
    return [encode_metric(one) for one in sorted(metrics, key=lambda one: one.timestamp_ms or 0)]
