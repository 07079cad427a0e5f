"""Alarm panels: they report each change within a second, and test the link when nothing happens.

Messages are Contact ID where a point has an event, else SIA codes; both written here with code of
its own. CRC and length are the driver's codec, which its vectors prove. The panel waits for an
acknowledgement before it tells the next event, repeats what is not acknowledged, and goes on after
three repetitions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from drivers.dc09.address import Dc09Address, Dc09Quirks
from drivers.dc09.codec import Stream, encode, open_envelope, read_body
from drivers.dc09.content import encrypt
from gateway.model.reading import Value
from gateway.settings.site import Point, ValueType
from simulators.contract import Callers, Simulated, Slaves

TICK_MS = 1000
TEST_SIGNAL_MS = 30_000
REPEAT_MS = 20_000
REPEATS = 3
LAST_SEQUENCE = 9999
RESTORE_OF: Mapping[str, str] = MappingProxyType(
    {
        "OP": "CL",
        "CL": "OP",
        "RC": "RO",
        "YX": "YZ",
        "YC": "YK",
    }
)
RESTORE_END: Mapping[str, str] = MappingProxyType({"A": "H", "T": "R", "B": "U"})
OPENINGS = "4"
DURESS = "121"
USER_CODES = frozenset({"OP", "CL"})


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a panel as it stands in a message."""

    is_contact_id: bool
    code: str
    is_restored: bool
    partition: int
    number: int

    @property
    def data(self) -> str:
        """The data between the brackets, behind the account."""
        if self.is_contact_id:
            qualifier = 3 if self.is_restored else 1
            return f"{qualifier}{self.code} {self.partition:02} {self.number:03}"
        return f"Nri{self.partition}/{self.code}{self.number}"

    @property
    def is_of_user(self) -> bool:
        """Whether the number is a person."""
        if self.is_contact_id:
            return self.code.startswith(OPENINGS) or self.code == DURESS
        return self.code in USER_CODES

    @property
    def summary(self) -> str:
        """The event in one line, as a receiver that hides users shows it."""
        word = "restored" if self.is_contact_id and self.is_restored else "new"
        zone = "" if self.is_of_user else f" zone {self.number}"
        return f"{self.code} {word} partition {self.partition}{zone}"


def told(point: Point, *, is_active: bool) -> Told:
    """Return the event that makes a point active or not; wildcards are their lowest digit."""
    a = _address(point)
    partition = 1 if a.partition is None else a.partition
    number = 0 if a.zone is None else a.zone
    if a.event is not None:
        return Told(True, a.event.replace("x", "0"), not is_active, partition, number)  # noqa: FBT003
    code = (a.code or "BA").replace("x", "B", 1).replace("x", "A")
    if not is_active:
        usual = RESTORE_OF.get(code, code[0] + RESTORE_END.get(code[1], "R"))
        code = a.restore.split()[0] if a.restore else usual
    return Told(False, code, not is_active, partition, number)  # noqa: FBT003


@dataclass(slots=True)
class Waiting:
    """A message that nobody acknowledged yet; it is made anew, with a new time, when repeated."""

    ident: str
    data: str
    sequence: int
    due_ms: int
    left: int = REPEATS


