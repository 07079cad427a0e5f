"""Local echo: RS-485 adapters that hear themselves give every request back before its reply."""

from __future__ import annotations

from enum import Enum, auto

from gateway.settings.site import Echo


class _Belief(Enum):
    UNKNOWN = auto()
    ECHOES = auto()
    SILENT = auto()


_SETTING = {Echo.AUTO: _Belief.UNKNOWN, Echo.ON: _Belief.ECHOES, Echo.OFF: _Belief.SILENT}


class EchoFilter:
    """Takes the echo out of what a line brings, and finds out whether there is one.

    Only bytes that equal the whole request, at the very beginning, are an echo. Where a right
    reply may be the request's own bytes (writes), the first copy is held back: it is the echo when
    a second one follows, and the reply when nothing does.
    """

    def __init__(self, setting: Echo) -> None:
        """Begin with what the settings say; AUTO has to learn."""
        self._setting = setting
        self._belief = _SETTING[setting]
        self._request = b""
        self._may_equal = False
        self._held = bytearray()
        self._is_open = False
        self.has_stripped = False

    @property
    def is_known(self) -> bool:
        """Whether an echo can be told from a reply that equals its request."""
        return self._belief is not _Belief.UNKNOWN

    @property
    def is_expected(self) -> bool:
        """Whether this line is known to echo."""
        return self._belief is _Belief.ECHOES

    def forget(self) -> None:
        """Learn anew: the line was opened again, perhaps on another adapter."""
        self._belief = _SETTING[self._setting]

    def begin(self, request: bytes, *, may_equal: bool) -> None:
        """Look for the echo of this request from now on."""
        self._request = request
        self._may_equal = may_equal
        self._held.clear()
        self.has_stripped = False
        self._is_open = bool(request) and self._belief is not _Belief.SILENT

    def strip(self, received: bytes) -> bytes:
        """Return what of the bytes may belong to the reply; the rest is echo, or held back."""
        if not self._is_open:
            return received
        self._held += received
        request = self._request
        if len(self._held) < len(request):
            if request.startswith(self._held):
                return b""
        elif self._held.startswith(request):
            self.has_stripped = True
            del self._held[: len(request)]
        self._is_open = False
        return bytes(self._held)

    def remainder(self) -> bytes:
        """Return at the deadline what may be the reply after all, though it looked like an echo."""
        if self._is_open:
            self._is_open = False
            return bytes(self._held)
        if self.has_stripped and self._may_equal and self._belief is _Belief.UNKNOWN:
            self.has_stripped = False
            return self._request
        return b""

    def learn(self) -> None:
        """Note that the reply was found, and with it whether an echo came before it."""
        if self._belief is not _Belief.UNKNOWN:
            return
        if self.has_stripped:
            self._belief = _Belief.ECHOES
        elif not self._may_equal:
            self._belief = _Belief.SILENT

    def learn_alone(self) -> bool:
        """Note that nothing but an echo came; return whether that is a discovery."""
        is_new = self.has_stripped and self._belief is _Belief.UNKNOWN and not self._may_equal
        if is_new:
            self._belief = _Belief.ECHOES
        return is_new
