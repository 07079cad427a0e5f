"""One device (PD) as the control panel knows it: what it is asked next, what its replies mean."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import StrEnum
from hmac import compare_digest

from drivers.contract import (
    DeviceRefused,
    DriverError,
    Fault,
    FrameError,
    Raw,
    SessionDevice,
    SessionSample,
)
from drivers.osdp.address import Check, OsdpAddress, What
from drivers.osdp.codec import MARK, Frame, encode
from drivers.osdp.content import (
    BUSY,
    CAP,
    CCRYPT,
    CHLNG,
    COMMANDS,
    ID,
    NAK,
    NAK_NEEDS_SECURE,
    NAK_SEQUENCE,
    NAKS,
    POLL,
    RMAC_I,
    SCRYPT,
    address_of,
    is_secret,
    quirks_of,
    raw_of,
    read,
    status_commands,
)
from drivers.osdp.secure import BLOCK, DEFAULT_KEY, NONCE, Channel, derive

Random = Callable[[int], bytes]
SITE_KEY, FACTORY_KEY = 1, 0
"""Which key a security block means."""
LONGEST_BUSY = 50
"""So often in a row BUSY is believed: ten seconds at the usual time between polls."""
CRYPTOGRAM_AT = 8 + NONCE


class Secure(StrEnum):
    """How far the secure channel is."""

    OFF = "off"
    ASKED = "asked"
    OPEN = "open"


@dataclass(slots=True)
class Learnt:
    """What replies and silence come to, within one call of the session."""

    samples: list[SessionSample] = field(default_factory=list[SessionSample])
    alive: list[Hashable] = field(default_factory=list[Hashable])
    silent: list[Hashable] = field(default_factory=list[Hashable])
    fault: DriverError | None = None

    def blame(self, fault: DriverError) -> None:
        """Keep the first fault."""
        self.fault = self.fault or fault


class Reader:
    """A device of the line; the session says when it is asked."""

    def __init__(self, device: SessionDevice, random: Random, now_s: float) -> None:
        """Begin anew: sequence 0, nothing known."""
        self.unit = device.unit
        self.address = device.unit if isinstance(device.unit, int) else 0
        self.quirks = quirks_of(device.quirks)
        self.points = tuple(dict.fromkeys(address_of(point) for point in device.points))
        self.due_s = now_s
        self.misses = 0
        self.is_online: bool | None = None
        self._random = random
        self._has_site_key = device.key is not None
        self._key = device.key or (DEFAULT_KEY if self.quirks.installation else None)
        self._key_kind = FACTORY_KEY if device.key is None else SITE_KEY
        self._sequence = 0
        self._times_busy = 0
        self._asked = 0
        self._sent = b""
        self._todo: deque[int] = deque()
        self._secure = Secure.OFF
        self._channel: Channel | None = None
        self._nonce = b""
        self._proof = b""
        self._restart()

    @property
    def must_be_secure(self) -> bool:
        """Whether nothing is taken in plain text."""
        return self._has_site_key and self.quirks.require_secure

    @property
    def is_trusted(self) -> bool:
        """Whether what the device says now is taken."""
        return self._secure is Secure.OPEN or not self.must_be_secure

    def request(self) -> bytes:
        """Return what to send: the last command again while it is not answered.

        Raises:
            DriverError: the key cannot be used.
        """
        if not self._sent:
            self._asked = self._todo[0] if self._todo else POLL
            frame = self._command(self._asked)
            if self._channel is not None and self._secure is Secure.OPEN:
                frame = self._channel.seal(frame)
            self._sent = bytes((MARK,)) + encode(frame)
        return self._sent

    def missed(self, now_s: float, learnt: Learnt) -> None:
        """Note that no reply came; after some it is offline, and asked seldom."""
        self.misses += 1
        self.due_s = now_s + self.quirks.poll_ms / 1000
        if self.misses >= self.quirks.misses or self.is_online is False:
            self.give_up(now_s, learnt)

    def give_up(self, now_s: float, learnt: Learnt) -> None:
        """Take it for offline and begin anew, later."""
        if self.is_online is not False:
            learnt.silent.append(self.unit)
            learnt.samples.extend(self._online_samples(is_online=False))
        self.is_online = False
        self._restart()
        self.due_s = now_s + self.quirks.offline_poll_ms / 1000

    def answered(self, frame: Frame, now_s: float, learnt: Learnt) -> bool:
        """Take a frame with the device's address; False when it is no answer to the request."""
        if frame.code == BUSY and not frame.scb:
            self._put_off(now_s, learnt)
            return True
        is_nak = frame.code == NAK and not frame.mac
        if frame.sequence != self._sequence and not is_nak:
            return False
        if self._secure is Secure.OPEN and self._channel is not None and not is_nak:
            try:
                frame = _unsealed(self._channel, frame)
            except FrameError as error:
                learnt.blame(error)
                return False
        elif frame.scs not in {0, 0x12, 0x14}:
            return False
        self.misses = self._times_busy = 0
        self._advance(now_s)
        if frame.code == NAK:
            self._refused(frame, now_s, learnt)
        else:
            self._understand(frame, now_s, learnt)
        return True

    def _put_off(self, now_s: float, learnt: Learnt) -> None:
        """Ask again later; who is busy without end is offline."""
        self.misses = 0
        self._times_busy += 1
        self.due_s = now_s + self.quirks.poll_ms / 1000
        if self._times_busy > LONGEST_BUSY:
            self.give_up(now_s, learnt)

    # --- asking --------------------------------------------------------------------------------

    def _restart(self) -> None:
        self._sequence, self._sent = 0, b""
        self.misses = self._times_busy = 0
        self._channel, self._secure = None, Secure.OFF
        self._todo = deque((ID, CAP))
        if self._key is not None:
            self._todo += (CHLNG, SCRYPT)
        self._todo += status_commands(self.points)

    def _advance(self, now_s: float) -> None:
        self._sent = b""
        self._sequence = self._sequence % 3 + 1
        if self._todo:
            self._todo.popleft()
        self.due_s = now_s if self._todo else now_s + self.quirks.poll_ms / 1000

    def _command(self, code: int) -> Frame:
        content, scb = b"", b""
        if code in {ID, CAP}:
            content = b"\0"
        elif code == CHLNG:
            content, scb = self._challenge(), bytes((3, 0x11, self._key_kind))
        elif code == SCRYPT:
            content, scb = self._proof, bytes((3, 0x13, self._key_kind))
        has_crc = self.quirks.check is Check.CRC
        return Frame(self.address, self._sequence, code, content, has_crc=has_crc, scb=scb)

    def _challenge(self) -> bytes:
        if self._key == DEFAULT_KEY and not self.quirks.installation:
            raise DriverError(
                f"reader {self.address}: the well-known default key needs the quirk installation"
            )
        self._nonce = self._random(NONCE)
        self._channel = derive(self._key or b"", self._nonce)
        self._secure = Secure.ASKED
        return self._nonce

    # --- answers -------------------------------------------------------------------------------

    def _refused(self, frame: Frame, now_s: float, learnt: Learnt) -> None:
        code = frame.content[0] if frame.content else 0
        why = NAKS.get(code, "no reason that is known")
        name = COMMANDS.get(self._asked, f"{self._asked:02X}")
        refused = f"reader {self.address} refused {name} with NAK {code}: {why}"
        learnt.blame(DeviceRefused(code, refused))
        if self._asked in {CHLNG, SCRYPT}:
            self._without_secure(now_s, learnt)
        elif (
            # A NAK that anybody can have sent ends the channel, and never goes on beside it.
            (self._secure is Secure.OPEN and not frame.mac)
            or self._asked == POLL
            or code in {NAK_SEQUENCE, NAK_NEEDS_SECURE}
        ):
            self.give_up(now_s, learnt)
        else:
            self._arrived(learnt)

    def _without_secure(self, now_s: float, learnt: Learnt) -> None:
        """Go on in plain text where the site allows it, else take it for faulty."""
        if self.must_be_secure:
            self.give_up(now_s, learnt)
            return
        self._secure, self._channel = Secure.OFF, None
        self._todo = deque(status_commands(self.points))
        self._arrived(learnt)

    def _understand(self, frame: Frame, now_s: float, learnt: Learnt) -> None:
        if self._asked in {CHLNG, SCRYPT}:
            is_good = self._is_proof(frame) if self._asked == CHLNG else self._is_chain(frame)
            if not is_good:
                learnt.blame(
                    FrameError(
                        Fault.CRC, f"reader {self.address} does not show that it has the key"
                    )
                )
                self.give_up(now_s, learnt)
                return
        self._arrived(learnt)
        if not self.is_trusted:
            return
        try:
            told = read(frame.code, frame.content)
        except ValueError as why:
            learnt.blame(FrameError(Fault.SHORT, str(why)))
            return
        for point in self.points:
            raw = raw_of(point, told)
            if raw is not None:
                learnt.samples.append(self._sample(point, raw))

    def _is_proof(self, frame: Frame) -> bool:
        """Whether the device has the key; then our own proof is made."""
        content, channel = frame.content, self._channel
        is_whole = frame.code == CCRYPT and frame.scs == 0x12  # noqa: PLR2004 - SCS_12
        if channel is None or not is_whole or len(content) != CRYPTOGRAM_AT + BLOCK:
            return False
        nonce, shown = content[8:CRYPTOGRAM_AT], content[CRYPTOGRAM_AT:]
        self._proof = channel.server_cryptogram(self._nonce, nonce)
        return compare_digest(shown, channel.client_cryptogram(self._nonce, nonce))

    def _is_chain(self, frame: Frame) -> bool:
        """Whether the device begins the chain of MACs as we do; then the channel is open."""
        channel = self._channel
        is_whole = frame.code == RMAC_I and frame.scs == 0x14  # noqa: PLR2004 - SCS_14
        if channel is None or not is_whole:
            return False
        first = channel.first_mac(self._proof)
        if not compare_digest(frame.content, first):
            return False
        channel.reply_mac, self._secure = first, Secure.OPEN
        return True

    def _arrived(self, learnt: Learnt) -> None:
        """Note that it lives, once it has shown what it must."""
        has_begun = ID not in self._todo and CAP not in self._todo
        if not has_begun or not self.is_trusted or self._secure is Secure.ASKED:
            return
        learnt.alive.append(self.unit)
        if self.is_online is not True:
            self.is_online = True
            learnt.samples.extend(self._online_samples(is_online=True))

    def _online_samples(self, *, is_online: bool) -> list[SessionSample]:
        return [self._sample(p, is_online) for p in self.points if p.what is What.ONLINE]

    def _sample(self, point: OsdpAddress, raw: Raw) -> SessionSample:
        return SessionSample(self.unit, point, raw, is_secret(point))


def _unsealed(channel: Channel, frame: Frame) -> Frame:
    """Return a reply of the open channel in plain text.

    Raises:
        FrameError: it came outside of the channel, or its MAC is wrong.
    """
    if frame.scs not in {0x16, 0x18}:
        raise FrameError(Fault.CRC, f"reply {frame.code:02X} came outside of the secure channel")
    return channel.unseal(frame)