@dataclass(slots=True)
class Panel:
    """One account."""

    simulated: Simulated
    key: bytes | None = None
    last: dict[str, bool] = field(default_factory=dict[str, bool])
    queue: deque[Told] = field(default_factory=deque[Told])
    waiting: Waiting | None = None
    sequence: int = 0
    spoke_ms: int = 0

    @property
    def account(self) -> str:
        """The digits of the account."""
        return str(self.simulated.device.unit)

    def speak(self, now_ms: int) -> Iterator[bytes]:
        """Yield what is repeated, the next event, or a link test."""
        self._look(now_ms)
        if self.waiting is not None and self.waiting.due_ms <= now_ms:
            if self.waiting.left:
                self.waiting.left -= 1
                yield self._message(self.waiting, now_ms)
            else:
                self.waiting = None
        if self.waiting is not None:
            return
        if self.queue:
            event = self.queue.popleft()
            self._note(event, now_ms)
            yield self._send("ADM-CID" if event.is_contact_id else "SIA-DCS", event.data, now_ms)
        elif now_ms - self.spoke_ms >= TEST_SIGNAL_MS:
            yield self._send("NULL", "", now_ms)

    def take(self, ident: str, sequence: str) -> None:
        """Take an answer of the receiver."""
        is_mine = self.waiting is not None and int(sequence) == self.waiting.sequence
        if ident in {"ACK", "DUH"} and is_mine:
            self.waiting = None

    def _look(self, now_ms: int) -> None:
        """Queue the events of what changed; all that has a state when the panel comes up."""
        values = self.simulated.twin.values(now_ms)
        for point in self.simulated.device.points:
            name, is_known = str(point.id), str(point.id) in values
            if not is_known or point.type is not ValueType.BOOL:
                continue
            if self._only_sums_up(point):
                continue
            is_active = bool(values[name]) != point.is_inverted
            if self.last.get(name) is not is_active:
                self.last[name] = is_active
                self.queue.append(told(point, is_active=is_active))

    def _only_sums_up(self, point: Point) -> bool:
        """Whether a point such as 1xx has no event of its own, but those of other points."""
        a = _address(point)
        if a.zone is not None or "x" not in (a.event or "")[1:2]:
            return False
        others = [p for p in self.simulated.device.points if p.type is ValueType.BOOL]
        return any(_fits(a, told(p, is_active=True)) for p in others if p.id != point.id)

    def _note(self, event: Told, now_ms: int) -> None:
        """Note what every point is by this event."""
        time = datetime.fromtimestamp(now_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        texts: dict[str, Value] = {
            "last_event": event.summary,
            "event_code": event.code,
            "qualifier": 3 if event.is_contact_id and event.is_restored else 1,
            "partition": event.partition,
            "time": time,
        }
        if not event.is_of_user:
            texts["zone"] = event.number
        for point in self.simulated.device.points:
            a = _address(point)
            value = texts.get(str(a.field))
            if str(a.field) == "active" and _fits(a, event):
                value = (not event.is_restored) != point.is_inverted
            elif value is None or not (_fits(a, event) or (a.event is None and a.code is None)):
                continue
            if point.type is ValueType.ENUM:
                value = point.enum[int(value)]
            self.simulated.twin.serve(str(point.id), value, now_ms)

    def _send(self, ident: str, data: str, now_ms: int) -> bytes:
        self.sequence = self.sequence % LAST_SEQUENCE + 1
        number = 0 if ident == "NULL" else self.sequence
        self.waiting = Waiting(ident, data, number, now_ms)
        self.spoke_ms = now_ms
        return self._message(self.waiting, now_ms)

    def _message(self, waiting: Waiting, now_ms: int) -> bytes:
        waiting.due_ms = now_ms + REPEAT_MS
        time = datetime.fromtimestamp(now_ms // 1000, UTC).strftime("_%H:%M:%S,%m-%d-%Y")
        inner = f"#{self.account}|{waiting.data}" if waiting.data else ""
        head = f'{waiting.ident}"{waiting.sequence:04}L0#{self.account}['
        if self.key is None:
            return encode(f'"{head}{inner}]{time}'.encode())
        sealed = encrypt(f"|{inner}]{time}" if inner else f"]{time}", self.key, f"{now_ms}")
        return encode(f'"*{head}'.encode() + sealed)


def _fits(a: Dc09Address, event: Told) -> bool:
    """Whether an event, or the restoral of what it restores, is what an address names."""
    zone = None if event.is_of_user else event.number
    if a.zone not in {None, zone} or a.partition not in {None, event.partition}:
        return False
    if event.is_contact_id:
        return a.event is not None and _like(a.event, event.code)
    if a.code is None:
        return False
    if not event.is_restored:
        return _like(a.code, event.code)
    known = {told_of for told_of in RESTORE_OF if RESTORE_OF[told_of] == event.code}
    ends = {end for end, restore in RESTORE_END.items() if restore == event.code[1]}
    known |= {event.code[0] + end for end in ends}
    return any(_like(a.code, code) for code in known) or event.code in (a.restore or "").split()


def _like(pattern: str, code: str) -> bool:
    return all(want in {"x", have} for want, have in zip(pattern, code, strict=True))


def _address(point: Point) -> Dc09Address:
    if not isinstance(point.address, Dc09Address):
        raise TypeError(f"{point.id} has no address of SIA DC-09")
    return point.address


class Panels:
    """All panels that report on one connection."""

    def __init__(
        self, devices: Sequence[Simulated], keys: Mapping[str, bytes] | None = None
    ) -> None:
        """Take the devices; `keys` are AES keys by account, for panels that encrypt."""
        self._panels = {str(s.device.unit): Panel(s) for s in devices}
        for account, panel in self._panels.items():
            quirks = panel.simulated.device.quirks.driver
            key = (keys or {}).get(account)
            panel.key = quirks.aes_key(key) if isinstance(quirks, Dc09Quirks) else key
        self._stream = Stream()
        self._wake_at_ms: int | None = None

    @property
    def wake_at_ms(self) -> int | None:
        """A second after the last look; None before the connection stands."""
        return self._wake_at_ms

    def opened(self, now_ms: int) -> bytes:
        """Return the first messages; what nobody acknowledged is told again."""
        for panel in self._panels.values():
            if panel.waiting is not None:
                panel.waiting.due_ms, panel.waiting.left = now_ms, REPEATS
        return self.wake(now_ms)

    def received(self, data: bytes, now_ms: int) -> bytes:
        """Take answers; an acknowledged panel tells its next event at once."""
        spoken: list[bytes] = []
        for frame in self._stream.feed(data):
            try:
                message = read_body(open_envelope(frame).body)
            except ValueError:
                continue
            panel = self._panels.get(message.account)
            if panel is not None:
                panel.take(message.ident, message.sequence)
                spoken.extend(panel.speak(now_ms) if panel.waiting is None and panel.queue else ())
        return b"".join(spoken)

    def wake(self, now_ms: int) -> bytes:
        """Return what is repeated, what changed, and link tests."""
        self._wake_at_ms = now_ms + TICK_MS
        return b"".join(f for panel in self._panels.values() for f in panel.speak(now_ms))


class Dc09Simulator:
    """See `simulators.contract.Simulator`."""

    def slaves(self, protocol: str, devices: Sequence[Simulated]) -> Slaves | None:  # noqa: ARG002
        """Return None: panels speak by themselves."""
        return None

    def callers(self, protocol: str, devices: Sequence[Simulated]) -> Callers | None:  # noqa: ARG002
        """Return the panels of one connection."""
        return Panels(devices)


SIMULATOR = Dc09Simulator()
